//! A node killed at random moments under load, and started again, as often as asked.
//!
//! Several shoppers hold, release and buy over real connections until the node is killed with
//! `kill -9`. After each start, everything acknowledged is asked for again with its own key, and
//! must give the first answer; what was under way is asked for again too, and must then be done
//! exactly once: stock, holds, sales and coupon uses are counted against the shoppers' own books.
//! Now and then the node stands still before (`SIGSTOP`), longer than holds live, and goes on or
//! dies. Under about half of the stores the system's clock is set forward or back by hours now and
//! then, and set right before the next start: no hold may expire by it.
//! Segments are small and snapshots frequent, so that the log rolls over, is archived and begins
//! from snapshots under the kills as well.
//!
//! `CLAW_TORTURE_KILLS` says how often (20 when not set, half of them on each shape of store),
//! `CLAW_SEED` repeats a run's choices. `kill -9` spares the page cache: devices that lose what
//! was not flushed are in `faults.rs`.

mod shopper;

use std::env;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use claw_tests::{Node, SystemClock};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use shopper::market::{ANSWERS_PER_STORE, Market, busy_store, inspect};

/// A kill comes at most this long after the shoppers started, so that it falls into start-up,
/// first writes, full load and snapshots alike.
const KILL_DELAY_MS_MAX: u64 = 1_200;
/// A node that is stopped (SIGSTOP) stands still at most this long: longer than its holds live.
const STOP_MS_MAX: u64 = 1_500;
/// Of a hundred kills, before how many the node is stopped; half of those die stopped.
const STOPS_PERCENT: u32 = 25;
/// The clock is set by this much at most, milliseconds: twice as long as the shoppers' holds live.
const CLOCK_STEP_MS_MAX: i64 = 12 * 3_600_000;
/// Of a hundred kills under a clock that is set, before how many it is.
const CLOCK_STEPS_PERCENT: u32 = 50;
/// The log is inspected with the node dead after every so many kills.
const INSPECT_EVERY: u64 = 5;

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

/// A new one for each run: the seed that is printed is what makes a failure repeatable.
fn fresh_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    now.as_secs() ^ u64::from(now.subsec_nanos())
}

#[test]
fn slow_killed_node_of_one_shard_keeps_every_acknowledged_answer_exactly_once() {
    kill_again_and_again("1", &[]);
}

#[test]
fn slow_killed_node_of_four_shards_keeps_every_acknowledged_answer_exactly_once() {
    kill_again_and_again("4", &["--cores", "2"]);
}

fn kill_again_and_again(shards: &str, args: &[&str]) {
    let kills = number("CLAW_TORTURE_KILLS").unwrap_or(20).div_ceil(2);
    let seed = number("CLAW_SEED").unwrap_or_else(fresh_seed);
    say(&format!("seed {seed}, {kills} kills, {shards} shards"));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut left = kills;
    while left > 0 {
        left -= kill_one_store(&mut rng, (shards, args), left);
    }
}

/// Kills a fresh store until it has seen enough; how often.
fn kill_one_store(rng: &mut ChaCha8Rng, shape: (&str, &[&str]), kills_max: u64) -> u64 {
    let (shards, args) = shape;
    let mut store = busy_store(shards);
    let clock = if rng.random() { SystemClock::right() } else { None };
    if let Some(clock) = &clock {
        store.tell_time_by(clock);
    }
    let mut node = Node::start_with(&store, args);
    let mut market = Market::open(&store, &node, rng);
    let mut kill = 0;
    while kill < kills_max {
        kill += 1;
        let end = End::draw(rng);
        market.shop_until(&store, &mut node, |node| end.come_to(node, clock.as_ref()));
        if let Some(clock) = &clock {
            clock.set_off_by_ms(0);
        }
        if kill % INSPECT_EVERY == 0 {
            let (code, said) = store.claw(&["log", "verify"]);
            assert_eq!(code, Some(0), "kill {kill}: {said}");
        }
        node = Node::start_with(&store, args);
        let books = market.settle(&store, &node);
        say(&format!("kill {kill}: {books}"));
        if books.answers_count() > ANSWERS_PER_STORE {
            break;
        }
    }
    assert!(node.terminate().success(), "{}", node.said());
    inspect(&store);
    assert!(market.orders_count() > 0, "nobody bought anything: this run has shown nothing");
    kill
}

/// How a run of a node ends. Random moments are the point: nothing is waited for here.
#[derive(Clone, Copy, Debug)]
struct End {
    before_kill: Duration,
    /// How long it stands still before, and whether it is let go on again.
    stopped: Option<(Duration, bool)>,
    /// By how much the clock is set before, milliseconds, where it can be.
    clock_step_ms: Option<i64>,
}

impl End {
    fn draw(rng: &mut ChaCha8Rng) -> Self {
        let mut moment = |ms_max: u64| Duration::from_millis(rng.random_range(0..ms_max));
        let (before_kill, standing) = (moment(KILL_DELAY_MS_MAX), moment(STOP_MS_MAX));
        let stops = rng.random_ratio(STOPS_PERCENT, 100);
        let stopped = stops.then(|| (standing, rng.random()));
        let step = rng.random_range(-CLOCK_STEP_MS_MAX..CLOCK_STEP_MS_MAX);
        let steps = rng.random_ratio(CLOCK_STEPS_PERCENT, 100);
        Self { before_kill, stopped, clock_step_ms: steps.then_some(step) }
    }

    fn come_to(self, node: &mut Node, clock: Option<&SystemClock>) {
        if let (Some(clock), Some(step_ms)) = (clock, self.clock_step_ms) {
            clock.set_off_by_ms(step_ms);
        }
        std::thread::sleep(self.before_kill);
        if let Some((standing, goes_on)) = self.stopped {
            node.stand_still();
            std::thread::sleep(standing);
            if goes_on {
                node.go_on();
                std::thread::sleep(self.before_kill);
            }
        }
        node.kill();
    }
}

fn say(line: &str) {
    use std::io::Write as _;
    writeln!(std::io::stderr().lock(), "{line}").ok();
}
