//! The prover's thread: trees grown from durable blocks, checkpoints signed, receipts made.
//!
//! Owns when these things happen: what became durable is taken every [`FOLLOW_INTERVAL`], roots are
//! signed every `checkpoint_interval_ms` while there are new records, receipts are made as they are
//! asked for. Runs away from the cores when there is such a place and gives way to them where there
//! is not, reads the log past the page cache, and never makes a core wait: where the cores make
//! records faster than it can hash them, checkpoints are signed as often as ever, and cover what it
//! has come to. Ends after the cores, with a last checkpoint over all they wrote, or over what it
//! comes to in [`LAST_FOLLOW_MAX`]: the next start goes on from there. What cannot be signed on
//! stops the node: see `log::proof`.

use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use claw_common::id::{Id, ShardId};

use crate::config::Config;
use crate::log::LogPaths;
use crate::log::proof::{
    Follower, FollowerStart, NodeKey, ProofError, Pursuit, ReceiptDraft, ShardProofs,
    ShardProofsStart, catch_up, pursue,
};
use crate::node::clock::Clock;
use crate::node::proofs::{ProofAnswer, ProofMail, ProofOffice, ProofRequest};
use crate::node::shared::Shared;
use crate::ring::RingWaker;

use super::error::{BootError, chain};
use super::fatal::{FatalReason, fatal};
use super::open::Opened;
use super::placement::{Courtesy, Placement, give_way, run_on};

/// How often durable blocks are taken: a busy core writes a few MB in this time.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(20);
/// How long they are taken at once, a stream: a receipt waits for no more of it.
const FOLLOW_MAX: Duration = Duration::from_millis(20);
/// How long the end of a node waits for trees that are behind: a service manager waits for 90 s.
const LAST_FOLLOW_MAX: Duration = Duration::from_secs(10);

/// Everything but the cores' bells, which exist only once the cores do.
#[derive(Debug)]
pub struct ProverSeed {
    office: ProofOffice,
    key: NodeKey,
    shards: Vec<ShardProofs>,
    followers: Vec<FollowerStart>,
    ends: Vec<u64>,
    placement: Placement,
    shared: Arc<Shared>,
    paths: LogPaths,
    store: (Id, String),
    interval: Duration,
    cpus: Vec<usize>,
}

/// What a prover shares with the rest of the node.
#[derive(Debug)]
pub struct ProverParts {
    /// Its end of the queues.
    pub office: ProofOffice,
    /// Who runs where.
    pub placement: Placement,
    /// Positions and signed sizes.
    pub shared: Arc<Shared>,
    /// Where to run.
    pub cpus: Vec<usize>,
}

impl ProverSeed {
    /// Opens what was signed. Refuses a log that is shorter.
    pub fn open(config: &Config, opened: &Opened, parts: ProverParts) -> Result<Self, BootError> {
        let key = NodeKey::load(&config.store_dir)?;
        let paths = opened.paths.clone();
        let create = std::fs::create_dir_all(&paths.proofs);
        create.map_err(crate::log::ReadError::file("create", &paths.proofs))?;
        let ends: Vec<u64> = opened.recovered.shards.iter().map(|tail| tail.sequence).collect();
        let mut shards = Vec::new();
        for (shard, &end) in (0..).map(ShardId).zip(&ends) {
            let (store, public) = (config.store.id, key.public());
            let start = ShardProofsStart { paths: paths.clone(), store, shard, public };
            let proofs = ShardProofs::open(start, end)?;
            parts.shared.publish_signed(shard, proofs.signed_size());
            shards.push(proofs);
        }
        let cores = parts.placement.cores();
        let followers = cores.map(|core| {
            FollowerStart::behind(paths.data.clone(), &opened.recovered.streams[core.index()])
        });
        Ok(Self {
            followers: followers.collect(),
            office: parts.office,
            key,
            shards,
            ends,
            placement: parts.placement,
            shared: parts.shared,
            paths,
            store: (config.store.id, config.store.name.clone()),
            interval: Duration::from_millis(config.log.checkpoint_interval_ms),
            cpus: parts.cpus,
        })
    }

    /// Starts the thread. It ends when every core has.
    pub fn start(self, wakers: Vec<RingWaker>) -> JoinHandle<()> {
        #[expect(clippy::disallowed_methods, reason = "runtime/ is where threads start")]
        std::thread::spawn(move || {
            run_on(&self.cpus);
            give_way(Courtesy::Beside);
            let followers = self.followers.iter().cloned().map(Follower::new).collect();
            let mut prover = Prover { seed: self, followers, wakers, clock: Clock::start() };
            if let Err(error) = prover.run() {
                fatal(&FatalReason::Proofs(chain(&error)));
            }
        })
    }
}

struct Prover {
    seed: ProverSeed,
    followers: Vec<Follower>,
    wakers: Vec<RingWaker>,
    /// Checkpoints say when by the node's time, which does not follow a clock that is set.
    clock: Clock,
}

impl Prover {
    fn run(&mut self) -> Result<(), ProofError> {
        catch_up(&self.seed.paths, &mut self.seed.shards, &self.seed.ends)?;
        let mut followed = Instant::now();
        let mut pursuit = Pursuit::Level;
        let mut signed: Option<Instant> = None;
        loop {
            let wait = match pursuit {
                Pursuit::Level => FOLLOW_INTERVAL,
                Pursuit::Behind => Duration::ZERO,
            };
            match self.seed.office.requests.recv_timeout(wait) {
                Ok(request) => self.answer(&request)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.follow_to_the_end()?;
                    return self.sign();
                }
            }
            if pursuit == Pursuit::Behind || followed.elapsed() >= FOLLOW_INTERVAL {
                pursuit = self.follow()?;
                followed = Instant::now();
            }
            if signed.is_none_or(|signed| signed.elapsed() >= self.seed.interval) {
                self.sign()?;
                signed = Some(Instant::now());
            }
        }
    }

    /// No more blocks come: takes those that are left.
    fn follow_to_the_end(&mut self) -> Result<(), ProofError> {
        let start = Instant::now();
        while self.follow()? == Pursuit::Behind {
            if start.elapsed() >= LAST_FOLLOW_MAX {
                log::warn!(
                    "the proofs' trees are behind the log; the next start goes on with them"
                );
                break;
            }
        }
        Ok(())
    }

    /// Takes blocks that have become durable, some of each stream.
    fn follow(&mut self) -> Result<Pursuit, ProofError> {
        let ProverSeed { shards, placement, shared, .. } = &mut self.seed;
        let durable = |shard| shared.position(shard).unwrap_or(0);
        let mut all = Pursuit::Level;
        for (core, follower) in placement.cores().zip(&mut self.followers) {
            let start = Instant::now();
            let goes_on = &mut || start.elapsed() < FOLLOW_MAX;
            let stream_shards = placement.shards_of(core);
            if pursue(follower, shards, &stream_shards, &durable, goes_on)? == Pursuit::Behind {
                all = Pursuit::Behind;
            }
        }
        Ok(all)
    }

    fn sign(&mut self) -> Result<(), ProofError> {
        let now_ms = self.clock.compared_now_ms();
        for shard in &mut self.seed.shards {
            if shard.sign(&self.seed.key, now_ms)? {
                self.seed.shared.publish_signed(shard.shard(), shard.signed_size());
            }
        }
        Ok(())
    }

    fn answer(&mut self, request: &ProofRequest) -> Result<(), ProofError> {
        let answer = match self.prove(request) {
            Err(ProofError::Gone { .. }) => ProofAnswer::Gone,
            Err(error @ ProofError::Damaged { shard, .. }) => {
                log::error!("{error}");
                self.make_again(shard)?;
                // What was damaged is whole now, or the next try says what is not.
                self.prove(request)?
            }
            other => other?,
        };
        let core = self.seed.office.answer(ProofMail { to: request.to, answer });
        self.wakers[core.index()].wake();
        Ok(())
    }

    fn prove(&mut self, request: &ProofRequest) -> Result<ProofAnswer, ProofError> {
        let shard = &mut self.seed.shards[usize::from(request.shard.0)];
        let size = shard.signed_size();
        if request.sequences.iter().any(|&sequence| sequence > size) {
            let interval_ms = self.seed.interval.as_millis();
            let retry_after_s = u32::try_from(interval_ms.div_ceil(1000)).unwrap_or(u32::MAX);
            return Ok(ProofAnswer::NotYet { retry_after_s });
        }
        let records = request.sequences.iter().map(|&sequence| shard.prove(sequence));
        let records = records.collect::<Result<Vec<_>, _>>()?;
        let (store, store_name) = &self.seed.store;
        let draft = ReceiptDraft {
            order: request.order,
            store: *store,
            store_name,
            shard: request.shard,
            records: &records,
            note: shard.last_note(),
            size,
            public: self.seed.key.public(),
        };
        let body = draft.document().to_string().into_bytes().into_boxed_slice();
        Ok(ProofAnswer::Receipt(body))
    }

    /// Makes a shard's tree again, from the first record to where it was.
    fn make_again(&mut self, shard: ShardId) -> Result<(), ProofError> {
        let ends: Vec<u64> = self.seed.shards.iter().map(ShardProofs::size).collect();
        self.seed.shards[usize::from(shard.0)].begin_anew()?;
        catch_up(&self.seed.paths, &mut self.seed.shards, &ends)?;
        self.sign()
    }
}
