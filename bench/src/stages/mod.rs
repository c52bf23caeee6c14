//! What one request costs in each stage, beside the budget of the design.
//!
//! Every stage is the node's own code, run in this process over the same requests, without sockets
//! and without a device: a run goes through the stages in their order up to one of them, and the
//! cost of a stage is what its run took more than the run before it. So nothing is measured from
//! inside, and a stage is charged for what it really does to the caches of the next one.
//!
//! Two numbers for each: time, the least of several runs; and instructions, which do not depend on
//! what else the machine does. Instructions come from the processor's counter where the kernel
//! lends one ([`counter`]), else from callgrind, which runs this program again ([`callgrind`]);
//! the table says which.
//!
//! Deliberately not here: TCP, the wake-ups and the device write, which are in the whole rows.

#[cfg(test)]
mod allocations;
mod backend;
pub(crate) mod callgrind;
mod cluster;
pub(crate) mod cores;
mod counter;
mod fill;
pub(crate) mod growth;
mod http;
mod table;
mod wire;

use std::time::Instant;

use anyhow::Result;
use serde::Serialize;

#[cfg(test)]
pub(crate) use allocations::Counting;
pub(crate) use fill::Fill;
pub(crate) use table::write;

use crate::bench::say;
use crate::figure::Figure;
use crate::row::Spread;

/// Requests before the counted ones: as many holds live as expire from then on.
const WARM_COUNT: usize = 4_096;
/// Counted requests.
const COUNTED: usize = 16_384;
/// Requests between two seals of a block, and in one frame of the wire protocol.
pub(crate) const BATCH_COUNT: usize = 64;
/// Runs for the time of a stage.
const RUNS_COUNT: usize = 7;

/// How far a request goes. In the order of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Stage {
    /// Framing and the route.
    Grammar,
    /// Who asks, may they, do they ask too often.
    Signature,
    /// Body to command, checked against the State-Schema.
    Decode,
    /// De-duplicated, decided, and what is due expired.
    Decide,
    /// Events encoded into the block, the block chained and checksummed.
    Append,
    /// Outcome to bytes.
    Render,
}

impl Stage {
    /// All of them.
    pub(crate) const ALL: [Self; 6] =
        [Self::Grammar, Self::Signature, Self::Decode, Self::Decide, Self::Append, Self::Render];

    /// For a table.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Grammar => "grammar, routing",
            Self::Signature => "signature, role, rates",
            Self::Decode => "decode, State-Schema",
            Self::Decide => "de-duplicate, decide, timers",
            Self::Append => "encode, chain, checksum",
            Self::Render => "render the answer",
        }
    }
}

/// What is asked, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Subject {
    /// `POST /v1/holds`, signed with hmac-sha256.
    HttpHold,
    /// A hold over the wire protocol, in a session, 64 in a frame.
    WireHold,
}

impl Subject {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::HttpHold, Self::WireHold];

    /// For a table.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::HttpHold => "HTTP hold, hmac-sha256",
            Self::WireHold => "wire hold, 64 in a frame",
        }
    }

    /// The design's budget of a stage, nanoseconds (section 6).
    pub(crate) const fn budget_ns(self, stage: Stage) -> u64 {
        let budgets = match self {
            Self::HttpHold => [200, 500, 250, 300, 500, 350],
            Self::WireHold => [30, 40, 40, 200, 150, 60],
        };
        budgets[stage as usize]
    }

    /// Makes `count` requests.
    fn prepare(self, until: Stage, count: usize) -> Result<Box<dyn Pipeline>> {
        Ok(match self {
            Self::HttpHold => Box::new(http::HttpHolds::new(count, until)?),
            Self::WireHold => Box::new(wire::WireHolds::new(count, until, (Fill::HOT, 1))?),
        })
    }
}

/// Requests that are ready to be served up to a stage.
trait Pipeline {
    /// Serves the next `count` requests, a multiple of [`BATCH_COUNT`].
    fn serve(&mut self, count: usize);
}

/// What a stage cost.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct StageCost {
    pub(crate) stage: Stage,
    pub(crate) ns: i64,
    pub(crate) budget_ns: u64,
    pub(crate) instructions: Option<i64>,
}

/// The stages of a subject.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SubjectCosts {
    pub(crate) subject: Subject,
    pub(crate) stages: Vec<StageCost>,
}

/// Everything, and who counted.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct StageResults {
    pub(crate) counted_by: String,
    pub(crate) requests_count: usize,
    pub(crate) subjects: Vec<SubjectCosts>,
}

impl StageResults {
    /// As they stand beside other figures; time, and instructions where they were counted.
    pub(crate) fn figures(&self) -> Vec<Figure> {
        let mut figures = Vec::new();
        for SubjectCosts { subject, stages } in &self.subjects {
            for cost in stages {
                let mut figure = |unit, conditions: String, value: i64| {
                    let name = format!("{}: {}", subject.name(), cost.stage.name());
                    // Noise can make a stage seem to cost less than nothing.
                    let value = Spread::of(vec![u64::try_from(value).unwrap_or(0)]);
                    figures.push(Figure { scenario: "stages", name, unit, conditions, value });
                };
                figure("ns", format!("the design's budget is {} ns", cost.budget_ns), cost.ns);
                if let Some(count) = cost.instructions {
                    figure("instructions", self.counted_by.clone(), count);
                }
            }
        }
        figures
    }
}

/// Measures every stage of every subject.
pub(crate) fn measure(smoke: bool) -> Result<StageResults> {
    let runs_count = if smoke { 1 } else { RUNS_COUNT };
    let source = Source::find();
    let mut subjects = Vec::new();
    for subject in Subject::ALL {
        let mut stages = Vec::new();
        let (mut ns_before, mut instructions_before) = (0, Some(0));
        for stage in Stage::ALL {
            say(&format!("stages of {}: {}", subject.name(), stage.name()))?;
            let ns = least_ns(subject, stage, runs_count)?;
            let instructions = source.count(subject, stage)?;
            stages.push(StageCost {
                stage,
                ns: ns - ns_before,
                budget_ns: subject.budget_ns(stage),
                instructions: instructions
                    .zip(instructions_before)
                    .map(|(all, before)| all - before),
            });
            (ns_before, instructions_before) = (ns, instructions);
        }
        subjects.push(SubjectCosts { subject, stages });
    }
    Ok(StageResults { counted_by: source.in_words(), requests_count: COUNTED, subjects })
}

/// Nanoseconds a request up to a stage: the run that was disturbed least.
fn least_ns(subject: Subject, stage: Stage, runs_count: usize) -> Result<i64> {
    let mut least = i64::MAX;
    for _ in 0..runs_count {
        let mut pipeline = subject.prepare(stage, WARM_COUNT + COUNTED)?;
        pipeline.serve(WARM_COUNT);
        let start = Instant::now();
        pipeline.serve(COUNTED);
        let ns = i64::try_from(start.elapsed().as_nanos())?;
        least = least.min(ns / i64::try_from(COUNTED)?);
    }
    Ok(least)
}

/// Runs under callgrind: serves `count` requests up to a stage and says nothing. As many are made
/// whatever the count, so that making them is in every total.
pub(crate) fn serve_once(subject: Subject, stage: Stage, count: usize) -> Result<()> {
    subject.prepare(stage, callgrind::LONG_COUNT)?.serve(count);
    Ok(())
}

/// Who counts instructions.
enum Source {
    Processor,
    Callgrind,
    Nobody(String),
}

impl Source {
    fn find() -> Self {
        match (counter::Counter::open(counter::Event::Instructions), callgrind::find()) {
            (Ok(_), _) => Self::Processor,
            (Err(_), Ok(())) => Self::Callgrind,
            (Err(why), Err(why_not)) => Self::Nobody(format!("{why}; {why_not}")),
        }
    }

    fn in_words(&self) -> String {
        match self {
            Self::Processor => "the processor's counter (perf_event_open)".to_owned(),
            Self::Callgrind => {
                "callgrind, which offers no AVX-512 (no processor counter here)".to_owned()
            }
            Self::Nobody(why) => format!("nobody: {why}"),
        }
    }

    /// Instructions a request up to a stage.
    fn count(&self, subject: Subject, stage: Stage) -> Result<Option<i64>> {
        match self {
            Self::Processor => {
                let mut pipeline = subject.prepare(stage, WARM_COUNT + COUNTED)?;
                pipeline.serve(WARM_COUNT);
                let counter = counter::Counter::open(counter::Event::Instructions)?;
                let before = counter.read()?;
                pipeline.serve(COUNTED);
                let counted = counter.read()? - before;
                Ok(Some(i64::try_from(counted)? / i64::try_from(COUNTED)?))
            }
            Self::Callgrind => callgrind::count(subject, stage).map(Some),
            Self::Nobody(_) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_serves_whole_batches_of_every_subject() {
        for subject in Subject::ALL {
            for stage in Stage::ALL {
                let mut pipeline = subject.prepare(stage, 4 * BATCH_COUNT).unwrap();
                pipeline.serve(BATCH_COUNT);
                pipeline.serve(3 * BATCH_COUNT);
                assert!(subject.budget_ns(stage) > 0, "{subject:?} {stage:?}");
            }
        }
    }

    #[test]
    fn budgets_are_those_of_the_design() {
        let total = |subject: Subject| {
            Stage::ALL.iter().map(|stage| subject.budget_ns(*stage)).sum::<u64>()
        };
        // All but TCP: 2.9 us of 5.0 us (the table rounds), and 60 ns of 580 ns.
        assert_eq!(total(Subject::HttpHold), 2_100);
        assert_eq!(total(Subject::WireHold), 520);
    }
}
