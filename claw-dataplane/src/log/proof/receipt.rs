//! Receipts as documents: what a shopper keeps.
//!
//! ```text
//!  { "format": "openclaw-receipt/1",
//!    "order_id": ..., "store": {"id", "name"}, "shard": 0,
//!    "records": [ { "sequence", "event", "accepted_at", "decided_at",
//!                   "leaf", "inclusion": [...] } ],
//!    "checkpoint": the signed note, "node_key": base64,
//!    "consistency": {"size", "hint"} }
//! ```
//! `leaf` is base64 of `claw_common::event::LeafHeader` and the record's bytes; everything else
//! that is said of a record is read from it again when the receipt is verified. `node_key` is a
//! reminder, not a proof: who verifies brings the key that was pinned.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use claw_common::id::{Id, ShardId};
use claw_common::time::Hlc;
use claw_core::log::LeafView;
use claw_core::shard::event::EventKind;
use serde_json::{Value, json};

use super::shard_proofs::Proved;

/// Names the document's layout.
pub const RECEIPT_FORMAT: &str = "openclaw-receipt/1";

/// What a receipt is made of.
#[derive(Debug)]
pub struct ReceiptDraft<'a> {
    /// The order.
    pub order: Id,
    /// The store.
    pub store: Id,
    /// Its name.
    pub store_name: &'a str,
    /// The order's shard.
    pub shard: ShardId,
    /// Its records, oldest first.
    pub records: &'a [Proved],
    /// The checkpoint that covers them.
    pub note: &'a str,
    /// Records in its tree.
    pub size: u64,
    /// The node's public key.
    pub public: [u8; 32],
}

impl ReceiptDraft<'_> {
    /// The document.
    pub fn document(&self) -> Value {
        let records: Vec<Value> = self.records.iter().map(record_object).collect();
        let (shard, size) = (self.shard.0, self.size);
        let hint = format!(
            "`claw log checkpoints --shard {shard} --from {size}` proves that a later checkpoint \
             still contains this one; `claw verify --later` checks it"
        );
        json!({
            "format": RECEIPT_FORMAT,
            "order_id": self.order.to_string(),
            "store": { "id": self.store.to_string(), "name": self.store_name },
            "shard": shard,
            "records": records,
            "checkpoint": self.note,
            "node_key": STANDARD.encode(self.public),
            "consistency": { "size": size, "hint": hint },
        })
    }
}

fn record_object(proved: &Proved) -> Value {
    let inclusion: Vec<String> =
        proved.inclusion.iter().map(|hash| STANDARD.encode(hash)).collect();
    let mut object = json!({
        "sequence": proved.sequence,
        "leaf": STANDARD.encode(&proved.leaf),
        "inclusion": inclusion,
    });
    if let Some(leaf) = LeafView::parse(&proved.leaf) {
        let header = leaf.record.header;
        let kind = EventKind::from_code(header.kind.get());
        object["event"] = kind.map_or("unknown", EventKind::name).into();
        object["accepted_at"] = time(Hlc(header.accepted_hlc.get()).unix_ms()).into();
        object["decided_at"] = time(header.now_ms.get()).into();
    }
    object
}

/// RFC 3339 with milliseconds; the bare number where no calendar reaches.
pub(super) fn time(unix_ms: u64) -> String {
    let stamp = i64::try_from(unix_ms).ok().map(jiff::Timestamp::from_millisecond);
    match stamp {
        Some(Ok(stamp)) => format!("{stamp:.3}"),
        _ => unix_ms.to_string(),
    }
}
