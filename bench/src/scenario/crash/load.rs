//! The load up to a cut: several connections, each with one command out at a time.
//!
//! Owns the moment: after so many answers and a little later. An answer counts as acknowledged
//! only when it was there before the cut, so that none is taken for a promise that a server without
//! power could not have sent.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};

use super::System;
use super::ledger::{Command, Ledger};

const CONNECTIONS_COUNT: u64 = 8;
/// Commands up to one cut, whatever the delay.
const COMMANDS_MAX: u64 = 2_000;
/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// When to cut.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// After so many answers.
    pub(super) answers_count: usize,
    /// And so long.
    pub(super) delay: Duration,
}

/// What the connections share.
struct Counter {
    next: AtomicU64,
    end: u64,
    over: AtomicBool,
}

/// Puts the load on a running server until the moment, and cuts it down.
pub(super) fn run_until(
    moment: Moment,
    system: &dyn System,
    ledger: &mut Ledger,
    cut: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let first = ledger.next_number();
    let counter = Counter {
        next: AtomicU64::new(first),
        end: first + COMMANDS_MAX,
        over: AtomicBool::new(false),
    };
    let (answered, answers) = mpsc::channel();
    std::thread::scope(|scope| {
        let ask = |number| {
            let (answered, counter) = (answered.clone(), &counter);
            scope.spawn(move || ask_until_over(system, number, counter, &answered))
        };
        let asking: Vec<_> = (0..CONNECTIONS_COUNT).map(ask).collect();
        drop(answered);
        let came = (0..moment.answers_count).try_for_each(|_| answers.recv_timeout(PATIENCE));
        // A random moment is the point: nothing is waited for here.
        std::thread::sleep(moment.delay);
        counter.over.store(true, Ordering::SeqCst);
        let cut = cut();
        for asking in asking {
            ledger.note(
                asking.join().map_err(|panic| anyhow!("a connection panicked: {panic:?}"))??,
            );
        }
        came.context("the server stopped answering before it was cut")?;
        cut
    })
}

/// Everything that one connection asked. An error before the cut is the server's.
fn ask_until_over(
    system: &dyn System,
    connection: u64,
    counter: &Counter,
    answered: &mpsc::Sender<()>,
) -> Result<Vec<Command>> {
    let mut asked = Vec::new();
    let is_over = || counter.over.load(Ordering::SeqCst);
    let mut buyer = match system.connect(connection) {
        Ok(buyer) => buyer,
        Err(_) if is_over() => return Ok(asked),
        Err(error) => return Err(error),
    };
    while !is_over() {
        let number = counter.next.fetch_add(1, Ordering::Relaxed);
        if number >= counter.end {
            break;
        }
        let answer = buyer.buy(number);
        // Looked at behind the answer: one that was there before the cut was sent with power.
        let over = is_over();
        match answer {
            Err(error) if !over => return Err(error.context("a command before the cut")),
            Err(_) => asked.push(Command { number, answer: None }),
            Ok(answer) => asked.push(Command { number, answer: (!over).then_some(answer) }),
        }
        // Nobody listens any more once the moment has come.
        answered.send(()).ok();
    }
    Ok(asked)
}
