//! The processor's counts of what this thread does in user mode: instructions, misses.
//!
//! `perf_event_open(2)`, Linux 2.6.31 and later. Many virtual machines have no such counter, and a
//! kernel may refuse it to ordinary users (`kernel.perf_event_paranoid` above 2); both are said in
//! the error. Owns one descriptor; deliberately counts nothing else.

use std::fs::File;
use std::io::Read as _;
use std::mem::size_of;
use std::os::fd::FromRawFd as _;

use anyhow::{Context as _, Result};

/// What is counted.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    Instructions,
    /// Of the last cache.
    CacheMisses,
    /// Of the TLB for data, reading.
    TlbMisses,
}

impl Event {
    /// `type` and `config` of `perf_event_attr`.
    const fn code(self) -> (u32, u64) {
        match self {
            // PERF_TYPE_HARDWARE: PERF_COUNT_HW_INSTRUCTIONS, PERF_COUNT_HW_CACHE_MISSES.
            Self::Instructions => (0, 1),
            Self::CacheMisses => (0, 3),
            // PERF_TYPE_HW_CACHE: PERF_COUNT_HW_CACHE_DTLB, read (0), missed (1).
            Self::TlbMisses => (3, 3 | 1 << 16),
        }
    }
}

/// `exclude_kernel` and `exclude_hv`, bits of the flags' word.
const EXCLUDE_KERNEL_AND_HYPERVISOR: u64 = 1 << 5 | 1 << 6;

/// `struct perf_event_attr` as it was first published (`PERF_ATTR_SIZE_VER0`, 64 bytes); what
/// came later is zero by that.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    breakpoint_type: u32,
    breakpoint_address: u64,
}

const _: () = assert!(size_of::<Attributes>() == 64);

/// See the module.
pub(super) struct Counter(File);

impl Counter {
    /// Counts from here on.
    pub(super) fn open(event: Event) -> Result<Self> {
        let (kind, config) = event.code();
        let attributes = Attributes {
            kind,
            size: u32::try_from(size_of::<Attributes>())?,
            config,
            flags: EXCLUDE_KERNEL_AND_HYPERVISOR,
            ..Attributes::default()
        };
        // SAFETY: the structure is as long as it says and outlives the call: this thread, any CPU,
        // no group, no flags.
        let fd = unsafe {
            libc::syscall(libc::SYS_perf_event_open, &raw const attributes, 0, -1, -1, 0)
        };
        let fd = i32::try_from(fd)?;
        if fd < 0 {
            let error = std::io::Error::last_os_error();
            return Err(error).context("no counter of the processor (perf_event_open)");
        }
        // SAFETY: the descriptor is new and nobody else's.
        Ok(Self(unsafe { File::from_raw_fd(fd) }))
    }

    /// So many so far.
    pub(super) fn read(&self) -> Result<u64> {
        let mut bytes = [0; 8];
        (&self.0).read_exact(&mut bytes).context("read the counter")?;
        // The kernel writes a number of this machine, and this machine is little-endian.
        Ok(u64::from_le_bytes(bytes))
    }
}
