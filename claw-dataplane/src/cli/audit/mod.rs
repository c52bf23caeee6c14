//! `claw audit`: was anything sold twice, lost or conjured up?
//!
//! Replays the whole log, archive included, into `books` that share no code with the shards that
//! wrote it, and checks after every record: `on_hand = received - removed - sold`, `available =
//! on_hand - held`, nothing negative; each hold ends once; no coupon is used beyond its limit. At
//! the end what products count as held must be what holds, orders and reservations hold.
//!
//! Works beside a running node, up to what is readable. What shards owe each other is judged only
//! when no node runs, since then nothing is under way that the log does not say.
//! Deliberately needs the whole history: with `retention = "discard"` there is none.

mod books;

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
use books::{Books, Stock};

/// Replay the log and check every SKU, hold and coupon.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  claw audit --store shop
  claw audit --store shop --json | jq .oversold

Exit code 0 when the books balance, 1 when they do not.")]
pub struct AuditArgs {
    /// The store's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    store: PathBuf,
    /// Print the answer as JSON, every SKU in it
    #[arg(long)]
    json: bool,
}

/// Audits a store.
pub fn run(args: &AuditArgs) -> anyhow::Result<ExitCode> {
    let source = Source::open(&args.store)?;
    let quiet = !node_runs(&source.paths.data);
    let report =
        audit(&source, quiet).with_context(|| format!("auditing {}", args.store.display()))?;
    if args.json {
        output::json(&report.object())?;
    } else {
        output::data(report.text().trim_end())?;
    }
    Ok(if report.books.balance() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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
