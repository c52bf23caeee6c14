//! Sealed values of the log, for people: opened with the keys, or named as what they are.
//!
//! Knows nothing of records: a value, the member it stands at, and the kind of its event go in.

use claw_core::shard::event::EventKind;
use serde_json::Value;

use super::envelope::{Envelope, Purpose};
use super::keys::SubjectKeys;
use super::members::path;

/// What became of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revealed<T> {
    /// It was not sealed.
    Plain,
    /// Sealed, and not opened: nobody asked, or there are no keys.
    Sealed,
    /// Its key was destroyed: nobody can open it any more.
    Forgotten,
    /// Opened.
    Open(T),
    /// It is not what was sealed for this place.
    Damaged,
}

/// Opens what keys there are for; see the module.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    keys: Option<SubjectKeys>,
    open: bool,
}

impl Reader {
    /// A reader that says `sealed` or, where there are keys to tell, `forgotten`.
    pub fn closed(keys: Option<SubjectKeys>) -> Self {
        Self { keys, open: false }
    }

    /// A reader that opens.
    pub fn open(keys: SubjectKeys) -> Self {
        Self { keys: Some(keys), open: true }
    }

    /// The keys, where there are any.
    pub fn keys(&self) -> Option<&SubjectKeys> {
        self.keys.as_ref()
    }

    /// What a member's value is.
    pub fn reveal(&self, kind: EventKind, member: &str, value: &Value) -> Revealed<Value> {
        let Some(envelope) = value.as_str().and_then(Envelope::of_text) else {
            return Revealed::Plain;
        };
        if !envelope.purpose().fits(kind) {
            return Revealed::Damaged;
        }
        match self.unseal(&envelope, member) {
            Revealed::Open(json) => {
                serde_json::from_slice(&json).map_or(Revealed::Damaged, Revealed::Open)
            }
            Revealed::Plain => Revealed::Plain,
            Revealed::Sealed => Revealed::Sealed,
            Revealed::Forgotten => Revealed::Forgotten,
            Revealed::Damaged => Revealed::Damaged,
        }
    }

    /// What a record's evidence is. What is [`Revealed::Plain`] or [`Revealed::Open`] is a
    /// signature of 64 bytes and the base it covers.
    pub fn reveal_evidence(&self, evidence: &[u8]) -> Revealed<Vec<u8>> {
        match Envelope::of_bytes(evidence) {
            None => Revealed::Plain,
            Some(envelope) if envelope.purpose() != Purpose::Evidence => Revealed::Damaged,
            Some(envelope) => self.unseal(&envelope, ""),
        }
    }

    /// A document with every sealed member opened, or named as what it is. `owner` is the type of
    /// an event that the store declared, else empty.
    pub fn document(&self, kind: EventKind, owner: &str, document: Value) -> Value {
        let Value::Object(members) = document else { return document };
        let shown = members.into_iter().map(|(name, value)| {
            let shown = self.show(kind, &path(owner, &name), value);
            (name, shown)
        });
        Value::Object(shown.collect())
    }

    /// A member opened, or a word for what it is.
    pub fn show(&self, kind: EventKind, member: &str, value: Value) -> Value {
        match self.reveal(kind, member, &value) {
            Revealed::Plain => value,
            Revealed::Sealed => "sealed".into(),
            Revealed::Forgotten => "forgotten".into(),
            Revealed::Open(opened) => opened,
            Revealed::Damaged => "damaged".into(),
        }
    }

    fn unseal(&self, envelope: &Envelope, member: &str) -> Revealed<Vec<u8>> {
        let Some(keys) = &self.keys else { return Revealed::Sealed };
        if !keys.reaches(envelope.address()) {
            return Revealed::Forgotten;
        }
        if !self.open {
            return Revealed::Sealed;
        }
        match envelope.open(keys, member) {
            Ok(Some(text)) => Revealed::Open(text),
            Ok(None) => Revealed::Forgotten,
            Err(_refused) => Revealed::Damaged,
        }
    }
}
