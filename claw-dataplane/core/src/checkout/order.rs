//! An order as a shard keeps it.
//!
//! Holds what the interface shows and what is owed: `pending` and `coupon_pending` say which other
//! shards have not yet acknowledged the last thing asked of them (to settle while *confirming*, to
//! give back when *cancelled*). `records` says where in the log it all stands, for receipts. The
//! delivery address is in the log only.

use arrayvec::ArrayVec;
use claw_common::id::{Id, Session, Sku};
use claw_common::limits::ORDER_HISTORY_MAX;
use claw_common::money::Currency;
use claw_common::time::UnixMs;

use super::charge::Charge;
use super::transitions::{Trigger, is_evictable, next};
use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::command::flag;
use crate::inventory::hold::read_session;
use crate::inventory::stored_lines::StoredLines;
use crate::lines::Lines;
use crate::outcome::{CancelReason, OrderState, OrderView};
use crate::saga::Progress;
use crate::shard::error::ApplyError;
use crate::shard::message::{Part, PartKey};
use crate::stdx::Keyed;

/// Bytes of one entry of a history: a state and a time.
const HISTORY_ENTRY_BYTES: usize = 9;
/// Records of one order: the claim of its hold, then one for each state it entered.
const RECORDS_MAX: usize = 1 + ORDER_HISTORY_MAX;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// Order.
    pub id: Id,
    /// Whose.
    pub session: Session,
    /// Where it is in its life.
    pub state: OrderState,
    /// Why it was cancelled, or is about to be.
    pub reason: Option<CancelReason>,
    /// The hold it was made from.
    pub hold: Option<Id>,
    /// The cart it was made from.
    pub cart: Option<Id>,
    /// Whether lines of this shard are reserved for it (by itself or by its hold).
    pub held: bool,
    /// Currency of all lines.
    pub currency: Currency,
    /// What the coupon takes off.
    pub discount: i64,
    /// When it is cancelled unless confirmed.
    pub deadline_ms: UnixMs,
    /// When it was made.
    pub created_ms: UnixMs,
    /// Where its saga stands.
    pub saga: Progress,
    /// Its payment; `None` where there is nothing to pay.
    pub charge: Option<Box<Charge>>,
    /// Coupon code.
    pub coupon: Option<Sku>,
    /// A bit per shard that owes an acknowledgement for lines.
    pub pending: u64,
    /// Whether the coupon's shard owes one.
    pub coupon_pending: bool,
    /// Lines; all with prices from *confirming* on.
    pub lines: StoredLines,
    /// Encoded (`u8` state, `u64` Unix ms) pairs.
    pub history: ArrayVec<u8, { ORDER_HISTORY_MAX * HISTORY_ENTRY_BYTES }>,
    /// Encoded `u64` sequences of the records that made it what it is, oldest first.
    pub records: ArrayVec<u8, { RECORDS_MAX * size_of::<u64>() }>,
}

/// The record by which an order enters a state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// Its time.
    pub(crate) now_ms: UnixMs,
    /// Its sequence.
    pub(crate) sequence: u64,
}

impl Order {
    /// The name under which other shards know its lines.
    pub fn lines_key(&self) -> PartKey {
        match self.hold {
            Some(hold) => PartKey { id: hold, part: Part::Hold },
            None => PartKey { id: self.id, part: Part::Order },
        }
    }

    /// The name under which another shard knows its coupon.
    pub fn coupon_key(&self) -> PartKey {
        PartKey { id: self.id, part: Part::Coupon }
    }

    /// The order as it is now.
    pub fn view(&self) -> OrderView<'_> {
        let subtotal = subtotal(self.lines.lines());
        OrderView {
            order: self.id,
            state: self.state,
            lines: self.lines.lines(),
            currency: self.currency,
            subtotal,
            discount: self.discount,
            tax: 0,
            total: subtotal - self.discount,
            reason: self.reason,
            history: &self.history,
            client_secret: "",
        }
    }

    /// The latest record that moved it.
    pub fn changed_at(&self) -> u64 {
        let last = self.records.as_chunks().0.last();
        last.map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    /// What is to be paid, minor units.
    pub fn total(&self) -> i64 {
        subtotal(self.lines.lines()) - self.discount
    }

    /// Whether it has come to where a waiting caller is answered.
    pub fn is_settled(&self) -> bool {
        !matches!(
            self.state,
            OrderState::Reserving
                | OrderState::Authorizing
                | OrderState::Confirming
                | OrderState::Capturing
        )
    }

    /// Whether its stock is reserved and not sold, so that its deadline counts.
    pub const fn is_reserved(&self) -> bool {
        matches!(
            self.state,
            OrderState::Reserving | OrderState::Authorizing | OrderState::RequiresAction
        )
    }

    /// Whether every part of it had been sold, whatever became of it.
    pub fn was_sold(&self) -> bool {
        let mut entries = self.history.chunks_exact(HISTORY_ENTRY_BYTES);
        let sold = [OrderState::Capturing as u8, OrderState::Placed as u8];
        entries.any(|entry| sold.contains(&entry[0]))
    }

    /// Whether no other shard owes it anything.
    pub fn owes_nothing(&self) -> bool {
        self.pending == 0 && !self.coupon_pending
    }

    /// Whether it may be evicted: nothing will happen to it any more.
    pub fn is_over(&self) -> bool {
        is_evictable(self.state) && self.owes_nothing() && self.saga.is_over()
    }

    /// When something has to be done about it unless something else happens first.
    pub fn timer_ms(&self) -> Option<UnixMs> {
        let deadline = Some(self.deadline_ms).filter(|_| self.is_reserved());
        let retry = Some(self.saga.due_ms).filter(|_| self.saga.todo().is_some());
        [deadline, retry.filter(|due_ms| *due_ms > 0)].into_iter().flatten().min()
    }

    /// Moves it on; what the table does not allow is a damaged log.
    pub(crate) fn take(&mut self, trigger: Trigger, entry: Entry) -> Result<(), ApplyError> {
        let to = next(self.state, trigger);
        let to = to.ok_or(ApplyError::contradiction("the order's state does not allow it"))?;
        self.enter(to, entry);
        Ok(())
    }

    /// Notes a state in the history.
    pub(crate) fn enter(&mut self, state: OrderState, entry: Entry) {
        self.state = state;
        let mut bytes = [0; HISTORY_ENTRY_BYTES];
        bytes[0] = state as u8;
        bytes[1..].copy_from_slice(&entry.now_ms.to_le_bytes());
        let added = self.history.try_extend_from_slice(&bytes);
        assert!(added.is_ok(), "no path through the table is longer than ORDER_HISTORY_MAX");
        self.note_record(entry.sequence);
    }

    /// Notes a record that belongs to its receipt.
    pub(crate) fn note_record(&mut self, sequence: u64) {
        let added = self.records.try_extend_from_slice(&sequence.to_le_bytes());
        assert!(added.is_ok(), "one for each state and one before");
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            id: r.id()?,
            session: read_session(r)?,
            state: OrderState::decode(r)?,
            reason: r.option(CancelReason::decode)?,
            hold: r.option(Reader::id)?,
            cart: r.option(Reader::id)?,
            held: flag(r)?,
            currency: r.currency()?,
            discount: r.i64()?,
            deadline_ms: r.milliseconds()?,
            created_ms: r.milliseconds()?,
            saga: Progress::read(r)?,
            charge: r.option(Charge::read)?.map(Box::new),
            coupon: r.option(|r| Sku::copy(r.text()?).ok_or_else(|| r.invalid("code")))?,
            pending: r.u64()?,
            coupon_pending: flag(r)?,
            lines: StoredLines::read(r)?,
            history: ArrayVec::try_from(r.blob()?).ok().ok_or_else(|| r.invalid("history"))?,
            records: ArrayVec::try_from(r.blob()?).ok().ok_or_else(|| r.invalid("records"))?,
        })
    }
}

/// The sum of lines, minor units.
pub fn subtotal(lines: Lines<'_>) -> i64 {
    // Bounded by PRICE_MAX * QUANTITY_MAX * LINES_MAX, which fits (see limits).
    lines.iter().map(|line| line.unit_price * i64::from(line.quantity)).sum()
}

impl Keyed for Order {
    fn key(&self) -> &[u8] {
        &self.id.0
    }
}

impl Encode for Order {
    fn encode(&self, w: &mut Writer<'_>) {
        w.id(self.id);
        w.text(self.session.as_str());
        w.u8(self.state as u8);
        w.option(self.reason, |w, reason| w.u8(reason as u8));
        w.option(self.hold, Writer::id);
        w.option(self.cart, Writer::id);
        w.u8(u8::from(self.held));
        w.currency(self.currency);
        w.i64(self.discount);
        w.u64(self.deadline_ms);
        w.u64(self.created_ms);
        self.saga.encode(w);
        w.option(self.charge.as_deref(), |w, charge| charge.encode(w));
        w.option(self.coupon.as_ref(), |w, code| w.text(code.as_str()));
        w.u64(self.pending);
        w.u8(u8::from(self.coupon_pending));
        self.lines.lines().encode(w);
        w.blob(&self.history);
        w.blob(&self.records);
    }
}
