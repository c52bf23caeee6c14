//! What a store's log holds of one subject: for `claw forget` and `claw export`.
//!
//! Two readings of the whole log, archive included. The first finds the subject's carts, holds and
//! orders by its session; the second finds every record that names one of them, and every sealed
//! value that was sealed with one of their keys. Opens nothing itself.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use claw_common::id::Id;
use claw_core::log::{BlockView, RecordView};
use claw_core::shard::event::{Event, FieldValue};
use serde_json::Value;

use super::log::source::Source;
use crate::subjects::{Envelope, Subject, SubjectKeys};

/// What belongs to a subject.
#[derive(Debug, Default)]
pub(super) struct Belongings {
    pub(super) carts: BTreeSet<Id>,
    pub(super) holds: BTreeSet<Id>,
    pub(super) orders: BTreeSet<Id>,
    /// Leaves of its own and of its things, the present ones and those forgotten.
    leaves: BTreeSet<u64>,
    name: String,
}

/// A record of a subject.
#[derive(Debug)]
pub(super) struct Found<'a> {
    pub(super) block: &'a BlockView<'a>,
    pub(super) record: &'a RecordView<'a>,
    /// Leaves that its sealed values were sealed with.
    pub(super) leaves: Vec<u64>,
}

impl Belongings {
    /// Finds the subject's things by its name.
    pub(super) fn find(source: &Source, name: &str, keys: &SubjectKeys) -> anyhow::Result<Self> {
        let mut found = Self { name: name.to_owned(), ..Self::default() };
        each(source, &mut |_, record| {
            if let Some(event) = decode(record) {
                found.take(&event);
            }
            Ok(())
        })?;
        found.leaves.extend(keys.addresses(&Subject::Person(name)));
        for id in found.ids() {
            found.leaves.extend(keys.addresses(&Subject::Thing(id)));
        }
        Ok(found)
    }

    fn take(&mut self, event: &Event<'_>) {
        match *event {
            Event::CartCreated { cart, session } if session == self.name => {
                self.carts.insert(cart);
            }
            Event::HoldReserving { hold, session, .. }
            | Event::HoldGranted { hold, session, .. }
            | Event::HoldWaiting { hold, session, .. }
                if session == self.name =>
            {
                self.holds.insert(hold);
            }
            Event::OrderCreated(created) if created.session == self.name => {
                self.orders.insert(created.order);
            }
            _ => {}
        }
    }

    fn ids(&self) -> Vec<Id> {
        self.carts.iter().chain(&self.holds).chain(&self.orders).copied().collect()
    }

    /// Calls `then` for each of the subject's records.
    pub(super) fn records(
        &self,
        source: &Source,
        then: &mut dyn FnMut(&Found<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let ids: BTreeSet<Id> = self.ids().into_iter().collect();
        each(source, &mut |block, record| {
            let leaves: Vec<u64> =
                sealed_with(record).into_iter().filter(|leaf| self.leaves.contains(leaf)).collect();
            let named = || decode(record).is_some_and(|event| self.named_by(&event, &ids));
            if !leaves.is_empty() || named() {
                then(&Found { block, record, leaves })?;
            }
            Ok(())
        })
    }

    fn named_by(&self, event: &Event<'_>, ids: &BTreeSet<Id>) -> bool {
        let mut named = false;
        event.fields(&mut |field, value| {
            named |= match value {
                FieldValue::Id(id) => ids.contains(&id),
                FieldValue::Text(text) => field == "session" && text == self.name,
                FieldValue::Json(text) => {
                    let ours = |text: &str| {
                        text == self.name || Id::parse(text).is_some_and(|id| ids.contains(&id))
                    };
                    field == "members"
                        && values(text.as_bytes()).iter().any(|v| v.as_str().is_some_and(ours))
                }
                _ => false,
            };
        });
        named
    }
}

/// Every record, each shard in its order, until `then` fails.
pub(super) fn each(
    source: &Source,
    then: &mut dyn FnMut(&BlockView<'_>, &RecordView<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut chains = source.chains();
    let mut outcome = Ok(());
    let _flow: ControlFlow<()> =
        source.log.replay(&source.tails, &mut chains, &mut |block, record| {
            outcome = then(block, record);
            if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
    outcome
}

/// The event, where this program knows it.
pub(super) fn decode<'a>(record: &RecordView<'a>) -> Option<Event<'a>> {
    let header = record.header;
    Event::decode(header.kind.get(), header.event_version.get(), record.event).ok()
}

/// Leaves that a record's values were sealed with.
fn sealed_with(record: &RecordView<'_>) -> Vec<u64> {
    let mut found: Vec<u64> = Vec::new();
    found.extend(Envelope::of_bytes(record.evidence).map(|envelope| envelope.address()));
    let mut look = |text: &[u8]| {
        let values = values(text);
        let texts = values.iter().filter_map(Value::as_str);
        found.extend(texts.filter_map(Envelope::of_text).map(|envelope| envelope.address()));
    };
    look(record.extra);
    if let Some(event) = decode(record) {
        event.fields(&mut |_, value| {
            if let FieldValue::Json(text) = value {
                look(text.as_bytes());
            }
        });
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// The members of a JSON object, or what else it is.
fn values(json: &[u8]) -> Vec<Value> {
    match serde_json::from_slice(json) {
        Ok(Value::Object(members)) => members.into_iter().map(|(_, value)| value).collect(),
        Ok(value) => vec![value],
        Err(_) => Vec::new(),
    }
}
