//! `cargo xtask fuzz`: random input, guided by coverage, for everything that reads other people's
//! bytes.
//!
//! The targets are the binaries of `claw-dataplane/fuzz`; what must hold is in `tests/src/fuzzed`,
//! where the ordinary tests find it too. This verb installs cargo-fuzz, builds, runs one target
//! after the other and counts. What it finds lies in `claw-dataplane/fuzz/artifacts`, what it
//! learns in `target/fuzz/corpus`.
//!
//! No sanitizer by default: what is fuzzed is safe Rust, so the pinned compiler builds it as it is
//! shipped and runs it twice as fast. `--address` brings in `AddressSanitizer`, for which the
//! compiler must be a nightly one or be told to act like one.

mod progress;
mod report;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use toml::Table;

use crate::machine;
use crate::process::{Task, talk};
use crate::setup::{self, Purpose};
use crate::workspace;
use progress::Progress;
use report::Row;

/// Seconds a target runs unless told otherwise.
const SECONDS: u32 = 600;
/// Seconds a target runs to show that it does.
const SECONDS_SMOKE: u32 = 10;
/// A target that takes more memory than this has found something.
const MEMORY_MB_MAX: u32 = 2048;
/// An input that takes longer than this has found something.
const INPUT_SECONDS_MAX: u32 = 10;
/// Longest input: a few blocks of the log, some requests.
const INPUT_BYTES_MAX: u32 = 4096;
/// Between two lines of progress.
const PROGRESS_EVERY: Duration = Duration::from_secs(10);

/// Fuzz what reads other people's bytes, guided by coverage.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cargo xtask fuzz                       every target for 10 minutes
  cargo xtask fuzz http --seconds 3600   one target for an hour
  cargo xtask fuzz --list                what there is
  cargo xtask fuzz --smoke               every target for 10 seconds: does it still run?
  cargo xtask fuzz block --address       with AddressSanitizer

Found something: keep the input in claw-dataplane/fuzz/regressions/TARGET under a name that says
what it was, and mend. `cargo nextest run -p claw-tests fuzzed_inputs` replays it from then on.")]
pub(crate) struct FuzzArgs {
    /// Only this target
    target: Option<String>,
    /// How long each target runs
    #[arg(long, default_value_t = SECONDS, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Name the targets and stop
    #[arg(long)]
    list: bool,
    /// Every target for a moment
    #[arg(long, conflicts_with = "seconds")]
    smoke: bool,
    /// With `AddressSanitizer`: half as fast, and the build starts anew
    #[arg(long)]
    address: bool,
}

pub(crate) fn run(args: &FuzzArgs) -> Result<ExitCode> {
    let targets = chosen(args.target.as_deref())?;
    if args.list {
        for target in &targets {
            report::name(target);
        }
        return Ok(ExitCode::SUCCESS);
    }
    setup::ensure(Purpose::Build)?;
    ensure_cargo_fuzz()?;
    let engine = Engine { compiler: Compiler::choose(args.address) };
    engine.build(args.target.as_deref())?;
    let seconds = if args.smoke { SECONDS_SMOKE } else { args.seconds };
    let rows = targets.iter().map(|target| engine.fuzz(target, seconds));
    let rows = rows.collect::<Result<Vec<_>>>()?;
    Ok(report::table(&rows))
}

fn package() -> PathBuf {
    workspace::root().join("claw-dataplane/fuzz")
}

/// The targets as the package names them.
fn targets() -> Result<Vec<String>> {
    let path = package().join("Cargo.toml");
    let text = fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}: restore it", path.display()))?;
    let manifest: Table = text.parse().context("the fuzz package's manifest is no TOML")?;
    let bins = manifest.get("bin").and_then(toml::Value::as_array);
    let names = bins.into_iter().flatten().filter_map(|bin| bin.get("name")?.as_str());
    Ok(names.map(str::to_owned).collect())
}

fn chosen(wanted: Option<&str>) -> Result<Vec<String>> {
    let targets = targets()?;
    match wanted {
        None => Ok(targets),
        Some(name) if targets.iter().any(|target| target == name) => Ok(vec![name.to_owned()]),
        Some(name) => bail!("there is no target {name}: one of {}", targets.join(", ")),
    }
}

/// Cargo's own installer, since no distribution packages it.
fn ensure_cargo_fuzz() -> Result<()> {
    if machine::has_program("cargo-fuzz") {
        return Ok(());
    }
    talk(format_args!("missing: cargo-fuzz (builds and starts the targets); installing it"));
    Task::cargo("check that this machine reaches a registry of crates")
        .args(["install", "--locked", "cargo-fuzz"])
        .run()
}

/// What builds the targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compiler {
    /// The pinned one, without a sanitizer.
    Pinned,
    /// A nightly one with `AddressSanitizer`.
    Nightly,
    /// The pinned one, told to act like a nightly one, with `AddressSanitizer`.
    PinnedAsNightly,
}

impl Compiler {
    fn choose(address: bool) -> Self {
        let nightly = || Task::new("rustup", "").args(["run", "nightly", "rustc", "-V"]).probe();
        match address {
            false => Self::Pinned,
            true if nightly() => Self::Nightly,
            true => Self::PinnedAsNightly,
        }
    }

    /// `cargo fuzz`, so far.
    fn cargo(self, remedy: &str) -> Task {
        match self {
            Self::Pinned => Task::cargo(remedy),
            Self::Nightly => Task::cargo_nightly(remedy),
            Self::PinnedAsNightly => Task::cargo(remedy).env("RUSTC_BOOTSTRAP", "1"),
        }
    }

    const fn sanitizer(self) -> &'static str {
        match self {
            Self::Pinned => "none",
            Self::Nightly | Self::PinnedAsNightly => "address",
        }
    }
}

struct Engine {
    compiler: Compiler,
}

impl Engine {
    /// `cargo fuzz VERB` on our package. Each sanitizer has a build folder of its own.
    fn cargo_fuzz(&self, verb: &str, remedy: &str) -> Task {
        let sanitizer = self.compiler.sanitizer();
        let build = workspace::target().join("fuzz").join(sanitizer);
        self.compiler
            .cargo(remedy)
            .args(["fuzz", verb, "--fuzz-dir"])
            .args([package()])
            .args(["--sanitizer", sanitizer, "--target-dir"])
            .args([build])
    }

    fn build(&self, target: Option<&str>) -> Result<()> {
        self.cargo_fuzz("build", "fix what the compiler says above").args(target).run()
    }

    /// Runs a target; what it finds is no error, it is counted.
    fn fuzz(&self, target: &str, seconds: u32) -> Result<Row> {
        let learned = workspace::target().join("fuzz/corpus").join(target);
        fs::create_dir_all(&learned)
            .with_context(|| format!("cannot create {}", learned.display()))?;
        let folders = ["corpus", "regressions"].map(|kind| package().join(kind).join(target));
        let kept = folders.into_iter().filter(|folder| folder.is_dir());
        let task = self
            .cargo_fuzz("run", "look at what it says above")
            .args([target])
            .args([learned])
            .args(kept)
            .args(["--".to_owned()])
            .args(options(target, seconds));
        let mut progress = Progress::default();
        let (begun, mut told) = (Instant::now(), Instant::now());
        let status = task.lines(|line| {
            if progress.read_line(line) {
                talk(format_args!("{line}"));
            }
            if told.elapsed() >= PROGRESS_EVERY {
                told = Instant::now();
                report::progress(target, begun.elapsed(), seconds, &progress);
            }
        })?;
        if let Some(artifact) = &progress.artifact {
            let again = self.cargo_fuzz("run", "").args([target]).args([Path::new(artifact)]);
            talk(format_args!("{target} found {artifact}\nreproduce: {again}"));
        } else if !status.success() {
            bail!("the target {target} ended ({status}) and left no input: see above");
        }
        Ok(Row { target: target.to_owned(), seconds: begun.elapsed(), progress })
    }
}

/// What libFuzzer is told.
fn options(target: &str, seconds: u32) -> Vec<String> {
    let mut options = vec![
        format!("-max_total_time={seconds}"),
        format!("-rss_limit_mb={MEMORY_MB_MAX}"),
        format!("-timeout={INPUT_SECONDS_MAX}"),
        format!("-max_len={INPUT_BYTES_MAX}"),
        "-print_final_stats=1".to_owned(),
    ];
    let words = package().join("dictionaries").join(format!("{target}.dict"));
    if words.is_file() {
        options.push(format!("-dict={}", words.display()));
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_is_chosen_by_its_name_and_another_name_lists_all() {
        let all = targets().unwrap();
        assert!(all.iter().any(|target| target == "http"));
        assert_eq!(chosen(Some("http")).unwrap(), ["http"]);
        assert_eq!(chosen(None).unwrap(), all);
        let error = chosen(Some("https")).unwrap_err().to_string();
        assert!(error.contains("one of") && error.contains("http"), "{error}");
    }

    #[test]
    fn every_sanitizer_has_a_build_of_its_own() {
        for (compiler, folder) in [(Compiler::Pinned, "none"), (Compiler::Nightly, "address")] {
            let task = Engine { compiler }.cargo_fuzz("run", "").to_string();
            assert!(task.contains(&format!("--sanitizer {folder}")), "{task}");
            assert!(task.contains(&format!("fuzz/{folder}")), "{task}");
        }
    }

    #[test]
    fn dictionary_is_used_where_there_is_one() {
        let uses = |target| options(target, 1).iter().any(|option| option.starts_with("-dict="));
        assert!(uses("http"));
        assert!(!uses("snapshot"));
    }
}
