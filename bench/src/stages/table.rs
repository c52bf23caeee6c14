//! The stages as a table on stdout; the same numbers as the JSON.

use std::io::{self, Write};

use super::StageResults;

/// Writes everything.
pub(crate) fn write(out: &mut impl Write, results: &StageResults) -> io::Result<()> {
    writeln!(out, "instructions counted by {}", results.counted_by)?;
    for costs in &results.subjects {
        writeln!(
            out,
            "\n{:<36}{:>14}{:>12}{:>12}",
            format!("{}, each", costs.subject.name()),
            "instructions",
            "ns",
            "budget ns"
        )?;
        for cost in &costs.stages {
            let instructions = cost.instructions.map_or_else(|| "-".to_owned(), |n| n.to_string());
            writeln!(
                out,
                "  {:<34}{instructions:>14}{:>12}{:>12}",
                cost.stage.name(),
                cost.ns,
                cost.budget_ns
            )?;
        }
        let ns: i64 = costs.stages.iter().map(|cost| cost.ns).sum();
        let budget_ns: u64 = costs.stages.iter().map(|cost| cost.budget_ns).sum();
        let instructions: Option<i64> = costs.stages.iter().map(|cost| cost.instructions).sum();
        let instructions = instructions.map_or_else(|| "-".to_owned(), |n| n.to_string());
        writeln!(out, "  {:<34}{instructions:>14}{ns:>12}{budget_ns:>12}", "together")?;
    }
    Ok(())
}
