//! The schema as the shell uses it: look-ups by number and binary search, nothing parsed again.

use std::borrow::Cow;

use claw_common::checksum::Digest;
use serde_json::{Map, Value};

use super::built_in::{BuiltIn, FieldValue};
use super::check::Violation;
use super::compile::compile;
use super::diagnostic::{Diagnostic, SchemaFile};
use super::event_type::{EventType, within_extra_bytes};
use super::field::{Field, Fields, Presence};
use super::suggest::closest;
use super::upcast::UpcastError;
use crate::command::{Command, ExtraType};

/// What one built-in type asks of its events.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct BuiltInRules {
    /// Built-in members by dotted path, with the store's bounds.
    pub(super) members: Fields,
    /// Extra members, their version and their history.
    pub(super) extra: EventType,
}

/// A store's schema, valid as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct CompiledSchema {
    pub(super) version: u32,
    pub(super) hash: Digest,
    /// One per [`BuiltIn`], in the order of [`BuiltIn::ALL`].
    pub(super) built_in: Vec<BuiltInRules>,
    /// What a product's `attributes` may hold; nothing when `None`.
    pub(super) attributes: Option<Fields>,
    /// The store's own, sorted by name.
    pub(super) own: Vec<EventType>,
}

impl CompiledSchema {
    /// Compiles the files of a store, in any order; refuses with everything that is wrong.
    pub fn parse(files: &[SchemaFile]) -> Result<Self, Vec<Diagnostic>> {
        compile(files)
    }

    /// The declared version of the whole schema, recorded in every event.
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// Equal for schemas that mean the same, whatever their comments, order and files.
    pub const fn hash(&self) -> Digest {
        self.hash
    }

    /// The version that extras of `event` are written with.
    pub fn event_version(&self, event: BuiltIn) -> u16 {
        self.rules(event).extra.version
    }

    /// As what a command's extra members, and a product's attributes, are written today.
    pub fn extra_type_of(&self, command: &Command<'_>) -> ExtraType {
        BuiltIn::asked_by(command).map_or_else(ExtraType::default, |event| ExtraType {
            code: event.code(),
            version: self.event_version(event),
        })
    }

    /// A product's attributes (canonical JSON) that were written as `version`, as today's
    /// declaration reads them. Version 0, nobody's, is handed back as it is.
    pub fn attributes_today<'a>(
        &self,
        version: u16,
        attributes: &'a str,
    ) -> Result<Cow<'a, str>, UpcastError> {
        let extra = &self.rules(BuiltIn::ProductPut).extra;
        if version == 0 || version == extra.version {
            return Ok(Cow::Borrowed(attributes));
        }
        let written = if attributes.is_empty() { "{}" } else { attributes };
        let written = serde_json::from_str(written);
        let written = written.map_err(|_bad| UpcastError::Mismatch("attributes".to_owned()))?;
        let around = Map::from_iter([("attributes".to_owned(), written)]);
        let mut members = extra.upcast(version, around)?;
        let today = members.remove("attributes").unwrap_or_else(|| Value::Object(Map::new()));
        let empty = today.as_object().is_some_and(Map::is_empty);
        Ok(if empty { Cow::Borrowed("") } else { Cow::Owned(today.to_string()) })
    }

    /// Checks a built-in member against its bounds. `member` is its dotted path
    /// (`items.quantity`), `value` what the request holds, [`FieldValue::Absent`] included.
    ///
    /// # Panics
    /// If the built-in type has no such member: that is our own mistake.
    pub fn validate_built_in(
        &self,
        event: BuiltIn,
        member: &str,
        value: FieldValue<'_>,
    ) -> Result<(), Violation> {
        let field = self.built_in_field(event, member);
        check_built_in(field, value).map_err(|violation| violation.under(member))
    }

    /// The same for a member of a list's entry, so that the path names the entry:
    /// `items.quantity` of entry 2 becomes `items[2].quantity`.
    pub fn validate_built_in_at(
        &self,
        event: BuiltIn,
        member: &str,
        index: usize,
        value: FieldValue<'_>,
    ) -> Result<(), Violation> {
        let field = self.built_in_field(event, member);
        check_built_in(field, value).map_err(|found| {
            let (list, name) = member.split_once('.').expect("a member of a list's entry");
            found.under(name).at(index).under(list)
        })
    }

    /// The extra member `name` of a built-in type; `None` means that a request must not have it.
    pub fn extra_field(&self, event: BuiltIn, name: &str) -> Option<&Field> {
        self.rules(event).extra.fields.find(name)
    }

    /// Checks all extra members of a request at once (unknown, wrong and missing ones) and returns
    /// the canonical JSON to store with the event; empty when there is none.
    pub fn extras(
        &self,
        event: BuiltIn,
        members: &Map<String, Value>,
    ) -> Result<Vec<u8>, Violation> {
        let extra = &self.rules(event).extra;
        let unknown = members.keys().find(|name| extra.fields.find(name).is_none());
        if let Some(name) = unknown {
            return Err(Violation::unknown(name, self.suggest(event, name)));
        }
        extra.canonical(members)
    }

    /// Checks a product's `attributes` (`None`: the request has none) and returns the canonical
    /// JSON to store; empty when there is none.
    pub fn attributes(&self, value: Option<&Value>) -> Result<Vec<u8>, Violation> {
        let none = Map::new();
        let members = match (value, &self.attributes) {
            (None, _) => &none,
            (Some(_), None) => return Err(Violation::unknown("attributes", None)),
            (Some(Value::Object(members)), Some(_)) => members,
            (Some(_), Some(_)) => {
                return Err(Violation::here("must be an object").under("attributes"));
            }
        };
        let Some(fields) = &self.attributes else { return Ok(Vec::new()) };
        let mut out = Vec::new();
        fields.write(members, &mut out).map_err(|violation| violation.under("attributes"))?;
        within_extra_bytes(out).map_err(|violation| violation.under("attributes"))
    }

    /// Declared names of a product's attributes; `None` when products have none.
    pub const fn attribute_fields(&self) -> Option<&Fields> {
        self.attributes.as_ref()
    }

    /// Extra members of a built-in type with their history. For `product-put` the upcasters speak
    /// of attributes by path, as members of an object `attributes` beside the extras.
    pub fn extra_type(&self, event: BuiltIn) -> &EventType {
        &self.rules(event).extra
    }

    /// The declared name nearest to `name`, among built-in and extra members.
    pub fn suggest(&self, event: BuiltIn, name: &str) -> Option<&str> {
        let rules = self.rules(event);
        let names = rules.members.iter().chain(&rules.extra.fields);
        let attributes = (event == BuiltIn::ProductPut).then_some("attributes");
        closest(name, names.map(|field| field.name.as_str()).chain(attributes))
    }

    /// The store's own event type `name`.
    pub fn own_event(&self, name: &str) -> Option<&EventType> {
        let found = self.own.binary_search_by(|event| event.name.as_str().cmp(name));
        found.ok().map(|index| &self.own[index])
    }

    /// The store's own event types, in the order of their names.
    pub fn own_events(&self) -> &[EventType] {
        &self.own
    }

    /// The built-in members of `event` by dotted path, with the store's bounds.
    pub fn built_in_members(&self, event: BuiltIn) -> &Fields {
        &self.rules(event).members
    }

    fn built_in_field(&self, event: BuiltIn, member: &str) -> &Field {
        let found = self.rules(event).members.declared(member);
        found.unwrap_or_else(|| panic!("{} has no built-in member {member}", event.name()))
    }

    fn rules(&self, event: BuiltIn) -> &BuiltInRules {
        &self.built_in[event.index()]
    }
}

fn check_built_in(field: &Field, value: FieldValue<'_>) -> Result<(), Violation> {
    match value {
        FieldValue::Absent if field.presence == Presence::Required => {
            Err(Violation::here("is required"))
        }
        FieldValue::Absent => Ok(()),
        FieldValue::Count(count) => field.kind.check_count(count),
        FieldValue::Integer(integer) => field.kind.check_integer(integer),
        FieldValue::Json(value) => field.kind.check_json(value),
        FieldValue::Money(money) => field.kind.check_money(money),
        FieldValue::Text(text) => field.kind.check_text(text),
    }
}
