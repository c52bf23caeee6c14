//! How often a key and a session may ask: token buckets of the core, answered with 429.
//!
//! A shop's request must pass its key's bucket and that of the session it names; a shopper's token
//! counts for its session alone, since the key that signed it asks nothing. One set per core,
//! so a rate holds per core; connections are spread over cores, sessions are not pinned to one.

use claw_core::admission::{Buckets, Rate};

use super::problem::{Problem, ProblemKind};

/// Rates of a store; `None` for no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Of each key.
    pub key: Option<Rate>,
    /// Of each session that a body or a token names.
    pub session: Option<Rate>,
    /// Sessions remembered; at least 1 where sessions have a rate.
    pub sessions_count_max: u32,
}

/// Keys remembered per core: the busiest of them, whatever the registry holds.
const KEYS_REMEMBERED: u32 = 256;

/// The buckets of one core.
#[derive(Clone, Debug)]
pub struct Limits {
    keys: Option<Buckets>,
    sessions: Option<Buckets>,
}

impl Limits {
    /// Full buckets.
    pub fn new(rates: &Rates) -> Self {
        let sessions = rates.sessions_count_max;
        Self {
            keys: rates.key.map(|rate| Buckets::new(KEYS_REMEMBERED, rate)),
            sessions: rates.session.map(|rate| Buckets::new(sessions, rate)),
        }
    }

    /// Admits a request of a key by its name.
    pub fn admit_key(&mut self, name: &str, now_us: u64) -> Result<(), Problem> {
        admit(self.keys.as_mut(), (name, "key"), now_us)
    }

    /// Admits a request for a session.
    pub fn admit_session(&mut self, session: &str, now_us: u64) -> Result<(), Problem> {
        admit(self.sessions.as_mut(), (session, "session"), now_us)
    }
}

fn admit(
    buckets: Option<&mut Buckets>,
    asker: (&str, &'static str),
    now_us: u64,
) -> Result<(), Problem> {
    let (name, kind) = asker;
    let Some(buckets) = buckets else { return Ok(()) };
    buckets.admit(name, now_us).map_err(|wait_ms| {
        let detail = format!("this {kind} asks too often; ask again in {wait_ms} ms");
        let mut problem = Problem::new(ProblemKind::RateLimited, detail).text("limit", kind);
        problem.retry_after_s = Some(u32::try_from(wait_ms.div_ceil(1_000)).unwrap_or(u32::MAX));
        problem
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_sessions_have_rates_of_their_own() {
        let rate = |per_second| Some(Rate { per_second, burst: 1 });
        let rates = Rates { key: rate(1_000), session: rate(1), sessions_count_max: 8 };
        let mut limits = Limits::new(&rates);
        assert_eq!(limits.admit_session("s", 0), Ok(()));
        assert_eq!(limits.admit_session("t", 0), Ok(()));
        let problem = limits.admit_session("s", 1_000).unwrap_err();
        assert_eq!((problem.kind.status(), problem.retry_after_s), (429, Some(1)));
        assert_eq!(limits.admit_key("front", 0), Ok(()));
        assert!(limits.admit_key("front", 999).is_err());
        assert_eq!(limits.admit_key("front", 1_000), Ok(()));
        let mut unlimited = Limits::new(&Rates::default());
        assert!((0..100).all(|_| unlimited.admit_key("front", 0).is_ok()));
    }
}
