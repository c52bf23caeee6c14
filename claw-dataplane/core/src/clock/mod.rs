//! Order between shards: hybrid stamps and version vectors.
//!
//! A shard stamps each decision; stamps strictly increase. Its version vector says how far into
//! every shard's log it has seen, raised by messages, which carry where their sender stood. That
//! gives causality and reads after what a client has seen. It never decides who was first: the
//! position in the owner's log does.

use claw_common::id::{Position, ShardId};
use claw_common::limits::CLOCK_SKEW_MS_MAX;
use claw_common::time::{Hlc, UnixMs};

/// How two version vectors relate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Causality {
    /// The same.
    Equal,
    /// The first has seen less, and nothing the second has not.
    Before,
    /// The first has seen more, and everything the second has.
    After,
    /// Each has seen something the other has not.
    Concurrent,
}

/// Compares two version vectors of one store.
pub fn compare(first: &[u64], second: &[u64]) -> Causality {
    assert_eq!(first.len(), second.len(), "vectors of one store");
    let less = first.iter().zip(second).any(|(a, b)| a < b);
    let more = first.iter().zip(second).any(|(a, b)| a > b);
    match (less, more) {
        (false, false) => Causality::Equal,
        (true, false) => Causality::Before,
        (false, true) => Causality::After,
        (true, true) => Causality::Concurrent,
    }
}

/// Raises `target` to everything `source` has seen.
pub fn merge(target: &mut [u64], source: impl ExactSizeIterator<Item = u64>) {
    assert_eq!(target.len(), source.len(), "vectors of one store");
    for (target, source) in target.iter_mut().zip(source) {
        *target = (*target).max(source);
    }
}

/// The last record of each shard that a history reaches.
pub fn reached(history: &[u64]) -> impl Iterator<Item = Position> {
    let positions = (0..).map(ShardId).zip(history);
    positions
        .map(|(shard, sequence)| Position { shard, sequence: *sequence })
        .filter(|position| position.sequence > 0)
}

/// Joins to a history what the records it reaches had seen, and says whether it grew: until it
/// does not, there is more behind. A vector names what its shard saw directly; messages do not
/// carry all their sender had seen. An error names the record that `seen_at` does not know.
pub fn join_reached<'a>(
    history: &mut [u64],
    seen_at: impl Fn(Position) -> Option<&'a [u64]>,
) -> Result<bool, Position> {
    let before = history.to_vec();
    for position in reached(&before) {
        merge(history, seen_at(position).ok_or(position)?.iter().copied());
    }
    Ok(history != before)
}

/// The clock of one shard.
#[derive(Clone, Debug)]
pub struct Clock {
    shard: ShardId,
    last: Hlc,
    now_ms: UnixMs,
    vector: Vec<u64>,
}

impl Clock {
    /// A clock that has seen nothing.
    pub fn new(shard: ShardId, shards_count: u16) -> Self {
        Self { shard, last: Hlc(0), now_ms: 0, vector: vec![0; usize::from(shards_count)] }
    }

    /// The time of a call: never before that of an earlier one.
    pub fn advance(&mut self, now_ms: UnixMs) -> UnixMs {
        self.now_ms = self.now_ms.max(now_ms);
        self.now_ms
    }

    /// The latest time seen.
    pub fn now_ms(&self) -> UnixMs {
        self.now_ms
    }

    /// The stamp of the next decision or message.
    pub fn stamp(&mut self) -> Hlc {
        self.last = self.last.tick(self.now_ms);
        self.last
    }

    /// The latest stamp.
    pub fn last(&self) -> Hlc {
        self.last
    }

    /// Takes in a claim's stamp and returns the one to record: a stamp outside the skew bound
    /// counts as now, so that no claimant drives our clock.
    pub fn accept(&mut self, accepted: Hlc) -> Hlc {
        if accepted.unix_ms() > self.now_ms + CLOCK_SKEW_MS_MAX {
            return Hlc::from_unix_ms(self.now_ms);
        }
        self.last = self.last.max(accepted);
        accepted
    }

    /// Takes in a message of another shard.
    pub fn receive(&mut self, from: ShardId, position: u64, stamp: Hlc) {
        self.last = self.last.receive(stamp, self.now_ms);
        self.see(from, position);
    }

    /// Takes in a record of the own log.
    pub fn replay(&mut self, decided: Hlc, now_ms: UnixMs, sequence: u64) {
        self.last = self.last.max(decided);
        self.advance(now_ms);
        self.see(self.shard, sequence);
    }

    /// Raises what is known to be in a shard's log.
    pub fn see(&mut self, shard: ShardId, sequence: u64) {
        let entry = &mut self.vector[usize::from(shard.0)];
        *entry = (*entry).max(sequence);
    }

    /// What this shard has seen of each shard.
    pub fn vector(&self) -> &[u64] {
        &self.vector
    }

    /// Raises the vector to everything `vector` has seen.
    pub fn observe(&mut self, vector: impl ExactSizeIterator<Item = u64>) {
        merge(&mut self.vector, vector);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_increase_while_time_stands_still_or_goes_back() {
        let mut clock = Clock::new(ShardId(0), 2);
        clock.advance(1_000);
        let first = clock.stamp();
        clock.advance(500);
        let second = clock.stamp();
        assert!(second > first);
        assert_eq!(second.unix_ms(), 1_000);
    }

    #[test]
    fn message_from_the_future_orders_what_follows_it() {
        let mut clock = Clock::new(ShardId(0), 2);
        clock.advance(1_000);
        clock.receive(ShardId(1), 7, Hlc::from_unix_ms(1_200));
        assert!(clock.stamp() > Hlc::from_unix_ms(1_200));
        assert_eq!(clock.vector(), [0, 7]);
    }

    #[test]
    fn claim_beyond_the_skew_bound_counts_as_now() {
        let mut clock = Clock::new(ShardId(0), 1);
        clock.advance(1_000);
        let far = Hlc::from_unix_ms(1_001 + CLOCK_SKEW_MS_MAX);
        assert_eq!(clock.accept(far).unix_ms(), 1_000);
        assert!(clock.stamp() < far);
    }

    #[test]
    fn history_reaches_what_was_seen_by_what_it_saw() {
        // 0:5 was told to shard 1, which told shard 2 after its own 1:3.
        let seen_at = |position: Position| match (position.shard.0, position.sequence) {
            (0, 5) => Some([5, 0, 0].as_slice()),
            (1, 3) => Some([5, 3, 0].as_slice()),
            (2, 1) => Some([0, 3, 1].as_slice()),
            _ => None,
        };
        let mut history = [0, 3, 1];
        assert_eq!(join_reached(&mut history, seen_at), Ok(true));
        assert_eq!(history, [5, 3, 1]);
        assert_eq!(join_reached(&mut history, seen_at), Ok(false));
        assert_eq!(compare(&[5, 0, 0], &history), Causality::Before);
        let unknown = Position { shard: ShardId(0), sequence: 6 };
        assert_eq!(join_reached(&mut [6, 0, 0], seen_at), Err(unknown));
    }

    #[test]
    fn vectors_compare_by_what_each_has_seen() {
        assert_eq!(compare(&[1, 2], &[1, 2]), Causality::Equal);
        assert_eq!(compare(&[1, 1], &[1, 2]), Causality::Before);
        assert_eq!(compare(&[2, 2], &[1, 2]), Causality::After);
        assert_eq!(compare(&[2, 1], &[1, 2]), Causality::Concurrent);
        let mut merged = [2, 1];
        merge(&mut merged, [1, 2].into_iter());
        assert_eq!(merged, [2, 2]);
    }
}
