//! A filesystem with a volatile write cache, to lay a server's data on and cut the power.
//!
//! [`Volatile`] is mounted through FUSE and keeps everything in memory. What was written and not
//! flushed survives a power failure page by page, by the coin of a seed. It asks the kernel for no
//! write-back cache of its own, so that every write arrives here at once; mapped memory arrives
//! when the kernel writes it back. What is durable and when: [`contents`]; names: [`tree`].
//!
//! Deliberately not here: links, devices, extended attributes, locks over processes of two mounts
//! (the kernel's own serve). What lies in it is gone with the value.

mod contents;
mod filesystem;
mod medium;
#[cfg(test)]
mod tests;
mod tree;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use fuser::{BackgroundSession, Config, MountOption, Session, SessionACL};
use rand::Rng;
use rustix::mount::UnmountFlags;

use self::filesystem::Mounted;
use self::medium::Medium;

pub(crate) use self::contents::Toll;
pub(crate) use self::medium::Honesty;

/// Threads that serve the kernel: a flush must not hold up the writes beside it.
const THREADS_COUNT: usize = 8;
/// Longest wait for the kernel to let go of the mount.
const UNMOUNT_MAX: Duration = Duration::from_secs(10);
/// Between two tries.
const TRY_AGAIN: Duration = Duration::from_millis(10);

/// See the module.
#[derive(Debug)]
pub(crate) struct Volatile {
    medium: Arc<Medium>,
    path: PathBuf,
    session: Option<BackgroundSession>,
}

impl Volatile {
    /// Mounts an empty one over an empty folder. An error says what is missing for that.
    pub(crate) fn mount(path: &Path, honesty: Honesty) -> Result<Self> {
        let medium = Arc::new(Medium::new(honesty));
        let session = Some(mount(&medium, path)?);
        Ok(Self { medium, path: path.to_owned(), session })
    }

    /// Everything that was written is durable.
    pub(crate) fn settle(&self) {
        self.medium.settle();
    }

    /// Pulls the plug: from now on everything fails, and nothing is durable any more.
    pub(crate) fn pull_plug(&self) {
        self.medium.pull_plug();
    }

    /// With everybody gone who had it open: what is left of it, mounted again.
    pub(crate) fn lose_power(&mut self, coin: &mut impl Rng) -> Result<Toll> {
        self.unmount()?;
        let toll = self.medium.lose_power(coin);
        self.session = Some(mount(&self.medium, &self.path)?);
        Ok(toll)
    }

    fn unmount(&mut self) -> Result<()> {
        let Some(session) = self.session.take() else { return Ok(()) };
        let deadline = Instant::now() + UNMOUNT_MAX;
        // The kernel may still be closing files of a process that was killed.
        while let Err(error) = rustix::mount::unmount(&self.path, UnmountFlags::empty()) {
            if error != rustix::io::Errno::BUSY || Instant::now() >= deadline {
                return Err(error).with_context(|| format!("unmount {}", self.path.display()));
            }
            std::thread::sleep(TRY_AGAIN);
        }
        session.join().context("end the filesystem")
    }
}

impl Drop for Volatile {
    fn drop(&mut self) {
        if self.unmount().is_err() {
            // Somebody is still in there: at least the name goes. If not even that, nobody is left
            // to be told.
            rustix::mount::unmount(&self.path, UnmountFlags::DETACH).ok();
        }
    }
}

fn mount(medium: &Arc<Medium>, path: &Path) -> Result<BackgroundSession> {
    let mut config = Config::default();
    config.mount_options = vec![
        MountOption::FSName("claw-volatile".to_owned()),
        MountOption::DefaultPermissions,
        MountOption::NoAtime,
    ];
    // PostgreSQL runs as a user of its own.
    config.acl = SessionACL::All;
    config.n_threads = Some(THREADS_COUNT);
    Session::new(Mounted::over(Arc::clone(medium)), path, &config)
        .and_then(Session::spawn)
        .with_context(|| {
            format!("mount a FUSE filesystem at {} (needs root and /dev/fuse)", path.display())
        })
}
