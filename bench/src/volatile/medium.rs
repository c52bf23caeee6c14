//! The device of the benchmark of crashes: contents in memory, a write cache, and a plug.
//!
//! Owns when things happen: a flush takes a moment, in which the power may fail, and after that
//! nothing happens any more until [`Medium::lose_power`] has tossed its coins. A medium that lies
//! acknowledges flushes and makes nothing durable.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use rand::Rng;

use super::contents::{Contents, Flush, Toll};
use super::tree::{Refusal, Tree};

/// What a flush takes, as on a good SSD: without it there would be no moment to cut.
const FLUSH_TIME: Duration = Duration::from_micros(200);

/// Whether a flush does what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Honesty {
    Honest,
    /// It says that everything is durable, and nothing is.
    Lying,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Medium {
    state: Mutex<State>,
    honesty: Honesty,
}

#[derive(Debug)]
struct State {
    tree: Tree,
    powered: bool,
}

impl Medium {
    /// An empty one.
    pub(crate) fn new(honesty: Honesty) -> Self {
        let tree = Tree::new(SystemTime::now());
        Self { state: Mutex::new(State { tree, powered: true }), honesty }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something to the tree, while there is power.
    pub(crate) fn with<T>(
        &self,
        work: impl FnOnce(&mut Tree) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let mut state = self.state();
        if !state.powered {
            return Err(Refusal::Dead);
        }
        work(&mut state.tree)
    }

    /// Flushes a file.
    pub(crate) fn flush(&self, file: u64) -> Result<(), Refusal> {
        self.flush_some(file, Contents::flush)
    }

    /// Flushes a range of bytes of a file, and its size.
    pub(crate) fn flush_range(&self, file: u64, range: Range<u64>) -> Result<(), Refusal> {
        self.flush_some(file, |contents| contents.flush_range(range))
    }

    fn flush_some(&self, file: u64, begin: impl FnOnce(&Contents) -> Flush) -> Result<(), Refusal> {
        let begun = |contents: &mut Contents| {
            let flush = begin(contents);
            (!flush.is_empty(contents)).then_some(flush)
        };
        let Some(flush) = self.with(|tree| tree.with_contents(file, begun))? else {
            return Ok(());
        };
        std::thread::sleep(FLUSH_TIME);
        self.with(|tree| match self.honesty {
            Honesty::Lying => Ok(()),
            Honesty::Honest => tree.with_contents(file, |contents| contents.flushed(flush)),
        })
    }

    /// Everything that was written is durable: a fresh server has been set up.
    pub(crate) fn settle(&self) {
        self.state().tree.settle();
    }

    /// Pulls the plug: from now on nothing is read, written or flushed.
    pub(crate) fn pull_plug(&self) {
        self.state().powered = false;
    }

    /// Decides what is left, and gives power again.
    pub(crate) fn lose_power(&self, coin: &mut impl Rng) -> Toll {
        let mut state = self.state();
        state.powered = true;
        state.tree.lose_power(coin)
    }
}
