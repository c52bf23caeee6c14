//! One event type: the members a store declared for it and how older versions are read.
//!
//! For a built-in type this is about its extra members alone; the built-in members are the core's.

use std::borrow::Cow;

use claw_common::limits::EXTRA_BYTES_MAX;
use serde_json::{Map, Value};

use super::check::Violation;
use super::field::{Fields, Kind};
use super::upcast::{UpcastError, Upcaster};

/// A declared event type.
#[derive(Clone, Debug, PartialEq)]
pub struct EventType {
    /// Its name: lower-case words joined by hyphens.
    pub name: String,
    /// The version written today, from 1.
    pub version: u16,
    /// Its members; for a built-in type, the extra ones.
    pub fields: Fields,
    /// One for every older version, in their order.
    pub upcasters: Vec<Upcaster>,
    /// Roles of the keys that may send it, sorted; the operator always may. Empty for built-in
    /// types, whose requests have roles of their own.
    pub by: Vec<String>,
    /// The required member whose value says in which shard an event lies; any shard when `None`.
    pub key: Option<String>,
    /// The required member that says whom personal members of an own event are about. Built-in
    /// types have theirs from the request.
    pub subject: Option<String>,
}

impl EventType {
    /// Roles that a schema may name in `by`.
    pub const ROLES: [&'static str; 3] = ["operator", "source", "storefront"];
    /// Who may send an own event whose declaration does not say.
    pub(super) const ROLES_DEFAULT: [&'static str; 1] = ["source"];

    /// Whether a key of this role may send it.
    pub fn sent_by(&self, role: &str) -> bool {
        role == "operator" || self.by.iter().any(|held| held == role)
    }

    /// What the shard of an event is found by: the value of its key member in canonical form.
    /// `None` when the type has no key.
    pub fn key_of<'a>(&self, members: &'a Map<String, Value>) -> Option<Cow<'a, str>> {
        let name = self.key.as_ref()?;
        let text = members.get(name)?.as_str()?;
        let kind = &self.fields.declared(name)?.kind;
        Some(if *kind == Kind::Uuid { text.to_ascii_lowercase().into() } else { text.into() })
    }

    /// Checks `members` and returns the canonical JSON to store; empty when there are none.
    pub fn canonical(&self, members: &Map<String, Value>) -> Result<Vec<u8>, Violation> {
        if self.fields.is_empty() && members.is_empty() {
            return Ok(Vec::new());
        }
        let mut out = Vec::new();
        self.fields.write(members, &mut out)?;
        within_extra_bytes(out)
    }

    /// Brings members that were written as `version` to the version of today. The result is not
    /// checked again: bounds that were tightened since do not unmake what happened.
    pub fn upcast(
        &self,
        version: u16,
        mut members: Map<String, Value>,
    ) -> Result<Map<String, Value>, UpcastError> {
        let mut at = version;
        while at != self.version {
            let found = self.upcasters.binary_search_by_key(&at, |upcaster| upcaster.from);
            let index = found.ok().ok_or(UpcastError::NoPath { from: at, to: self.version })?;
            let upcaster = &self.upcasters[index];
            upcaster.apply(&mut members)?;
            assert!(upcaster.to > at, "chains only rise, or the schema had been refused");
            at = upcaster.to;
        }
        Ok(members)
    }
}

/// Refuses what is too long; an object without members is stored as nothing.
pub(super) fn within_extra_bytes(mut canonical: Vec<u8>) -> Result<Vec<u8>, Violation> {
    if canonical.len() > EXTRA_BYTES_MAX {
        let reason = format!("may take {EXTRA_BYTES_MAX} bytes together");
        return Err(Violation::here(reason));
    }
    if canonical == b"{}" {
        canonical.clear();
    }
    Ok(canonical)
}
