//! Which CPU runs which core, and which core runs which shard.
//!
//! Cores of a node are numbered from 0; shards go to them in turn. The count of cores may change
//! between runs (streams are merged at start), the count of shards may not. Does not read the
//! configuration file and starts nothing.

use claw_common::id::ShardId;
use claw_common::limits::CORES_MAX;

use crate::config::{Config, Cores};

/// A node's core: one thread, one ring, one log stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CoreId(pub u8);

impl CoreId {
    /// As an index into per-core lists.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The layout of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    cpus: Vec<usize>,
    shards_count: u16,
}

impl Placement {
    /// `cores_wanted` cores (0: one less than there are CPUs, at least one) for `shards_count`
    /// shards on the first of the `allowed` CPUs. More cores than shards would idle, so fewer are
    /// used then.
    pub fn plan(cores_wanted: usize, shards_count: u16, allowed: &[usize]) -> Self {
        assert!(shards_count > 0);
        assert!(!allowed.is_empty());
        let wanted = if cores_wanted == 0 { allowed.len().saturating_sub(1) } else { cores_wanted };
        let count = wanted.clamp(1, usize::from(shards_count).min(CORES_MAX));
        let cpus = (0..count).map(|index| allowed[index.min(allowed.len() - 1)]).collect();
        Self { cpus, shards_count }
    }

    /// As a store's settings ask for it.
    pub fn of_store(config: &Config, allowed: &[usize]) -> Self {
        let wanted = match config.node.cores {
            Cores::Auto => 0,
            Cores::Count(count) => usize::from(count),
        };
        Self::plan(wanted, config.store.shards, allowed)
    }

    /// CPU numbers, one a core; several cores share the last when there are fewer CPUs.
    pub fn cpus(&self) -> &[usize] {
        &self.cpus
    }

    /// CPUs of `allowed` that no core has; all of them when the cores have every one.
    pub fn spare_cpus(&self, allowed: &[usize]) -> Vec<usize> {
        let spare: Vec<_> =
            allowed.iter().copied().filter(|cpu| !self.cpus.contains(cpu)).collect();
        if spare.is_empty() { allowed.to_vec() } else { spare }
    }

    /// How many cores.
    pub fn cores_count(&self) -> usize {
        self.cpus.len()
    }

    /// Every core.
    pub fn cores(&self) -> impl Iterator<Item = CoreId> + use<> {
        let count = u8::try_from(self.cpus.len()).expect("at most CORES_MAX");
        (0..count).map(CoreId)
    }

    /// The core of a shard.
    pub fn core_of(&self, shard: ShardId) -> CoreId {
        assert!(shard.0 < self.shards_count);
        let index = usize::from(shard.0) % self.cpus.len();
        CoreId(u8::try_from(index).expect("at most CORES_MAX"))
    }

    /// The shards of a core, ascending.
    pub fn shards_of(&self, core: CoreId) -> impl Iterator<Item = ShardId> + Clone + '_ {
        (0..self.shards_count).map(ShardId).filter(move |&shard| self.core_of(shard) == core)
    }

    /// How many shards in the store.
    pub fn shards_count(&self) -> u16 {
        self.shards_count
    }
}

/// CPUs this process may run on, ascending.
pub fn cpus_allowed() -> Vec<usize> {
    // SAFETY: an all-zero cpu_set_t is a valid empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` is a live cpu_set_t of the size given.
    let result = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) };
    let count = usize::try_from(libc::CPU_SETSIZE).expect("a positive constant");
    // SAFETY: every index is below CPU_SETSIZE.
    let cpus: Vec<usize> =
        (0..count).filter(|&cpu| result == 0 && unsafe { libc::CPU_ISSET(cpu, &set) }).collect();
    if cpus.is_empty() { vec![0] } else { cpus }
}

/// Lets the calling thread run on these CPUs only. What the kernel refuses stays as it was: a place
/// is a matter of speed, not of correctness.
pub fn run_on(cpus: &[usize]) {
    // SAFETY: an all-zero cpu_set_t is a valid empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for &cpu in cpus {
        // SAFETY: CPU numbers come from `cpus_allowed` and are below CPU_SETSIZE.
        unsafe { libc::CPU_SET(cpu, &mut set) };
    }
    // SAFETY: `set` is a live cpu_set_t of the size given.
    let result =
        unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) };
    if result != 0 {
        log::debug!("the kernel keeps this thread off cpus {cpus:?}");
    }
}

/// How much a thread beside the cores gives way to them wherever it shares a CPU with one: what it
/// does can wait for a moment, and a shopper cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Courtesy {
    /// It gets a tenth of what a core gets.
    Beside,
    /// It gets a seventieth: what nobody misses while a core is busy.
    Behind,
}

/// Lets this thread give way.
pub fn give_way(courtesy: Courtesy) {
    let nice = match courtesy {
        Courtesy::Beside => 10,
        Courtesy::Behind => 19,
    };
    // SAFETY: no pointers; 0 is the calling thread.
    let result = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) };
    if result != 0 {
        log::debug!("this thread keeps its priority: {}", std::io::Error::last_os_error());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shard_has_one_core_and_every_core_a_shard() {
        for (wanted, shards, cpus, cores) in
            [(0, 4, 2, 1), (2, 4, 2, 2), (8, 3, 2, 3), (0, 1, 16, 1), (0, 16, 8, 7)]
        {
            let allowed: Vec<_> = (0..cpus).collect();
            let placement = Placement::plan(wanted, shards, &allowed);
            assert_eq!(placement.cores_count(), cores);
            let placed: usize =
                placement.cores().map(|core| placement.shards_of(core).count()).sum();
            assert_eq!(placed, usize::from(shards));
            assert!(placement.cores().all(|core| placement.shards_of(core).count() > 0));
        }
    }
}
