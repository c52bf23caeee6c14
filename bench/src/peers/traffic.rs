//! The load on a peer that has no load program of its own: one thread, many connections.
//!
//! The same two loops as in the traffic of `claw simulate`, and on the same edge-triggered epoll
//! set: *closed*, each connection asks again as soon as it is answered; *open*, arrivals come on a
//! schedule whatever the peer does, and latency counts from it. What is said and what an answer
//! means is a [`Dialogue`]'s. At most one request is out on each connection, as with our node.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use claw_dataplane::simulate::client::system::{self, Epoll};
use claw_dataplane::simulate::schedule::{Arrivals, RunNs};
use hdrhistogram::Histogram;

use crate::bench::Bench;
use crate::row::{Load, Run, histogram};

/// Bytes read at once; answers are shorter.
const READ_BYTES: usize = 4_096;
/// How long the last answers may take.
const DRAIN: Duration = Duration::from_secs(10);
/// Longest wait for events.
const WAIT_NS_MAX: RunNs = 50_000_000;

/// How one peer is asked.
pub(super) trait Dialogue {
    /// Writes the next request, the `number`-th of the run.
    fn ask(&mut self, number: u64, out: &mut Vec<u8>);

    /// Reads an answer; `None` asks for more bytes, `false` is a refusal.
    fn hear(&self, bytes: &[u8]) -> Result<Option<bool>>;
}

/// What came of it.
pub(super) struct Traffic {
    /// Rate and latency.
    pub(super) run: Run,
    /// Answers that were no refusal, late ones included.
    pub(super) accepted: u64,
}

struct Line {
    stream: TcpStream,
    unread: Vec<u8>,
    due_ns: RunNs,
}

struct Driver<'a> {
    dialogue: &'a mut dyn Dialogue,
    epoll: Epoll,
    lines: Vec<Line>,
    idle: VecDeque<usize>,
    backlog: VecDeque<RunNs>,
    outgoing: Vec<u8>,
    start: Instant,
    end_ns: RunNs,
    asked: u64,
    in_flight: usize,
    dropped: u64,
    in_time: u64,
    accepted: u64,
    refused: u64,
    latencies: Histogram<u64>,
}

/// Runs a load against `target` on the load's core.
pub(super) fn drive(
    bench: &Bench,
    target: SocketAddr,
    load: Load,
    dialogue: &mut dyn Dialogue,
) -> Result<Traffic> {
    Bench::on_load_core(|| {
        let mut driver = Driver::connect(target, load, dialogue)?;
        driver.end_ns = u64::try_from(Duration::from_secs(bench.seconds).as_nanos())?;
        let cpu_before = system::thread_cpu_time()?;
        driver.run(load, bench.seed)?;
        let cpu = system::thread_cpu_time()?.saturating_sub(cpu_before);
        let elapsed = driver.start.elapsed();
        driver.drain()?;
        Ok(driver.finish((load, bench.seconds), elapsed, cpu))
    })?
}

impl<'a> Driver<'a> {
    fn connect(target: SocketAddr, load: Load, dialogue: &'a mut dyn Dialogue) -> Result<Self> {
        let epoll = Epoll::new().context("make an epoll set")?;
        let mut lines = Vec::new();
        for number in 0..load.connections {
            let stream = TcpStream::connect(target).context("connect to the peer")?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            epoll.add(&stream, u64::from(number))?;
            lines.push(Line { stream, unread: Vec::new(), due_ns: 0 });
        }
        Ok(Self {
            dialogue,
            epoll,
            idle: (0..lines.len()).collect(),
            lines,
            backlog: VecDeque::new(),
            outgoing: Vec::new(),
            start: Instant::now(),
            end_ns: 0,
            asked: 0,
            in_flight: 0,
            dropped: 0,
            in_time: 0,
            accepted: 0,
            refused: 0,
            latencies: histogram(),
        })
    }

    fn now_ns(&self) -> RunNs {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn run(&mut self, load: Load, seed: u64) -> Result<()> {
        self.start = Instant::now();
        let mut arrivals = load.rate.map(|rate| Arrivals::new(seed, rate));
        // A second's worth may wait: a stall shows as latency, only an overload drops.
        let backlog_max = load.rate.unwrap_or(0) as usize;
        loop {
            let now_ns = self.now_ns();
            if now_ns >= self.end_ns {
                return Ok(());
            }
            let next_ns = match &mut arrivals {
                None => {
                    while let Some(index) = self.idle.pop_front() {
                        let due_ns = self.now_ns();
                        self.send(index, due_ns)?;
                    }
                    self.end_ns
                }
                Some(arrivals) => {
                    while let Some(due_ns) = arrivals.pop_due(now_ns) {
                        if self.backlog.len() < backlog_max {
                            self.backlog.push_back(due_ns);
                        } else {
                            self.dropped += 1;
                        }
                    }
                    while !self.idle.is_empty() && !self.backlog.is_empty() {
                        let index = self.idle.pop_front().context("somebody is idle")?;
                        let due_ns = self.backlog.pop_front().context("somebody came")?;
                        self.send(index, due_ns)?;
                    }
                    arrivals.next_ns().min(self.end_ns)
                }
            };
            self.poll(next_ns.saturating_sub(self.now_ns()))?;
        }
    }

    fn drain(&mut self) -> Result<()> {
        let deadline = Instant::now() + DRAIN;
        while self.in_flight > 0 && Instant::now() < deadline {
            self.poll(WAIT_NS_MAX)?;
        }
        ensure!(self.in_flight == 0, "{} requests got no answer", self.in_flight);
        Ok(())
    }

    fn send(&mut self, index: usize, due_ns: RunNs) -> Result<()> {
        self.outgoing.clear();
        self.dialogue.ask(self.asked, &mut self.outgoing);
        self.asked += 1;
        self.in_flight += 1;
        let line = &mut self.lines[index];
        line.due_ns = due_ns;
        let sent = line.stream.write(&self.outgoing).context("send a request")?;
        ensure!(sent == self.outgoing.len(), "one request at a time fits into a socket");
        Ok(())
    }

    fn poll(&mut self, wait_ns: RunNs) -> Result<()> {
        let wait = Duration::from_nanos(wait_ns.min(WAIT_NS_MAX));
        let count = self.epoll.wait(wait).context("wait for events")?;
        for event in 0..count {
            let ready = self.epoll.ready(event);
            if ready.readable {
                self.read(usize::try_from(ready.token)?)?;
            }
        }
        Ok(())
    }

    fn read(&mut self, index: usize) -> Result<()> {
        let mut bytes = [0; READ_BYTES];
        loop {
            let count = match self.lines[index].stream.read(&mut bytes) {
                Ok(0) => bail!("the peer ended a connection"),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("read an answer"),
            };
            let line = &mut self.lines[index];
            line.unread.extend_from_slice(&bytes[..count]);
            if let Some(accepted) = self.dialogue.hear(&line.unread)? {
                line.unread.clear();
                self.answered(index, accepted);
            }
            if count < bytes.len() {
                // Edge-triggered: what comes later is another event.
                return Ok(());
            }
        }
    }

    fn answered(&mut self, index: usize, accepted: bool) {
        let now_ns = self.now_ns();
        let latency_ns = now_ns.saturating_sub(self.lines[index].due_ns);
        self.latencies.saturating_record(latency_ns);
        *(if accepted { &mut self.accepted } else { &mut self.refused }) += 1;
        self.in_time += u64::from(now_ns <= self.end_ns);
        self.in_flight -= 1;
        self.idle.push_back(index);
    }

    fn finish(self, asked: (Load, u64), elapsed: Duration, cpu: Duration) -> Traffic {
        let (load, seconds) = asked;
        let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
        let mut run = Run::new(self.in_time * 1_000 / millis, self.latencies);
        let share = 100.0 * cpu.as_secs_f64() / elapsed.as_secs_f64();
        run.remark = format!("the load used {share:.0} % of its core");
        run.excuse = if self.refused > 0 {
            Some(format!("{} requests were refused", self.refused))
        } else if self.dropped > 0 {
            Some(format!("{} arrivals were dropped: the rate is too high", self.dropped))
        } else {
            load.excuse(run.per_second, seconds)
        };
        Traffic { run, accepted: self.accepted }
    }
}
