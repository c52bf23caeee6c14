//! One shopper's traffic: requests onto its connection, bytes and endings back to it.
//!
//! Owns what happens between an [`Action::Send`] and the event that answers it. Every path that
//! ends a request goes through `stop_waiting` exactly once, so that requests in flight are
//! counted right whatever a connection does.

use std::time::Duration;

use super::super::answer::Answer;
use super::super::recorder::Endpoint;
use super::super::schedule::RunNs;
use super::super::user::{Action, Crowd, Event, Manner, User};
use super::connection::{Ending, Link};
use super::engine::Engine;
use super::response::{self, Response};
use super::secure::Tls;
use super::system::{self, Ready};

#[derive(Clone, Copy, Debug)]
pub(super) enum Sent {
    Waiting,
    Cut,
}

impl Engine<'_> {
    pub(super) fn start(&mut self, index: u32, due_ns: RunNs) {
        self.desks[index as usize].due_ns = due_ns;
        self.step(index, Event::Ready);
    }

    /// Tells a shopper what happened and does what it wants.
    pub(super) fn step(&mut self, index: u32, event: Event<'_>) {
        let action = self.with_crowd(index, |user, crowd| user.advance(crowd, event));
        self.act(index, action);
    }

    /// Does what a shopper wants.
    pub(super) fn act(&mut self, index: u32, mut action: Action) {
        loop {
            action = match action {
                Action::Pause(pause) => return self.rest(index, pause),
                Action::Send => match self.send(index) {
                    Ok(Sent::Waiting) => return,
                    Ok(Sent::Cut) => {
                        self.with_crowd(index, |user, crowd| user.advance(crowd, Event::Cut))
                    }
                    Err(error) => {
                        log::debug!("send: {error}");
                        self.recorder.transport.broken += 1;
                        self.hang_up(index, Ending::Reset);
                        self.with_crowd(index, |user, crowd| user.advance(crowd, Event::Lost))
                    }
                },
            };
        }
    }

    pub(super) fn with_crowd<T>(
        &mut self,
        index: u32,
        act: impl FnOnce(&mut User, &mut Crowd<'_>) -> T,
    ) -> T {
        let mut crowd = Crowd {
            scenario: self.scenario,
            chooser: &self.chooser,
            ledger: &mut self.ledger,
            run_nonce: self.options.run_nonce,
            now_ms: self.clock.unix_ms(self.clock.now_ns()),
        };
        act(&mut self.desks[index as usize].user, &mut crowd)
    }

    fn rest(&mut self, index: u32, pause: Duration) {
        if self.arrivals.is_some() {
            self.idle.push_back(index);
        } else {
            let pause_ns = u64::try_from(pause.as_nanos()).unwrap_or(u64::MAX);
            self.pauses.push(self.clock.now_ns().saturating_add(pause_ns), index);
        }
    }

    fn send(&mut self, index: u32) -> std::io::Result<Sent> {
        if self.fleet.is_some() {
            return self.send_command(index);
        }
        let now_ns = self.clock.now_ns();
        let created_s = self.clock.unix_ms(now_ns) / 1000;
        let manner = self.desks[index as usize].user.request().manner;
        if manner == Manner::Fresh {
            self.hang_up(index, Ending::Reset);
        }
        let user = &self.desks[index as usize].user;
        self.writer.write(
            &mut self.outgoing,
            self.scenario,
            user.number(),
            user.request(),
            created_s,
        );
        if self.desks[index as usize].connection.link() == Link::Closed {
            self.start_connect(index)?;
        }
        let desk = &mut self.desks[index as usize];
        desk.sent_ns = now_ns;
        desk.connection.send(&self.outgoing)?;
        if manner == Manner::Unread && desk.connection.link() == Link::Open {
            self.recorder.transport.cut_on_purpose += 1;
            self.hang_up(index, Ending::Orderly);
            return Ok(Sent::Cut);
        }
        self.start_waiting(index);
        Ok(Sent::Waiting)
    }

    pub(super) fn start_connect(&mut self, index: u32) -> std::io::Result<()> {
        let secure = self.options.tls.as_ref().map(Tls::begin).transpose()?;
        let stream = system::connect(self.options.source(index), self.options.target)?;
        let connection = &mut self.desks[index as usize].connection;
        let token = u64::from(index) | u64::from(connection.generation()) << 32;
        self.epoll.add(&stream, token)?;
        connection.start(stream, secure);
        self.connecting += 1;
        Ok(())
    }

    pub(super) fn hang_up(&mut self, index: u32, ending: Ending) {
        if let Some(fleet) = &self.fleet {
            let number = fleet.channel_of(index);
            return self.hang_up_channel(number, ending);
        }
        let connection = &mut self.desks[index as usize].connection;
        if connection.opening() {
            self.connecting -= 1;
        }
        connection.close(ending);
    }

    pub(super) fn attend(&mut self, index: u32, ready: Ready) {
        let connection = &self.desks[index as usize].connection;
        let opening = connection.opening();
        if opening {
            if connection.link() == Link::Connecting && !ready.writable {
                return;
            }
            if let Err(error) = self.open(index) {
                log::debug!("connect: {error}");
                self.recorder.transport.connect_failed += 1;
                self.hang_up(index, Ending::Orderly);
                return self.lose(index);
            }
        }
        let desk = &mut self.desks[index as usize];
        if desk.connection.opening() {
            return;
        }
        if (ready.writable || opening) && !desk.connection.flushed() {
            if let Err(error) = desk.connection.flush() {
                return self.break_off(index, &error);
            }
            if desk.waiting
                && desk.connection.flushed()
                && desk.user.request().manner == Manner::Unread
            {
                return self.cut(index);
            }
        }
        if ready.readable {
            self.read(index, ready);
        }
    }

    /// Goes on with a connection that is not usable yet.
    fn open(&mut self, index: u32) -> std::io::Result<()> {
        let connection = &mut self.desks[index as usize].connection;
        if connection.link() == Link::Connecting {
            connection.finish_connect()?;
        }
        if connection.link() == Link::Securing {
            connection.shake_hands()?;
        }
        if connection.link() == Link::Open {
            self.connecting -= 1;
        }
        Ok(())
    }

    /// A request that had to wait for its connection is out; its answer is not wanted.
    fn cut(&mut self, index: u32) {
        self.recorder.transport.cut_on_purpose += 1;
        self.hang_up(index, Ending::Orderly);
        self.stop_waiting(index);
        self.step(index, Event::Cut);
    }

    fn read(&mut self, index: u32, ready: Ready) {
        let mut incoming = std::mem::take(&mut self.incoming);
        loop {
            let connection = &mut self.desks[index as usize].connection;
            let generation = connection.generation();
            match connection.receive(&mut incoming) {
                Ok(None) => break,
                Ok(Some(read)) if read.ended => {
                    self.end(index);
                    break;
                }
                Ok(Some(read)) => {
                    if read.count > 0 {
                        self.consume(index, &incoming[..read.count]);
                    }
                    let changed = self.desks[index as usize].connection.generation() != generation;
                    if changed || (!read.more && !ready.over) {
                        break;
                    }
                }
                Err(error) => {
                    self.break_off(index, &error);
                    break;
                }
            }
        }
        self.incoming = incoming;
    }

    fn consume(&mut self, index: u32, bytes: &[u8]) {
        let connection = &mut self.desks[index as usize].connection;
        let generation = connection.generation();
        let mut unread = connection.take_unread();
        let used = if unread.is_empty() {
            let used = self.read_answers(index, bytes);
            unread.extend_from_slice(&bytes[used..]);
            0
        } else {
            unread.extend_from_slice(bytes);
            self.read_answers(index, &unread)
        };
        unread.drain(..used);
        let connection = &mut self.desks[index as usize].connection;
        if connection.generation() == generation {
            connection.keep_unread(unread);
        }
    }

    /// Takes every whole answer at the front of `bytes`; returns how many bytes they were.
    fn read_answers(&mut self, index: u32, bytes: &[u8]) -> usize {
        let mut used = 0;
        while used < bytes.len() {
            match response::parse(&bytes[used..]) {
                Ok(None) => break,
                Ok(Some(response)) if self.desks[index as usize].waiting => {
                    used += response.consumed_bytes;
                    self.answer(index, &response);
                }
                Ok(Some(_)) => {
                    self.protocol_error(index, "an answer that nobody asked for");
                    return bytes.len();
                }
                Err(error) => {
                    self.protocol_error(index, &error.to_string());
                    return bytes.len();
                }
            }
        }
        used
    }

    fn answer(&mut self, index: u32, response: &Response<'_>) {
        let endpoint = Endpoint::from(&self.desks[index as usize].user.request().operation);
        let answer = &response.answer;
        self.record(index, endpoint, answer);
        self.stop_waiting(index);
        if response.closes {
            self.hang_up(index, Ending::Orderly);
        }
        self.step(index, Event::Answered(answer));
    }

    pub(super) fn record(&mut self, index: u32, endpoint: Endpoint, answer: &Answer<'_>) {
        let now_ns = self.clock.now_ns();
        let latency_ns = now_ns.saturating_sub(self.desks[index as usize].due_ns);
        self.recorder.record(endpoint, answer.status, answer.problem(), latency_ns);
        if now_ns <= self.end_ns {
            self.recorder.answers_in_time += 1;
        }
    }

    pub(super) fn start_waiting(&mut self, index: u32) {
        self.desks[index as usize].waiting = true;
        self.in_flight += 1;
    }

    pub(super) fn stop_waiting(&mut self, index: u32) {
        assert!(self.desks[index as usize].waiting, "a request is out");
        self.desks[index as usize].waiting = false;
        self.in_flight -= 1;
    }

    /// The node closed the connection.
    fn end(&mut self, index: u32) {
        let waiting = self.desks[index as usize].waiting;
        let transport = &mut self.recorder.transport;
        *(if waiting { &mut transport.broken } else { &mut transport.closed_idle }) += 1;
        self.hang_up(index, Ending::Orderly);
        self.lose(index);
    }

    fn break_off(&mut self, index: u32, error: &std::io::Error) {
        log::debug!("connection: {error}");
        self.end(index);
    }

    fn protocol_error(&mut self, index: u32, what: &str) {
        self.recorder.transport.protocol += 1;
        self.ledger.first_error.get_or_insert_with(|| what.to_owned());
        self.hang_up(index, Ending::Reset);
        self.lose(index);
    }

    pub(super) fn lose(&mut self, index: u32) {
        if self.desks[index as usize].waiting {
            self.stop_waiting(index);
            self.step(index, Event::Lost);
        }
    }
}
