//! Damage in the middle of the log stops a start, and says where.
//!
//! One bit is flipped in a block that a later block's watermark covers. A start must refuse the
//! stream: a log that is silently shorter is the one thing worse than none.

use claw_common::limits::BLOCK_ALIGN_BYTES;
use claw_core::log::{BlockView, StreamTail};

use crate::device::{Device, area_of_segment};
use crate::node::recover_stream;
use crate::random::Random;
use crate::violation::{Checked, Violation, check};

const NAME: &str = "damage stops a start";

/// Flips a bit of a covered block, sees that the start refuses, and flips it back.
pub(crate) fn check_device(device: &mut Device, random: &mut Random) -> Checked {
    let tail = recover_stream(device).map_err(|error| Violation::new(NAME, error))?;
    let Some((area, offset, size)) = covered_block(device, &tail, random) else { return Ok(()) };
    let place = offset + random.index(size);
    device.rot(area, place);
    let judged = recover_stream(device);
    device.rot(area, place);
    check(judged.is_err(), NAME, || {
        format!("a bit in area {area} byte {place} was flipped and nobody noticed")
    })
}

/// A block at or below the watermark: area, offset, bytes under its checksums.
fn covered_block(
    device: &Device,
    tail: &StreamTail,
    random: &mut Random,
) -> Option<(usize, usize, usize)> {
    let covered: Vec<_> = tail
        .blocks
        .iter()
        .map(|place| (area_of_segment(place.segment), place.offset))
        .filter_map(|(area, offset)| {
            let view = BlockView::parse(&device.medium(area)[offset..]).ok()?;
            assert!(offset.is_multiple_of(BLOCK_ALIGN_BYTES));
            (view.stream_sequence() <= tail.watermark).then(|| (area, offset, view.length_bytes()))
        })
        .collect();
    random.pick(&covered).copied()
}
