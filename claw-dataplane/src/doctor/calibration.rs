//! A short loop of the engine's own work against what the reference build needs for it.
//!
//! The loop decides holds and releases in memory, the same code a shard runs. Its time is counted
//! in clock cycles, measured just before by a chain of multiplications that no compiler touches
//! (each waits three cycles for the one before, on every x86-64 core of the last ten years), so
//! that a slow machine is told from a slow build. A wrong tool chain or wrong flags cost 30 to
//! 40 %; another microarchitecture may be that far off as well, and the line says so.
//!
//! Is no benchmark: it looks for one kind of mistake and takes a third of a second.

use std::hint::black_box;
use std::time::{Duration, Instant};

use claw_common::id::ShardId;
use claw_common::money::{Currency, Money};
use claw_common::time::Hlc;
use claw_core::command::{AuthMode, Command, CommandKey, ExtraType, ReplyTo, Request};
use claw_core::effect::Effects;
use claw_core::lines::LinesBuffer;
use claw_core::log::{BlockDraft, Opening};
use claw_core::shard::{Capacities, Shard, ShardConfig};

use super::Check;

/// Cycles for one hold of the reference build: release profile, Rust 1.95.0, x86-64 baseline;
/// AMD EPYC (Zen), 2026-11-25, the median of several runs of this loop.
const REFERENCE_CYCLES_PER_HOLD: u64 = 2200;
/// Beyond this share of the reference, a wrong build is likelier than another machine.
const TOLERANCE_PERCENT: u64 = 135;
/// Holds decided in one run.
const HOLDS_COUNT: usize = 2000;
/// Runs; the quickest counts, since everything that disturbs makes slower.
const RUNS_COUNT: usize = 15;
/// Decided in one block, then a new one begins.
const HOLDS_PER_BLOCK: usize = 100;
const BLOCK_BYTES: usize = 256 * 1024;
const NOW_MS: u64 = 1_800_000_000_000;

pub(super) fn check() -> Check {
    let name = "calibration";
    if cfg!(debug_assertions) {
        return Check::ok(name, "left out: not a release build (see build)");
    }
    let Some(cycle_ps) = cycle_ps() else {
        return Check::ok(name, "left out: the reference is for x86-64");
    };
    let hold_ps = (0..RUNS_COUNT).map(|_| hold_ps()).min().expect("some runs");
    let cycles = hold_ps / cycle_ps;
    let share = cycles * 100 / REFERENCE_CYCLES_PER_HOLD;
    let found = format!(
        "{cycles} cycles a hold ({} ns), {share} % of the reference build's {}",
        hold_ps / 1000,
        REFERENCE_CYCLES_PER_HOLD
    );
    if share <= TOLERANCE_PERCENT {
        return Check::ok(name, found);
    }
    let advice = "build with the pinned tool chain and the release profile of the workspace (cargo \
                  build --release); where that is so, this processor does less in a cycle than the \
                  reference's";
    Check::warn(name, found, advice)
}

/// Picoseconds of a hold, decided and encoded.
fn hold_ps() -> u64 {
    let mut bench = Bench::new();
    let start = Instant::now();
    for number in 0..HOLDS_COUNT {
        bench.hold(number);
    }
    picoseconds(start.elapsed(), HOLDS_COUNT)
}

fn picoseconds(elapsed: Duration, count: usize) -> u64 {
    let count = u128::try_from(count).expect("a count fits");
    u64::try_from(elapsed.as_nanos() * 1000 / count).unwrap_or(u64::MAX)
}

/// A shard with one product, and a block to write into.
struct Bench {
    shard: Shard,
    lines: LinesBuffer,
    effects: Effects,
    block: Vec<u8>,
    draft: Option<BlockDraft>,
}

impl Bench {
    fn new() -> Self {
        let mut bench = Self {
            shard: Shard::new(ShardConfig::new(ShardId(0), 1, Capacities::SMALL)),
            lines: LinesBuffer::default(),
            effects: Effects::default(),
            block: vec![0; BLOCK_BYTES],
            draft: None,
        };
        let currency = Currency::parse("EUR").expect("a currency");
        let price = Money { amount: 4900, currency };
        bench.decide(
            0,
            Command::PutProduct {
                sku: "clog",
                name: "Clog",
                price,
                attributes: "",
                version_expected: None,
            },
        );
        bench.decide(1, Command::MoveStock { sku: "clog", delta: 1 << 30, reason: "calibration" });
        bench
    }

    fn hold(&mut self, number: usize) {
        if number.is_multiple_of(HOLDS_PER_BLOCK) {
            self.draft = None;
        }
        let mut lines = std::mem::take(&mut self.lines);
        lines.clear();
        lines.add("clog", 1, 0).expect("one line fits");
        // Short enough that the slab of holds never fills.
        let command =
            Command::CreateHold { session: "calibration", lines: lines.lines(), ttl_ms: 1 };
        self.decide(number + 2, command);
        self.lines = lines;
    }

    fn decide(&mut self, number: usize, command: Command<'_>) {
        let number = u64::try_from(number).expect("a count fits");
        let mut key = [1; 16];
        key[..8].copy_from_slice(&number.to_le_bytes());
        let request = Request {
            command,
            identity: CommandKey { key, digest: [2; 16] },
            reply_to: ReplyTo(0),
            key: 1,
            auth_mode: AuthMode::HmacSha256,
            accepted: Hlc(0),
            entropy: number,
            extra: &[],
            extra_type: ExtraType::default(),
            evidence: &[],
        };
        let now_ms = NOW_MS + number;
        let Self { shard, block, draft, effects, .. } = self;
        let draft = draft.get_or_insert_with(|| {
            let opening = Opening {
                shard: ShardId(0),
                sequence_last: shard.sequence(),
                schema_version: 1,
                vector: &[0],
            };
            BlockDraft::open(block, &opening)
        });
        effects.clear();
        shard.decide(black_box(&request), now_ms, &mut draft.journal(block), effects);
        while shard.next_deadline().is_some_and(|due| due <= now_ms) {
            shard.tick(now_ms, &mut draft.journal(block), effects);
        }
    }
}

/// Picoseconds of a clock cycle; `None` where the chain is not written for this processor.
#[cfg(target_arch = "x86_64")]
fn cycle_ps() -> Option<u64> {
    const STEPS_COUNT: usize = 1_000_000;
    const CYCLES_PER_STEP: usize = 3;
    let run = || {
        let mut value: u64 = black_box(3);
        let start = Instant::now();
        for _ in 0..STEPS_COUNT / 8 {
            // SAFETY: multiplies a register with itself.
            unsafe {
                core::arch::asm!(
                    "imul {0}, {0}", "imul {0}, {0}", "imul {0}, {0}", "imul {0}, {0}",
                    "imul {0}, {0}", "imul {0}, {0}", "imul {0}, {0}", "imul {0}, {0}",
                    inout(reg) value, options(nomem, nostack)
                );
            }
        }
        black_box(value);
        picoseconds(start.elapsed(), STEPS_COUNT * CYCLES_PER_STEP)
    };
    (0..RUNS_COUNT).map(|_| run()).min().map(|ps| ps.max(1))
}

#[cfg(not(target_arch = "x86_64"))]
fn cycle_ps() -> Option<u64> {
    None
}
