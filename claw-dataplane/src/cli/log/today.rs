//! What the store declared (events of its own, extra members and attributes of built-in ones) as
//! its State-Schema of today reads it.
//!
//! The log keeps what was written, with the version it was written with; upcasters run here, when
//! it is read. What today's schema cannot read (a type it no longer declares, a version it has no
//! way up from) is shown as it was written, and why.

use std::path::Path;
use std::sync::Arc;

use claw_core::command::ExtraType;
use claw_core::schema::{BuiltIn, CompiledSchema};
use serde_json::{Map, Value};

use crate::cli::output;
use crate::config::load_schema;

/// The schema of today, where there is one and it is wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct Today(Option<Arc<CompiledSchema>>);

/// How an event was read.
#[derive(Debug)]
pub(super) enum Reading {
    /// As the version of today.
    Today {
        /// That version.
        version: u16,
        /// The members in today's shape.
        members: Map<String, Value>,
    },
    /// As it was written, because nothing else was asked for.
    Written,
    /// As it was written, because of this.
    Unreadable(String),
}

impl Today {
    /// The schema of a store. One that does not compile is said, and events shown as written.
    pub(super) fn load(store: &Path) -> Self {
        if !store.join("schema").is_dir() {
            return Self::default();
        }
        let schema = load_schema(store).ok();
        if schema.is_none() {
            output::talk("events are shown as written: see `claw schema check`");
        }
        Self(schema.map(Arc::new))
    }

    /// Reads the members of an event of type `name` that were written as `version`.
    pub(super) fn read(&self, name: &str, version: u16, members: &Value) -> Reading {
        let Some(schema) = &self.0 else { return Reading::Written };
        let Some(declared) = schema.own_event(name) else {
            return Reading::Unreadable("the State-Schema no longer declares it".to_owned());
        };
        let members = members.as_object().cloned().unwrap_or_default();
        match declared.upcast(version, members) {
            Ok(members) => Reading::Today { version: declared.version, members },
            Err(error) => Reading::Unreadable(error.to_string()),
        }
    }

    /// Reads what a built-in event has of the store's own: its extra members, and for a product its
    /// `attributes` among them. `written` says as what they were written.
    pub(super) fn read_extra(&self, written: ExtraType, members: Map<String, Value>) -> Reading {
        let Some(schema) = &self.0 else { return Reading::Written };
        // Code 0: a record of a node that did not say yet.
        let Some(event) = BuiltIn::from_code(written.code) else { return Reading::Written };
        match schema.extra_type(event).upcast(written.version, members) {
            Ok(members) => Reading::Today { version: schema.event_version(event), members },
            Err(error) => Reading::Unreadable(error.to_string()),
        }
    }

    /// Says which types there are, when `name` is none of them.
    pub(super) fn talk_of_unknown(&self, name: &str) {
        let Some(schema) = &self.0 else { return };
        if schema.own_event(name).is_some() {
            return;
        }
        let own: Vec<_> = schema.own_events().iter().map(|event| event.name.as_str()).collect();
        let own = if own.is_empty() { "none".to_owned() } else { own.join(", ") };
        output::talk(&format!("the State-Schema declares no event type {name}; it declares {own}"));
    }
}
