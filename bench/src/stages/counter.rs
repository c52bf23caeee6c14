//! The processor's count of instructions that this thread executes in user mode.
//!
//! `perf_event_open(2)`, Linux 2.6.31 and later. Many virtual machines have no such counter, and a
//! kernel may refuse it to ordinary users (`kernel.perf_event_paranoid` above 2); both are said in
//! the error. Owns one descriptor; deliberately counts nothing else.

use std::fs::File;
use std::io::Read as _;
use std::mem::size_of;
use std::os::fd::FromRawFd as _;

use anyhow::{Context as _, Result};

/// `PERF_TYPE_HARDWARE`.
const TYPE_HARDWARE: u32 = 0;
/// `PERF_COUNT_HW_INSTRUCTIONS`.
const COUNT_INSTRUCTIONS: u64 = 1;
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
    pub(super) fn open() -> Result<Self> {
        let attributes = Attributes {
            kind: TYPE_HARDWARE,
            size: u32::try_from(size_of::<Attributes>())?,
            config: COUNT_INSTRUCTIONS,
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
            return Err(error).context("no counter of instructions (perf_event_open)");
        }
        // SAFETY: the descriptor is new and nobody else's.
        Ok(Self(unsafe { File::from_raw_fd(fd) }))
    }

    /// Instructions so far.
    pub(super) fn read(&self) -> Result<u64> {
        let mut bytes = [0; 8];
        (&self.0).read_exact(&mut bytes).context("read the counter of instructions")?;
        // The kernel writes a number of this machine, and this machine is little-endian.
        Ok(u64::from_le_bytes(bytes))
    }
}
