//! `claw log`: what is in a store's log, read in place, also while a node runs.
//!
//! Owns the arguments. Each sub-verb is a file; `source` opens the store, `render` makes an
//! event readable. Nothing here changes a store.

mod checkpoints;
mod compare;
pub(super) mod render;
mod show;
pub(super) mod source;
mod stats;
mod tail;
mod today;
mod verify;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use today::Today;

use crate::subjects::Reader;

/// Read a store's log.
#[derive(Args, Debug)]
pub struct LogArgs {
    #[command(subcommand)]
    verb: LogVerb,
}

#[derive(Debug, Subcommand)]
enum LogVerb {
    Show(ShowArgs),
    Tail(TailArgs),
    Verify(VerifyArgs),
    Checkpoints(CheckpointsArgs),
    Stats(StatsArgs),
    Compare(CompareArgs),
}

/// Print records, each shard in its order.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  claw log show --store shop
  claw log show --store shop --shard 0 --from 100 --to 120 --vectors
  claw log show --store shop --kind order-created --open
  claw log show --store shop --kind hold-granted --json | jq .fields.items
  claw log show --store shop --type return-received --json | jq .fields.members

Events of the store's own are read by the State-Schema of today: those of older versions too.")]
struct ShowArgs {
    /// The store's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    store: PathBuf,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    form: Form,
}

/// Print the newest records.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  claw log tail --store shop
  claw log tail --store shop --follow --kind order-placed

Follows what is durable: a record is printed once a later block says that its block is.")]
struct TailArgs {
    /// The store's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    store: PathBuf,
    /// How many records of each shard to begin with
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    count: u64,
    /// Go on with what a running node appends
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    form: Form,
}

/// Check every block: chains, checksums, sequences, and that every event can be read.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  claw log verify --store shop
  claw log verify --store shop --json | jq .whole

Exit code 0 when all is whole, 1 with the first damage named.")]
struct VerifyArgs {
    /// The store's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    store: PathBuf,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

/// List the signed checkpoints, or prove that one contains another.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  claw log checkpoints --store shop
  claw log checkpoints --store shop --shard 0 --json
  claw log checkpoints --store shop --shard 0 --from 120 > later.json
  claw log checkpoints --store shop --shard 0 --from 120 --to 360 > between.json

With --from the proof is printed that a later checkpoint contains the one of that size, for
`claw verify --later` and `claw verify --consistency`. Exit code 1 when there is no such one.")]
struct CheckpointsArgs {
    /// The store's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    store: PathBuf,
    /// Only this shard's
    #[arg(long, value_name = "N")]
    shard: Option<u16>,
    /// Prove from the checkpoint with this many records
    #[arg(long, value_name = "SIZE", requires = "shard")]
    from: Option<u64>,
    /// Up to the checkpoint with this many records [default: the last]
    #[arg(long, value_name = "SIZE", requires = "from")]
    to: Option<u64>,
    /// Print the list as JSON
    #[arg(long)]
    json: bool,
}

/// Count what is in the log.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  claw log stats --store shop
  claw log stats --store shop --json | jq .kinds")]
struct StatsArgs {
    /// The store's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    store: PathBuf,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

/// Tell which of two events could have known of the other.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  claw log compare --store shop 0:41 1:7
  claw log compare --store shop 0:41 1:7 --json | jq .relation

Says before, after or concurrent, and what only one of the two had seen, from the version vectors
in the log. It does not say who was first in a sale: that is the position in the SKU's own log.")]
struct CompareArgs {
    /// An event, as SHARD:SEQUENCE
    #[arg(value_name = "POSITION")]
    first: String,
    /// Another
    #[arg(value_name = "POSITION")]
    second: String,
    /// The store's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    store: PathBuf,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

/// Which records.
#[derive(Args, Clone, Debug, Default)]
struct Filter {
    /// Only this shard's
    #[arg(long, value_name = "N")]
    shard: Option<u16>,
    /// From this sequence on
    #[arg(long, value_name = "SEQ")]
    from: Option<u64>,
    /// Up to this sequence
    #[arg(long, value_name = "SEQ")]
    to: Option<u64>,
    /// Only this kind of event, such as hold-granted
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Only events of this type of the store's own, such as return-received
    #[arg(long = "type", value_name = "TYPE")]
    own_type: Option<String>,
}

/// How records are printed.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Form {
    /// One JSON object for each record
    #[arg(long)]
    json: bool,
    /// Add each record's version vector
    #[arg(long)]
    vectors: bool,
    /// Show events of the store's own as they were written, older versions as such
    #[arg(long)]
    as_written: bool,
    /// What reads events of the store's own, unless they are shown as written
    #[arg(skip)]
    today: Today,
    /// Open personal data, with the store's subjects/keys
    #[arg(long)]
    open: bool,
    /// What opens personal data, or says what it is
    #[arg(skip)]
    reader: Reader,
}

impl Form {
    /// This form, with the schema of the store that is read.
    pub(super) fn for_store(&self, store: &Path) -> Self {
        let today = if self.as_written { Today::default() } else { Today::load(store) };
        Self { today, ..self.clone() }
    }

    /// The form of an export: whole records, opened.
    pub(super) fn of_export(reader: Reader, json: bool) -> Self {
        Self { json, reader, ..Self::default() }
    }

    /// This form, with the keys of subjects of the store that is read.
    fn with_keys(self, source: &source::Source, store: &Path) -> anyhow::Result<Self> {
        Ok(Self { reader: source.reader(store, self.open)?, ..self })
    }
}

/// Runs the sub-verb.
pub fn run(args: LogArgs) -> anyhow::Result<ExitCode> {
    match args.verb {
        LogVerb::Show(args) => show::run(&args),
        LogVerb::Tail(args) => tail::run(&args),
        LogVerb::Verify(args) => verify::run(&args),
        LogVerb::Checkpoints(args) => checkpoints::run(&args),
        LogVerb::Stats(args) => stats::run(&args),
        LogVerb::Compare(args) => compare::run(&args),
    }
}

#[cfg(test)]
pub(super) mod tests;
