//! Answers, borrowed from the receive buffer.
//!
//! Owns the layout of an answer, of a problem and of its members. Outcomes are in
//! [`super::outcome`]. Nothing is copied; a text that is not UTF-8, a length that does not fit or a
//! code nobody knows is a broken protocol, since the tag of the frame held.

use claw_common::id::{Position, ShardId};
use claw_common::wire::{
    ANSWER_OUTCOME, ANSWER_PROBLEM, AnswerHeader, MEMBER_NUMBER, MEMBER_TEXT, MemberHeader,
    ProblemHeader,
};
use zerocopy::FromBytes;

use super::error::WireError;
use super::outcome::Outcome;

/// The answer to one command.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer<'a> {
    /// Number of the command.
    pub sequence: u64,
    /// Status of the same answer over HTTP.
    pub status: u16,
    /// Its place in a shard's log; `None` where no shard decided.
    pub position: Option<Position>,
    /// What it says.
    pub body: Body<'a>,
    /// The bytes of the body: equal for the same answer given again.
    pub bytes: &'a [u8],
}

/// What an answer says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Body<'a> {
    /// It was done, or read.
    Outcome(Outcome<'a>),
    /// It was refused.
    Problem(Problem<'a>),
}

/// Why a command was refused, or a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Problem<'a> {
    /// The last part of its `type` over HTTP.
    pub name: &'a str,
    /// What happened and what to do.
    pub detail: &'a str,
    /// Seconds after which a retry is worth it; `None` where none is.
    pub retry_after_s: Option<u16>,
    /// Further members as they came; [`Problem::members`] reads them.
    pub encoded_members: &'a [u8],
}

/// A member's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A number.
    Number(u64),
    /// A text.
    Text(&'a str),
}

const fn broken(reason: &'static str) -> WireError {
    WireError::Protocol { reason }
}

/// The fixed part of a layout and what follows it.
pub(super) fn split<T: FromBytes>(bytes: &[u8]) -> Result<(T, &[u8]), WireError> {
    T::read_from_prefix(bytes).ok().ok_or_else(|| broken("it ends inside a field"))
}

/// The next `count` bytes and what follows them.
pub(super) fn take(bytes: &[u8], count: usize) -> Result<(&[u8], &[u8]), WireError> {
    bytes.split_at_checked(count).ok_or_else(|| broken("it ends inside a text"))
}

/// Bytes as text.
pub(super) fn text(bytes: &[u8]) -> Result<&str, WireError> {
    core::str::from_utf8(bytes).ok().ok_or_else(|| broken("a text is not UTF-8"))
}

/// A length on the wire as a length here.
pub(super) fn length(bytes: u32) -> usize {
    usize::try_from(bytes).expect("usize has 32 bits or more")
}

impl<'a> Answer<'a> {
    /// An answer that fills `bytes`.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, WireError> {
        let (header, body) = split::<AnswerHeader>(bytes)?;
        if length(header.length_bytes.get()) != bytes.len() {
            return Err(broken("an answer of another length than it says"));
        }
        let position = header.position.get();
        Ok(Self {
            sequence: header.sequence.get(),
            status: header.status.get(),
            position: (position > 0)
                .then(|| Position { shard: ShardId(header.shard.get()), sequence: position }),
            body: match header.kind {
                ANSWER_OUTCOME => Body::Outcome(Outcome::parse(body)?),
                ANSWER_PROBLEM => Body::Problem(Problem::parse(body)?),
                _ => return Err(broken("an answer of an unknown kind")),
            },
            bytes: body,
        })
    }

    /// The outcome, when it was done.
    pub const fn outcome(&self) -> Option<&Outcome<'a>> {
        match &self.body {
            Body::Outcome(outcome) => Some(outcome),
            Body::Problem(_) => None,
        }
    }

    /// The problem, when it was refused.
    pub const fn problem(&self) -> Option<&Problem<'a>> {
        match &self.body {
            Body::Outcome(_) => None,
            Body::Problem(problem) => Some(problem),
        }
    }
}

impl<'a> Problem<'a> {
    /// A problem that fills `bytes`.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, WireError> {
        let (header, rest) = split::<ProblemHeader>(bytes)?;
        let (name, rest) = take(rest, usize::from(header.name_bytes))?;
        let (detail, members) = take(rest, usize::from(header.detail_bytes.get()))?;
        let problem = Self {
            name: text(name)?,
            detail: text(detail)?,
            retry_after_s: Some(header.retry_after_s.get()).filter(|&seconds| seconds > 0),
            encoded_members: members,
        };
        let mut rest = members;
        for _ in 0..header.members_count {
            rest = split_member(rest)?.1;
        }
        if rest.is_empty() { Ok(problem) } else { Err(broken("bytes after a problem's members")) }
    }

    /// The members that go with it, such as `sku` and `available`.
    pub fn members(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> {
        let mut rest = self.encoded_members;
        std::iter::from_fn(move || {
            // They were walked through when the problem was parsed.
            let (member, after) = split_member(rest).ok()?;
            rest = after;
            Some(member)
        })
    }

    /// A member by its name.
    pub fn member(&self, name: &str) -> Option<Value<'a>> {
        self.members().find(|member| member.0 == name).map(|member| member.1)
    }
}

type Member<'a> = (&'a str, Value<'a>);

fn split_member(bytes: &[u8]) -> Result<(Member<'_>, &[u8]), WireError> {
    let (header, rest) = split::<MemberHeader>(bytes)?;
    let (name, rest) = take(rest, usize::from(header.name_bytes))?;
    let (value, rest) = take(rest, usize::from(header.value_bytes.get()))?;
    let value = match header.kind {
        MEMBER_NUMBER => {
            let number = value.try_into().ok().ok_or_else(|| broken("a number has 8 bytes"))?;
            Value::Number(u64::from_le_bytes(number))
        }
        MEMBER_TEXT => Value::Text(text(value)?),
        _ => return Err(broken("a member of an unknown kind")),
    };
    Ok(((text(name)?, value), rest))
}
