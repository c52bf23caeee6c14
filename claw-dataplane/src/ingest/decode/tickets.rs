//! What a ticket is asked for: one member, and nothing that a shard would have to decide.

use claw_common::id::Session;
use claw_core::command::CommandKey;
use claw_core::schema::{BuiltIn, FieldValue, closest};

use super::body::{
    Extras, check_content_type, check_session, problem_of, put, read_object, required, unknown,
};
use super::json::Fault;
use super::shopping::own_session;
use super::{Input, Scratch, headers};
use crate::ingest::problem::Problem;

/// A ticket to be made.
#[derive(Clone, Copy, Debug)]
pub struct TicketWish {
    /// Of the request: a repeat gets the same ticket.
    pub identity: CommandKey,
    /// Whose notices it is to open.
    pub session: Session,
}

/// Decodes `POST /v1/tickets`. A ticket knows no log, so it is as new as any position asked for.
pub fn decode_ticket(input: &Input<'_>, scratch: &mut Scratch) -> Result<TicketWish, Problem> {
    let Input { request, matched, caller, schema, settings, .. } = *input;
    let identity = headers::identify(request, &matched, caller)?;
    headers::claw_after(request.fields.claw_after, settings.shards_count, &mut scratch.after)?;
    if request.query.is_some() {
        return Err(Problem::malformed("this path takes no query"));
    }
    check_content_type(request)?;
    let parse = || -> Result<Session, Fault> {
        let mut session = None;
        read_object(request, |scanner, member| match member {
            "session" => put(&mut session, scanner.string()?),
            other => Err(unknown(closest(other, ["session"]).map(str::to_owned))),
        })?;
        let session = required(session, "session")?;
        // A store that narrows what a session is does so for its carts.
        let rules = Extras::new(schema, BuiltIn::CartCreated);
        rules.check("session", FieldValue::Text(&session))?;
        check_session(&session)
    };
    let session = parse().map_err(|fault| problem_of(fault, request.body))?;
    own_session(input, session.as_str())?;
    Ok(TicketWish { identity, session })
}
