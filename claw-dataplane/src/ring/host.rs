//! Driving a ring from a glommio task.
//!
//! Owns the waking: how a task that drives the ring sleeps without losing a completion, and shares
//! its core with glommio's own timers, channels and files.
//!
//! ```text
//!  turn ---- completions? ----------------------------------------> the caller works
//!   | none                                                              |
//!   spin (50 us; not at all on small machines)                          |
//!   |                                                                   |
//!   park: eventfd on, fence, enter, queue empty? -> await the bell      |
//!   every 500 us of unbroken work: kick the eventfd, await the bell  <--+
//! ```
//! Invariants, each there because of a way in which glommio 0.9 can stall:
//! - A read of the eventfd is always armed, and the eventfd is on across every await, so a park
//!   with runnable tasks ends with the next completion.
//! - A heartbeat of at most 10 ms bounds such a park when nothing completes.
//! - Yielding is not enough to let glommio's reactor run: only awaiting something pending is.
//!
//! Must not be used with `preempt_timer` or `Latency::Matters` below 10 ms.
//! The ring knows nothing of this file; a bare thread uses [`CoreRing::wait`] instead.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::hint;
use std::io;
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use glommio::io::BufferedFile;

use super::doorbell::signal_eventfd;
use super::{CoreRing, RingError};

/// `io_memory` for the executor of a core: glommio pins it three times, and skips registering in
/// silence where that exceeds the memlock limit (8 MiB by default) or is below its own least.
pub const GLOMMIO_IO_MEMORY_BYTES: usize = 1 << 20;
const _: () = {
    assert!(3 * GLOMMIO_IO_MEMORY_BYTES <= 8 << 20);
    assert!(GLOMMIO_IO_MEMORY_BYTES >= 512 << 10);
};

/// Longest heartbeat: what bounds a park with runnable tasks.
const HEARTBEAT_MAX: Duration = Duration::from_millis(10);
/// On so few cores a spinning thread takes the time of whoever it waits for.
const SPIN_CORES_MIN: usize = 3;
/// Turns between two looks at the clock while spinning.
const TURNS_PER_CLOCK: u32 = 8;

/// How a [`GlommioHost`] waits.
#[derive(Clone, Copy, Debug)]
pub struct GlommioHostShape {
    /// How long to look for completions before sleeping.
    pub spin: Duration,
    /// Longest time without a pass of glommio's reactor.
    pub reactor_pass_interval: Duration,
    /// How often to wake with nothing to do; at most 10 ms.
    pub heartbeat: Duration,
}

impl Default for GlommioHostShape {
    fn default() -> Self {
        let cores_count = thread::available_parallelism().map_or(1, usize::from);
        Self {
            spin: if cores_count < SPIN_CORES_MIN {
                Duration::ZERO
            } else {
                Duration::from_micros(50)
            },
            reactor_pass_interval: Duration::from_micros(500),
            heartbeat: Duration::from_millis(5),
        }
    }
}

/// Why [`GlommioHost::turn`] returned. Whatever it is, there may be completions to pop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostSignal {
    /// There are completions to pop.
    Completions,
    /// The heartbeat: time to look at what nothing else announces.
    Heartbeat,
    /// A task of this executor called [`HostNudger::nudge`].
    Nudged,
}

/// What has happened since the driver last looked.
#[derive(Debug, Default)]
struct Bell {
    event: Cell<bool>,
    heartbeat: Cell<bool>,
    nudged: Cell<bool>,
    stopped: Cell<bool>,
    failure: RefCell<Option<io::Error>>,
    waker: RefCell<Option<Waker>>,
}

impl Bell {
    fn ring(&self, flag: &Cell<bool>) {
        flag.set(true);
        let waker = self.waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    async fn heard(&self) {
        poll_fn(|context| {
            if self.event.get() || self.heartbeat.get() || self.nudged.get() {
                return Poll::Ready(());
            }
            self.waker.replace(Some(context.waker().clone()));
            Poll::Pending
        })
        .await;
    }

    async fn event_heard(&self) {
        poll_fn(|context| {
            if self.event.get() {
                return Poll::Ready(());
            }
            self.waker.replace(Some(context.waker().clone()));
            Poll::Pending
        })
        .await;
    }
}

/// Wakes the driver from another task of the same executor.
#[derive(Clone, Debug)]
pub struct HostNudger {
    bell: Rc<Bell>,
}

impl HostNudger {
    /// Makes [`GlommioHost::turn`] return.
    pub fn nudge(&self) {
        self.bell.ring(&self.bell.nudged);
    }
}

/// The glommio side of one ring.
#[derive(Debug)]
pub struct GlommioHost {
    bell: Rc<Bell>,
    eventfd: Arc<OwnedFd>,
    shape: GlommioHostShape,
    last_pass: Instant,
}

impl GlommioHost {
    /// Starts the bell and the heartbeat. Must be called inside the executor that made the ring.
    pub fn attach(ring: &CoreRing, shape: GlommioHostShape) -> Result<Self, RingError> {
        assert!(!shape.heartbeat.is_zero());
        assert!(shape.heartbeat <= HEARTBEAT_MAX);
        let bell = Rc::new(Bell::default());
        let eventfd = Arc::clone(ring.eventfd());
        let duplicate = eventfd.try_clone().map_err(RingError::EventFd)?;
        // SAFETY: the descriptor is a duplicate that nobody else owns.
        let file = unsafe { BufferedFile::from_raw_fd(duplicate.into_raw_fd()) };
        glommio::spawn_local(hear(file, Rc::clone(&bell))).detach();
        glommio::spawn_local(beat(shape.heartbeat, Rc::clone(&bell))).detach();
        Ok(Self { bell, eventfd, shape, last_pass: Instant::now() })
    }

    /// A way to wake the driver from other tasks of this executor.
    pub fn nudger(&self) -> HostNudger {
        HostNudger { bell: Rc::clone(&self.bell) }
    }

    /// Turns the ring; sleeps when there is nothing to do.
    pub async fn turn(&mut self, ring: &mut CoreRing) -> Result<HostSignal, RingError> {
        loop {
            let ready = self.poll(ring).await? > 0 || self.spin(ring)? > 0;
            // Asked first, so that neither starves under load.
            if let Some(signal) = self.signal() {
                return Ok(signal);
            }
            if ready {
                return Ok(HostSignal::Completions);
            }
            self.park(ring).await?;
        }
    }

    /// Turns the ring and never sleeps: for a caller that has other work left. Lets glommio's
    /// reactor run when that is due. Returns how many completions there are to pop.
    pub async fn poll(&mut self, ring: &mut CoreRing) -> Result<usize, RingError> {
        if self.last_pass.elapsed() >= self.shape.reactor_pass_interval {
            self.pass(ring).await?;
        }
        ring.turn()
    }

    fn spin(&self, ring: &mut CoreRing) -> Result<usize, RingError> {
        if self.shape.spin.is_zero() {
            return Ok(0);
        }
        let start = Instant::now();
        while start.elapsed() < self.shape.spin {
            for _ in 0..TURNS_PER_CLOCK {
                let ready_count = ring.turn()?;
                if ready_count > 0 {
                    return Ok(ready_count);
                }
                hint::spin_loop();
            }
        }
        Ok(0)
    }

    fn signal(&self) -> Option<HostSignal> {
        if self.bell.nudged.replace(false) {
            return Some(HostSignal::Nudged);
        }
        self.bell.heartbeat.replace(false).then_some(HostSignal::Heartbeat)
    }

    /// Sleeps until something happens.
    async fn park(&mut self, ring: &mut CoreRing) -> Result<(), RingError> {
        self.bell.event.set(false);
        if ring.prepare_park()? {
            ring.count_park();
            self.bell.heard().await;
            self.last_pass = Instant::now();
        }
        ring.end_park();
        self.check()
    }

    /// Lets glommio's reactor run once: it must, to complete our own signal.
    async fn pass(&mut self, ring: &mut CoreRing) -> Result<(), RingError> {
        self.bell.event.set(false);
        ring.prepare_park()?;
        signal_eventfd(&self.eventfd);
        self.bell.event_heard().await;
        ring.end_park();
        self.last_pass = Instant::now();
        self.check()
    }

    fn check(&self) -> Result<(), RingError> {
        match self.bell.failure.borrow_mut().take() {
            Some(error) => Err(RingError::Await(error)),
            None => Ok(()),
        }
    }
}

impl Drop for GlommioHost {
    fn drop(&mut self) {
        self.bell.stopped.set(true);
        signal_eventfd(&self.eventfd);
    }
}

/// Keeps a read of the eventfd armed, and rings the bell for each.
async fn hear(file: BufferedFile, bell: Rc<Bell>) {
    while !bell.stopped.get() {
        if let Err(error) = file.read_at(0, size_of::<u64>()).await {
            *bell.failure.borrow_mut() = Some(io::Error::other(error.to_string()));
            bell.stopped.set(true);
        }
        bell.ring(&bell.event);
    }
    if let Err(error) = file.close().await {
        log::debug!("closing the eventfd of a core ring: {error}");
    }
}

async fn beat(interval: Duration, bell: Rc<Bell>) {
    while !bell.stopped.get() {
        glommio::timer::sleep(interval).await;
        bell.ring(&bell.heartbeat);
    }
}
