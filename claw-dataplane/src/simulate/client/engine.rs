//! The event loop: readiness and due times in, requests out, answers to their shoppers.
//!
//! Owns every shopper's desk (the shopper, its connection, the request that is out) and the run's
//! books. Invariant: a shopper is in exactly one place: waiting for an answer, in `pauses`
//! (closed loop), or in `idle` (open loop).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use claw_sdk::Signer;

use super::super::ledger::Ledger;
use super::super::progress::{Progress, Snapshot};
use super::super::recorder::Recorder;
use super::super::scenario::{Chooser, Scenario};
use super::super::schedule::{Arrivals, Pauses, RunNs};
use super::super::user::User;
use super::connection::{Connection, Ending, Link};
use super::request::RequestWriter;
use super::system::{self, Epoll};
use super::wire::{Fleet, Numbered};
use super::{ClientError, Options, Protocol, RunClock};

/// Connections being made at once: below every accept queue, so that no SYN is dropped.
const CONNECTING_MAX: u32 = 128;
/// How long the connections may take to be made.
const RAMP_MAX: Duration = Duration::from_mins(1);
/// How often late answers are looked for.
const SWEEP_NS: RunNs = 100_000_000;
/// Longest wait for events.
const WAIT_NS_MAX: RunNs = 50_000_000;
/// Bytes read at once; answers are a few hundred.
const READ_BYTES: usize = 64 * 1024;

/// What a run gives.
#[derive(Debug)]
pub struct RunResult {
    /// Latency and outcomes.
    pub recorder: Recorder,
    /// What shoppers were told.
    pub ledger: Ledger,
    /// From the first request to the end of the schedule.
    pub elapsed: Duration,
    /// Connections that stood when the run began.
    pub connected: u32,
    /// Share of one CPU that the engine used; near 1 means that it is the limit.
    pub cpu_share: f64,
    /// Hot units there were to sell, and those we were told are sold.
    pub hot_stock: u64,
    pub hot_sold: u64,
    /// When the last of them was sold.
    pub sold_out: Option<Duration>,
    /// Requests that still had no answer when the run was given up.
    pub unanswered: u32,
}

pub(super) struct Desk {
    pub(super) user: User,
    pub(super) connection: Connection,
    pub(super) waiting: bool,
    pub(super) due_ns: RunNs,
    pub(super) sent_ns: RunNs,
    /// Over the wire protocol: the number of its last command.
    pub(super) numbered: Option<Numbered>,
}

/// The engine of one run.
pub struct Engine<'a> {
    pub(super) options: &'a Options,
    pub(super) scenario: &'a Scenario,
    pub(super) chooser: Chooser,
    pub(super) hot_stock: u64,
    pub(super) epoll: Epoll,
    pub(super) desks: Vec<Desk>,
    /// The connections of the wire protocol; those of HTTP are their shoppers'.
    pub(super) fleet: Option<Fleet>,
    pub(super) pauses: Pauses,
    pub(super) arrivals: Option<Arrivals>,
    pub(super) idle: VecDeque<u32>,
    pub(super) backlog: VecDeque<RunNs>,
    pub(super) backlog_max: usize,
    pub(super) writer: RequestWriter,
    pub(super) outgoing: Vec<u8>,
    pub(super) incoming: Vec<u8>,
    pub(super) recorder: Recorder,
    pub(super) ledger: Ledger,
    pub(super) clock: RunClock,
    pub(super) connecting: u32,
    pub(super) in_flight: u32,
    pub(super) sold_out_ns: Option<RunNs>,
    pub(super) end_ns: RunNs,
}

impl std::fmt::Debug for Engine<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("options", self.options).finish_non_exhaustive()
    }
}

impl<'a> Engine<'a> {
    /// An engine that has not connected yet; `hot_stock` is what the hot products have to sell.
    pub fn new(
        options: &'a Options,
        scenario: &'a Scenario,
        signer: Signer,
        hot_stock: u64,
    ) -> Result<Self, ClientError> {
        super::check_limits(options)?;
        let system = |source| ClientError::System { action: "make an epoll set", source };
        let session_prefix = format!("s{:08x}-", options.run_nonce & 0xffff_ffff);
        let users_count = options.users as usize;
        // A second's worth of arrivals may wait: a stall shows as latency, only an overload drops.
        let backlog_max = users_count.max(options.rate.unwrap_or(0) as usize);
        let signer = Arc::new(signer);
        let fleet = match options.protocol {
            Protocol::Http => None,
            Protocol::Wire { batch } => {
                let fleet = Fleet::new(&signer, &session_prefix, (options.users, batch));
                let system = |source| ClientError::System { action: "name a session", source };
                Some(fleet.map_err(system)?)
            }
        };
        let mut writer = RequestWriter::new(&options.target.to_string(), &session_prefix, signer);
        if let Some(audience) = &options.token_audience {
            writer.bear_tokens(audience, options.users)?;
        }
        Ok(Self {
            options,
            scenario,
            chooser: Chooser::new(scenario),
            hot_stock,
            epoll: Epoll::new().map_err(system)?,
            desks: (0..options.users)
                .map(|number| Desk {
                    user: User::new(options.seed, number),
                    connection: Connection::default(),
                    waiting: false,
                    due_ns: 0,
                    sent_ns: 0,
                    numbered: None,
                })
                .collect(),
            fleet,
            pauses: Pauses::new(users_count),
            arrivals: options.rate.map(|rate| Arrivals::new(options.seed, rate)),
            idle: VecDeque::with_capacity(users_count),
            backlog: VecDeque::with_capacity(backlog_max),
            backlog_max,
            writer,
            outgoing: Vec::with_capacity(4096),
            incoming: vec![0; READ_BYTES],
            recorder: Recorder::new(),
            ledger: Ledger::new(scenario.products.len(), scenario.coupons.len()),
            clock: RunClock::start_now(),
            connecting: 0,
            in_flight: 0,
            sold_out_ns: None,
            end_ns: RunNs::try_from(options.duration.as_nanos()).unwrap_or(RunNs::MAX),
        })
    }

    /// Connects everybody, runs the schedule, waits for the last answers.
    pub fn run(mut self, progress: &mut Progress) -> Result<RunResult, ClientError> {
        let connected = self.connect_all(progress)?;
        self.clock = RunClock::start_now();
        let cpu_before = thread_cpu()?;
        self.seat_everybody();
        self.run_schedule(progress)?;
        let elapsed_ns = self.clock.now_ns();
        let cpu_used = thread_cpu()?.saturating_sub(cpu_before);
        self.drain(progress)?;
        for index in 0..self.options.users {
            self.with_crowd(index, User::close);
        }
        let elapsed = Duration::from_nanos(elapsed_ns);
        Ok(RunResult {
            connected,
            cpu_share: cpu_used.as_secs_f64() / elapsed.as_secs_f64(),
            hot_stock: self.hot_stock,
            hot_sold: self.hot_sold(),
            sold_out: self.sold_out_ns.map(Duration::from_nanos),
            unanswered: self.in_flight,
            recorder: self.recorder,
            ledger: self.ledger,
            elapsed,
        })
    }

    fn connect_all(&mut self, progress: &mut Progress) -> Result<u32, ClientError> {
        let deadline_ns = u64::try_from(RAMP_MAX.as_nanos()).unwrap_or(u64::MAX);
        let mut next = 0;
        let count = self.options.connections();
        while (next < count || self.connecting > 0) && self.clock.now_ns() < deadline_ns {
            while next < count && self.connecting < CONNECTING_MAX {
                let started = match self.fleet {
                    Some(_) => self.start_channel(next),
                    None => self.start_connect(next),
                };
                if let Err(error) = started {
                    log::debug!("connect: {error}");
                    self.recorder.transport.connect_failed += 1;
                }
                next += 1;
            }
            self.poll(WAIT_NS_MAX)?;
            progress.connecting(self.clock.now_ns(), next - self.connecting);
        }
        let is_open = |desk: &&Desk| desk.connection.link() == Link::Open;
        let open = match &self.fleet {
            Some(fleet) => fleet.open_count(),
            None => self.desks.iter().filter(is_open).count(),
        };
        match u32::try_from(open).unwrap_or(u32::MAX) {
            0 => Err(ClientError::NoConnection { target: self.options.target }),
            open => Ok(open),
        }
    }

    fn seat_everybody(&mut self) {
        for index in 0..self.options.users {
            if self.arrivals.is_some() {
                self.idle.push_back(index);
            } else {
                let after = self.with_crowd(index, |user, crowd| user.arrival(crowd));
                self.pauses.push(u64::try_from(after.as_nanos()).unwrap_or(0), index);
            }
        }
    }

    fn run_schedule(&mut self, progress: &mut Progress) -> Result<(), ClientError> {
        let mut sweep_ns = SWEEP_NS;
        loop {
            let now_ns = self.clock.now_ns();
            if now_ns >= self.end_ns {
                return Ok(());
            }
            if now_ns >= sweep_ns {
                sweep_ns = now_ns + SWEEP_NS;
                self.sweep(now_ns);
                progress.running(&self.snapshot(now_ns));
            }
            self.start_due(now_ns);
            let next_ns = self.next_due_ns().min(sweep_ns).min(self.end_ns);
            self.poll(next_ns.saturating_sub(self.clock.now_ns()))?;
        }
    }

    /// Nobody starts anything new; what is out gets its time to be answered.
    fn drain(&mut self, progress: &mut Progress) -> Result<(), ClientError> {
        let patience = self.options.request_timeout + Duration::from_secs(1);
        let deadline_ns =
            self.clock.now_ns() + u64::try_from(patience.as_nanos()).unwrap_or(u64::MAX);
        while self.in_flight > 0 && self.clock.now_ns() < deadline_ns {
            let now_ns = self.clock.now_ns();
            self.sweep(now_ns);
            progress.running(&self.snapshot(now_ns));
            self.poll(WAIT_NS_MAX)?;
        }
        Ok(())
    }

    fn snapshot(&self, now_ns: RunNs) -> Snapshot<'_> {
        Snapshot {
            now_ns,
            recorder: &self.recorder,
            in_flight: self.in_flight,
            sold: self.ledger.sold.iter().sum(),
            errors: self.recorder.transport.errors()
                + self.recorder.unexpected()
                + self.ledger.replays_different
                + self.ledger.unreadable,
        }
    }

    fn next_due_ns(&self) -> RunNs {
        match &self.arrivals {
            Some(arrivals) => arrivals.next_ns(),
            None => self.pauses.next_ns().unwrap_or(RunNs::MAX),
        }
    }

    /// Starts what is due: pauses that are over, or arrivals.
    fn start_due(&mut self, now_ns: RunNs) {
        while let Some((due_ns, index)) = self.pauses.pop_due(now_ns) {
            self.start(index, due_ns);
        }
        if let Some(arrivals) = &mut self.arrivals {
            while let Some(due_ns) = arrivals.pop_due(now_ns) {
                if self.backlog.len() < self.backlog_max {
                    self.backlog.push_back(due_ns);
                } else {
                    self.recorder.transport.arrivals_dropped += 1;
                }
            }
        }
        // Each round ends: a shopper that rests at once goes to the back of the line.
        for _ in 0..self.idle.len() {
            let Some(due_ns) = self.backlog.pop_front() else { break };
            let index = self.idle.pop_front().expect("as many rounds as idle shoppers");
            self.start(index, due_ns);
        }
    }

    fn poll(&mut self, wait_ns: RunNs) -> Result<(), ClientError> {
        self.flush_channels();
        let wait = Duration::from_nanos(wait_ns.min(WAIT_NS_MAX));
        let count = self
            .epoll
            .wait(wait)
            .map_err(|source| ClientError::System { action: "wait for events", source })?;
        for event in 0..count {
            let ready = self.epoll.ready(event);
            let index = u32::try_from(ready.token & 0xffff_ffff).expect("32 bits");
            let generation = u32::try_from(ready.token >> 32).expect("32 bits");
            // Not an event of a connection that was closed earlier in this round.
            match &self.fleet {
                Some(fleet) if fleet.generation(index) == generation => {
                    self.attend_channel(index, ready);
                }
                None if self.desks[index as usize].connection.generation() == generation => {
                    self.attend(index, ready);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Requests whose time is up are lost, and the moment of "sold out" is noted.
    fn sweep(&mut self, now_ns: RunNs) {
        let timeout_ns = u64::try_from(self.options.request_timeout.as_nanos()).unwrap_or(u64::MAX);
        for index in 0..self.options.users {
            let desk = &self.desks[index as usize];
            if desk.waiting && now_ns.saturating_sub(desk.sent_ns) > timeout_ns {
                self.recorder.transport.timed_out += 1;
                if self.fleet.is_some() {
                    self.drop_late(index);
                    continue;
                }
                self.hang_up(index, Ending::Reset);
                self.lose(index);
            }
        }
        if self.hot_stock > 0 && self.hot_sold() >= self.hot_stock {
            self.sold_out_ns.get_or_insert(now_ns);
        }
    }

    fn hot_sold(&self) -> u64 {
        self.ledger.sold[..self.scenario.hot_count].iter().sum()
    }
}

fn thread_cpu() -> Result<Duration, ClientError> {
    system::thread_cpu_time()
        .map_err(|source| ClientError::System { action: "read this thread's CPU time", source })
}
