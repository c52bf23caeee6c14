//! Receipts and consistency proofs checked, with nothing but the document and the node's key.
//!
//! Trusts no member of the document that it can compute: what is believed is the key that the
//! caller brings, and SHA-256. Reads no store.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use claw_common::id::Id;
use claw_common::time::Hlc;
use claw_core::log::LeafView;
use claw_core::merkle::{Hash, leaf_hash, verify_consistency, verify_inclusion};
use claw_core::shard::event::{Event, EventKind, FieldValue};
use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::{Value, json};

use super::checkpoint::{Checkpoint, SignedNote};
use super::receipt::{RECEIPT_FORMAT, time};

/// Names the layout of a document that proves one checkpoint to contain another.
pub const CONSISTENCY_FORMAT: &str = "openclaw-consistency/1";
/// An Ed25519 signature stands in front of the base it covers.
const SIGNATURE_BYTES: usize = 64;

/// Why a document proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// It is not such a document at all.
    #[error("not a document of this kind: {0}")]
    Document(String),
    /// It is one, and something in it does not hold.
    #[error("{0}")]
    Broken(String),
}

/// A receipt that holds.
#[derive(Clone, Debug)]
pub struct VerifiedReceipt {
    /// The order it is about.
    pub order: Id,
    /// The checkpoint that covers it.
    pub checkpoint: Checkpoint,
    /// Its records, in order.
    pub records: Vec<VerifiedRecord>,
}

/// A record that is in the tree.
#[derive(Clone, Debug)]
pub struct VerifiedRecord {
    /// The leaf; it parses.
    pub leaf: Vec<u8>,
    /// Its event's kind.
    pub kind: EventKind,
}

impl VerifiedRecord {
    /// The record, read in place.
    pub fn view(&self) -> LeafView<'_> {
        LeafView::parse(&self.leaf).expect("it was verified")
    }

    /// Whether the request behind it was signed by this ed25519 key; `None` when the record holds
    /// no such signature.
    pub fn signed_by(&self, public: &[u8; 32]) -> Option<bool> {
        let view = self.view();
        let (signature, base) = view.record.evidence.split_first_chunk::<SIGNATURE_BYTES>()?;
        let key = VerifyingKey::from_bytes(public).ok();
        let signature = Signature::from_bytes(signature);
        Some(key.is_some_and(|key| key.verify_strict(base, &signature).is_ok()))
    }
}

/// Checks a receipt against the pinned key.
pub fn verify_receipt(document: &Value, public: &[u8; 32]) -> Result<VerifiedReceipt, Finding> {
    expect_format(document, RECEIPT_FORMAT)?;
    let note = text(document, "checkpoint")?;
    let checkpoint = checkpoint(note, public, "the checkpoint")?;
    let order = Id::parse(text(document, "order_id")?)
        .ok_or_else(|| Finding::Document("order_id is not an id".to_owned()))?;
    let store = document["store"]["id"].as_str().and_then(Id::parse);
    if store != Some(checkpoint.store) {
        return Err(broken("the receipt names another store than the checkpoint"));
    }
    if document["shard"].as_u64() != Some(checkpoint.shard.0.into()) {
        return Err(broken("the receipt names another shard than the checkpoint"));
    }
    let records = document["records"].as_array();
    let records = records.ok_or_else(|| Finding::Document("it has no records".to_owned()))?;
    let mut verified = Vec::new();
    for record in records {
        verified.push(verify_record(record, &checkpoint)?);
    }
    check_story(order, &verified)?;
    Ok(VerifiedReceipt { order, checkpoint, records: verified })
}

fn verify_record(object: &Value, checkpoint: &Checkpoint) -> Result<VerifiedRecord, Finding> {
    let sequence = object["sequence"].as_u64();
    let sequence =
        sequence.ok_or_else(|| Finding::Document("a record has no sequence".to_owned()))?;
    let refuse = |what: &str| broken(&format!("record {sequence}: {what}"));
    let leaf = STANDARD.decode(text(object, "leaf")?);
    let leaf = leaf.map_err(|_invalid| refuse("its leaf is not base64"))?;
    let view = LeafView::parse(&leaf).ok_or_else(|| refuse("its leaf is not a record"))?;
    let record = &view.record;
    if (record.sequence, record.shard) != (sequence, checkpoint.shard)
        || view.store_id != checkpoint.store.0
    {
        return Err(refuse("its leaf is of another place or store"));
    }
    let inclusion = hashes(&object["inclusion"]).map_err(|what| refuse(&what))?;
    let place = (sequence - 1, checkpoint.size);
    if !verify_inclusion(&leaf_hash(&[&leaf]), place, &inclusion, &checkpoint.root) {
        return Err(refuse("it is not in the tree that was signed: it, or its proof, was altered"));
    }
    let header = record.header;
    let kind = EventKind::from_code(header.kind.get());
    let event = Event::decode(header.kind.get(), header.event_version.get(), record.event);
    let (Some(kind), Ok(_)) = (kind, event) else {
        return Err(refuse("its event is of a later version: use the program of that version"));
    };
    for (name, said) in [
        ("event", kind.name().to_owned()),
        ("accepted_at", time(Hlc(header.accepted_hlc.get()).unix_ms())),
        ("decided_at", time(header.now_ms.get())),
    ] {
        if object.get(name).is_some_and(|told| told.as_str() != Some(&said)) {
            return Err(refuse(&format!("it says {said} and the receipt tells another {name}")));
        }
    }
    Ok(VerifiedRecord { leaf, kind })
}

/// The records must tell of this order: its creation, and nothing of others.
fn check_story(order: Id, records: &[VerifiedRecord]) -> Result<(), Finding> {
    let created = records.iter().find(|record| record.kind == EventKind::OrderCreated);
    let created = created.ok_or_else(|| broken("the order's creation is not among its records"))?;
    let hold = id_field(created, "hold_id");
    for record in records {
        let ours = id_field(record, "order_id") == Some(order);
        let claim = hold.is_some() && id_field(record, "hold_id") == hold;
        if !ours && !claim {
            let sequence = record.view().record.sequence;
            return Err(broken(&format!("record {sequence} is not about this order")));
        }
    }
    if id_field(created, "order_id") != Some(order) {
        return Err(broken("the creation is another order's"));
    }
    Ok(())
}

fn id_field(record: &VerifiedRecord, wanted: &str) -> Option<Id> {
    let view = record.view();
    let header = view.record.header;
    let event = Event::decode(header.kind.get(), header.event_version.get(), view.record.event);
    let mut found = None;
    event.ok()?.fields(&mut |name, value| match value {
        FieldValue::Id(id) if name == wanted => found = Some(id),
        _ => {}
    });
    found
}

/// The document that proves `new` to contain `old`.
pub fn consistency_document(old: &str, new: &str, proof: &[Hash]) -> Value {
    let proof: Vec<String> = proof.iter().map(|hash| STANDARD.encode(hash)).collect();
    json!({ "format": CONSISTENCY_FORMAT, "old": old, "new": new, "proof": proof })
}

/// Checks a consistency document; the old and the new checkpoint.
pub fn verify_consistency_document(
    document: &Value,
    public: &[u8; 32],
) -> Result<(Checkpoint, Checkpoint), Finding> {
    expect_format(document, CONSISTENCY_FORMAT)?;
    let old = checkpoint(text(document, "old")?, public, "the older checkpoint")?;
    let new = checkpoint(text(document, "new")?, public, "the later checkpoint")?;
    if (old.store, old.shard) != (new.store, new.shard) {
        return Err(broken("the two checkpoints are of different shards or stores"));
    }
    let proof = hashes(&document["proof"]).map_err(Finding::Document)?;
    if !verify_consistency((old.size, &old.root), (new.size, &new.root), &proof) {
        return Err(broken(
            "the later checkpoint is not shown to contain the older one: the proof was altered, or \
             the node has two histories",
        ));
    }
    Ok((old, new))
}

fn checkpoint(note: &str, public: &[u8; 32], which: &str) -> Result<Checkpoint, Finding> {
    let verified = SignedNote::parse(note).and_then(|note| note.verify(public));
    verified.map_err(|error| broken(&format!("{which}: {error}")))
}

fn expect_format(document: &Value, format: &str) -> Result<(), Finding> {
    match document["format"].as_str() {
        Some(found) if found == format => Ok(()),
        Some(found) => Err(Finding::Document(format!("its format is {found}, not {format}"))),
        None => Err(Finding::Document(format!("it has no \"format\": \"{format}\""))),
    }
}

fn text<'a>(object: &'a Value, name: &str) -> Result<&'a str, Finding> {
    object[name].as_str().ok_or_else(|| Finding::Document(format!("{name} is not a text")))
}

fn hashes(list: &Value) -> Result<Vec<Hash>, String> {
    let list = list.as_array().ok_or("its proof is not a list")?;
    let hash = |text: &Value| STANDARD.decode(text.as_str()?).ok()?.try_into().ok();
    let hashes: Option<Vec<Hash>> = list.iter().map(hash).collect();
    hashes.ok_or_else(|| "a hash of its proof is not 32 bytes in base64".to_owned())
}

fn broken(what: &str) -> Finding {
    Finding::Broken(what.to_owned())
}
