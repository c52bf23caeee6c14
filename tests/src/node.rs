//! A real node process: started, waited for, talked to, stopped or killed.
//!
//! It listens on a port that the kernel chooses and it names; it is ready when `/v1/ready` says so.
//! All it says is kept, so that a failing test can show it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use claw_sdk::client::Client;

use crate::{Store, program};

/// Longest wait for a node to start or to drain: recovery of a full test store included, on a
/// machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two looks at something that cannot be waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// A free port, which the node keeps from the moment it has it.
const ANY_PORT: &str = "127.0.0.1:0";

/// A running `claw node`. Killed when dropped.
#[derive(Debug)]
pub struct Node {
    child: Child,
    url: String,
    /// Locked only so that several threads may talk to the node.
    lines: Mutex<Receiver<String>>,
    said: Vec<String>,
}

impl Node {
    /// Start on `store` and wait until `/v1/ready` answers 200.
    ///
    /// # Panics
    /// When it does not become ready, with all it said.
    pub fn start(store: &Store) -> Self {
        Self::start_with(store, &[])
    }

    /// The same with further arguments.
    ///
    /// # Panics
    /// When it does not become ready, with all it said.
    pub fn start_with(store: &Store, args: &[&str]) -> Self {
        let mut node = Self::spawn(store, ANY_PORT, args);
        node.url = node.wait_for_url();
        node.wait_ready(Instant::now() + PATIENCE);
        node
    }

    /// Start again where it was, after it was killed: clients that come back find it.
    ///
    /// # Panics
    /// When it does not become ready, with all it said.
    pub fn start_again(&mut self, store: &Store) {
        *self = Self::spawn(store, self.authority(), &[]);
        self.wait_ready(Instant::now() + PATIENCE);
    }

    /// Start on `store` where it must refuse to: its exit code and all it said.
    ///
    /// # Panics
    /// When it does not end by itself.
    pub fn refused(store: &Store, args: &[&str]) -> (Option<i32>, String) {
        Self::refused_at(store, ANY_PORT, args)
    }

    /// The same on an address of the test's choice.
    ///
    /// # Panics
    /// When it does not end by itself.
    pub fn refused_at(store: &Store, address: &str, args: &[&str]) -> (Option<i32>, String) {
        let mut node = Self::spawn(store, address, args);
        let status = node.wait();
        (status.code(), node.said())
    }

    fn spawn(store: &Store, address: &str, args: &[&str]) -> Self {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let mut command = program::claw();
        command.envs(store.environment());
        command.arg("node").arg("--store").arg(store.path());
        command.args(["--listen", address]).args(args).stdin(Stdio::null());
        command.stdout(writer.try_clone().expect("a pipe")).stderr(writer);
        let child = command.spawn().expect("claw starts");
        let (sender, lines) = channel();
        std::thread::Builder::new()
            .name("node-output".to_owned())
            .spawn(move || {
                let lines = BufReader::new(reader).lines().map_while(Result::ok);
                // Ends when the node does, or when the test no longer listens.
                for line in lines {
                    if sender.send(line).is_err() {
                        break;
                    }
                }
            })
            .expect("a thread");
        Self { child, url: format!("http://{address}"), lines: Mutex::new(lines), said: Vec::new() }
    }

    fn next_line(&mut self, deadline: Instant) -> Option<String> {
        let patience = deadline.saturating_duration_since(Instant::now());
        match self.lines.get_mut().expect("nobody panicked").recv_timeout(patience) {
            Ok(line) => {
                self.said.push(line.clone());
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected | RecvTimeoutError::Timeout) => None,
        }
    }

    fn wait_for_url(&mut self) -> String {
        let line = self.wait_for(" on http://");
        let at = line.find("http://").expect("it was looked for");
        let end = line[at..].find([' ', ',', ';']).map_or(line.len(), |length| at + length);
        line[at..end].to_owned()
    }

    fn wait_ready(&mut self, deadline: Instant) {
        let mut client = Client::new(&self.url, None).expect("the node's own address");
        loop {
            let ready = client.request("GET", "/v1/ready", b"");
            if ready.is_ok_and(|answer| answer.status == 200) {
                return;
            }
            let exited = self.child.try_wait().expect("our own child");
            let out_of_time = Instant::now() >= deadline;
            assert!(exited.is_none() && !out_of_time, "{exited:?}, not ready:\n{}", self.said());
            std::thread::park_timeout(LOOK_AGAIN);
        }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `127.0.0.1:PORT`.
    ///
    /// # Panics
    /// Never: the URL is our own.
    pub fn authority(&self) -> &str {
        self.url.strip_prefix("http://").expect("made so above")
    }

    /// Each shard's position, from `/metrics`.
    ///
    /// # Panics
    /// When the node does not answer.
    pub fn positions(&self) -> Vec<String> {
        self.metric("claw_shard_position")
    }

    /// The values of a gauge, from `/metrics`.
    ///
    /// # Panics
    /// When the node does not answer.
    pub fn gauges(&self, name: &str) -> Vec<String> {
        let values = self.metric(name).into_iter();
        values.map(|line| line.rsplit(' ').next().unwrap_or_default().to_owned()).collect()
    }

    fn metric(&self, name: &str) -> Vec<String> {
        let mut client = Client::new(&self.url, None).expect("the node's own address");
        let answer = client.request("GET", "/metrics", b"").expect("the node answers");
        let text = String::from_utf8(answer.body).expect("metrics are text");
        let lines = text.lines().filter(|line| line.starts_with(name));
        let values: Vec<_> = lines.map(str::to_owned).collect();
        assert!(!values.is_empty(), "no {name} in {text}");
        values
    }

    /// The process, for signals and for `/proc`.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The process of its vault, where it has one at the moment.
    pub fn vault_pid(&self) -> Option<libc::pid_t> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid())).ok()?;
        let children = tasks
            .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("children")).ok());
        children
            .flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
            .find_map(|pid| pid.parse().ok())
    }

    /// `kill -9` of its vault alone; false when it has none at the moment.
    pub fn kill_vault(&self) -> bool {
        let Some(pid) = self.vault_pid() else { return false };
        // SAFETY: kill takes two numbers and touches no memory of ours. The node waits for its
        // child, so the id may be free again: it is a process of this node's all the same, since
        // ids are not used again so soon.
        unsafe { libc::kill(pid, libc::SIGKILL) == 0 }
    }

    /// The interfaces of the network that its vault sees, by name.
    ///
    /// # Panics
    /// When it has no vault.
    pub fn vault_interfaces(&self) -> Vec<String> {
        let pid = self.vault_pid().expect("it has a vault");
        let table = std::fs::read_to_string(format!("/proc/{pid}/net/dev")).expect("our own");
        let names = table.lines().filter_map(|line| Some(line.split_once(':')?.0.trim()));
        names.map(str::to_owned).collect()
    }

    /// A client that signs with one of the store's keys.
    ///
    /// # Panics
    /// When the store has no such key.
    pub fn client(&self, store: &Store, key_name: &str) -> Client {
        Client::new(&self.url, Some(store.signer(key_name))).expect("the node's own address")
    }

    /// Makes it stand still, as a machine does that is suspended: its sockets stay open.
    ///
    /// # Panics
    /// When the system refuses to stop our own child.
    pub fn stand_still(&self) {
        self.signal(libc::SIGSTOP);
    }

    /// Lets it go on after [`Node::stand_still`].
    ///
    /// # Panics
    /// When the system refuses to continue our own child.
    pub fn go_on(&self) {
        self.signal(libc::SIGCONT);
    }

    fn signal(&self, signal: i32) {
        let pid = i32::try_from(self.child.id()).expect("ids are small");
        // SAFETY: kill takes two numbers and touches no memory of ours; the child is not waited
        // for, so the id is its.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0, "our own child");
    }

    /// `kill -9`, at once.
    ///
    /// # Panics
    /// When the system refuses to kill our own child.
    pub fn kill(&mut self) {
        self.child.kill().expect("our own child");
        self.child.wait().expect("our own child");
    }

    /// SIGTERM, and wait until it has drained.
    ///
    /// # Panics
    /// When it does not end.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(libc::SIGTERM);
        self.wait()
    }

    /// Wait until it ends by itself.
    ///
    /// # Panics
    /// When it does not.
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        // Its output ends with it.
        while self.next_line(deadline).is_some() {}
        loop {
            if let Some(status) = self.child.try_wait().expect("our own child") {
                return status;
            }
            assert!(Instant::now() < deadline, "claw node does not end:\n{}", self.said());
            std::thread::park_timeout(LOOK_AGAIN);
        }
    }

    /// Waits until it says a line with `part` in it, or returns the one it has said.
    ///
    /// # Panics
    /// When it does not, with all it said.
    pub fn wait_for(&mut self, part: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        if let Some(line) = self.said.iter().find(|line| line.contains(part)) {
            return line.clone();
        }
        loop {
            match self.next_line(deadline) {
                Some(line) if line.contains(part) => return line,
                Some(_) => {}
                None => panic!("nobody said {part:?}:\n{}", self.said()),
            }
        }
    }

    /// All it has said so far.
    pub fn said(&mut self) -> String {
        self.said.extend(self.lines.get_mut().expect("nobody panicked").try_iter());
        self.said.join("\n")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        let ended = self.child.wait();
        if std::thread::panicking() {
            // Why it ended by itself, say, which the test may not have asked for.
            let said = self.said();
            writeln!(std::io::stderr().lock(), "the node ended with {ended:?} and said:\n{said}")
                .ok();
        }
    }
}
