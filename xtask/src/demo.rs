//! `cargo xtask demo`: from nothing to a sold-out drop and a clean audit, with the real programs.
//!
//! Prints each command before it runs it, so that a person can go on by hand. Runs no shortcut of
//! its own: the store, the node, the shoppers and the audit are what `claw` gives everyone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::machine;
use crate::process::talk;
use crate::programs;
use crate::setup::{self, Purpose};
use crate::workspace;

/// Descriptors a process needs beside one per shopper: its files, rings and standard streams.
const DESCRIPTORS_SPARE: u64 = 512;
/// More open files than this help nobody, and some kernels refuse more.
const DESCRIPTORS_MAX: u64 = 1 << 20;

/// Set up, build, start a node, sell out a drop and show the audit.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  cargo xtask demo
  cargo xtask demo --store /srv/drop --users 2000 --duration 10s")]
pub(crate) struct DemoArgs {
    /// Make the store here and keep it [default: a temporary one, removed when all went well]
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Shoppers at once
    #[arg(long, default_value_t = 10_000)]
    users: u64,
    /// How long they shop
    #[arg(long, default_value = "20s")]
    duration: String,
}

pub(crate) fn run(args: &DemoArgs) -> Result<ExitCode> {
    setup::ensure(Purpose::Build)?;
    programs::build_release(&["claw"])?;
    let store = Place::choose(args.store.as_deref())?;
    let shoppers = Shoppers::fitting(args.users, machine::descriptors_count_max())?;

    programs::release("claw", "see what it says above; an existing store is never overwritten")
        .args(["init", &store.name, "--template=flash-drop"])
        .inside(&store.parent)
        .run()?;
    let simulated = programs::release("claw", "see the node's last lines above")
        .args(["simulate", "--store"])
        .args([store.path()])
        .args(["--scenario", "drop", "--users", &shoppers.users.to_string()])
        .args(["--duration", &args.duration])
        .descriptors(shoppers.descriptors_count)
        .status()?;
    let audited = programs::release("claw", "the log is kept: look with `claw log show`")
        .args(["audit", "--store"])
        .args([store.path()])
        .status()?;

    let code = if audited.success() { simulated.code() } else { audited.code() };
    let code = code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    store.leave(code == 0)?;
    Ok(ExitCode::from(code))
}

/// Where the store goes, and whether it stays.
#[derive(Debug)]
struct Place {
    parent: PathBuf,
    name: String,
    temporary: bool,
}

impl Place {
    fn choose(asked: Option<&Path>) -> Result<Self> {
        let Some(path) = asked else {
            // Beside the build and not in the system's temporary folder: that is often memory,
            // and nothing written to memory is durable.
            let parent = workspace::target().join("demo");
            fs::create_dir_all(&parent)
                .with_context(|| format!("cannot make {}: free some space", parent.display()))?;
            let name = format!("drop-{}", std::process::id());
            return Ok(Self { parent, name, temporary: true });
        };
        let path = std::path::absolute(path).context("cannot tell where --store is")?;
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            bail!("--store {} is no folder to make: give a new one", path.display());
        };
        fs::create_dir_all(parent)
            .with_context(|| format!("cannot make {}: give another --store", parent.display()))?;
        let name = name.to_str().context("--store must be plain text")?.to_owned();
        Ok(Self { parent: parent.to_path_buf(), name, temporary: false })
    }

    fn path(&self) -> PathBuf {
        self.parent.join(&self.name)
    }

    /// A store that tells of a failure is worth keeping.
    fn leave(&self, all_well: bool) -> Result<()> {
        let path = self.path();
        if self.temporary && all_well {
            fs::remove_dir_all(&path)
                .with_context(|| format!("cannot remove {}: remove it by hand", path.display()))
        } else {
            talk(format_args!("the store is kept: {}", path.display()));
            Ok(())
        }
    }
}

/// As many shoppers as the machine has descriptors for: each holds one socket in the simulator
/// and one in the node.
#[derive(Debug, PartialEq, Eq)]
struct Shoppers {
    users: u64,
    descriptors_count: u64,
}

impl Shoppers {
    fn fitting(asked: u64, descriptors_max: Option<u64>) -> Result<Self> {
        let descriptors_count = descriptors_max.unwrap_or(1024).min(DESCRIPTORS_MAX);
        let room = descriptors_count.saturating_sub(DESCRIPTORS_SPARE);
        if room == 0 {
            bail!(
                "a process may open only {descriptors_count} files here: raise the hard limit \
                 (ulimit -Hn) to {} and try again",
                asked + DESCRIPTORS_SPARE
            );
        }
        if room < asked {
            talk(format_args!(
                "this machine lets a process open {descriptors_count} files (ulimit -Hn): \
                 {room} shoppers instead of {asked}"
            ));
        }
        Ok(Self { users: asked.min(room), descriptors_count })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_descriptors_mean_fewer_shoppers() {
        let some = Shoppers::fitting(10_000, Some(4096)).unwrap();
        assert_eq!(some, Shoppers { users: 3584, descriptors_count: 4096 });
        let all = Shoppers::fitting(10_000, Some(20_000)).unwrap();
        assert_eq!(all, Shoppers { users: 10_000, descriptors_count: 20_000 });
    }

    #[test]
    fn unlimited_descriptors_are_still_bounded() {
        let all = Shoppers::fitting(10_000, Some(u64::MAX)).unwrap();
        assert_eq!(all.descriptors_count, DESCRIPTORS_MAX);
    }

    #[test]
    fn no_room_for_anyone_says_what_to_raise() {
        let error = Shoppers::fitting(10_000, Some(256)).unwrap_err().to_string();
        assert!(error.contains("ulimit -Hn"), "{error}");
    }

    #[test]
    fn asked_store_is_split_into_parent_and_name() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::choose(Some(&dir.path().join("shops/spring"))).unwrap();
        assert_eq!(place.name, "spring");
        assert_eq!(place.parent, dir.path().join("shops"));
        assert!(place.parent.is_dir());
        assert!(!place.temporary);
    }

    #[test]
    fn temporary_store_is_removed_only_when_all_is_well() {
        let dir = tempfile::tempdir().unwrap();
        let place =
            Place { parent: dir.path().to_path_buf(), name: "drop".into(), temporary: true };
        fs::create_dir(place.path()).unwrap();
        place.leave(false).unwrap();
        assert!(place.path().exists());
        place.leave(true).unwrap();
        assert!(!place.path().exists());
    }
}
