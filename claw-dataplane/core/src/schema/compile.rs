//! The document as a whole: files merged, built-ins tightened, own events and chains proved.
//!
//! The built-in declarations go through the same reader as a store's; what they declare is the
//! base that a store may narrow. Narrowing is proved bound by bound, never assumed.

use core::ops::Range;
use std::collections::{BTreeMap, BTreeSet};

use claw_common::limits::{
    SCHEMA_EVENTS_MAX, SCHEMA_FIELDS_MAX, SCHEMA_FILE_BYTES_MAX, SCHEMA_FILES_MAX,
};
use serde_json::{Map, Value};
use toml::de::DeTable;

use super::built_in::BuiltIn;
use super::canonical;
use super::chain::read_upcasters;
use super::compiled::{BuiltInRules, CompiledSchema};
use super::diagnostic::{Diagnostic, SchemaFile, Source};
use super::event_type::EventType;
use super::field::{Field, Fields, Kind, Presence};
use super::narrow::read_narrowed;
use super::own::read_own;
use super::read::{Reader, read_fields, reader_of};

type Span = Range<usize>;

/// What the files declare, before it is put together.
struct Draft {
    version: Option<u32>,
    rules: Vec<BuiltInRules>,
    attributes: Option<Fields>,
    own: BTreeMap<String, EventType>,
    /// Event types met so far, for "declared twice".
    met: BTreeSet<String>,
}

pub(super) fn compile(files: &[SchemaFile]) -> Result<CompiledSchema, Vec<Diagnostic>> {
    let mut draft = Draft {
        version: None,
        rules: built_in_rules(),
        attributes: None,
        own: BTreeMap::new(),
        met: BTreeSet::new(),
    };
    let mut found = Vec::new();
    let mut sorted: Vec<_> = files.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    for file in sorted.iter().take(SCHEMA_FILES_MAX) {
        let source = Source::new(file);
        read_file(&source, &mut draft);
        found.extend(source.into_found());
    }
    if found.is_empty() {
        found.extend(whole_document(files, &draft));
    }
    if !found.is_empty() {
        found.sort();
        return Err(found);
    }
    let mut schema = CompiledSchema {
        version: draft.version.expect("whole_document refuses a schema without one"),
        hash: [0; 32],
        built_in: draft.rules,
        attributes: draft.attributes,
        own: draft.own.into_values().collect(),
    };
    schema.hash = canonical::hash(&schema);
    Ok(schema)
}

/// What no single file can be blamed for, said at the first line of the first. Asked only when the
/// files themselves are in order, because a broken file may be the one with the version.
fn whole_document(files: &[SchemaFile], draft: &Draft) -> Option<Diagnostic> {
    let first = files.iter().map(|file| file.name.as_str()).min();
    let at_first = |reason: String, suggestion: &str| Diagnostic {
        file: first.unwrap_or("schema/").to_owned(),
        line: 1,
        column: 1,
        reason,
        suggestion: Some(suggestion.to_owned()),
    };
    if files.len() > SCHEMA_FILES_MAX {
        let reason = format!("a schema may have at most {SCHEMA_FILES_MAX} files");
        return Some(at_first(reason, "join some of them"));
    }
    if draft.own.len() > SCHEMA_EVENTS_MAX {
        let reason = format!("a store may declare at most {SCHEMA_EVENTS_MAX} event types");
        return Some(at_first(reason, "give one type a member that tells them apart"));
    }
    draft.version.is_none().then(|| {
        let reason = "no file says which version of the schema this is".to_owned();
        at_first(reason, "add `[schema]` with `version = 1` to one of the files")
    })
}

fn read_file(source: &Source<'_>, draft: &mut Draft) {
    if source.file.text.len() > SCHEMA_FILE_BYTES_MAX {
        source.refuse(0..0, format!("the file is longer than {SCHEMA_FILE_BYTES_MAX} bytes"));
        return;
    }
    let (table, errors) = DeTable::parse_recoverable(&source.file.text);
    for error in &errors {
        source.refuse(error.span().unwrap_or(0..0), error.message());
    }
    if !errors.is_empty() {
        return;
    }
    let reader = Reader::new(source, table.get_ref(), table.span());
    if let Some(schema) = reader.table("schema") {
        read_version(&schema, draft);
        schema.finish("[schema]");
    }
    if let Some(events) = reader.table("events") {
        for (name, span, value) in events.entries() {
            if let Some(event) = reader_of(source, name, value) {
                read_event(event, name, span, draft);
            }
        }
    }
    reader.finish("a schema file");
}

fn read_version(schema: &Reader<'_>, draft: &mut Draft) {
    schema.text("description");
    let Some((version, span)) = schema.integer("version") else { return };
    let Some(version) = u32::try_from(version).ok().filter(|version| *version > 0) else {
        schema.source.refuse(span, format!("`version` must be from 1 to {}", u32::MAX));
        return;
    };
    if draft.version.replace(version).is_some() {
        schema.source.refuse(span, "the schema's version is declared twice: keep one");
    }
}

fn read_event(event: Reader<'_>, name: &str, span: Span, draft: &mut Draft) {
    if !draft.met.insert(name.to_owned()) {
        let reason = format!("event type `{name}` is declared twice");
        event.source.refuse_with(span, reason, "put both parts into one file");
        return;
    }
    match BuiltIn::parse(name) {
        Some(built_in) => read_built_in(event, built_in, draft),
        None => {
            if let Some(own) = read_own(event, name, span) {
                draft.own.insert(name.to_owned(), own);
            }
        }
    }
}

fn read_built_in(event: Reader<'_>, built_in: BuiltIn, draft: &mut Draft) {
    let place = format!("events.{}", built_in.name());
    let rules = &mut draft.rules[built_in.index()];
    event.text("description");
    if let Some(fields) = event.table("fields") {
        read_narrowed(&fields, &mut rules.members, &place);
    }
    let mut shape = Vec::new();
    if built_in.takes_body()
        && let Some(extra) = event.table("extra")
    {
        shape = read_extra(&extra, &rules.members, &format!("{place}.extra"));
        refuse_personal(&extra, built_in, &shape);
    }
    rules.extra.fields = fields_of(&shape);
    let mut dated = rules.extra.fields.clone();
    if built_in == BuiltIn::ProductPut
        && let Some(table) = event.table("attributes")
    {
        let attributes = checked_fields(&table, &format!("{place}.attributes"));
        let group = Kind::Group(attributes.clone());
        draft.attributes = Some(attributes);
        shape.push((field("attributes", group), event.span.clone()));
        refuse_personal(&table, built_in, &shape[shape.len() - 1..]);
        dated = fields_of(&shape);
    }
    if built_in.takes_body() {
        rules.extra.version = read_event_version(&event);
        rules.extra.upcasters = read_upcasters(&event, &dated, rules.extra.version, &place);
    }
    event.finish(&format!("[{place}]"));
}

/// Extra members of a request, none of which may hide a built-in one.
fn read_extra(extra: &Reader<'_>, members: &Fields, place: &str) -> Vec<(Field, Span)> {
    let mut found = read_fields(extra, place, 0);
    found.retain(|(field, span)| {
        let taken =
            members.iter().any(|member| member.name.split('.').next() == Some(field.name.as_str()))
                || field.name == "attributes";
        if taken {
            let reason = format!("`{}` is a built-in member already", field.name);
            extra.source.refuse_with(span.clone(), reason, "tighten it under `fields` instead");
        } else if field.name == Fields::ANY_OTHER {
            let reason = "`*` would let every typing mistake in: declare the members";
            extra.source.refuse(span.clone(), reason);
        }
        !taken && field.name != Fields::ANY_OTHER
    });
    refuse_too_many(extra, found.len(), place);
    found
}

/// What belongs to no shopper can be forgotten for none.
fn refuse_personal(reader: &Reader<'_>, event: BuiltIn, found: &[(Field, Span)]) {
    if event.has_subject() {
        return;
    }
    for (field, span) in found.iter().filter(|(field, _)| field.holds_personal()) {
        let reason = format!("`{}` is personal, and {} names no shopper", field.name, event.name());
        let advice = "keep personal data out of it, or in an event that has a subject";
        reader.source.refuse_with(span.clone(), reason, advice);
    }
}

pub(super) fn read_event_version(event: &Reader<'_>) -> u16 {
    let Some((version, span)) = event.integer("version") else { return 1 };
    let number = u16::try_from(version).ok().filter(|number| *number > 0);
    if number.is_none() {
        event.source.refuse(span, format!("`version` must be from 1 to {}", u16::MAX));
    }
    number.unwrap_or(1)
}

pub(super) fn checked_fields(reader: &Reader<'_>, place: &str) -> Fields {
    let found = read_fields(reader, place, 0);
    refuse_too_many(reader, found.len(), place);
    fields_of(&found)
}

fn refuse_too_many(reader: &Reader<'_>, count: usize, place: &str) {
    if count > SCHEMA_FIELDS_MAX {
        let reason = format!("[{place}] declares more than {SCHEMA_FIELDS_MAX} members");
        reader.source.refuse(reader.span.clone(), reason);
    }
}

fn fields_of(found: &[(Field, Span)]) -> Fields {
    Fields::new(found.iter().map(|(field, _)| field.clone()).collect())
}

fn field(name: &str, kind: Kind) -> Field {
    let presence = Presence::Default(Value::Object(Map::new()));
    Field { name: name.to_owned(), kind, presence, personal: false }
}

/// The built-in types as declared in `built_in.toml`, without a store's wishes.
fn built_in_rules() -> Vec<BuiltInRules> {
    let text = include_str!("built_in.toml").to_owned();
    let file = SchemaFile { name: "built_in.toml".to_owned(), text };
    let source = Source::new(&file);
    let mut rules: Vec<_> = BuiltIn::ALL.iter().map(|event| empty_rules(*event)).collect();
    let table = DeTable::parse(&file.text).expect("the built-in declarations are TOML");
    let reader = Reader::new(&source, table.get_ref(), table.span());
    let events = reader.table("events").expect("built-in events");
    for (name, _, value) in events.entries() {
        let event = BuiltIn::parse(name).expect("a built-in type");
        let declared = reader_of(&source, name, value).expect("a table");
        let fields = declared.table("fields").expect("members");
        let found = super::read::read_dotted_fields(&fields, name);
        rules[event.index()].members = fields_of(&found);
        declared.finish(name);
    }
    reader.finish("built_in.toml");
    let found = source.into_found();
    assert!(found.is_empty(), "the built-in declarations are valid: {found:?}");
    rules
}

fn empty_rules(event: BuiltIn) -> BuiltInRules {
    let name = event.name().to_owned();
    let extra = EventType {
        name,
        version: 1,
        fields: Fields::default(),
        upcasters: Vec::new(),
        by: Vec::new(),
        key: None,
        subject: None,
    };
    BuiltInRules { members: Fields::default(), extra }
}
