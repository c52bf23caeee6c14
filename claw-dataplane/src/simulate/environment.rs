//! Where a number was measured: without this a number means nothing.
//!
//! Owns the reading of processor, kernel, governor, memory and commit. What cannot be read is said
//! as such, never guessed.

use std::path::Path;
use std::process::Command;

use serde::Serialize;

/// Facts about the machine and the build.
#[derive(Clone, Debug, Serialize)]
pub struct Environment {
    /// Model of the processor.
    pub cpu: String,
    /// Processors that are online.
    pub cpus_online: usize,
    /// Processors that this process may use.
    pub cpus_allowed: usize,
    /// Release of the kernel.
    pub kernel: String,
    /// Frequency governor of the first processor.
    pub governor: String,
    /// Memory, bytes.
    pub memory_bytes: u64,
    /// Whether the processor runs under a hypervisor.
    pub virtual_machine: bool,
    /// Version of the command.
    pub version: String,
    /// Commit of the working directory, when it is a checkout.
    pub commit: String,
    /// Whether the build is optimised.
    pub build: &'static str,
}

impl Environment {
    /// Reads them.
    pub fn read() -> Self {
        let cpu_info = read_text("/proc/cpuinfo");
        let field = |name: &str| {
            cpu_info
                .lines()
                .find(|line| line.starts_with(name))
                .and_then(|line| line.split_once(':'))
                .map_or_else(unknown, |(_, value)| value.trim().to_owned())
        };
        let flags = field("flags");
        Self {
            cpu: field("model name"),
            cpus_online: cpu_info.lines().filter(|line| line.starts_with("processor")).count(),
            cpus_allowed: super::client::system::affinity().map_or(0, |cpus| cpus.len()),
            kernel: or_unknown(&read_text("/proc/sys/kernel/osrelease")),
            governor: or_unknown(&read_text(
                "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
            )),
            memory_bytes: memory_bytes(&read_text("/proc/meminfo")),
            virtual_machine: flags.split(' ').any(|flag| flag == "hypervisor"),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: commit(Path::new(".")),
            build: if cfg!(debug_assertions) { "debug" } else { "release" },
        }
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn read_text(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn or_unknown(text: &str) -> String {
    if text.trim().is_empty() { unknown() } else { text.trim().to_owned() }
}

fn memory_bytes(text: &str) -> u64 {
    let line = text.lines().find(|line| line.starts_with("MemTotal:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.and_then(|kib| kib.parse::<u64>().ok()).map_or(0, |kib| kib * 1024)
}

fn commit(folder: &Path) -> String {
    let arguments = ["describe", "--always", "--dirty", "--abbrev=12"];
    let output = Command::new("git").args(arguments).current_dir(folder).output();
    match output {
        Ok(output) if output.status.success() => {
            or_unknown(&String::from_utf8_lossy(&output.stdout))
        }
        _ => unknown(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_described() {
        let found = Environment::read();
        assert!(found.cpus_online > 0);
        assert!(found.cpus_allowed > 0);
        assert!(found.memory_bytes > 1 << 20);
        assert_ne!(found.kernel, "unknown");
    }
}
