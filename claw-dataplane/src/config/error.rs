//! What can be wrong with a store's settings, each problem with its place and its remedy.

use std::fmt;
use std::path::PathBuf;

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Problems in what was read, all of them.
    #[error("{}", join(.problems))]
    Invalid {
        /// In the order of their places.
        problems: Vec<Problem>,
    },
    /// The file cannot be read.
    #[error("read {path} (`claw init` makes a store, `--store` names one)")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong: "unknown key `lisen` in `[node]`".
    pub reason: String,
    /// Where: "store.toml:4", "environment `CLAW_NODE_LISTEN`", "`--listen`".
    pub place: String,
    /// What to do.
    pub advice: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}: {}", self.reason, self.place, self.advice)
    }
}

fn join(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
