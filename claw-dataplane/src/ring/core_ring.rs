//! The ring itself: submitting and reaping.
//!
//! Owns the `io_uring` and the tables of everything in flight. What the operations mean is in
//! `accept`, `network`, `storage` and `doorbell`, how a ring begins, sleeps and ends in `setup`,
//! `parking` and `tear_down`; each adds its methods to [`CoreRing`].
//!
//! Traps this file is built around:
//! - With `DEFER_TASKRUN` completions appear only when we enter. The `TASKRUN` flag is a hint: it
//!   can stay set with nothing to run, so nothing here ever decides to wait or to stay awake by it.
//! - A full submission queue is submitted and tried again, never dropped.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use io_uring::types::Timespec;
use io_uring::{EnterFlags, IoUring, squeue};

use super::completion::{Completion, ConnectionId, PostSource};
use super::connection::{Connection, Listener};
use super::doorbell::{RingBell, Timer, open_eventfd};
use super::setup::{FILE_OPERATIONS_MAX, LISTENERS_MAX, TIMERS_MAX, build, register_pool};
use super::storage::FileOperation;
use super::table::Table;
use super::user_data::{Key, Kind, UserData};
use super::{RingError, RingMetrics, RingShape};
use crate::buffer::{ArenaMemory, ReceivePool};

/// A completion as the kernel gave it.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawCompletion {
    pub(super) user_data: UserData,
    pub(super) result: i32,
    pub(super) flags: u32,
}

impl RawCompletion {
    pub(super) fn io_result(self) -> io::Result<u32> {
        u32::try_from(self.result).map_err(|_negative| io::Error::from_raw_os_error(-self.result))
    }

    pub(super) fn more(self) -> bool {
        io_uring::cqueue::more(self.flags)
    }
}

/// One core's ring.
#[derive(Debug)]
pub struct CoreRing {
    // Field order is drop order: the ring goes before the memory it knows of.
    pub(super) uring: Uring,
    pub(super) shape: RingShape,
    /// Completions reaped and not yet popped.
    pub(super) ready: VecDeque<RawCompletion>,
    /// Completions of our own making, popped first.
    pub(super) synthesised: VecDeque<Completion>,
    pub(super) connections: Table<Connection>,
    pub(super) listeners: Table<Listener>,
    pub(super) timers: Table<Timer>,
    /// Where the kernel reads each timer's duration from; never moved.
    pub(super) timespecs: Box<[Timespec]>,
    pub(super) file_operations: Table<FileOperation>,
    /// Connections whose receive ended for want of buffers.
    pub(super) starved: VecDeque<ConnectionId>,
    pub(super) pool: Rc<ReceivePool>,
    pub(super) arena: Option<Rc<ArenaMemory>>,
    /// Signalled by the kernel for completions, while enabled.
    pub(super) eventfd: Arc<OwnedFd>,
    /// Rung by other threads.
    pub(super) bell: Arc<RingBell>,
    /// Entries pushed whose last completion has not been reaped.
    pub(super) in_flight_count: usize,
    pub(super) metrics: RingMetrics,
}

/// Keeps `Debug` on the ring without printing shared memory.
pub(super) struct Uring(pub(super) IoUring);

impl std::fmt::Debug for Uring {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("IoUring")
    }
}

impl CoreRing {
    /// Makes the ring on the thread that will drive it, and takes all its memory.
    pub fn new(shape: RingShape) -> Result<Self, RingError> {
        let mut uring = build(shape)?;
        let pool = ReceivePool::map(shape.receive)?;
        register_pool(&uring, &pool)?;
        let eventfd = Arc::new(open_eventfd()?);
        uring
            .submitter()
            .register_eventfd(eventfd.as_raw_fd())
            .map_err(RingError::RegisterEventFd)?;
        let completions_count = usize::try_from(uring.params().cq_entries()).expect("fits");
        uring.completion().disable_eventfd();
        Ok(Self {
            uring: Uring(uring),
            shape,
            ready: VecDeque::with_capacity(completions_count),
            synthesised: VecDeque::with_capacity(shape.connections_max),
            connections: Table::with_capacity("connections", shape.connections_max),
            listeners: Table::with_capacity("listeners", LISTENERS_MAX),
            timers: Table::with_capacity("timers", TIMERS_MAX),
            timespecs: vec![Timespec::new(); TIMERS_MAX].into_boxed_slice(),
            file_operations: Table::with_capacity("file operations", FILE_OPERATIONS_MAX),
            starved: VecDeque::with_capacity(shape.connections_max),
            pool,
            arena: None,
            bell: Arc::new(RingBell::new(AtomicBool::new(false), Arc::clone(&eventfd))),
            eventfd,
            in_flight_count: 0,
            metrics: RingMetrics::default(),
        })
    }

    /// The core this ring belongs to.
    pub fn core(&self) -> u16 {
        self.shape.core
    }

    /// What the ring has done so far.
    pub fn metrics(&self) -> RingMetrics {
        self.metrics
    }

    /// Connections that exist, closing ones included.
    pub fn connections_count(&self) -> usize {
        self.connections.count()
    }

    /// Receive buffers that are with the kernel.
    pub fn receive_buffers_lent_count(&self) -> u16 {
        self.pool.lent_count()
    }

    /// Submits what is queued, lets the kernel finish what it can, and reaps. Returns how many
    /// completions wait for [`CoreRing::pop`]. Makes no system call when there is nothing to do.
    pub fn turn(&mut self) -> Result<usize, RingError> {
        self.resume_starved()?;
        let submission = self.uring.0.submission();
        let nothing_to_enter_for = submission.is_empty() && !submission.taskrun();
        let overflowing = submission.cq_overflow();
        drop(submission);
        if overflowing {
            self.metrics.overflows_count += 1;
        }
        if !nothing_to_enter_for || overflowing {
            self.enter()?;
        }
        self.reap();
        self.hear_bell();
        Ok(self.pending_count())
    }

    /// The next completion.
    pub fn pop(&mut self) -> Result<Option<Completion>, RingError> {
        loop {
            if let Some(completion) = self.synthesised.pop_front() {
                return Ok(Some(completion));
            }
            let Some(raw) = self.ready.pop_front() else {
                return Ok(None);
            };
            if let Some(completion) = self.interpret(raw)? {
                return Ok(Some(completion));
            }
        }
    }

    pub(super) fn ring_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor is the ring's own, open as long as `self` is borrowed.
        unsafe { BorrowedFd::borrow_raw(self.uring.0.as_raw_fd()) }
    }

    pub(super) fn pending_count(&self) -> usize {
        self.ready.len() + self.synthesised.len()
    }

    pub(super) fn hear_bell(&mut self) {
        if self.bell.heard() {
            self.synthesised.push_back(Completion::Bell);
        }
    }

    /// Queues one entry.
    ///
    /// # Safety
    /// Everything the entry points to must stay valid and in place until its last completion; the
    /// tables of the ring are there for that. User data must come from [`UserData::pack`].
    pub(super) unsafe fn push(&mut self, entry: &squeue::Entry) -> Result<(), RingError> {
        self.make_room(1)?;
        // SAFETY: the caller's promise.
        let pushed = unsafe { self.uring.0.submission().push(entry) };
        assert!(pushed.is_ok(), "room was made");
        self.in_flight_count += 1;
        Ok(())
    }

    /// Queues two entries that must reach the kernel together, because the first is linked.
    ///
    /// # Safety
    /// As for [`CoreRing::push`].
    pub(super) unsafe fn push_pair(&mut self, pair: &[squeue::Entry; 2]) -> Result<(), RingError> {
        self.make_room(2)?;
        // SAFETY: the caller's promise.
        let pushed = unsafe { self.uring.0.submission().push_multiple(pair) };
        assert!(pushed.is_ok(), "room was made");
        self.in_flight_count += 2;
        Ok(())
    }

    fn make_room(&mut self, entries_count: usize) -> Result<(), RingError> {
        loop {
            let submission = self.uring.0.submission();
            let room_count = submission.capacity() - submission.len();
            drop(submission);
            if room_count >= entries_count {
                return Ok(());
            }
            self.metrics.submission_full_count += 1;
            self.enter()?;
            self.reap();
        }
    }

    /// Submits everything, and makes the kernel run what it deferred.
    pub(super) fn enter(&mut self) -> Result<(), RingError> {
        loop {
            self.metrics.enters_count += 1;
            let to_submit = self.uring.0.submission().len();
            let to_submit = u32::try_from(to_submit).expect("the queue's length fits 32 bits");
            let flags = EnterFlags::GETEVENTS.bits();
            // SAFETY: no argument is passed, and the count is what the queue holds.
            let entered = unsafe {
                self.uring.0.submitter().enter::<libc::sigset_t>(to_submit, 0, flags, None)
            };
            match entered {
                Ok(_) if self.uring.0.submission().is_empty() => return Ok(()),
                Ok(_) => {}
                Err(error) if is_transient(&error) => self.reap(),
                Err(error) => return Err(RingError::Enter(error)),
            }
        }
    }

    /// Moves what the kernel has completed to `ready`.
    pub(super) fn reap(&mut self) {
        for entry in self.uring.0.completion() {
            let raw = RawCompletion {
                user_data: UserData::from_bits(entry.user_data()),
                result: entry.result(),
                flags: entry.flags(),
            };
            self.metrics.completions_count += 1;
            let ours = !matches!(raw.user_data.unpack(), Some((Kind::Doorbell, _)));
            if ours && !raw.more() {
                self.in_flight_count -= 1;
            }
            self.ready.push_back(raw);
        }
    }

    fn interpret(&mut self, raw: RawCompletion) -> Result<Option<Completion>, RingError> {
        let Some((kind, key)) = raw.user_data.unpack() else {
            unreachable!("only packed user data is ever submitted: {raw:?}");
        };
        match kind {
            Kind::Accept => self.complete_accept(key, raw),
            Kind::AcceptRetry => self.complete_accept_retry(key),
            Kind::Cancel => Ok(None),
            Kind::Connect => Ok(self.complete_connect(key, raw)),
            Kind::Doorbell => Ok(Some(doorbell(key))),
            Kind::DoorbellSent => Ok(doorbell_sent(key, raw)),
            Kind::Posted => Ok(Some(Completion::Posted {
                source: PostSource::from_index(key.index),
                payload: key.generation,
            })),
            Kind::Receive => self.complete_receive(key, raw),
            Kind::Send => self.complete_send(key, raw),
            Kind::Sync => Ok(Some(self.complete_sync(key, raw))),
            Kind::Timer => Ok(self.complete_timer(key, raw)),
            Kind::Write => Ok(self.complete_write(key, raw)),
            Kind::WriteSync => Ok(self.complete_write_sync(key, raw)),
        }
    }
}

/// Errors of entering that mean "reap, and try again".
pub(super) fn is_transient(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EBUSY | libc::EINTR))
}

fn doorbell(key: Key) -> Completion {
    Completion::Doorbell {
        from: u16::try_from(key.index).expect("a core fits 16 bits"),
        payload: key.generation,
    }
}

fn doorbell_sent(key: Key, raw: RawCompletion) -> Option<Completion> {
    let error = raw.io_result().err()?;
    Some(Completion::DoorbellLost {
        to: u16::try_from(key.index).expect("a core fits 16 bits"),
        error,
    })
}
