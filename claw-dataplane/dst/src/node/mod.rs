//! The node in the simulated world: the same order of work as the real one, over simulated devices.
//!
//! ```text
//!  request, message, time --> decide into the filling block --seal--> at most K writes in flight
//!      --contiguous durable prefix--> effects leave: answers to shoppers, messages to shards
//! ```
//! Everything that decides is the real, pure code: shards, blocks, recovery. What is written again
//! here is the shell around it, small enough to be read beside the real one.
//!
//! - [`lane`]: one shard and what waits for its blocks.
//! - [`stream`]: one core's writes, superblocks and segments.
//! - [`mod@start`]: from what is durable to a running node.
//!
//! Deliberately not here: sockets, signatures, JSON, threads.

mod lane;
mod start;
mod stream;

pub(crate) use start::{recover_stream, start};

use std::collections::BTreeMap;

use claw_common::id::ShardId;
use claw_common::time::Hlc;
use claw_core::codec::{Decode, Reader};
use claw_core::effect::{Effect, Effects};
use claw_core::log::BlockView;
use claw_core::shard::Shard;
use claw_core::shard::message::{Body, Message};

use crate::device::area_of_segment;
use crate::invariants::conservation;
use crate::options::Canary;
use crate::scene::Happening;
use crate::site::{Site, Snapshot};
use crate::violation::{Checked, Violation};
use lane::{Input, Lane, Step};
use stream::Stream;

/// Messages that the canary loses, per thousand.
const CANARY_LOST_PERMILLE: u16 = 50;
/// Snapshots kept of a shard.
const SNAPSHOTS_KEPT: usize = 3;

/// One run of the node, from a start to a crash.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) incarnation: u32,
    lanes: Vec<Lane>,
    streams: Vec<Stream>,
    /// Streams in use: shard `s` appends to stream `s % cores`.
    cores: u16,
    /// When the last message of a pair of shards arrives: they do not overtake each other.
    arrivals: BTreeMap<(ShardId, ShardId), u64>,
}

impl Node {
    fn stream_of(&self, shard: ShardId) -> usize {
        usize::from(shard.0.checked_rem(self.cores).expect("a node has a core"))
    }

    /// The shards, to ask.
    pub(crate) fn shards_mut(&mut self) -> impl Iterator<Item = &mut Shard> {
        self.lanes.iter_mut().map(|lane| &mut lane.shard)
    }

    /// Whether nothing is under way inside.
    pub(crate) fn quiet(&self) -> bool {
        self.lanes.iter().all(Lane::quiet) && self.streams.iter().all(Stream::idle)
    }

    /// A request reaches its shard.
    pub(crate) fn arrive(&mut self, site: &mut Site, to: ShardId, request: Vec<u8>) -> Checked {
        self.lanes[usize::from(to.0)].inbox.push_back(Input::Request(request));
        self.work(site, to)
    }

    /// A message reaches its shard.
    pub(crate) fn deliver(
        &mut self,
        site: &mut Site,
        (from, to): (ShardId, ShardId),
        message: Vec<u8>,
    ) -> Checked {
        self.lanes[usize::from(to.0)].inbox.push_back(Input::Message { from, message });
        self.work(site, to)
    }

    /// An answer of the vault reaches its shard.
    pub(crate) fn pay(&mut self, site: &mut Site, to: ShardId, answer: Vec<u8>) -> Checked {
        self.lanes[usize::from(to.0)].inbox.push_back(Input::Payment(answer));
        self.work(site, to)
    }

    /// Does all that a shard can do now, then writes and lets leave what may.
    fn work(&mut self, site: &mut Site, shard: ShardId) -> Checked {
        let stream = self.stream_of(shard);
        let expires = !site.scene.options.makes(Canary::FrozenExpiry);
        loop {
            let now_ms = site.scene.clock_ms();
            let lane = &mut self.lanes[usize::from(shard.0)];
            match lane.step(now_ms, expires) {
                Step::Done(symbol, fact) => {
                    site.scene.line(symbol, format_args!("shard {shard} {fact}"));
                    conservation::check_shard(&mut lane.shard, now_ms)?;
                }
                Step::Ticked => {
                    site.scene.line('T', format_args!("shard {shard} at {now_ms}"));
                    conservation::check_shard(&mut lane.shard, now_ms)?;
                }
                Step::Idle => break,
                Step::NoRoom => {
                    if !self.streams[stream].seal(site, lane) {
                        break;
                    }
                    site.ledger.sealed(&lane.shard, lane.sequence_sealed(), lane.hash_last());
                }
            }
        }
        self.commit(site, stream)
    }

    /// Seals what may be sealed and lets leave what may leave.
    fn commit(&mut self, site: &mut Site, stream: usize) -> Checked {
        for index in self.lanes_of(stream) {
            let lane = &mut self.lanes[index];
            if self.streams[stream].seal(site, lane) {
                site.ledger.sealed(&lane.shard, lane.sequence_sealed(), lane.hash_last());
            }
        }
        let early = site.scene.options.makes(Canary::EarlyReply);
        let watermark = if early { u64::MAX } else { self.streams[stream].watermark() };
        for index in self.lanes_of(stream) {
            let from = self.lanes[index].shard.id();
            for effects in self.lanes[index].release(watermark) {
                self.run(site, from, &effects)?;
            }
        }
        Ok(())
    }

    fn lanes_of(&self, stream: usize) -> impl Iterator<Item = usize> + use<> {
        let cores = usize::from(self.cores);
        (stream..self.lanes.len()).step_by(cores)
    }

    fn run(&mut self, site: &mut Site, from: ShardId, effects: &Effects) -> Checked {
        for effect in effects.list() {
            match *effect {
                Effect::Reply { to, outcome, sequence, .. } => {
                    site.ledger.leaves(from, sequence)?;
                    let delay_us = site.scene.node_random.between(1, 200);
                    let outcome = effects.bytes(outcome).to_vec();
                    let attempt = to.0;
                    site.scene.plan(delay_us, Happening::Answer { attempt, outcome });
                }
                Effect::Send { to, message } => {
                    self.send(site, (from, to), effects.bytes(message))?;
                }
                Effect::AskVault { ask } => {
                    let delay_us = site.vault_us();
                    let ask = effects.bytes(ask).to_vec();
                    site.scene.plan(delay_us, Happening::Asked { ask });
                }
                Effect::Notify { .. } => {}
            }
        }
        Ok(())
    }

    fn send(&mut self, site: &mut Site, pair: (ShardId, ShardId), bytes: &[u8]) -> Checked {
        let message = Message::decode(&mut Reader::new(bytes));
        let message = message.map_err(|e| Violation::new("messages decode", e.to_string()))?;
        site.ledger.leaves(pair.0, message.position)?;
        let options = site.scene.options;
        let random = &mut site.scene.node_random;
        let undo = matches!(message.body, Body::Undo { .. });
        let lost = options.makes(Canary::LostRelease) && undo
            || options.makes(Canary::LostMessage) && random.chance(CANARY_LOST_PERMILLE);
        if lost {
            return Ok(());
        }
        let copies = 1 + u32::from(random.chance(options.message_twice_permille));
        for _ in 0..copies {
            let way_us = site.scene.node_random.between(1, options.message_us_max);
            let now_us = site.scene.now_us();
            let last = self.arrivals.get(&pair).copied().unwrap_or(0);
            let at = (now_us + way_us).max(last + 1);
            self.arrivals.insert(pair, at);
            let (from, to) = pair;
            let (incarnation, message) = (self.incarnation, bytes.to_vec());
            let delivery = Happening::Deliver { incarnation, from, to, message };
            site.scene.plan(at - now_us, delivery);
        }
        Ok(())
    }

    /// The device says that a block is durable: it is read back from the medium before anything
    /// that waits for it may leave.
    pub(crate) fn durable(&mut self, site: &mut Site, stream: u16, sequence: u64) -> Checked {
        let joined = self.streams[usize::from(stream)].complete(site, sequence);
        for (sequence, place) in joined {
            site.scene.line('=', format_args!("stream {stream} block {sequence}"));
            let Site { devices, ledger, .. } = site;
            let area = devices[usize::from(stream)].medium(area_of_segment(place.segment));
            let view = BlockView::parse(&area[place.offset..])
                .ok()
                .filter(|view| view.stream_sequence() == sequence);
            ledger.durable(stream, sequence, view.as_ref())?;
        }
        for index in self.lanes_of(usize::from(stream)).collect::<Vec<_>>() {
            self.work(site, self.lanes[index].shard.id())?;
        }
        Ok(())
    }

    /// The device says that a superblock is durable.
    pub(crate) fn superblock_durable(&mut self, site: &mut Site, stream: u16) {
        self.streams[usize::from(stream)].superblock_durable(site);
    }

    /// Time passes: expiries, marks, snapshots, free segments.
    pub(crate) fn heartbeat(&mut self, site: &mut Site) -> Checked {
        for index in 0..self.lanes.len() {
            self.work(site, self.lanes[index].shard.id())?;
        }
        for stream in 0..usize::from(self.cores) {
            let spare = self.lanes_of(stream).find(|&index| !self.lanes[index].has_records());
            if let Some(slot) = spare.and_then(|index| self.lanes[index].spare_slot()) {
                let stamp = Hlc::from_unix_ms(site.scene.clock_ms());
                self.streams[stream].mark(site, slot, stamp);
            }
        }
        let permille = site.scene.options.snapshot_permille;
        if site.scene.node_random.chance(permille) {
            self.snapshot(site)?;
        }
        Ok(())
    }

    /// Takes a snapshot of one shard and frees what is no longer needed.
    fn snapshot(&mut self, site: &mut Site) -> Checked {
        let index = site.scene.node_random.index(self.lanes.len());
        let shard = self.lanes[index].shard.id();
        let Some((sequence, hash, bytes)) = site.ledger.snapshot(shard)? else { return Ok(()) };
        site.scene.line('s', format_args!("shard {shard} up to {sequence}"));
        let kept = &mut site.snapshots[index];
        kept.push(Snapshot { sequence, hash, bytes });
        if kept.len() > SNAPSHOTS_KEPT {
            kept.remove(0);
        }
        let newest = |kept: &Vec<Snapshot>| kept.last().map_or(0, |snapshot| snapshot.sequence);
        let covered: Vec<u64> = site.snapshots.iter().map(newest).collect();
        for stream in &mut self.streams {
            if stream.free_covered(site, &covered) {
                site.floors.clone_from(&covered);
            }
        }
        Ok(())
    }
}
