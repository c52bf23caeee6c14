//! What the vault gives up once it has what it needs: the network, files outside its folders, and
//! most of what the kernel offers.
//!
//! It moves into a network namespace of its own, in which there is nothing: its broker, started
//! before, hands connections to the gateway in. Landlock takes every file but the vault's own
//! folder and its log's away; a seccomp filter refuses the system calls by which a process becomes
//! another, looks into another, connects or changes the system. What the kernel has not or does
//! not allow is named, and the vault runs without.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use landlock::{
    ABI, Access as _, AccessFs, PathBeneath, PathFd, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetStatus,
};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, SeccompRule};

/// What a broker reads names from.
const READ: [&str; 6] =
    ["/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/host.conf", "/usr", "/lib"];

/// Calls that nothing here needs, by what they would be good for.
const REFUSED: [libc::c_long; 22] = [
    // Becoming another program.
    libc::SYS_execve,
    libc::SYS_execveat,
    // Looking into other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_kcmp,
    // Changing the system.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_userfaultfd,
    libc::SYS_reboot,
];

/// Reaching anybody: for the vault, which listens by then and has a broker.
const REFUSED_NETWORK: [libc::c_long; 3] = [libc::SYS_connect, libc::SYS_bind, libc::SYS_listen];

/// Leaves every network for one without interfaces. Called before there are threads: they would
/// stay, and a user namespace, which whoever is not root needs for it, is refused to a process that
/// has any.
pub fn leave_network() {
    // SAFETY: the call takes flags and touches no memory.
    let left = unsafe { libc::unshare(libc::CLONE_NEWNET) } == 0
        // SAFETY: as above.
        || unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET) } == 0;
    if left {
        log::info!("sandbox: no network but what the broker hands in");
    } else {
        let error = std::io::Error::last_os_error();
        log::warn!("sandbox: no network namespace of its own: {error}");
    }
}

/// Enters the vault's sandbox; what is not to be had is named.
pub fn enter(folders: &[&Path], has_children: bool) {
    let refused: Vec<_> = REFUSED.into_iter().chain(REFUSED_NETWORK).collect();
    shut("sandbox", restrict_files(folders, &[]), &refused);
    if has_children {
        log::info!("sandbox: the local gateway was started before and runs outside");
    }
}

/// Enters the broker's, which may read what names are resolved with, and connect.
pub fn enter_broker() {
    shut("broker's sandbox", restrict_files(&[], &READ), &REFUSED);
}

fn shut(name: &str, files: Result<RulesetStatus>, refused: &[libc::c_long]) {
    match files {
        Ok(RulesetStatus::FullyEnforced) => log::info!("{name}: other files are shut"),
        Ok(status) => log::warn!("{name}: landlock is {status:?} on this kernel"),
        Err(error) => log::warn!("{name}: no landlock: {error}"),
    }
    match restrict_calls(refused) {
        Ok(()) => log::info!("{name}: {} system calls are refused", refused.len()),
        Err(error) => log::warn!("{name}: no seccomp filter: {error}"),
    }
}

fn restrict_files(folders: &[&Path], read: &[&str]) -> Result<RulesetStatus> {
    let abi = ABI::V3;
    let mut rules = Ruleset::default().handle_access(AccessFs::from_all(abi))?.create()?;
    for folder in folders {
        rules = rules.add_rule(PathBeneath::new(PathFd::new(folder)?, AccessFs::from_all(abi)))?;
    }
    for path in read {
        if let Ok(open) = PathFd::new(path) {
            let read = if Path::new(path).is_dir() {
                AccessFs::from_read(abi)
            } else {
                AccessFs::ReadFile.into()
            };
            rules = rules.add_rule(PathBeneath::new(open, read))?;
        }
    }
    Ok(rules.restrict_self()?.ruleset)
}

fn restrict_calls(refused: &[libc::c_long]) -> Result<()> {
    let rules: BTreeMap<i64, Vec<SeccompRule>> =
        refused.iter().map(|call| (*call, Vec::new())).collect();
    let refuse = SeccompAction::Errno(u32::try_from(libc::EPERM)?);
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        refuse,
        std::env::consts::ARCH.try_into()?,
    )?;
    let program: BpfProgram = filter.try_into()?;
    seccompiler::apply_filter_all_threads(&program)?;
    Ok(())
}
