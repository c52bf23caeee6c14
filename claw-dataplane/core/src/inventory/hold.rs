//! A hold: stock reserved for a session, all lines or none, at a fixed price, until it ends.
//!
//! ```text
//!   reserving --granted--> active --released--> released
//!       |                    |-----expired----> expired
//!       +--refused--> released    (by its order) sold
//!
//!   waiting --granted--> active   (or released, or expired: nothing was reserved)
//! ```
//! Exactly one end. A hold pinned by an order lives until the order has an end: neither its time
//! nor its shopper ends it. `pending` are the shards that must still give stock back.

use claw_common::id::{Id, Session};
use claw_common::money::Currency;
use claw_common::time::UnixMs;

use super::stored_lines::StoredLines;
use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::outcome::{HoldState, HoldView};
use crate::stdx::Keyed;

/// See the module. In the order of memory: what its end reads comes first, whose it is last.
#[derive(Clone, Debug, PartialEq)]
#[repr(C)]
pub struct Hold {
    /// The order that was made from it.
    pub pinned_by: Option<Id>,
    /// Hold.
    pub id: Id,
    /// Where it is in its life.
    pub state: HoldState,
    /// Currency of all lines.
    pub currency: Currency,
    /// The record that reserved its stock in this shard.
    pub claimed_at: u64,
    /// The latest record that changed it in this shard.
    pub changed_at: u64,
    /// When it ends; while reserving, how long it will live; while waiting, until when it waits.
    pub expires_at_ms: UnixMs,
    /// Of one that has waited in line: how long it lives from its grant, milliseconds. Else 0.
    pub waited_ttl_ms: u64,
    /// A bit per shard that must still give stock back.
    pub pending: u64,
    /// Lines with their prices.
    pub lines: StoredLines,
    /// Whose.
    pub session: Session,
}

impl Hold {
    /// The hold as it is now.
    pub fn view(&self, created: bool) -> HoldView<'_> {
        HoldView {
            created,
            hold: self.id,
            state: self.state,
            lines: self.lines.lines(),
            currency: self.currency,
            expires_at_ms: self.expires_at_ms,
        }
    }

    /// Whether it has come to one of its ends.
    pub fn has_ended(&self) -> bool {
        matches!(self.state, HoldState::Sold | HoldState::Released | HoldState::Expired)
    }

    /// Whether a session is told of it as it is: it has come to one of its ends, or to the front
    /// of the line.
    pub fn is_news(&self) -> bool {
        self.has_ended() || (self.state == HoldState::Active && self.waited_ttl_ms > 0)
    }

    /// Whether its time decides about it.
    pub fn is_ticking(&self) -> bool {
        self.is_extendable() || self.state == HoldState::Waiting
    }

    /// Whether it is its shopper's to keep for longer.
    pub fn is_extendable(&self) -> bool {
        self.state == HoldState::Active && self.pinned_by.is_none()
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            id: r.id()?,
            session: read_session(r)?,
            state: HoldState::decode(r)?,
            currency: r.currency()?,
            claimed_at: r.u64()?,
            changed_at: r.u64()?,
            expires_at_ms: r.milliseconds()?,
            waited_ttl_ms: r.milliseconds()?,
            pinned_by: r.option(Reader::id)?,
            pending: r.u64()?,
            lines: StoredLines::read(r)?,
        })
    }
}

impl Keyed for Hold {
    fn key(&self) -> &[u8] {
        &self.id.0
    }
}

impl Encode for Hold {
    fn encode(&self, w: &mut Writer<'_>) {
        w.id(self.id);
        w.text(self.session.as_str());
        w.u8(self.state as u8);
        w.currency(self.currency);
        w.u64(self.claimed_at);
        w.u64(self.changed_at);
        w.u64(self.expires_at_ms);
        w.u64(self.waited_ttl_ms);
        w.option(self.pinned_by, Writer::id);
        w.u64(self.pending);
        self.lines.lines().encode(w);
    }
}

/// A session name as state keeps it.
pub(crate) fn read_session(r: &mut Reader<'_>) -> Result<Session, CodecError> {
    Session::copy(r.text()?).ok_or_else(|| r.invalid("session"))
}
