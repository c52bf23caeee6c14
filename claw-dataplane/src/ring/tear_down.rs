//! The end of a ring: nothing is freed that the kernel may still touch.
//!
//! Owns the drop of [`CoreRing`]: it cancels everything, waits for the last completions, and closes
//! what was accepted and never looked at. Closing the ring alone would not do: the kernel ends
//! its operations later, in its own time.

use std::os::fd::{FromRawFd, OwnedFd};
use std::time::Duration;

use io_uring::opcode;
use io_uring::types::{CancelBuilder, SubmitArgs, Timespec};

use super::core_ring::is_transient;
use super::user_data::{Key, Kind, UserData};
use super::{CoreRing, RingError};

/// A drop waits this often, this long, for the kernel to let go of our memory: ten seconds.
const TEAR_DOWN_ROUNDS_MAX: u32 = 500;
const TEAR_DOWN_WAIT: Duration = Duration::from_millis(20);

impl CoreRing {
    /// Cancels everything and waits until the kernel holds no memory of ours.
    fn tear_down(&mut self) -> Result<(), RingError> {
        let mut rounds_left = TEAR_DOWN_ROUNDS_MAX;
        while self.in_flight_count > 0 && rounds_left > 0 {
            let everything = CancelBuilder::any().all();
            let entry = opcode::AsyncCancel2::new(everything).build();
            // SAFETY: no pointers.
            unsafe { self.push(&entry.user_data(UserData::pack(Kind::Cancel, Key::NONE).bits())) }?;
            self.enter()?;
            self.reap();
            if self.in_flight_count > 0 {
                self.wait_in_kernel(TEAR_DOWN_WAIT)?;
                self.reap();
            }
            rounds_left -= 1;
        }
        Ok(())
    }

    fn wait_in_kernel(&mut self, timeout: Duration) -> Result<(), RingError> {
        self.metrics.enters_count += 1;
        let timespec = Timespec::from(timeout);
        let arguments = SubmitArgs::new().timespec(&timespec);
        match self.uring.0.submitter().submit_with_args(1, &arguments) {
            Ok(_) => Ok(()),
            Err(error) if error.raw_os_error() == Some(libc::ETIME) => Ok(()),
            Err(error) if is_transient(&error) => Ok(()),
            Err(error) => Err(RingError::Enter(error)),
        }
    }

    /// Closes what was accepted and not popped.
    fn close_accepted(&mut self) {
        for raw in self.ready.drain(..) {
            let accepted = matches!(raw.user_data.unpack(), Some((Kind::Accept, _)));
            if accepted && raw.result >= 0 {
                // SAFETY: a successful accept gives a new descriptor that nobody else has.
                drop(unsafe { OwnedFd::from_raw_fd(raw.result) });
            }
        }
    }
}

impl Drop for CoreRing {
    fn drop(&mut self) {
        if let Err(error) = self.tear_down() {
            log::error!("tearing down a core ring: {error}");
        }
        self.close_accepted();
        // Writing to freed memory is worse than any panic: the kernel still holds some.
        if self.in_flight_count > 0 {
            log::error!(
                "{} operations are still in flight on a dropped core ring",
                self.in_flight_count
            );
            std::process::abort();
        }
    }
}
