//! Parked replies: callers who wait until an order is placed or cancelled.
//!
//! Volatile: a crash ends their connections. Bounded; when full, the caller is answered at once.

use std::collections::BTreeSet;

use claw_common::id::Id;
use claw_common::time::UnixMs;

use crate::command::ReplyTo;

/// One parked reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Waiter {
    pub(crate) order: Id,
    pub(crate) until_ms: UnixMs,
    pub(crate) reply_to: ReplyTo,
    pub(crate) repeated: bool,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Waiters {
    by_order: BTreeSet<Waiter>,
    by_time: BTreeSet<(UnixMs, Waiter)>,
    capacity: usize,
}

impl Waiters {
    pub(crate) fn with_capacity(capacity: u32) -> Self {
        let capacity = usize::try_from(capacity).expect("usize has 32 bits or more");
        Self { by_order: BTreeSet::new(), by_time: BTreeSet::new(), capacity }
    }

    /// Parks a reply; false when there is no room.
    pub(crate) fn park(&mut self, waiter: Waiter) -> bool {
        if self.by_order.len() >= self.capacity {
            return false;
        }
        self.by_order.insert(waiter);
        self.by_time.insert((waiter.until_ms, waiter));
        true
    }

    /// Takes a reply parked for an order.
    pub(crate) fn take_of(&mut self, order: Id) -> Option<Waiter> {
        let least = Waiter { order, until_ms: 0, reply_to: ReplyTo(0), repeated: false };
        let waiter = *self.by_order.range(least..).next().filter(|other| other.order == order)?;
        self.remove(waiter);
        Some(waiter)
    }

    /// Takes a reply whose time has come.
    pub(crate) fn take_due(&mut self, now_ms: UnixMs) -> Option<Waiter> {
        let (until_ms, waiter) = *self.by_time.first()?;
        if until_ms > now_ms {
            return None;
        }
        self.remove(waiter);
        Some(waiter)
    }

    pub(crate) fn next_deadline(&self) -> Option<UnixMs> {
        self.by_time.first().map(|(until_ms, _)| *until_ms)
    }

    fn remove(&mut self, waiter: Waiter) {
        self.by_order.remove(&waiter);
        self.by_time.remove(&(waiter.until_ms, waiter));
    }
}
