//! Which keys the log says were in force, and when.
//!
//! Keys live in shard 0. A key is in force from its `key-changed` event on; the cores of a node
//! take it up a moment after that event is durable, and drop a revoked one likewise. Records of
//! other shards have no place in shard 0's order, so what is compared is stamps, with the skew that
//! the log allows between them.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use anyhow::Context as _;
use claw_common::limits::CLOCK_SKEW_MS_MAX;
use claw_common::time::{Hlc, UnixMs};
use claw_core::shard::event::{Event, EventKind};

use crate::cli::log::source::Source;

/// One state of a key.
#[derive(Clone, Debug)]
pub(super) struct LoggedKey {
    pub(super) name: String,
    pub(super) public: [u8; 32],
    revoked: bool,
    since_ms: UnixMs,
}

/// Every key with its states in order.
#[derive(Debug, Default)]
pub(super) struct LoggedKeys {
    keys: BTreeMap<u32, Vec<LoggedKey>>,
}

impl LoggedKeys {
    /// Reads shard 0 for them. What cannot be replayed ends the list; the audit itself says why.
    pub(super) fn collect(source: &Source) -> anyhow::Result<Self> {
        let mut found = Self::default();
        let mut failed = None;
        // A broken chain is found again, and told, by the audit.
        source
            .log
            .replay(&source.tails, &mut source.chains(), &mut |_, record| {
                let header = record.header;
                if header.kind.get() != EventKind::KeyChanged as u16 {
                    return ControlFlow::Continue(());
                }
                let version = header.event_version.get();
                match Event::decode(header.kind.get(), version, record.event) {
                    Ok(Event::KeyChanged(key)) => {
                        let state = LoggedKey {
                            name: key.name.to_owned(),
                            public: key.public,
                            revoked: key.revoked,
                            since_ms: Hlc(header.hlc.get()).unix_ms(),
                        };
                        found.keys.entry(key.number).or_default().push(state);
                        ControlFlow::Continue(())
                    }
                    Ok(_) => ControlFlow::Continue(()),
                    Err(error) => {
                        let place = super::place(record.shard, record.sequence);
                        failed = Some(anyhow::Error::from(error).context(place));
                        ControlFlow::Break(())
                    }
                }
            })
            .ok();
        failed.map_or(Ok(found), Err).context("reading the keys in the log")
    }

    pub(super) fn count(&self) -> usize {
        self.keys.len()
    }

    /// The key with this number, if one of its states was in force when a request was accepted.
    pub(super) fn in_force(&self, number: u32, accepted_ms: UnixMs) -> Result<&LoggedKey, String> {
        let states =
            self.keys.get(&number).ok_or_else(|| format!("key {number} was never registered"))?;
        let late_ms = accepted_ms + CLOCK_SKEW_MS_MAX;
        let begun = states.iter().rev().filter(|state| state.since_ms <= late_ms);
        let mut begun = begun.peekable();
        let newest = *begun.peek().ok_or_else(|| format!("key {number} was not registered yet"))?;
        if !newest.revoked {
            return Ok(newest);
        }
        // Revoked a moment before: other cores may still have had it.
        let just_now = accepted_ms <= newest.since_ms + CLOCK_SKEW_MS_MAX;
        let before = begun.find(|state| !state.revoked).filter(|_| just_now);
        before.ok_or_else(|| format!("key {number} (`{}`) was revoked", newest.name))
    }
}
