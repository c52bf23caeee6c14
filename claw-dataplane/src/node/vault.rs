//! The vault as the cores see it: questions go out, answers come in, webhooks pass through.
//!
//! ```text
//!  effect AskVault --> [`VaultDesk`] --+                      +--> Unix socket --> claw vault
//!  webhook request --> (waits)       --+--> [`VaultOffice`] --+
//!  inbox, answer   <-- mail <-- bell of the core's ring <-----+
//! ```
//! Owns both ends of the queues between the cores and the link's thread (`runtime::payments`). Asks
//! are bounded by the orders that are open, webhooks by the requests under way. Deliberately knows
//! no socket, and reads no webhook: raw bytes go through.

use std::sync::mpsc::{Receiver, Sender, channel};

use claw_common::id::ShardId;
use claw_core::codec::{Decode as _, Reader};
use claw_core::command::ReplyTo;
use claw_core::payment::Answer;
use claw_core::shard::CALL_BYTES_MAX;

use crate::ingest::http;
use crate::ingest::problem::{Problem, ProblemKind};
use crate::runtime::placement::{CoreId, Placement};

use super::core::{Core, CoreError};
use super::envelope::ReplyAddress;
use super::pending::{Asker, Stage};
use super::slab::SlabKey;
use super::work::Work;

/// What the link's thread is told.
#[derive(Debug)]
pub enum LinkEvent {
    /// An encoded `Ask`.
    Ask(Box<[u8]>),
    /// A webhook for the vault.
    Webhook {
        /// Who waits.
        to: ReplyTo,
        /// What its signature field said.
        signature: Box<str>,
        /// Its raw body.
        body: Box<[u8]>,
    },
    /// A frame of the vault, heard on the connection with this number.
    Heard {
        /// Which connection.
        connection: u64,
        /// The frame's bytes.
        frame: Vec<u8>,
    },
    /// A connection has ended.
    Broken {
        /// Which connection.
        connection: u64,
    },
    /// The node stops.
    Stop,
}

/// What a core is told.
#[derive(Debug)]
pub enum VaultMail {
    /// An encoded `Answer` for a shard of this core.
    Answer {
        /// The order's home.
        shard: ShardId,
        /// The encoded answer.
        answer: Box<[u8]>,
    },
    /// What a webhook's sender is answered.
    Webhook {
        /// Who waits.
        to: ReplyTo,
        /// HTTP status; 503 where the vault cannot be reached.
        status: u16,
    },
}

/// A core's end.
#[derive(Debug)]
pub struct VaultDesk {
    events: Sender<LinkEvent>,
    mail: Receiver<VaultMail>,
}

/// The link's end.
#[derive(Debug)]
#[expect(clippy::partial_pub_fields, reason = "answers go through the methods that ring the bell")]
pub struct VaultOffice {
    /// What happens, in order.
    pub events: Receiver<LinkEvent>,
    /// For the threads that hear the vault.
    pub sender: Sender<LinkEvent>,
    placement: Placement,
    mail: Vec<Sender<VaultMail>>,
}

/// Both ends for every core.
pub fn build(placement: &Placement) -> (Vec<VaultDesk>, VaultOffice) {
    let (sender, events) = channel();
    let (mut desks, mut letters) = (Vec::new(), Vec::new());
    for _ in placement.cores() {
        let (letter, mail) = channel();
        letters.push(letter);
        desks.push(VaultDesk { events: sender.clone(), mail });
    }
    (desks, VaultOffice { events, sender, placement: placement.clone(), mail: letters })
}

impl VaultOffice {
    /// Gives an answer to its shard's core, and names the core whose bell is to be rung.
    pub fn answer(&self, shard: ShardId, answer: &[u8]) -> Option<CoreId> {
        if shard.0 >= self.placement.shards_count() {
            return None;
        }
        let core = self.placement.core_of(shard);
        let mail = VaultMail::Answer { shard, answer: answer.into() };
        // A core that is gone asks again after the next start.
        self.mail[core.index()].send(mail).ok();
        Some(core)
    }

    /// Answers a webhook's sender, and names the core whose bell is to be rung.
    pub fn answer_webhook(&self, to: ReplyTo, status: u16) -> CoreId {
        let core = ReplyAddress::unpack(to).core;
        self.mail[core.index()].send(VaultMail::Webhook { to, status }).ok();
        core
    }
}

impl Core {
    /// Asks the vault. Where there is none, an order of the past waits for one.
    pub(super) fn ask_vault(&self, ask: &[u8]) {
        let Some(desk) = &self.vault else {
            log::warn!(
                "an open order is to be paid, and this node has no vault: see payments.kind"
            );
            return;
        };
        Self::count(&self.counters().vault_asked_count, 1);
        // The link's thread ends after the cores.
        desk.events.send(LinkEvent::Ask(ask.into())).ok();
    }

    /// Takes what the vault has said.
    pub(super) fn collect_vault(&mut self) {
        let Some(desk) = &self.vault else { return };
        let mail: Vec<_> = desk.mail.try_iter().collect();
        for mail in mail {
            match mail {
                VaultMail::Answer { shard, answer } => {
                    Self::count(&self.counters().vault_answers_count, 1);
                    self.inbox.push_back(Work::Payment { shard, answer });
                }
                VaultMail::Webhook { to, status } => self.end_webhook(to, status),
            }
        }
    }

    /// Gives an answer of the vault to its shard; gives it back when there is no room.
    pub(super) fn hear_payment(
        &mut self,
        shard: ShardId,
        encoded: Box<[u8]>,
    ) -> Result<Option<Work>, CoreError> {
        let lane = self.lane_index(shard).expect("sent to this core");
        if !self.make_room(lane, CALL_BYTES_MAX)? {
            return Ok(Some(Work::Payment { shard, answer: encoded }));
        }
        match Answer::decode(&mut Reader::new(&encoded)) {
            Ok(answer) => self.lanes[lane].hear_payment(&answer, self.now_ms),
            Err(error) => log::error!("the vault's answer cannot be read: {error}"),
        }
        Ok(None)
    }

    /// Hands a webhook to the vault; its sender waits.
    pub(super) fn forward_webhook(
        &mut self,
        asker: Asker,
        request: &http::Request<'_>,
    ) -> Result<(), Problem> {
        let Some(desk) = &self.vault else {
            let detail = "this store's payments are none";
            return Err(Problem::new(ProblemKind::NotFound, detail));
        };
        let events = desk.events.clone();
        let signature = request.fields.stripe_signature.unwrap_or_default().into();
        let body = request.body.into();
        let key = self.wait(asker, Stage::Webhook)?;
        let to = self.reply_to(key);
        events.send(LinkEvent::Webhook { to, signature, body }).ok();
        Ok(())
    }

    fn end_webhook(&mut self, to: ReplyTo, status: u16) {
        let address = ReplyAddress::unpack(to);
        let key = SlabKey { index: address.index, generation: address.generation };
        let Some(asker) = self.pending.remove(key).and_then(|pending| pending.asker) else {
            return;
        };
        let (place, context) = asker.over_http();
        let Some(peer) = self.peers.touch(asker.connection) else { return };
        let gate = self.gate.as_mut().expect("not in use while mail is taken");
        match status {
            200 => peer.answers.complete(place, &mut peer.send, |out| {
                gate.render_received(out, context);
            }),
            503 => {
                let detail = "the vault cannot be reached; send it again";
                let problem = Problem::new(ProblemKind::Overloaded, detail);
                gate.refuse(peer, place, context, &problem);
            }
            _ => {
                let detail = "the signature is not the gateway's, is too old, or the body no event";
                gate.refuse(peer, place, context, &Problem::malformed(detail));
            }
        }
        self.unstall(asker.connection);
    }
}
