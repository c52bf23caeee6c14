//! `claw gateway`: a payment gateway that moves no money.
//!
//! Owns the flags; `gateway` does the rest.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::gateway::{self, Manners};

use super::output;

/// Run a local payment gateway that speaks Stripe's API and moves no money.
///
/// It declines, fails, loses answers and sends webhooks as it is told, so that a store can be tried
/// against all of that. `GET /ledger` lists every payment and its state.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  claw gateway
  claw gateway --listen 127.0.0.1:7090 --decline 0.2 --lose-answers 0.05 --fail 0.02
  curl http://127.0.0.1:7090/ledger

Cards: pm_card_visa is good, pm_card_chargeDeclined is not, pm_card_authenticationRequired asks the
shopper first: POST /v1/payment_intents/ID/act ends that.")]
pub struct GatewayArgs {
    /// Address and port; port 0 takes a free one and says which
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7090")]
    listen: SocketAddr,
    /// Share of authorisations that are declined
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    decline: f64,
    /// Share of calls that are done and whose answer never comes
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    lose_answers: f64,
    /// Share of calls that are answered 500, half of them before anything was done
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    fail: f64,
    /// Share of authorisations that the shopper must act on
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    require_action: f64,
    /// How long a call takes
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency_ms: u64,
    /// Share of webhooks that are sent twice
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    duplicate_webhooks: f64,
    /// Share of webhooks that are sent after later ones
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    reorder_webhooks: f64,
    /// Share of webhooks that come seconds late
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    late_webhooks: f64,
    /// Share of webhooks before which a forged one is sent
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    forge_webhooks: f64,
    /// Where webhooks are sent; nowhere when it is not given
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,
    /// What all of this is drawn from; fresh when it is not given
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// File that the ledger is kept in; memory only when it is not given
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// End with the process that started it
    #[arg(long)]
    supervised: bool,
}

/// Runs the verb.
pub fn run(args: GatewayArgs) -> Result<ExitCode> {
    if args.supervised {
        crate::runtime::vault::end_with_parent();
    }
    gateway::run(
        Manners {
            decline: args.decline,
            lose_answers: args.lose_answers,
            fail: args.fail,
            require_action: args.require_action,
            latency_ms: args.latency_ms,
            duplicate_webhooks: args.duplicate_webhooks,
            reorder_webhooks: args.reorder_webhooks,
            late_webhooks: args.late_webhooks,
            forge_webhooks: args.forge_webhooks,
            webhook_url: args.webhook_url,
            api_key: std::env::var("CLAW_GATEWAY_API_KEY").ok(),
            webhook_secret: std::env::var("CLAW_GATEWAY_WEBHOOK_SECRET").unwrap_or_default(),
            seed: args.seed,
        },
        args.listen,
        args.state.as_deref(),
        |line| Ok(output::data(line)?),
    )?;
    Ok(ExitCode::SUCCESS)
}
