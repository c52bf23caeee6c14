//! Effects: what a decision asks the shell to do. A closed list; only the shell acts.
//!
//! Events are not in this list: they are already encoded in the [`crate::journal`] when the
//! decision returns. Every effect waits for the durability of the block that was being filled when
//! it was emitted: nothing leaves a shard before that.

use claw_common::id::ShardId;

use crate::codec::{Decode as _, Reader};
use crate::command::ReplyTo;
use crate::shard::notice::{NOTICE_BYTES_MAX, Notice};

/// One thing to do once the log position it observed is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Answer a request. Ingest may drop it when the connection is gone.
    Reply {
        /// Who.
        to: ReplyTo,
        /// The encoded [`crate::outcome::Outcome`], in [`Effects::bytes`].
        outcome: Span,
        /// Sequence to show in `Claw-Position`; 0 for reads of an empty shard.
        sequence: u64,
        /// Whether this repeats the answer to an earlier command.
        repeated: bool,
    },
    /// Hand a message to another shard (also to one on the same core). Never lost while the node
    /// runs; after a crash the sender's open work sends it again.
    Send {
        /// Which.
        to: ShardId,
        /// The encoded [`crate::shard::message::Message`], in [`Effects::bytes`].
        message: Span,
    },
    /// Ask the vault. Never lost while the node runs; after a crash the order asks again.
    AskVault {
        /// The encoded [`crate::payment::Ask`], in [`Effects::bytes`].
        ask: Span,
    },
    /// Tell watchers of a topic. Dropped by the shell while nobody can subscribe.
    Notify {
        /// The encoded [`crate::shard::notice::Notice`], in [`Effects::bytes`].
        notice: Span,
        /// Where it stands among the notices of its session.
        place: NoticePlace,
    },
}

/// Where a notice stands in its shard's log. One decision may tell a session of several things:
/// only with the last of them has a watcher been told of all its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoticePlace {
    /// The shard's sequence when it was made: who stands here, or beyond, knows it.
    pub sequence: u64,
    /// Where a watcher stands that has been told it: what it changed is not behind that.
    pub told_to: u64,
}

/// A range of [`Effects::bytes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// Length.
    pub length: u32,
}

/// The effects of one decision; kept and reused, so that deciding allocates nothing once warm.
#[derive(Clone, Debug, Default)]
pub struct Effects {
    list: Vec<Effect>,
    bytes: Vec<u8>,
}

impl Effects {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.list.clear();
        self.bytes.clear();
    }

    /// The effects in order.
    pub fn list(&self) -> &[Effect] {
        &self.list
    }

    /// The bytes of a span.
    pub fn bytes(&self, span: Span) -> &[u8] {
        let start = usize::try_from(span.start).expect("32 bits fit");
        &self.bytes[start..start + usize::try_from(span.length).expect("32 bits fit")]
    }

    /// Appends an effect.
    pub fn push(&mut self, effect: Effect) {
        self.list.push(effect);
    }

    /// Appends a notice, `encode`d, to a session of a decision that began at the sequence `since`.
    /// Those of the same decision before it, for the same session, are not its last any more.
    pub fn notify(&mut self, notice: &Notice<'_>, since: u64, sequence: u64) {
        let Self { list, bytes } = self;
        for effect in list.iter_mut().rev() {
            let Effect::Notify { notice: earlier, place } = effect else { continue };
            if place.sequence <= since {
                break;
            }
            let start = usize::try_from(earlier.start).expect("32 bits fit");
            let told = Notice::decode(&mut Reader::new(&bytes[start..]));
            if told.is_ok_and(|told| told.session() == notice.session()) {
                place.told_to = since;
            }
        }
        let notice = self.encode(notice, NOTICE_BYTES_MAX);
        self.push(Effect::Notify { notice, place: NoticePlace { sequence, told_to: sequence } });
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Appends all effects of `other`, which become as late as ours.
    pub fn absorb(&mut self, other: &Self) {
        let offset = u32::try_from(self.bytes.len()).expect("bounded by the requests in flight");
        let moved = |span: Span| Span { start: span.start + offset, length: span.length };
        self.bytes.extend_from_slice(&other.bytes);
        self.list.extend(other.list.iter().map(|effect| match *effect {
            Effect::Reply { to, outcome, sequence, repeated } => {
                Effect::Reply { to, outcome: moved(outcome), sequence, repeated }
            }
            Effect::Send { to, message } => Effect::Send { to, message: moved(message) },
            Effect::AskVault { ask } => Effect::AskVault { ask: moved(ask) },
            Effect::Notify { notice, place } => Effect::Notify { notice: moved(notice), place },
        }));
    }

    /// Encodes `value`, which needs at most `bound` bytes, and names where.
    pub fn encode(&mut self, value: &dyn crate::codec::Encode, bound: usize) -> Span {
        let start = self.bytes.len();
        self.bytes.resize(start + bound, 0);
        let mut writer = crate::codec::Writer::new(&mut self.bytes[start..]);
        value.encode(&mut writer);
        let length = writer.written();
        self.bytes.truncate(start + length);
        self.span(start)
    }

    /// Copies already encoded bytes and names where.
    pub fn copy(&mut self, encoded: &[u8]) -> Span {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(encoded);
        self.span(start)
    }

    fn span(&self, start: usize) -> Span {
        Span {
            start: u32::try_from(start).expect("bounded by the largest answer"),
            length: u32::try_from(self.bytes.len() - start).expect("bounded likewise"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use claw_common::id::Id;

    #[test]
    fn only_the_last_notice_of_a_decision_tells_its_session_all() {
        let mut effects = Effects::default();
        let cart = |session| Notice::Cart { session, cart: Id([1; 16]) };
        effects.notify(&cart("ada"), 3, 4);
        // The next decision, of three records.
        effects.notify(&cart("ada"), 4, 5);
        effects.notify(&cart("eve"), 4, 6);
        effects.notify(&cart("ada"), 4, 7);
        let told: Vec<_> = effects
            .list()
            .iter()
            .map(|effect| match effect {
                Effect::Notify { place, .. } => (place.sequence, place.told_to),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(told, [(4, 4), (5, 4), (6, 6), (7, 7)]);
    }
}
