//! The simulated device: a medium and the volatile cache in front of it.
//!
//! Owns the difference between *written* and *durable*. A write lies in the cache until it is
//! persisted; a crash empties the cache and each write in it is kept, dropped or torn at 512 bytes,
//! independently of the others: so writes are reordered and lost as real devices do it. What was
//! persisted is never touched by a crash.
//!
//! Knows areas of bytes only: area 0 holds the superblocks, each further one a segment.

use claw_common::limits::BLOCK_ALIGN_BYTES;
use claw_core::log::SUPERBLOCKS_BYTES;

use crate::options::Options;
use crate::random::Random;

/// What a device writes whole, whatever happens.
const SECTOR_BYTES: usize = 512;

/// Area of the superblocks.
pub(crate) const SUPERBLOCK_AREA: usize = 0;

/// Area of a segment.
pub(crate) fn area_of_segment(segment: u32) -> usize {
    usize::try_from(segment).expect("small") + 1
}

#[derive(Debug)]
struct Unflushed {
    number: u64,
    area: usize,
    offset: usize,
    bytes: Vec<u8>,
}

/// What a crash did to the writes in the cache.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wreck {
    pub(crate) kept: u32,
    pub(crate) dropped: u32,
    pub(crate) torn: u32,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Device {
    medium: Vec<Vec<u8>>,
    cache: Vec<Unflushed>,
    writes_count: u64,
}

impl Device {
    /// An empty device with room for superblocks.
    pub(crate) fn new() -> Self {
        Self { medium: vec![vec![0; SUPERBLOCKS_BYTES]], cache: Vec::new(), writes_count: 0 }
    }

    /// Segments there are.
    pub(crate) fn segments_count(&self) -> u32 {
        u32::try_from(self.medium.len() - 1).expect("small")
    }

    /// Adds a pre-written segment and returns its number.
    pub(crate) fn add_segment(&mut self, bytes: u64) -> u32 {
        let segment = self.segments_count();
        self.medium.push(vec![0; usize::try_from(bytes).expect("small")]);
        segment
    }

    /// Takes a write into the cache and returns its number.
    pub(crate) fn write(&mut self, area: usize, offset: usize, bytes: &[u8]) -> u64 {
        assert!(offset.is_multiple_of(BLOCK_ALIGN_BYTES));
        assert!(bytes.len().is_multiple_of(BLOCK_ALIGN_BYTES));
        assert!(offset + bytes.len() <= self.medium[area].len());
        self.writes_count += 1;
        let number = self.writes_count;
        self.cache.push(Unflushed { number, area, offset, bytes: bytes.to_vec() });
        number
    }

    /// Makes a write durable.
    pub(crate) fn persist(&mut self, number: u64) {
        let place = self.cache.iter().position(|write| write.number == number);
        let write = self.cache.remove(place.expect("written before"));
        self.put(&write, |_| true);
    }

    /// Power fails.
    pub(crate) fn crash(&mut self, options: &Options, random: &mut Random) -> Wreck {
        let mut wreck = Wreck::default();
        for write in std::mem::take(&mut self.cache) {
            if random.chance(options.torn_permille) {
                wreck.torn += 1;
                self.put(&write, |_| random.chance(500));
            } else if random.chance(options.kept_permille) {
                wreck.kept += 1;
                self.put(&write, |_| true);
            } else {
                wreck.dropped += 1;
            }
        }
        wreck
    }

    fn put(&mut self, write: &Unflushed, mut keeps: impl FnMut(usize) -> bool) {
        let target = &mut self.medium[write.area][write.offset..write.offset + write.bytes.len()];
        let sectors = target.chunks_mut(SECTOR_BYTES).zip(write.bytes.chunks(SECTOR_BYTES));
        for (index, (target, source)) in sectors.enumerate() {
            if keeps(index) {
                target.copy_from_slice(source);
            }
        }
    }

    /// What is durable.
    pub(crate) fn medium(&self, area: usize) -> &[u8] {
        &self.medium[area]
    }

    /// Flips one bit of what is durable: rot.
    pub(crate) fn rot(&mut self, area: usize, offset: usize) {
        self.medium[area][offset] ^= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Overrides;
    use crate::random::Purpose;

    #[test]
    fn crash_spares_what_was_persisted_and_tears_the_rest_at_sectors() {
        let mut options = Options::draw(1, Overrides::default());
        options.torn_permille = 1000;
        let mut device = Device::new();
        let segment = area_of_segment(device.add_segment(64 * 1024));
        let first = device.write(segment, 0, &[7; BLOCK_ALIGN_BYTES]);
        device.write(segment, BLOCK_ALIGN_BYTES, &[9; BLOCK_ALIGN_BYTES]);
        assert_eq!(device.medium(segment)[0], 0, "written is not durable");
        device.persist(first);
        let wreck = device.crash(&options, &mut Random::new(1, Purpose::Device));
        assert_eq!(wreck.torn, 1);
        let (persisted, torn) = device.medium(segment).split_at(BLOCK_ALIGN_BYTES);
        assert!(persisted.iter().all(|&byte| byte == 7));
        let torn = &torn[..BLOCK_ALIGN_BYTES];
        assert!(torn.contains(&9) && torn.contains(&0), "some sectors, not all");
        assert!(torn.chunks(SECTOR_BYTES).all(|sector| sector.iter().all(|b| *b == sector[0])));
    }
}
