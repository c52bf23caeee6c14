//! `claw saga`: the sagas of a running node's orders, shown, retried, parked.
//!
//! Owns the asking and the drawing; what a saga is, and what may be done to it, is the node's.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use claw_sdk::{Client, Signer, Trust};
use serde_json::{Value, json};

use super::output;
use crate::config::{Config, Overrides};

/// Sagas in one page of a list.
const PAGE_COUNT: usize = 200;

/// Look after the sagas of orders: what each has done, what it waits for, what is parked.
#[derive(Args, Debug)]
pub struct SagaArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List sagas that have not ended
    #[command(after_help = "\
Examples:
  claw saga list --store shop
  claw saga list --store shop --parked --json

Exit code 1 when there is none.")]
    List {
        #[command(flatten)]
        node: NodeArgs,
        /// Only those that wait for somebody to retry them
        #[arg(long)]
        parked: bool,
    },
    /// Draw an order's saga
    #[command(after_help = "\
Examples:
  claw saga show 01a21883-e0cf-7360-a1a4-1a97e4ed0000 --store shop")]
    Show {
        #[command(flatten)]
        node: NodeArgs,
        /// The order
        order: String,
    },
    /// Try a parked saga again, from its first attempt
    #[command(after_help = "\
Examples:
  claw saga retry 01a21883-e0cf-7360-a1a4-1a97e4ed0000 --store shop")]
    Retry {
        #[command(flatten)]
        node: NodeArgs,
        /// The order
        order: String,
    },
    /// Leave a saga alone until it is retried; its deadline still counts
    #[command(after_help = "\
Examples:
  claw saga park 01a21883-e0cf-7360-a1a4-1a97e4ed0000 --store shop")]
    Park {
        #[command(flatten)]
        node: NodeArgs,
        /// The order
        order: String,
    },
}

#[derive(Args, Debug)]
struct NodeArgs {
    /// The store's folder, for its keys
    #[arg(long, value_name = "DIR", default_value = ".")]
    store: PathBuf,
    /// The node; by default where store.toml has it listen
    #[arg(long, value_name = "URL")]
    node: Option<String>,
    /// The operator's key that asks
    #[arg(long, value_name = "NAME", default_value = "operator")]
    key: String,
    /// Certificates to believe instead of the system's, PEM
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the verb.
pub fn run(args: &SagaArgs) -> Result<ExitCode> {
    match &args.what {
        What::List { node, parked } => list(node, *parked),
        What::Show { node, order } => one(node, "GET", &format!("/v1/sagas/{order}")),
        What::Retry { node, order } => one(node, "POST", &format!("/v1/sagas/{order}/retry")),
        What::Park { node, order } => one(node, "POST", &format!("/v1/sagas/{order}/park")),
    }
}

fn config(args: &NodeArgs) -> Result<Config> {
    Ok(Config::load(&args.store, &Overrides::from_environment())?)
}

fn client(args: &NodeArgs, config: &Config) -> Result<Client> {
    let url = args.node.clone().unwrap_or_else(|| format!("http://{}", config.node.listen));
    let mut client = Client::new(&url, Some(Signer::load(&args.store, &args.key)?))?;
    if let Some(path) = &args.ca {
        client.set_trust(Trust::file(path)?);
    }
    Ok(client)
}

fn ask(client: &mut Client, method: &str, target: &str) -> Result<Value> {
    let answer = client.request(method, target, b"")?;
    let body = answer.json();
    if answer.status != 200 {
        let said = body["detail"].as_str().or_else(|| body["title"].as_str()).unwrap_or_default();
        bail!("{method} {target}: {}: {said}", answer.status);
    }
    Ok(body)
}

fn one(args: &NodeArgs, method: &str, target: &str) -> Result<ExitCode> {
    let config = config(args)?;
    let saga = ask(&mut client(args, &config)?, method, target)?;
    if args.json {
        output::json(&saga)?;
    } else {
        output::data(&drawn(&saga))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn list(args: &NodeArgs, parked: bool) -> Result<ExitCode> {
    let config = config(args)?;
    let mut client = client(args, &config)?;
    let mut sagas = Vec::new();
    for shard in 0..config.store.shards {
        let mut after = String::new();
        loop {
            let from = if after.is_empty() { String::new() } else { format!("&after={after}") };
            let target =
                format!("/v1/shards/{shard}/sagas?limit={PAGE_COUNT}&parked={parked}{from}");
            let page = ask(&mut client, "GET", &target)?;
            sagas.extend(page["sagas"].as_array().cloned().unwrap_or_default());
            match page["next"].as_str() {
                Some(next) => next.clone_into(&mut after),
                None => break,
            }
        }
    }
    if args.json {
        output::json(&json!({ "sagas": sagas }))?;
    } else {
        for saga in &sagas {
            output::data(&line(saga))?;
        }
        output::talk(&format!("{} sagas have not ended", sagas.len()));
    }
    Ok(if sagas.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn text<'a>(saga: &'a Value, name: &str) -> &'a str {
    saga[name].as_str().unwrap_or("-")
}

/// One saga in a list.
fn line(saga: &Value) -> String {
    let parked = if saga["parked"] == true { " PARKED" } else { "" };
    format!(
        "{} {:<15} {} {} at {}{parked}, attempts {}, {}",
        text(saga, "order_id"),
        text(saga, "state"),
        text(saga, "saga"),
        text(saga, "course"),
        text(saga, "step"),
        saga["attempts"],
        text(saga, "code"),
    )
}

/// A saga as a picture: each step with what became of it.
fn drawn(saga: &Value) -> String {
    let mut picture = format!(
        "order {}: {} ({} {})\n",
        text(saga, "order_id"),
        text(saga, "state"),
        text(saga, "saga"),
        text(saga, "course"),
    );
    for step in saga["steps"].as_array().map_or(&[][..], Vec::as_slice) {
        let is = text(step, "is");
        let sign = match is {
            "done" => "[x]",
            "undone" => "[<]",
            "under way" | "to be undone" => "[>]",
            "parked" => "[!]",
            _ => "[ ]",
        };
        // A String takes every byte.
        writeln!(picture, "  {sign} {:<10} {is}", text(step, "step")).ok();
    }
    for (name, about) in [
        ("reason", "why"),
        ("code", "the gateway said"),
        ("intent", "payment"),
        ("due_at", "tried again at"),
        ("deadline_at", "deadline"),
    ] {
        if let Some(value) = saga[name].as_str() {
            writeln!(picture, "  {about}: {value}").ok();
        }
    }
    if saga["parked"] == true {
        writeln!(picture, "  parked: look at the gateway, then `claw saga retry`").ok();
    }
    picture.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saga_is_drawn_step_by_step() {
        let saga = json!({
            "order_id": "o1", "state": "cancelled", "saga": "checkout", "course": "unwinding",
            "parked": true, "attempts": 2, "step": "authorize", "code": "timeout",
            "reason": "payment-unavailable", "deadline_at": "2026-11-26T12:00:00.000Z",
            "steps": [
                {"step": "reserve", "is": "undone"},
                {"step": "authorize", "is": "parked"},
                {"step": "capture", "is": "not done"},
            ],
        });
        let expected = "\
order o1: cancelled (checkout unwinding)
  [<] reserve    undone
  [!] authorize  parked
  [ ] capture    not done
  why: payment-unavailable
  the gateway said: timeout
  deadline: 2026-11-26T12:00:00.000Z
  parked: look at the gateway, then `claw saga retry`";
        assert_eq!(drawn(&saga), expected);
        let listed =
            "o1 cancelled       checkout unwinding at authorize PARKED, attempts 2, timeout";
        assert_eq!(line(&saga), listed);
    }
}
