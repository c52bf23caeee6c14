//! The typed settings of a store and the rules that hold between them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use claw_common::id::Id;

use super::capacities::{Capacities, MEMORY_BYTES_PRODUCTION};
use super::error::ConfigError;
use super::resolve::{Overrides, Resolution, resolve};
use super::settings::{Shape, find};
use super::size::format_size;
use super::values::Value;

/// The file's name in a store.
const FILE: &str = "store.toml";

/// Everything `store.toml` says. Fields are documented in `settings`, where the person who writes
/// the file reads it too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The store's folder; relative paths in the settings begin here.
    pub store_dir: PathBuf,
    /// `[store]`
    pub store: StoreConfig,
    /// `[node]`
    pub node: NodeConfig,
    /// `[log]`
    pub log: LogConfig,
    /// `[holds]`
    pub holds: HoldConfig,
    /// `[limits]`
    pub limits: LimitConfig,
    /// `[http]`
    pub http: HttpConfig,
    /// `[tls]`, where a certificate is given.
    pub tls: Option<TlsConfig>,
    /// `[payments]`
    pub payments: PaymentConfig,
}

/// `[store]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// Name and token audience.
    pub name: String,
    /// In every block.
    pub id: Id,
    /// From 1 to `SHARDS_MAX`.
    pub shards: u16,
    /// How strict to be.
    pub profile: Profile,
}

/// How strict to be about what is fine on a laptop only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Say nothing.
    Development,
    /// Warn.
    Production,
}

/// `[node]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeConfig {
    /// Where plain HTTP is served.
    pub listen: SocketAddr,
    /// Whether that may be where other machines reach it.
    pub insecure: bool,
    /// How many cores serve.
    pub cores: Cores,
    /// Taken at start, bytes.
    pub memory_bytes: u64,
    /// Busy looking for work before sleeping, microseconds.
    pub spin_us: u32,
    /// Whether `/metrics` is served.
    pub metrics: bool,
}

/// How many cores serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cores {
    /// One per shard as far as there are cores.
    Auto,
    /// This many.
    Count(u16),
}

/// `[log]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// Device URLs as written; more than one mirrors.
    pub devices: Vec<String>,
    /// One segment, bytes.
    pub segment_bytes: u64,
    /// What happens before a segment is reused.
    pub retention: Retention,
    /// Absolute, or relative to the working directory as the store's folder is.
    pub archive_dir: PathBuf,
    /// Seconds between snapshots.
    pub snapshot_interval_s: u64,
    /// Milliseconds between signed checkpoints.
    pub checkpoint_interval_ms: u64,
}

/// What happens to segments that snapshots cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// Copied away first.
    Archive,
    /// Forgotten.
    Discard,
}

/// `[holds]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldConfig {
    /// When the request does not say.
    pub ttl_ms_default: u64,
    /// What a request may ask for at most.
    pub ttl_ms_max: u64,
}

/// `[limits]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitConfig {
    /// Per signing key; `None` for no limit.
    pub requests_per_second_per_key: Option<u32>,
    /// Per session; `None` for no limit.
    pub requests_per_second_per_session: Option<u32>,
    /// Open connections per node.
    pub connections_max: u32,
    /// Unanswered requests per core.
    pub in_flight_max: u32,
    /// From the first byte to a complete request.
    pub header_timeout_ms: u64,
    /// Without a request.
    pub idle_timeout_ms: u64,
}

/// `[http]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// Origins as browsers send them.
    pub cors_origins: Vec<String>,
}

/// `[tls]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsConfig {
    /// The chain. Absolute, or relative to the working directory as the store's folder is.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Where HTTPS is served.
    pub listen: SocketAddr,
}

/// `[payments]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaymentConfig {
    /// Who is asked.
    pub kind: Payments,
    /// Whether the node starts the vault.
    pub start: bool,
}

/// Who is asked for money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payments {
    /// Nobody.
    None,
    /// Whom the vault asks, where there is a `vault.toml`.
    Vault,
}

impl Config {
    /// Reads `store_dir/store.toml` under the overrides.
    pub fn load(store_dir: &Path, overrides: &Overrides) -> Result<Self, ConfigError> {
        let path = store_dir.join(FILE);
        let text = std::fs::read_to_string(&path)
            .map_err(|source| ConfigError::Read { path: path.clone(), source })?;
        Self::parse(store_dir, &text, overrides)
    }

    /// The same from a text.
    pub fn parse(store_dir: &Path, text: &str, overrides: &Overrides) -> Result<Self, ConfigError> {
        let mut resolution = resolve(FILE, text, overrides);
        if resolution.problems.is_empty() {
            refuse_contradictions(&mut resolution);
        }
        if !resolution.problems.is_empty() {
            return Err(ConfigError::Invalid { problems: resolution.problems });
        }
        Ok(build(store_dir, &resolution))
    }

    /// What fits into the node's memory.
    pub fn capacities(&self) -> Capacities {
        Capacities::from_memory(self.node.memory_bytes)
    }

    /// What is fine for development and not for production, one line each; empty in development.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.store.profile == Profile::Development {
            return warnings;
        }
        if self.node.memory_bytes < MEMORY_BYTES_PRODUCTION {
            warnings.push(format!(
                "[node] memory is {}, production wants {} or more: raise `memory`",
                format_size(self.node.memory_bytes),
                format_size(MEMORY_BYTES_PRODUCTION)
            ));
        }
        if self.log.retention == Retention::Discard {
            warnings.push(
                "[log] retention is \"discard\": what left the log cannot be audited".to_owned(),
            );
        }
        if !self.node.listen.ip().is_loopback() {
            warnings.push(format!(
                "[node] insecure: other machines reach plain HTTP on {}",
                self.node.listen
            ));
        }
        if self.log.devices.len() == 1 {
            warnings.push("[log] device is a single one: a broken disk loses the store".to_owned());
        }
        warnings
    }
}

fn refuse_contradictions(resolution: &mut Resolution) {
    let integer = |key: &'static str| integer(resolution, "holds", key);
    let (default, most) = (integer("ttl_ms_default"), integer("ttl_ms_max"));
    if default > most {
        let place = resolution.get("holds", "ttl_ms_default").place.clone();
        let reason = format!("`holds.ttl_ms_default` is {default}, above ttl_ms_max ({most})");
        resolution.refuse(reason, place, "lower it or raise `ttl_ms_max`");
    }
    refuse_open_plain(resolution);
    refuse_half_tls(resolution);
}

/// Plain HTTP where other machines reach it must be wanted in so many words.
fn refuse_open_plain(resolution: &mut Resolution) {
    let listen = address(resolution, "node", "listen");
    if listen.ip().is_loopback() || boolean(resolution, "node", "insecure") {
        return;
    }
    let place = resolution.get("node", "listen").place.clone();
    let reason = format!("`node.listen` is {listen}, where other machines read plain HTTP");
    let advice = "serve HTTPS there ([tls] listen, certificate, key) and keep this on loopback; \
                  behind a proxy of your own set `insecure = true` or give --insecure";
    resolution.refuse(reason, place, advice);
}

fn refuse_half_tls(resolution: &mut Resolution) {
    for (given, missing) in [("certificate", "key"), ("key", "certificate")] {
        if !text(resolution, "tls", given).is_empty() && text(resolution, "tls", missing).is_empty()
        {
            let place = resolution.get("tls", given).place.clone();
            let reason = format!("`tls.{given}` is given without `tls.{missing}`");
            resolution.refuse(reason, place, format!("give `{missing}` too"));
        }
    }
    let (plain, encrypted) =
        (address(resolution, "node", "listen"), address(resolution, "tls", "listen"));
    if !text(resolution, "tls", "certificate").is_empty() && plain == encrypted && plain.port() != 0
    {
        let place = resolution.get("tls", "listen").place.clone();
        let reason = format!("`tls.listen` and `node.listen` are both {plain}");
        resolution.refuse(reason, place, "give one of them another port");
    }
}

fn build(store_dir: &Path, from: &Resolution) -> Config {
    Config {
        store_dir: store_dir.to_owned(),
        store: StoreConfig {
            name: text(from, "store", "name").to_owned(),
            id: Id::parse(text(from, "store", "id")).expect("admitted as a UUID"),
            shards: small(from, "store", "shards"),
            profile: match text(from, "store", "profile") {
                "production" => Profile::Production,
                _ => Profile::Development,
            },
        },
        node: NodeConfig {
            listen: address(from, "node", "listen"),
            insecure: boolean(from, "node", "insecure"),
            cores: match small(from, "node", "cores") {
                0 => Cores::Auto,
                count => Cores::Count(count),
            },
            memory_bytes: integer(from, "node", "memory"),
            spin_us: small(from, "node", "spin_us"),
            metrics: boolean(from, "node", "metrics"),
        },
        log: LogConfig {
            devices: texts(from, "log", "device"),
            segment_bytes: integer(from, "log", "segment_bytes"),
            retention: match text(from, "log", "retention") {
                "discard" => Retention::Discard,
                _ => Retention::Archive,
            },
            archive_dir: store_dir.join(text(from, "log", "archive_dir")),
            snapshot_interval_s: integer(from, "log", "snapshot_interval_s"),
            checkpoint_interval_ms: integer(from, "log", "checkpoint_interval_ms"),
        },
        holds: HoldConfig {
            ttl_ms_default: integer(from, "holds", "ttl_ms_default"),
            ttl_ms_max: integer(from, "holds", "ttl_ms_max"),
        },
        limits: LimitConfig {
            requests_per_second_per_key: rate(from, "requests_per_second_per_key"),
            requests_per_second_per_session: rate(from, "requests_per_second_per_session"),
            connections_max: small(from, "limits", "connections_max"),
            in_flight_max: small(from, "limits", "in_flight_max"),
            header_timeout_ms: integer(from, "limits", "header_timeout_ms"),
            idle_timeout_ms: integer(from, "limits", "idle_timeout_ms"),
        },
        http: HttpConfig { cors_origins: texts(from, "http", "cors_origins") },
        tls: build_tls(store_dir, from),
        payments: PaymentConfig {
            kind: if text(from, "payments", "kind") == "none" {
                Payments::None
            } else {
                Payments::Vault
            },
            start: boolean(from, "payments", "start"),
        },
    }
}

fn build_tls(store_dir: &Path, from: &Resolution) -> Option<TlsConfig> {
    let certificate = text(from, "tls", "certificate");
    (!certificate.is_empty()).then(|| TlsConfig {
        certificate: store_dir.join(certificate),
        key: store_dir.join(text(from, "tls", "key")),
        listen: address(from, "tls", "listen"),
    })
}

fn address(from: &Resolution, section: &'static str, key: &'static str) -> SocketAddr {
    text(from, section, key).parse().expect("admitted as an address")
}

fn boolean(from: &Resolution, section: &'static str, key: &'static str) -> bool {
    value(from, section, key) == &Value::Boolean(true)
}

fn value<'a>(from: &'a Resolution, section: &'static str, key: &'static str) -> &'a Value {
    &from.get(section, key).value
}

fn text<'a>(from: &'a Resolution, section: &'static str, key: &'static str) -> &'a str {
    let Value::Text(text) = value(from, section, key) else { wrong_shape(section, key) };
    text
}

fn texts(from: &Resolution, section: &'static str, key: &'static str) -> Vec<String> {
    let Value::Texts(texts) = value(from, section, key) else { wrong_shape(section, key) };
    texts.clone()
}

fn integer(from: &Resolution, section: &'static str, key: &'static str) -> u64 {
    let Value::Integer(integer) = value(from, section, key) else { wrong_shape(section, key) };
    *integer
}

/// An integer whose bound in the table fits the field.
fn small<T: TryFrom<u64>>(from: &Resolution, section: &'static str, key: &'static str) -> T {
    let fitted = T::try_from(integer(from, section, key)).ok();
    fitted.unwrap_or_else(|| wrong_shape(section, key))
}

/// A rate; 0 stands for none.
fn rate(from: &Resolution, key: &'static str) -> Option<u32> {
    Some(small(from, "limits", key)).filter(|rate| *rate > 0)
}

fn wrong_shape(section: &str, key: &str) -> ! {
    let shape: Option<Shape> = find(section, key).map(|setting| setting.shape);
    unreachable!("[{section}] {key} is read as another shape than {shape:?}")
}
