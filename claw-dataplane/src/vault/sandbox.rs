//! What the vault gives up once it has what it needs: files outside its folder, and most of what
//! the kernel offers.
//!
//! Landlock takes every file but the vault's own folder and its log's (and, to resolve a gateway's
//! name, the resolver's files) away; a seccomp filter refuses the system calls by which a process
//! becomes another, looks into another or changes the system. Where the kernel has one or the other
//! not, it is said, and the vault runs without. A network namespace is the unit file's to give
//! (`PrivateNetwork`, `RestrictAddressFamilies`): a process that has to reach the gateway cannot
//! take its own network away.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use landlock::{
    ABI, Access as _, AccessFs, PathBeneath, PathFd, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetStatus,
};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, SeccompRule};

/// What names and trust are read from.
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

/// Enters the sandbox; what is not to be had is named.
pub fn enter(folders: &[&Path], has_children: bool) {
    match restrict_files(folders) {
        Ok(RulesetStatus::FullyEnforced) => log::info!("sandbox: files outside the vault are shut"),
        Ok(status) => log::warn!("sandbox: landlock is {status:?} on this kernel"),
        Err(error) => log::warn!("sandbox: no landlock: {error}"),
    }
    match restrict_calls() {
        Ok(()) => log::info!("sandbox: {} system calls are refused", REFUSED.len()),
        Err(error) => log::warn!("sandbox: no seccomp filter: {error}"),
    }
    if has_children {
        log::info!("sandbox: the local gateway was started before and runs outside");
    }
}

fn restrict_files(folders: &[&Path]) -> Result<RulesetStatus> {
    let abi = ABI::V3;
    let mut rules = Ruleset::default().handle_access(AccessFs::from_all(abi))?.create()?;
    for folder in folders {
        rules = rules.add_rule(PathBeneath::new(PathFd::new(folder)?, AccessFs::from_all(abi)))?;
    }
    for path in READ {
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

fn restrict_calls() -> Result<()> {
    let rules: BTreeMap<i64, Vec<SeccompRule>> =
        REFUSED.iter().map(|call| (*call, Vec::new())).collect();
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
