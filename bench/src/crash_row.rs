//! One row of the benchmark of crashes: what was promised, and what a cut cost.
//!
//! Owns the verdict: whoever promises that an answer is durable loses none, and the medium that
//! lies must be found out. Does not know any system.

use serde::Serialize;

use crate::row::{Setting, Spread};

/// How a system is brought down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CutKind {
    /// SIGKILL to every process of the server; its files lie on the disk, the page cache stays.
    Kill,
    /// The power fails under its files: pages that were not flushed survive by the coin.
    Power,
    /// The same over a medium that acknowledges flushes and keeps nothing: the canary.
    PowerLying,
}

impl CutKind {
    /// For people.
    pub(crate) const fn in_words(self) -> &'static str {
        match self {
            Self::Kill => "kill -9",
            Self::Power => "power fails",
            Self::PowerLying => "power fails, flushes lie",
        }
    }
}

/// What an acknowledged command is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Promise {
    /// The setting, in the system's own words.
    pub(crate) setting: &'static str,
    /// Whether it is: nothing that was acknowledged is ever lost.
    pub(crate) loses_nothing: bool,
}

/// See the module.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CrashRow {
    /// The same in every run of the benchmark.
    pub(crate) name: String,
    pub(crate) system: String,
    /// Empty where the commit says it.
    pub(crate) version: String,
    pub(crate) promise: Promise,
    pub(crate) cut: CutKind,
    pub(crate) setting: Setting,
    pub(crate) cuts_count: u32,
    /// Answers that came before their cut, and ones in doubt that were settled after it.
    pub(crate) acknowledged_count: u64,
    /// Of these, what was not there after a start, or was another command's.
    pub(crate) lost_count: u64,
    /// Commands that were carried out more than once.
    pub(crate) twice_count: u64,
    /// After which cut stock received was not stock available and taken, or was oversold.
    pub(crate) books_wrong: Vec<String>,
    /// After which cut it did not start again, and what it said: everything in it is out of reach.
    pub(crate) refused_starts: Vec<String>,
    /// Pages that were not flushed when the power failed, and survived or were lost.
    pub(crate) pages_survived_count: u64,
    pub(crate) pages_lost_count: u64,
    /// From the start of the process to its first answer after a cut, milliseconds; none when it
    /// never started again.
    pub(crate) answers_again_ms: Option<Spread>,
}

impl CrashRow {
    /// Whether anything acknowledged was lost, done twice, miscounted or put out of reach.
    pub(crate) fn is_damaged(&self) -> bool {
        self.lost_count > 0 || self.damages_count() > 0
    }

    /// What no promise allows: done twice, miscounted, out of reach.
    fn damages_count(&self) -> u64 {
        let told = self.books_wrong.len() + self.refused_starts.len();
        self.twice_count + u64::try_from(told).unwrap_or(u64::MAX)
    }

    /// Why the whole run fails, if it does because of this row. A peer's loss is no failure of
    /// ours.
    pub(crate) fn failure(&self) -> Option<String> {
        let name = &self.name;
        match self.cut {
            CutKind::PowerLying => (!self.is_damaged()).then(|| {
                format!("{name}: a medium that lied was believed: this check shows nothing")
            }),
            CutKind::Kill | CutKind::Power => (self.system == "claw" && self.is_damaged())
                .then(|| format!("{name}: what was acknowledged is not there as it was")),
        }
    }

    /// For people: what the row comes to.
    pub(crate) fn verdict(&self) -> &'static str {
        let only_lost = self.damages_count() == 0;
        match (self.cut, self.is_damaged()) {
            (CutKind::PowerLying, true) => "found out, as it must be",
            (CutKind::PowerLying, false) => "NOT FOUND OUT: this check shows nothing",
            (_, false) => "nothing lost",
            (_, true) if self.promise.loses_nothing => "PROMISE BROKEN",
            (_, true) if only_lost => "lost, as its promise allows",
            (_, true) => "BROKEN BEYOND ITS PROMISE",
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn row(system: &str, cut: CutKind, lost_count: u64) -> CrashRow {
        CrashRow {
            name: format!("crash: {system}"),
            system: system.to_owned(),
            version: String::new(),
            promise: Promise { setting: "flushed", loses_nothing: true },
            cut,
            setting: Setting::default(),
            cuts_count: 3,
            acknowledged_count: 900,
            lost_count,
            twice_count: 0,
            books_wrong: Vec::new(),
            refused_starts: Vec::new(),
            pages_survived_count: 4,
            pages_lost_count: 5,
            answers_again_ms: Some(Spread { median: 60, least: 50, most: 70 }),
        }
    }

    #[test]
    fn our_loss_fails_the_run_and_a_peers_is_named() {
        assert!(row("claw", CutKind::Power, 1).failure().is_some());
        assert!(row("claw", CutKind::Power, 0).failure().is_none());
        let peer = row("Redis", CutKind::Power, 1);
        assert_eq!((peer.failure(), peer.verdict()), (None, "PROMISE BROKEN"));
        let weaker = Promise { setting: "later", loses_nothing: false };
        let peer = CrashRow { promise: weaker, ..peer };
        assert_eq!(peer.verdict(), "lost, as its promise allows");
        let peer = CrashRow { books_wrong: vec!["cut 2: 1 is not 2".to_owned()], ..peer };
        assert_eq!(peer.verdict(), "BROKEN BEYOND ITS PROMISE");
    }

    #[test]
    fn every_kind_of_damage_is_one() {
        let good = row("claw", CutKind::Kill, 0);
        let some = vec!["cut 2".to_owned()];
        let damaged = [
            CrashRow { twice_count: 1, ..good.clone() },
            CrashRow { books_wrong: some.clone(), ..good.clone() },
            CrashRow { refused_starts: some, ..good.clone() },
        ];
        assert!(!good.is_damaged());
        assert!(damaged.iter().all(|row| row.failure().is_some()));
    }

    #[test]
    fn medium_that_lied_and_was_believed_fails_the_run() {
        assert!(row("claw", CutKind::PowerLying, 0).failure().is_some());
        assert!(row("claw", CutKind::PowerLying, 1).failure().is_none());
    }
}
