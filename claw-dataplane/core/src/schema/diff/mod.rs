//! What changes between two State-Schemas: is the log still read, and are requests still taken?
//!
//! [`compare`] lists the changes of every event type, member by member. A change is
//!
//! - *compatible*: what was written is read as before, and what was taken is taken;
//! - *covered*: older events need an upcaster, and the newer schema has one that is enough;
//! - *lacking an upcaster*: older events need one that the newer schema does not have;
//! - *breaking*: something that was allowed is not any more, and no upcaster can mend that.
//!
//! Covered changes may still ask something of those who send: [`Change::clients`] says what.
//!
//! Deliberately absent: judging whether a change is wanted, looking at events that were really
//! written, and the words `claw schema diff` prints beside these.

mod kinds;
mod members;
#[cfg(test)]
mod tests;
mod track;

use super::built_in::BuiltIn;
use super::compiled::CompiledSchema;
use super::event_type::EventType;
use super::field::{Field, Fields, Kind, Presence};
use members::Comparison;
use track::Tracks;

/// What a change means, from harmless to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing is needed.
    Compatible,
    /// Older events need an upcaster, and there is one that is enough.
    Covered,
    /// Older events need an upcaster, and there is none, or none that is enough.
    UpcasterMissing,
    /// No upcaster can mend it.
    Breaking,
}

impl Verdict {
    /// Its name for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Compatible => "compatible",
            Self::Covered => "covered-by-upcaster",
            Self::UpcasterMissing => "upcaster-missing",
            Self::Breaking => "breaking",
        }
    }

    /// Whether a store may go on with the newer schema.
    pub const fn holds(self) -> bool {
        matches!(self, Self::Compatible | Self::Covered)
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The event type, empty for the schema as a whole.
    pub event: String,
    /// The member's path as the newer schema names it; empty for the event type itself.
    pub member: String,
    /// What it means.
    pub verdict: Verdict,
    /// What changed and why it means that.
    pub reason: String,
    /// What those who send must do differently, where the log alone would not mind.
    pub clients: Option<String>,
}

/// All changes from `old` to `new`, the schema's own first, then by event type and member.
pub fn compare(old: &CompiledSchema, new: &CompiledSchema) -> Vec<Change> {
    let mut changes = Vec::new();
    if old.hash() == new.hash() {
        return changes;
    }
    changes.extend(schema_version(old, new));
    for event in BuiltIn::ALL {
        let mut members = Comparison::new(event.name(), None);
        members.fields(old.built_in_members(event), new.built_in_members(event), "");
        changes.extend(members.changes);
        let (before, after) = (dated(old, event), dated(new, event));
        compare_types(&before, &after, &mut changes);
    }
    compare_own(old, new, &mut changes);
    changes
}

fn schema_version(old: &CompiledSchema, new: &CompiledSchema) -> Option<Change> {
    let (before, after) = (old.version(), new.version());
    let reason = match after.cmp(&before) {
        core::cmp::Ordering::Greater => return None,
        core::cmp::Ordering::Equal => format!(
            "the schema's version is still {after}: raise it with every change, since each event \
             records the version it was written with"
        ),
        core::cmp::Ordering::Less => {
            format!("the schema's version goes from {before} back to {after}: it only rises")
        }
    };
    Some(Change {
        event: String::new(),
        member: String::new(),
        verdict: Verdict::Breaking,
        reason,
        clients: None,
    })
}

/// The store's own members of a built-in type, attributes among them by path, as upcasters see
/// them.
fn dated(schema: &CompiledSchema, event: BuiltIn) -> EventType {
    let mut own = schema.extra_type(event).clone();
    if event == BuiltIn::ProductPut
        && let Some(attributes) = schema.attribute_fields()
    {
        let mut fields: Vec<Field> = own.fields.iter().cloned().collect();
        fields.push(Field {
            name: "attributes".to_owned(),
            kind: Kind::Group(attributes.clone()),
            presence: Presence::Optional,
            personal: false,
        });
        own.fields = Fields::new(fields);
    }
    own
}

fn compare_own(old: &CompiledSchema, new: &CompiledSchema, changes: &mut Vec<Change>) {
    let mut names: Vec<&str> = [old, new]
        .into_iter()
        .flat_map(|schema| schema.own_events().iter().map(|event| event.name.as_str()))
        .collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        match (old.own_event(name), new.own_event(name)) {
            (Some(before), Some(after)) => compare_types(before, after, changes),
            (None, _) => changes.push(whole(name, Verdict::Compatible, "the event type is new")),
            (Some(_), None) => {
                let reason = "the event type is gone: requests that send it are answered 404, and \
                              events of it are shown as they were written";
                changes.push(whole(name, Verdict::Breaking, reason));
            }
        }
    }
}

fn compare_types(old: &EventType, new: &EventType, changes: &mut Vec<Change>) {
    if new.version < old.version {
        let (before, after) = (old.version, new.version);
        let reason = format!(
            "its version goes from {before} back to {after}: events of version {before} could not \
             be read"
        );
        changes.push(whole(&old.name, Verdict::Breaking, &reason));
        return;
    }
    if old.by != new.by {
        changes.push(compare_senders(old, new));
    }
    if old.key != new.key {
        let reason = "its key is another: newer events may lie in another shard than older ones \
                      of the same key, without an order between them, and a request repeated \
                      across the change may be taken twice";
        changes.push(whole(&old.name, Verdict::Breaking, reason));
    }
    if old.subject != new.subject && old.subject.is_some() {
        let reason = "another member says whom it is about: a subject is forgotten in older events \
                      by the one, in newer by the other";
        changes.push(whole(&old.name, Verdict::Breaking, reason));
    }
    let tracks = Tracks::follow(old, new);
    let mut members = Comparison::new(&old.name, Some(&tracks));
    members.fields(&old.fields, &new.fields, "");
    changes.extend(members.changes);
}

fn compare_senders(old: &EventType, new: &EventType) -> Change {
    let gone: Vec<_> = EventType::ROLES
        .into_iter()
        .filter(|role| old.sent_by(role) && !new.sent_by(role))
        .collect();
    if gone.is_empty() {
        return whole(&old.name, Verdict::Compatible, "more roles may send it");
    }
    let reason = format!("keys with the role {} may not send it any more", gone.join(" or "));
    whole(&old.name, Verdict::Breaking, &reason)
}

fn whole(event: &str, verdict: Verdict, reason: &str) -> Change {
    Change {
        event: event.to_owned(),
        member: String::new(),
        verdict,
        reason: reason.to_owned(),
        clients: None,
    }
}
