//! `claw audit --full`: everything that can be checked is checked, over the whole log.
//!
//! - *log*: checksums, stream chains, shard chains, archive included, no record missing;
//! - *evidence*: every ed25519 signature in a record, by the key that the log says was in force
//!   then, over the request that the record names;
//! - *trees*: built anew from the log, equal to every signed checkpoint and every stored node;
//! - *checkpoints*: each signed by the node's key and naming the one before it;
//! - *states*: replayed from the first record, equal to every snapshot's state hash, which the node
//!   compared with its live state when it wrote it, and with `--node` to what the node says of its
//!   shards at this moment.
//!
//! Owns the order and the report. Each part is a file and fills in its own [`Part`]; the first
//! finding of each says where. Reads once for keys and once for everything else. Changes nothing,
//! and works beside a running node up to what is readable.

mod evidence;
mod keys;
mod promised;
mod states;
mod trees;

use std::ops::ControlFlow;
use std::path::Path;

use claw_common::id::ShardId;
use serde_json::{Value, json};

use crate::cli::log::source::{Source, progress};
use crate::config::{Config, KeyRegistry, Overrides, load_schema};

use evidence::Evidence;
use keys::LoggedKeys;
pub(super) use promised::Promised;
pub(super) use states::{Claim, Live, Whose};

use states::States;
use trees::Trees;

/// Findings of a part that are told; the rest is counted.
const FINDINGS_TOLD_MAX: usize = 20;

/// One part's result.
#[derive(Debug)]
pub(super) struct Part {
    name: &'static str,
    /// What was checked, in words.
    checked: String,
    findings: Vec<String>,
    findings_count: usize,
}

impl Part {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, checked: String::new(), findings: Vec::new(), findings_count: 0 }
    }

    fn find(&mut self, finding: String) {
        self.findings_count += 1;
        if self.findings.len() < FINDINGS_TOLD_MAX {
            self.findings.push(finding);
        }
    }
}

/// What the full audit found.
#[derive(Debug)]
pub(super) struct FullReport {
    parts: Vec<Part>,
}

impl FullReport {
    /// Of a log that cannot even be read: nothing else can be judged.
    pub(super) fn unreadable(damage: String) -> Self {
        let mut part = Part::new("log");
        part.find(damage);
        Self { parts: vec![part] }
    }

    pub(super) fn holds(&self) -> bool {
        self.parts.iter().all(|part| part.findings_count == 0)
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for part in &self.parts {
            let verdict = if part.findings_count == 0 { "ok" } else { "FAILED" };
            lines.push(format!("{:<12} {verdict}  {}", part.name, part.checked));
            lines.extend(part.findings.iter().map(|finding| format!("finding: {finding}")));
            let beyond = part.findings_count - part.findings.len();
            if beyond > 0 {
                lines.push(format!("and {beyond} findings more in {}", part.name));
            }
        }
        lines
    }

    pub(super) fn object(&self) -> Value {
        let parts = self.parts.iter().map(|part| {
            let object = json!({
                "ok": part.findings_count == 0,
                "checked": part.checked,
                "findings_count": part.findings_count,
                "findings": part.findings,
            });
            (part.name.to_owned(), object)
        });
        Value::Object(parts.collect())
    }
}

/// What was said of the log before it was read: it has to be in it.
#[derive(Debug)]
pub(super) struct Said {
    /// By the store's other files.
    pub(super) promised: Promised,
    /// By the running node of its shards.
    pub(super) live: Live,
}

/// Audits everything. `public` is the node's pinned key; `None`: as the store names it.
pub(super) fn audit(
    source: &Source,
    store: &Path,
    public: Option<[u8; 32]>,
    said: Said,
) -> anyhow::Result<FullReport> {
    let config = Config::load(store, &Overrides::from_environment())?;
    let schema = load_schema(store)?;
    let public = match public {
        Some(public) => Some(public),
        None => KeyRegistry::load(store)?.node_public_key(),
    };
    let keys = LoggedKeys::collect(source)?;
    let mut log = Part::new("log");
    let mut evidence = Evidence::new(keys, source.reader_if_any(store));
    let mut trees = Trees::new(source, public, &said.promised);
    let mut states = States::new(source, &config, schema.hash(), said)?;
    let mut records_count = 0_u64;
    let total = source.tails.iter().map(|tail| tail.blocks.len()).sum::<usize>();
    let bar = progress("auditing {wide_bar} {pos}/{len} blocks {eta}", total);
    let mut last_block = None;
    let flow = source.log.replay(&source.tails, &mut source.chains(), &mut |block, record| {
        records_count += 1;
        let place = (block.header().stream.get(), block.stream_sequence());
        if last_block != Some(place) {
            last_block = Some(place);
            bar.inc(1);
        }
        evidence.take(record);
        trees.take(record);
        states.take(block, record);
        ControlFlow::Continue(())
    });
    bar.finish_and_clear();
    let cut: usize = source.tails.iter().map(|tail| tail.cut.len()).sum();
    log.checked = format!(
        "{records_count} records in {total} blocks of {} streams, {cut} never acknowledged",
        source.tails.len()
    );
    if let Err(error) = flow {
        log.find(error.to_string());
    }
    let [trees, checkpoints] = trees.close();
    let parts = vec![log, evidence.close(), trees, checkpoints, states.close()];
    Ok(FullReport { parts })
}

/// A place as people say it.
fn place(shard: ShardId, sequence: u64) -> String {
    format!("shard {shard} record {sequence}")
}
