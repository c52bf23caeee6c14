//! From a TOML table to typed declarations, keeping the place of everything.
//!
//! [`Reader`] hands out a table's entries by name and, at the end, refuses what nobody asked for:
//! that is how unknown keys are found, with the known ones for a suggestion. `field` declarations
//! are read here; event types and the document as a whole in `compile`.
//!
//! Reading never stops at a mistake. A declaration that cannot be understood is noted and left
//! out, so one pass tells everything that is wrong.

use core::cell::RefCell;
use core::ops::Range;

use claw_common::limits::{
    PRICE_MAX, SCHEMA_COUNT_MAX, SCHEMA_DEPTH_MAX, SCHEMA_NAME_BYTES_MAX, SCHEMA_TEXT_BYTES_MAX,
};
use claw_common::money::Currency;
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::Source;
use super::field::{Allowed, Field, Fields, Kind, Presence};
use super::pattern::Pattern;
use super::suggest::closest;

type Span = Range<usize>;

/// Length of texts whose declaration names none.
const TEXT_LENGTH_DEFAULT: usize = 256;
/// Entries of lists and members of maps whose declaration names no count.
const COUNT_DEFAULT: usize = 32;

/// One table being read.
pub(super) struct Reader<'r> {
    pub(super) source: &'r Source<'r>,
    table: &'r DeTable<'r>,
    /// Where the table is, for what is missing from it.
    pub(super) span: Span,
    asked: RefCell<Vec<&'static str>>,
}

impl<'r> Reader<'r> {
    pub(super) const fn new(source: &'r Source<'r>, table: &'r DeTable<'r>, span: Span) -> Self {
        Self { source, table, span, asked: RefCell::new(Vec::new()) }
    }

    /// The entry `key`, marked as known.
    pub(super) fn entry(&self, key: &'static str) -> Option<&'r Spanned<DeValue<'r>>> {
        self.asked.borrow_mut().push(key);
        self.table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
    }

    /// All entries with their names, when names are data.
    pub(super) fn entries(
        &self,
    ) -> impl Iterator<Item = (&'r str, Span, &'r Spanned<DeValue<'r>>)> + use<'r> {
        self.table.iter().map(|(name, value)| (name.get_ref().as_ref(), name.span(), value))
    }

    /// A table of its own under `key`.
    pub(super) fn table(&self, key: &'static str) -> Option<Self> {
        self.entry(key).and_then(|value| reader_of(self.source, key, value))
    }

    pub(super) fn text(&self, key: &'static str) -> Option<(&'r str, Span)> {
        let value = self.entry(key)?;
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.source.refuse(value.span(), format!("`{key}` must be a string"));
        }
        text.map(|text| (text, value.span()))
    }

    pub(super) fn boolean(&self, key: &'static str) -> Option<(bool, Span)> {
        let value = self.entry(key)?;
        let boolean = value.get_ref().as_bool();
        if boolean.is_none() {
            self.source.refuse(value.span(), format!("`{key}` must be true or false"));
        }
        boolean.map(|boolean| (boolean, value.span()))
    }

    pub(super) fn integer(&self, key: &'static str) -> Option<(i64, Span)> {
        let value = self.entry(key)?;
        let integer = integer_of(value.get_ref());
        if integer.is_none() {
            self.source.refuse(value.span(), format!("`{key}` must be an integer"));
        }
        integer.map(|integer| (integer, value.span()))
    }

    /// A count or size from 0 to `max`, or `default`.
    fn size(&self, key: &'static str, default: usize, max: usize) -> usize {
        let Some((integer, span)) = self.integer(key) else { return default };
        let size = usize::try_from(integer).ok().filter(|size| *size <= max);
        if size.is_none() {
            self.source.refuse(span, format!("`{key}` must be from 0 to {max}"));
        }
        size.unwrap_or(default)
    }

    /// An array of strings, sorted and without repeats.
    pub(super) fn texts(&self, key: &'static str) -> Option<(Vec<String>, Span)> {
        let value = self.entry(key)?;
        let entries = value.get_ref().as_array();
        let texts = entries.and_then(|entries| {
            let texts = entries.iter().map(|entry| entry.get_ref().as_str().map(str::to_owned));
            texts.collect::<Option<Vec<_>>>()
        });
        let Some(mut texts) = texts.filter(|texts| (1..=SCHEMA_COUNT_MAX).contains(&texts.len()))
        else {
            let reason = format!("`{key}` must be an array of 1 to {SCHEMA_COUNT_MAX} strings");
            self.source.refuse(value.span(), reason);
            return None;
        };
        texts.sort();
        texts.dedup();
        Some((texts, value.span()))
    }

    /// Refuses every entry that was not asked for; `place` says of what.
    pub(super) fn finish(self, place: &str) {
        let asked = self.asked.into_inner();
        for (key, _) in self.table {
            let (name, span) = (key.get_ref().as_ref(), key.span());
            if asked.contains(&name) {
                continue;
            }
            let reason = format!("unknown key `{name}` in {place}");
            let advice = closest(name, asked.iter().copied()).map_or_else(
                || format!("known here: {}", asked.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            self.source.refuse_with(span, reason, advice);
        }
    }
}

/// A reader of `value`, which must be a table.
pub(super) fn reader_of<'r>(
    source: &'r Source<'r>,
    key: &str,
    value: &'r Spanned<DeValue<'r>>,
) -> Option<Reader<'r>> {
    let table = value.get_ref().as_table();
    if table.is_none() {
        source.refuse(value.span(), format!("`{key}` must be a table"));
    }
    table.map(|table| Reader::new(source, table, value.span()))
}

/// Reads a table of field declarations.
pub(super) fn read_fields(reader: &Reader<'_>, place: &str, depth: usize) -> Vec<(Field, Span)> {
    let well = |name: &str| named_well(name) || name == Fields::ANY_OTHER;
    read_fields_named(reader, place, depth, well)
}

/// The same for built-in members, whose names may be paths into a list's entries.
pub(super) fn read_dotted_fields(reader: &Reader<'_>, place: &str) -> Vec<(Field, Span)> {
    read_fields_named(reader, place, 0, |name| name.split('.').all(named_well))
}

fn read_fields_named(
    reader: &Reader<'_>,
    place: &str,
    depth: usize,
    well: fn(&str) -> bool,
) -> Vec<(Field, Span)> {
    let mut fields = Vec::new();
    for (name, span, value) in reader.entries() {
        if !well(name) {
            let reason = format!("`{name}` is not a name for a member");
            let advice = "use letters, digits, `_` and `-`, a letter first";
            reader.source.refuse_with(span, reason, advice);
        } else if let Some(declared) = reader_of(reader.source, name, value) {
            let place = format!("{place}.{name}");
            if let Some(field) = read_field(declared, name, &place, depth) {
                fields.push((field, span));
            }
        }
    }
    fields
}

fn named_well(name: &str) -> bool {
    name.len() <= SCHEMA_NAME_BYTES_MAX
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

fn read_field(reader: Reader<'_>, name: &str, place: &str, depth: usize) -> Option<Field> {
    let kind = read_kind(&reader, place, depth)?;
    let personal = reader.boolean("personal").is_some_and(|(personal, _)| personal);
    reader.text("description");
    let required = reader.boolean("required");
    let presence = match (reader.entry("default"), required) {
        (None, Some((true, _))) => Presence::Required,
        (None, _) => Presence::Optional,
        (Some(_), Some((true, span))) => {
            reader.source.refuse(span, "a member with a `default` is never missing: drop one");
            Presence::Required
        }
        (Some(default), _) => read_default(&reader, &kind, default),
    };
    reader.finish(&format!("[{place}] ({})", kind.name()));
    Some(Field { name: name.to_owned(), kind, presence, personal })
}

fn read_default(reader: &Reader<'_>, kind: &Kind, default: &Spanned<DeValue<'_>>) -> Presence {
    let Some(value) = json_of(default.get_ref()) else {
        reader.source.refuse(default.span(), "a default has no fractions and no bare dates");
        return Presence::Optional;
    };
    match kind.write(&value, &mut Vec::new()) {
        Ok(()) => Presence::Default(value),
        Err(violation) => {
            let under = if violation.path.is_empty() { "" } else { " at " };
            let reason = format!("`default`{under}{} {}", violation.path, violation.reason);
            reader.source.refuse(default.span(), reason);
            Presence::Optional
        }
    }
}

/// Reads `type` and the bounds that belong to it.
fn read_kind(reader: &Reader<'_>, place: &str, depth: usize) -> Option<Kind> {
    let Some((name, span)) = reader.text("type") else {
        if reader.entry("type").is_none() {
            let advice = format!("add `type`: one of {}", Kind::NAMES.join(", "));
            reader.source.refuse_with(
                reader.span.clone(),
                format!("[{place}] has no type"),
                advice,
            );
        }
        return None;
    };
    if matches!(name, "group" | "list" | "map") && depth >= SCHEMA_DEPTH_MAX {
        let reason = format!("[{place}] is nested deeper than {SCHEMA_DEPTH_MAX} levels");
        reader.source.refuse(span, reason);
        return None;
    }
    read_named_kind(reader, (name, span), place, depth)
}

fn read_named_kind(
    reader: &Reader<'_>,
    (name, span): (&str, Span),
    place: &str,
    depth: usize,
) -> Option<Kind> {
    Some(match name {
        "boolean" => Kind::Boolean,
        "group" => {
            let fields = reader.table("fields");
            if fields.is_none() {
                reader.source.refuse(span, format!("[{place}] is a group without `fields`"));
            }
            let found = read_fields(&fields?, place, depth + 1);
            Kind::Group(Fields::new(found.into_iter().map(|(field, _)| field).collect()))
        }
        "integer" => read_integer(reader, i64::MIN),
        "json" => {
            let size_bytes_max =
                reader.size("size_bytes_max", TEXT_LENGTH_DEFAULT, SCHEMA_TEXT_BYTES_MAX);
            Kind::Json { size_bytes_max }
        }
        "list" => {
            let of = Box::new(read_of(reader, place, depth)?);
            let count_min = reader.size("count_min", 0, SCHEMA_COUNT_MAX);
            let count_max = reader.size("count_max", COUNT_DEFAULT, SCHEMA_COUNT_MAX);
            refuse_crossed(reader, "count_min", count_min > count_max);
            Kind::List { of, count_min, count_max }
        }
        "map" => {
            let of = Box::new(read_of(reader, place, depth)?);
            let count_max = reader.size("count_max", COUNT_DEFAULT, SCHEMA_COUNT_MAX);
            let key_length_max =
                reader.size("key_length_max", SCHEMA_NAME_BYTES_MAX, TEXT_LENGTH_DEFAULT);
            Kind::Map { of, count_max, key_length_max }
        }
        "money" => read_money(reader),
        "sku" => Kind::Sku,
        "text" => read_text(reader),
        "time" => Kind::Time,
        "uuid" => Kind::Uuid,
        _ => {
            let advice = closest(name, Kind::NAMES).map_or_else(
                || format!("types are {}", Kind::NAMES.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            reader.source.refuse_with(span, format!("unknown type `{name}`"), advice);
            return None;
        }
    })
}

fn read_integer(reader: &Reader<'_>, least: i64) -> Kind {
    let min = reader.integer("min").map_or(least, |(min, _)| min);
    let max = reader.integer("max").map_or(i64::MAX, |(max, _)| max);
    refuse_crossed(reader, "min", min > max);
    Kind::Integer { min, max }
}

fn read_money(reader: &Reader<'_>) -> Kind {
    let min = reader.integer("min").map_or(0, |(min, _)| min);
    let max = reader.integer("max").map_or(PRICE_MAX, |(max, _)| max);
    refuse_crossed(reader, "min", min > max);
    let mut currencies = Vec::new();
    if let Some((names, span)) = reader.texts("currencies") {
        for name in names {
            match Currency::parse(&name) {
                Some(currency) => currencies.push(currency),
                None => reader.source.refuse_with(
                    span.clone(),
                    format!("`{name}` is not a currency"),
                    "write three capital letters, as in ISO 4217",
                ),
            }
        }
    }
    Kind::Money { min, max, currencies }
}

fn read_text(reader: &Reader<'_>) -> Kind {
    let length_min = reader.size("length_min", 0, SCHEMA_TEXT_BYTES_MAX);
    let length_max = reader.size("length_max", TEXT_LENGTH_DEFAULT, SCHEMA_TEXT_BYTES_MAX);
    refuse_crossed(reader, "length_min", length_min > length_max);
    let allowed = match (reader.texts("enum"), reader.text("pattern")) {
        (None, None) => Allowed::Any,
        (Some((texts, span)), None) => {
            let long = texts.iter().find(|text| !(length_min..=length_max).contains(&text.len()));
            if let Some(text) = long {
                let reason = format!("`{text}` is not within the lengths of its own member");
                reader.source.refuse(span, reason);
            }
            Allowed::OneOf(texts)
        }
        (None, Some((pattern, span))) => match Pattern::parse(pattern) {
            Ok(pattern) => Allowed::Matching(pattern),
            Err(error) => {
                reader.source.refuse(span, format!("`pattern`: {error}"));
                Allowed::Any
            }
        },
        (Some(_), Some((_, span))) => {
            reader.source.refuse(span, "a text has an `enum` or a `pattern`, not both");
            Allowed::Any
        }
    };
    Kind::Text { length_min, length_max, allowed }
}

fn refuse_crossed(reader: &Reader<'_>, key: &'static str, crossed: bool) {
    if crossed {
        let span = reader.entry(key).map_or_else(|| reader.span.clone(), Spanned::span);
        reader.source.refuse(span, format!("`{key}` is above its maximum: nothing would fit"));
    }
}

/// Reads `of`: the name of a type with its usual bounds, or a declaration.
fn read_of(reader: &Reader<'_>, place: &str, depth: usize) -> Option<Kind> {
    let Some(value) = reader.entry("of") else {
        let advice = "add `of`: what each entry holds, such as \"text\" or { type = \"text\" }";
        let reason = format!("[{place}] does not say what it holds");
        reader.source.refuse_with(reader.span.clone(), reason, advice);
        return None;
    };
    let place = format!("{place}.of");
    if let Some(name) = value.get_ref().as_str() {
        let empty = DeTable::new();
        let bare = Reader::new(reader.source, &empty, value.span());
        return read_named_kind(&bare, (name, value.span()), &place, depth + 1);
    }
    let declared = reader_of(reader.source, "of", value)?;
    let kind = read_kind(&declared, &place, depth + 1);
    if let Some(kind) = &kind {
        declared.finish(&format!("[{place}] ({})", kind.name()));
    }
    kind
}

pub(super) fn integer_of(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// A TOML value as JSON; `None` for what a schema cannot hold.
pub(super) fn json_of(value: &DeValue<'_>) -> Option<Value> {
    Some(match value {
        DeValue::String(text) => Value::String(text.as_ref().to_owned()),
        DeValue::Integer(_) => Value::from(integer_of(value)?),
        DeValue::Boolean(boolean) => Value::Bool(*boolean),
        DeValue::Array(entries) => {
            entries.iter().map(|entry| json_of(entry.get_ref())).collect::<Option<Vec<_>>>()?.into()
        }
        DeValue::Table(table) => {
            let members = table.iter().map(|(name, value)| {
                json_of(value.get_ref()).map(|value| (name.get_ref().as_ref().to_owned(), value))
            });
            Value::Object(members.collect::<Option<_>>()?)
        }
        DeValue::Float(_) | DeValue::Datetime(_) => return None,
    })
}
