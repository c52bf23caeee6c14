//! Going to sleep without losing a completion.
//!
//! Owns the order in which that is safe: the eventfd is enabled, a fence orders that before what
//! follows, the kernel is entered so that it submits and runs what it deferred, and only when the
//! queue is empty after that may anyone wait. The `TASKRUN` hint plays no part in it.
//!
//! Does not wait itself, but for [`CoreRing::wait`] on a bare thread: hosts do.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::time::Duration;

use super::doorbell::await_eventfd;
use super::{CoreRing, RingError};

impl CoreRing {
    /// Waits on this thread until there is a completion or the time is over. For bare threads: a
    /// host with an executor must not block.
    pub fn wait(&mut self, timeout: Duration) -> Result<usize, RingError> {
        if self.turn()? > 0 {
            return Ok(self.pending_count());
        }
        if self.prepare_park()? {
            self.count_park();
            await_eventfd(&self.eventfd, timeout).map_err(RingError::Await)?;
        }
        self.end_park();
        self.turn()
    }

    /// First half of going to sleep: after `true`, the eventfd is signalled for any completion, no
    /// entry is unsubmitted, and none has completed; wait for [`CoreRing::eventfd`]. After
    /// `false` there is work. Follow either with [`CoreRing::end_park`].
    pub fn prepare_park(&mut self) -> Result<bool, RingError> {
        self.resume_starved()?;
        self.uring.0.completion().enable_eventfd();
        fence(Ordering::SeqCst);
        self.enter()?;
        self.reap();
        self.hear_bell();
        Ok(self.pending_count() == 0)
    }

    /// Second half: awake again, so the kernel need not signal.
    pub fn end_park(&mut self) {
        self.uring.0.completion().disable_eventfd();
    }

    /// For a host: counts a sleep.
    pub(super) fn count_park(&mut self) {
        self.metrics.parks_count += 1;
    }

    /// Signalled by the kernel while parked. Also a way for a host to wake itself.
    pub fn eventfd(&self) -> &Arc<OwnedFd> {
        &self.eventfd
    }
}
