//! Credits: a bound on what is under way at once.

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Credits {
    capacity: u32,
    taken: u32,
}

impl Credits {
    /// So many may be under way.
    pub const fn new(capacity: u32) -> Self {
        Self { capacity, taken: 0 }
    }

    /// Takes one; false when none is left.
    #[must_use]
    pub const fn take(&mut self) -> bool {
        if self.taken == self.capacity {
            return false;
        }
        self.taken += 1;
        true
    }

    /// Gives one back.
    pub const fn give_back(&mut self) {
        assert!(self.taken > 0, "only what was taken comes back");
        self.taken -= 1;
    }

    /// How many are left.
    pub const fn left(&self) -> u32 {
        self.capacity - self.taken
    }
}

#[cfg(test)]
mod tests {
    use super::Credits;

    #[test]
    fn credits_end_and_come_back() {
        let mut credits = Credits::new(1);
        assert!(credits.take());
        assert!(!credits.take());
        credits.give_back();
        assert_eq!(credits.left(), 1);
    }
}
