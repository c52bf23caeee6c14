//! Boot, placement, mesh and fatal stops: the only place threads start.
//!
//! [`boot`] turns a configuration into running cores: it recovers the log, plans which core runs
//! which shard, starts one glommio executor per core and waits for a signal. What a core does is in
//! `node`; what a request means is in `claw-core`.

pub mod boot;
pub mod core_thread;
pub mod error;
pub mod fatal;
pub mod housekeeping;
pub mod mesh;
pub mod open;
pub mod placement;
pub mod rebuild;
pub mod signals;
