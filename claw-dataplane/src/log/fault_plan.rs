//! What a fault device does wrong, as written in its URL.
//!
//! Owns the grammar: parts joined by commas, `eio-after=N`, `enospc-after=N`, `short-after=N`
//! (after N good writes, every further one), `volatile-cache=SEED`, and `no-flush` (the cache
//! then loses what it had acknowledged: for proving that the checks can fail).

use std::fmt;
use std::str::FromStr;

/// How a write fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteFault {
    /// The device answers with an input/output error.
    InputOutput,
    /// The device is full.
    NoSpace,
    /// The device takes a part.
    Short,
}

/// Writes that fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailingWrites {
    /// How.
    pub fault: WriteFault,
    /// How many succeed before.
    pub after_count: u64,
}

/// A write cache that a crash empties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolatileCache {
    /// Decides which parts of unflushed writes reach the medium, and when.
    pub seed: u64,
    /// Whether flushing works.
    pub flush: CacheFlush,
}

/// What a flush does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheFlush {
    /// It waits until the medium has everything.
    Honest,
    /// Nothing: the device lies.
    Ignored,
}

/// All that is to go wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultPlan {
    /// Failing writes.
    pub failing: Option<FailingWrites>,
    /// The cache.
    pub cache: Option<VolatileCache>,
}

/// A plan that cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultPlanError {
    /// `no-flush` alone.
    #[error("no-flush needs volatile-cache=SEED: without a cache there is nothing to lose")]
    CacheMissing,
    /// Not a number.
    #[error("{part} needs a number behind the equals sign")]
    Number {
        /// The part.
        part: String,
    },
    /// Not a word of the plan.
    #[error(
        "{part} is no fault; write eio-after=N, enospc-after=N, short-after=N, \
         volatile-cache=SEED or no-flush"
    )]
    Unknown {
        /// The part.
        part: String,
    },
}

impl FromStr for FaultPlan {
    type Err = FaultPlanError;

    fn from_str(text: &str) -> Result<Self, FaultPlanError> {
        let mut plan = Self::default();
        for part in text.split(',') {
            plan.learn(part)?;
        }
        Ok(plan)
    }
}

impl FaultPlan {
    fn learn(&mut self, part: &str) -> Result<(), FaultPlanError> {
        let (word, value) = part.split_once('=').unwrap_or((part, ""));
        let number =
            || value.parse().map_err(|_not_a_number| FaultPlanError::Number { part: part.into() });
        let failing = |fault, after_count| Some(FailingWrites { fault, after_count });
        match word {
            "eio-after" => self.failing = failing(WriteFault::InputOutput, number()?),
            "enospc-after" => self.failing = failing(WriteFault::NoSpace, number()?),
            "short-after" => self.failing = failing(WriteFault::Short, number()?),
            "volatile-cache" => {
                self.cache = Some(VolatileCache { seed: number()?, flush: CacheFlush::Honest });
            }
            "no-flush" => match &mut self.cache {
                Some(cache) => cache.flush = CacheFlush::Ignored,
                None => return Err(FaultPlanError::CacheMissing),
            },
            _ => return Err(FaultPlanError::Unknown { part: part.into() }),
        }
        Ok(())
    }
}

impl fmt::Display for FaultPlan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some(FailingWrites { fault, after_count }) = self.failing {
            let word = match fault {
                WriteFault::InputOutput => "eio-after",
                WriteFault::NoSpace => "enospc-after",
                WriteFault::Short => "short-after",
            };
            parts.push(format!("{word}={after_count}"));
        }
        if let Some(VolatileCache { seed, flush }) = self.cache {
            parts.push(format!("volatile-cache={seed}"));
            if flush == CacheFlush::Ignored {
                parts.push("no-flush".into());
            }
        }
        formatter.write_str(&parts.join(","))
    }
}
