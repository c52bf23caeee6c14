//! Superblocks: the newest valid copy wins, and a torn or rotten one costs only itself.

use super::world::shape;
use crate::log::{
    Cut, Retained, SUPERBLOCK_BYTES, SUPERBLOCKS_BYTES, StoreShape, Superblock, SuperblockError,
};

fn write(copies: &mut [u8], superblock: &Superblock) {
    let at = superblock.offset();
    copies[at..at + SUPERBLOCK_BYTES].copy_from_slice(&superblock.encode());
}

#[test]
fn newest_valid_copy_wins() {
    let mut copies = vec![0; SUPERBLOCKS_BYTES];
    let mut superblock = Superblock::format(shape(), 0);
    for epoch in 1..=9 {
        superblock = superblock.raised(Cut { after_sequence: epoch * 10, hash: [1; 32] }, 1);
        write(&mut copies, &superblock);
        assert_eq!(Superblock::newest(&copies), Ok(superblock.clone()));
    }
    let before = superblock.clone();
    let retained = Retained { generation: 3, sequence: 21, previous: [2; 32] };
    superblock = superblock.archived(4).freed(retained);
    write(&mut copies, &superblock);
    let at = superblock.offset();
    for byte in 0..712 {
        copies[at + byte] ^= 0x10;
        assert_eq!(Superblock::newest(&copies), Ok(before.clone()), "byte {byte}");
        copies[at + byte] ^= 0x10;
    }
    assert_eq!(Superblock::newest(&copies), Ok(superblock));
}

#[test]
fn no_valid_copy_is_an_error() {
    let mut copies = vec![0; SUPERBLOCKS_BYTES];
    assert_eq!(Superblock::newest(&copies), Err(SuperblockError::NoneValid));
    let short = SuperblockError::Length { found: 100 };
    assert_eq!(Superblock::newest(&copies[..100]), Err(short));
    write(&mut copies, &Superblock::format(shape(), 0));
    let other = StoreShape { store_id: [9; 16], ..shape() };
    write(&mut copies, &Superblock::format(other, 0).again());
    assert_eq!(Superblock::newest(&copies), Err(SuperblockError::Mixed));
}

#[test]
fn streams_are_made_in_order() {
    assert_eq!(Superblock::format(shape(), 2).streams_count, 3);
    let raised = Superblock::format(shape(), 0).raised(Cut::default(), 3);
    assert_eq!((raised.streams_count, raised.epoch, raised.sequence), (3, 1, 2));
}

#[test]
fn copy_that_no_node_can_have_written_is_none() {
    let possible = || Superblock::format(shape(), 0);
    let retained = Retained::everything();
    for impossible in [
        Superblock { retained: Retained { generation: 0, ..retained }, ..possible() },
        Superblock { retained: Retained { sequence: 0, ..retained }, ..possible() },
        Superblock { cut: Cut { after_sequence: u64::MAX, hash: [0; 32] }, ..possible() },
        Superblock { epoch: u64::MAX, ..possible() },
        Superblock { sequence: u64::MAX, ..possible() },
        Superblock { shape: StoreShape { shards_count: 0, ..shape() }, ..possible() },
        Superblock { shape: StoreShape { segment_bytes: 0, ..shape() }, ..possible() },
    ] {
        let mut copies = vec![0; SUPERBLOCKS_BYTES];
        write(&mut copies, &impossible);
        assert_eq!(Superblock::newest(&copies), Err(SuperblockError::NoneValid), "{impossible:?}");
    }
}
