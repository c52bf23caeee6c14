//! The link to the vault: a process of its own, started and started again, and never waited for.
//!
//! ```text
//!   cores --events--> link thread --frames--> claw vault
//!   cores <--mail+bell--  |  <--events-- reading thread of each connection
//! ```
//! Owns the vault's process where it is the node's to start, the connection, and what was asked and
//! is not answered: all of that is asked again on every new connection, so the vault may die at any
//! moment and orders wait. Deliberately decides nothing about money.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use claw_common::id::Id;
use claw_core::codec::{Decode as _, Reader};
use claw_core::command::ReplyTo;
use claw_core::payment::{Answer, Ask, PaymentStep};

use crate::config::{Config, Payments};
use crate::node::vault::{LinkEvent, VaultOffice};
use crate::ring::RingWaker;
use crate::vault::link::{self, Frame, VERSION};
use crate::vault::settings::{SETTINGS_FILE, socket_path};

use super::error::BootError;
use super::placement::CoreId;

/// How long a start waits for the vault's first word.
const HELLO_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a write to the vault may take before the connection is given up.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause between attempts to reach the vault.
const CONNECT_INTERVAL: Duration = Duration::from_millis(50);
/// Pause before a vault that ended is started again; doubled up to the bound.
const RESTART_DELAY_MIN: Duration = Duration::from_millis(100);
const RESTART_DELAY_MAX: Duration = Duration::from_secs(5);
/// A vault that lived this long begins with the shortest pause again.
const RESTART_GRACE: Duration = Duration::from_secs(30);
/// How long the vault may take to end when the node stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// A vault that has said hello.
#[derive(Debug)]
pub struct VaultLink {
    process: Option<Process>,
    socket: PathBuf,
    stream: UnixStream,
}

impl VaultLink {
    /// Starts the vault where it is the node's to start, and hears what kind of payments it makes;
    /// `None` where there are none.
    pub fn open(config: &Config) -> Result<Option<Self>, BootError> {
        let named = std::env::var_os("CLAW_PAYMENTS_KIND").is_some();
        let wanted = config.payments.kind == Payments::Vault
            && (named || config.store_dir.join(SETTINGS_FILE).exists());
        if !wanted {
            return Ok(None);
        }
        let socket = socket_path(&config.store_dir);
        let mut process = config.payments.start.then(|| Process::new(config));
        let began = Instant::now();
        loop {
            if let Some(process) = &mut process {
                process.keep().map_err(|reason| BootError::Vault { reason })?;
            }
            match connect(&socket) {
                Ok((stream, kind)) if kind == "none" => {
                    drop(stream);
                    return Ok(None);
                }
                Ok((stream, kind)) => {
                    log::info!("payments: {kind}, through the vault");
                    return Ok(Some(Self { process, socket, stream }));
                }
                Err(error) if began.elapsed() > HELLO_TIMEOUT => {
                    let reason = format!("no vault at {}: {error}", socket.display());
                    return Err(BootError::Vault { reason });
                }
                Err(_) => std::thread::sleep(CONNECT_INTERVAL),
            }
        }
    }

    /// Starts the thread. It ends when it is told to stop.
    pub fn start(self, office: VaultOffice, wakers: Vec<RingWaker>) -> JoinHandle<()> {
        #[expect(clippy::disallowed_methods, reason = "runtime/ is where threads start")]
        std::thread::spawn(move || {
            let Self { process, socket, stream } = self;
            let mut link = Link {
                process,
                socket,
                office,
                wakers,
                stream: None,
                connection: 0,
                asked: BTreeMap::new(),
                webhooks: HashMap::new(),
                webhooks_count: 0,
            };
            link.use_stream(stream);
            link.run();
        })
    }
}

/// Connects, and hears the vault's hello.
fn connect(socket: &Path) -> io::Result<(UnixStream, String)> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(WRITE_TIMEOUT))?;
    stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
    let bytes = link::read(&mut stream)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    stream.set_read_timeout(None)?;
    match Frame::parse(&bytes) {
        Ok(Frame::Hello { version: VERSION, kind }) => Ok((stream, kind.to_owned())),
        Ok(Frame::Hello { version, .. }) => {
            let what = format!("the vault speaks version {version}, this node {VERSION}");
            Err(io::Error::new(io::ErrorKind::InvalidData, what))
        }
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "no hello")),
    }
}

struct Link {
    process: Option<Process>,
    socket: PathBuf,
    office: VaultOffice,
    wakers: Vec<RingWaker>,
    stream: Option<UnixStream>,
    /// Counts connections, so that the end of an old one does not end the new.
    connection: u64,
    /// What is asked and not answered.
    asked: BTreeMap<(Id, PaymentStep), Box<[u8]>>,
    webhooks: HashMap<u64, ReplyTo>,
    webhooks_count: u64,
}

impl Link {
    fn run(&mut self) {
        loop {
            match self.office.events.recv_timeout(CONNECT_INTERVAL) {
                Ok(LinkEvent::Ask(ask)) => self.ask(ask),
                Ok(LinkEvent::Webhook { to, signature, body }) => {
                    self.forward(to, &signature, &body);
                }
                Ok(LinkEvent::Heard { connection, frame }) if connection == self.connection => {
                    self.hear(&frame);
                }
                Ok(LinkEvent::Broken { connection }) if connection == self.connection => {
                    self.lose("the vault has ended the connection");
                }
                Ok(LinkEvent::Heard { .. } | LinkEvent::Broken { .. })
                | Err(RecvTimeoutError::Timeout) => {}
                Ok(LinkEvent::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            }
            self.keep();
        }
        if let Some(process) = &mut self.process {
            process.stop();
        }
    }

    fn ask(&mut self, ask: Box<[u8]>) {
        let Ok(parsed) = Ask::decode(&mut Reader::new(&ask)) else {
            log::error!("a shard's question to the vault cannot be read");
            return;
        };
        let key = (parsed.order, parsed.step);
        self.say(&Frame::Ask(&ask));
        self.asked.insert(key, ask);
    }

    fn forward(&mut self, to: ReplyTo, signature: &str, body: &[u8]) {
        self.webhooks_count += 1;
        let number = self.webhooks_count;
        self.webhooks.insert(number, to);
        if self.stream.is_none() {
            return self.end_webhook(number, 503);
        }
        self.say(&Frame::Webhook { number, signature, body });
    }

    fn hear(&mut self, bytes: &[u8]) {
        match Frame::parse(bytes) {
            Ok(Frame::Answer(encoded)) => {
                let Ok(answer) = Answer::decode(&mut Reader::new(encoded)) else {
                    return self.lose("the vault's answer cannot be read");
                };
                self.asked.remove(&(answer.order, answer.step));
                if let Some(core) = self.office.answer(answer.shard, encoded) {
                    self.wake(core);
                }
            }
            Ok(Frame::WebhookAnswer { number, status }) => self.end_webhook(number, status),
            Ok(_) => {}
            Err(error) => self.lose(&format!("the vault's frame cannot be read: {error}")),
        }
    }

    fn end_webhook(&mut self, number: u64, status: u16) {
        if let Some(to) = self.webhooks.remove(&number) {
            let core = self.office.answer_webhook(to, status);
            self.wake(core);
        }
    }

    fn wake(&self, core: CoreId) {
        self.wakers[core.index()].wake();
    }

    fn say(&mut self, frame: &Frame<'_>) {
        let Some(stream) = &mut self.stream else { return };
        if let Err(error) = frame.write(stream) {
            self.lose(&format!("write to the vault: {error}"));
        }
    }

    /// The connection is gone: what was asked is asked again on the next.
    fn lose(&mut self, why: &str) {
        if let Some(stream) = self.stream.take() {
            log::warn!("{why}: {} questions wait", self.asked.len());
            stream.shutdown(std::net::Shutdown::Both).ok();
        }
        let waiting: Vec<u64> = self.webhooks.keys().copied().collect();
        for number in waiting {
            self.end_webhook(number, 503);
        }
    }

    /// Sees to the process and the connection.
    fn keep(&mut self) {
        if let Some(process) = &mut self.process
            && let Err(reason) = process.keep()
        {
            log::error!("start the vault: {reason}");
        }
        if self.stream.is_none()
            && let Ok((stream, _)) = connect(&self.socket)
        {
            self.use_stream(stream);
        }
    }

    fn use_stream(&mut self, stream: UnixStream) {
        let hears = match stream.try_clone() {
            Ok(hears) => hears,
            Err(error) => {
                log::error!("share the vault's connection: {error}");
                return;
            }
        };
        self.connection += 1;
        let (connection, sender) = (self.connection, self.office.sender.clone());
        #[expect(clippy::disallowed_methods, reason = "runtime/ is where threads start")]
        drop(std::thread::spawn(move || listen(hears, connection, &sender)));
        self.stream = Some(stream);
        let mut again = Vec::new();
        for ask in self.asked.values() {
            again.extend_from_slice(&Frame::Ask(ask).to_bytes());
        }
        let written = self.stream.as_mut().map_or(Ok(()), |stream| stream.write_all(&again));
        if let Err(error) = written {
            self.lose(&format!("write to the vault: {error}"));
        }
    }
}

/// Hears a connection until it ends.
fn listen(mut stream: UnixStream, connection: u64, to: &Sender<LinkEvent>) {
    while let Ok(Some(frame)) = link::read(&mut stream) {
        if to.send(LinkEvent::Heard { connection, frame }).is_err() {
            return;
        }
    }
    to.send(LinkEvent::Broken { connection }).ok();
}

/// The vault's process, where the node starts it.
#[derive(Debug)]
struct Process {
    store_dir: PathBuf,
    webhook_url: String,
    child: Option<Child>,
    started: Instant,
    delay: Duration,
    next: Instant,
}

impl Process {
    fn new(config: &Config) -> Self {
        let now = Instant::now();
        Self {
            store_dir: config.store_dir.clone(),
            webhook_url: format!("http://{}/v1/payments/webhook/stripe", config.node.listen),
            child: None,
            started: now,
            delay: RESTART_DELAY_MIN,
            next: now,
        }
    }

    /// Starts it where it does not run, no sooner than its pause allows.
    fn keep(&mut self) -> Result<(), String> {
        if let Some(child) = &mut self.child {
            match child.try_wait() {
                Ok(None) => return Ok(()),
                Ok(Some(status)) => {
                    log::error!("the vault has ended ({status}); it is started again");
                    if self.started.elapsed() > RESTART_GRACE {
                        self.delay = RESTART_DELAY_MIN;
                    }
                    self.next = Instant::now() + self.delay;
                    self.delay = (self.delay * 2).min(RESTART_DELAY_MAX);
                    self.child = None;
                }
                Err(error) => return Err(error.to_string()),
            }
        }
        if Instant::now() < self.next {
            return Ok(());
        }
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command.args(["vault", "--supervised", "--webhook-url", &self.webhook_url, "--store"]);
        command.arg(&self.store_dir);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().map_err(|error| error.to_string())?;
        self.started = Instant::now();
        self.child = Some(child);
        Ok(())
    }

    /// Asks it to end, and sees to it that it does.
    fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        if let Ok(id) = i32::try_from(child.id()) {
            // SAFETY: the child is ours and not waited for, so its id is still its own.
            unsafe { libc::kill(id, libc::SIGTERM) };
        }
        let began = Instant::now();
        while began.elapsed() < STOP_TIMEOUT {
            if !matches!(child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(CONNECT_INTERVAL);
        }
        child.kill().ok();
        child.wait().ok();
    }
}
