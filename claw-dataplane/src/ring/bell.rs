//! A ring's bell: a flag that any thread may set, and what wakes the ring when it sleeps.
//!
//! ```text
//!  any thread:  put work into a queue -> ring()          several rings are one
//!  the ring:    heard()? -> take the work    else sleep until it is signalled, and ask again
//! ```
//! Owns the one rule that no wake-up is lost by: whoever turns the flag from unset to set signals;
//! whoever finds it set need not, since the ring asks once more between arming its sleep and
//! sleeping. Generic over the flag and the signal, so that every interleaving of this very code is
//! tried in its test (loom).

use std::sync::atomic::{AtomicBool, Ordering};

/// What is set and asked for.
pub(super) trait Flag {
    /// Whether it is set; may be late by a moment.
    fn is_set(&self) -> bool;
    /// Sets it so, and says what it was, in the one order that all threads see.
    fn replace(&self, set: bool) -> bool;
}

impl Flag for AtomicBool {
    fn is_set(&self) -> bool {
        self.load(Ordering::Relaxed)
    }

    fn replace(&self, set: bool) -> bool {
        self.swap(set, Ordering::SeqCst)
    }
}

/// What ends a sleep, or the next one where nobody sleeps.
pub(super) trait Signal {
    /// Ends it.
    fn signal(&self);
}

/// See the module.
#[derive(Debug)]
pub(super) struct Bell<F, S> {
    rung: F,
    sleeper: S,
}

impl<F: Flag, S: Signal> Bell<F, S> {
    /// One that nobody has rung; `unset` is.
    pub(super) const fn new(unset: F, sleeper: S) -> Self {
        Self { rung: unset, sleeper }
    }

    /// Makes the ring hear it, now or when it asks next.
    pub(super) fn ring(&self) {
        if !self.rung.replace(true) {
            self.sleeper.signal();
        }
    }

    /// Whether it was rung since this was asked last. The first look costs no more than a read.
    pub(super) fn heard(&self) -> bool {
        self.rung.is_set() && self.rung.replace(false)
    }
}

#[cfg(test)]
mod tests {
    use loom::sync::atomic::{AtomicBool, Ordering};
    use loom::sync::{Arc, Condvar, Mutex};

    use super::{Bell, Flag, Signal};

    const WAKERS_COUNT: u32 = 2;
    /// Threads that are interrupted in one run: mistakes of two threads show with fewer.
    const PREEMPTIONS_MAX: usize = 3;

    #[derive(Default)]
    struct Sleep {
        signalled: Mutex<bool>,
        woken: Condvar,
    }

    impl Sleep {
        fn until_signalled(&self) {
            let mut signalled = self.signalled.lock().unwrap();
            while !*signalled {
                signalled = self.woken.wait(signalled).unwrap();
            }
            *signalled = false;
        }
    }

    impl Signal for Arc<Sleep> {
        fn signal(&self) {
            *self.signalled.lock().unwrap() = true;
            self.woken.notify_one();
        }
    }

    impl Flag for AtomicBool {
        fn is_set(&self) -> bool {
            self.load(Ordering::Relaxed)
        }

        fn replace(&self, set: bool) -> bool {
            self.swap(set, Ordering::SeqCst)
        }
    }

    /// A flag that says it was set before, whenever it is set.
    struct Late(AtomicBool);

    impl Flag for Late {
        fn is_set(&self) -> bool {
            self.0.load(Ordering::SeqCst)
        }

        fn replace(&self, set: bool) -> bool {
            self.0.store(set, Ordering::SeqCst);
            true
        }
    }

    /// Wakers leave work and ring; the ring takes it until it has all. A lost wake-up is a sleep
    /// without end, which loom reports.
    fn every_interleaving<F: Flag + Send + Sync + 'static>(unset: fn() -> F) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(PREEMPTIONS_MAX);
        model.check(move || {
            let sleep = Arc::new(Sleep::default());
            let bell = Arc::new(Bell::new(unset(), Arc::clone(&sleep)));
            let queue = Arc::new(Mutex::new(0_u32));
            for _ in 0..WAKERS_COUNT {
                let (bell, queue) = (Arc::clone(&bell), Arc::clone(&queue));
                loom::thread::spawn(move || {
                    *queue.lock().unwrap() += 1;
                    bell.ring();
                });
            }
            let mut taken = 0;
            while taken < WAKERS_COUNT {
                if bell.heard() {
                    taken += std::mem::take(&mut *queue.lock().unwrap());
                } else {
                    sleep.until_signalled();
                }
            }
        });
    }

    #[test]
    fn no_wake_up_is_lost_in_any_interleaving() {
        every_interleaving(|| AtomicBool::new(false));
    }

    #[test]
    #[should_panic(expected = "deadlock")]
    fn bell_that_does_not_signal_is_found_by_the_model() {
        every_interleaving(|| Late(AtomicBool::new(false)));
    }
}
