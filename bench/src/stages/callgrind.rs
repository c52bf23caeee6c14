//! Instructions by callgrind: this program runs again inside it, once short and once long.
//!
//! The difference of the two totals is what the requests between them took; start, set-up and
//! signing are in both. Callgrind executes every instruction in software and shows the program a
//! processor without AVX-512, so hashes take more instructions here than on the bare machine.

use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use clap::ValueEnum as _;

use super::{BATCH_COUNT, Stage, Subject};

/// Requests of the short run: as many holds live as expire from then on.
const SHORT_COUNT: usize = 64 * BATCH_COUNT;
/// Requests of the long run.
pub(super) const LONG_COUNT: usize = 2 * SHORT_COUNT;
/// The program.
const VALGRIND: &str = "valgrind";

/// Whether it is there.
pub(crate) fn find() -> Result<()> {
    let found = Command::new(VALGRIND).arg("--version").output();
    ensure!(found.is_ok_and(|output| output.status.success()), "valgrind is not installed");
    Ok(())
}

/// Instructions a request up to a stage.
pub(crate) fn count(subject: Subject, stage: Stage) -> Result<i64> {
    let name = |value: Option<clap::builder::PossibleValue>| {
        value.map(|value| value.get_name().to_owned()).context("every value has a name")
    };
    let (subject, stage) = (name(subject.to_possible_value())?, name(stage.to_possible_value())?);
    let upto = |count: usize| {
        let count = count.to_string();
        total(&["--serve-subject", &subject, "--serve-until", &stage, "--serve-count", &count])
    };
    let (long, short) = (upto(LONG_COUNT)?, upto(SHORT_COUNT)?);
    Ok((long - short) / i64::try_from(LONG_COUNT - SHORT_COUNT)?)
}

/// Instructions of this program with these arguments.
pub(crate) fn total(arguments: &[&str]) -> Result<i64> {
    Ok(collect(&[], arguments)?[0])
}

/// What this program does between [`start`] and [`stop`], with these arguments.
pub(crate) fn between(arguments: &[&str]) -> Result<Counted> {
    let counts = collect(&["--instr-atstart=no", "--cache-sim=yes"], arguments)?;
    // Ir Dr Dw I1mr D1mr D1mw ILmr DLmr DLmw: reads and writes of data that the last cache misses.
    let [instructions, .., reads, writes] = counts[..] else { bail!("nine counts: {counts:?}") };
    ensure!(instructions > 0, "callgrind was never told to start");
    Ok(Counted { instructions, last_level_misses: reads + writes })
}

/// See [`between`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    pub(crate) instructions: i64,
    /// Of data, in a simulated cache of this processor's shape.
    pub(crate) last_level_misses: i64,
}

fn collect(options: &[&str], arguments: &[&str]) -> Result<Vec<i64>> {
    let output = Command::new(VALGRIND)
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(options)
        .arg(std::env::current_exe().context("find this program")?)
        .args(arguments)
        .output()
        .context("start valgrind")?;
    let talk = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "callgrind: {talk}");
    let collected = talk.lines().find_map(|line| line.split("Collected :").nth(1));
    let numbers = collected.unwrap_or_default().split_whitespace().map(str::parse);
    let counts: Vec<i64> = numbers.collect::<Result<_, _>>().context("callgrind's totals")?;
    ensure!(!counts.is_empty(), "callgrind said no total: {talk}");
    Ok(counts)
}

/// Counts from here on; nothing outside of callgrind.
pub(super) fn start() {
    request(START);
}

/// Counts until here.
pub(super) fn stop() {
    request(STOP);
}

/// `CALLGRIND_START_INSTRUMENTATION` of valgrind's `callgrind.h`: the tool's two letters, a number.
const START: usize = (b'C' as usize) << 24 | (b'T' as usize) << 16 | 4;
/// `CALLGRIND_STOP_INSTRUMENTATION`.
const STOP: usize = START + 1;

/// A client request: valgrind knows it by instructions that do nothing on a processor (Valgrind
/// User Manual, "The Client Request mechanism"; the sequence is in `valgrind.h`).
#[cfg(target_arch = "x86_64")]
fn request(what: usize) {
    let arguments = [what, 0, 0, 0, 0, 0];
    // SAFETY: rdi is rotated by 128 bits in all and rbx exchanged with itself: nothing changes but
    // rdx, which is said. Valgrind reads the six words, which outlive the instructions.
    unsafe {
        core::arch::asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") arguments.as_ptr(),
            inout("rdx") 0_usize => _,
        );
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn request(_what: usize) {}
