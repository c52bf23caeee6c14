//! What cores say to each other, and how an answer finds its request.
//!
//! Owns the closed list of envelopes and the packing of [`ReplyTo`]. Everything in an envelope is
//! owned: nothing borrowed crosses a core.

use std::sync::Arc;

use claw_common::id::ShardId;
use claw_core::codec::{Encode as _, Writer};
use claw_core::command::{ReplyTo, Request};
use claw_core::effect::NoticePlace;

use crate::ingest::auth::Keyring;
use crate::ingest::tickets::{TicketAnswer, TicketQuestion};
use crate::runtime::placement::CoreId;

/// One thing sent from core to core.
#[derive(Debug)]
pub enum Envelope {
    /// A request for a shard of the receiving core: an encoded `Request` and when it was accepted.
    Request {
        /// The shard that decides it.
        shard: ShardId,
        /// The encoded [`claw_core::command::Request`].
        request: Box<[u8]>,
    },
    /// The answer to a request that the receiving core accepted. Durable.
    Outcome(OutcomeLetter),
    /// A message between shards. Durable at its sender.
    Message {
        /// Who.
        from: ShardId,
        /// For whom.
        to: ShardId,
        /// The encoded `Message`.
        message: Box<[u8]>,
    },
    /// A notice for the receiving core's WebSockets. Durable at its shard.
    Notice {
        /// The shard that tells it.
        shard: ShardId,
        /// Where it stands there.
        place: NoticePlace,
        /// The encoded notice.
        notice: Box<[u8]>,
    },
    /// Notices for the receiving core's WebSockets were left out: it is behind.
    NoticesMissed,
    /// A question to the receiving core's desk of tickets.
    TicketQuestion {
        /// Who asks.
        to: ReplyTo,
        /// What.
        question: Box<TicketQuestion>,
    },
    /// What a desk says.
    TicketAnswer {
        /// Who asked.
        to: ReplyTo,
        /// The answer.
        answer: Box<TicketAnswer>,
    },
    /// The keys in force from here on.
    Keyring(Arc<Keyring>),
}

/// An answer on its way to the core that accepted the request.
#[derive(Debug)]
pub struct OutcomeLetter {
    /// Which request.
    pub to: ReplyTo,
    /// The encoded outcome.
    pub outcome: Box<[u8]>,
    /// The shard that answered.
    pub shard: ShardId,
    /// Its position.
    pub sequence: u64,
}

/// The parts of a [`ReplyTo`]: which core accepted the request and where it keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyAddress {
    /// The accepting core.
    pub core: CoreId,
    /// Which use of the place: an answer to a request that is gone must find nothing.
    pub generation: u32,
    /// Place in the core's table of pending requests.
    pub index: u32,
}

/// A request as bytes that cross cores or wait for room.
pub fn encode_request(request: &Request<'_>) -> Box<[u8]> {
    let mut bytes = vec![0; request.encoded_bytes_max()];
    let mut writer = Writer::new(&mut bytes);
    request.encode(&mut writer);
    let length = writer.written();
    bytes.truncate(length);
    bytes.into_boxed_slice()
}

const INDEX_BITS: u32 = 24;
const GENERATION_BITS: u32 = 32;

impl ReplyAddress {
    /// As one number: 8 bits of core, 32 of generation, 24 of index.
    pub fn pack(self) -> ReplyTo {
        assert!(self.index < 1 << INDEX_BITS);
        let core = u64::from(self.core.0) << (INDEX_BITS + GENERATION_BITS);
        ReplyTo(core | u64::from(self.generation) << INDEX_BITS | u64::from(self.index))
    }

    /// The inverse of [`ReplyAddress::pack`].
    pub fn unpack(reply_to: ReplyTo) -> Self {
        let number = reply_to.0;
        let core = u8::try_from(number >> (INDEX_BITS + GENERATION_BITS)).expect("8 bits are left");
        let generation = u32::try_from((number >> INDEX_BITS) & u64::from(u32::MAX));
        let index = u32::try_from(number & ((1 << INDEX_BITS) - 1));
        Self {
            core: CoreId(core),
            generation: generation.expect("masked to 32 bits"),
            index: index.expect("masked to 24 bits"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_round_trip_at_their_bounds() {
        for (core, generation, index) in
            [(0, 0, 0), (255, u32::MAX, (1 << 24) - 1), (3, 77, 1_000_000)]
        {
            let address = ReplyAddress { core: CoreId(core), generation, index };
            assert_eq!(ReplyAddress::unpack(address.pack()), address);
        }
    }
}
