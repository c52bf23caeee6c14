//! Requests that wait for their outcome, on the core that accepted them.
//!
//! Owns what an answer needs besides the outcome: whose it is, its place in the pipeline, its
//! route. Two routes take more than one outcome: a cart item needs its product's price first, and a
//! list gathers every shard's part.

use claw_common::id::{Position, ShardId};

use crate::ingest::http::Ticket;
use crate::ingest::render::ReplyContext;
use crate::ring::ConnectionId;

use super::slab::Slab;
use super::wire::WirePlace;

/// Requests of a core under way.
pub type PendingRequests = Slab<Pending>;

/// One request under way.
#[derive(Debug)]
pub struct Pending {
    /// Who waits; `None` for the node's own requests.
    pub asker: Option<Asker>,
    /// What is to be done with the next outcome.
    pub stage: Stage,
}

/// Who waits for an answer.
#[derive(Debug)]
pub struct Asker {
    /// Whose.
    pub connection: ConnectionId,
    /// Where its answer belongs.
    pub place: Place,
}

impl Asker {
    /// Where the answer of a route that only HTTP has belongs.
    pub(super) fn over_http(&self) -> (Ticket, ReplyContext) {
        match self.place {
            Place::Http(ticket, context) => (ticket, context),
            Place::Wire(_) => unreachable!("the wire has no command for tickets and receipts"),
        }
    }
}

/// Where an answer belongs on its connection.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// Its turn in the pipeline, and what rendering needs to know of the request.
    Http(Ticket, ReplyContext),
    /// A command of the wire protocol.
    Wire(WirePlace),
}

/// What is to be done with the next outcome.
#[derive(Debug)]
pub enum Stage {
    /// Answer with it.
    Answer,
    /// It is the price a cart item needs: put it into this encoded request, then ask the cart's
    /// home.
    Price {
        /// Home of the cart.
        home: ShardId,
        /// The encoded request.
        request: Box<[u8]>,
    },
    /// It is a part of a list.
    Gather(Gather),
    /// A desk of tickets has been asked.
    Ticket,
    /// A key change is in the log.
    KeyChange,
    /// That a subject was forgotten is in the log.
    Forget,
    /// It says what changed of a session behind a WebSocket's cursor.
    Changes {
        /// Whose.
        connection: ConnectionId,
        /// Which shard is asked.
        shard: ShardId,
    },
    /// It is a product whose stock is watched.
    Stock {
        /// SKU.
        sku: String,
    },
    /// The vault is looking at a webhook.
    Webhook,
    /// It says which records an order has, for its receipt.
    Receipt,
    /// The prover makes the receipt of what was read at this position.
    Prove(Position),
}

/// A list being gathered.
#[derive(Debug)]
pub struct Gather {
    /// Parts still to come.
    pub outstanding: usize,
    /// Most products to show.
    pub limit: u16,
    /// The encoded parts.
    pub parts: Vec<Box<[u8]>>,
}
