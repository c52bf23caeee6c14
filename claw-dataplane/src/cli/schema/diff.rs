//! `claw schema diff`: may a store go on with another State-Schema?
//!
//! Comparing is the core's; here both sides are found and the changes printed, for people by event
//! type, for programs as they are.

use std::path::Path;
use std::process::ExitCode;

use claw_core::schema::{Change, CompiledSchema, Verdict, compare};
use serde_json::{Value, json};

use super::DiffArgs;
use crate::cli::output::{self, UsageError};
use crate::config::load_schema_at;

pub(super) fn run(args: &DiffArgs) -> anyhow::Result<ExitCode> {
    let (old, new) = (load(&args.old)?, load(&args.new)?);
    let changes = compare(&old, &new);
    let holds = changes
        .iter()
        .all(|change| change.verdict.holds() && !(args.clients && change.clients.is_some()));
    if args.json {
        let rows: Vec<_> = changes.iter().map(describe).collect();
        output::json(&json!({
            "old_version": old.version(),
            "new_version": new.version(),
            "holds": holds,
            "changes": rows,
        }))?;
    } else {
        changes.iter().try_for_each(|change| output::data(&line(change)))?;
        output::talk(&summary(&changes));
    }
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What cannot be compared is wrong usage: the answer is neither yes nor no.
fn load(place: &Path) -> Result<CompiledSchema, UsageError> {
    load_schema_at(place).map_err(|error| {
        let cause = std::error::Error::source(&error);
        let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
        UsageError(format!("{error}{cause}"))
    })
}

fn line(change: &Change) -> String {
    let Change { event, member, verdict, reason, clients } = change;
    let dot = if event.is_empty() || member.is_empty() { "" } else { "." };
    let place = if event.is_empty() { "schema" } else { event };
    let word = match verdict {
        Verdict::Compatible => "compatible",
        Verdict::Covered => "covered",
        Verdict::UpcasterMissing => "UPCASTER",
        Verdict::Breaking => "BREAKING",
    };
    let clients = clients.as_ref().map(|text| format!(" (clients: {text})")).unwrap_or_default();
    format!("{word:<10}  {place}{dot}{member}: {reason}{clients}")
}

fn describe(change: &Change) -> Value {
    json!({
        "event": change.event,
        "member": change.member,
        "verdict": change.verdict.name(),
        "reason": change.reason,
        "clients": change.clients,
    })
}

fn summary(changes: &[Change]) -> String {
    let count = |verdict| changes.iter().filter(|change| change.verdict == verdict).count();
    if changes.is_empty() {
        return "nothing changes".to_owned();
    }
    format!(
        "{} compatible, {} covered by upcasters, {} without the upcaster they need, {} breaking",
        count(Verdict::Compatible),
        count(Verdict::Covered),
        count(Verdict::UpcasterMissing),
        count(Verdict::Breaking),
    )
}
