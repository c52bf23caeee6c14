//! What the machine has: programs, a package manager, the power to install, limits.
//!
//! Only looks, except for [`Manager::install`]. Deliberately knows no package source: the
//! machine's own configuration decides where packages come from.

use std::env;
use std::fs;
use std::path::Path;

use anyhow::{Result, bail};

use crate::process::{Task, talk};

/// Is there a program of this name on the path?
pub(crate) fn has_program(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|dir| dir.join(name).is_file())
}

/// The package managers we can drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manager {
    Apt,
    Dnf,
}

impl Manager {
    pub(crate) fn find() -> Option<Self> {
        if has_program("dnf") {
            Some(Self::Dnf)
        } else if has_program("apt-get") {
            Some(Self::Apt)
        } else {
            None
        }
    }

    /// The command a person with the power would type.
    pub(crate) fn command(self, packages: &[&str]) -> Vec<String> {
        let start: &[&str] = match self {
            Self::Apt => &["apt-get", "install", "--yes", "--no-install-recommends"],
            Self::Dnf => &["dnf", "install", "--assumeyes"],
        };
        start.iter().chain(packages).map(|&word| word.to_owned()).collect()
    }

    /// Install, or say which command has to be run by someone who may.
    pub(crate) fn install(self, packages: &[&str]) -> Result<()> {
        let command = self.command(packages);
        let Some(power) = power() else {
            bail!("run this as root, then try again: {}", command.join(" "));
        };
        if self == Self::Apt && apt_lists_are_empty(Path::new("/var/lib/apt/lists")) {
            privileged(power, &["apt-get".to_owned(), "update".to_owned()])?;
        }
        privileged(power, &command)
    }
}

/// How we may act as root.
#[derive(Clone, Copy, Debug)]
enum Power {
    Root,
    Sudo,
}

fn power() -> Option<Power> {
    if effective_user_id() == Some(0) {
        Some(Power::Root)
    } else if has_program("sudo") {
        Some(Power::Sudo)
    } else {
        None
    }
}

fn effective_user_id() -> Option<u32> {
    user_id(&fs::read_to_string("/proc/self/status").ok()?)
}

/// `Uid:` lists the real, effective, saved and file-system ids.
fn user_id(status: &str) -> Option<u32> {
    let ids = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    ids.split_whitespace().nth(1)?.parse().ok()
}

fn privileged(power: Power, command: &[String]) -> Result<()> {
    let remedy = format!("run it by hand and see what it says: {}", command.join(" "));
    let task = match power {
        Power::Root => Task::new("env", &remedy),
        Power::Sudo => Task::new("sudo", &remedy).args(["env"]),
    };
    task.args(["DEBIAN_FRONTEND=noninteractive"]).args(command).run()
}

/// A fresh container has no lists at all; a lived-in machine keeps its own, however old.
fn apt_lists_are_empty(lists: &Path) -> bool {
    let Ok(entries) = fs::read_dir(lists) else { return true };
    !entries
        .filter_map(Result::ok)
        .any(|entry| entry.file_name().to_string_lossy().contains("_Packages"))
}

/// How many files a child of ours may open at most; `None` where the system does not say.
pub(crate) fn descriptors_count_max() -> Option<u64> {
    descriptors_hard(&fs::read_to_string("/proc/self/limits").ok()?)
}

/// `Max open files   SOFT   HARD   files`.
fn descriptors_hard(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().nth(1)? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

/// Name the missing powers that no package can bring, and what works without them.
pub(crate) fn name_missing_powers() {
    let disabled = fs::read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default();
    let root = effective_user_id() == Some(0);
    if disabled.trim() == "2" || (disabled.trim() == "1" && !root) {
        talk(format_args!(
            "missing power: io_uring is switched off on this machine, and a node needs it. \
             As root: sysctl kernel.io_uring_disabled=0"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hard_limit_of_open_files_is_the_second_number() {
        let limits = "Max processes  1  2  processes\nMax open files            1024    \
                      524288               files\n";
        assert_eq!(descriptors_hard(limits), Some(524_288));
        assert_eq!(descriptors_hard("Max open files 1024 unlimited files"), Some(u64::MAX));
        assert_eq!(descriptors_hard("nothing here"), None);
    }

    #[test]
    fn effective_user_is_the_second_id() {
        assert_eq!(user_id("Name:\tx\nUid:\t1000\t0\t1000\t1000\n"), Some(0));
        assert_eq!(user_id("Name:\tx\n"), None);
    }

    #[test]
    fn lists_without_an_index_are_empty() {
        let dir = tempfile::tempdir().unwrap();
        assert!(apt_lists_are_empty(&dir.path().join("absent")));
        fs::write(dir.path().join("lock"), "").unwrap();
        assert!(apt_lists_are_empty(dir.path()));
        fs::write(dir.path().join("mirror_dists_stable_main_Packages.lz4"), "").unwrap();
        assert!(!apt_lists_are_empty(dir.path()));
    }

    #[test]
    fn install_command_never_asks() {
        assert_eq!(Manager::Dnf.command(&["gcc"]), ["dnf", "install", "--assumeyes", "gcc"]);
        assert!(Manager::Apt.command(&["gcc"]).contains(&"--yes".to_owned()));
    }

    #[test]
    fn programs_are_found_on_the_path_only() {
        assert!(has_program("sh"));
        assert!(!has_program("no-such-program"));
    }
}
