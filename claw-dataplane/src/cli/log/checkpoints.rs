//! `claw log checkpoints`: what the node has signed, and proofs between two of them.
//!
//! Reads text and tree as they lie, also beside a running node. Signatures are not judged here:
//! `claw verify` and `claw audit --full` do that.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use claw_common::id::ShardId;
use claw_core::merkle::consistency_proof;
use serde_json::{Value, json};

use super::CheckpointsArgs;
use super::render::time;
use super::source::log_paths;
use crate::cli::output;
use crate::log::proof::{
    Checkpoint, CheckpointFile, SignedNote, TreeReader, consistency_document, notes,
};
use crate::log::read_superblocks;

pub(super) fn run(args: &CheckpointsArgs) -> anyhow::Result<ExitCode> {
    let paths = log_paths(&args.store)?;
    if let (Some(shard), Some(from)) = (args.shard, args.from) {
        let document = prove(&paths.proofs, ShardId(shard), (from, args.to))?;
        output::json(&document)?;
        return Ok(ExitCode::SUCCESS);
    }
    let shards_count = read_superblocks(&paths.data)?[0].shape.shards_count;
    let mut rows = Vec::new();
    for shard in (0..shards_count).filter(|shard| args.shard.is_none_or(|only| only == *shard)) {
        let text = CheckpointFile::read_all(&paths.proofs, ShardId(shard))?;
        for note in notes(&text).0 {
            let place = || format!("shard {shard}: a checkpoint of {}", paths.proofs.display());
            rows.push(SignedNote::parse(note).with_context(place)?.unverified());
        }
    }
    if args.json {
        let list: Vec<Value> = rows.iter().map(object).collect();
        output::json(&Value::Array(list))?;
    } else {
        for row in &rows {
            output::data(&line(row))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn line(row: &Checkpoint) -> String {
    let root = STANDARD.encode(row.root);
    format!(
        "{}:{} {} root={root} previous={}",
        row.shard,
        row.size,
        time(row.at_ms),
        row.previous_size
    )
}

fn object(row: &Checkpoint) -> Value {
    json!({
        "shard": row.shard.0,
        "size": row.size,
        "root": STANDARD.encode(row.root),
        "at": time(row.at_ms),
        "previous_size": row.previous_size,
        "previous_root": STANDARD.encode(row.previous_root),
    })
}

/// The proof that the checkpoint of `sizes.1` records (the last, when not said) contains the one of
/// `sizes.0`.
fn prove(proofs: &Path, shard: ShardId, sizes: (u64, Option<u64>)) -> anyhow::Result<Value> {
    let text = CheckpointFile::read_all(proofs, shard)?;
    let (notes, _rest) = notes(&text);
    let with_size = |size: u64| {
        let of_size =
            |note: &&&str| SignedNote::parse(note).is_ok_and(|note| note.unverified().size == size);
        notes.iter().find(of_size).copied().with_context(|| {
            format!(
                "shard {shard}: no checkpoint has {size} records: `claw log checkpoints` lists them"
            )
        })
    };
    let old = with_size(sizes.0)?;
    let new = match sizes.1 {
        Some(size) => with_size(size)?,
        None => notes.last().copied().context("there are no checkpoints yet")?,
    };
    let new_size = SignedNote::parse(new)?.unverified().size;
    if new_size < sizes.0 {
        bail!(
            "prove {} from {}: the later checkpoint is the one with more records",
            new_size,
            sizes.0
        );
    }
    let tree = TreeReader::open(proofs, shard)?;
    let proof = consistency_proof(sizes.0, new_size, &mut |place| tree.node(place));
    let proof =
        proof.context("the tree is not there whole: start the node, which makes it again")?;
    Ok(consistency_document(old, new, &proof))
}
