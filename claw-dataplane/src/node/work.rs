//! What a core has been asked to do and has not done yet.
//!
//! Received bytes keep their receive buffer while they wait here: that is what closes the TCP
//! window under overload, without any memory of ours.

use claw_common::id::ShardId;

use crate::buffer::ReceivedBuffer;
use crate::ring::ConnectionId;

/// One piece of work.
#[derive(Debug)]
pub enum Work {
    /// Bytes of a connection.
    Bytes {
        /// Whose.
        connection: ConnectionId,
        /// Given back to the kernel when dropped.
        buffer: ReceivedBuffer,
    },
    /// A request that found no room, or came from another core.
    Request {
        /// The shard that decides it.
        shard: ShardId,
        /// The encoded request.
        request: Box<[u8]>,
    },
    /// A message between shards.
    Message {
        /// Who.
        from: ShardId,
        /// For whom.
        to: ShardId,
        /// The encoded message.
        message: Box<[u8]>,
    },
    /// An answer of the vault.
    Payment {
        /// The order's home.
        shard: ShardId,
        /// The encoded answer.
        answer: Box<[u8]>,
    },
}
