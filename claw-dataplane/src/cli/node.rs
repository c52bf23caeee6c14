//! `claw node`: runs a node in the foreground.
//!
//! Owns the flags and what is told at the start; `runtime` does the rest.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::config::{Config, Overrides, load_schema};
use crate::runtime::boot::Node;
use crate::runtime::open::Summary;
use crate::runtime::signals;

/// Run a node in the foreground.
///
/// Ready when /v1/ready answers 200. SIGTERM drains and exits 0; exit code 3 means that the node
/// stopped because it could no longer promise durability.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  claw node --store my-store
  claw node --store my-store --listen 127.0.0.1:8080 --cores 2
  claw node --store my-store --device file:/mnt/nvme/my-store
  claw node --store my-store --tls-certificate keys/tls.crt --tls-key keys/tls.key")]
pub struct NodeArgs {
    /// The store's folder, made by `claw init`
    #[arg(long, value_name = "DIR", default_value = ".")]
    store: PathBuf,
    /// Address and port for plain HTTP; port 0 takes a free one
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Serve plain HTTP where other machines reach it, behind a proxy that ends TLS
    #[arg(long)]
    insecure: bool,
    /// Certificate chain for HTTPS, PEM, in the store's folder unless absolute
    #[arg(long, value_name = "FILE")]
    tls_certificate: Option<String>,
    /// The certificate's private key, PEM, in the store's folder unless absolute
    #[arg(long, value_name = "FILE")]
    tls_key: Option<String>,
    /// Address and port for HTTPS; port 0 takes a free one
    #[arg(long, value_name = "ADDR")]
    tls_listen: Option<String>,
    /// Cores that serve, or auto
    #[arg(long, value_name = "N")]
    cores: Option<String>,
    /// Memory for state, such as 2GiB
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,
    /// Where the log is written, such as `file:DIR`
    #[arg(long, value_name = "URL")]
    device: Vec<String>,
}

/// Runs the verb.
pub fn run(args: NodeArgs) -> anyhow::Result<ExitCode> {
    let mut overrides = Overrides::from_environment();
    overrides.flag("--listen", "node.listen", args.listen);
    overrides.flag("--insecure", "node.insecure", args.insecure.then(|| "true".to_owned()));
    overrides.flag("--tls-certificate", "tls.certificate", args.tls_certificate);
    overrides.flag("--tls-key", "tls.key", args.tls_key);
    overrides.flag("--tls-listen", "tls.listen", args.tls_listen);
    overrides.flag("--cores", "node.cores", args.cores);
    overrides.flag("--memory", "node.memory", args.memory);
    overrides.list("--device", "log.device", args.device);
    let config = Config::load(&args.store, &overrides)?;
    let schema = load_schema(&args.store)?;
    for warning in config.warnings() {
        log::warn!("{warning}");
    }
    signals::block();
    let node = Node::start(&config, schema)?;
    tell(&config, &node);
    node.serve();
    Ok(ExitCode::SUCCESS)
}

fn tell(config: &Config, node: &Node) {
    let Summary { device, probe, cores_count, records_count, cut } = node.summary();
    for row in &probe.rows {
        log::info!(
            "device {device}: {} at depth {}: {} commits/s, p50 {} us, p99 {} us",
            row.flush.name(),
            row.depth_count,
            row.commits_per_second,
            row.p50_us,
            row.p99_us
        );
    }
    log::info!("commits by {}; {records_count} records replayed", probe.flush.name());
    for line in cut {
        log::warn!("recovery cut an unacknowledged write: {line}");
    }
    let store = &config.store;
    log::info!(
        "store {} with {} shards on {cores_count} cores listens on http://{}",
        store.name,
        store.shards,
        node.address()
    );
    if let Some(address) = node.tls_address() {
        log::info!("TLS 1.3 on https://{address}");
    }
    if !node.address().ip().is_loopback() {
        log::warn!(
            "INSECURE: http://{} is not encrypted and other machines reach it; whoever is on the \
             way reads every order. Only behind a proxy of yours that ends TLS",
            node.address()
        );
    }
}
