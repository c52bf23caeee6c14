//! `claw vault`, running: the lock, the log, the workers, the socket.
//!
//! Owns the process's parts and their order: what can be refused is refused before the node is
//! told that there is a vault. One connection counts, the newest: a node that was started again
//! takes the place of the one that is gone.

use std::fs::File;
use std::io::BufRead as _;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use claw_core::codec::{Decode as _, Reader};
use claw_core::payment::{ANSWER_BYTES_MAX, Answer, Ask};

use crate::node::clock::Clock;

use crate::vault::book::{Question, Said};
use crate::vault::desk::{Answers, Desk};
use crate::vault::gateway::Gateway;
use crate::vault::link::{self, Frame, VERSION};
use crate::vault::settings::{Kind, Secret, Settings, folder, socket_path};
use crate::vault::stripe::Stripe;
use crate::vault::teller::Teller;
use crate::vault::{sandbox, webhook};

use super::placement::run_on;
use super::{vault_broker, vault_log};

/// How long a start waits for a vault that is ending.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);
const LOCK_INTERVAL: Duration = Duration::from_millis(20);
/// How long a write to the node may take.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// What to run.
#[derive(Debug)]
pub struct Running<'a> {
    /// The store.
    pub store_dir: &'a Path,
    /// Its settings.
    pub settings: Settings,
    /// Whether it ends with the process that started it.
    pub supervised: bool,
    /// Where a local gateway sends its webhooks.
    pub webhook_url: Option<String>,
}

/// The node, where one is connected.
#[derive(Clone, Debug, Default)]
struct Node(Arc<Mutex<Option<UnixStream>>>);

impl Node {
    fn say(&self, frame: &Frame<'_>) {
        let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let written = stream.as_mut().map(|stream| frame.write(stream));
        // It asks again on its next connection.
        if let Some(Err(_)) = written {
            *stream = None;
        }
    }
}

impl Answers for Node {
    fn answer(&self, question: &Question, said: &Said) {
        let (order, shard, step) = (question.order, question.shard, question.step);
        let answer = Answer { order, shard, step, verdict: said.verdict() };
        let mut bytes = [0; ANSWER_BYTES_MAX];
        let mut writer = claw_core::codec::Writer::new(&mut bytes);
        claw_core::codec::Encode::encode(&answer, &mut writer);
        let written = writer.written();
        self.say(&Frame::Answer(&bytes[..written]));
    }
}

/// Serves until the process ends.
pub fn run(running: Running<'_>) -> Result<()> {
    let Running { store_dir, mut settings, supervised, webhook_url } = running;
    if supervised {
        end_with_parent();
    }
    let folder = folder(store_dir);
    std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700))?;
    let _lock = lock(&folder)?;
    if settings.kind == Kind::None {
        // Whoever asks is told so, once.
        let listener = bind(store_dir)?;
        let (mut stream, _) = listener.accept()?;
        Frame::Hello { version: VERSION, kind: settings.kind.name() }.write(&mut stream)?;
        return Ok(());
    }
    let local = start_gateway(&folder, &mut settings, webhook_url.as_deref())?;
    let base_url = settings.base_url.clone().context("no gateway to ask")?;
    let (connecting, broker) = vault_broker::start(&base_url)?;
    // Both were started where the network is; nothing here has a thread yet.
    sandbox::leave_network();
    let gateway: Arc<dyn Gateway> = Arc::new(Stripe::new(&settings, &base_url, broker));
    let (opened, book) = vault_log::open(&folder, &settings.device)?;
    log::info!(
        "the vault knows {} orders, asks {base_url}, logs to {}",
        book.orders_count(),
        opened.folder().display()
    );
    let listener = bind(store_dir)?;
    if let Some(cpu) = settings.cpu {
        run_on(&[cpu]);
    }
    sandbox::enter(&[&folder, opened.folder()], local.is_some());
    // Every thread is started inside.
    let journal = Box::new(opened.start()?);
    let (workers, questions) = channel();
    let node = Node::default();
    let desk = Arc::new(Desk::new(journal, book, workers, Box::new(node.clone())));
    let questions = Arc::new(Mutex::new(questions));
    for _ in 0..settings.calls_max {
        let (desk, gateway) = (Arc::clone(&desk), Arc::clone(&gateway));
        let questions = Arc::clone(&questions);
        spawn(move || work(&desk, &*gateway, &questions));
    }
    for (child, name) in
        local.map(|child| (child, "local gateway")).into_iter().chain([(connecting, "broker")])
    {
        spawn(move || watch(child, name));
    }
    serve(&listener, &settings, &desk, &node)
}

fn serve(
    listener: &UnixListener,
    settings: &Settings,
    desk: &Arc<Desk>,
    node: &Node,
) -> Result<()> {
    loop {
        let (mut stream, _) = listener.accept().context("wait for a node")?;
        stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
        let hello = Frame::Hello { version: VERSION, kind: settings.kind.name() };
        let Ok(hears) = stream.try_clone() else { continue };
        if hello.write(&mut stream).is_err() {
            continue;
        }
        *node.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(stream);
        let (desk, node) = (Arc::clone(desk), node.clone());
        let secret = settings.webhook_secret.clone();
        spawn(move || hear(hears, &desk, &node, &secret));
    }
}

/// Hears a node until it ends.
fn hear(mut stream: UnixStream, desk: &Desk, node: &Node, secret: &Secret) {
    let mut clock = Clock::start();
    while let Ok(Some(bytes)) = link::read(&mut stream) {
        match Frame::parse(&bytes) {
            Ok(Frame::Ask(ask)) => match Ask::decode(&mut Reader::new(ask)) {
                Ok(ask) => desk.take(Question::from(&ask)),
                Err(error) => log::error!("the node's question cannot be read: {error}"),
            },
            Ok(Frame::Webhook { number, signature, body }) => {
                let now_s = clock.compared_now_ms() / 1000;
                let status = webhook::take(desk, secret.reveal(), (signature, body), now_s);
                node.say(&Frame::WebhookAnswer { number, status });
            }
            Ok(_) => {}
            Err(error) => {
                log::error!("the node's frame cannot be read: {error}");
                return;
            }
        }
    }
}

fn work(desk: &Desk, gateway: &dyn Gateway, questions: &Mutex<Receiver<Question>>) {
    let mut clock = Clock::start();
    loop {
        let next = questions.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(question) = next else { return };
        let teller = Teller { desk, gateway, now_ms: clock.compared_now_ms() };
        let said = teller.perform(&question);
        desk.settle(&question, &said);
    }
}

/// One vault a store: the kernel lets go of the lock when the process ends, however it ends.
fn lock(folder: &Path) -> Result<File> {
    let path = folder.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path)?;
    let began = Instant::now();
    loop {
        // SAFETY: the descriptor is open for the length of the call.
        if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0 {
            return Ok(file);
        }
        if began.elapsed() > LOCK_TIMEOUT {
            bail!("another vault has {}: stop it first", path.display());
        }
        std::thread::sleep(LOCK_INTERVAL);
    }
}

fn bind(store_dir: &Path) -> Result<UnixListener> {
    let path = socket_path(store_dir);
    // The lock is ours, so nobody listens there.
    std::fs::remove_file(&path).ok();
    let listener =
        UnixListener::bind(&path).with_context(|| format!("listen on {}", path.display()))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Starts `claw gateway` where the store's gateway is a local one.
fn start_gateway(
    folder: &Path,
    settings: &mut Settings,
    webhook_url: Option<&str>,
) -> Result<Option<Child>> {
    if settings.kind != Kind::Local || settings.base_url.is_some() {
        return Ok(None);
    }
    for secret in [&mut settings.api_key, &mut settings.webhook_secret] {
        if secret.reveal().is_empty() {
            *secret = Secret::new(&uuid_text()?);
        }
    }
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["gateway", "--supervised", "--listen", "127.0.0.1:0", "--state"]);
    command.arg(folder.join("gateway"));
    if let Some(url) = webhook_url {
        command.args(["--webhook-url", url]);
    }
    command.args(&settings.gateway_args);
    command.env("CLAW_GATEWAY_API_KEY", settings.api_key.reveal());
    command.env("CLAW_GATEWAY_WEBHOOK_SECRET", settings.webhook_secret.reveal());
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().context("start claw gateway")?;
    let said = child.stdout.take().context("hear claw gateway")?;
    let mut line = String::new();
    std::io::BufReader::new(said).read_line(&mut line)?;
    let url = line.trim().strip_prefix("listening on ").context("claw gateway did not start")?;
    settings.base_url = Some(url.to_owned());
    Ok(Some(child))
}

/// A process of its own that ends takes the vault with it: all are started again.
#[expect(clippy::exit, reason = "the supervisor starts all again")]
fn watch(mut child: Child, name: &str) {
    let status = child.wait();
    log::error!("the vault's {name} has ended ({status:?}): so does the vault");
    std::process::exit(1);
}

fn uuid_text() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("read randomness: {error}"))?;
    Ok(uuid::Uuid::from_bytes(bytes).simple().to_string())
}

/// Starts a thread that ends with its process.
pub(super) fn spawn(work: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    #[expect(clippy::disallowed_methods, reason = "runtime/ is where threads start")]
    std::thread::spawn(work)
}

/// The kernel ends this process when the thread that started it does. Whoever started it may have
/// blocked signals, which a child inherits: they are let in again.
pub fn end_with_parent() {
    // SAFETY: an all-zero set is a valid empty set.
    let none: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the call reads a live set, and is told of no place to write to.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut()) };
    // SAFETY: the call reads two numbers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) };
}
