//! `claw-bench`: what one shard core does, and what others do on the same core.
//!
//! Every row runs real processes over TCP on loopback: the server on all cores but the last, the
//! load on the last, the data on one disk. Every row says what it did (operation mix, hot share,
//! durability, replication, cores, connections, open or closed loop), runs three times, and reports
//! median, least and most. A run with an error, or whose books do not agree afterwards, does not
//! count, and says so. Systems that are not installed are named as missing.
//!
//! Deliberately compares nothing that is not durable, and never tunes our side alone.

mod arguments;
mod bench;
mod ceiling;
mod crash_row;
mod device;
mod figure;
mod greeting;
mod instructions;
mod peers;
mod report;
mod row;
mod scenario;
mod stages;
mod tls;
mod volatile;

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser as _;
use claw_dataplane::simulate::client::system;

use crate::arguments::{Arguments, Child};
use crate::bench::{Bench, say};
use crate::ceiling::Tongue;
use crate::crash_row::CrashRow;
use crate::report::{Results, write_json};
use crate::scenario::notices;

/// The node's: what is large lies in huge pages here as there.
#[cfg(not(test))]
#[global_allocator]
static ALLOCATOR: claw_dataplane::buffer::LargePages = claw_dataplane::buffer::LargePages;

#[cfg(test)]
#[global_allocator]
static ALLOCATOR: stages::Counting = stages::Counting;

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let Child { subject, until, count, echo, .. } = &arguments.child;
    if let (Some(subject), Some(stage), Some(count)) = (*subject, *until, *count) {
        stages::serve_once(subject, stage, count)?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(grown) = arguments.child.grown() {
        return grown.serve().map(|()| ExitCode::SUCCESS);
    }
    if let Some(cores_count) = arguments.child.cores {
        return stages::cores::serve(cores_count).map(|()| ExitCode::SUCCESS);
    }
    if let (Some(function), Some(count)) = (arguments.child.function, arguments.child.calls) {
        function.call(count);
        return Ok(ExitCode::SUCCESS);
    }
    system::raise_open_files().context("raise the limit of open files")?;
    if let Some(kind) = *echo {
        let secret = arguments.child.secret.clone();
        let tongue = secret.map_or(Tongue::Http, |secret| Tongue::Wire { secret });
        ceiling::serve(kind, &tongue, arguments.child.folder.as_deref())?;
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.stages {
        return measure_stages(&arguments);
    }
    if arguments.instructions {
        return count_instructions(&arguments);
    }
    // Before anything is written: the results may go to the same file.
    let old = arguments.compare.as_deref().map(report::read_numbers).transpose()?;
    if let (Some(old), Some(new)) = (&old, &arguments.measured) {
        report::compare(&mut std::io::stdout().lock(), &report::read_numbers(new)?, old)?;
        return Ok(ExitCode::SUCCESS);
    }
    let bench = arguments.bench()?;
    if arguments.notices {
        return measure_notices(&bench, &arguments);
    }
    let mut results = Results::begin(&bench)?;
    for scenario in arguments.scenarios() {
        scenario.measure(&bench, &mut results)?;
    }
    report::write_table(&mut std::io::stdout().lock(), &results)?;
    write_json(&arguments.json, &results)?;
    report::write_report(&arguments.report, &results)?;
    if let Some(old) = &old {
        let new = report::read_numbers(&arguments.json)?;
        report::compare(&mut std::io::stdout().lock(), &new, old)?;
        return Ok(ExitCode::SUCCESS);
    }
    for failure in results.crashes.iter().filter_map(CrashRow::failure) {
        say(&failure)?;
    }
    Ok(if results.all_count() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn measure_notices(bench: &Bench, arguments: &Arguments) -> Result<ExitCode> {
    let results = notices::measure(bench)?;
    notices::write(&mut std::io::stdout().lock(), &results)?;
    write_json(&arguments.json, &results)?;
    Ok(ExitCode::SUCCESS)
}

fn count_instructions(arguments: &Arguments) -> Result<ExitCode> {
    let counts = instructions::measure()?;
    instructions::write(&mut std::io::stdout().lock(), &counts, &instructions::baseline()?)?;
    write_json(&arguments.json, &counts)?;
    if let Some(path) = &arguments.keep {
        instructions::keep(&counts, path)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn measure_stages(arguments: &Arguments) -> Result<ExitCode> {
    let results = stages::measure(arguments.smoke)?;
    stages::write(&mut std::io::stdout().lock(), &results)?;
    write_json(&arguments.json, &results)?;
    Ok(ExitCode::SUCCESS)
}
