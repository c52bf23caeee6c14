//! A slab of values found by key, taken at boot, with one queue of what may be evicted.
//!
//! Slots are reused, so an index names a value only while it lives. The hasher is fixed: the same
//! inserts give the same slots, and nothing depends on the order of the index. The queue is
//! intrusive: pushing, unlinking and taking the oldest are O(1) and allocate nothing.

use core::hash::{BuildHasher, Hasher};
use core::ops::{Index, IndexMut};

use foldhash::fast::FixedState;

use super::{PlaceIndex, prefetch};

const NONE: u32 = u32::MAX;

/// A value that carries its key as bytes.
pub trait Keyed {
    /// The key; never changes while the value is in a slab.
    fn key(&self) -> &[u8];
}

#[derive(Clone, Debug)]
struct Slot<T> {
    value: Option<T>,
    /// Next in the queue, or in the free list.
    next: u32,
    previous: u32,
    queued: bool,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct KeyedSlab<T> {
    slots: Vec<Slot<T>>,
    index: PlaceIndex,
    hasher: FixedState,
    free: u32,
    oldest: u32,
    newest: u32,
    count: u32,
    queued_count: u32,
}

impl<T: Keyed> KeyedSlab<T> {
    /// Takes the memory of `capacity` values.
    pub fn with_capacity(capacity: u32) -> Self {
        assert!(capacity < NONE, "indices are 32 bits");
        let slots = (0..capacity)
            .map(|index| Slot {
                value: None,
                next: if index + 1 == capacity { NONE } else { index + 1 },
                previous: NONE,
                queued: false,
            })
            .collect();
        Self {
            slots,
            index: PlaceIndex::with_capacity(at(capacity)),
            hasher: FixedState::with_seed(0),
            free: if capacity == 0 { NONE } else { 0 },
            oldest: NONE,
            newest: NONE,
            count: 0,
            queued_count: 0,
        }
    }

    fn hash(&self, key: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(key);
        hasher.finish()
    }

    /// How many values there are.
    pub fn len(&self) -> u32 {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Where the value with this key is.
    #[inline]
    pub fn find(&self, key: &[u8]) -> Option<u32> {
        let hash = self.hash(key);
        self.index.find(hash, |place| self[place].key() == key)
    }

    /// Asks memory for where the search for a key begins.
    #[inline]
    pub fn prefetch_index(&self, key: &[u8]) {
        self.index.prefetch(self.hash(key));
    }

    /// Asks memory for the value with this key, and says where it is. The index is read: it should
    /// be there by now.
    #[inline]
    pub fn prefetch_value(&self, key: &[u8]) -> Option<u32> {
        // The keys are not compared, which would wait: another value with the same hash is as good.
        let place = self.index.find(self.hash(key), |_place| true)?;
        prefetch(&self.slots[at(place)]);
        Some(place)
    }

    /// Asks memory for the value at a place.
    #[inline]
    pub fn prefetch_place(&self, place: u32) {
        if let Some(slot) = self.slots.get(at(place)) {
            prefetch(slot);
        }
    }

    /// Asks memory for what the next insert reads, and for the place that the one after it takes.
    /// Gives the place of the next one; past the end when there is none.
    #[inline]
    pub fn prefetch_insert(&self) -> u32 {
        let place = if self.free == NONE { self.oldest } else { self.free };
        if let Some(slot) = self.slots.get(at(place)) {
            // Its slot was asked for by the call before this one: there by now.
            if let Some(victim) = &slot.value {
                self.prefetch_index(victim.key());
            }
            self.prefetch_place(slot.next);
        }
        place
    }

    /// Asks memory for what the next `count` inserts will evict, and for the `count` after them. A
    /// guess: where values end in the order in which they began, as most do, they lie side by side.
    pub fn prefetch_victims(&self, count: usize) {
        let Some(oldest) = self.victim() else { return };
        let likely = self.slots.iter().skip(at(oldest)).take(2 * count);
        for (number, slot) in likely.enumerate() {
            match &slot.value {
                // Asked for by the call before this one: there by now.
                Some(value) if number < count => self.prefetch_index(value.key()),
                _ => prefetch(slot),
            }
        }
    }

    /// The value with this key.
    #[inline]
    pub fn get(&self, key: &[u8]) -> Option<&T> {
        self.find(key).map(|index| &self[index])
    }

    /// How many values may not be evicted.
    #[inline]
    pub fn kept_count(&self) -> u32 {
        self.count - self.queued_count
    }

    /// How many values fit.
    #[inline]
    pub fn capacity(&self) -> u32 {
        u32::try_from(self.slots.len()).expect("taken as 32 bits")
    }

    /// Whether one more fits, if need be after evicting the oldest of the queue.
    #[inline]
    pub fn has_room(&self) -> bool {
        self.free != NONE || self.oldest != NONE
    }

    /// The oldest of the queue when a slot must be freed before the next insert.
    #[inline]
    pub fn victim(&self) -> Option<u32> {
        (self.free == NONE && self.oldest != NONE).then_some(self.oldest)
    }

    /// Adds a value whose key is not there; `None` when full.
    pub fn insert(&mut self, value: T) -> Option<u32> {
        let hash = self.hash(value.key());
        assert!(self.index.find(hash, |place| self[place].key() == value.key()).is_none());
        let place = self.free;
        let slot = self.slots.get_mut(at(place))?;
        self.free = slot.next;
        slot.next = NONE;
        slot.value = Some(value);
        self.count += 1;
        self.index.insert(hash, place);
        Some(place)
    }

    /// Takes a value out.
    pub fn remove(&mut self, place: u32) -> T {
        self.unqueue(place);
        let hash = self.hash(self[place].key());
        assert!(self.index.remove(hash, place), "filled slots are indexed");
        let slot = &mut self.slots[at(place)];
        let value = slot.value.take().expect("checked by the index");
        slot.next = self.free;
        self.free = place;
        self.count -= 1;
        value
    }

    /// Makes a value the youngest of the queue, wherever it was.
    pub fn queue(&mut self, place: u32) {
        self.unqueue(place);
        self.queued_count += 1;
        let newest = self.newest;
        let slot = &mut self.slots[at(place)];
        assert!(slot.value.is_some(), "only values are queued");
        slot.queued = true;
        slot.previous = newest;
        slot.next = NONE;
        match self.slots.get_mut(at(newest)) {
            Some(slot) => slot.next = place,
            None => self.oldest = place,
        }
        self.newest = place;
    }

    /// Takes a value out of the queue, if it is in it.
    pub fn unqueue(&mut self, place: u32) {
        let slot = &mut self.slots[at(place)];
        if !slot.queued {
            return;
        }
        let (previous, next) = (slot.previous, slot.next);
        slot.queued = false;
        slot.previous = NONE;
        slot.next = NONE;
        self.queued_count -= 1;
        match self.slots.get_mut(at(previous)) {
            Some(slot) => slot.next = next,
            None => self.oldest = next,
        }
        match self.slots.get_mut(at(next)) {
            Some(slot) => slot.previous = previous,
            None => self.newest = previous,
        }
    }

    /// Whether a value is in the queue.
    pub fn is_queued(&self, place: u32) -> bool {
        self.slots[at(place)].queued
    }

    /// The queue, oldest first.
    pub fn queued(&self) -> impl Iterator<Item = u32> + '_ {
        let first = (self.oldest != NONE).then_some(self.oldest);
        core::iter::successors(first, |&place| {
            let next = self.slots[at(place)].next;
            (next != NONE).then_some(next)
        })
    }

    /// All values with their places, in no meaningful order.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> + '_ {
        (0..).zip(&self.slots).filter_map(|(place, slot)| Some((place, slot.value.as_ref()?)))
    }

    /// All places, in the order of the keys. For snapshots: sorts, so it allocates.
    pub fn sorted(&self) -> Vec<u32> {
        let mut places: Vec<u32> = self.iter().map(|(place, _)| place).collect();
        places.sort_by(|&a, &b| self[a].key().cmp(self[b].key()));
        places
    }
}

#[inline]
fn at(place: u32) -> usize {
    usize::try_from(place).expect("usize has 32 bits or more")
}

impl<T> Index<u32> for KeyedSlab<T> {
    type Output = T;

    #[inline]
    fn index(&self, place: u32) -> &T {
        self.slots[at(place)].value.as_ref().expect("the place names a living value")
    }
}

impl<T> IndexMut<u32> for KeyedSlab<T> {
    #[inline]
    fn index_mut(&mut self, place: u32) -> &mut T {
        self.slots[at(place)].value.as_mut().expect("the place names a living value")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Keyed for [u8; 1] {
        fn key(&self) -> &[u8] {
            self
        }
    }

    #[test]
    fn oldest_of_the_queue_makes_room() {
        let mut slab = KeyedSlab::with_capacity(2);
        let a = slab.insert([1]).unwrap();
        let b = slab.insert([2]).unwrap();
        assert_eq!(slab.insert([3]), None);
        assert!(!slab.has_room());
        slab.queue(a);
        slab.queue(b);
        slab.queue(a);
        assert_eq!(slab.queued().collect::<Vec<_>>(), [b, a]);
        assert_eq!((slab.kept_count(), slab.capacity()), (0, 2));
        let victim = slab.victim().unwrap();
        assert_eq!(slab.remove(victim), [2]);
        assert_eq!(slab.insert([3]), Some(b));
        assert_eq!(slab.kept_count(), 1);
        assert_eq!(slab.find(&[2]), None);
        assert_eq!(slab.find(&[3]), Some(b));
        assert_eq!(slab.sorted(), [a, b]);
    }
}
