//! Boot, placement, mesh and fatal stops: the only place threads start.
//!
//! [`boot`] turns a configuration into running cores: it plans which core runs which shard
//! ([`placement`]), claims its [`address`]es, opens the store ([`open`]: recovery, through
//! [`rebuild`]), starts one thread with a glommio executor per core ([`core_thread`]), one for
//! [`housekeeping`], one for the [`prover`] and one for the link to the vault ([`payments`]), one
//! that finds [`memory`], and waits for a signal. [`vault`] is that other process, with its own
//! [`vault_log`] and a [`vault_broker`] that connects for it. What a core does is in `node`; what a
//! request means is in `claw-core`.

pub mod address;
pub mod boot;
pub mod core_thread;
pub mod error;
pub mod fatal;
pub mod housekeeping;
pub mod memory;
pub mod mesh;
pub mod open;
pub mod payments;
pub mod placement;
pub mod prover;
pub mod rebuild;
pub mod signals;
pub mod vault;
pub mod vault_broker;
pub mod vault_log;
