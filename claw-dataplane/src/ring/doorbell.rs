//! Waking: other cores' rings, other threads, and time.
//!
//! Owns the three ways in which a ring hears of something that is not its own I/O:
//! - a *doorbell* is 32 bits posted straight into another core's completion queue (`MSG_RING`);
//! - the *bell* is a flag any thread may set, which also signals the eventfd that a parked host
//!   waits for. (A poll of a second eventfd would not do: the kernel does not signal one eventfd
//!   from inside a write to another, and a parked ring then misses its wake-up.)
//! - *timers* are timeouts on the ring.
//!
//! None of them carries data beyond their payload: what was meant lies in a queue beside.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use io_uring::opcode;
use io_uring::types::{Fd, Timespec};

use super::bell::{Bell, Signal};
use super::completion::{Completion, PostSource, TimerId};
use super::core_ring::RawCompletion;
use super::user_data::{Key, Kind, UserData};
use super::{CoreRing, RingError};

/// Where another core's doorbell is. Sent between threads at boot.
#[derive(Clone, Debug)]
pub struct RingAddress {
    core: u16,
    fd: Arc<OwnedFd>,
}

impl RingAddress {
    /// The core it belongs to.
    pub fn core(&self) -> u16 {
        self.core
    }
}

/// The bell of a ring, which sleeps on an eventfd.
pub(super) type RingBell = Bell<AtomicBool, Arc<OwnedFd>>;

impl Signal for Arc<OwnedFd> {
    fn signal(&self) {
        signal_eventfd(self);
    }
}

/// Rings a ring's bell from any thread. Several rings before it is heard are one.
#[derive(Clone, Debug)]
pub struct RingWaker {
    bell: Arc<RingBell>,
}

impl RingWaker {
    /// Makes the ring report a `Bell`.
    pub fn wake(&self) {
        self.bell.ring();
    }
}

/// A timer in flight.
#[derive(Debug)]
pub(super) struct Timer {
    token: u64,
}

impl CoreRing {
    /// This ring's doorbell, for other cores.
    pub fn address(&self) -> io::Result<RingAddress> {
        Ok(RingAddress { core: self.core(), fd: Arc::new(self.ring_fd().try_clone_to_owned()?) })
    }

    /// This ring's bell, for other threads.
    pub fn waker(&self) -> RingWaker {
        RingWaker { bell: Arc::clone(&self.bell) }
    }

    /// Posts 32 bits to another core. Reported there as `Doorbell`; here only when it is lost.
    pub fn doorbell(&mut self, target: &RingAddress, payload: u32) -> Result<(), RingError> {
        let heard = UserData::pack(
            Kind::Doorbell,
            Key { index: u32::from(self.core()), generation: payload },
        );
        let sent = UserData::pack(
            Kind::DoorbellSent,
            Key { index: u32::from(target.core), generation: 0 },
        );
        let target = Fd(target.fd.as_raw_fd());
        let entry = opcode::MsgRingData::new(target, 0, heard.bits(), None).build();
        // SAFETY: no pointers. A descriptor closed before the entry is submitted gives an error.
        unsafe { self.push(&entry.user_data(sent.bits())) }
    }

    /// Posts 32 bits to this ring itself: reported as `Posted` by a later turn.
    pub fn post(&mut self, source: PostSource, payload: u32) -> Result<(), RingError> {
        let key = Key { index: source.index(), generation: payload };
        let entry = opcode::Nop::new().build();
        // SAFETY: no pointers.
        unsafe { self.push(&entry.user_data(UserData::pack(Kind::Posted, key).bits())) }
    }

    /// Reports `TimerFired` with the token once the time is over.
    pub fn set_timer(&mut self, after: Duration, token: u64) -> Result<TimerId, RingError> {
        let key = self.timers.insert(Timer { token })?;
        let place = usize::try_from(key.index).expect("a 32-bit index fits");
        self.timespecs[place] = Timespec::from(after);
        let timespec = &raw const self.timespecs[place];
        let entry = opcode::Timeout::new(timespec).build();
        // SAFETY: the duration stays in its boxed slice, unchanged while the timer has its place.
        unsafe { self.push(&entry.user_data(UserData::pack(Kind::Timer, key).bits())) }?;
        Ok(TimerId(key))
    }

    /// Takes a timer back. It may already have fired; then `TimerFired` is still reported.
    pub fn cancel_timer(&mut self, timer: TimerId) -> Result<(), RingError> {
        if self.timers.find(timer.0).is_none() {
            return Ok(());
        }
        let target = UserData::pack(Kind::Timer, timer.0);
        let entry = opcode::TimeoutRemove::new(target.bits()).build();
        // SAFETY: no pointers.
        unsafe { self.push(&entry.user_data(UserData::pack(Kind::Cancel, Key::NONE).bits())) }
    }

    pub(super) fn complete_timer(&mut self, key: Key, raw: RawCompletion) -> Option<Completion> {
        let timer = self.timers.remove(key).expect("a timer is owned until it completes");
        if raw.io_result().is_err_and(|error| error.raw_os_error() == Some(libc::ECANCELED)) {
            return None;
        }
        Some(Completion::TimerFired { timer: TimerId(key), token: timer.token })
    }
}

pub(super) fn open_eventfd() -> Result<OwnedFd, RingError> {
    // SAFETY: no pointers.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
    if fd < 0 {
        return Err(RingError::EventFd(io::Error::last_os_error()));
    }
    // SAFETY: the descriptor was just made and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Adds one to an eventfd. It can only fail when the count is at its top, and then whoever waits is
/// awake anyway.
pub(super) fn signal_eventfd(eventfd: &OwnedFd) {
    let one: u64 = 1;
    // SAFETY: eight readable bytes.
    let written = unsafe { libc::write(eventfd.as_raw_fd(), (&raw const one).cast(), 8) };
    if written < 0 {
        log::trace!("signalling an eventfd: {}", io::Error::last_os_error());
    }
}

/// Waits until an eventfd is signalled, and takes its count. Returns early when the time is over.
pub(super) fn await_eventfd(eventfd: &OwnedFd, timeout: Duration) -> io::Result<()> {
    let mut poll = libc::pollfd { fd: eventfd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // Rounded up: waiting zero milliseconds for a microsecond would spin.
    let timeout_ms = i32::try_from(timeout.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
    // SAFETY: one valid element.
    let ready_count = unsafe { libc::poll(&raw mut poll, 1, timeout_ms) };
    if ready_count <= 0 {
        let error = io::Error::last_os_error();
        let in_vain = ready_count == 0 || error.kind() == io::ErrorKind::Interrupted;
        return if in_vain { Ok(()) } else { Err(error) };
    }
    let mut count: u64 = 0;
    let room = libc::iovec { iov_base: (&raw mut count).cast(), iov_len: size_of::<u64>() };
    // Without waiting: a host's own read of the eventfd may have been faster.
    // SAFETY: one element that describes eight writable bytes.
    let read =
        unsafe { libc::preadv2(eventfd.as_raw_fd(), &raw const room, 1, -1, libc::RWF_NOWAIT) };
    if read < 0 {
        let error = io::Error::last_os_error();
        return if error.kind() == io::ErrorKind::WouldBlock { Ok(()) } else { Err(error) };
    }
    Ok(())
}
