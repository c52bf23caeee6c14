//! `claw verify`: what does this receipt prove?
//!
//! Needs no store and no network: the document, and the node's public key as it was pinned. Says in
//! words what is proved and what is not. Everything is computed from the document's bytes; what it
//! merely tells is compared, never believed.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use claw_common::time::Hlc;
use serde_json::{Value, json};

use super::log::render::{auth_name, fields_as_written, plain, time};
use super::output::{self, UsageError, public_key};
use crate::log::proof::{
    Checkpoint, Finding, VerifiedReceipt, VerifiedRecord, verify_consistency_document,
    verify_receipt,
};

/// Check a receipt, or the consistency of two checkpoints, offline.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  claw verify receipt.json --node-key node.pub
  claw verify receipt.json --node-key ZTLx...= --later later.json --json
  claw verify receipt.json --node-key node.pub --signer-key storefront.pub
  claw verify --consistency between.json --node-key node.pub

The node's key is keys/node.pub of the store, handed over by another way than the receipt. A
receipt is what GET /v1/orders/{id}/receipt answers; `-` reads it from standard input.
Exit code 0 when all of it holds, 1 when something does not, 2 when there is nothing to check.")]
pub struct VerifyArgs {
    /// The receipt
    #[arg(value_name = "RECEIPT", required_unless_present = "consistency")]
    receipt: Option<PathBuf>,
    /// The node's public key: a file (base64 or PEM), or base64
    #[arg(long, value_name = "FILE|BASE64")]
    node_key: Option<String>,
    /// Also check that this later checkpoint contains the receipt's (`claw log checkpoints --from`)
    #[arg(long, value_name = "FILE", requires = "receipt")]
    later: Option<PathBuf>,
    /// Also check that the requests were signed by this ed25519 key: a file, or base64
    #[arg(long, value_name = "FILE|BASE64", requires = "receipt")]
    signer_key: Option<String>,
    /// Check a consistency proof alone
    #[arg(long, value_name = "FILE", conflicts_with = "receipt")]
    consistency: Option<PathBuf>,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
pub fn run(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let Some(node_key) = &args.node_key else {
        let reason = "verify: name the node's public key with --node-key: keys/node.pub of the \
                      store, pinned by another way than the receipt. The key that a receipt names \
                      itself proves nothing";
        return Err(UsageError(reason.to_owned()).into());
    };
    let public = public_key("--node-key", node_key)?;
    let verdict = if let Some(path) = &args.consistency {
        check_consistency(&read_document(path)?, &public)
    } else {
        let path = args.receipt.as_deref().expect("the parser asks for one of them");
        check_receipt(args, &read_document(path)?, &public)?
    };
    let (holds, text, object) = match verdict {
        Ok(Holds { text, object }) => (true, text, object),
        Err(Finding::Document(reason)) => {
            return Err(UsageError(format!("verify: {reason}")).into());
        }
        Err(finding @ Finding::Broken(_)) => {
            let reason = finding.to_string();
            (false, format!("NOT PROVED: {reason}"), json!({ "holds": false, "reason": reason }))
        }
    };
    if args.json {
        output::json(&object)?;
    } else {
        output::data(text.trim_end())?;
    }
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What to say when everything holds.
struct Holds {
    text: String,
    object: Value,
}

fn check_consistency(document: &Value, public: &[u8; 32]) -> Result<Holds, Finding> {
    let (old, new) = verify_consistency_document(document, public)?;
    let text = consistency_words(&old, &new);
    let object = json!({
        "holds": true,
        "old": checkpoint_object(&old),
        "new": checkpoint_object(&new),
    });
    Ok(Holds { text, object })
}

fn check_receipt(
    args: &VerifyArgs,
    document: &Value,
    public: &[u8; 32],
) -> anyhow::Result<Result<Holds, Finding>> {
    let signer =
        args.signer_key.as_deref().map(|key| public_key("--signer-key", key)).transpose()?;
    let later = args.later.as_deref().map(read_document).transpose()?;
    Ok(verify_receipt(document, public).and_then(|receipt| {
        let later = later.map(|later| check_later(&receipt, &later, public)).transpose()?;
        if let Some(signer) = signer {
            check_signer(&receipt, &signer)?;
        }
        let text = words(&receipt, later.as_ref(), signer.is_some());
        let object = object(&receipt, later.as_ref(), signer.as_ref());
        Ok(Holds { text, object })
    }))
}

fn check_later(
    receipt: &VerifiedReceipt,
    later: &Value,
    public: &[u8; 32],
) -> Result<Checkpoint, Finding> {
    let (old, new) = verify_consistency_document(later, public)?;
    let ours = &receipt.checkpoint;
    if (old.store, old.shard, old.size, old.root) != (ours.store, ours.shard, ours.size, ours.root)
    {
        return Err(Finding::Broken(
            "--later proves something about another checkpoint than the receipt's".to_owned(),
        ));
    }
    Ok(new)
}

fn check_signer(receipt: &VerifiedReceipt, signer: &[u8; 32]) -> Result<(), Finding> {
    let signed: Vec<_> =
        receipt.records.iter().filter_map(|record| record.signed_by(signer)).collect();
    let reason = if signed.is_empty() {
        "no record holds an ed25519 signature: they were authenticated by other means"
    } else if signed.contains(&false) {
        "a record's signature is not of --signer-key"
    } else {
        return Ok(());
    };
    Err(Finding::Broken(reason.to_owned()))
}

fn words(receipt: &VerifiedReceipt, later: Option<&Checkpoint>, signer: bool) -> String {
    let checkpoint = &receipt.checkpoint;
    let mut lines = vec![
        format!("order {} of store {}", receipt.order, checkpoint.store),
        "PROVED".to_owned(),
        format!("  the node's key signed at {} (its own clock):", time(checkpoint.at_ms)),
        format!(
            "    shard {} holds exactly {} records, with root",
            checkpoint.shard, checkpoint.size
        ),
        format!("    {}", STANDARD.encode(checkpoint.root)),
        "  these records are among them, unaltered, at these places:".to_owned(),
    ];
    for record in &receipt.records {
        lines.extend(record_words(record));
    }
    if let Some(first) = receipt.records.first() {
        let sequence = first.view().record.sequence;
        lines.push(format!(
            "  who was first: the claim is record {sequence} of shard {}; what stands at a higher \
             number came later",
            checkpoint.shard
        ));
    }
    if signer {
        lines.push("  --signer-key signed the requests that hold an ed25519 signature".to_owned());
    }
    if let Some(later) = later {
        lines.push(format!("  {}", consistency_words(checkpoint, later)));
    }
    lines.push("NOT PROVED".to_owned());
    lines.extend(limits(receipt).into_iter().map(|limit| format!("  {limit}")));
    lines.join("\n")
}

fn record_words(record: &VerifiedRecord) -> Vec<String> {
    let view = record.view();
    let header = view.record.header;
    let accepted = time(Hlc(header.accepted_hlc.get()).unix_ms());
    let decided = time(header.now_ms.get());
    let who = match header.key.get() {
        0 => "the node itself".to_owned(),
        key => format!("key {key} ({})", auth_name(header.auth_mode.get())),
    };
    let mut lines = vec![format!(
        "    record {} {}: accepted {accepted}, decided {decided}, by {who}",
        view.record.sequence,
        record.kind.name()
    )];
    if let Ok(fields) = fields_as_written(&view.record) {
        let shown = fields.iter().filter(|(name, _)| *name != "ship_to");
        let shown: Vec<_> = shown.map(|(name, value)| format!("{name}={}", plain(value))).collect();
        lines.push(format!("      {}", shown.join(" ")));
    }
    lines
}

/// What nobody should read into it.
fn limits(receipt: &VerifiedReceipt) -> Vec<&'static str> {
    let mut limits = vec![
        "that nobody was shown another history: a lone node could sign two; compare checkpoints",
        "  with others, and keep this one: --later must still contain it",
        "that the node's clock was right: positions decide who was first, not times",
    ];
    let modes: Vec<u16> =
        receipt.records.iter().map(|record| record.view().record.header.auth_mode.get()).collect();
    if modes.iter().any(|mode| matches!(mode, 2 | 3)) {
        limits.push("to third parties, who asked: hmac and tokens convince the node alone");
    }
    limits
}

fn consistency_words(old: &Checkpoint, new: &Checkpoint) -> String {
    format!(
        "the checkpoint of {} ({} records of shard {}) contains that of {} ({} records), unaltered",
        time(new.at_ms),
        new.size,
        new.shard,
        time(old.at_ms),
        old.size
    )
}

fn object(
    receipt: &VerifiedReceipt,
    later: Option<&Checkpoint>,
    signer: Option<&[u8; 32]>,
) -> Value {
    let records: Vec<Value> =
        receipt.records.iter().map(|record| record_object(record, signer)).collect();
    json!({
        "holds": true,
        "order_id": receipt.order.to_string(),
        "checkpoint": checkpoint_object(&receipt.checkpoint),
        "records": records,
        "later": later.map(checkpoint_object),
        "not_proved": limits(receipt),
    })
}

fn record_object(record: &VerifiedRecord, signer: Option<&[u8; 32]>) -> Value {
    let view = record.view();
    let header = view.record.header;
    let named = fields_as_written(&view.record).unwrap_or_default();
    let named = named.into_iter().map(|(name, value)| (name.to_owned(), value));
    json!({
        "shard": view.record.shard.0,
        "sequence": view.record.sequence,
        "event": record.kind.name(),
        "accepted_at": time(Hlc(header.accepted_hlc.get()).unix_ms()),
        "decided_at": time(header.now_ms.get()),
        "key": header.key.get(),
        "auth_mode": auth_name(header.auth_mode.get()),
        "signature_holds": signer.and_then(|signer| record.signed_by(signer)),
        "fields": Value::Object(named.collect()),
    })
}

fn checkpoint_object(checkpoint: &Checkpoint) -> Value {
    json!({
        "store": checkpoint.store.to_string(),
        "shard": checkpoint.shard.0,
        "size": checkpoint.size,
        "root": STANDARD.encode(checkpoint.root),
        "at": time(checkpoint.at_ms),
    })
}

fn read_document(path: &Path) -> anyhow::Result<Value> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map(|_| ())
    } else {
        fs::read_to_string(path).map(|read| text = read)
    };
    let refuse = |reason: String| UsageError(format!("read {}: {reason}", path.display()));
    read.map_err(|error| refuse(error.to_string()))?;
    Ok(serde_json::from_str(&text).map_err(|error| refuse(format!("not JSON: {error}")))?)
}
