//! Events of types that the store declared itself: what its State-Schema has names for.
//!
//! Who may send a type is said by its declaration, so it is checked here and not with the route's
//! roles. An event lies in the shard of its key; one without a key in a shard chosen by the
//! request's identity, so that a repeat finds the first answer.

use claw_common::id::ShardId;
use claw_core::command::{Command, CommandKey};
use claw_core::schema::{BuiltIn, EventType, closest};
use serde_json::Map;

use super::body::{check_content_type, parse_value, problem_of, read_object};
use super::json::Fault;
use super::{Decoded, Input, Target, shard_of};
use crate::ingest::problem::{Problem, ProblemKind};

pub(super) fn record_event<R>(
    input: &Input<'_>,
    identity: &CommandKey,
    then: impl FnOnce(Decoded<'_>) -> R,
) -> Result<R, Problem> {
    check_content_type(input.request)?;
    let declared = declared_type(input)?;
    let parse = || -> Result<_, Fault> {
        let mut members = Map::new();
        read_object(input.request, |scanner, name| {
            let value = parse_value(scanner.raw()?)?;
            match members.insert(name.to_owned(), value) {
                None => Ok(()),
                Some(_) => Err(Fault::violation("comes twice")),
            }
        })?;
        let canonical = declared.canonical(&members)?;
        Ok((members, canonical))
    };
    let (members, canonical) = parse().map_err(|fault| problem_of(fault, input.request.body))?;
    let shard = match declared.key_of(&members) {
        Some(key) => shard_of(&key, input.settings),
        None => shard_of_identity(identity, input.settings.shards_count),
    };
    let command = Command::RecordEvent {
        name: &declared.name,
        version: declared.version,
        members: std::str::from_utf8(&canonical).expect("canonical JSON is text"),
    };
    Ok(then(Decoded { target: Target::Shard(shard), command, extra: &[] }))
}

/// The type that the path names, when the caller may send it.
fn declared_type<'a>(input: &Input<'a>) -> Result<&'a EventType, Problem> {
    let name = input.matched.parameters[0];
    let declared = input.schema.own_event(name).ok_or_else(|| unknown_type(input, name))?;
    if declared.sent_by(input.caller.role.name()) {
        return Ok(declared);
    }
    let mut roles: Vec<_> = declared.by.iter().map(String::as_str).collect();
    if !roles.contains(&"operator") {
        roles.push("operator");
    }
    let roles = roles.join(" or ");
    let (key, role) = (input.caller.name, input.caller.role.name());
    let detail = format!("the key {key} has the role {role}; {name} is sent by {roles}");
    Err(Problem::new(ProblemKind::Forbidden, detail).text("roles", roles))
}

fn unknown_type(input: &Input<'_>, name: &str) -> Problem {
    if BuiltIn::parse(name).is_some() {
        let detail = format!("{name} is built in: its own request causes it");
        return Problem::new(ProblemKind::NotFound, detail);
    }
    let own = input.schema.own_events().iter().map(|event| event.name.as_str());
    let detail = format!("the State-Schema declares no event type {name}");
    match closest(name, own) {
        Some(near) => {
            let detail = format!("{detail}: did you mean {near}?");
            Problem::new(ProblemKind::NotFound, detail).text("suggestion", near)
        }
        None => Problem::new(ProblemKind::NotFound, detail),
    }
}

/// Always the same shard for the same request.
fn shard_of_identity(identity: &CommandKey, shards_count: u16) -> ShardId {
    let [first, second, ..] = identity.key;
    ShardId(u16::from_le_bytes([first, second]) % shards_count)
}
