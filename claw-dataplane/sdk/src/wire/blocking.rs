//! A connection for ordinary threads: std's TCP around the [`Machine`].
//!
//! [`Client::call`] asks one thing, [`Client::batch`] many in one go; both wait for credits, and
//! both outlive the connection: when it breaks, a new one is made, with pauses that grow, and what
//! was not answered is sent again under its number. For a pipeline of one's own there are
//! [`Client::send`], [`Client::flush`] and [`Client::receive`].
//!
//! Owns the socket and the waiting. TLS with the feature `tls`: say whom to trust.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::answer::Answer;
use super::backoff::Backoff;
use super::command::{Command, Extras};
use super::error::WireError;
use super::handshake::{Mode, Welcome};
use super::machine::{Identity, Machine};
use crate::key::Signer;
use crate::transport::Stream;

/// How a client connects, and for how long it tries.
#[derive(Clone, Debug)]
pub struct Options {
    /// How frames are authenticated.
    pub mode: Mode,
    /// 16 bytes that name this client's commands over its own restarts; `None`: fresh ones.
    pub session: Option<[u8; 16]>,
    /// Number of the first command, above all that `session` has used.
    pub sequence_first: u64,
    /// How long a broken connection is made again before the call fails.
    pub patience: Duration,
    /// Longest wait for a connection, and for bytes while something is unanswered.
    pub timeout: Duration,
    /// Speak TLS, and believe these certificates; `None`: TCP as it is.
    #[cfg(feature = "tls")]
    pub trust: Option<crate::transport::Trust>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            session: None,
            sequence_first: 1,
            patience: Duration::from_secs(30),
            timeout: Duration::from_secs(35),
            #[cfg(feature = "tls")]
            trust: None,
        }
    }
}

/// See the module.
///
/// ```no_run
/// use std::sync::Arc;
/// use claw_sdk::Signer;
/// use claw_sdk::wire::{Client, Command, Line, Options, Outcome};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let signer = Arc::new(Signer::load("shop".as_ref(), "storefront-hmac")?);
/// let mut client = Client::connect("127.0.0.1:7070", signer, Options::default())?;
/// let lines = [Line { sku: "TEE-M", quantity: 2 }];
/// let hold = Command::CreateHold { session: "shopper-7", lines: &lines, ttl_ms: None };
/// let answer = client.call(&hold)?;
/// match answer.outcome() {
///     Some(Outcome::Hold(hold)) => println!("held until {}", hold.expires_at_ms),
///     _ => println!("no: {:?}", answer.problem()),
/// }
///
/// // A thousand at once, in frames of as many as the node takes, never more unanswered than it
/// // allows; each answer as it comes.
/// let holds = vec![hold; 1_000];
/// client.batch(&holds, |index, answer| println!("{index}: {}", answer.status))?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Client {
    peer: String,
    machine: Machine,
    options: Options,
    stream: Option<Stream>,
    /// Kept over connections, so that TLS sessions are resumed.
    #[cfg(feature = "tls")]
    tls: Option<Arc<rustls::ClientConfig>>,
    backoff: Backoff,
}

impl Client {
    /// Connects to `HOST:PORT` and waits for the welcome.
    pub fn connect(peer: &str, signer: Arc<Signer>, options: Options) -> Result<Self, WireError> {
        let session = match options.session {
            Some(session) => session,
            None => random()?,
        };
        let identity = Identity { signer, mode: options.mode, session };
        let mut client = Self {
            peer: peer.to_owned(),
            machine: Machine::new(identity, options.sequence_first),
            #[cfg(feature = "tls")]
            tls: options.trust.as_ref().map(crate::transport::Trust::wire_client_config),
            options,
            stream: None,
            backoff: Backoff::default(),
        };
        client.open()?;
        Ok(client)
    }

    /// What the node said last.
    pub const fn welcome(&self) -> Option<&Welcome> {
        self.machine.welcome()
    }

    /// Commands that may be sent now without taking an answer.
    pub fn credits(&self) -> usize {
        self.machine.credits()
    }

    /// Commands without an answer.
    pub const fn unanswered(&self) -> usize {
        self.machine.unanswered()
    }

    /// Asks one thing and waits for its answer. Nothing else may be unanswered. After an error it
    /// is not known whether it was done.
    pub fn call(&mut self, command: &Command<'_>) -> Result<Answer<'_>, WireError> {
        self.call_with(command, Extras::default())
    }

    /// As [`Client::call`], with positions to have seen or members of the store's own.
    pub fn call_with(
        &mut self,
        command: &Command<'_>,
        extras: Extras<'_>,
    ) -> Result<Answer<'_>, WireError> {
        assert_eq!(self.unanswered(), 0, "take every answer before you call");
        self.send(command, extras)?;
        if let Err(error) = self.wait_patiently() {
            self.machine.forget_all();
            return Err(error);
        }
        self.take()
    }

    /// Asks `commands` in their order and gives each answer, with the index of its command, as it
    /// comes. Waits for credits; nothing else may be unanswered. After an error it is not known of
    /// those without an answer whether they were done.
    pub fn batch(
        &mut self,
        commands: &[Command<'_>],
        answered: impl FnMut(usize, &Answer<'_>),
    ) -> Result<(), WireError> {
        assert_eq!(self.unanswered(), 0, "take every answer before you send a batch");
        let done = self.batch_whole(commands, answered);
        if done.is_err() {
            self.machine.forget_all();
        }
        done
    }

    fn batch_whole(
        &mut self,
        commands: &[Command<'_>],
        mut answered: impl FnMut(usize, &Answer<'_>),
    ) -> Result<(), WireError> {
        let first = self.machine.sequence_next();
        let mut next = 0;
        while next < commands.len() || self.unanswered() > 0 {
            while let Some(command) = commands.get(next) {
                match self.send(command, Extras::default()) {
                    Ok(_) => next += 1,
                    Err(WireError::Full { .. }) => break,
                    Err(error) => return Err(error),
                }
            }
            let mut more = true;
            while more {
                let answer = self.receive()?;
                let index = usize::try_from(answer.sequence - first).expect("one of these");
                answered(index, &answer);
                more = self.machine.in_frame();
            }
        }
        Ok(())
    }

    /// Puts a command into the frame being filled and returns its number; nothing waits, and
    /// nothing is written before [`Client::flush`] or [`Client::receive`].
    /// [`WireError::Full`]: take an answer first.
    pub fn send(&mut self, command: &Command<'_>, extras: Extras<'_>) -> Result<u64, WireError> {
        if self.machine.welcome().is_none() {
            self.open()?;
        }
        self.machine.push(command, extras)
    }

    /// Sends a command again under the number it had: after an answer that said "later" (429, 503).
    pub fn send_again(
        &mut self,
        sequence: u64,
        command: &Command<'_>,
        extras: Extras<'_>,
    ) -> Result<(), WireError> {
        if self.machine.welcome().is_none() {
            self.open()?;
        }
        self.machine.push_as(sequence, command, extras)
    }

    /// Writes what was sent. When the connection breaks, a new one is made.
    pub fn flush(&mut self) -> Result<(), WireError> {
        while let Err(error) = self.write() {
            self.recover(error)?;
        }
        Ok(())
    }

    /// Waits for the next answer. When the connection breaks, a new one is made and everything
    /// unanswered is sent again. Something must be unanswered.
    pub fn receive(&mut self) -> Result<Answer<'_>, WireError> {
        assert!(self.unanswered() > 0, "nothing was asked");
        self.wait_patiently()?;
        self.take()
    }

    /// Keeps an idle connection open; once every half minute is enough.
    pub fn keep_alive(&mut self) -> Result<(), WireError> {
        self.machine.set_now(now_ms());
        self.machine.keep_alive();
        self.flush()
    }

    fn write(&mut self) -> Result<(), WireError> {
        if self.machine.welcome().is_none() {
            self.open_once()?;
        }
        self.machine.set_now(now_ms());
        self.machine.flush();
        self.write_some()
    }

    fn write_some(&mut self) -> Result<(), WireError> {
        while !self.machine.transmit().is_empty() {
            let stream = self.stream.as_mut().ok_or(WireError::NotOpen)?;
            match stream.write(self.machine.transmit()) {
                Ok(0) => return Err(self.failed("write to", io::ErrorKind::WriteZero.into())),
                Ok(count) => self.machine.transmitted(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed("write to", error)),
            }
        }
        // TLS may keep a part of a record.
        match self.stream.as_mut().map_or(Ok(()), Stream::flush) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.failed("write to", error)),
        }
    }

    fn read_some(&mut self) -> Result<(), WireError> {
        let stream = self.stream.as_mut().ok_or(WireError::NotOpen)?;
        match stream.read(self.machine.space()) {
            Ok(0) => Err(self.failed("read from", io::ErrorKind::UnexpectedEof.into())),
            Ok(count) => {
                self.machine.received(count);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(self.failed("read from", error)),
        }
    }

    /// Writes, then reads until an answer is there to be taken.
    fn wait(&mut self) -> Result<(), WireError> {
        self.write()?;
        while !self.machine.answer_ready()? {
            self.read_some()?;
        }
        Ok(())
    }

    /// As [`Client::wait`], over as many connections as it takes.
    fn wait_patiently(&mut self) -> Result<(), WireError> {
        while let Err(error) = self.wait() {
            self.recover(error)?;
        }
        self.backoff.reset();
        Ok(())
    }

    fn take(&mut self) -> Result<Answer<'_>, WireError> {
        self.machine.next_answer()?.ok_or(WireError::Protocol { reason: "an answer is gone" })
    }

    /// Connects, with pauses, until it works or patience is at its end.
    fn open(&mut self) -> Result<(), WireError> {
        match self.open_once() {
            Ok(()) => Ok(()),
            Err(error) => self.recover(error),
        }
    }

    fn open_once(&mut self) -> Result<(), WireError> {
        self.machine.disconnected();
        self.stream = None;
        let stream = self.connect_stream().map_err(|source| self.failed("connect to", source))?;
        self.stream = Some(stream);
        self.machine.connect(now_ms(), random()?);
        self.write_some()?;
        while self.machine.welcome().is_none() {
            self.read_some()?;
            // Nothing is answered before the welcome; this takes the welcome.
            self.machine.answer_ready()?;
        }
        self.write_some()
    }

    fn connect_stream(&self) -> io::Result<Stream> {
        let tcp = self.connect_tcp()?;
        #[cfg(feature = "tls")]
        if let Some(config) = &self.tls {
            let name = crate::transport::server_name(&self.peer)
                .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "its name is none"))?;
            return crate::transport::shake_hands(Arc::clone(config), name, tcp);
        }
        Ok(Stream::Plain(tcp))
    }

    fn connect_tcp(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        let addresses: Vec<SocketAddr> = self.peer.to_socket_addrs()?.collect();
        for address in addresses {
            match TcpStream::connect_timeout(&address, self.options.timeout) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    stream.set_read_timeout(Some(self.options.timeout))?;
                    stream.set_write_timeout(Some(self.options.timeout))?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// After a failure that may pass: connects again, with pauses, as long as patience lasts.
    fn recover(&mut self, error: WireError) -> Result<(), WireError> {
        let start = Instant::now();
        let mut last = error;
        loop {
            self.machine.disconnected();
            self.stream = None;
            if !last.is_momentary() {
                return Err(last);
            }
            let wait = self.backoff.next_wait(u64::from_le_bytes(random()?));
            if start.elapsed() + wait > self.options.patience {
                return Err(last);
            }
            std::thread::sleep(wait);
            match self.open_once() {
                Ok(()) => return Ok(()),
                Err(error) => last = error,
            }
        }
    }

    fn failed(&self, action: &'static str, source: io::Error) -> WireError {
        WireError::Io { action, peer: self.peer.clone(), source }
    }
}

/// Fresh random bytes.
pub(super) fn random<const N: usize>() -> Result<[u8; N], WireError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).ok().ok_or(WireError::Random)?;
    Ok(bytes)
}

/// Milliseconds since 1970.
pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
