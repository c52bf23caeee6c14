//! A table from hashes to places, taken at boot: a look-up touches one cache line where it can.
//!
//! A store of millions of entries waits for memory and not for instructions. A table that keeps its
//! control bytes apart from its entries reads two distant lines where this one reads one: a cell is
//! 32 bits of the hash beside the place. Linear probing; who is removed is replaced by those behind
//! it that may move up, so nothing is left that later look-ups would have to pass (Knuth, The Art
//! of Computer Programming, volume 3, section 6.4, Algorithm R).
//!
//! The same calls in the same order give the same table. It never grows: the capacity is the
//! caller's promise. Knows no keys: whoever asks says whether a place is the one that is meant.

use super::prefetch;

/// Cells for each entry: half of them are filled at most, so that a look-up of what is not there
/// passes 2.5 on average (the same section, Theorem K), nearly always in one cache line.
const CELLS_PER_ENTRY: usize = 2;
/// Cells in the smallest page that a system gives.
const CELLS_PER_PAGE: usize = 4096 / size_of::<u64>();
/// A cell that holds nothing; others hold the hash above the place and one.
const EMPTY: u64 = 0;

/// See the module.
#[derive(Clone, Debug)]
pub struct PlaceIndex {
    cells: Box<[u64]>,
    capacity: usize,
    count: usize,
}

impl PlaceIndex {
    /// Takes the memory for `capacity` places.
    pub fn with_capacity(capacity: usize) -> Self {
        let cells_count = capacity * CELLS_PER_ENTRY + 2;
        assert!(cells_count < 1 << 32, "hashes have 32 bits");
        let mut cells = vec![EMPTY; cells_count].into_boxed_slice();
        // Hashes touch it all over, and each first touch of its memory would be waited for later.
        // One cell of a page is enough: the system gives the page, and clears it.
        for cell in cells.iter_mut().step_by(CELLS_PER_PAGE) {
            *core::hint::black_box(cell) = EMPTY;
        }
        Self { cells, capacity, count: 0 }
    }

    /// How many places it holds.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether it holds none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many places fit.
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// The place with this hash that `is_meant`.
    #[inline]
    pub fn find(&self, hash: u64, mut is_meant: impl FnMut(u32) -> bool) -> Option<u32> {
        let tag = tag_of(hash);
        let mut at = self.home(tag);
        loop {
            let cell = self.cells[at];
            if cell == EMPTY {
                return None;
            }
            if tag_in(cell) == tag && is_meant(place_in(cell)) {
                return Some(place_in(cell));
            }
            at = self.after(at);
        }
    }

    /// Asks memory for where the search for a hash begins.
    #[inline]
    pub fn prefetch(&self, hash: u64) {
        prefetch(&self.cells[self.home(tag_of(hash))]);
    }

    /// Adds a place, which must not be there.
    #[inline]
    pub fn insert(&mut self, hash: u64, place: u32) {
        assert!(self.count < self.capacity, "the capacity is the caller's promise");
        assert!(place < u32::MAX, "places have 32 bits, but for the last");
        let tag = tag_of(hash);
        let mut at = self.home(tag);
        while self.cells[at] != EMPTY {
            at = self.after(at);
        }
        self.cells[at] = u64::from(tag) << 32 | u64::from(place + 1);
        self.count += 1;
    }

    /// Takes a place out; false when it is not there.
    #[inline]
    pub fn remove(&mut self, hash: u64, place: u32) -> bool {
        let tag = tag_of(hash);
        let wanted = u64::from(tag) << 32 | u64::from(place + 1);
        let mut hole = self.home(tag);
        while self.cells[hole] != wanted {
            if self.cells[hole] == EMPTY {
                return false;
            }
            hole = self.after(hole);
        }
        let mut at = hole;
        loop {
            at = self.after(at);
            let cell = self.cells[at];
            if cell == EMPTY {
                break;
            }
            // Moves up unless its home lies behind the hole.
            if self.distance(self.home(tag_in(cell)), at) >= self.distance(hole, at) {
                self.cells[hole] = cell;
                hole = at;
            }
        }
        self.cells[hole] = EMPTY;
        self.count -= 1;
        true
    }

    /// Where the search for a hash begins: hashes keep their order in the table.
    #[inline]
    fn home(&self, tag: u32) -> usize {
        let cells_count = u64::try_from(self.cells.len()).expect("below 32 bits");
        usize::try_from((u64::from(tag) * cells_count) >> 32).expect("below the count of cells")
    }

    #[inline]
    fn after(&self, at: usize) -> usize {
        if at + 1 == self.cells.len() { 0 } else { at + 1 }
    }

    /// Cells from one to another, going forward.
    #[inline]
    fn distance(&self, from: usize, to: usize) -> usize {
        if to >= from { to - from } else { to + self.cells.len() - from }
    }
}

#[inline]
fn tag_of(hash: u64) -> u32 {
    let folded = (hash ^ hash >> 32) & u64::from(u32::MAX);
    u32::try_from(folded).expect("masked")
}

#[inline]
fn tag_in(cell: u64) -> u32 {
    u32::try_from(cell >> 32).expect("32 bits")
}

#[inline]
fn place_in(cell: u64) -> u32 {
    u32::try_from((cell & u64::from(u32::MAX)) - 1).expect("a filled cell")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u8),
        Remove(u8),
        Find(u8),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = (0_u8..3, any::<u8>()).prop_map(|(kind, key)| match kind {
            0 => Step::Insert(key),
            1 => Step::Remove(key),
            _ => Step::Find(key),
        });
        proptest::collection::vec(step, 0..400)
    }

    /// Few hashes, some of them at the end of the table: runs are long, and wrap around.
    fn hash(key: u8, homes: u64) -> u64 {
        let home = u64::from(key) % homes;
        if home.is_multiple_of(2) { home << 28 } else { u64::from(u32::MAX) - home }
    }

    proptest! {
        #[test]
        fn index_finds_what_a_set_has(steps in steps(), homes in 1_u64..12) {
            let mut index = PlaceIndex::with_capacity(256);
            let mut set = BTreeSet::new();
            for step in steps {
                match step {
                    Step::Insert(key) => {
                        if set.insert(key) {
                            index.insert(hash(key, homes), u32::from(key));
                        }
                    }
                    Step::Remove(key) => {
                        let removed = index.remove(hash(key, homes), u32::from(key));
                        prop_assert_eq!(removed, set.remove(&key));
                    }
                    Step::Find(key) => {
                        let found = index.find(hash(key, homes), |place| place == u32::from(key));
                        prop_assert_eq!(found.is_some(), set.contains(&key));
                    }
                }
                prop_assert_eq!(index.len(), set.len());
            }
            for key in 0..=u8::MAX {
                let found = index.find(hash(key, homes), |place| place == u32::from(key));
                prop_assert_eq!(found.is_some(), set.contains(&key));
            }
        }
    }

    #[test]
    fn index_that_is_full_still_ends_its_searches() {
        for capacity in [0, 1, 2, 3, 7] {
            let mut index = PlaceIndex::with_capacity(capacity);
            let count = u32::try_from(capacity).unwrap();
            (0..count).for_each(|place| index.insert(u64::MAX, place));
            assert_eq!(index.find(u64::MAX, |_| false), None);
            assert!(!index.remove(u64::MAX, count));
            assert!((0..count).all(|place| index.remove(u64::MAX, place)));
            assert!(index.is_empty());
        }
    }
}
