//! Counters of one ring: plain numbers, read by the core that owns the ring.
//!
//! Does not export anything: `/metrics` shows the node's own counters (`node::shared`).

/// What a ring has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingMetrics {
    /// `claw_ring_accepts_total`.
    pub accepts_count: u64,
    /// `claw_ring_accepts_refused_total`: closed at once for want of a place in the table.
    pub accepts_refused_count: u64,
    /// `claw_ring_completions_total`.
    pub completions_count: u64,
    /// `claw_ring_overflows_total`: completions the kernel had to keep aside. Not zero is a bug.
    pub overflows_count: u64,
    /// `claw_ring_enters_total`: system calls.
    pub enters_count: u64,
    /// `claw_ring_parks_total`: how often the core went to sleep.
    pub parks_count: u64,
    /// `claw_ring_receives_starved_total`: receives that ended for want of buffers.
    pub receives_starved_count: u64,
    /// `claw_ring_submission_full_total`: submissions forced because the queue was full.
    pub submission_full_count: u64,
}
