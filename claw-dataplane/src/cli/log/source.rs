//! From a store's folder to its judged log, with progress where somebody watches.

use std::io::{IsTerminal as _, stderr};
use std::path::Path;

use anyhow::Context as _;
use claw_core::log::{ShardChains, ShardStart, StreamTail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::config::{Config, Overrides};
use crate::log::{DeviceUrl, LogPaths, ReadError, Scope, StoreLog};
use crate::subjects::{Reader, file};

/// A store's log, judged.
#[derive(Debug)]
pub(in crate::cli) struct Source {
    pub(in crate::cli) paths: LogPaths,
    pub(in crate::cli) log: StoreLog,
    pub(in crate::cli) tails: Vec<StreamTail>,
}

impl Source {
    /// Opens and scans everything there is.
    pub(in crate::cli) fn open(store: &Path) -> anyhow::Result<Self> {
        let paths = log_paths(store)?;
        let (log, tails) =
            read(&paths).with_context(|| format!("reading the log of {}", store.display()))?;
        Ok(Self { paths, log, tails })
    }

    /// Which store's log it is.
    pub(in crate::cli) fn store_id(&self) -> [u8; 16] {
        self.tails[0].superblock.shape.store_id
    }

    /// What shows personal data: opened, or as what it is.
    pub(in crate::cli) fn reader(&self, store: &Path, open: bool) -> anyhow::Result<Reader> {
        let keys = file::load(store, self.store_id());
        if !open {
            // Who may not read the keys still reads the log.
            return Ok(Reader::closed(keys.unwrap_or_default()));
        }
        let path = file::path(store);
        let keys =
            keys?.with_context(|| format!("open personal data: {} is not there", path.display()));
        Ok(Reader::open(keys?))
    }

    /// What opens personal data where the store has keys that may be read, and else only names it.
    pub(in crate::cli) fn reader_if_any(&self, store: &Path) -> Reader {
        let keys = file::load(store, self.store_id()).unwrap_or_default();
        keys.map_or_else(Reader::default, Reader::open)
    }

    /// Chains of all shards, from the first record.
    pub(in crate::cli) fn chains(&self) -> ShardChains {
        let shards_count = self.tails[0].superblock.shape.shards_count;
        ShardChains::new(&vec![ShardStart::default(); usize::from(shards_count)])
    }
}

/// Scans with a progress bar on terminals.
pub(super) fn read(paths: &LogPaths) -> Result<(StoreLog, Vec<StreamTail>), ReadError> {
    let bar = bar();
    let judged = StoreLog::read(paths, Scope::Everything, &mut |scanned| {
        bar.set_length(scanned.total_bytes);
        bar.set_position(scanned.done_bytes);
    });
    bar.finish_and_clear();
    judged
}

fn bar() -> ProgressBar {
    progress("reading the log {wide_bar} {bytes}/{total_bytes} {eta}", 0)
}

/// A bar on terminals, drawn by this template.
pub(in crate::cli) fn progress(template: &str, length: usize) -> ProgressBar {
    if !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let length = u64::try_from(length).unwrap_or(0);
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    // Templates are constants; without one the bar is only plainer.
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Where the store's settings say its log is; without a `store.toml` the default folders.
pub(in crate::cli) fn log_paths(store: &Path) -> anyhow::Result<LogPaths> {
    // A folder that is not there is a slip of the pen, not a damaged log.
    anyhow::ensure!(
        store.is_dir(),
        "read {}: no such folder (`claw init` makes a store, `--store` names one)",
        store.display()
    );
    if !store.join("store.toml").exists() {
        return Ok(LogPaths::in_store(store));
    }
    let config = Config::load(store, &Overrides::from_environment())?;
    let mut paths = LogPaths::in_store(store);
    if let Some(device) = config.log.devices.first() {
        let url: DeviceUrl = device.parse()?;
        paths.data = store.join(url.folder);
        paths.snapshots = paths.data.join("snapshots");
        paths.proofs = paths.data.join("proofs");
    }
    paths.archive = config.log.archive_dir;
    Ok(paths)
}
