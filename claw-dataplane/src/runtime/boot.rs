//! From a configuration to a serving node, and to its orderly end.
//!
//! Owns the order of a start: everything that can be refused is refused before anything is written
//! (configuration, schema, keys, addresses that somebody has), then the device is locked and the
//! log recovered, then time is waited for, then cores start. Blocks the calling thread until a
//! signal asks for the end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use claw_common::id::ShardId;
use claw_core::schema::CompiledSchema;

use crate::config::{Config, Payments};
use crate::log::SegmentSupply;
use crate::node::certificate::CertificateWatch;
use crate::node::core::CoreError;
use crate::node::keys;
use crate::node::proofs;
use crate::node::shared::Shared;
use crate::node::vault::{self, LinkEvent};
use crate::ring::RingWaker;
use crate::subjects::SubjectKeys;
use crate::subjects::file::{self, Origin};

use super::address::NodeAddresses;
use super::core_thread::{CoreSeed, Started, spawn_core};
use super::error::{BootError, chain};
use super::fatal::{FatalReason, fatal};
use super::housekeeping::{Housekeeping, HousekeepingSeed};
use super::memory::populate_beside;
use super::mesh;
use super::open::{Opened, Summary, open};
use super::payments::VaultLink;
use super::placement::{Placement, cpus_allowed};
use super::prover::{ProverParts, ProverSeed};
use super::signals;

/// How long the main thread waits for a signal before it looks at its threads.
const WATCH_INTERVAL: Duration = Duration::from_millis(50);
/// How often the certificate's files are looked at.
const CERTIFICATE_INTERVAL: Duration = Duration::from_secs(1);

/// The threads beside the cores.
struct Helpers {
    housekeeping: Housekeeping,
    prover: ProverSeed,
}

/// A node that serves.
#[derive(Debug)]
pub struct Node {
    threads: Vec<JoinHandle<Result<(), CoreError>>>,
    wakers: Vec<RingWaker>,
    housekeeping: Housekeeping,
    prover: JoinHandle<()>,
    vault: Option<(JoinHandle<()>, mpsc::Sender<LinkEvent>)>,
    shared: Arc<Shared>,
    address: SocketAddr,
    tls_address: Option<SocketAddr>,
    certificate: Option<CertificateWatch>,
    summary: Summary,
}

impl Node {
    /// Starts a node. Call [`signals::block`] before.
    pub fn start(config: &Config, schema: CompiledSchema) -> Result<Self, BootError> {
        // Refused before anything is touched.
        keys::load(&config.store_dir)?;
        let placement = Placement::of_store(config, &cpus_allowed());
        let certificate = config.tls.clone().map(CertificateWatch::start).transpose()?;
        let spare_cpus = placement.spare_cpus(&cpus_allowed());
        let mut config = config.clone();
        let addresses = NodeAddresses::claim(&mut config)?;
        let config = &config;
        let link = VaultLink::open(config)?;
        let config = &with_payments(config, link.is_some());
        let schema = Arc::new(schema);
        let mut opened = open(config, schema.hash(), &placement)?;
        let subject_keys = Arc::new(open_subject_keys(config, &opened)?);
        let shared = Arc::new(Shared::new(placement.cores_count(), config.store.shards));
        for (shard, tail) in (0..).map(ShardId).zip(&opened.recovered.shards) {
            shared.publish(shard, tail.sequence);
        }
        let (desks, office) = proofs::build(placement.cores_count());
        let (vault_desks, vault_office) = vault::build(&placement);
        let mut vault_desks = vault_desks.into_iter().map(|desk| link.is_some().then_some(desk));
        let parts = ProverParts {
            office,
            placement: placement.clone(),
            shared: Arc::clone(&shared),
            cpus: spare_cpus.clone(),
        };
        let prover = ProverSeed::open(config, &opened, parts)?;
        let supplies: Vec<_> = placement.cores().map(|_| SegmentSupply::new()).collect();
        let housekeeping = Housekeeping::start(HousekeepingSeed {
            store: Arc::clone(&opened.store),
            paths: opened.paths.clone(),
            supplies: supplies.clone(),
            used: opened.used_segments(),
            config: config.clone(),
            schema_hash: schema.hash(),
            shared: Arc::clone(&shared),
            cpus: spare_cpus.clone(),
        })?;
        let summary = opened.summary(config, &placement);
        let mut listeners = addresses.listen(placement.cores_count())?.into_iter();
        let mut seeds = Vec::new();
        let mut endpoints = mesh::build(placement.cores_count()).into_iter();
        for ((core, supply), proofs) in placement.cores().zip(supplies).zip(desks) {
            let (tail, shards) = opened.take_core(core, &placement, schema.version());
            seeds.push(CoreSeed {
                id: core,
                placement: placement.clone(),
                config: config.clone(),
                schema: Arc::clone(&schema),
                store: Arc::clone(&opened.store),
                flush: opened.probe.flush,
                supply,
                tail,
                shards,
                mesh: endpoints.next().expect("one endpoint a core"),
                certificates: certificate.as_ref().map(CertificateWatch::certificates),
                proofs,
                vault: vault_desks.next().expect("one desk a core"),
                listeners: listeners.next().expect("one set a core"),
                shared: Arc::clone(&shared),
                subject_keys: Arc::clone(&subject_keys),
                spare_cpus: spare_cpus.clone(),
            });
        }
        populate_beside(Arc::clone(&shared), spare_cpus);
        let node = Self::start_cores(seeds, Helpers { housekeeping, prover }, shared, summary)?;
        let stop = vault_office.sender.clone();
        let link = link.map(|link| link.start(vault_office, node.wakers.clone()));
        let vault = link.map(|thread| (thread, stop));
        Ok(Self { vault, certificate, ..node })
    }

    fn start_cores(
        seeds: Vec<CoreSeed>,
        helpers: Helpers,
        shared: Arc<Shared>,
        summary: Summary,
    ) -> Result<Self, BootError> {
        let first = &seeds.first().expect("a node has a core").config;
        let (address, tls_address) = (first.node.listen, first.tls.as_ref().map(|tls| tls.listen));
        let (started_sender, started) = mpsc::channel();
        let mut threads = Vec::new();
        let mut go = Vec::new();
        for seed in seeds {
            let (sender, receiver) = mpsc::channel();
            go.push(sender);
            threads.push(spawn_core(seed, started_sender.clone(), receiver));
        }
        drop(started_sender);
        let mut parts: Vec<Option<Started>> = threads.iter().map(|_| None).collect();
        for _ in 0..threads.len() {
            let (core, result) = started.recv().map_err(|_gone| BootError::Core {
                core: 0,
                reason: "a core ended while starting".to_owned(),
            })?;
            let part = result.map_err(|reason| BootError::Core { core: core.0, reason })?;
            parts[core.index()] = Some(part);
        }
        let parts: Vec<Started> = parts.into_iter().flatten().collect();
        let wakers: Vec<RingWaker> = parts.iter().map(|part| part.waker.clone()).collect();
        let addresses: Arc<[_]> = parts.into_iter().map(|part| part.ring).collect();
        for sender in go {
            // A core that is gone is noticed by `serve`.
            drop(sender.send(Arc::clone(&addresses)));
        }
        let Helpers { housekeeping, prover } = helpers;
        let prover = prover.start(wakers.clone());
        let certificate = None;
        Ok(Self {
            threads,
            wakers,
            housekeeping,
            prover,
            vault: None,
            shared,
            address,
            tls_address,
            certificate,
            summary,
        })
    }

    /// Where it listens for plain HTTP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens for HTTPS.
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.tls_address
    }

    /// What the start found.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Serves until a signal, then drains.
    pub fn serve(mut self) {
        let mut looked = Instant::now();
        while !signals::wait(WATCH_INTERVAL) {
            self.end_on_failure();
            if let Some(certificate) = &mut self.certificate
                && looked.elapsed() >= CERTIFICATE_INTERVAL
            {
                certificate.look();
                looked = Instant::now();
            }
        }
        log::info!("draining");
        self.shared.request_stop();
        self.wakers.iter().for_each(RingWaker::wake);
        while !self.threads.is_empty() {
            if signals::wait(WATCH_INTERVAL) {
                log::warn!("second signal: not waiting for the drain");
                return;
            }
            self.join_ended();
        }
        self.housekeeping.stop();
        if let Some((thread, stop)) = self.vault {
            stop.send(LinkEvent::Stop).ok();
            thread.join().ok();
        }
        // Its queue ended with the cores; what they wrote is signed now.
        if self.prover.join().is_err() {
            log::error!("the prover panicked");
        }
        log::info!("drained: every acknowledged command is durable");
    }

    fn end_on_failure(&mut self) {
        if let Some(place) = self.threads.iter().position(JoinHandle::is_finished) {
            let ended = self.threads.swap_remove(place).join();
            fatal(&core_reason(ended));
        }
    }

    fn join_ended(&mut self) {
        while let Some(place) = self.threads.iter().position(JoinHandle::is_finished) {
            let ended = self.threads.swap_remove(place).join();
            if !matches!(ended, Ok(Ok(()))) {
                fatal(&core_reason(ended));
            }
        }
    }
}

/// Payments are taken where a vault said so.
fn with_payments(config: &Config, taken: bool) -> Config {
    let mut config = config.clone();
    config.payments.kind = if taken { Payments::Vault } else { Payments::None };
    config
}

/// The keys that personal data is sealed with: durable before anything is taken.
fn open_subject_keys(config: &Config, opened: &Opened) -> Result<SubjectKeys, BootError> {
    let (keys, origin) = file::load_or_create(&config.store_dir, config.store.id.0)?;
    let known = u64::try_from(keys.forgotten().len()).expect("a count of memory");
    let missing = opened.rebuilt.forgotten_count().saturating_sub(known);
    if missing > 0 {
        return Err(BootError::SubjectsOlder { missing });
    }
    if origin == Origin::Created && opened.recovered.records_count > 0 {
        log::warn!(
            "subjects/keys was not there and is new: personal data sealed before cannot be opened"
        );
    }
    Ok(keys)
}

fn core_reason(ended: std::thread::Result<Result<(), CoreError>>) -> FatalReason {
    match ended {
        Ok(Err(CoreError::Log(error))) => FatalReason::LogWrite(chain(&error)),
        Ok(Err(CoreError::Ring(error))) => FatalReason::Ring(chain(&error)),
        Ok(Ok(())) => FatalReason::CoreLost("without a reason".to_owned()),
        Err(_panic) => FatalReason::CoreLost("it panicked".to_owned()),
    }
}
