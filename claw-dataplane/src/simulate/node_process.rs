//! A node of our own: started as its own process, waited for, ended in order.
//!
//! Owns the child from spawn to exit: whatever happens, it is ended when this value is dropped.
//! Its words go to `node.log` in the store, because a pipe that nobody reads would stop it; the
//! tail is shown when it dies. The node is placed on every core but the last, which is ours, when
//! there is more than one. Does not look into the node: it is reached over sockets only.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use claw_sdk::Client;

use super::client::system;

/// Longest wait for a node to be ready, unless told otherwise; a recovery takes a while.
const READY_MAX: Duration = Duration::from_mins(1);
/// Pause between two questions whether it is ready.
const READY_PAUSE: Duration = Duration::from_millis(50);
/// Longest wait for a node to drain and exit after SIGTERM.
const EXIT_MAX: Duration = Duration::from_secs(30);
/// How much of its words is shown when it dies, bytes.
const TAIL_BYTES: u64 = 4096;

/// Why there is no node.
#[derive(Debug, thiserror::Error)]
pub enum NodeProcessError {
    /// It ended before it was ready, or in the middle of a run.
    #[error("the node ended {when} with {status}; the end of {log}:\n{tail}", log = log.display())]
    Died { when: &'static str, status: ExitStatus, log: PathBuf, tail: String },
    /// It did not exit after SIGTERM and was killed.
    #[error("the node did not exit within {} s of SIGTERM and was killed; see {log}",
            EXIT_MAX.as_secs(), log = log.display())]
    Hung { log: PathBuf },
    /// It never said that it is ready.
    #[error("the node was not ready within {} s; the end of {log}:\n{tail}",
            waited.as_secs(), log = log.display())]
    NotReady { waited: Duration, log: PathBuf, tail: String },
    /// The system refused.
    #[error("cannot {action}")]
    System { action: String, source: std::io::Error },
}

/// What to start.
#[derive(Clone, Debug)]
pub struct NodeCommand {
    /// The claw binary.
    pub program: PathBuf,
    /// The store.
    pub store: PathBuf,
    /// Further arguments of `claw node`.
    pub arguments: Vec<String>,
}

/// A running node.
#[derive(Debug)]
pub struct NodeProcess {
    child: Child,
    address: SocketAddrV4,
    log: PathBuf,
}

impl NodeProcess {
    /// Starts a node on a free port and waits until it is ready. When there is more than one
    /// core, the node gets all but the last, and the calling thread moves to the last.
    pub fn start(command: &NodeCommand) -> Result<Self, NodeProcessError> {
        Self::start_within(command, READY_MAX)
    }

    /// The same, for a store whose recovery takes as long as `ready_max`.
    pub fn start_within(
        command: &NodeCommand,
        ready_max: Duration,
    ) -> Result<Self, NodeProcessError> {
        let address = free_address().map_err(system_error("find a free port"))?;
        let log = command.store.join("node.log");
        let words =
            File::create(&log).map_err(system_error(&format!("write {}", log.display())))?;
        let cpus = system::affinity().map_err(system_error("read the allowed cores"))?;
        if let [node_cpus @ .., own_cpu] = cpus.as_slice()
            && !node_cpus.is_empty()
        {
            system::set_affinity(node_cpus).map_err(system_error("place the node"))?;
            let started = spawn(command, address, words);
            system::set_affinity(&[*own_cpu]).map_err(system_error("move to the last core"))?;
            return Self { child: started?, address, log }.wait_until_ready(ready_max);
        }
        Self { child: spawn(command, address, words)?, address, log }.wait_until_ready(ready_max)
    }

    /// Where it listens for plain HTTP.
    pub const fn address(&self) -> SocketAddrV4 {
        self.address
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// An error when it has ended.
    pub fn check_alive(&mut self) -> Result<(), NodeProcessError> {
        match self.child.try_wait().map_err(system_error("look after the node"))? {
            None => Ok(()),
            Some(status) => Err(self.died("during the run", status)),
        }
    }

    /// SIGTERM, then waits for its exit; anything but exit 0 is an error.
    pub fn stop(mut self) -> Result<(), NodeProcessError> {
        self.check_alive()?;
        system::terminate(self.child.id()).map_err(system_error("send SIGTERM to the node"))?;
        let deadline = Instant::now() + EXIT_MAX;
        while Instant::now() < deadline {
            match self.child.try_wait().map_err(system_error("wait for the node"))? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(self.died("after SIGTERM", status)),
                None => std::thread::sleep(READY_PAUSE),
            }
        }
        Err(NodeProcessError::Hung { log: self.log.clone() })
    }

    fn wait_until_ready(mut self, ready_max: Duration) -> Result<Self, NodeProcessError> {
        let deadline = Instant::now() + ready_max;
        let url = format!("http://{}", self.address);
        while Instant::now() < deadline {
            if let Some(status) =
                self.child.try_wait().map_err(system_error("look after the node"))?
            {
                return Err(self.died("before it was ready", status));
            }
            if is_ready(&url) {
                return Ok(self);
            }
            std::thread::sleep(READY_PAUSE);
        }
        let (tail, log) = (tail(&self.log), self.log.clone());
        Err(NodeProcessError::NotReady { waited: ready_max, tail, log })
    }

    fn died(&self, when: &'static str, status: ExitStatus) -> NodeProcessError {
        NodeProcessError::Died { when, status, tail: tail(&self.log), log: self.log.clone() }
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let killed = self.child.kill().and_then(|()| self.child.wait());
            if let Err(error) = killed {
                log::warn!("end the node: {error}");
            }
        }
    }
}

/// Whether the node at `url` takes requests.
pub fn is_ready(url: &str) -> bool {
    let Ok(mut client) = Client::new(url, None) else { return false };
    client.set_timeout(Duration::from_secs(2));
    client.request("GET", "/v1/ready", b"").is_ok_and(|response| response.status == 200)
}

fn spawn(
    command: &NodeCommand,
    address: SocketAddrV4,
    words: File,
) -> Result<Child, NodeProcessError> {
    let also = words.try_clone().map_err(system_error("share the node's log file"))?;
    let mut process = Command::new(&command.program);
    system::end_with_caller(&mut process);
    process
        .arg("node")
        .arg("--store")
        .arg(&command.store)
        .arg("--listen")
        .arg(address.to_string())
        .args(&command.arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::from(also))
        .stderr(Stdio::from(words))
        .spawn()
        .map_err(system_error(&format!("start {}", command.program.display())))
}

/// A port that is free now. Somebody else may take it before the node does; then the node says so
/// and ends, and the run with it.
pub(super) fn free_address() -> std::io::Result<SocketAddrV4> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(SocketAddrV4::new(Ipv4Addr::LOCALHOST, listener.local_addr()?.port()))
}

fn system_error(action: &str) -> impl FnOnce(std::io::Error) -> NodeProcessError {
    let action = action.to_owned();
    move |source| NodeProcessError::System { action, source }
}

fn tail(path: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_else(|error| format!("(cannot be read: {error})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a node that is this script.
    fn refusal_of(script: &str, ready_max: Duration) -> String {
        let store = tempfile::tempdir().unwrap();
        let program = store.path().join("claw");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&program, mode).unwrap();
        let command =
            NodeCommand { program, store: store.path().to_owned(), arguments: Vec::new() };
        let before = system::affinity().unwrap();
        let refusal = NodeProcess::start_within(&command, ready_max).unwrap_err().to_string();
        system::set_affinity(&before).unwrap();
        refusal
    }

    #[test]
    fn node_that_dies_at_once_is_named_with_its_last_words() {
        let error = refusal_of("echo no such store >&2\nexit 3", READY_MAX);
        assert!(error.contains("before it was ready with exit status: 3"), "{error}");
        assert!(error.contains("no such store"), "{error}");
    }

    #[test]
    fn node_that_is_not_ready_in_the_time_it_was_given_is_ended() {
        let error = refusal_of("exec sleep 600", Duration::ZERO);
        assert!(error.contains("not ready within 0 s"), "{error}");
    }
}
