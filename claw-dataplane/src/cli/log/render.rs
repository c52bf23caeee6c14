//! One record as one line, for people or for programs.
//!
//! ```text
//!  0:41 2026-01-02T03:04:05.678Z hold-granted sku=A ... key=2/hmac-sha256
//!  |  |                          |            |         who signed (none for the node itself)
//!  |  sequence                   kind         fields, by the core's names
//!  shard
//! ```
//! What is sealed is shown as `sealed`, or `forgotten` once its key is gone, unless the form opens.
//! An event that this program cannot decode is shown by its size, never left out.

use claw_common::time::Hlc;
use claw_core::command::ExtraType;
use claw_core::log::{BlockView, RecordView};
use claw_core::shard::event::{Event, EventKind, FieldValue};
use serde_json::{Value, json};

use super::Form;
use super::today::Reading;

/// The record as one line without its end.
pub(in crate::cli) fn line(form: &Form, block: &BlockView<'_>, record: &RecordView<'_>) -> String {
    if form.json { object(form, block, record).to_string() } else { text(form, block, record) }
}

/// The kind's name, or its number where it is of a later program.
pub(in crate::cli) fn kind_name(code: u16) -> String {
    EventKind::from_code(code).map_or_else(|| format!("kind-{code}"), |kind| kind.name().to_owned())
}

fn text(form: &Form, block: &BlockView<'_>, record: &RecordView<'_>) -> String {
    let header = record.header;
    let at = time(header.now_ms.get());
    let kind = kind_name(header.kind.get());
    let mut words = vec![format!("{}:{} {at} {kind}", record.shard, record.sequence)];
    let (fields, extra) = shown(form, record);
    match fields {
        Ok(fields) => {
            words.extend(fields.iter().map(|(name, value)| format!("{name}={}", plain(value))));
        }
        Err(error) => words.push(format!("({} bytes: {error})", record.event.len())),
    }
    if let Some(extra) = extra {
        words.push(format!("extra={extra}"));
    }
    if header.key.get() != 0 {
        words.push(format!("key={}/{}", header.key.get(), auth_name(header.auth_mode.get())));
    }
    if form.vectors {
        words.push(format!("vector={}", vector(block, record)));
    }
    words.join(" ")
}

pub(in crate::cli) fn object(form: &Form, block: &BlockView<'_>, record: &RecordView<'_>) -> Value {
    let header = record.header;
    let mut object = json!({
        "shard": record.shard.0,
        "sequence": record.sequence,
        "at": time(header.now_ms.get()),
        "kind": kind_name(header.kind.get()),
        "event_version": header.event_version.get(),
        "schema_version": header.schema_version.get(),
        "stream": block.header().stream.get(),
        "block": block.stream_sequence(),
        "accepted_at": time(Hlc(header.accepted_hlc.get()).unix_ms()),
        "hlc": header.hlc.get(),
        "key": header.key.get(),
        "auth_mode": auth_name(header.auth_mode.get()),
        "command": hex(&header.command),
        "event_bytes": record.event.len(),
        "answer_bytes": record.answer.len(),
        "evidence_bytes": record.evidence.len(),
    });
    if header.extra_version.get() != 0 {
        object["extra_version"] = header.extra_version.get().into();
    }
    let (fields, extra) = shown(form, record);
    match fields {
        Ok(fields) => {
            let named = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
            object["fields"] = Value::Object(named.collect());
        }
        Err(error) => object["undecodable"] = error.into(),
    }
    if let Some(extra) = extra {
        object["extra"] = extra;
    }
    if form.vectors {
        object["vector"] = vector(block, record);
    }
    object
}

type Fields = Vec<(&'static str, Value)>;

/// The event's fields and its extra members, both as today's schema reads them.
fn shown(form: &Form, record: &RecordView<'_>) -> (Result<Fields, String>, Option<Value>) {
    let mut fields = fields(form, record);
    let mut extra = (!record.extra.is_empty()).then(|| extra(form, record));
    if let Ok(fields) = &mut fields {
        read_extra_as_today(form, record, (fields, &mut extra));
    }
    (fields, extra)
}

/// Brings extra members, and a product's attributes, to today's shape.
fn read_extra_as_today(
    form: &Form,
    record: &RecordView<'_>,
    (fields, extra): (&mut Fields, &mut Option<Value>),
) {
    let (code, version) = (record.header.extra_type.get(), record.header.extra_version.get());
    let put = record.header.kind.get() == EventKind::ProductPut as u16;
    if extra.is_none() && !put {
        return;
    }
    let mut members = extra.as_ref().and_then(Value::as_object).cloned().unwrap_or_default();
    if put {
        let attributes = fields.iter().find(|(name, _)| *name == "attributes");
        let attributes = attributes.map_or_else(|| json!({}), |(_, value)| value.clone());
        members.insert("attributes".to_owned(), attributes);
    }
    match form.today.read_extra(ExtraType { code, version }, members) {
        Reading::Written => {}
        Reading::Today { mut members, .. } => {
            fields.retain(|(name, _)| *name != "attributes");
            let attributes = members.remove("attributes").filter(|value| *value != json!({}));
            fields.extend(attributes.map(|attributes| ("attributes", attributes)));
            *extra = (!members.is_empty()).then_some(Value::Object(members));
        }
        Reading::Unreadable(why) => fields.push(("as_written", why.into())),
    }
}

/// The event's fields in the order of its payload, as they were written.
pub(in crate::cli) fn fields_as_written(record: &RecordView<'_>) -> Result<Fields, String> {
    fields(&Form::default(), record)
}

/// The event's fields in the order of its payload; one of the store's own as today's schema reads
/// it.
fn fields(form: &Form, record: &RecordView<'_>) -> Result<Fields, String> {
    let header = record.header;
    let event = Event::decode(header.kind.get(), header.event_version.get(), record.event);
    let event = event.map_err(|error| error.to_string())?;
    let mut fields = Vec::new();
    event.fields(&mut |name, value| {
        let shown = match (value, &event) {
            (FieldValue::Json(text), Event::StoreEvent { name: owner, .. }) => {
                form.reader.document(event.kind(), owner, canonical(text))
            }
            (FieldValue::Json(text), _) => form.reader.show(event.kind(), name, canonical(text)),
            _ => field(&value),
        };
        fields.push((name, shown));
    });
    if let Event::StoreEvent { name, version, .. } = event {
        read_as_today(form, (name, version), &mut fields);
    }
    Ok(fields)
}

/// The store's own members of a built-in event.
fn extra(form: &Form, record: &RecordView<'_>) -> Value {
    let document = canonical(&String::from_utf8_lossy(record.extra));
    match EventKind::from_code(record.header.kind.get()) {
        Some(kind) => form.reader.document(kind, "", document),
        None => document,
    }
}

fn read_as_today(form: &Form, (name, written): (&str, u16), fields: &mut Fields) {
    let members = fields.iter().find(|(name, _)| *name == "members");
    let members = members.map_or(Value::Null, |(_, members)| members.clone());
    match form.today.read(name, written, &members) {
        Reading::Written => {}
        Reading::Today { version, members } => {
            fields.retain(|(name, _)| !matches!(*name, "version" | "members"));
            fields.push(("version", version.into()));
            if version != written {
                fields.push(("written_version", written.into()));
            }
            fields.push(("members", Value::Object(members)));
        }
        Reading::Unreadable(why) => fields.push(("as_written", why.into())),
    }
}

fn field(value: &FieldValue<'_>) -> Value {
    match *value {
        FieldValue::Flag(flag) => flag.into(),
        FieldValue::Id(id) => id.to_string().into(),
        FieldValue::Json(text) => canonical(text),
        FieldValue::Lines(lines) => lines
            .iter()
            .map(|line| {
                json!({
                    "sku": line.sku,
                    "quantity": line.quantity,
                    "unit_price": line.unit_price,
                })
            })
            .collect(),
        FieldValue::Money(money) => {
            json!({ "amount": money.amount, "currency": money.currency.as_str() })
        }
        FieldValue::Signed(number) => number.into(),
        FieldValue::Text(text) => text.into(),
        FieldValue::Time(unix_ms) => time(unix_ms).into(),
        FieldValue::Unsigned(number) => number.into(),
        FieldValue::Bytes(bytes) => hex(bytes).into(),
        FieldValue::Currency(currency) => currency.as_str().into(),
    }
}

/// What was stored as JSON stays JSON; anything else is shown as text.
fn canonical(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

/// A value on a line: words bare, lines as `SKUxN@price`, the rest as JSON.
pub(in crate::cli) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) if !text.is_empty() && !text.contains([' ', '"', '=']) => text.clone(),
        Value::Array(lines) if lines.iter().all(|line| line["sku"].is_string()) => {
            let line = |line: &Value| {
                let sku = line["sku"].as_str().unwrap_or_default();
                format!("{sku}x{}@{}", line["quantity"], line["unit_price"])
            };
            lines.iter().map(line).collect::<Vec<_>>().join(",")
        }
        Value::Object(money) if money.contains_key("currency") => {
            format!("{}{}", money["amount"], money["currency"].as_str().unwrap_or_default())
        }
        other => other.to_string(),
    }
}

fn vector(block: &BlockView<'_>, record: &RecordView<'_>) -> Value {
    seen_by(block, record).into()
}

/// What the record had seen: its block's vector, what it saw beyond, and itself.
pub(super) fn seen_by(block: &BlockView<'_>, record: &RecordView<'_>) -> Vec<u64> {
    let mut vector: Vec<u64> = block.vector().collect();
    let mut raise = |shard: u16, sequence: u64| {
        if let Some(entry) = vector.get_mut(usize::from(shard)) {
            *entry = sequence.max(*entry);
        }
    };
    for earlier in block.records().take_while(|earlier| earlier.sequence <= record.sequence) {
        if let Some((shard, sequence)) = earlier.seen() {
            raise(shard.0, sequence);
        }
    }
    raise(record.shard.0, record.sequence);
    vector
}

pub(in crate::cli) fn auth_name(mode: u16) -> &'static str {
    match mode {
        0 => "node",
        1 => "ed25519",
        2 => "hmac-sha256",
        3 => "token",
        4 => "session",
        _ => "unknown",
    }
}

/// RFC 3339 with milliseconds; the bare number where no calendar reaches.
pub(in crate::cli) fn time(unix_ms: u64) -> String {
    let stamp = i64::try_from(unix_ms).ok().map(jiff::Timestamp::from_millisecond);
    match stamp {
        Some(Ok(stamp)) => format!("{stamp:.3}"),
        _ => unix_ms.to_string(),
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).expect("four bits");
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
