//! `claw demo-store`: a small shop to look at.
//!
//! Owns the flags; `demo_store` does the rest.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use claw_sdk::Trust;

use crate::demo_store::{self, Door, Options};

use super::output;

/// Serve a small shop page over a running node: buy in a browser, and see stock and orders move.
///
/// The page is HTML with HTMX. Notices reach the browser over a WebSocket of the node's, which has
/// to let the page in: `http.cors_origins` in its store.toml. HTMX itself is not in this program:
/// `npm install htmx.org@2 htmx-ext-ws@2` gets it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  npm install htmx.org@2 htmx-ext-ws@2
  claw demo-store --store shop --make 25
  claw demo-store --store shop --sku TEE-NAVY-M.berlin --assets /srv/node_modules
  claw demo-store --store shop --node https://localhost:7443 --ca shop/keys/tls.crt

Cards are those of `claw gateway`, which a new store pays at. Two windows are one shopper; a private
window is another.")]
pub struct DemoStoreArgs {
    /// The store; its keys storefront and, with --make, source sign the requests
    #[arg(long, value_name = "DIR")]
    store: PathBuf,
    /// The running node, as this program and the browsers reach it
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:7070")]
    node: String,
    /// Whom to trust on https, PEM; without it those this system trusts
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Where browsers come; port 0 takes a free one and says which
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7080")]
    listen: SocketAddr,
    /// What is sold
    #[arg(long, default_value = "midnight-runner")]
    sku: String,
    /// Put the product up with this many units where there is none
    #[arg(long, value_name = "UNITS", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    make: Option<u32>,
    /// Folder of Node packages that has htmx.org and htmx-ext-ws
    #[arg(long, value_name = "DIR", default_value = "node_modules")]
    assets: PathBuf,
}

/// Runs the verb.
pub fn run(args: DemoStoreArgs) -> Result<ExitCode> {
    let trust = args.ca.as_deref().map(Trust::file).transpose().context("read --ca")?;
    let options = Options {
        door: Door { node: args.node, store: args.store, trust },
        sku: args.sku,
        make_units: args.make,
        assets: args.assets,
        listen: args.listen,
    };
    demo_store::run(options, |line| Ok(output::data(line)?))?;
    Ok(ExitCode::SUCCESS)
}
