//! `claw export`: everything a store's log holds of one subject, personal data opened.
//!
//! For the shopper who asks what is kept, and for the one who must answer. Reads the log and its
//! archive, beside a running node too. What was forgotten is shown as `forgotten`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::log::Form;
use super::log::render;
use super::log::source::Source;
use super::output;
use super::subject::Belongings;

/// Print everything of one subject: its carts, holds and orders, personal data opened.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  claw export s-4711 --store shop
  claw export s-4711 --store shop --json > s-4711.json

The subject is the shopper's session. Exit code 1 when the log has nothing of it.")]
pub struct ExportArgs {
    /// The shopper's session
    subject: String,
    /// The store's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    store: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Exports a subject.
pub fn run(args: &ExportArgs) -> anyhow::Result<ExitCode> {
    let source = Source::open(&args.store)?;
    let reader = source.reader(&args.store, true)?;
    let keys = reader.keys().expect("a reader that opens has keys");
    let belongings = Belongings::find(&source, &args.subject, keys)?;
    let form = Form::of_export(reader, args.json).for_store(&args.store);
    let (mut lines, mut records): (Vec<String>, Vec<Value>) = (Vec::new(), Vec::new());
    belongings.records(&source, &mut |found| {
        if args.json {
            records.push(render::object(&form, found.block, found.record));
        } else {
            lines.push(render::line(&form, found.block, found.record));
        }
        Ok(())
    })?;
    let known = !(lines.is_empty() && records.is_empty());
    if args.json {
        output::json(&json!({
            "subject": args.subject,
            "carts": texts(&belongings.carts),
            "holds": texts(&belongings.holds),
            "orders": texts(&belongings.orders),
            "records": records,
        }))?;
    } else if known {
        output::data(&lines.join("\n"))?;
    } else {
        output::talk("the log has nothing of this subject");
    }
    Ok(if known { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn texts(ids: &std::collections::BTreeSet<claw_common::id::Id>) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}
