//! `claw audit`: was anything sold twice, lost or conjured up?
//!
//! Replays the whole log, archive included, into `books` that share no code with the shards that
//! wrote it, and checks after every record: `on_hand = received - removed - sold`, `available =
//! on_hand - held`, nothing negative; each hold ends once; no coupon is used beyond its limit. At
//! the end what products count as held must be what holds, orders and reservations hold.
//!
//! With `--full` the log itself is audited as well: see `full`.
//!
//! Works beside a running node, up to what is readable. What shards owe each other is judged only
//! when no node runs, since then nothing is under way that the log does not say.
//! Deliberately needs the whole history: with `retention = "discard"` there is none.

mod books;
mod full;
mod live;

use std::fmt::Write as _;
use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use claw_core::shard::event::Event;
use serde_json::{Value, json};

use super::log::source::Source;
use super::output;
use super::output::public_key;
use crate::log::ReadError;
use books::{Books, Stock};
use full::{FullReport, Promised, Said};

/// Replay the log and check every SKU, hold and coupon.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  claw audit --store shop
  claw audit --store shop --json | jq .oversold
  claw audit --store shop --full --node-key node.pub
  claw audit --store shop --full --node http://127.0.0.1:7070

--full also checks, over the whole log with its archive: checksums and chains, every ed25519
signature in a record, every signed checkpoint against a tree built anew, every snapshot against a
replay. With --node the running node is asked, too, for a hash of each shard's state, and the replay
must come to the same; shards that hold too much to be hashed while they serve are named, and are no
finding. Exit code 0 when all of it holds, 1 with the first finding of each part
named.")]
pub struct AuditArgs {
    /// The store's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    store: PathBuf,
    /// Also check chains, signatures, checkpoints and states
    #[arg(long)]
    full: bool,
    /// The node's public key: a file, or base64 [default: as the store names it]
    #[arg(long, value_name = "FILE|BASE64", requires = "full")]
    node_key: Option<String>,
    /// A running node of the store, whose live state the replay must equal
    #[arg(long, value_name = "URL", requires = "full")]
    node: Option<String>,
    /// The operator's key to ask the node with
    #[arg(long, value_name = "NAME", default_value = "operator", requires = "node")]
    key: String,
    /// Whom to trust on https, PEM; without it those this system trusts
    #[arg(long, value_name = "FILE", requires = "node")]
    ca: Option<PathBuf>,
    /// Print the answer as JSON, every SKU in it
    #[arg(long)]
    json: bool,
}

/// Audits a store.
pub fn run(args: &AuditArgs) -> anyhow::Result<ExitCode> {
    // Asked and read first: what is said by then is durable, so the log that is read has it.
    let asked = args.node.as_deref().map(|url| live::ask(args, url)).transpose()?;
    let live = asked.unwrap_or_default();
    let said =
        if args.full { Some(Said { promised: Promised::read(&args.store)?, live }) } else { None };
    let source = match Source::open(&args.store) {
        Err(error) if args.full && error.downcast_ref::<ReadError>().is_some() => {
            return tell_damage(args, &error);
        }
        opened => opened?,
    };
    let quiet = !node_runs(&source.paths.data);
    let report =
        audit(&source, quiet).with_context(|| format!("auditing {}", args.store.display()))?;
    let public = args.node_key.as_deref().map(|key| public_key("--node-key", key)).transpose()?;
    let full = said.map(|said| full::audit(&source, &args.store, public, said)).transpose()?;
    if args.json {
        let mut object = report.object();
        if let Some(full) = &full {
            object["full"] = full.object();
        }
        output::json(&object)?;
    } else {
        let lines = full.iter().flat_map(FullReport::lines).map(|line| line + "\n");
        let text = report.text() + &lines.collect::<String>();
        output::data(text.trim_end())?;
    }
    let holds = report.books.balance() && full.is_none_or(|full| full.holds());
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A log that cannot be read leaves nothing else to be judged.
fn tell_damage(args: &AuditArgs, error: &anyhow::Error) -> anyhow::Result<ExitCode> {
    let report = FullReport::unreadable(format!("{error:#}"));
    if args.json {
        output::json(&json!({ "full": report.object() }))?;
    } else {
        output::data(&report.lines().join("\n"))?;
    }
    Ok(ExitCode::FAILURE)
}

/// Whether a node has the data folder locked.
fn node_runs(data: &Path) -> bool {
    File::open(data).is_ok_and(|folder| folder.try_lock_shared().is_err())
}

/// What the audit found.
#[derive(Debug)]
struct Report {
    books: Books,
    positions: Vec<u64>,
    records_count: u64,
    quiet: bool,
}

fn audit(source: &Source, quiet: bool) -> anyhow::Result<Report> {
    let shards_count = source.tails[0].superblock.shape.shards_count;
    let mut books = Books::new(shards_count);
    let mut chains = source.chains();
    let mut records_count = 0;
    let mut undecodable = None;
    let flow = source.log.replay(&source.tails, &mut chains, &mut |_, record| {
        let header = record.header;
        records_count += 1;
        match Event::decode(header.kind.get(), header.event_version.get(), record.event) {
            Ok(event) => {
                books.take(record.shard, record.sequence, &event);
                ControlFlow::Continue(())
            }
            Err(error) => {
                let place = format!("shard {} record {}", record.shard, record.sequence);
                undecodable = Some(anyhow::Error::from(error).context(place));
                ControlFlow::Break(())
            }
        }
    });
    if let Some(error) = undecodable {
        return Err(error);
    }
    let _flow: ControlFlow<()> = flow?;
    books.close(quiet);
    let positions = chains.tails().iter().map(|tail| tail.sequence).collect();
    Ok(Report { books, positions, records_count, quiet })
}

impl Report {
    fn text(&self) -> String {
        let mut text = String::new();
        let total = self.books.total();
        let positions: Vec<_> =
            self.positions.iter().enumerate().map(|(s, p)| format!("{s}:{p}")).collect();
        let lines = [
            format!("records   {} up to {}", self.records_count, positions.join(",")),
            format!(
                "skus      {}: received {} - removed {} = available {} + held {} + sold {}",
                self.books.skus().count(),
                total.received,
                total.removed,
                total.available(),
                total.held,
                total.sold
            ),
            format!("holds     {}", self.books.holds()),
            format!("orders    {}", self.books.orders()),
            format!("coupons   {}", self.books.coupons()),
        ];
        for line in lines {
            // Writing to a String cannot fail.
            writeln!(text, "{line}").ok();
        }
        if !self.quiet {
            writeln!(text, "a node runs: what shards owe each other was not judged").ok();
        }
        for finding in self.books.findings() {
            writeln!(text, "finding: {finding}").ok();
        }
        let beyond = self.books.findings_count() - self.books.findings().len();
        if beyond > 0 {
            writeln!(text, "and {beyond} findings more").ok();
        }
        writeln!(text, "oversold: {}", self.books.oversold()).ok();
        text
    }

    fn object(&self) -> Value {
        let line = |stock: &Stock| {
            json!({
                "received": stock.received,
                "removed": stock.removed,
                "available": stock.available(),
                "held": stock.held,
                "sold": stock.sold,
            })
        };
        let skus: serde_json::Map<String, Value> =
            self.books.skus().map(|(sku, stock)| (sku.to_owned(), line(stock))).collect();
        json!({
            "balanced": self.books.balance(),
            "oversold": self.books.oversold(),
            "records": self.records_count,
            "positions": self.positions,
            "node_runs": !self.quiet,
            "total": line(&self.books.total()),
            "skus": skus,
            "holds": self.books.holds().to_json(),
            "orders": self.books.orders().to_json(),
            "coupons": self.books.coupons().to_json(),
            "findings_count": self.books.findings_count(),
            "findings": self.books.findings(),
        })
    }
}

#[cfg(test)]
mod tests;
