//! `claw log verify`: is everything there and as it was written?
//!
//! Blocks: checksums, the stream's chain, sequences and epochs. Shards: their own chain over all
//! streams, from the first record. Records: every event decodes, stamps and times do not go back.
//! Not checked here: signatures (they need the keys) and whether the events make sense together
//! (`claw audit`).

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::process::ExitCode;

use claw_common::id::ShardId;
use claw_core::log::{RecordView, StreamTail};
use claw_core::shard::event::Event;
use serde_json::{Value, json};

use super::VerifyArgs;
use super::source::{Source, log_paths, read};
use crate::cli::output;
use crate::log::StreamLog;

pub(super) fn run(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let paths = log_paths(&args.store)?;
    let verdict = match read(&paths) {
        Ok((log, tails)) => verify(&Source { paths, log, tails }),
        Err(error) => Verdict { damage: Some(error.to_string()), ..Verdict::default() },
    };
    if args.json {
        output::json(&verdict.object())?;
    } else {
        output::data(verdict.text().trim_end())?;
    }
    Ok(if verdict.damage.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    streams: Vec<StreamTail>,
    records_count: u64,
    positions: Vec<u64>,
    /// The first damage.
    pub(super) damage: Option<String>,
}

pub(super) fn verify(source: &Source) -> Verdict {
    let mut chains = source.chains();
    let mut verdict = Verdict { streams: source.tails.clone(), ..Verdict::default() };
    let mut clocks = Clocks::default();
    let flow = source.log.replay(&source.tails, &mut chains, &mut |_, record| {
        verdict.records_count += 1;
        match clocks.check(record) {
            Ok(()) => ControlFlow::Continue(()),
            Err(damage) => {
                let (shard, sequence) = (record.shard, record.sequence);
                verdict.damage = Some(format!("shard {shard} record {sequence}: {damage}"));
                ControlFlow::Break(())
            }
        }
    });
    if let Err(error) = flow {
        verdict.damage = Some(error.to_string());
    }
    verdict.positions = chains.tails().iter().map(|tail| tail.sequence).collect();
    verdict
}

/// The last stamp and time of each shard.
#[derive(Debug, Default)]
struct Clocks {
    last: std::collections::BTreeMap<ShardId, (u64, u64)>,
}

impl Clocks {
    fn check(&mut self, record: &RecordView<'_>) -> Result<(), String> {
        let header = record.header;
        let (stamp, now_ms) = (header.hlc.get(), header.now_ms.get());
        let before = self.last.insert(record.shard, (stamp, now_ms)).unwrap_or_default();
        if stamp <= before.0 && before.0 != 0 {
            return Err("its stamp is not above the one before".to_owned());
        }
        if now_ms < before.1 {
            return Err("its time is before the one before".to_owned());
        }
        let event = Event::decode(header.kind.get(), header.event_version.get(), record.event);
        event.map(|_| ()).map_err(|error| format!("{:#}", anyhow::Error::from(error)))
    }
}

impl Verdict {
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for tail in &self.streams {
            // Writing to a String cannot fail.
            writeln!(text, "{}", stream_line(tail)).ok();
            for cut in &tail.cut {
                let (sequence, segment, offset) = (cut.sequence, cut.segment, cut.offset);
                let damage = cut.damage;
                writeln!(
                    text,
                    "  beyond the end: block {sequence} (segment {segment} byte {offset}) was \
                     never acknowledged: {damage}"
                )
                .ok();
            }
        }
        match &self.damage {
            Some(damage) => writeln!(text, "damaged: {damage}").ok(),
            None => writeln!(text, "whole: {} records", self.records_count).ok(),
        };
        text
    }

    fn object(&self) -> Value {
        let streams: Vec<Value> = self.streams.iter().map(stream_object).collect();
        json!({
            "whole": self.damage.is_none(),
            "damage": self.damage,
            "records": self.records_count,
            "positions": self.positions,
            "streams": streams,
        })
    }
}

fn stream_line(tail: &StreamTail) -> String {
    let archived = archived(tail);
    format!(
        "stream {}: {} blocks up to {} in {} segments ({archived} archived), epoch {}",
        tail.superblock.stream,
        tail.blocks.len(),
        tail.last_sequence,
        tail.segments.len(),
        tail.superblock.epoch,
    )
}

fn stream_object(tail: &StreamTail) -> Value {
    let cut: Vec<Value> = tail
        .cut
        .iter()
        .map(|cut| {
            json!({
                "segment": cut.segment,
                "offset": cut.offset,
                "block": cut.sequence,
                "damage": cut.damage.to_string(),
            })
        })
        .collect();
    json!({
        "stream": tail.superblock.stream,
        "epoch": tail.superblock.epoch,
        "blocks": tail.blocks.len(),
        "last_block": tail.last_sequence,
        "durable_up_to": tail.watermark,
        "segments": tail.segments.len(),
        "segments_archived": archived(tail),
        "beyond_the_end": cut,
    })
}

fn archived(tail: &StreamTail) -> usize {
    tail.segments.iter().filter(|segment| StreamLog::archived(segment.segment)).count()
}
