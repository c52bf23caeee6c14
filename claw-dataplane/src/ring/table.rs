//! A bounded table whose places are named by index and generation.
//!
//! Owns the state behind every operation in flight. A place that is used again gets another
//! generation, so a late completion can never reach the wrong owner.
//! Never grows: memory is taken at boot.

use super::RingError;
use super::user_data::{INDEX_MAX, Key};

/// The table.
#[derive(Debug)]
pub(super) struct Table<T> {
    purpose: &'static str,
    places: Vec<Place<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Place<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Table<T> {
    pub(super) fn with_capacity(purpose: &'static str, count_max: usize) -> Self {
        let count = u32::try_from(count_max).expect("a table fits 32 bits");
        assert!(count > 0);
        assert!(count <= INDEX_MAX + 1);
        let places = (0..count).map(|_| Place { generation: 0, value: None });
        Self { purpose, places: places.collect(), free: (0..count).rev().collect() }
    }

    pub(super) fn insert(&mut self, value: T) -> Result<Key, RingError> {
        let Some(index) = self.free.pop() else {
            return Err(RingError::TableFull {
                purpose: self.purpose,
                count_max: self.places.len(),
            });
        };
        let place = &mut self.places[slot(index)];
        assert!(place.value.is_none());
        place.generation = place.generation.wrapping_add(1);
        place.value = Some(value);
        Ok(Key { index, generation: place.generation })
    }

    pub(super) fn is_full(&self) -> bool {
        self.free.is_empty()
    }

    pub(super) fn count(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub(super) fn find(&self, key: Key) -> Option<&T> {
        let place = self.places.get(slot(key.index))?;
        (place.generation == key.generation).then_some(place.value.as_ref()).flatten()
    }

    pub(super) fn find_mut(&mut self, key: Key) -> Option<&mut T> {
        let place = self.places.get_mut(slot(key.index))?;
        (place.generation == key.generation).then_some(place.value.as_mut()).flatten()
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<T> {
        let place = self.places.get_mut(slot(key.index))?;
        if place.generation != key.generation {
            return None;
        }
        let value = place.value.take()?;
        self.free.push(key.index);
        Some(value)
    }
}

fn slot(index: u32) -> usize {
    usize::try_from(index).expect("a 32-bit index fits")
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn key_of_an_earlier_use_finds_nothing() {
        let mut table = Table::with_capacity("tests", 1);
        let first = table.insert('a').unwrap();
        assert_eq!(table.remove(first), Some('a'));
        let second = table.insert('b').unwrap();
        assert_eq!(first.index, second.index);
        assert_eq!(table.find(first), None);
        assert_eq!(table.find(second), Some(&'b'));
    }

    #[test]
    fn full_table_refuses() {
        let mut table = Table::with_capacity("tests", 1);
        table.insert('a').unwrap();
        assert!(table.is_full());
        assert!(table.insert('b').is_err());
    }
}
