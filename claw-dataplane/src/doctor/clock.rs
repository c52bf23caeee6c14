//! Clocks: a source that is cheap to read, and a time that agrees with the world's.

use super::{Check, Family, Host};
use claw_common::limits::CLOCK_SKEW_MS_MAX;

/// Sources that are read without leaving the process.
const CHEAP: [&str; 5] =
    ["tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page", "xen"];
/// `freq` of adjtimex(2) counts parts per million in units of 2^-16.
const FREQUENCY_UNITS: i64 = 1 << 16;
/// Quartz is within 100; more means that something is wrong or has just begun.
const DRIFT_PPM_MAX: i64 = 300;

pub(super) fn checks(host: &Host) -> Vec<Check> {
    vec![source(host), synchronisation(host, ask().as_ref())]
}

fn source(host: &Host) -> Check {
    let name = "clock-source";
    let path = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    let Some(source) = host.line(path) else {
        return Check::warn(name, "unknown: the kernel does not tell", "mount /sys");
    };
    if CHEAP.contains(&source.as_str()) {
        return Check::ok(name, source);
    }
    let advice = format!(
        "every reading of {source} costs a system call or more: {}",
        host.boot_parameter("clocksource=tsc tsc=reliable")
    );
    Check::warn(name, source, advice)
}

/// What the kernel says of its clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClockState {
    pub(super) synchronised: bool,
    pub(super) error_us_max: i64,
    pub(super) drift_ppm: i64,
}

fn ask() -> Option<ClockState> {
    // SAFETY: numbers are valid as zeros; `modes` 0 asks and changes nothing.
    let mut state: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: writes to the structure it is given.
    let answer = unsafe { libc::adjtimex(&raw mut state) };
    (answer >= 0).then_some(ClockState {
        synchronised: answer != libc::TIME_ERROR && state.status & libc::STA_UNSYNC == 0,
        error_us_max: state.maxerror,
        drift_ppm: state.freq / FREQUENCY_UNITS,
    })
}

pub(super) fn synchronisation(host: &Host, state: Option<&ClockState>) -> Check {
    let name = "clock-drift";
    let Some(state) = state else {
        return Check::warn(name, "the kernel does not tell", "run it outside the sandbox");
    };
    let chrony = match host.family {
        Family::Debian => "apt-get install chrony",
        Family::Fedora | Family::Rhel => "dnf install chrony && systemctl enable --now chronyd",
        Family::Other => "install chrony and start it",
    };
    let ClockState { synchronised, error_us_max, drift_ppm } = *state;
    if !synchronised {
        let advice = format!(
            "nobody sets this clock: {chrony}. Stamps say when a claim was accepted; holds expire \
             by this clock"
        );
        return Check::warn(name, "not synchronised", advice);
    }
    let bound_us = i64::try_from(CLOCK_SKEW_MS_MAX * 1000).unwrap_or(i64::MAX);
    let found = format!("within {error_us_max} us, drifting {drift_ppm} ppm");
    if error_us_max > bound_us {
        let advice =
            format!("more than the {CLOCK_SKEW_MS_MAX} ms that nodes allow each other: {chrony}");
        return Check::warn(name, found, advice);
    }
    if drift_ppm.abs() > DRIFT_PPM_MAX {
        let advice = "far for a quartz: look at `chronyc tracking` again in an hour";
        return Check::warn(name, found, advice);
    }
    Check::ok(name, found)
}
