//! The device under the store: its filesystem, its write cache, and whether a flush is one.
//!
//! Writes a scratch file of its own into the data folder, measures, removes it. A flush that costs
//! nothing is either a protected cache or a lie, and no software can tell which: so the line says
//! what was measured and what to look at.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::{Check, Host};
use crate::buffer::{Arena, ArenaShape};
use crate::config::Config;
use crate::log::DeviceUrl;

const BLOCK_BYTES: usize = 4096;
/// Flushes measured; their median is told.
const FLUSHES_COUNT: usize = 100;
/// Flash without a protected cache takes longer than this to be durable.
const FLUSH_US_PLAUSIBLE_MIN: u64 = 20;
/// Filesystems that forget, or that keep their data elsewhere under other promises.
const NOT_DURABLE: [&str; 3] = ["tmpfs", "ramfs", "overlay"];

pub(super) fn checks(host: &Host, store: &Path, config: Option<&Config>) -> Vec<Check> {
    let folder = data_folder(store, config);
    if !folder.is_dir() {
        let found = format!("{} is not there yet", folder.display());
        return vec![Check::warn("log-device", found, "claw init makes it")];
    }
    let mut checks = vec![filesystem(host, &folder)];
    let cache = write_cache(host, &folder);
    checks.push(cache_check(cache.as_deref()));
    checks.push(flush(&folder, cache.as_deref()));
    checks
}

fn data_folder(store: &Path, config: Option<&Config>) -> PathBuf {
    let url = config.and_then(|config| config.log.devices.first()?.parse::<DeviceUrl>().ok());
    store.join(url.map_or_else(|| PathBuf::from("data"), |url| url.folder))
}

fn filesystem(host: &Host, folder: &Path) -> Check {
    let name = "filesystem";
    let Some((kind, mount)) = mount_of(host, folder) else {
        return Check::warn(name, "unknown: /proc/self/mountinfo does not tell", "mount /proc");
    };
    let found = format!("{kind} at {mount}");
    if NOT_DURABLE.contains(&kind.as_str()) {
        let advice = "put the log on a filesystem of a real device: xfs or ext4";
        return Check::fail(name, found, advice);
    }
    Check::ok(name, found)
}

/// Type and mount point of the filesystem that holds `folder` (`proc_pid_mountinfo(5)`).
pub(super) fn mount_of(host: &Host, folder: &Path) -> Option<(String, String)> {
    let folder = fs::canonicalize(folder).ok()?;
    let text = host.text("/proc/self/mountinfo")?;
    let mounts = text.lines().filter_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        Some((after.split(' ').next()?.to_owned(), before.split(' ').nth(4)?.to_owned()))
    });
    mounts.filter(|(_, mount)| folder.starts_with(mount)).max_by_key(|(_, mount)| mount.len())
}

/// `write back` or `write through`, as the block layer has it; `None` where it has no device.
fn write_cache(host: &Host, folder: &Path) -> Option<String> {
    let device = fs::metadata(folder).ok()?.dev();
    let (major, minor) = (libc::major(device), libc::minor(device));
    let block = host.root.join(format!("sys/dev/block/{major}:{minor}"));
    let block = fs::canonicalize(block).ok()?;
    // A partition's queue is its disk's.
    let queue = [block.join("queue"), block.parent()?.join("queue")];
    let queue = queue.into_iter().find(|queue| queue.is_dir())?;
    let cache = fs::read_to_string(queue.join("write_cache")).ok()?;
    Some(cache.trim().to_owned())
}

fn cache_check(cache: Option<&str>) -> Check {
    let name = "write-cache";
    match cache {
        None => {
            Check::warn(name, "no block device is behind it, or it is hidden", "see filesystem")
        }
        Some("write back") => Check::ok(
            name,
            "write back: every commit flushes it; a drive with power-loss protection is faster",
        ),
        Some(other) => Check::ok(name, format!("{other}: nothing volatile in between")),
    }
}

fn flush(folder: &Path, cache: Option<&str>) -> Check {
    let name = "flush";
    let advice =
        "measured on a scratch file in the data folder; see that it is writable and has room";
    let path = folder.join(format!("doctor-{}.unfinished", std::process::id()));
    let measured = measure(&path);
    // Nothing to remove is as good as removed.
    fs::remove_file(&path).ok();
    let (plain_us, durable_us) = match measured {
        Ok(measured) => measured,
        Err(error) => return Check::fail(name, error.to_string(), advice),
    };
    let found = format!(
        "a durable block of 4 KiB takes {durable_us} us (half of {FLUSHES_COUNT}), without the \
         flush {plain_us} us"
    );
    if cache == Some("write back") && durable_us < FLUSH_US_PLAUSIBLE_MIN {
        let advice = "quicker than flash: either its cache survives a power cut (ask its data \
                      sheet for power-loss protection) or something on the way ignores flushes (a \
                      hypervisor with cache=unsafe, a controller): test it by cutting the power";
        return Check::warn(name, found, advice);
    }
    Check::ok(name, found)
}

/// Medians in microseconds: past the page cache, then durable as well.
fn measure(path: &Path) -> io::Result<(u64, u64)> {
    let (_arena, mut slots) = Arena::map(ArenaShape { slots_count: 1, slot_bytes: BLOCK_BYTES })
        .map_err(io::Error::other)?;
    let mut slot = slots.pop().expect("one was asked for").fill();
    let block = slot.bytes_mut();
    let open = |flags| {
        OpenOptions::new().write(true).create(true).truncate(false).custom_flags(flags).open(path)
    };
    let plain = open(libc::O_DIRECT)?;
    for index in 0..FLUSHES_COUNT {
        plain.write_all_at(block, offset(index))?;
    }
    plain.sync_all()?;
    Ok((median_us(&plain, block)?, median_us(&open(libc::O_DIRECT | libc::O_DSYNC)?, block)?))
}

fn median_us(file: &File, block: &[u8]) -> io::Result<u64> {
    let mut samples = Vec::with_capacity(FLUSHES_COUNT);
    for index in 0..FLUSHES_COUNT {
        let start = Instant::now();
        file.write_all_at(block, offset(index))?;
        samples.push(u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    samples.sort_unstable();
    Ok(samples[FLUSHES_COUNT / 2])
}

fn offset(index: usize) -> u64 {
    u64::try_from(index * BLOCK_BYTES).expect("a few blocks")
}
