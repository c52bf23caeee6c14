//! `claw log compare`: which of two events could have known of the other, and what only one had
//! seen.
//!
//! A record's version vector says how far its shard had seen into each shard's log directly: by a
//! message from there. What those records had seen in turn belongs to its history as well, so the
//! histories compared here are closed over that: for each shard seen, the record seen last is
//! looked up and its vector joined, until nothing is added. That takes one more reading of the log
//! for each step between shards, and no memory that grows with the log.
//!
//! Deliberately says nothing of who was first in a sale: that is the position in the owner's log.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;

use anyhow::Context as _;
use claw_common::id::{Position, ShardId};
use claw_core::clock::{Causality, compare, join_reached, reached};
use serde_json::{Value, json};

use super::source::Source;
use super::{CompareArgs, render};
use crate::cli::output::UsageError;

/// One of the two events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subject {
    position: Position,
    kind: String,
    /// How far into each shard its history reaches, itself included.
    history: Vec<u64>,
}

/// How the two relate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Comparison {
    first: Subject,
    second: Subject,
}

/// What one history has and the other has not, in one shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Gap {
    shard: ShardId,
    from: u64,
    to: u64,
}

pub(super) fn run(args: &CompareArgs) -> anyhow::Result<ExitCode> {
    let (first, second) = (position(&args.first)?, position(&args.second)?);
    let comparison = Comparison::make(&Source::open(&args.store)?, first, second)?;
    let text = if args.json { format!("{}\n", comparison.object()) } else { comparison.text() };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Reads `SHARD:SEQUENCE`, as `Claw-Position` and `claw log show` write it.
fn position(text: &str) -> Result<Position, UsageError> {
    let parsed = text.split_once(':').and_then(|(shard, sequence)| {
        Some(Position { shard: ShardId(shard.parse().ok()?), sequence: sequence.parse().ok()? })
    });
    parsed.ok_or_else(|| {
        UsageError(format!("{text:?} is no position: write SHARD:SEQUENCE, such as 0:41"))
    })
}

impl Comparison {
    /// Finds both events and closes their histories.
    pub(super) fn make(source: &Source, first: Position, second: Position) -> anyhow::Result<Self> {
        let found = vectors_at(source, &[first, second])?;
        let subject = |position: Position| {
            let (kind, history) = found.get(&position).cloned().with_context(|| {
                let place = place(position);
                format!(
                    "find {place}: no such record; `claw log stats` says how far each shard goes"
                )
            })?;
            anyhow::Ok(Subject { position, kind, history })
        };
        let (mut first, mut second) = (subject(first)?, subject(second)?);
        close(source, [&mut first.history, &mut second.history])?;
        Ok(Self { first, second })
    }

    fn relation(&self) -> Causality {
        compare(&self.first.history, &self.second.history)
    }

    pub(super) fn text(&self) -> String {
        let (first, second) = (named(&self.first), named(&self.second));
        let relation = match self.relation() {
            Causality::Equal => format!("{first} is the same event\n"),
            Causality::Before => format!("{first} is before {second}: the second could know it\n"),
            Causality::After => format!("{first} is after {second}: the first could know it\n"),
            Causality::Concurrent => {
                format!("{first} and {second} are concurrent: neither could know the other\n")
            }
        };
        let history = |subject: &Subject| {
            format!("history of {}: {:?}\n", place(subject.position), subject.history)
        };
        let mut text = relation + &history(&self.first) + &history(&self.second);
        for (one, other) in [(&self.first, &self.second), (&self.second, &self.first)] {
            let only = place(one.position);
            text.extend(gaps(one, other).map(|Gap { shard, from, to }| {
                format!("only {only} had seen shard {shard} from {from} to {to}\n")
            }));
        }
        text
    }

    pub(super) fn object(&self) -> Value {
        let relation = match self.relation() {
            Causality::Equal => "same",
            Causality::Before => "before",
            Causality::After => "after",
            Causality::Concurrent => "concurrent",
        };
        let subject = |one: &Subject, other: &Subject| {
            let only: Vec<_> = gaps(one, other)
                .map(|gap| json!({ "shard": gap.shard.0, "from": gap.from, "to": gap.to }))
                .collect();
            json!({
                "position": place(one.position),
                "kind": one.kind,
                "history": one.history,
                "only": only,
            })
        };
        json!({
            "relation": relation,
            "first": subject(&self.first, &self.second),
            "second": subject(&self.second, &self.first),
        })
    }
}

fn place(position: Position) -> String {
    format!("{}:{}", position.shard, position.sequence)
}

fn named(subject: &Subject) -> String {
    format!("{} {}", place(subject.position), subject.kind)
}

fn gaps(one: &Subject, other: &Subject) -> impl Iterator<Item = Gap> {
    let pairs = one.history.iter().zip(&other.history);
    (0..)
        .map(ShardId)
        .zip(pairs)
        .filter(|(_, (one, other))| one > other)
        .map(|(shard, (one, other))| Gap { shard, from: other + 1, to: *one })
}

/// Closes both histories, looking up what each step reaches in one reading of the log.
fn close(source: &Source, mut histories: [&mut Vec<u64>; 2]) -> anyhow::Result<()> {
    loop {
        let wanted: Vec<_> = histories.iter().flat_map(|history| reached(history)).collect();
        let found = vectors_at(source, &wanted)?;
        let mut grown = false;
        for history in &mut histories {
            let seen_at = |position| found.get(&position).map(|(_, seen)| seen.as_slice());
            grown |= join_reached(history, seen_at).map_err(|missing| {
                let place = place(missing);
                anyhow::anyhow!("find {place}: an event saw it, and the log has it no more")
            })?;
        }
        if !grown {
            return Ok(());
        }
    }
}

/// Kind and version vector of the records at these positions, as far as they are there.
fn vectors_at(
    source: &Source,
    wanted: &[Position],
) -> anyhow::Result<BTreeMap<Position, (String, Vec<u64>)>> {
    let mut found = BTreeMap::new();
    let mut chains = source.chains();
    let _flow: ControlFlow<()> =
        source.log.replay(&source.tails, &mut chains, &mut |block, record| {
            let position = Position { shard: record.shard, sequence: record.sequence };
            if wanted.contains(&position) {
                let kind = render::kind_name(record.header.kind.get());
                found.insert(position, (kind, render::seen_by(block, record)));
            }
            ControlFlow::Continue(())
        })?;
    Ok(found)
}
