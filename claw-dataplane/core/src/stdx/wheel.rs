//! A hierarchical timing wheel: O(1) to set and cancel, exact to the millisecond, never early.
//!
//! Eight levels of 64 slots cover 48 bits of milliseconds. A timer lies at the level of the highest
//! bit group in which its deadline differs from the wheel's time; it moves down when the wheel's
//! time enters its slot, and is due when it arrives at the bottom. After Varghese and Lauck,
//! "Hashed and Hierarchical Timing Wheels" (1987), scheme 7.
//!
//! Timers are named by the caller's slab index, so setting one allocates nothing. Those due at the
//! same millisecond fire in the order of their ids. The wheel's own time is not state: a wheel
//! rebuilt from deadlines alone fires the same timers in the same order.

use claw_common::id::Id;
use claw_common::time::UnixMs;

use super::prefetch;

const NONE: u32 = u32::MAX;
const LEVELS: usize = 8;
const SLOTS: usize = 64;
const SLOT_BITS: u32 = 6;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Idle,
    Slot { level: u8, slot: u8 },
    Due,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    deadline: UnixMs,
    id: Id,
    next: u32,
    previous: u32,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    deadline: UnixMs,
    id: Id,
    timer: u32,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct TimerWheel {
    nodes: Vec<Node>,
    heads: [[u32; SLOTS]; LEVELS],
    /// A bit per slot that has timers.
    occupied: [u64; LEVELS],
    /// Every timer in a slot is later than this.
    elapsed: UnixMs,
    /// Latest first, so that the next to fire is popped from the end.
    due: Vec<Due>,
}

impl TimerWheel {
    /// Takes the memory of `capacity` timers.
    pub fn with_capacity(capacity: u32) -> Self {
        let idle =
            Node { deadline: 0, id: Id([0; 16]), next: NONE, previous: NONE, place: Place::Idle };
        Self {
            nodes: vec![idle; at(capacity)],
            heads: [[NONE; SLOTS]; LEVELS],
            occupied: [0; LEVELS],
            elapsed: 0,
            due: Vec::with_capacity(at(capacity.min(1024))),
        }
    }

    /// Sets a timer, cancelling what it was set to.
    pub fn set(&mut self, timer: u32, deadline: UnixMs, id: Id) {
        assert!(deadline < 1 << 48, "times have 48 bits");
        self.cancel(timer);
        let node = &mut self.nodes[at(timer)];
        node.deadline = deadline;
        node.id = id;
        self.place(timer);
    }

    /// Asks memory for a timer.
    #[inline]
    pub fn prefetch(&self, timer: u32) {
        if let Some(node) = self.nodes.get(at(timer)) {
            prefetch(node);
        }
    }

    /// Cancels a timer, if it is set.
    pub fn cancel(&mut self, timer: u32) {
        let node = self.nodes[at(timer)];
        match node.place {
            Place::Idle => return,
            Place::Slot { level, slot } => self.unlink(node, usize::from(level), usize::from(slot)),
            Place::Due => {
                let entry = Due { deadline: node.deadline, id: node.id, timer };
                let found = self.due.binary_search_by(|other| entry.cmp(other));
                self.due.remove(found.expect("due timers are listed"));
            }
        }
        self.nodes[at(timer)].place = Place::Idle;
    }

    /// Takes the next timer whose deadline is at or before `now`, in (deadline, id) order.
    pub fn pop_due(&mut self, now: UnixMs) -> Option<u32> {
        while self.due.is_empty() {
            let Some((level, slot, start)) = self.next_slot() else {
                self.elapsed = self.elapsed.max(now);
                return None;
            };
            if start > now {
                self.elapsed = self.elapsed.max(now);
                return None;
            }
            self.enter(level, slot, start);
        }
        let last = *self.due.last()?;
        if last.deadline > now {
            return None;
        }
        self.due.pop();
        self.nodes[at(last.timer)].place = Place::Idle;
        Some(last.timer)
    }

    /// The timer that [`TimerWheel::pop_due`] takes after `count` others, as far as it is known.
    #[inline]
    pub fn due_after(&self, count: usize) -> Option<u32> {
        self.due.iter().nth_back(count).map(|due| due.timer)
    }

    /// A time at or before the next deadline: when to call [`TimerWheel::pop_due`] next.
    pub fn next_deadline(&self) -> Option<UnixMs> {
        if let Some(due) = self.due.last() {
            return Some(due.deadline);
        }
        self.next_slot().map(|(_, _, start)| start)
    }

    fn place(&mut self, timer: u32) {
        let node = self.nodes[at(timer)];
        if node.deadline <= self.elapsed {
            let entry = Due { deadline: node.deadline, id: node.id, timer };
            let place = self.due.binary_search_by(|other| entry.cmp(other));
            self.due.insert(place.unwrap_or_else(|place| place), entry);
            self.nodes[at(timer)].place = Place::Due;
            return;
        }
        let level = (node.deadline ^ self.elapsed).ilog2() / SLOT_BITS;
        let slot = (node.deadline >> (level * SLOT_BITS)) & 63;
        let level = usize::try_from(level).expect("below 8");
        let slot = usize::try_from(slot).expect("below 64");
        let head = self.heads[level][slot];
        if let Some(next) = self.nodes.get_mut(at(head)) {
            next.previous = timer;
        }
        let node = &mut self.nodes[at(timer)];
        node.next = head;
        node.previous = NONE;
        node.place = Place::Slot {
            level: u8::try_from(level).expect("below 8"),
            slot: u8::try_from(slot).expect("below 64"),
        };
        self.heads[level][slot] = timer;
        self.occupied[level] |= 1 << slot;
    }

    fn unlink(&mut self, node: Node, level: usize, slot: usize) {
        if let Some(next) = self.nodes.get_mut(at(node.next)) {
            next.previous = node.previous;
        }
        if let Some(previous) = self.nodes.get_mut(at(node.previous)) {
            previous.next = node.next;
            return;
        }
        self.heads[level][slot] = node.next;
        if node.next == NONE {
            self.occupied[level] &= !(1 << slot);
        }
    }

    /// The earliest slot with timers and the first millisecond it covers. Timers of a lower level
    /// are earlier than those of a higher one, and slots of a level never wrap.
    fn next_slot(&self) -> Option<(usize, usize, UnixMs)> {
        let level = self.occupied.iter().position(|&slots| slots != 0)?;
        let slot = self.occupied[level].trailing_zeros();
        let shift = u32::try_from(level).expect("below 8") * SLOT_BITS;
        let above = self.elapsed >> (shift + SLOT_BITS) << (shift + SLOT_BITS);
        let start = above | UnixMs::from(slot) << shift;
        Some((level, usize::try_from(slot).expect("below 64"), start))
    }

    fn enter(&mut self, level: usize, slot: usize, start: UnixMs) {
        assert!(start > self.elapsed, "the wheel turns forward");
        self.elapsed = start;
        let mut timer = core::mem::replace(&mut self.heads[level][slot], NONE);
        self.occupied[level] &= !(1 << slot);
        while timer != NONE {
            let node = self.nodes[at(timer)];
            self.prefetch(node.next);
            if node.deadline <= start {
                self.nodes[at(timer)].place = Place::Due;
                self.due.push(Due { deadline: node.deadline, id: node.id, timer });
            } else {
                self.place(timer);
            }
            timer = node.next;
        }
        self.due.sort_unstable_by(|a, b| b.cmp(a));
    }
}

#[inline]
fn at(timer: u32) -> usize {
    usize::try_from(timer).expect("usize has 32 bits or more")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn id(n: u32) -> Id {
        let mut bytes = [0; 16];
        bytes[15] = u8::try_from(n).unwrap();
        Id(bytes)
    }

    fn drain(wheel: &mut TimerWheel, now: UnixMs) -> Vec<u32> {
        core::iter::from_fn(|| wheel.pop_due(now)).collect()
    }

    #[test]
    fn timers_of_one_millisecond_fire_in_id_order() {
        let mut wheel = TimerWheel::with_capacity(4);
        for (timer, n) in [(0, 7), (1, 3), (2, 5)] {
            wheel.set(timer, 1_700_000_000_000, id(n));
        }
        wheel.set(3, 1_699_999_999_999, id(9));
        assert!(drain(&mut wheel, 1_699_999_999_998).is_empty());
        assert_eq!(drain(&mut wheel, 1_700_000_000_000), [3, 1, 2, 0]);
    }

    proptest! {
        /// Against a sorted map: every timer fires exactly at the first look at or after its
        /// deadline, in (deadline, id) order, and a cancelled one never.
        #[test]
        fn wheel_fires_like_a_sorted_map(
            steps in prop::collection::vec((0..64_u32, 0..3_u8, 1..200_000_u64), 1..200)
        ) {
            let mut wheel = TimerWheel::with_capacity(64);
            let mut model: BTreeMap<(UnixMs, Id), u32> = BTreeMap::new();
            let mut now = 1_700_000_000_000;
            for (timer, action, delta) in steps {
                match action {
                    0 => {
                        model.retain(|_, other| *other != timer);
                        model.insert((now + delta, id(timer)), timer);
                        wheel.set(timer, now + delta, id(timer));
                    }
                    1 => {
                        model.retain(|_, other| *other != timer);
                        wheel.cancel(timer);
                    }
                    _ => {
                        now += delta;
                        let later = model.split_off(&(now + 1, Id([0; 16])));
                        let due = core::mem::replace(&mut model, later);
                        let due: Vec<u32> = due.into_values().collect();
                        prop_assert_eq!(drain(&mut wheel, now), due);
                        if let Some(((deadline, _), _)) = model.first_key_value() {
                            let next = wheel.next_deadline().unwrap();
                            prop_assert!(next > now && next <= *deadline);
                        } else {
                            prop_assert_eq!(wheel.next_deadline(), None);
                        }
                    }
                }
            }
        }
    }
}
