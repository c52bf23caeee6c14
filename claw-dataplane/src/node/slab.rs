//! A table of bounded size whose places are told apart by generation.
//!
//! Used for requests that wait for their outcome: an answer that comes after its request is gone
//! must find nothing, not the next request in the same place. Taken at boot, never grows.

/// See the module.
#[derive(Debug)]
pub struct Slab<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Place<T> {
    generation: u32,
    value: Option<T>,
}

/// A place in a [`Slab`] and which use of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SlabKey {
    /// Place.
    pub index: u32,
    /// Use.
    pub generation: u32,
}

impl<T> Slab<T> {
    /// Room for `count_max` values.
    pub fn with_capacity(count_max: u32) -> Self {
        let places = (0..count_max).map(|_| Place { generation: 0, value: None }).collect();
        Self { places, free: (0..count_max).rev().collect() }
    }

    /// Values there are.
    pub fn count(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Whether nothing more fits.
    pub fn full(&self) -> bool {
        self.free.is_empty()
    }

    /// Keeps `value`, or gives it back when full.
    pub fn insert(&mut self, value: T) -> Result<SlabKey, T> {
        let Some(index) = self.free.pop() else { return Err(value) };
        let place = &mut self.places[index as usize];
        assert!(place.value.is_none());
        place.value = Some(value);
        Ok(SlabKey { index, generation: place.generation })
    }

    /// The value of this very use.
    pub fn find(&mut self, key: SlabKey) -> Option<&mut T> {
        let place = self.places.get_mut(key.index as usize)?;
        if place.generation == key.generation { place.value.as_mut() } else { None }
    }

    /// Takes the value of this very use out.
    pub fn remove(&mut self, key: SlabKey) -> Option<T> {
        let place = self.places.get_mut(key.index as usize)?;
        if place.generation != key.generation {
            return None;
        }
        let value = place.value.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(key.index);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_key_finds_nothing() {
        let mut slab = Slab::with_capacity(1);
        let first = slab.insert('a').unwrap();
        assert_eq!(slab.insert('b'), Err('b'));
        assert_eq!(slab.remove(first), Some('a'));
        let second = slab.insert('c').unwrap();
        assert_eq!(second.index, first.index);
        assert_eq!(slab.find(first), None);
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.find(second), Some(&mut 'c'));
        assert_eq!(slab.count(), 1);
    }
}
