//! Counters of one stream's write pipeline: plain numbers, read by the core that owns the stream.
//!
//! Does not export anything: `/metrics` shows the node's own counters (`node::shared`).

/// What a stream has written since its node started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogMetrics {
    /// `claw_log_blocks_total`: blocks that are durable.
    pub blocks_count: u64,
    /// `claw_log_bytes_total`: their bytes, padding included.
    pub written_bytes: u64,
    /// `claw_log_segments_total`: segments begun.
    pub segments_count: u64,
    /// `claw_log_slots_missing_total`: how often no slot was free.
    pub slots_missing_count: u64,
    /// `claw_log_segments_missing_total`: how often housekeeping was late with a segment.
    pub segments_missing_count: u64,
}
