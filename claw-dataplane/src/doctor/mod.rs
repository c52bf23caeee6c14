//! What stands between this machine and a good night: looked at, judged, and what to do about it.
//!
//! Each file owns one area and answers with [`Check`]s. A check says what was *found*, not what
//! was hoped for, and whatever is not fine says what to do, in the words of this machine's
//! distribution. Where the kernel can be asked to do the thing itself (make the ring, pin the
//! arena, write and flush), it is asked, rather than its version believed.
//!
//! Invariants: nothing is changed and nothing is left behind; a machine that hides something gets
//! a line that says so, never a guess; with `profile = "development"` what only production needs
//! is no complaint. Files of `/proc` and `/sys` are read below a [`Host::root`], so that tests
//! show other machines.
//!
//! Deliberately absent: repairing. The person in charge types the commands.

mod calibration;
mod check;
mod clock;
mod device;
mod host;
mod kernel;
mod keys;
mod memory;
mod processor;
mod program;

#[cfg(test)]
mod tests;

use std::path::Path;

pub use check::{Check, Verdict};
pub use host::{Family, Host};

use crate::config::Config;

/// A store as far as it can be read: without settings, its defaults stand in.
#[derive(Clone, Copy, Debug)]
pub struct Patient<'a> {
    /// The store's folder, when there is one.
    pub store: Option<&'a Path>,
    /// Its settings.
    pub config: Option<&'a Config>,
}

/// Looks at everything. Takes about a second, most of it measuring.
pub fn examine(host: &Host, patient: Patient<'_>) -> Vec<Check> {
    let mut checks = program::checks();
    checks.extend(kernel::checks(host, patient.config));
    checks.extend(memory::checks(host, patient.config));
    checks.extend(processor::checks(host, patient.config));
    checks.extend(clock::checks(host));
    if let Some(store) = patient.store {
        checks.extend(device::checks(host, store, patient.config));
        checks.extend(keys::checks(store, patient.config));
    }
    checks.push(calibration::check());
    checks
}
