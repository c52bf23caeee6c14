//! The shards behind the stages: one, or one for each of several cores with the node's own mesh
//! between them.
//!
//! A batch is accepted by a core, the next one by the next core. What belongs to another core's
//! shard crosses the mesh as it does on a node, and so does its outcome. All cores are driven by
//! the one thread there is, one after the other: what is counted is what they do together.

use claw_common::id::ShardId;
use claw_common::time::UnixMs;
use claw_core::codec::{Decode as _, Reader};
use claw_core::command::{ReplyTo, Request};
use claw_core::shard::Shard;
use claw_dataplane::node::envelope::{Envelope, OutcomeLetter, ReplyAddress, encode_request};
use claw_dataplane::runtime::mesh::{self, Endpoint};
use claw_dataplane::runtime::placement::CoreId;

use super::backend::{Asked, Backend};
use super::{Fill, Stage};

/// See the module.
pub(super) struct Cluster {
    /// By core.
    backends: Vec<Backend>,
    mesh: Vec<Endpoint<Envelope>>,
    accepting: usize,
}

/// An answer on the core that accepted its request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answered<'a> {
    pub(super) core: usize,
    /// Its place among the requests of all cores since the last answers.
    pub(super) index: usize,
    pub(super) outcome: &'a [u8],
    pub(super) sequence: u64,
}

impl Cluster {
    /// Shards with stock for more than any run.
    pub(super) fn new(until: Stage, fill: Fill, cores_count: u16) -> Self {
        let shards = (0..cores_count).map(ShardId);
        Self {
            backends: shards.map(|shard| Backend::of(until, fill, (shard, cores_count))).collect(),
            mesh: mesh::build(usize::from(cores_count)),
            accepting: 0,
        }
    }

    pub(super) fn now_ms(&self) -> UnixMs {
        self.backends[0].now_ms
    }

    /// The shard, where the accepting core has it.
    pub(super) fn local(&self, shard: ShardId) -> Option<&Shard> {
        let core = usize::from(shard.0);
        (core == self.accepting).then(|| self.backends[core].shard())
    }

    /// Decides a command, or sends it to the core that does.
    pub(super) fn decide(&mut self, asked: &Asked<'_>, shard: ShardId, index: usize) {
        let address = ReplyAddress {
            core: core_id(self.accepting),
            generation: 0,
            index: u32::try_from(index).expect("a batch's index"),
        };
        let request = asked.request(address.pack(), self.now_ms());
        let owner = usize::from(shard.0);
        if owner == self.accepting {
            return self.backends[owner].decide_request(&request);
        }
        let envelope = Envelope::Request { shard, request: encode_request(&request) };
        let sent = self.mesh[self.accepting].try_send(core_id(owner), envelope);
        sent.expect("a batch fits a queue");
    }

    /// Goes to the next core; `true` when each has accepted a batch, so that it is time for
    /// [`Cluster::finish_batches`].
    pub(super) fn next_core(&mut self) -> bool {
        self.accepting = (self.accepting + 1) % self.backends.len();
        self.accepting == 0
    }

    /// Decides what crossed, seals every block, hands every answer to `answer`, core by core, and
    /// lets time pass.
    pub(super) fn finish_batches(&mut self, mut answer: impl FnMut(Answered<'_>)) {
        let Self { backends, mesh, .. } = self;
        for (backend, endpoint) in backends.iter_mut().zip(&mut *mesh) {
            endpoint.flush();
            while let Some((_, envelope)) = endpoint.receive() {
                let Envelope::Request { request, .. } = envelope else { panic!("a request") };
                let request = Request::decode(&mut Reader::new(&request)).expect("just encoded");
                backend.decide_request(&request);
            }
            backend.seal();
        }
        for (core, (backend, endpoint)) in backends.iter().zip(&mut *mesh).enumerate() {
            backend.replies(|to, outcome, sequence| {
                let accepted_by = ReplyAddress::unpack(to).core;
                if accepted_by.index() != core {
                    let shard = ShardId(core_id(core).0.into());
                    let letter = OutcomeLetter { to, outcome: outcome.into(), shard, sequence };
                    endpoint.send(accepted_by, Envelope::Outcome(letter));
                }
            });
        }
        for (core, (backend, endpoint)) in backends.iter_mut().zip(&mut *mesh).enumerate() {
            let mut tell = |to: ReplyTo, outcome: &[u8], sequence| {
                let ReplyAddress { core: accepted_by, index, .. } = ReplyAddress::unpack(to);
                if accepted_by.index() == core {
                    let index = usize::try_from(index).expect("a batch's index");
                    answer(Answered { core, index, outcome, sequence });
                }
            };
            backend.replies(&mut tell);
            while let Some((_, envelope)) = endpoint.receive() {
                let Envelope::Outcome(letter) = envelope else { panic!("an outcome") };
                tell(letter.to, &letter.outcome, letter.sequence);
            }
            backend.pass_time();
        }
    }
}

fn core_id(core: usize) -> CoreId {
    CoreId(u8::try_from(core).expect("at most CORES_MAX"))
}

#[cfg(test)]
mod tests {
    use claw_common::id::shard_of_key;
    use claw_core::command::{AuthMode, Command, CommandKey};
    use claw_core::lines::LinesBuffer;
    use claw_core::outcome::made_hold;

    use super::*;
    use crate::stages::BATCH_COUNT;

    const CORES_COUNT: u16 = 2;
    const FILL: Fill = Fill { products_count: 100, holds_count: 0 };

    #[test]
    fn every_hold_is_answered_once_on_the_core_that_accepted_it() {
        let mut cluster = Cluster::new(Stage::Append, FILL, CORES_COUNT);
        let (mut lines, mut crossed_count) = (LinesBuffer::default(), 0);
        for round in 0..2 {
            for core in 0..usize::from(CORES_COUNT) {
                for place in 0..BATCH_COUNT {
                    let index = core * BATCH_COUNT + place;
                    let number = round * 1_000 + index;
                    let sku = FILL.sku(number);
                    lines.clear();
                    lines.add(&sku, 1, 0).unwrap();
                    let shard = shard_of_key(&sku, CORES_COUNT);
                    crossed_count += usize::from(usize::from(shard.0) != core);
                    let key = u128::try_from(number + 1).unwrap().to_le_bytes();
                    let identity = CommandKey { key, digest: key };
                    let (session, lines, ttl_ms) = ("s", lines.lines(), 1_000);
                    let command = Command::CreateHold { session, lines, ttl_ms };
                    let asked = Asked { command, identity, auth_mode: AuthMode::Session };
                    cluster.decide(&asked, shard, index);
                }
                assert_eq!(cluster.next_core(), core + 1 == usize::from(CORES_COUNT));
            }
            let mut answered = Vec::new();
            cluster.finish_batches(|Answered { core, index, outcome, .. }| {
                assert_eq!(made_hold(outcome), Some(true));
                assert_eq!(core, index / BATCH_COUNT, "the core that accepted it");
                answered.push(index);
            });
            answered.sort_unstable();
            let all = 0..usize::from(CORES_COUNT) * BATCH_COUNT;
            assert!(answered.into_iter().eq(all), "each once");
        }
        assert!(crossed_count > BATCH_COUNT, "of 256 holds about half cross: {crossed_count}");
    }
}
