//! Receipts: asked of the prover's thread, answered on the core that took the request.
//!
//! ```text
//!  request --> home shard: which records? --> [`ProofDesk`] --bounded queue--> prover
//!  answer  <-- gate <-- mail <-- bell of the core's ring <------ [`ProofOffice`]
//! ```
//! Owns both ends of the queue. The queue is bounded; when it is full the answer is 503. Mail is
//! bounded by the requests that wait for it. Does not prove anything: see `log::proof`.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use claw_common::id::{Id, Position, ShardId};
use claw_core::codec::{Decode as _, Reader};
use claw_core::command::ReplyTo;
use claw_core::outcome::Outcome;

use crate::ingest::problem::{Problem, ProblemKind};
use crate::runtime::placement::CoreId;

use super::core::Core;
use super::envelope::ReplyAddress;
use super::pending::Stage;
use super::slab::SlabKey;

/// Receipts of a node that may wait for the prover.
pub const PROOFS_WAITING_MAX: usize = 1024;

/// Asks for a receipt.
#[derive(Debug)]
pub struct ProofRequest {
    /// Who waits.
    pub to: ReplyTo,
    /// The order.
    pub order: Id,
    /// Its shard.
    pub shard: ShardId,
    /// Its records there, oldest first.
    pub sequences: Vec<u64>,
}

/// What the prover says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProofAnswer {
    /// The receipt, JSON.
    Receipt(Box<[u8]>),
    /// No checkpoint covers all of it yet.
    NotYet {
        /// When one should.
        retry_after_s: u32,
    },
    /// The log that it would be proved from was discarded.
    Gone,
}

/// An answer on its way to its core.
#[derive(Debug)]
pub struct ProofMail {
    /// Who waits.
    pub to: ReplyTo,
    /// For what.
    pub answer: ProofAnswer,
}

/// A core's end.
#[derive(Debug)]
pub struct ProofDesk {
    requests: SyncSender<ProofRequest>,
    mail: Receiver<ProofMail>,
}

/// The prover's end. Requests end when every core has.
#[derive(Debug)]
pub struct ProofOffice {
    /// What is asked, in order.
    pub requests: Receiver<ProofRequest>,
    /// Where each core takes its answers from; ring its bell afterwards.
    pub mail: Vec<Sender<ProofMail>>,
}

/// Both ends for `cores_count` cores.
pub fn build(cores_count: usize) -> (Vec<ProofDesk>, ProofOffice) {
    let (sender, requests) = sync_channel(PROOFS_WAITING_MAX);
    let mut desks = Vec::new();
    let mut letters = Vec::new();
    for _ in 0..cores_count {
        let (letter, mail) = channel();
        letters.push(letter);
        desks.push(ProofDesk { requests: sender.clone(), mail });
    }
    (desks, ProofOffice { requests, mail: letters })
}

impl ProofOffice {
    /// Answers, and names the core whose bell is to be rung.
    pub fn answer(&self, mail: ProofMail) -> CoreId {
        let core = ReplyAddress::unpack(mail.to).core;
        // A core that is gone has nobody left who waits.
        self.mail[core.index()].send(mail).ok();
        core
    }
}

impl Core {
    /// Goes on with a request for a receipt once it is known which records the order has.
    pub(super) fn ask_prover(&mut self, key: SlabKey, outcome: &[u8], position: Position) {
        let to = self.reply_to(key);
        let Ok(Outcome::OrderRecords { order, sequences }) =
            Outcome::decode(&mut Reader::new(outcome))
        else {
            let pending = self.pending.remove(key).expect("the caller found it");
            return self.render(&pending, outcome, position.shard, position.sequence);
        };
        let sequences = sequences.chunks_exact(size_of::<u64>());
        let sequences =
            sequences.filter_map(|bytes| Some(u64::from_le_bytes(bytes.try_into().ok()?)));
        let (shard, sequences) = (position.shard, sequences.collect());
        let request = ProofRequest { to, order, shard, sequences };
        if self.proofs.requests.try_send(request).is_ok() {
            let pending = self.pending.find(key).expect("the caller found it");
            pending.stage = Stage::Prove(position);
            return;
        }
        let detail = "too many receipts are being made; try again in a second";
        self.refuse_pending(key, &Problem::new(ProblemKind::Overloaded, detail));
    }

    /// Takes what the prover has answered.
    pub(super) fn collect_proofs(&mut self) {
        while let Ok(ProofMail { to, answer }) = self.proofs.mail.try_recv() {
            let address = ReplyAddress::unpack(to);
            let key = SlabKey { index: address.index, generation: address.generation };
            match answer {
                ProofAnswer::Receipt(body) => self.render_receipt(key, &body),
                ProofAnswer::NotYet { retry_after_s } => {
                    let detail = "the next checkpoint will cover it; ask again";
                    let mut problem = Problem::new(ProblemKind::ReceiptNotYet, detail);
                    problem.retry_after_s = Some(retry_after_s);
                    self.refuse_pending(key, &problem);
                }
                ProofAnswer::Gone => {
                    let detail =
                        "the log of that order is no longer kept (retention = \"discard\")";
                    self.refuse_pending(key, &Problem::new(ProblemKind::NotFound, detail));
                }
            }
        }
    }

    fn render_receipt(&mut self, key: SlabKey, body: &[u8]) {
        let Some(pending) = self.pending.remove(key) else { return };
        let (Some(asker), Stage::Prove(position)) = (pending.asker, pending.stage) else { return };
        let (place, context) = asker.over_http();
        let Some(peer) = self.peers.touch(asker.connection) else { return };
        let gate = self.gate.as_mut().expect("not in use while mail is taken");
        peer.answers.complete(place, &mut peer.send, |out| {
            gate.render_json(out, context, body, position);
        });
        self.unstall(asker.connection);
    }

    fn refuse_pending(&mut self, key: SlabKey, problem: &Problem) {
        let Some(pending) = self.pending.remove(key) else { return };
        let Some(asker) = pending.asker else { return };
        let (place, context) = asker.over_http();
        let Some(peer) = self.peers.touch(asker.connection) else { return };
        let gate = self.gate.as_mut().expect("not in use while mail is taken");
        gate.refuse(peer, place, context, problem);
        self.unstall(asker.connection);
    }
}
