//! Signals: SIGTERM and SIGINT ask for a drain, a second one ends the process at once.
//!
//! They are blocked in every thread before the first is started and taken by the main thread with
//! `sigtimedwait`, so no handler ever runs in the middle of anything.

use std::time::Duration;

/// Blocks the signals we wait for; call before any thread starts.
pub fn block() {
    let set = stop_set();
    // SAFETY: `set` is an initialised set; a null old set is allowed.
    let result =
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
    assert_eq!(result, 0, "blocking signals that exist");
    // SAFETY: SIGPIPE is a valid signal and SIG_IGN a valid disposition: a closed socket must be an
    // error code, not the end of the node.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

/// Waits up to `timeout` for a stop signal.
pub fn wait(timeout: Duration) -> bool {
    let set = stop_set();
    let time = libc::timespec {
        tv_sec: libc::time_t::try_from(timeout.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(timeout.subsec_nanos().cast_signed()),
    };
    // SAFETY: set and time are live and initialised; a null siginfo is allowed.
    let signal =
        unsafe { libc::sigtimedwait(&raw const set, std::ptr::null_mut(), &raw const time) };
    signal > 0
}

fn stop_set() -> libc::sigset_t {
    // SAFETY: an all-zero sigset_t is valid storage for sigemptyset.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` is live storage.
    unsafe { libc::sigemptyset(&raw mut set) };
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: `set` is initialised and the signal exists.
        unsafe { libc::sigaddset(&raw mut set, signal) };
    }
    set
}
