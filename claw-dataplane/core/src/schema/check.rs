//! Values against declarations: a check that writes the canonical form as it goes.
//!
//! Canonical JSON here is: members in the byte order of their names, no space, integers in plain
//! decimal, times with three places, UUIDs in lower case, defaults filled in. It is what an event
//! stores, so two requests that mean the same store the same bytes.
//!
//! A violation's path is built only when there is one, from the inside out. Only the first
//! violation in the order of member names is told: a client mends one thing at a time, and the
//! work stays bounded by the first mistake.

use core::fmt;
use std::io::Write as _;

use claw_common::id::{Id, is_sku};
use claw_common::limits::{SCHEMA_DEPTH_MAX, SCHEMA_OTHERS_MAX};
use claw_common::money::{Currency, Money};
use serde_json::{Map, Value};

use super::field::{Allowed, Field, Fields, Kind, Presence};
use super::text::{format_time, parse_time, write_json_text};

/// What a member did wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The member: `attributes.brand`, `items[2].quantity`.
    pub path: String,
    /// What is wrong with it, to be read after the path: "must be ...".
    pub reason: String,
    /// The declared name the client may have meant.
    pub suggestion: Option<String>,
}

impl Violation {
    pub(super) fn here(reason: impl Into<String>) -> Self {
        Self { path: String::new(), reason: reason.into(), suggestion: None }
    }

    /// The same violation, seen from the object that holds it as `member`.
    #[must_use]
    pub fn under(mut self, member: &str) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{member}{dot}{}", self.path);
        self
    }

    /// The same violation, seen from the array that holds it at `index`.
    #[must_use]
    pub fn at(self, index: usize) -> Self {
        self.under(&format!("[{index}]"))
    }

    /// The same violation, seen from the object that holds it as `name`, declared as `field`. Where
    /// names inside a personal member are a person's data, the path ends at the member.
    fn inside(mut self, field: &Field, name: &str) -> Self {
        if field.personal && field.kind.names_are_data() {
            self.path.clear();
            self.suggestion = None;
        }
        let rule = field.name == Fields::ANY_OTHER && field.personal;
        self.under(if rule { Fields::ANY_OTHER } else { name })
    }

    pub(super) fn unknown(member: &str, suggestion: Option<&str>) -> Self {
        let suggestion = suggestion.map(str::to_owned);
        Self { suggestion, ..Self::here("is not declared in the State-Schema").under(member) }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.path, self.reason)?;
        let Some(suggestion) = &self.suggestion else { return Ok(()) };
        write!(f, ": did you mean `{suggestion}`?")
    }
}

impl Field {
    /// Checks `value`; the violation's path begins with this field's name.
    pub fn check(&self, value: &Value) -> Result<(), Violation> {
        let written = self.kind.write(value, &mut Vec::new());
        written.map_err(|violation| violation.inside(self, &self.name))
    }
}

impl Fields {
    /// Checks an object's members and appends their canonical form.
    pub(super) fn write(
        &self,
        members: &Map<String, Value>,
        out: &mut Vec<u8>,
    ) -> Result<(), Violation> {
        let mut rows = Vec::with_capacity(self.iter().len() + members.len());
        rows.extend(self.iter().map(|field| (field.name.as_str(), field)));
        for name in members.keys() {
            if self.declared(name).is_none() {
                let Some(rule) = self.any_other() else {
                    return Err(Violation::unknown(name, self.suggest(name)));
                };
                rows.push((name, rule));
            }
        }
        if rows.len() > self.iter().len() + SCHEMA_OTHERS_MAX {
            let reason = format!("may hold at most {SCHEMA_OTHERS_MAX} undeclared members");
            return Err(Violation::here(reason));
        }
        rows.sort_unstable_by_key(|(name, _)| *name);
        let mut object = ObjectWriter::open(out);
        for (name, field) in rows {
            let value = match (members.get(name), &field.presence) {
                (Some(value), _) | (None, Presence::Default(value)) => value,
                (None, Presence::Optional) => continue,
                (None, Presence::Required) => {
                    return Err(Violation::here("is required").under(name));
                }
            };
            let out = object.member(name);
            field.kind.write(value, out).map_err(|violation| violation.inside(field, name))?;
        }
        object.close();
        Ok(())
    }
}

impl Kind {
    /// Checks `value` and appends its canonical form.
    pub(super) fn write(&self, value: &Value, out: &mut Vec<u8>) -> Result<(), Violation> {
        let wrong = || Violation::here(format!("must be {self}, not {}", name_of(value)));
        match self {
            Self::Boolean => append(out, value.as_bool().ok_or_else(wrong)?),
            Self::Group(fields) => fields.write(value.as_object().ok_or_else(wrong)?, out)?,
            Self::Integer { .. } => {
                let integer = whole_number(value).ok_or_else(wrong)?;
                self.check_integer(integer)?;
                append(out, integer);
            }
            Self::Json { .. } => self.write_json(value, out)?,
            Self::List { of, .. } => {
                let entries = value.as_array().ok_or_else(wrong)?;
                self.check_count(entries.len())?;
                write_list(of, entries, out)?;
            }
            Self::Map { of, key_length_max, .. } => {
                let members = value.as_object().ok_or_else(wrong)?;
                self.check_count(members.len())?;
                write_map(of, *key_length_max, members, out)?;
            }
            Self::Money { .. } => {
                let money = parse_money(value).ok_or_else(wrong)?;
                self.check_money(money)?;
                write_money(money, out);
            }
            Self::Sku | Self::Text { .. } | Self::Time | Self::Uuid => {
                let text = value.as_str().ok_or_else(wrong)?;
                self.check_text(text)?;
                self.write_text(text, out);
            }
        }
        Ok(())
    }

    pub(super) fn check_integer(&self, integer: i64) -> Result<(), Violation> {
        let Self::Integer { min, max } = self else { return Err(self.refusal()) };
        if (*min..=*max).contains(&integer) { Ok(()) } else { Err(self.refusal()) }
    }

    pub(super) fn check_count(&self, count: usize) -> Result<(), Violation> {
        let (count_min, count_max) = match self {
            Self::List { count_min, count_max, .. } => (*count_min, *count_max),
            Self::Map { count_max, .. } => (0, *count_max),
            _ => return Err(self.refusal()),
        };
        if (count_min..=count_max).contains(&count) { Ok(()) } else { Err(self.refusal()) }
    }

    pub(super) fn check_money(&self, money: Money) -> Result<(), Violation> {
        let Self::Money { min, max, currencies } = self else { return Err(self.refusal()) };
        let known = currencies.is_empty() || currencies.binary_search(&money.currency).is_ok();
        if known && (*min..=*max).contains(&money.amount) { Ok(()) } else { Err(self.refusal()) }
    }

    pub(super) fn check_text(&self, text: &str) -> Result<(), Violation> {
        let fits = match self {
            Self::Sku => is_sku(text),
            Self::Time => parse_time(text).is_some(),
            Self::Uuid => Id::parse(text).is_some(),
            Self::Text { length_min, length_max, allowed } => {
                (*length_min..=*length_max).contains(&text.len()) && allowed.holds(text)
            }
            _ => false,
        };
        if fits { Ok(()) } else { Err(self.refusal()) }
    }

    pub(super) fn check_json(&self, value: &Value) -> Result<(), Violation> {
        self.write_json(value, &mut Vec::new())
    }

    fn refusal(&self) -> Violation {
        Violation::here(format!("must be {self}"))
    }

    fn write_text(&self, text: &str, out: &mut Vec<u8>) {
        match self {
            Self::Time => {
                let unix_ms = parse_time(text).expect("checked before it is written");
                write_json_text(&format_time(unix_ms), out);
            }
            Self::Uuid => write_json_text(&text.to_ascii_lowercase(), out),
            _ => write_json_text(text, out),
        }
    }

    fn write_json(&self, value: &Value, out: &mut Vec<u8>) -> Result<(), Violation> {
        let Self::Json { size_bytes_max } = self else { return Err(self.refusal()) };
        let start = out.len();
        let fits = write_any(value, SCHEMA_DEPTH_MAX, out);
        if fits && out.len() - start <= *size_bytes_max { Ok(()) } else { Err(self.refusal()) }
    }
}

impl Allowed {
    fn holds(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(texts) => texts.binary_search_by(|held| held.as_str().cmp(text)).is_ok(),
            Self::Matching(pattern) => pattern.matches(text),
        }
    }
}

/// What would be right, to be read after "must be".
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => f.write_str("true or false"),
            Self::Group(_) => f.write_str("an object"),
            Self::Integer { min, max } => write!(f, "an integer from {min} to {max}"),
            Self::Json { size_bytes_max } => {
                write!(f, "JSON of at most {size_bytes_max} bytes, {SCHEMA_DEPTH_MAX} levels deep")
            }
            Self::List { count_min, count_max, .. } => {
                write!(f, "an array of {count_min} to {count_max} entries")
            }
            Self::Map { count_max, .. } => write!(f, "an object of at most {count_max} members"),
            Self::Money { min, max, currencies } => {
                write!(f, "{{\"amount\", \"currency\"}} with an amount from {min} to {max}")?;
                let names: Vec<_> = currencies.iter().map(Currency::as_str).collect();
                if names.is_empty() { Ok(()) } else { write!(f, " in {}", names.join(" or ")) }
            }
            Self::Sku => f.write_str("1 to 64 of A-Z a-z 0-9 . _ -"),
            Self::Text { allowed: Allowed::OneOf(texts), .. } => {
                write!(f, "one of {}", texts.join(", "))
            }
            Self::Text { length_min, length_max, allowed } => {
                write!(f, "text of {length_min} to {length_max} bytes")?;
                let Allowed::Matching(pattern) = allowed else { return Ok(()) };
                write!(f, " that matches {}", pattern.as_str())
            }
            Self::Time => f.write_str("a time as 2026-01-31T12:00:00.000Z"),
            Self::Uuid => f.write_str("a UUID"),
        }
    }
}

const fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "that number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object of that shape",
    }
}

/// To JSON Schema, and to writers whose numbers are floating, 2.0 is a whole number.
fn whole_number(value: &Value) -> Option<i64> {
    let number = value.as_number()?;
    number.as_i64().or_else(|| number.to_string().strip_suffix(".0")?.parse().ok())
}

fn parse_money(value: &Value) -> Option<Money> {
    let members = value.as_object().filter(|members| members.len() == 2)?;
    let amount = whole_number(members.get("amount")?)?;
    let currency = Currency::parse(members.get("currency")?.as_str()?)?;
    Some(Money { amount, currency })
}

fn append(out: &mut Vec<u8>, plain: impl fmt::Display) {
    write!(out, "{plain}").expect("a Vec takes every byte");
}

fn write_money(money: Money, out: &mut Vec<u8>) {
    let currency = money.currency.as_str();
    append(out, format_args!("{{\"amount\":{},\"currency\":\"{currency}\"}}", money.amount));
}

fn write_list(of: &Kind, entries: &[Value], out: &mut Vec<u8>) -> Result<(), Violation> {
    out.push(b'[');
    for (index, entry) in entries.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        of.write(entry, out).map_err(|violation| violation.at(index))?;
    }
    out.push(b']');
    Ok(())
}

fn write_map(
    of: &Kind,
    key_length_max: usize,
    members: &Map<String, Value>,
    out: &mut Vec<u8>,
) -> Result<(), Violation> {
    let mut object = ObjectWriter::open(out);
    for (name, value) in sorted(members) {
        if name.len() > key_length_max {
            let reason = format!("has a name longer than {key_length_max} bytes");
            return Err(Violation::here(reason).under(name));
        }
        of.write(value, object.member(name)).map_err(|violation| violation.under(name))?;
    }
    object.close();
    Ok(())
}

/// The canonical form of free JSON, for members that were checked already.
pub fn canonical_json(value: &Value) -> String {
    let mut out = Vec::new();
    let fits = write_any(value, SCHEMA_DEPTH_MAX * 2, &mut out);
    assert!(fits, "free JSON is checked before it is stored");
    String::from_utf8(out).expect("JSON is UTF-8")
}

/// Appends any JSON canonically; false when it is nested deeper than `depth_left`.
fn write_any(value: &Value, depth_left: usize, out: &mut Vec<u8>) -> bool {
    match value {
        Value::Array(_) | Value::Object(_) if depth_left == 0 => return false,
        Value::Array(entries) => {
            out.push(b'[');
            for (index, entry) in entries.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                if !write_any(entry, depth_left - 1, out) {
                    return false;
                }
            }
            out.push(b']');
        }
        Value::Object(members) => {
            let mut object = ObjectWriter::open(out);
            for (name, member) in sorted(members) {
                if !write_any(member, depth_left - 1, object.member(name)) {
                    return false;
                }
            }
            object.close();
        }
        Value::String(text) => write_json_text(text, out),
        Value::Null | Value::Bool(_) | Value::Number(_) => append(out, value),
    }
    true
}

fn sorted(members: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut rows: Vec<_> = members.iter().collect();
    rows.sort_unstable_by_key(|(name, _)| *name);
    rows
}

/// Writes an object's punctuation; the caller brings the members in the order of their names.
struct ObjectWriter<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl<'a> ObjectWriter<'a> {
    fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, first: true }
    }

    /// Appends the name; the caller appends the value to what is returned.
    fn member(&mut self, name: &str) -> &mut Vec<u8> {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        write_json_text(name, self.out);
        self.out.push(b':');
        self.out
    }

    fn close(self) {
        self.out.push(b'}');
    }
}
