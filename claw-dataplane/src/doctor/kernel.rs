//! The kernel: its version, whether `io_uring` may be used and can do what we ask, and the limits
//! of this process.

use io_uring::{Probe, opcode};

use super::{Check, Host};
use crate::buffer::{Arena, ArenaShape, ReceiveShape};
use crate::config::Config;
use crate::ring::{CoreRing, RingShape};

/// First kernel whose rings have deferred task work (`IORING_SETUP_DEFER_TASKRUN`,
/// `io_uring_setup(2)`).
const KERNEL_MIN: (u32, u32) = (6, 1);
/// Files a node has open beside its connections: log, rings, archive, libraries.
const FILES_BESIDE_CONNECTIONS: u64 = 512;
/// When the store does not say.
const CONNECTIONS_DEFAULT: u64 = 16 * 1024;

pub(super) fn checks(host: &Host, config: Option<&Config>) -> Vec<Check> {
    vec![version(host), permission(host), ring(host), files(config)]
}

fn version(host: &Host) -> Check {
    let Some(release) = host.line("/proc/sys/kernel/osrelease") else {
        return Check::warn("kernel", "its version cannot be read", "mount /proc");
    };
    let mut numbers = release.split(['.', '-', '+']).map_while(|part| part.parse::<u32>().ok());
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let (major, minor) = KERNEL_MIN;
    if version >= KERNEL_MIN {
        Check::ok("kernel", format!("Linux {release}"))
    } else {
        let advice = format!(
            "run {major}.{minor} or newer; a distribution's older kernel may carry what is needed: \
             the line io_uring says so"
        );
        Check::warn("kernel", format!("Linux {release}"), advice)
    }
}

fn permission(host: &Host) -> Check {
    let name = "io_uring-permission";
    let enable = || Host::sysctl("kernel.io_uring_disabled", "0");
    match host.line("/proc/sys/kernel/io_uring_disabled").as_deref() {
        // Kernels before 6.6 have no such switch.
        None => Check::ok(name, "no switch in this kernel: allowed"),
        Some("0") => Check::ok(name, "allowed for everybody"),
        Some("1") => {
            let group = host.line("/proc/sys/kernel/io_uring_group").unwrap_or_default();
            let found = format!("allowed with CAP_SYS_ADMIN or in group {group}");
            let advice = format!(
                "put the node's user into a group of its own: {}; or for everybody: {}",
                Host::sysctl("kernel.io_uring_group", "GID"),
                enable()
            );
            Check::warn(name, found, advice)
        }
        Some(_) => Check::fail(name, "forbidden to everybody (io_uring_disabled = 2)", enable()),
    }
}

/// Makes a ring as a core does, and pins an arena as large as a core's.
fn ring(host: &Host) -> Check {
    let name = "io_uring";
    let receive = ReceiveShape { buffers_count: 8, buffer_bytes: 4096, resume_count: 4 };
    let shape = RingShape { core: 0, entries_count: 64, connections_max: 4, receive };
    let memlock = limit(libc::RLIMIT_MEMLOCK);
    let advice = || {
        format!(
            "allow io_uring and pinned memory (LimitMEMLOCK=infinity in the unit, or ulimit -l \
             unlimited; in a container also seccomp, see its log); {}",
            host.install("kernel", "linux-image-amd64")
        )
    };
    let mut ring = match CoreRing::new(shape) {
        Ok(ring) => ring,
        Err(error) => return Check::fail(name, format!("no ring: {error}"), advice()),
    };
    let pinned = Arena::map(ArenaShape::default())
        .map_err(|error| error.to_string())
        .and_then(|(arena, _)| ring.register_arena(&arena).map_err(|error| error.to_string()));
    if let Err(error) = pinned {
        let found = format!("memlock limit {}: {error}", bytes(memlock));
        return Check::fail(name, found, advice());
    }
    match missing_operations() {
        Some(missing) if !missing.is_empty() => {
            Check::fail(name, format!("without {}", missing.join(", ")), advice())
        }
        _ => Check::ok(
            name,
            format!("deferred task work, buffer rings, pinned arena; memlock {}", bytes(memlock)),
        ),
    }
}

/// Operations that the data path uses and this kernel has not; `None` when it does not tell.
fn missing_operations() -> Option<Vec<&'static str>> {
    let ring = io_uring::IoUring::new(4).ok()?;
    let mut probe = Probe::new();
    ring.submitter().register_probe(&mut probe).ok()?;
    let wanted = [
        ("accept", opcode::AcceptMulti::CODE),
        ("receive", opcode::RecvMulti::CODE),
        ("send", opcode::Send::CODE),
        ("write-fixed", opcode::WriteFixed::CODE),
        ("fsync", opcode::Fsync::CODE),
        ("msg-ring", opcode::MsgRingData::CODE),
        ("cancel", opcode::AsyncCancel::CODE),
        ("timeout", opcode::Timeout::CODE),
    ];
    let missing = wanted.into_iter().filter(|(_, code)| !probe.is_supported(*code));
    Some(missing.map(|(name, _)| name).collect())
}

fn files(config: Option<&Config>) -> Check {
    let connections =
        config.map_or(CONNECTIONS_DEFAULT, |config| u64::from(config.limits.connections_max));
    let needed = connections + FILES_BESIDE_CONNECTIONS;
    let hard = limit(libc::RLIMIT_NOFILE);
    let found = format!("{hard} at most, {needed} wanted for {connections} connections");
    if hard >= needed {
        return Check::ok("open-files", found);
    }
    let advice = format!(
        "raise it (LimitNOFILE={needed} in the unit, or `* hard nofile {needed}` in \
         /etc/security/limits.d/openclaw.conf), or lower connections_max"
    );
    Check::fail("open-files", found, advice)
}

/// The hard limit; the largest number where there is none.
fn limit(resource: libc::__rlimit_resource_t) -> u64 {
    let mut limits = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: writes to the structure it is given.
    let read = unsafe { libc::getrlimit(resource, &raw mut limits) };
    if read == 0 { limits.rlim_max } else { 0 }
}

fn bytes(limit: u64) -> String {
    if limit == libc::RLIM_INFINITY {
        "unlimited".to_owned()
    } else {
        format!("{} KiB", limit >> 10)
    }
}
