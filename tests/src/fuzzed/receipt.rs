//! Receipts, proofs of consistency and signed checkpoints, as `claw verify` takes them in.
//!
//! The promises: nothing that was altered is verified as something else; what is verified is in the
//! tree that was signed; a checkpoint that is read is written as the text that was signed. An input
//! is a document, edits of a valid one, or a record that is signed here whatever it says.
//! Deliberately not here: which key a person should pin.

use std::sync::LazyLock;

use claw_common::event::{LEAF_MAGIC, LeafHeader, RECORD_ALIGN_BYTES, RecordHeader};
use claw_common::id::{Id, ShardId};
use claw_common::money::Currency;
use claw_core::codec::{Encode as _, Writer};
use claw_core::lines::Lines;
use claw_core::log::LeafView;
use claw_core::merkle::{Frontier, NodePlace, empty_root, inclusion_proof, leaf_hash};
use claw_core::shard::event::{Event, EventKind, OrderCreated};
use claw_dataplane::log::proof::{
    Checkpoint, NodeKey, Proved, ReceiptDraft, SignedNote, VerifiedReceipt,
    verify_consistency_document, verify_receipt,
};
use serde_json::Value;
use zerocopy::{FromBytes as _, FromZeros as _, IntoBytes as _};

use super::store::NOW_MS;

const STORE: Id = Id(*b"a store of proof");
const ORDER: Id = Id([9; 16]);
const SHARD: ShardId = ShardId(0);

/// Reads the rest of `bytes` as their first byte says.
pub fn check(bytes: &[u8]) {
    let Some((&mode, rest)) = bytes.split_first() else { return };
    match mode {
        0 => check_document(rest),
        1 => check_edited(rest),
        2 => check_record(rest),
        3 => check_note(rest),
        _ => {}
    }
}

fn key() -> &'static NodeKey {
    static KEY: LazyLock<NodeKey> = LazyLock::new(|| NodeKey::from_seed(&[7; 32]));
    &KEY
}

fn check_document(bytes: &[u8]) {
    let Ok(document) = serde_json::from_slice::<Value>(bytes) else { return };
    if let Ok(verified) = verify_receipt(&document, &key().public()) {
        check_verified(&verified);
    }
    if let Ok((old, new)) = verify_consistency_document(&document, &key().public()) {
        assert!(old.size <= new.size, "what is contained is no larger");
        assert_eq!((old.store, old.shard), (new.store, new.shard));
    }
}

/// A receipt whose text was edited proves what it proved before, or nothing.
fn check_edited(edits: &[u8]) {
    static VALID: LazyLock<Vec<u8>> =
        LazyLock::new(|| receipt(&[order_created()]).to_string().into_bytes());
    let mut text = VALID.clone();
    let (edits, _) = edits.as_chunks::<3>();
    for &[low, high, byte] in edits {
        let at = usize::from(u16::from_le_bytes([low, high])) % text.len();
        text[at] = byte;
    }
    let Ok(document) = serde_json::from_slice::<Value>(&text) else { return };
    let valid = serde_json::from_slice(&VALID).expect("it was written as JSON");
    let valid = verify_receipt(&valid, &key().public()).expect("nothing of it was edited");
    let Ok(verified) = verify_receipt(&document, &key().public()) else { return };
    assert_eq!((verified.order, verified.checkpoint), (valid.order, valid.checkpoint));
    let leaves = |receipt: &VerifiedReceipt| -> Vec<Vec<u8>> {
        receipt.records.iter().map(|record| record.leaf.clone()).collect()
    };
    assert!(leaves(&verified).iter().all(|leaf| leaves(&valid).contains(leaf)));
    check_verified(&verified);
}

/// A record of any event, in a tree that was signed with it.
fn check_record(bytes: &[u8]) {
    let [kind_low, kind_high, version, event @ ..] = bytes else { return };
    let leaf = leaf(u16::from_le_bytes([*kind_low, *kind_high]), (*version).into(), event);
    assert!(LeafView::parse(&placed(&leaf, 1)).is_some(), "it was made as a leaf is");
    if let Ok(verified) = verify_receipt(&receipt(&[leaf, order_created()]), &key().public()) {
        check_verified(&verified);
        assert_eq!(verified.order, ORDER);
    }
}

fn check_note(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(note) = SignedNote::parse(text) else { return };
    let said = note.unverified();
    assert!(text.starts_with(&said.text()), "a checkpoint has one spelling");
    let signed = said.sign(key());
    let again = SignedNote::parse(&signed).expect("what was signed is read");
    assert_eq!(again.verify(&key().public()), Ok(said));
    if let Ok(verified) = note.verify(&key().public()) {
        assert_eq!(verified, said);
    }
}

fn check_verified(verified: &VerifiedReceipt) {
    assert!(!verified.records.is_empty(), "an order has its creation");
    for record in &verified.records {
        let view = record.view();
        assert_eq!(view.store_id, verified.checkpoint.store.0);
        assert_eq!(view.record.shard, verified.checkpoint.shard);
        assert!((1..=verified.checkpoint.size).contains(&view.record.sequence));
        let signed = record.signed_by(&key().public());
        assert!(view.record.evidence.len() >= 64 || signed.is_none());
    }
}

/// A receipt of all these leaves, which are a tree of their own.
fn receipt(leaves: &[Vec<u8>]) -> Value {
    let leaves: Vec<Vec<u8>> = (1..).zip(leaves).map(|(place, leaf)| placed(leaf, place)).collect();
    let (mut nodes, mut frontier) = (Vec::new(), Frontier::default());
    for leaf in &leaves {
        frontier.append(leaf_hash(&[leaf]), &mut |node| nodes.push(*node));
    }
    let mut stored = |place: NodePlace| {
        nodes.get(usize::try_from(place.stored_index()).expect("a small tree")).copied()
    };
    let proved: Vec<Proved> = (0..)
        .zip(leaves)
        .map(|(index, leaf)| Proved {
            sequence: index + 1,
            leaf,
            inclusion: inclusion_proof(index, frontier.size(), &mut stored)
                .expect("all are stored"),
        })
        .collect();
    let checkpoint = Checkpoint {
        store: STORE,
        shard: SHARD,
        size: frontier.size(),
        root: frontier.root(),
        at_ms: NOW_MS,
        previous_size: 0,
        previous_root: empty_root(),
    };
    ReceiptDraft {
        order: ORDER,
        store: STORE,
        store_name: "shop",
        shard: SHARD,
        records: &proved,
        note: &checkpoint.sign(key()),
        size: checkpoint.size,
        public: key().public(),
    }
    .document()
}

fn order_created() -> Vec<u8> {
    let event = Event::OrderCreated(OrderCreated {
        order: ORDER,
        session: "ada",
        hold: Some(Id([8; 16])),
        cart: None,
        currency: Currency::parse("EUR").expect("a currency"),
        deadline_ms: NOW_MS,
        held: false,
        lines: Lines::default(),
        coupon: None,
        ship_to: "",
        region: "",
        payment: None,
    });
    let mut bytes = [0; 256];
    let mut writer = Writer::new(&mut bytes);
    event.encode(&mut writer);
    let written = writer.written();
    leaf(event.kind() as u16, event.kind().version(), &bytes[..written])
}

/// A leaf of the store's shard, its place still open.
fn leaf(kind: u16, version: u16, event: &[u8]) -> Vec<u8> {
    let mut place = LeafHeader::new_zeroed();
    place.magic = LEAF_MAGIC;
    place.store_id = STORE.0;
    place.shard = SHARD.0.into();
    let mut record = RecordHeader::new_zeroed();
    let size = (size_of::<RecordHeader>() + event.len()).next_multiple_of(RECORD_ALIGN_BYTES);
    record.size_bytes = u32::try_from(size).expect("small").into();
    record.payload_bytes = u32::try_from(event.len()).expect("small").into();
    record.kind = kind.into();
    record.event_version = version.into();
    let mut leaf = [place.as_bytes(), record.as_bytes(), event].concat();
    leaf.resize(size_of::<LeafHeader>() + size, 0);
    leaf
}

fn placed(leaf: &[u8], sequence: u64) -> Vec<u8> {
    let mut leaf = leaf.to_vec();
    let (header, _) = LeafHeader::mut_from_prefix(&mut leaf).expect("it was made as a leaf is");
    header.sequence = sequence.into();
    leaf
}

/// A document, edits of it, a record, a checkpoint.
pub fn seeds() -> Vec<Vec<u8>> {
    let document = receipt(&[order_created(), order_created()]);
    let note = document["checkpoint"].as_str().expect("a receipt has a checkpoint").to_owned();
    let record = order_created()[size_of::<LeafHeader>() + size_of::<RecordHeader>()..].to_vec();
    let kind = (EventKind::OrderCreated as u16).to_le_bytes();
    let version = u8::try_from(EventKind::OrderCreated.version()).expect("a small number");
    vec![
        [&[0], document.to_string().as_bytes()].concat(),
        vec![1, 30, 0, b'0'],
        [&[2, kind[0], kind[1], version], record.as_slice()].concat(),
        [&[3], note.as_bytes()].concat(),
    ]
}
