//! The personal members of a document of members, sealed one by one.
//!
//! A member is sealed whole, at the top of the document, when it or anything declared inside it is
//! personal: the rest of a group tells too much of the part. Names of declared members stay as they
//! are, so that a history of renames still reads.

use std::borrow::Cow;

use claw_core::schema::{Field, Fields, canonical_json};
use serde_json::{Map, Value};

use super::envelope::{Place, Purpose, seal_json};
use super::error::SealError;
use super::keys::SubjectKey;

/// Whether the document holds a personal member.
pub(super) fn hold_personal(fields: &Fields, members: &Map<String, Value>) -> bool {
    members.keys().any(|name| fields.find(name).is_some_and(Field::holds_personal))
}

/// The path that a sealed member is bound to: with the type it belongs to, where a store declared
/// that.
pub(super) fn path<'a>(owner: &str, name: &'a str) -> Cow<'a, str> {
    if owner.is_empty() { name.into() } else { format!("{owner}.{name}").into() }
}

/// Appends the canonical document with its personal members sealed. `declared` is the type they
/// belong to, empty for built-in events, and what it declares.
pub(super) fn seal(
    key: &SubjectKey,
    purpose: Purpose,
    declared: (&str, &Fields),
    members: &Map<String, Value>,
    out: &mut Vec<u8>,
) -> Result<(), SealError> {
    let (owner, fields) = declared;
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_unstable_by_key(|(name, _)| *name);
    out.push(b'{');
    for (index, (name, value)) in sorted.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(canonical_json(&Value::from(name.as_str())).as_bytes());
        out.push(b':');
        let json = canonical_json(value);
        if fields.find(name).is_some_and(Field::holds_personal) {
            let member = path(owner, name);
            seal_json(key, Place { purpose, member: &member }, json.as_bytes(), out)?;
        } else {
            out.extend_from_slice(json.as_bytes());
        }
    }
    out.push(b'}');
    Ok(())
}
