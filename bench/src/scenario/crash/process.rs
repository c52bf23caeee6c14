//! Ending a server at once, with everything it has started.
//!
//! Owns the walk over processes: PostgreSQL's are sessions of their own, so no group holds them
//! all. The first is stopped before, so that it starts no more meanwhile.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// Longest wait for a killed process to be gone.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// Kills a process and all that it has started, and waits until none of them has a file open. The
/// caller takes the first one's exit status.
pub(super) fn kill_all(first: u32) -> Result<()> {
    signal(first, Signal::STOP)?;
    let family = family(first, &parents()?);
    for &process in &family {
        signal(process, Signal::KILL)?;
    }
    let deadline = Instant::now() + PATIENCE;
    while family.iter().any(|process| is_alive(*process)) {
        if Instant::now() >= deadline {
            bail!("a process did not end within {} s of SIGKILL", PATIENCE.as_secs());
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    Ok(())
}

/// A process that is gone meanwhile needs no signal.
fn signal(process: u32, signal: Signal) -> Result<()> {
    let pid = i32::try_from(process).ok().and_then(Pid::from_raw).context("a process has an id")?;
    match kill_process(pid, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("signal process {process}")),
    }
}

/// State and parent of a process.
fn look_at(process: &str) -> Option<(char, u32)> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name before may have anything in it, a bracket too.
    let mut fields = text.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?.chars().next()?;
    Some((state, fields.next()?.parse().ok()?))
}

/// One that waits for its parent to take its status has closed everything.
fn is_alive(process: u32) -> bool {
    look_at(&process.to_string()).is_some_and(|(state, _)| !matches!(state, 'Z' | 'X'))
}

/// Every process's parent.
fn parents() -> Result<BTreeMap<u32, u32>> {
    let mut parents = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").context("list the processes")?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Ok(process) = name.parse() else { continue };
        if let Some((_, parent)) = look_at(&name) {
            parents.insert(process, parent);
        }
    }
    Ok(parents)
}

/// A process and those that descend from it.
fn family(first: u32, parents: &BTreeMap<u32, u32>) -> Vec<u32> {
    let mut found = vec![first];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(parents.iter().filter(|(_, of)| **of == parent).map(|(child, _)| *child));
        next += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn family_is_everybody_below() {
        let parents = [(2, 1), (3, 2), (4, 3), (5, 1), (6, 5)].into();
        assert_eq!(family(2, &parents), [2, 3, 4]);
    }

    #[test]
    fn child_of_a_child_is_killed_too() {
        let mut shell = Command::new("setsid")
            .args(["--fork", "--wait", "sh", "-c", "setsid --fork sleep 600; echo; sleep 600"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let mut words = std::io::BufReader::new(shell.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut words, &mut said).unwrap();
        let below = family(shell.id(), &parents().unwrap());
        assert!(below.len() > 1, "{below:?}");
        kill_all(shell.id()).unwrap();
        assert!(below.iter().all(|process| !is_alive(*process)));
        shell.wait().unwrap();
    }
}
