//! Other machines, as their files under `/proc` and `/sys` show them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::TempDir;

use super::clock::{ClockState, synchronisation};
use super::{Check, Host, Verdict, clock, device, kernel, keys, memory, processor};
use crate::config::{Config, Overrides};

const FEDORA: (&str, &str) = ("etc/os-release", "ID=fedora\n");
const DEBIAN: (&str, &str) = ("etc/os-release", "ID=debian\n");
const RHEL: (&str, &str) = ("etc/os-release", "ID=\"rhel\"\nID_LIKE=\"fedora\"\n");

fn machine(files: &[(&str, &str)]) -> (TempDir, Host) {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let host = Host::at(root.path());
    (root, host)
}

fn config(profile: &str, memory: &str) -> Config {
    let text = format!(
        "[store]\nname = \"shop\"\nid = \"018bcfe5-6800-7a00-8000-000000000000\"\nprofile = \
         \"{profile}\"\n[node]\nmemory = \"{memory}\"\n"
    );
    Config::parse(Path::new("shop"), &text, &Overrides::default()).unwrap()
}

fn find(checks: &[Check], name: &str) -> Check {
    let found = checks.iter().find(|check| check.name == name);
    found.unwrap_or_else(|| panic!("no line {name} in {checks:?}")).clone()
}

#[test]
fn old_kernel_and_forbidden_rings_are_told_with_what_to_type() {
    let (_root, host) = machine(&[
        ("proc/sys/kernel/osrelease", "5.14.0-570.el9.x86_64\n"),
        ("proc/sys/kernel/io_uring_disabled", "2\n"),
        RHEL,
    ]);
    let checks = kernel::checks(&host, None);
    assert_eq!(find(&checks, "kernel").verdict, Verdict::Warn);
    let permission = find(&checks, "io_uring-permission");
    assert_eq!(permission.verdict, Verdict::Fail);
    assert!(permission.advice.contains("sysctl kernel.io_uring_disabled=0"), "{permission:?}");

    let (_root, host) = machine(&[
        ("proc/sys/kernel/osrelease", "6.19.3-200.fc44.x86_64\n"),
        ("proc/sys/kernel/io_uring_disabled", "0\n"),
    ]);
    let checks = kernel::checks(&host, None);
    assert_eq!(find(&checks, "kernel").verdict, Verdict::Ok);
    assert_eq!(find(&checks, "io_uring-permission").verdict, Verdict::Ok);
    // The ring is this machine's, whatever the files say: tests run where it works.
    assert_eq!(find(&checks, "io_uring").verdict, Verdict::Ok);
}

#[test]
fn warm_cache_is_gated_in_production_only() {
    let gib = |free: u64| format!("MemTotal: 1 kB\nMemAvailable: {} kB\n", free << 20);
    let rows = [
        (16, "production", "8GiB", Verdict::Ok),
        (16, "production", "512MiB", Verdict::Fail),
        (4, "production", "8GiB", Verdict::Fail),
        (4, "development", "512MiB", Verdict::Ok),
        (0, "development", "512MiB", Verdict::Fail),
    ];
    for (free, profile, wanted, verdict) in rows {
        let (_root, host) = machine(&[("proc/meminfo", &gib(free))]);
        let checks = memory::checks(&host, Some(&config(profile, wanted)));
        let memory = find(&checks, "memory");
        assert_eq!(memory.verdict, verdict, "{free} GiB, {profile}, {wanted}: {memory:?}");
        assert_eq!(memory.advice.is_empty(), verdict == Verdict::Ok);
    }
    let (_root, host) = machine(&[("proc/meminfo", &gib(4))]);
    let memory = find(&memory::checks(&host, Some(&config("development", "512MiB"))), "memory");
    assert!(memory.found.contains("enough for development; production wants 8 GiB"), "{memory:?}");
}

#[test]
fn huge_pages_are_reserved_or_transparent_or_missed() {
    let mode = "sys/kernel/mm/transparent_hugepage/enabled";
    let rows = [
        ("HugePages_Free: 512\n", "always madvise [never]\n", Verdict::Ok),
        ("HugePages_Free: 0\n", "always [madvise] never\n", Verdict::Ok),
        ("HugePages_Free: 0\n", "always madvise [never]\n", Verdict::Warn),
    ];
    for (meminfo, enabled, verdict) in rows {
        let (_root, host) = machine(&[("proc/meminfo", meminfo), (mode, enabled)]);
        assert_eq!(find(&memory::checks(&host, None), "huge-pages").verdict, verdict, "{enabled}");
    }
}

#[test]
fn power_saving_governors_are_told_in_each_distributions_words() {
    let governors: Vec<String> = (0..256)
        .map(|cpu| format!("sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor"))
        .collect();
    for (release, words) in [(FEDORA, "dnf install kernel-tools"), (DEBIAN, "linux-cpupower")] {
        let mut files: Vec<(&str, &str)> =
            governors.iter().map(|path| (path.as_str(), "powersave\n")).collect();
        files.push(release);
        let (_root, host) = machine(&files);
        let governor = find(&processor::checks(&host, None), "cpu-governor");
        assert_eq!(governor.verdict, Verdict::Warn);
        assert!(governor.advice.contains(words), "{governor:?}");
    }
    let (_root, host) = machine(&[]);
    assert_eq!(find(&processor::checks(&host, None), "cpu-governor").verdict, Verdict::Ok);
}

#[test]
fn shared_cores_are_a_complaint_in_production_only() {
    let (_root, host) = machine(&[FEDORA]);
    let isolation = |profile| {
        let config = config(profile, "512MiB");
        find(&processor::checks(&host, Some(&config)), "cpu-isolation")
    };
    assert_eq!(isolation("development").verdict, Verdict::Ok);
    let production = isolation("production");
    assert_eq!(production.verdict, Verdict::Warn);
    assert!(production.advice.starts_with("grubby --update-kernel=ALL"), "{production:?}");
    let (_root, host) = machine(&[("sys/devices/system/cpu/isolated", "0-1023\n")]);
    let config = config("production", "512MiB");
    let isolation = find(&processor::checks(&host, Some(&config)), "cpu-isolation");
    assert_eq!(isolation.verdict, Verdict::Ok);
}

#[test]
fn slow_clock_sources_and_clocks_that_nobody_sets_are_told() {
    let path = "sys/devices/system/clocksource/clocksource0/current_clocksource";
    for (source, verdict) in [("tsc\n", Verdict::Ok), ("hpet\n", Verdict::Warn)] {
        let (_root, host) = machine(&[(path, source)]);
        assert_eq!(find(&clock::checks(&host), "clock-source").verdict, verdict, "{source}");
    }
    let (_root, host) = machine(&[DEBIAN]);
    let state = |synchronised, error_us_max, drift_ppm| {
        Some(ClockState { synchronised, error_us_max, drift_ppm })
    };
    let rows = [
        (state(true, 20_000, 12), Verdict::Ok),
        (state(false, 16_000_000, 0), Verdict::Warn),
        (state(true, 900_000, 0), Verdict::Warn),
        (state(true, 1_000, -450), Verdict::Warn),
        (None, Verdict::Warn),
    ];
    for (state, verdict) in rows {
        let check = synchronisation(&host, state.as_ref());
        assert_eq!(check.verdict, verdict, "{check:?}");
    }
    assert!(synchronisation(&host, state(false, 0, 0).as_ref()).advice.contains("apt-get"));
}

#[test]
fn filesystems_are_found_by_the_longest_mount() {
    let folder = tempfile::tempdir().unwrap();
    let folder = fs::canonicalize(folder.path()).unwrap();
    let mounts = |kind: &str| {
        format!(
            "21 1 8:1 / / rw shared:1 - xfs /dev/sda1 rw\n22 21 0:5 / {} rw - {kind} none rw\n",
            folder.display()
        )
    };
    let (_root, host) = machine(&[("proc/self/mountinfo", &mounts("tmpfs"))]);
    let found = device::mount_of(&host, &folder).unwrap();
    assert_eq!(found.0, "tmpfs");
    let store = folder.join("store");
    fs::create_dir_all(store.join("data")).unwrap();
    let checks = device::checks(&host, &store, None);
    assert_eq!(find(&checks, "filesystem").verdict, Verdict::Fail);
    let (_root, host) = machine(&[("proc/self/mountinfo", &mounts("ext4"))]);
    let checks = device::checks(&host, &store, None);
    assert_eq!(find(&checks, "filesystem").verdict, Verdict::Ok);
    assert_eq!(fs::read_dir(store.join("data")).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn keys_beside_a_production_node_and_keys_that_others_can_read_are_found() {
    let store = tempfile::tempdir().unwrap();
    let folder = store.path().join("keys");
    fs::create_dir(&folder).unwrap();
    let pem = "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n";
    let write = |name: &str, text: &str, mode: u32| {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    write("node.pem", pem, 0o600);
    write("partner.pem", "-----BEGIN PUBLIC KEY-----\n", 0o644);
    write("front.secret", "AAAA", 0o600);
    let checks = |profile| keys::checks(store.path(), Some(&config(profile, "512MiB")));
    assert!(checks("production").iter().all(|check| check.verdict == Verdict::Ok));

    write("source.pem", pem, 0o600);
    assert_eq!(find(&checks("development"), "private-keys").verdict, Verdict::Ok);
    let private = find(&checks("production"), "private-keys");
    assert_eq!(private.verdict, Verdict::Warn);
    assert!(private.found.starts_with("source.pem in keys/"), "{private:?}");

    write("front.secret", "AAAA", 0o640);
    let readable = find(&checks("production"), "key-files");
    assert_eq!(readable.verdict, Verdict::Fail);
    assert_eq!(readable.advice, "chmod 600 front.secret in keys/");
}
