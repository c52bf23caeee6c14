//! The ring itself: set-up, submitting, reaping, parking, tearing down.
//!
//! Owns the `io_uring` and the tables of everything in flight. What the operations mean is in
//! `network`, `storage` and `doorbell`, which add their methods to [`CoreRing`].
//!
//! Traps this file is built around:
//! - With `DEFER_TASKRUN` completions appear only when we enter. The `TASKRUN` flag is a hint: it
//!   can stay set with nothing to run, so nothing here ever decides to wait or to stay awake by it.
//! - Parking: enable the eventfd, fence, enter, look at the queue, and only then wait.
//! - A full submission queue is submitted and tried again, never dropped.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::time::Duration;

use io_uring::types::{CancelBuilder, SubmitArgs, Timespec};
use io_uring::{EnterFlags, IoUring, opcode, squeue};

use super::completion::{Completion, ConnectionId, PostSource};
use super::connection::{Connection, Listener};
use super::doorbell::{RingBell, Timer, await_eventfd, open_eventfd};
use super::storage::FileOperation;
use super::table::Table;
use super::user_data::{Key, Kind, UserData};
use super::{RingError, RingMetrics};
use crate::buffer::{Arena, ArenaMemory, ReceivePool, ReceiveShape};

/// The one group of provided buffers a ring has.
pub(super) const RECEIVE_GROUP: u16 = 0;
/// Completions per submission place: a burst of receives must not overflow the queue.
const COMPLETIONS_PER_ENTRY: u32 = 4;
/// Cores that a set of the C library has room for.
const CPUS_MAX: usize = 1024;
/// Listening sockets per ring: requests, the wire, and room for tests.
const LISTENERS_MAX: usize = 8;
/// Timers per ring. The shards have a timing wheel; the ring's timers only drive it.
pub(super) const TIMERS_MAX: usize = 64;
/// File operations in flight per ring: the log's four, and room for superblocks and flushes.
const FILE_OPERATIONS_MAX: usize = 64;
/// A drop waits this often, this long, for the kernel to let go of our memory: ten seconds.
const TEAR_DOWN_ROUNDS_MAX: u32 = 500;
const TEAR_DOWN_WAIT: Duration = Duration::from_millis(20);

/// Sizes of a ring.
#[derive(Clone, Copy, Debug)]
pub struct RingShape {
    /// The core, as other cores see it in doorbells.
    pub core: u16,
    /// Entries of the submission queue; the completion queue is four times as long.
    pub entries_count: u32,
    /// Connections at once. More are closed as soon as they are accepted.
    pub connections_max: usize,
    /// The receive pool.
    pub receive: ReceiveShape,
}

impl Default for RingShape {
    fn default() -> Self {
        Self {
            core: 0,
            entries_count: 1024,
            connections_max: 16 * 1024,
            receive: ReceiveShape::default(),
        }
    }
}

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
    uring: Uring,
    pub(super) shape: RingShape,
    /// Completions reaped and not yet popped.
    ready: VecDeque<RawCompletion>,
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
    eventfd: Arc<OwnedFd>,
    /// Rung by other threads.
    pub(super) bell: Arc<RingBell>,
    /// Entries pushed whose last completion has not been reaped.
    in_flight_count: usize,
    pub(super) metrics: RingMetrics,
}

/// Keeps `Debug` on the ring without printing shared memory.
struct Uring(IoUring);

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
            bell: Arc::new(RingBell::new(Arc::clone(&eventfd))),
            eventfd,
            in_flight_count: 0,
            metrics: RingMetrics::default(),
        })
    }

    /// Pins the log arena for `WRITE_FIXED`. Once per ring; failing is fatal.
    pub fn register_arena(&mut self, arena: &Arena) -> Result<(), RingError> {
        assert!(self.arena.is_none(), "one arena per ring");
        let iovec = arena.memory().iovec();
        // SAFETY: the range is mapped, and the ring keeps the memory alive until it is torn down.
        unsafe { self.uring.0.submitter().register_buffers(&[iovec]) }
            .map_err(|source| RingError::RegisterArena { size_bytes: iovec.iov_len, source })?;
        self.arena = Some(Rc::clone(arena.memory()));
        Ok(())
    }

    /// Keeps the kernel's workers for this ring on other cores: one that flushes on the core of a
    /// spinning thread costs milliseconds.
    pub fn place_workers(&mut self, cores: &[usize]) -> Result<(), RingError> {
        // SAFETY: a set of bits is valid as zeros.
        let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        for core in cores {
            assert!(*core < CPUS_MAX);
            // SAFETY: the core is below the size of the set.
            unsafe { libc::CPU_SET(*core, &mut set) };
        }
        self.uring.0.submitter().register_iowq_aff(&set).map_err(RingError::PlaceWorkers)
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

    pub(super) fn ring_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor is the ring's own, open as long as `self` is borrowed.
        unsafe { BorrowedFd::borrow_raw(self.uring.0.as_raw_fd()) }
    }

    fn pending_count(&self) -> usize {
        self.ready.len() + self.synthesised.len()
    }

    fn hear_bell(&mut self) {
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
    fn enter(&mut self) -> Result<(), RingError> {
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

    /// Moves what the kernel has completed to `ready`.
    fn reap(&mut self) {
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
}

impl Drop for CoreRing {
    fn drop(&mut self) {
        if let Err(error) = self.tear_down() {
            log::error!("tearing down a core ring: {error}");
        }
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

fn build(shape: RingShape) -> Result<IoUring, RingError> {
    IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_taskrun_flag()
        .setup_submit_all()
        .setup_cqsize(shape.entries_count.next_power_of_two() * COMPLETIONS_PER_ENTRY)
        .build(shape.entries_count)
        .map_err(RingError::Create)
}

fn register_pool(uring: &IoUring, pool: &ReceivePool) -> Result<(), RingError> {
    let address = pool.descriptors_address();
    let count = pool.shape().buffers_count;
    // SAFETY: the ring's owner keeps the pool until the ring is gone.
    unsafe { uring.submitter().register_buf_ring_with_flags(address, count, RECEIVE_GROUP, 0) }
        .map_err(RingError::RegisterReceivePool)
}

/// Errors of entering that mean "reap, and try again".
fn is_transient(error: &io::Error) -> bool {
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
