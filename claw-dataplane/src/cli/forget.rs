//! `claw forget`: a subject's personal data made unreadable, wherever copies of the log lie.
//!
//! Finds the keys that the log's sealed values of the subject were sealed with, destroys them in
//! `subjects/keys`, and leaves the log as it is. A running node takes the change over within a
//! second and writes an event that says so; otherwise its next start does. What forgetting proves
//! and what not is in the docs for operators.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::Args;
use claw_core::shard::event::{Event, FieldValue};
use serde_json::json;

use super::log::source::Source;
use super::output::{self, UsageError};
use super::subject::{Belongings, decode, each};
use crate::node::clock::read_utc_ms;
use crate::subjects::{BY_BYTES_MAX, Forgotten, Subject, SubjectKeys, file, subject_digest};

/// Destroy the keys of a subject's personal data. There is no way back.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  claw forget s-4711 --store shop --dry-run
  claw forget s-4711 --store shop --by 'privacy desk'
  claw forget --again --store shop

The subject is the shopper's session. Exit code 1 when the log has nothing of it that could be
opened. Backups of subjects/keys bring forgotten data back: after one was restored, --again forgets
what the log says was forgotten.")]
pub struct ForgetArgs {
    /// The shopper's session
    #[arg(required_unless_present = "again")]
    subject: Option<String>,
    /// The store's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    store: PathBuf,
    /// Who asks, for the log; by default the system's user
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Only say what would be forgotten
    #[arg(long)]
    dry_run: bool,
    /// Forget anew what the log says was forgotten and a restored key file has again
    #[arg(long, conflicts_with_all = ["subject", "dry_run"])]
    again: bool,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

/// What was, or would be, forgotten.
#[derive(Debug, Default)]
struct Outcome {
    records_count: usize,
    leaves: BTreeSet<u64>,
}

/// Forgets a subject.
pub fn run(args: &ForgetArgs) -> anyhow::Result<ExitCode> {
    let source = Source::open(&args.store)?;
    let keys = file::load(&args.store, source.store_id())?;
    let missing = || format!("read {}: it is not there", file::path(&args.store).display());
    let keys = keys.with_context(missing)?;
    let by = by(args)?;
    if args.again {
        return again(args, &source, &keys);
    }
    let name = args.subject.as_deref().unwrap_or_default();
    let outcome = look(&source, name, &keys)?;
    if !outcome.leaves.is_empty() && !args.dry_run {
        let gone: Vec<u64> = outcome.leaves.iter().copied().collect();
        let note =
            Forgotten { subject: subject_digest(name), at_ms: read_utc_ms(), keys_count: 0, by };
        file::rewrite(&args.store, source.store_id(), |keys| {
            keys.forget(&gone, note);
            true
        })?;
    }
    tell(args, &outcome)?;
    Ok(if outcome.leaves.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The subject's own present key, and those of its things that something was sealed with.
fn look(source: &Source, name: &str, keys: &SubjectKeys) -> anyhow::Result<Outcome> {
    let belongings = Belongings::find(source, name, keys)?;
    let mut outcome = Outcome::default();
    belongings.records(source, &mut |found| {
        outcome.records_count += 1;
        let live = found.leaves.iter().filter(|leaf| keys.reaches(**leaf));
        outcome.leaves.extend(live);
        Ok(())
    })?;
    if !outcome.leaves.is_empty() {
        outcome.leaves.extend(keys.address_now(&Subject::Person(name)));
    }
    Ok(outcome)
}

fn tell(args: &ForgetArgs, outcome: &Outcome) -> anyhow::Result<()> {
    let Outcome { records_count, leaves } = outcome;
    if args.json {
        output::json(&json!({
            "records": records_count,
            "keys": leaves.len(),
            "forgotten": !leaves.is_empty() && !args.dry_run,
        }))?;
        return Ok(());
    }
    let count = leaves.len();
    let said = match (count, args.dry_run) {
        (0, _) => format!("nothing of {records_count} records can be opened: nothing to forget"),
        (_, true) => format!("{count} keys would be destroyed; {records_count} records stay"),
        (_, false) => format!("{count} keys destroyed; {records_count} records stay, unreadable"),
    };
    output::data(&said)?;
    if count > 0 && !args.dry_run {
        output::talk("a running node notices within a second; destroy backups of subjects/keys");
    }
    Ok(())
}

/// Who asks.
fn by(args: &ForgetArgs) -> anyhow::Result<String> {
    let user = || std::env::var("USER").ok();
    let by = args.by.clone().or_else(user).unwrap_or_else(|| "unknown".to_owned());
    if by.len() > BY_BYTES_MAX {
        return Err(UsageError(format!("--by takes at most {BY_BYTES_MAX} bytes")).into());
    }
    Ok(by)
}

/// Forgets what the log says was forgotten beyond what the key file knows, in the log's order.
fn again(args: &ForgetArgs, source: &Source, keys: &SubjectKeys) -> anyhow::Result<ExitCode> {
    let known = u64::try_from(keys.forgotten().len())?;
    let mut logged = BTreeMap::new();
    let mut names = BTreeMap::new();
    each(source, &mut |_, record| {
        let Some(event) = decode(record) else { return Ok(()) };
        if let Event::SubjectForgotten(gone) = event
            && gone.number > known
        {
            logged.insert(gone.number, (gone.subject, gone.at_ms, gone.by.to_owned()));
        }
        event.fields(&mut |field, value| {
            if let (FieldValue::Text(name), "session") = (value, field) {
                names.entry(subject_digest(name)).or_insert_with(|| name.to_owned());
            }
        });
        Ok(())
    })?;
    let count = logged.len();
    for (expected, (number, (subject, at_ms, by))) in (known + 1..).zip(logged) {
        ensure!(number == expected, "the log does not tell of forgotten subject {expected}");
        let newest = file::load(&args.store, source.store_id())?.context("the key file is gone")?;
        let found = names.get(&subject).map(|name| look(source, name, &newest)).transpose()?;
        if found.is_none() {
            output::talk("a subject that was forgotten is in no record any more");
        }
        let gone: Vec<u64> = found.unwrap_or_default().leaves.into_iter().collect();
        file::rewrite(&args.store, source.store_id(), |keys| {
            keys.forget(&gone, Forgotten { subject, at_ms, keys_count: 0, by });
            true
        })?;
    }
    if args.json {
        output::json(&json!({ "subjects": count }))?;
    } else {
        output::data(&format!("{count} subjects forgotten again"))?;
    }
    Ok(ExitCode::SUCCESS)
}
