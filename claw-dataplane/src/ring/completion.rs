//! What a ring reports, as a closed enum.
//!
//! Owns no behaviour. Buffers travel inside the completion, so whoever matches on it owns them.

use std::io;

use super::user_data::Key;
use crate::buffer::{FreeSlot, ReceivedBuffer};

/// A connection of one ring. The index is dense (below `RingShape::connections_max`), so a table
/// beside the ring can be indexed with it; the generation tells uses of one index apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub(super) Key);

impl ConnectionId {
    /// One that no ring gave.
    #[cfg(test)]
    pub(crate) fn for_test(index: u32) -> Self {
        Self(Key { index, generation: 0 })
    }

    /// Place in a table of connections.
    pub fn index(self) -> usize {
        usize::try_from(self.0.index).expect("a 32-bit index fits")
    }

    /// Which use of the place.
    pub fn generation(self) -> u32 {
        self.0.generation
    }
}

/// A listening socket of one ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenerId(pub(super) Key);

/// A timer of one ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerId(pub(super) Key);

/// Who posts to its own ring, so that one user cannot take another's posting for its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostSource {
    /// A log device.
    Device,
    /// The shard loop.
    Node,
}

impl PostSource {
    pub(super) fn index(self) -> u32 {
        match self {
            Self::Device => 0,
            Self::Node => 1,
        }
    }

    pub(super) fn from_index(index: u32) -> Self {
        match index {
            0 => Self::Device,
            _ => Self::Node,
        }
    }
}

/// Why no more bytes come from a connection. Running out of buffers is not among the reasons: the
/// ring itself starts receiving again.
#[derive(Debug)]
pub enum ReceiveEnd {
    /// The peer sent everything it had to send.
    Finished,
    /// The connection broke.
    Failed(io::Error),
}

/// Something that happened on a ring.
#[derive(Debug)]
pub enum Completion {
    /// A peer connected. Nothing is received before [`super::CoreRing::receive`].
    Accepted {
        /// Where.
        listener: ListenerId,
        /// The new connection.
        connection: ConnectionId,
    },
    /// Accepting failed (no file descriptors, say). The ring tries again by itself.
    AcceptFailed {
        /// Where.
        listener: ListenerId,
        /// Why.
        error: io::Error,
    },
    /// Another thread rang this ring's bell.
    Bell,
    /// The connection is gone and its id is dead. The last completion of every connection.
    Closed {
        /// Which.
        connection: ConnectionId,
    },
    /// A connection asked for with [`super::CoreRing::connect`] is there, or cannot be.
    Connected {
        /// Which.
        connection: ConnectionId,
        /// On an error, close the connection.
        result: io::Result<()>,
    },
    /// Another ring's [`super::CoreRing::doorbell`].
    Doorbell {
        /// The core it comes from.
        from: u16,
        /// What it said.
        payload: u32,
    },
    /// A doorbell could not be delivered (the other ring is overflowing or gone).
    DoorbellLost {
        /// The core it was for.
        to: u16,
        /// Why.
        error: io::Error,
    },
    /// A [`super::CoreRing::post`] to ourselves.
    Posted {
        /// Who posted.
        source: PostSource,
        /// What it said.
        payload: u32,
    },
    /// Bytes arrived. Dropping the buffer gives it back to the kernel.
    Received {
        /// From where.
        connection: ConnectionId,
        /// The bytes, never none.
        buffer: ReceivedBuffer,
    },
    /// Nothing more will arrive. The connection stays open for sending until it is closed.
    ReceiveEnded {
        /// From where.
        connection: ConnectionId,
        /// Why.
        end: ReceiveEnd,
    },
    /// A send is over and its buffer is back.
    Sent {
        /// To where.
        connection: ConnectionId,
        /// The buffer given to [`super::CoreRing::send`], to be used again.
        buffer: Vec<u8>,
        /// On success every byte was taken by the kernel. On an error, close the connection.
        result: io::Result<()>,
    },
    /// A flush is over.
    Synced {
        /// The caller's.
        token: u64,
        /// How it went.
        result: io::Result<()>,
    },
    /// A timer asked for with [`super::CoreRing::set_timer`] is over.
    TimerFired {
        /// The timer; its id is dead.
        timer: TimerId,
        /// The caller's.
        token: u64,
    },
    /// A write (with its flush, when one was asked for) is over.
    Written {
        /// The caller's.
        token: u64,
        /// The slot the block was in.
        slot: FreeSlot,
        /// Bytes written: may be fewer than asked for.
        result: io::Result<u32>,
    },
}
