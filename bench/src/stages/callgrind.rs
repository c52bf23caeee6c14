//! Instructions by callgrind: this program runs again inside it, once short and once long.
//!
//! The difference of the two totals is what the requests between them took; start, set-up and
//! signing are in both. Callgrind executes every instruction in software and shows the program a
//! processor without AVX-512, so hashes take more instructions here than on the bare machine.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
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
    let output = Command::new(VALGRIND)
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().context("find this program")?)
        .args(arguments)
        .output()
        .context("start valgrind")?;
    let talk = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "callgrind: {talk}");
    let collected = talk.lines().find_map(|line| line.split("Collected :").nth(1));
    collected
        .and_then(|number| number.trim().parse().ok())
        .with_context(|| format!("callgrind said no total: {talk}"))
}
