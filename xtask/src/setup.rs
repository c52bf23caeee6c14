//! `cargo xtask setup`: see what is missing, say what it is for, install only that.
//!
//! What is required stops the caller with the command to run; what is optional is named and
//! stepped around. Deliberately touches nothing that is already there: neither versions nor
//! configuration of the machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::machine::{self, Manager};
use crate::process::{Task, talk};
use crate::workspace;

/// Install what building and testing need, through dnf or apt, after saying what and why.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cargo xtask setup            what the demo and the tests need
  cargo xtask setup --bench    also what the comparisons of `bench` need (PostgreSQL, Redis)")]
pub(crate) struct SetupArgs {
    /// Also the programs that `bench` compares with
    #[arg(long)]
    bench: bool,
}

/// What the caller is about to do; each includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Purpose {
    Build,
    Test,
    Bench,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    Required,
    Optional,
}

struct Need {
    name: &'static str,
    why: &'static str,
    purpose: Purpose,
    weight: Weight,
    present: fn() -> bool,
    apt: &'static [&'static str],
    dnf: &'static [&'static str],
}

const NEEDS: &[Need] = &[
    Need {
        name: "a C compiler",
        why: "glommio builds its part of liburing with it, and Rust links with it",
        purpose: Purpose::Build,
        weight: Weight::Required,
        present: has_c_compiler,
        apt: &["gcc", "libc6-dev"],
        dnf: &["gcc", "glibc-devel"],
    },
    Need {
        name: "git",
        why: "glommio's build script calls it, whether or not there is anything to fetch",
        purpose: Purpose::Build,
        weight: Weight::Required,
        present: || machine::has_program("git"),
        apt: &["git"],
        dnf: &["git-core"],
    },
    Need {
        name: "curl",
        why: "the README shows it, and its commands are run as printed",
        purpose: Purpose::Test,
        weight: Weight::Required,
        present: || machine::has_program("curl"),
        apt: &["curl"],
        dnf: &["curl"],
    },
    Need {
        name: "OpenSSL",
        why: "an independent client looks at what the TLS listener accepts; without it those tests \
              are skipped and say so",
        purpose: Purpose::Test,
        weight: Weight::Optional,
        present: has_openssl,
        apt: &["openssl"],
        dnf: &["openssl"],
    },
    Need {
        name: "Python 3 with venv",
        why: "an independent implementation signs requests in the tests; without it that test is \
              skipped and says so",
        purpose: Purpose::Test,
        weight: Weight::Optional,
        present: has_python,
        apt: &["python3", "python3-venv"],
        dnf: &["python3", "python3-pip"],
    },
    Need {
        name: "Node.js with npm",
        why: "generated TypeScript is checked by its own compiler in the tests; without it that \
              test is skipped and says so",
        purpose: Purpose::Test,
        weight: Weight::Optional,
        present: has_node,
        apt: &["nodejs", "npm"],
        dnf: &["nodejs", "npm"],
    },
    Need {
        name: "libfaketime",
        why: "the tests set the system's clock forward and back under a node with it; without it \
              those are skipped and say so",
        purpose: Purpose::Test,
        weight: Weight::Optional,
        present: has_faketime,
        apt: &["faketime"],
        dnf: &["libfaketime"],
    },
    Need {
        name: "Chromium",
        why: "the demo shop is looked at in a real browser by the tests; without it those are \
              skipped and say so",
        purpose: Purpose::Test,
        weight: Weight::Optional,
        present: has_chromium,
        apt: &["chromium"],
        dnf: &["chromium"],
    },
    Need {
        name: "valgrind",
        why: "`bench --stages` counts instructions with it where the processor lends no counter; \
              without either that column is empty",
        purpose: Purpose::Bench,
        weight: Weight::Optional,
        present: || machine::has_program("valgrind"),
        apt: &["valgrind"],
        dnf: &["valgrind"],
    },
    Need {
        name: "PostgreSQL with pgbench",
        why: "`bench` runs the same sale on it, beside ours; without it that row is left out",
        purpose: Purpose::Bench,
        weight: Weight::Optional,
        present: has_postgres,
        apt: &["postgresql"],
        dnf: &["postgresql-server", "postgresql-contrib"],
    },
    Need {
        name: "Redis",
        why: "`bench` runs the same sale on it, beside ours; without it that row is left out",
        purpose: Purpose::Bench,
        weight: Weight::Optional,
        present: has_redis,
        apt: &["redis-server"],
        dnf: &["valkey"],
    },
    Need {
        name: "wrk",
        why: "an independent client measures our node too, and must agree; without it nobody does",
        purpose: Purpose::Bench,
        weight: Weight::Optional,
        present: || machine::has_program("wrk"),
        apt: &["wrk"],
        dnf: &["wrk"],
    },
];

pub(crate) fn run(args: &SetupArgs) -> Result<ExitCode> {
    let purpose = if args.bench { Purpose::Bench } else { Purpose::Test };
    ensure(purpose)?;
    talk(format_args!("set up for: {purpose:?}"));
    Ok(ExitCode::SUCCESS)
}

/// Bring the machine to where `purpose` works, or say what keeps it from there.
pub(crate) fn ensure(purpose: Purpose) -> Result<()> {
    machine::name_missing_powers();
    for need in NEEDS.iter().filter(|need| need.purpose <= purpose && !(need.present)()) {
        talk(format_args!("missing: {} ({})", need.name, need.why));
        let outcome = install(need);
        match (outcome, need.weight) {
            (Ok(()), _) => {}
            (Err(error), Weight::Optional) => {
                talk(format_args!("going on without {}: {error:#}", need.name));
            }
            (Err(error), Weight::Required) => {
                return Err(error.context(format!("{} is needed: {}", need.name, need.why)));
            }
        }
    }
    if purpose >= Purpose::Test
        && let Err(error) = ensure_python_packages(&workspace::root())
    {
        talk(format_args!("going on without the independent signer: {error:#}"));
    }
    if purpose >= Purpose::Test
        && let Err(error) = ensure_node_packages(&workspace::root())
    {
        talk(format_args!(
            "going on without the TypeScript compiler and the browser's driver: {error:#}"
        ));
    }
    Ok(())
}

fn install(need: &Need) -> Result<()> {
    let Some(manager) = Manager::find() else {
        bail!("neither dnf nor apt-get is here: install {} by hand", need.name);
    };
    manager.install(match manager {
        Manager::Apt => need.apt,
        Manager::Dnf => need.dnf,
    })?;
    if !(need.present)() {
        bail!("the package was installed, but {} is still not found: check PATH", need.name);
    }
    Ok(())
}

/// Rust links with `cc`, so that is the name that counts.
fn has_c_compiler() -> bool {
    machine::has_program("cc")
}

fn has_python() -> bool {
    Task::new("python3", "").args(["-c", "import venv, ensurepip"]).probe()
}

fn has_node() -> bool {
    machine::has_program("node") && machine::has_program("npm")
}

/// Whether there is a browser to look at pages with.
pub(crate) fn has_chromium() -> bool {
    ["chromium", "chromium-browser", "google-chrome"].into_iter().any(machine::has_program)
}

/// Whether clocks can be set under a node: the package has a command beside the library.
pub(crate) fn has_faketime() -> bool {
    machine::has_program("faketime")
}

/// Debian keeps the programs off the path, one folder per version.
fn has_postgres() -> bool {
    let on_path = machine::has_program("postgres") && machine::has_program("pgbench");
    on_path || Path::new("/usr/lib/postgresql").is_dir()
}

/// Fedora has what goes on under another name.
fn has_redis() -> bool {
    ["redis-server", "valkey-server"].into_iter().any(machine::has_program)
}

/// Whether the independent TLS client can run.
pub(crate) fn has_openssl() -> bool {
    machine::has_program("openssl")
}

/// Whether the independent signer can run.
pub(crate) fn has_python_packages() -> bool {
    python_packages_stamp(&workspace::root()).is_file()
}

fn python_packages_stamp(root: &Path) -> PathBuf {
    root.join(".venv/installed.txt")
}

/// A virtual environment of our own, filled from the pinned list and only when that has changed.
fn ensure_python_packages(root: &Path) -> Result<()> {
    let list = root.join("scripts/requirements.txt");
    let wanted = fs::read_to_string(&list)
        .with_context(|| format!("cannot read {}: restore it", list.display()))?;
    let venv = root.join(".venv");
    let stamp = python_packages_stamp(root);
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    if !has_python() {
        bail!("Python 3 with venv is not here");
    }
    talk(format_args!("installing the pinned Python packages of scripts/requirements.txt"));
    Task::new("python3", "remove .venv and try again").args(["-m", "venv"]).args([&venv]).run()?;
    Task::new(venv.join("bin/pip"), "check that this machine reaches a package index")
        .args(["install", "--quiet", "--disable-pip-version-check", "--requirement"])
        .args([&list])
        .run()?;
    fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
}

/// Whether the TypeScript compiler can run.
pub(crate) fn has_node_packages() -> bool {
    node_packages_stamp(&workspace::root()).is_file()
}

fn node_packages_stamp(root: &Path) -> PathBuf {
    root.join(".node/installed.json")
}

/// A folder of our own for Node's packages, filled from the lock file and only when that has
/// changed.
fn ensure_node_packages(root: &Path) -> Result<()> {
    let lists = root.join("scripts/node");
    let lock = lists.join("package-lock.json");
    let wanted = fs::read_to_string(&lock)
        .with_context(|| format!("cannot read {}: restore it", lock.display()))?;
    let stamp = node_packages_stamp(root);
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    if !has_node() {
        bail!("Node.js with npm is not here");
    }
    talk(format_args!("installing the pinned Node packages of scripts/node"));
    let folder = root.join(".node");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for name in ["package.json", "package-lock.json"] {
        fs::copy(lists.join(name), folder.join(name))
            .with_context(|| format!("cannot copy {name} of {}: restore it", lists.display()))?;
    }
    Task::new("npm", "check that this machine reaches a package index")
        .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"])
        .inside(&folder)
        .run()?;
    fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_need_can_be_installed_by_either_manager() {
        for need in NEEDS {
            assert!(!need.apt.is_empty(), "{}", need.name);
            assert!(!need.dnf.is_empty(), "{}", need.name);
        }
    }

    #[test]
    fn what_only_bench_compares_with_stops_nobody() {
        for need in NEEDS.iter().filter(|need| need.purpose == Purpose::Bench) {
            assert_eq!(need.weight, Weight::Optional, "{}", need.name);
        }
    }

    #[test]
    fn unchanged_list_installs_nothing() {
        let root = tempfile::tempdir().unwrap();
        for dir in ["scripts", ".venv"] {
            fs::create_dir(root.path().join(dir)).unwrap();
        }
        fs::write(root.path().join("scripts/requirements.txt"), "a==1\n").unwrap();
        fs::write(root.path().join(".venv/installed.txt"), "a==1\n").unwrap();
        ensure_python_packages(root.path()).unwrap();
        assert!(!root.path().join(".venv/bin").exists());
    }

    #[test]
    fn unchanged_lock_file_installs_nothing() {
        let root = tempfile::tempdir().unwrap();
        for dir in ["scripts/node", ".node"] {
            fs::create_dir_all(root.path().join(dir)).unwrap();
        }
        fs::write(root.path().join("scripts/node/package-lock.json"), "{}").unwrap();
        fs::write(root.path().join(".node/installed.json"), "{}").unwrap();
        ensure_node_packages(root.path()).unwrap();
        assert!(!root.path().join(".node/package.json").exists());
    }

    #[test]
    fn absent_list_is_named() {
        let root = tempfile::tempdir().unwrap();
        let error = ensure_python_packages(root.path()).unwrap_err().to_string();
        assert!(error.contains("requirements.txt"), "{error}");
    }
}
