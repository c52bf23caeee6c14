//! `claw vault`: the process that asks the payment gateway.
//!
//! Owns the flags; `runtime::vault` does the rest.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::runtime::vault::{Running, run as serve};
use crate::runtime::vault_broker;
use crate::vault::settings::Settings;

/// Run the vault of a store: the only process that talks to the payment gateway.
///
/// A node starts it by itself unless `payments.start = false` says that it is a service of its own.
/// Who is asked, and with which keys, stands in vault.toml.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  claw vault --store my-store
  CLAW_PAYMENTS_KIND=stripe CLAW_PAYMENTS_API_KEY=sk_test_... claw vault --store my-store")]
pub struct VaultArgs {
    /// The store's folder, made by `claw init`
    #[arg(long, value_name = "DIR", default_value = ".")]
    store: PathBuf,
    /// Where a local gateway sends its webhooks: the node's address
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,
    /// End with the process that started it
    #[arg(long)]
    supervised: bool,
    /// Be the process that connects for a vault, to this address alone
    #[arg(long, value_name = "HOST:PORT", hide = true)]
    broker_for: Option<String>,
}

/// Runs the verb.
pub fn run(args: &VaultArgs) -> Result<ExitCode> {
    if let Some(target) = &args.broker_for {
        vault_broker::run(target)?;
        return Ok(ExitCode::SUCCESS);
    }
    let settings = Settings::load(&args.store)?;
    serve(Running {
        store_dir: &args.store,
        settings,
        supervised: args.supervised,
        webhook_url: args.webhook_url.clone(),
    })?;
    Ok(ExitCode::SUCCESS)
}
