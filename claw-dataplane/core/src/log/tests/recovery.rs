//! Recovery: nothing acknowledged is lost, nothing cut comes back, damage is never cut in silence.

use proptest::prelude::*;

use super::world::World;
use crate::log::{BlockError, BlockPlace, Damage, RecoveryError, StreamTail};

/// `count` blocks, all durable but the watermarks inside them.
fn written(count: u64) -> World {
    let mut world = World::new(3);
    for n in 0..count {
        world.submit(0, if n % 3 == 0 { 5000 } else { 100 });
        world.complete_all();
    }
    world
}

fn places(world: &World) -> Vec<BlockPlace> {
    world.recover().unwrap().blocks
}

#[test]
fn empty_stream_begins_at_one() {
    let world = World::new(2);
    let tail = world.recover().unwrap();
    assert_eq!((tail.last_sequence, tail.next, tail.generation_last), (0, None, 0));
    assert_eq!(tail.cut, []);
}

#[test]
fn torn_tail_above_the_watermark_is_cut() {
    let mut world = written(5);
    world.submit(0, 5000);
    world.submit(0, 100);
    world.submit(0, 100);
    world.crash(&[0b01, 0b1, 0b0]); // the first torn, the second whole, the third lost
    let tail = world.start().unwrap();
    assert_eq!(tail.last_sequence, 5);
    let next = tail.next.unwrap();
    let reported: Vec<_> = tail.cut.iter().map(|cut| (cut.offset, cut.sequence)).collect();
    assert_eq!(reported, [(next.offset, 6), (next.offset + 8192, 7)]);
    assert!(matches!(tail.cut[0].damage, Damage::Unreadable(BlockError::Crc { .. })));
    assert_eq!(tail.cut[1].damage, Damage::ChainBroken);
}

#[test]
fn damage_at_the_watermark_stops() {
    let mut world = written(6);
    let place = places(&world)[4]; // block 5, which block 6 says is durable
    world.unit_mut(place)[300] ^= 1;
    let Err(RecoveryError::DamagedMiddle { stream, segment, offset, sequence, watermark, damage }) =
        world.recover()
    else {
        panic!("damage was not seen");
    };
    assert_eq!((stream, segment, offset), (0, place.segment, place.offset));
    assert_eq!((sequence, watermark), (5, 5));
    assert!(matches!(damage, Damage::Unreadable(BlockError::Crc { .. })));
}

#[test]
fn lost_block_below_the_watermark_stops() {
    let mut world = written(6);
    let place = places(&world)[2];
    world.unit_mut(place).fill(0);
    let error = world.recover().unwrap_err();
    let expected = RecoveryError::DamagedMiddle {
        stream: 0,
        segment: place.segment,
        offset: place.offset,
        sequence: 3,
        watermark: 5,
        damage: Damage::Missing,
    };
    assert_eq!(error, expected);
    assert_eq!(
        error.to_string(),
        format!(
            "stream 0 block 3, segment {} byte {}: no block, although blocks up to 5 were durable: \
             restore the segment from a copy",
            place.segment, place.offset
        )
    );
}

#[test]
fn mark_protects_the_last_block() {
    let mut world = written(4);
    world.submit_mark();
    world.complete_all();
    let place = places(&world)[3];
    world.unit_mut(place)[0] ^= 1;
    let error = world.recover().unwrap_err();
    assert!(matches!(error, RecoveryError::DamagedMiddle { sequence: 4, watermark: 4, .. }));
}

#[test]
fn what_a_start_kept_is_never_cut_later() {
    let mut world = written(4);
    world.start().unwrap(); // nothing is written behind it
    let place = places(&world)[3];
    world.unit_mut(place)[0] ^= 1;
    let error = world.recover().unwrap_err();
    assert!(matches!(error, RecoveryError::DamagedMiddle { sequence: 4, watermark: 4, .. }));
}

#[test]
fn dead_blocks_are_not_revived_when_the_gap_heals() {
    let mut world = written(3);
    world.submit(0, 100);
    world.submit(0, 100);
    let mut healed = world.clone();
    world.crash(&[0, 1]);
    world.start().unwrap();
    healed.crash(&[1, 1]);
    world.media = healed.media; // both are there and valid now
    let tail = world.start().unwrap();
    assert_eq!(tail.last_sequence, 3);
    assert_eq!(tail.cut, [], "dead, not cut again");
    world.submit(0, 100);
    world.complete_all();
    assert_eq!(world.start().unwrap().last_sequence, 4);
}

#[test]
fn dead_segment_between_live_ones_is_passed() {
    let mut world = World::new(4);
    while world.recover().unwrap().next.is_none_or(|n| n.offset + 16384 <= 256 * 1024) {
        world.submit(0, 9000);
        world.complete_all();
    }
    world.submit(0, 9000); // begins generation 2, and is lost
    world.submit(0, 100); // lies in generation 2, valid and dead
    world.crash(&[0, 1]);
    world.start().unwrap();
    let kept = world.watermark;
    for _ in 0..4 {
        world.submit(0, 9000);
        world.complete_all();
        let tail = world.start().unwrap();
        assert_eq!(tail.cut, []);
    }
    let tail = world.recover().unwrap();
    assert_eq!(tail.last_sequence, kept + 4);
}

#[test]
fn lost_superblock_is_noticed() {
    let mut world = written(2);
    let old = world.superblock.clone();
    world.start().unwrap();
    world.submit(0, 100);
    world.complete_all();
    world.superblock = old;
    let expected = RecoveryError::SuperblockBehind { stream: 0, known: 1, found: 2 };
    assert_eq!(world.recover().unwrap_err(), expected);
}

#[test]
fn copied_segment_is_noticed() {
    let mut world = written(2);
    world.media[2] = world.media[0].clone();
    let error = world.recover().unwrap_err();
    assert!(matches!(error, RecoveryError::GenerationTwice { first: 0, second: 2, .. }));
}

#[test]
fn freed_segments_are_ignored_and_reused() {
    let mut world = World::new(3);
    let mut reused = 0;
    for _ in 0..200 {
        world.submit(1, 9000);
        world.complete_all();
        let tail = world.start().unwrap();
        if let [first, second, ..] = tail.segments[..] {
            let retained = crate::log::Retained {
                generation: second.generation,
                sequence: second.first_sequence,
                previous: second.first_previous,
            };
            world.superblock = world.superblock.freed(retained);
            world.start().unwrap();
            assert_eq!(world.recover().unwrap().segments.len(), 1);
            assert_ne!(first.generation, second.generation);
            reused += 1;
        }
    }
    assert!(reused > 3);
    assert_eq!(world.recover().unwrap().last_sequence, 200);
}

fn check_against_truth(world: &World, tail: &StreamTail) {
    assert_eq!(tail.last_sequence, world.truth.len() as u64);
    for (place, (sequence, hash)) in tail.blocks.iter().zip(&world.truth) {
        let bytes = &world.media[place.segment as usize][place.offset..];
        let view = crate::log::BlockView::parse(bytes).unwrap();
        assert_eq!((view.stream_sequence(), view.hash()), (*sequence, hash));
    }
}

#[derive(Clone, Debug)]
enum Step {
    Submit(u16, usize),
    Mark,
    Complete(usize),
    Crash([u8; 4]),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0_u16..2, 0_usize..12000).prop_map(|(shard, length)| Step::Submit(shard, length)),
        1 => Just(Step::Mark),
        6 => any::<usize>().prop_map(Step::Complete),
        2 => any::<[u8; 4]>().prop_map(Step::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn crashes_lose_nothing_acknowledged_and_revive_nothing(
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut world = World::new(12);
        for step in steps {
            match step {
                Step::Submit(..) | Step::Mark if !world.window_open() => {}
                Step::Submit(shard, length) => world.submit(shard, length),
                Step::Mark => world.submit_mark(),
                Step::Complete(_) if world.in_flight() == 0 => {}
                Step::Complete(index) => world.complete(index),
                Step::Crash(masks) => {
                    let acknowledged = world.watermark;
                    let submitted = world.next_sequence - 1;
                    world.crash(&masks);
                    let tail = world.start().unwrap();
                    prop_assert!(tail.last_sequence >= acknowledged);
                    prop_assert!(tail.last_sequence <= submitted);
                    check_against_truth(&world, &tail);
                    world.shards = world.shards_found();
                }
            }
        }
    }

    #[test]
    fn flipped_bit_below_the_watermark_always_stops(
        count in 2_u64..20, pick in any::<prop::sample::Index>(), bit in 0_usize..256 * 8,
    ) {
        let mut world = written(count);
        let blocks = places(&world);
        let victim = pick.index(blocks.len() - 1); // any but the last, which nothing covers
        world.unit_mut(blocks[victim])[bit / 8] ^= 1 << (bit % 8);
        let error = world.recover().unwrap_err();
        let found = matches!(error, RecoveryError::DamagedMiddle { sequence, offset, .. }
            if sequence == victim as u64 + 1 && offset == blocks[victim].offset);
        prop_assert!(found, "{error}");
    }
}
