//! The durable log: devices, group commit, recovery, archive, reading.
//!
//! The device side, in reading order: [`LogDevice`] is the seam; [`FileStore`] is the folder behind it
//! and [`FileStore::device`] one core's part of it; [`GroupCommit`] keeps the order and the
//! watermark; [`FaultDevice`] misbehaves on purpose. What the bytes mean is in `claw_core::log`.

mod commit;
mod device;
mod device_url;
mod error;
mod fault_device;
mod fault_plan;
mod file_device;
mod file_store;
mod metrics;
mod probe;
#[cfg(test)]
mod tests;

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
pub use probe::{ProbeReport, ProbeRow};
