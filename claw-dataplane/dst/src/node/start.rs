//! From what is durable to a running node: superblocks, streams, shards, open work.
//!
//! The same pure recovery as the real node's. A start can be cut short by a crash itself; it may
//! use another count of cores than the run before, and any snapshot that the log still reaches.
//! Before anything runs, the ledger compares what came back with what was promised.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use claw_common::id::ShardId;
use claw_core::log::{
    BlockPlace, BlockView, RecordView, SegmentScan, ShardChains, ShardStart, ShardTail, StoreShape,
    StreamBlocks, StreamRecovery, StreamTail, Superblock, replay,
};
use claw_core::shard::Shard;
use claw_core::shard::event::EventKind;

use super::Node;
use super::lane::Lane;
use super::stream::{Stream, Used};
use crate::device::{Device, SUPERBLOCK_AREA, area_of_segment};
use crate::invariants::RecoveredBlock;
use crate::options::{Canary, Options};
use crate::site::{Site, shard_config, shards};
use crate::violation::{Checked, Violation};

const RECOVERS: &str = "recovery succeeds";
/// One segment, bytes: the smallest there may be, so that worlds reuse them.
const SEGMENT_BYTES: u64 = 256 * 1024;

/// Starts the node. `None`: it crashed while starting.
pub(crate) fn start(site: &mut Site, incarnation: u32) -> Result<Option<Node>, Violation> {
    let options = site.scene.options;
    let cores = cores(site, incarnation);
    while site.devices.len() < usize::from(cores) {
        let device = format(&options, site.devices.len());
        site.devices.push(device);
    }
    let mut tails = Vec::new();
    for device in &site.devices {
        tails.push(recover_stream(device).map_err(|e| Violation::new(RECOVERS, e))?);
    }
    for tail in &tails {
        for cut in &tail.cut {
            let stream = tail.superblock.stream;
            let fact = format_args!("stream {stream} block {}: {}", cut.sequence, cut.damage);
            site.scene.line('x', fact);
        }
    }
    let Some(superblocks) = raise(site, &tails) else { return Ok(None) };
    let (lanes, used) = recover_shards(site, &tails)?;
    let mut streams = Vec::new();
    for ((superblock, tail), used) in superblocks.into_iter().zip(&tails).zip(used) {
        let segments_count = site.devices[streams.len()].segments_count();
        streams.push(Stream::new(incarnation, superblock, tail, used, segments_count));
    }
    let mut node = Node { incarnation, lanes, streams, cores, arrivals: BTreeMap::new() };
    node.resume(site)?;
    Ok(Some(node))
}

fn cores(site: &mut Site, incarnation: u32) -> u16 {
    let options = site.scene.options;
    let cores = if options.cores_change && incarnation > 1 {
        u16::try_from(site.scene.node_random.between(1, 2)).expect("small")
    } else {
        options.cores
    };
    cores.min(options.shards)
}

fn format(options: &Options, stream: usize) -> Device {
    let mut store_id = [0; 16];
    store_id[..8].copy_from_slice(&options.seed.to_le_bytes());
    let shape = StoreShape { store_id, shards_count: options.shards, segment_bytes: SEGMENT_BYTES };
    let mut device = Device::new();
    let superblock = Superblock::format(shape, u16::try_from(stream).expect("small"));
    let write = device.write(SUPERBLOCK_AREA, superblock.offset(), &superblock.encode());
    device.persist(write);
    device
}

/// Judges one stream.
pub(crate) fn recover_stream(device: &Device) -> Result<StreamTail, String> {
    let superblock = Superblock::newest(device.medium(SUPERBLOCK_AREA));
    let mut recovery = StreamRecovery::new(superblock.map_err(|error| error.to_string())?);
    for segment in 0..device.segments_count() {
        let bytes = device.medium(area_of_segment(segment));
        for found in SegmentScan::new(bytes) {
            recovery.observe(segment, bytes, &found);
        }
    }
    recovery.finish().map_err(|error| error.to_string())
}

/// Makes the new epochs durable, two copies each. `None`: power failed meanwhile.
fn raise(site: &mut Site, tails: &[StreamTail]) -> Option<Vec<Superblock>> {
    let streams_count = u16::try_from(tails.len()).expect("small");
    let mut raised = Vec::new();
    for (tail, device) in tails.iter().zip(&mut site.devices) {
        let first = tail.raise(streams_count);
        let second = first.again();
        for copy in [&first, &second] {
            let write = device.write(SUPERBLOCK_AREA, copy.offset(), &copy.encode());
            if site.scene.device_random.chance(site.scene.options.crash_in_start_permille) {
                site.scene.line('!', format_args!("while starting"));
                let wreck = device.crash(&site.scene.options, &mut site.scene.device_random);
                site.scene.line('!', format_args!("{wreck:?}"));
                return None;
            }
            device.persist(write);
        }
        raised.push(second);
    }
    Some(raised)
}

/// Replays all shards; returns them with the segments in use of each stream.
fn recover_shards(
    site: &mut Site,
    tails: &[StreamTail],
) -> Result<(Vec<Lane>, Vec<Vec<Used>>), Violation> {
    let options = site.scene.options;
    let mut live = Vec::new();
    let mut starts = Vec::new();
    for shard in shards(&options) {
        let (restored, start) = restore(site, shard)?;
        live.push(restored);
        starts.push(start);
    }
    let mut chains = ShardChains::new(&starts);
    let Site { devices, ledger, floors, .. } = site;
    let bytes: Vec<_> = devices
        .iter()
        .map(|device| {
            move |place: &BlockPlace| &device.medium(area_of_segment(place.segment))[place.offset..]
        })
        .collect();
    let blocks: Vec<_> = tails
        .iter()
        .zip(&bytes)
        .map(|(tail, bytes)| StreamBlocks { blocks: &tail.blocks, bytes })
        .collect();
    let mut used: Vec<_> = tails.iter().map(|tail| segments_used(tail, &options)).collect();
    let recovered = recovered_blocks(&blocks, &mut used);
    ledger.recovered(&recovered, floors)?;
    let mut applied = Ok(());
    let mut vector_of = None;
    let last_of = last_records(&recovered, options.shards);
    let outcome = replay(&mut chains, &blocks, &mut |view, record| {
        let shard = &mut live[usize::from(record.shard.0)];
        if vector_of != Some(*view.hash()) {
            vector_of = Some(*view.hash());
            shard.observe_vector(view.vector());
        }
        applied = ledger
            .catch_up(view, record)
            .and_then(|()| apply(shard, record, &options, last_of[usize::from(record.shard.0)]));
        if applied.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    // Breaking off is told by `applied`.
    let (ControlFlow::Continue(()) | ControlFlow::Break(())) =
        outcome.map_err(|error| Violation::new(RECOVERS, error.to_string()))?;
    applied?;
    let ends = chains.tails();
    for ((shard, end), start) in live.iter().zip(&ends).zip(&starts) {
        ledger.restarted(shard, end, start.sequence)?;
    }
    let lanes = live.into_iter().zip(ends).map(|(shard, end)| lane(shard, end, &options)).collect();
    Ok((lanes, used))
}

fn lane(shard: Shard, end: ShardTail, options: &Options) -> Lane {
    Lane::new(shard, end, options.slot_bytes)
}

/// A shard from a snapshot, or empty.
fn restore(site: &mut Site, shard: ShardId) -> Result<(Shard, ShardStart), Violation> {
    let options = site.scene.options;
    let index = usize::from(shard.0);
    let kept = &site.snapshots[index];
    let usable = kept.iter().filter(|snapshot| snapshot.sequence >= site.floors[index]);
    let usable: Vec<_> = usable.collect();
    let random = &mut site.scene.node_random;
    let without = site.floors[index] == 0 && random.chance(300);
    let newest = usable.last().filter(|_| random.chance(700)).copied();
    let config = shard_config(&options, shard);
    match newest.or_else(|| random.pick(&usable).copied()).filter(|_| !without) {
        None => Ok((Shard::new(config), ShardStart::default())),
        Some(snapshot) => {
            let restored = Shard::restore(config, &snapshot.bytes)
                .map_err(|error| Violation::new(RECOVERS, error.to_string()))?;
            let (sequence, hash) = (snapshot.sequence, snapshot.hash);
            Ok((restored, ShardStart { sequence, hash }))
        }
    }
}

fn segments_used(tail: &StreamTail, options: &Options) -> Vec<Used> {
    tail.segments
        .iter()
        .map(|used| Used {
            segment: used.segment,
            generation: used.generation,
            first_sequence: used.first_sequence,
            first_previous: used.first_previous,
            lasts: vec![0; usize::from(options.shards)],
        })
        .collect()
}

fn recovered_blocks(streams: &[StreamBlocks<'_>], used: &mut [Vec<Used>]) -> Vec<RecoveredBlock> {
    let mut recovered = Vec::new();
    for (stream, used) in streams.iter().zip(used) {
        for place in stream.blocks {
            let view = BlockView::reread((stream.bytes)(place)).expect("recovery checked it");
            let Some(shard) = view.shard() else { continue };
            let sequence_last = view.sequence_last();
            recovered.push(RecoveredBlock { shard, sequence_last, hash: *view.hash() });
            let segment = used.iter_mut().find(|used| used.generation == place.generation);
            let segment = segment.expect("recovery names the segments of its blocks");
            segment.lasts[usize::from(shard.0)] = sequence_last;
        }
    }
    recovered
}

/// Each shard's last record: what the canary forgets.
fn last_records(recovered: &[RecoveredBlock], shards_count: u16) -> Vec<u64> {
    let mut lasts = vec![0; usize::from(shards_count)];
    for block in recovered {
        let last = &mut lasts[usize::from(block.shard.0)];
        *last = block.sequence_last.max(*last);
    }
    lasts
}

fn apply(shard: &mut Shard, record: &RecordView<'_>, options: &Options, last: u64) -> Checked {
    let moved = record.header.kind.get() == EventKind::StockMoved as u16;
    let twice = options.makes(Canary::DoubleApply) && moved;
    if options.makes(Canary::ShortReplay) && record.sequence == last {
        return Ok(());
    }
    for _ in 0..=u32::from(twice) {
        shard
            .apply(&record.into())
            .map_err(|error| Violation::new(RECOVERS, format!("{error} at {}", record.sequence)))?;
    }
    Ok(())
}

impl Node {
    fn resume(&mut self, site: &mut Site) -> Checked {
        if site.scene.options.makes(Canary::NoResume) {
            return Ok(());
        }
        let now_ms = site.scene.clock_ms();
        for index in 0..self.lanes.len() {
            self.lanes[index].resume(now_ms);
            self.work(site, self.lanes[index].shard.id())?;
        }
        Ok(())
    }
}
