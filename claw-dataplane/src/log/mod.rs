//! The durable log: devices, group commit, recovery, archive, reading.
//!
//! The device side, in reading order: [`LogDevice`] is the seam; [`FileStore`] is the folder behind
//! it and [`FileStore::device`] one core's part of it; [`GroupCommit`] keeps the order and the
//! watermark; [`FaultDevice`] misbehaves on purpose. What the bytes mean is in `claw_core::log`.
//!
//! The reading side: [`StoreLog`] maps and judges what the devices wrote, also beside a running
//! node; [`fn@recover`] opens a store and rebuilds its shards; [`write_snapshot`] shortens that;
//! and [`fn@archive`] makes room. It knows files only through their names, and takes no part in
//! writing blocks.

mod archive;
mod commit;
mod device;
mod device_url;
mod error;
mod fault_device;
mod fault_plan;
mod file_device;
mod file_store;
mod metrics;
pub mod pace;
mod paths;
mod probe;
pub mod proof;
mod read_error;
mod reader;
mod recover;
mod snapshot;
mod superblock;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod tests_reading;

pub use archive::{Freed, Retention, archive, archived_segments};
pub use commit::{CommitStart, CommitTail, GroupCommit, Placement};
pub use device::{
    CachePath, DeviceAddress, DeviceInfo, DeviceWrite, DeviceWritten, FlushMode, LogDevice,
};
pub use device_url::{DeviceUrl, DeviceUrlError};
pub use error::LogError;
pub use fault_device::FaultDevice;
pub use fault_plan::{
    CacheFlush, FailingWrites, FaultPlan, FaultPlanError, VolatileCache, WriteFault,
};
pub use file_device::{FileDevice, FileDeviceShape, SegmentSupply};
pub use file_store::{FileStore, PreparedSegment};
pub use metrics::LogMetrics;
pub use paths::LogPaths;
pub use probe::{ProbeReport, ProbeRow};
pub use read_error::ReadError;
pub use reader::{Scanned, Scope, StoreLog, StreamLog, read_superblocks};
pub use recover::{Rebuild, RecoverError, Recovered, recover, replay_durable};
pub use snapshot::{
    SNAPSHOTS_KEPT, ShardSnapshots, Snapshot, SnapshotHeader, covered_positions, read_snapshot,
    shard_snapshots, write_snapshot,
};
pub use superblock::{format_streams, write_superblock, write_superblock_twice};
