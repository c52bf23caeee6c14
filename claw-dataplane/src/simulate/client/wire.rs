//! Shoppers over the wire protocol: several on one connection, their commands in one frame.
//!
//! Owns the channels: a connection, the SDK's machine, and who waits on it. A channel serves
//! `batch` shoppers; what they ask between two waits leaves as one frame under one tag, what comes
//! back in one frame sets them all going again. A shopper that cuts its connection (a retry storm
//! does) cuts it for its neighbours too: their commands are sent again under their numbers by the
//! machine, and the ledger sees that each was done once. Only where no connection comes back are
//! they told that they lost.
//!
//! Commands are encoded in the send buffer, answers read where they arrived: no allocation per
//! command. Does not know what shoppers want, nor what the bytes mean.

use std::io;
use std::sync::Arc;

use claw_common::id::Id;
use claw_sdk::Signer;
use claw_sdk::wire::{
    Answer as WireAnswer, Basket, Checkout, Command, Extras, Identity, Line, Machine, Mode,
    WireError,
};

use super::super::answer::{Answer, Body};
use super::super::ledger::{LINES_MAX, Lines};
use super::super::recorder::Endpoint;
use super::super::scenario::Scenario;
use super::super::user::{Action, Event, Manner, Operation, Source};
use super::connection::{Connection, Ending, Link};
use super::engine::Engine;
use super::request::CHECKOUT_WAIT_S;
use super::secure::Tls;
use super::system::{self, Ready};
use super::traffic::Sent;

/// Connections in a row that broke without an answer before shoppers are told.
const BREAKS_MAX: u32 = 6;

/// Who waits on a channel under which number.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    sequence: u64,
    index: u32,
}

/// A connection and its shoppers.
#[derive(Debug)]
struct Channel {
    machine: Machine,
    connection: Connection,
    waiting: Vec<Waiting>,
    /// Shoppers that ask once there is a connection.
    queued: Vec<u32>,
    /// It is on its way to being welcomed, and counted as such.
    opening: bool,
    /// It is in the list of those with something to send.
    dirty: bool,
    breaks: u32,
}

/// Every channel of a run.
#[derive(Debug)]
pub(super) struct Fleet {
    batch: u32,
    channels: Vec<Channel>,
    dirty: Vec<u32>,
    session_prefix: String,
    session: String,
}

impl Fleet {
    /// Channels for `users` shoppers, `batch` on each.
    pub(super) fn new(
        signer: &Arc<Signer>,
        session_prefix: &str,
        (users, batch): (u32, u32),
    ) -> io::Result<Self> {
        let count = users.div_ceil(batch);
        let channels = (0..count).map(|_| {
            let identity =
                Identity { signer: Arc::clone(signer), mode: Mode::Session, session: random()? };
            Ok(Channel {
                machine: Machine::new(identity, 1),
                connection: Connection::default(),
                waiting: Vec::new(),
                queued: Vec::new(),
                opening: false,
                dirty: false,
                breaks: 0,
            })
        });
        Ok(Self {
            batch,
            channels: channels.collect::<io::Result<_>>()?,
            dirty: Vec::new(),
            session_prefix: session_prefix.to_owned(),
            session: String::new(),
        })
    }

    /// How many were welcomed.
    pub(super) fn open_count(&self) -> usize {
        self.channels.iter().filter(|channel| channel.machine.welcome().is_some()).count()
    }

    /// Which connection of a channel it is.
    pub(super) fn generation(&self, number: u32) -> u32 {
        self.channels[number as usize].connection.generation()
    }

    pub(super) const fn channel_of(&self, index: u32) -> u32 {
        index / self.batch
    }

    fn mark(&mut self, number: u32) {
        let channel = &mut self.channels[number as usize];
        if !channel.dirty {
            channel.dirty = true;
            self.dirty.push(number);
        }
    }
}

fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

impl Engine<'_> {
    fn fleet(&mut self) -> &mut Fleet {
        self.fleet.as_mut().expect("the protocol is wire")
    }

    fn channel(&mut self, number: u32) -> &mut Channel {
        &mut self.fleet().channels[number as usize]
    }

    pub(super) fn start_channel(&mut self, number: u32) -> io::Result<()> {
        let secure = self.options.tls.as_ref().map(Tls::begin).transpose()?;
        let stream = system::connect(self.options.source(number), self.options.target)?;
        let generation = self.channel(number).connection.generation();
        self.epoll.add(&stream, u64::from(number) | u64::from(generation) << 32)?;
        let channel = self.channel(number);
        channel.connection.start(stream, secure);
        channel.opening = true;
        self.connecting += 1;
        Ok(())
    }

    /// Sends a shopper's request, or keeps it until there is a connection.
    pub(super) fn send_command(&mut self, index: u32) -> io::Result<Sent> {
        let number = self.fleet().channel_of(index);
        if self.desks[index as usize].user.request().manner == Manner::Fresh {
            self.hang_up_channel(number, Ending::Reset);
        }
        if self.channel(number).connection.link() == Link::Closed {
            self.start_channel(number)?;
        }
        self.desks[index as usize].sent_ns = self.clock.now_ns();
        if self.channel(number).machine.welcome().is_none() {
            self.channel(number).queued.push(index);
            self.start_waiting(index);
            return Ok(Sent::Waiting);
        }
        self.start_waiting(index);
        let sent = self.push_command(index);
        if !matches!(sent, Ok(Sent::Waiting)) {
            self.stop_waiting(index);
        }
        sent
    }

    /// Puts a shopper's request into the frame being filled.
    fn push_command(&mut self, index: u32) -> io::Result<Sent> {
        let fleet = self.fleet.as_mut().expect("the protocol is wire");
        let number = fleet.channel_of(index);
        let channel = &mut fleet.channels[number as usize];
        let desk = &mut self.desks[index as usize];
        let request = *desk.user.request();
        fleet.session.clear();
        write_session(&mut fleet.session, &fleet.session_prefix, index);
        let known = desk.numbered.filter(|known| Some(known.0) == request.key);
        let push = |command: &Command<'_>| match known {
            Some((_, sequence)) => {
                channel.machine.push_as(sequence, command, Extras::default()).map(|()| sequence)
            }
            None => channel.machine.push(command, Extras::default()),
        };
        let sequence = with_command(self.scenario, &fleet.session, &request.operation, push)
            .map_err(io::Error::other)?;
        desk.numbered = request.key.map(|key| (key, sequence));
        channel.waiting.push(Waiting { sequence, index });
        fleet.mark(number);
        if request.manner == Manner::Unread {
            self.send_channel(number)?;
            let channel = self.channel(number);
            channel.machine.forget(sequence);
            channel.waiting.retain(|waiting| waiting.index != index);
            self.recorder.transport.cut_on_purpose += 1;
            self.hang_up_channel(number, Ending::Orderly);
            return Ok(Sent::Cut);
        }
        Ok(Sent::Waiting)
    }

    /// Writes what shoppers asked since the last wait: one frame for each channel.
    pub(super) fn flush_channels(&mut self) {
        while let Some(number) = self.fleet.as_mut().and_then(|fleet| fleet.dirty.pop()) {
            self.channel(number).dirty = false;
            if let Err(error) = self.send_channel(number) {
                log::debug!("send: {error}");
                self.break_channel(number);
            }
        }
    }

    fn send_channel(&mut self, number: u32) -> io::Result<()> {
        let now_ms = self.clock.unix_ms(self.clock.now_ns());
        let Channel { machine, connection, .. } = self.channel(number);
        machine.set_now(now_ms);
        machine.flush();
        let bytes = machine.transmit();
        let count = bytes.len();
        if count > 0 {
            connection.send(bytes)?;
            machine.transmitted(count);
        }
        Ok(())
    }

    /// Something happened to a channel's socket.
    pub(super) fn attend_channel(&mut self, number: u32, ready: Ready) {
        if let Err(error) = self.advance_channel(number, ready) {
            log::debug!("connection: {error}");
            self.break_channel(number);
        }
    }

    fn advance_channel(&mut self, number: u32, ready: Ready) -> io::Result<()> {
        let now_ms = self.clock.unix_ms(self.clock.now_ns());
        let channel = self.channel(number);
        if channel.connection.link() == Link::Connecting {
            if !ready.writable {
                return Ok(());
            }
            channel.connection.finish_connect()?;
            channel.machine.connect(now_ms, random()?);
            self.fleet().mark(number);
        }
        let channel = self.channel(number);
        let securing = channel.connection.link() == Link::Securing;
        if securing {
            channel.connection.shake_hands()?;
            if channel.connection.opening() {
                return Ok(());
            }
        }
        if (ready.writable || securing) && !channel.connection.flushed() {
            channel.connection.flush()?;
        }
        if ready.readable { self.read_channel(number, ready.over) } else { Ok(()) }
    }

    fn read_channel(&mut self, number: u32, over: bool) -> io::Result<()> {
        loop {
            let Channel { machine, connection, .. } = self.channel(number);
            match connection.receive(machine.space())? {
                None => return Ok(()),
                Some(read) if read.ended => return Err(io::ErrorKind::UnexpectedEof.into()),
                Some(read) => {
                    machine.received(read.count);
                    if !self.take_answers(number) || (!read.more && !over) {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Gives every whole answer to its shopper; `false` when the connection is gone by then.
    fn take_answers(&mut self, number: u32) -> bool {
        let generation = self.channel(number).connection.generation();
        loop {
            // Taken out, so that an answer can be borrowed beside the crowd.
            let mut channels = std::mem::take(&mut self.fleet().channels);
            let Channel { machine, waiting, breaks, .. } = &mut channels[number as usize];
            let welcomed = machine.welcome().is_some();
            let taken = match machine.next_answer() {
                Ok(None) => Ok(None),
                Ok(Some(answer)) => {
                    *breaks = 0;
                    let place = waiting.iter().position(|known| known.sequence == answer.sequence);
                    let place = place.expect("the machine knows who waits");
                    let index = waiting.swap_remove(place).index;
                    Ok(Some((index, self.take_answer(index, &answer))))
                }
                Err(error) => Err(error),
            };
            let welcome = !welcomed && machine.welcome().is_some();
            self.fleet().channels = channels;
            if welcome {
                self.take_welcome(number);
            }
            match taken {
                Ok(Some((index, action))) => self.act(index, action),
                Ok(None) => return self.channel(number).connection.generation() == generation,
                Err(error) => {
                    self.fail_channel(number, &error);
                    return false;
                }
            }
            if self.channel(number).connection.generation() != generation {
                return false;
            }
        }
    }

    fn take_answer(&mut self, index: u32, answer: &WireAnswer<'_>) -> Action {
        let problem = answer.problem();
        let answer = Answer {
            status: answer.status,
            retry_after_s: problem.and_then(|problem| problem.retry_after_s).map(u32::from),
            body: Body::Wire(answer),
        };
        let endpoint = Endpoint::from(&self.desks[index as usize].user.request().operation);
        self.record(index, endpoint, &answer);
        self.stop_waiting(index);
        self.with_crowd(index, |user, crowd| user.advance(crowd, Event::Answered(&answer)))
    }

    /// A channel may be used: what was kept for it goes out.
    fn take_welcome(&mut self, number: u32) {
        self.end_opening(number);
        self.fleet().mark(number);
        while self.channel(number).machine.welcome().is_some()
            && let Some(index) = self.channel(number).queued.pop()
        {
            match self.push_command(index) {
                Ok(Sent::Waiting) => {}
                Ok(Sent::Cut) => {
                    self.stop_waiting(index);
                    self.step(index, Event::Cut);
                }
                Err(error) => {
                    log::debug!("send: {error}");
                    self.lose(index);
                }
            }
        }
    }

    fn end_opening(&mut self, number: u32) {
        let channel = self.channel(number);
        if std::mem::take(&mut channel.opening) {
            self.connecting -= 1;
        }
    }

    /// Ends the connection; those who still wait get another one.
    pub(super) fn hang_up_channel(&mut self, number: u32, ending: Ending) {
        self.end_opening(number);
        let channel = self.channel(number);
        channel.connection.close(ending);
        channel.machine.disconnected();
        let waits = !channel.waiting.is_empty() || !channel.queued.is_empty();
        if waits && let Err(error) = self.start_channel(number) {
            log::debug!("connect: {error}");
            self.give_up_channel(number);
        }
    }

    /// The connection ended by itself.
    fn break_channel(&mut self, number: u32) {
        let channel = self.channel(number);
        channel.breaks += 1;
        let hopeless = channel.breaks > BREAKS_MAX || channel.connection.link() == Link::Connecting;
        let waits = !channel.waiting.is_empty() || !channel.queued.is_empty();
        let transport = &mut self.recorder.transport;
        *(if waits { &mut transport.broken } else { &mut transport.closed_idle }) += 1;
        if hopeless {
            self.give_up_channel(number);
        } else {
            self.hang_up_channel(number, Ending::Orderly);
        }
    }

    /// What came is no protocol, or the node will not have us.
    fn fail_channel(&mut self, number: u32, error: &WireError) {
        if error.is_momentary() {
            log::debug!("connection: {error}");
            return self.break_channel(number);
        }
        self.recorder.transport.protocol += 1;
        self.ledger.first_error.get_or_insert_with(|| error.to_string());
        self.give_up_channel(number);
    }

    /// Tells everybody on a channel that they lost.
    fn give_up_channel(&mut self, number: u32) {
        self.end_opening(number);
        let channel = self.channel(number);
        channel.breaks = 0;
        channel.connection.close(Ending::Reset);
        channel.machine.forget_all();
        let mut losers = std::mem::take(&mut channel.queued);
        losers.extend(channel.waiting.drain(..).map(|waiting| waiting.index));
        for index in losers {
            self.lose(index);
        }
    }

    /// A shopper's time is up: its command is forgotten, its neighbours' are sent again.
    pub(super) fn drop_late(&mut self, index: u32) {
        let number = self.fleet().channel_of(index);
        let Channel { machine, waiting, queued, .. } = self.channel(number);
        queued.retain(|&queued| queued != index);
        if let Some(place) = waiting.iter().position(|waiting| waiting.index == index) {
            machine.forget(waiting.swap_remove(place).sequence);
        }
        self.hang_up_channel(number, Ending::Reset);
        self.lose(index);
    }
}

fn write_session(out: &mut String, prefix: &str, user: u32) {
    use std::fmt::Write as _;
    write!(out, "{prefix}{user}").expect("a String takes every byte");
}

/// Says an operation as a command.
fn with_command<R>(
    scenario: &Scenario,
    session: &str,
    operation: &Operation,
    then: impl FnOnce(&Command<'_>) -> R,
) -> R {
    let sku = |product: u32| scenario.products[product as usize].sku.as_str();
    let mut room = [Line { sku: "", quantity: 0 }; LINES_MAX];
    let mut fill = |lines: &Lines| {
        let mut count = 0;
        for (line, place) in lines.iter().zip(&mut room) {
            *place = Line { sku: sku(line.product), quantity: line.quantity };
            count += 1;
        }
        count
    };
    let command = match *operation {
        Operation::Health => unreachable!("refused when the run was asked for"),
        Operation::ViewProduct { product } => Command::ReadProduct { sku: sku(product) },
        Operation::ViewOrder { order } => Command::ReadOrder { order },
        Operation::Release { hold } => Command::ReleaseHold { hold },
        Operation::OpenCart => Command::CreateCart { session },
        Operation::FillCart { cart, line } => {
            let line = Line { sku: sku(line.product), quantity: line.quantity };
            Command::SetCartItem { cart, line }
        }
        Operation::Hold { ref lines, ttl_ms } => {
            let count = fill(lines);
            Command::CreateHold { session, lines: &room[..count], ttl_ms }
        }
        Operation::Checkout { source, ref lines, coupon } => {
            let count = fill(lines);
            Command::Checkout(Checkout {
                session,
                basket: match source {
                    Source::Cart(cart) => Basket::Cart(cart),
                    Source::Hold(hold) => Basket::Hold(hold),
                    Source::Items => Basket::Lines(&room[..count]),
                },
                coupon: coupon.map_or("", |coupon| scenario.coupons[coupon].code.as_str()),
                region: "",
                payment_token: &scenario.payment,
                ship_to: "",
                wait_ms: CHECKOUT_WAIT_S * 1_000,
            })
        }
    };
    then(&command)
}

/// A command's key and the number it goes under.
pub(super) type Numbered = (Id, u64);
