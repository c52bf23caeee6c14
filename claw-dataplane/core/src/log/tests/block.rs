//! One block: what was written is read back, and no changed bit goes unseen.

use claw_common::event::SEEN_NOTHING_MORE;
use claw_common::id::ShardId;
use claw_common::limits::BLOCK_ALIGN_BYTES;
use claw_common::time::Hlc;
use proptest::prelude::*;

use super::world::{Raw, SLOT_BYTES, STORE, draft};
use crate::journal::{Draft, Journal};
use crate::log::layout::{BLOCK_HEADER_BYTES, RECORD_HEADER_BYTES};
use crate::log::{
    BlockDraft, BlockError, BlockView, Opening, SealInputs, Sealed, SegmentScan, seal_mark,
};

fn inputs() -> SealInputs {
    SealInputs {
        store_id: STORE,
        stream: 1,
        stream_epoch: 2,
        stream_sequence: 12,
        stream_previous: [3; 32],
        shard_previous: [4; 32],
        segment_generation: 5,
        durable_watermark: 9,
        term: 6,
    }
}

/// A slot with a sealed block of two records.
fn sample() -> (Vec<u8>, Sealed) {
    let mut slot = vec![0xee; SLOT_BYTES];
    let opening =
        Opening { shard: ShardId(1), sequence_last: 40, schema_version: 8, vector: &[17, 40, 0] };
    let mut block = BlockDraft::open(&mut slot, &opening);
    assert!(block.empty());
    let first = Draft { extra: b"{\"gift\":true}", answer: b"held", ..draft(2, 0x0001_0001) };
    let second = Draft { seen: Some((0, 19)), evidence: b"signed", ..draft(3, 0x0001_0002) };
    assert_eq!(block.journal(&mut slot).append(&first, &Raw(b"hold of one")), 41);
    let mut journal = block.journal(&mut slot);
    assert_eq!(journal.append(&second, &Raw(b"sale")), 42);
    assert_eq!(journal.sequence(), 42);
    let sealed = block.seal(&mut slot, &inputs());
    (slot, sealed)
}

#[test]
fn records_are_read_back_in_place() {
    let (slot, sealed) = sample();
    let view = BlockView::parse(&slot).unwrap();
    assert_eq!(view.shard(), Some(ShardId(1)));
    assert_eq!(view.stream_sequence(), 12);
    assert_eq!((view.sequence_last(), sealed.sequence_last), (42, 42));
    assert_eq!(view.hash(), &sealed.hash);
    assert_eq!(view.vector().collect::<Vec<_>>(), [17, 40, 0]);
    let records: Vec<_> = view.records().collect();
    let [first, second] = records[..] else { panic!("two records") };
    assert_eq!(
        (first.sequence, first.event, first.extra),
        (41, &b"hold of one"[..], &b"{\"gift\":true}"[..])
    );
    assert_eq!((first.answer, first.evidence, first.seen()), (&b"held"[..], &b""[..], None));
    assert_eq!(first.header.seen_shard.get(), SEEN_NOTHING_MORE);
    assert_eq!(
        (second.sequence, second.event, second.evidence),
        (42, &b"sale"[..], &b"signed"[..])
    );
    assert_eq!(second.seen(), Some((ShardId(0), 19)));
    assert_eq!(second.header.schema_version.get(), 8);
    assert_eq!(view.header().hlc_first.get(), 0x0001_0001);
    assert_eq!(view.header().hlc_last.get(), 0x0001_0002);
    assert!(slot.as_ptr_range().contains(&second.event.as_ptr()), "not a copy");
}

#[test]
fn tail_of_the_slot_is_zeroed() {
    let (slot, sealed) = sample();
    assert_eq!(sealed.size_bytes, BLOCK_ALIGN_BYTES);
    assert!(slot[sealed.length_bytes..sealed.size_bytes].iter().all(|&byte| byte == 0));
    assert_eq!(slot[sealed.size_bytes], 0xee, "nothing beyond the block is touched");
}

#[test]
fn mark_carries_only_the_watermark() {
    let mut slot = vec![0xee; SLOT_BYTES];
    let sealed = seal_mark(&mut slot, &SealInputs { shard_previous: [0; 32], ..inputs() }, Hlc(9));
    let view = BlockView::parse(&slot).unwrap();
    assert_eq!((view.shard(), view.records().count()), (None, 0));
    assert_eq!((view.header().durable_watermark.get(), sealed.sequence_last), (9, 0));
}

#[test]
fn every_flipped_bit_of_the_covered_bytes_is_detected() {
    let (mut slot, sealed) = sample();
    for byte in 0..sealed.length_bytes {
        for bit in 0..8 {
            slot[byte] ^= 1 << bit;
            assert!(BlockView::parse(&slot).is_err(), "byte {byte} bit {bit}");
            slot[byte] ^= 1 << bit;
        }
    }
    BlockView::parse(&slot).unwrap();
}

#[test]
fn every_shorter_input_is_refused() {
    let (slot, sealed) = sample();
    for length in 0..sealed.size_bytes {
        assert!(BlockView::parse(&slot[..length]).is_err(), "{length}");
    }
    let expected = BlockError::Truncated { size_bytes: 4096, available_bytes: 4095 };
    assert_eq!(BlockView::parse(&slot[..4095]).unwrap_err(), expected);
}

#[test]
fn block_beyond_its_own_window_is_refused() {
    let (mut slot, _) = sample();
    slot[56..64].copy_from_slice(&7_u64.to_le_bytes()); // watermark 7 for block 12
    let expected = BlockError::Header { field: "durable_watermark" };
    assert_eq!(BlockView::parse(&slot).unwrap_err(), expected);
}

/// The bytes of [`sample`] under the checksums, one line for each header, 32 bytes otherwise: a
/// change here is a change of the format and needs a new `FORMAT_VERSION`.
#[test]
fn format_is_the_one_in_the_golden_file() {
    use std::fmt::Write as _;

    let (slot, sealed) = sample();
    let mut text = String::new();
    for line in slot[..sealed.length_bytes].chunks(32) {
        for byte in line {
            write!(text, "{byte:02x}").unwrap();
        }
        text.push('\n');
    }
    assert_eq!(text, include_str!("block.golden.hex"), "the format changed:\n{text}");
}

#[test]
#[should_panic(expected = "the window counts from the contiguous durable prefix")]
fn sealing_beyond_the_window_is_our_mistake() {
    let mut slot = vec![0; SLOT_BYTES];
    seal_mark(&mut slot, &SealInputs { durable_watermark: 7, ..inputs() }, Hlc(1));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..9000)) {
        prop_assert!(BlockView::parse(&bytes).is_err());
        prop_assert_eq!(SegmentScan::new(&bytes).count(), 0);
    }

    /// Without the checksums the structure alone must hold: this is what a mapped file that
    /// changes under the reader can show.
    #[test]
    fn altered_blocks_never_panic_even_unchecked(
        changes in prop::collection::vec((0_usize..700, any::<u8>()), 1..6),
        length in BLOCK_HEADER_BYTES..BLOCK_ALIGN_BYTES,
    ) {
        let (mut slot, _) = sample();
        for (at, value) in changes {
            slot[at] = value;
        }
        for bytes in [&slot[..], &slot[..length]] {
            if let Ok(view) = BlockView::reread(bytes) {
                let sum: usize = view.records().map(|r| r.event.len() + r.answer.len()).sum();
                prop_assert!(sum <= SLOT_BYTES);
                prop_assert!(view.records().count() <= SLOT_BYTES / RECORD_HEADER_BYTES);
            }
        }
    }

    #[test]
    fn any_records_come_back_as_written(
        records in prop::collection::vec(
            prop::array::uniform4(prop::collection::vec(any::<u8>(), 0..200)), 1..12),
    ) {
        let mut slot = vec![0xee; SLOT_BYTES];
        let opening =
            Opening { shard: ShardId(0), sequence_last: 0, schema_version: 1, vector: &[0] };
        let mut block = BlockDraft::open(&mut slot, &opening);
        for [event, extra, answer, evidence] in &records {
            let draft = Draft { extra, answer, evidence, ..draft(1, 1) };
            block.journal(&mut slot).append(&draft, &Raw(event));
        }
        let sealed = block.seal(&mut slot, &inputs());
        let view = BlockView::parse(&slot).unwrap();
        prop_assert_eq!(view.length_bytes(), sealed.length_bytes);
        let read: Vec<_> = view
            .records()
            .map(|r| [r.event.to_vec(), r.extra.to_vec(), r.answer.to_vec(), r.evidence.to_vec()])
            .collect();
        prop_assert_eq!(read, records);
    }
}
