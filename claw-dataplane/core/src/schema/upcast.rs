//! Upcasters: how members written by an older version of an event type are read today.
//!
//! ```text
//!  version 1 --(add wrap)--> 2 --(rename msg to message)--> 3 = today
//! ```
//! Every older version has exactly one way up, and every way rises, so a chain can have neither a
//! gap nor a fork nor a circle; `compile` proves that when the schema is read, and walks each chain
//! back from today's members, so that a step never names a member its version did not have.
//!
//! Steps work on JSON members and address members of groups by path (`attributes.brand`). They
//! never invent values from outside: time, other events and functions are out of reach here.

use serde_json::{Map, Value};

/// From one version to a later one.
#[derive(Clone, Debug, PartialEq)]
pub struct Upcaster {
    /// The version that was written.
    pub from: u16,
    /// The version it becomes.
    pub to: u16,
    /// What changed, in order.
    pub steps: Vec<Step>,
}

/// One change of shape.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The member is new; older events are read as if they had this value.
    Add {
        /// Its path.
        field: String,
        /// Its value.
        default: Value,
    },
    /// The member is gone.
    Drop {
        /// Its path.
        field: String,
    },
    /// The member has another name, in the same object.
    Rename {
        /// The path it had.
        field: String,
        /// The path it has.
        to: String,
    },
    /// A text is now several members of the same object, in the order of its parts.
    Split {
        /// The path it had.
        field: String,
        /// What stands between two parts.
        by: String,
        /// The paths of the parts. The last takes what is left over; a part that is not there is
        /// an empty text.
        into: Vec<String>,
    },
    /// The member's type holds more than it did.
    Widen {
        /// Its path.
        field: String,
        /// The type it had.
        from: &'static str,
        /// The type it has.
        to: &'static str,
    },
}

/// Why members could not be brought to the version of today.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpcastError {
    /// No upcaster leads on; the event was written by a newer schema or the log is not ours.
    #[error("no upcaster leads from version {from} to {to}: open the store with its own schema")]
    NoPath {
        /// Where the chain ends.
        from: u16,
        /// Where it should lead.
        to: u16,
    },
    /// The stored value is not of the type the step expects.
    #[error("stored member `{0}` is not what its upcaster expects: check its step")]
    Mismatch(String),
}

/// Whether a value of type `from` can be read as type `to`.
pub(super) fn widens(from: &str, to: &str) -> bool {
    from == to
        || matches!(to, "list" | "json")
        || matches!((from, to), ("boolean" | "integer" | "sku" | "time" | "uuid", "text"))
}

impl Upcaster {
    /// Applies the steps in order.
    pub(super) fn apply(&self, members: &mut Map<String, Value>) -> Result<(), UpcastError> {
        self.steps.iter().try_for_each(|step| step.apply(members))
    }
}

impl Step {
    fn apply(&self, members: &mut Map<String, Value>) -> Result<(), UpcastError> {
        match self {
            Self::Add { field, default } => {
                if let Some((object, name)) = enter(members, field, Entry::Make) {
                    object.entry(name).or_insert_with(|| default.clone());
                }
            }
            Self::Drop { field } => {
                if let Some((object, name)) = enter(members, field, Entry::Find) {
                    object.remove(name);
                }
            }
            Self::Rename { field, to } => {
                let name_to = to.rsplit('.').next().unwrap_or(to);
                if let Some((object, name)) = enter(members, field, Entry::Find)
                    && let Some(value) = object.remove(name)
                {
                    object.insert(name_to.to_owned(), value);
                }
            }
            Self::Split { field, by, into } => {
                if let Some((object, name)) = enter(members, field, Entry::Find)
                    && let Some(value) = object.remove(name)
                {
                    let text =
                        value.as_str().ok_or_else(|| UpcastError::Mismatch(field.clone()))?;
                    let mut parts = text.splitn(into.len(), by.as_str());
                    for path in into {
                        let name = path.rsplit('.').next().unwrap_or(path);
                        let part = parts.next().unwrap_or_default();
                        object.insert(name.to_owned(), Value::String(part.to_owned()));
                    }
                }
            }
            Self::Widen { field, from, to } => {
                if let Some((object, name)) = enter(members, field, Entry::Find)
                    && let Some(value) = object.get_mut(name)
                {
                    let widened = widen(value.take(), from, to);
                    *value = widened.ok_or_else(|| UpcastError::Mismatch(field.clone()))?;
                }
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Entry {
    Find,
    Make,
}

/// The object that holds the last name of `path`, and that name.
fn enter<'a, 'p>(
    members: &'a mut Map<String, Value>,
    path: &'p str,
    entry: Entry,
) -> Option<(&'a mut Map<String, Value>, &'p str)> {
    let Some((group, rest)) = path.split_once('.') else { return Some((members, path)) };
    if entry == Entry::Make && !members.contains_key(group) {
        members.insert(group.to_owned(), Value::Object(Map::new()));
    }
    enter(members.get_mut(group)?.as_object_mut()?, rest, entry)
}

fn widen(value: Value, from: &str, to: &str) -> Option<Value> {
    match (to, value) {
        ("list", value) if from != to => Some(Value::Array(vec![value])),
        ("json", value) | ("text", value @ Value::String(_)) => Some(value),
        (_, value) if from == to => Some(value),
        ("text", Value::Bool(flag)) => Some(Value::String(flag.to_string())),
        ("text", Value::Number(number)) => Some(Value::String(number.to_string())),
        _ => None,
    }
}
