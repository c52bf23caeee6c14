//! Every setting of `store.toml`: where it stands, what it may be, what it is when left out, why.
//!
//! The one list that reading, rendering and the typed `Config` follow. Documentation is written for
//! the person who opens `store.toml`.

use claw_common::limits::{CORES_MAX, HOLD_TTL_MS_MAX, HOLD_TTL_MS_MIN, SHARDS_MAX};

use super::capacities::MEMORY_BYTES_MIN;

/// One setting.
#[derive(Debug)]
pub(super) struct Setting {
    pub(super) section: &'static str,
    pub(super) key: &'static str,
    pub(super) shape: Shape,
    /// As written in TOML; empty when there is none and the setting must be given.
    pub(super) default: &'static str,
    /// One line or more of plain sentences.
    pub(super) doc: &'static str,
}

/// What a setting may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// `true` or `false`.
    Boolean,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// `"auto"` or a number of cores.
    Cores,
    /// One device URL or several.
    Devices,
    /// A number.
    Integer { min: u64, max: u64 },
    /// A name: letters, digits, `.`, `_`, `-`.
    Name,
    /// Origins as browsers send them.
    Origins,
    /// A path, or nothing.
    OptionalPath,
    /// A path.
    Path,
    /// A number of bytes, or text such as `"64MiB"`; a multiple of `step`.
    Size { min: u64, max: u64, step: u64 },
    /// `ADDRESS:PORT`.
    SocketAddress,
    /// A UUID.
    Uuid,
}

/// A section and what it is about.
pub(super) const SECTIONS: [(&str, &str); 8] = [
    ("store", "What this store is. Fixed when it is made: the log remembers it."),
    ("node", "The process that serves it."),
    ("log", "Where events are kept. Nothing is answered before it is durable there."),
    ("holds", "Stock reserved for a shopper who has not paid yet."),
    ("limits", "What one caller, and all callers together, may take. 0 means no limit of ours."),
    ("http", "The HTTP interface."),
    ("tls", "HTTPS (TLS 1.3) beside plain HTTP, where a certificate and its key are given."),
    ("payments", "Who is asked for money. Gateway and keys live in vault.toml."),
];

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

pub(super) const SETTINGS: [Setting; 30] = [
    Setting {
        section: "store",
        key: "name",
        shape: Shape::Name,
        default: "",
        doc: "The store's name, also the audience of shoppers' tokens.",
    },
    Setting {
        section: "store",
        key: "id",
        shape: Shape::Uuid,
        default: "",
        doc: "Written into every block, so that another store's log is never read as ours.",
    },
    Setting {
        section: "store",
        key: "shards",
        shape: Shape::Integer { min: 1, max: u64_of(SHARDS_MAX) },
        default: "1",
        doc: "Owners of stock, one writer each. Decides where each SKU lives: it cannot change.\n\
              Usually one per core; lines of one shard are sold together in one decision.",
    },
    Setting {
        section: "store",
        key: "profile",
        shape: Shape::Choice(&["development", "production"]),
        default: "\"development\"",
        doc: "\"production\" warns about what is fine on a laptop only: little memory,\n\
              private keys beside the node.",
    },
    Setting {
        section: "node",
        key: "listen",
        shape: Shape::SocketAddress,
        default: "\"127.0.0.1:7070\"",
        doc: "Address and port for plain HTTP. Port 0 takes a free one and says which. Outside\n\
              loopback only with `insecure`: what strangers reach belongs into [tls].",
    },
    Setting {
        section: "node",
        key: "insecure",
        shape: Shape::Boolean,
        default: "false",
        doc: "Serve plain HTTP on an address other machines can reach, behind a proxy that ends\n\
              TLS, say. Requests stay signed; what they say can be read on the way.",
    },
    Setting {
        section: "node",
        key: "cores",
        shape: Shape::Cores,
        default: "\"auto\"",
        doc: "Cores that serve and write: a number, or \"auto\" for one per shard as far as there\n\
              are cores. May differ between runs.",
    },
    Setting {
        section: "node",
        key: "memory",
        shape: Shape::Size { min: MEMORY_BYTES_MIN, max: 16 << 40, step: 1 },
        default: "\"512MiB\"",
        doc: "Taken at start and never more. How many products, holds, orders, carts and\n\
              remembered answers fit follows from it; when one is full the answer is 503.",
    },
    Setting {
        section: "node",
        key: "spin_us",
        shape: Shape::Integer { min: 0, max: 10_000 },
        default: "50",
        doc: "How long an idle core looks for work before it sleeps, microseconds. 0 saves power,\n\
              more saves latency.",
    },
    Setting {
        section: "node",
        key: "metrics",
        shape: Shape::Boolean,
        default: "true",
        doc: "Serve counters at /metrics (OpenMetrics, unsigned).",
    },
    Setting {
        section: "log",
        key: "device",
        shape: Shape::Devices,
        default: "\"file:data\"",
        doc: "Where the log is written: file:DIR (in the store's folder unless absolute),\n\
              block:/dev/..., ng:/dev/..., nvme-tcp://HOST:PORT/NQN?nsid=N. An array mirrors.",
    },
    Setting {
        section: "log",
        key: "segment_bytes",
        shape: Shape::Size { min: MIB, max: 4 * GIB, step: 256 * KIB },
        default: "\"64MiB\"",
        doc: "Size of one segment, the unit of archiving and reuse. A multiple of 256KiB.",
    },
    Setting {
        section: "log",
        key: "retention",
        shape: Shape::Choice(&["archive", "discard"]),
        default: "\"archive\"",
        doc: "What happens to segments that every snapshot covers before they are reused:\n\
              \"archive\" copies them to archive_dir, \"discard\" forgets them for good.",
    },
    Setting {
        section: "log",
        key: "archive_dir",
        shape: Shape::Path,
        default: "\"archive\"",
        doc: "Where archived segments go, in the store's folder unless absolute.",
    },
    Setting {
        section: "log",
        key: "snapshot_interval_s",
        shape: Shape::Integer { min: 1, max: 86_400 },
        default: "60",
        doc: "A snapshot this often, seconds: what a start has to replay at most.",
    },
    Setting {
        section: "log",
        key: "checkpoint_interval_ms",
        shape: Shape::Integer { min: 10, max: 3_600_000 },
        default: "1000",
        doc: "A signed checkpoint of each shard this often while it has new records,\n\
              milliseconds: how long after an order its receipt can be had.",
    },
    Setting {
        section: "holds",
        key: "ttl_ms_default",
        shape: Shape::Integer { min: HOLD_TTL_MS_MIN, max: HOLD_TTL_MS_MAX },
        default: "600_000",
        doc: "How long a hold lives when the request does not say, milliseconds.",
    },
    Setting {
        section: "holds",
        key: "ttl_ms_max",
        shape: Shape::Integer { min: HOLD_TTL_MS_MIN, max: HOLD_TTL_MS_MAX },
        default: "3_600_000",
        doc: "The longest a request may ask for, milliseconds.",
    },
    Setting {
        section: "limits",
        key: "requests_per_second_per_key",
        shape: Shape::Integer { min: 0, max: 10_000_000 },
        default: "0",
        doc: "Requests that one signing key may send; more are answered 429. A storefront's key\n\
              signs for all its shoppers, so think of the whole shop.",
    },
    Setting {
        section: "limits",
        key: "requests_per_second_per_session",
        shape: Shape::Integer { min: 0, max: 1_000_000 },
        default: "200",
        doc: "Requests that one shopper's session may send; more are answered 429.",
    },
    Setting {
        section: "limits",
        key: "connections_max",
        shape: Shape::Integer { min: 1, max: 1_000_000 },
        default: "20_000",
        doc: "Open connections per node; more wait in the kernel's queue.",
    },
    Setting {
        section: "limits",
        key: "in_flight_max",
        shape: Shape::Integer { min: 1, max: 1_000_000 },
        default: "16_384",
        doc: "Requests read and not yet answered, per core; more are answered 503.",
    },
    Setting {
        section: "limits",
        key: "header_timeout_ms",
        shape: Shape::Integer { min: 100, max: 600_000 },
        default: "10_000",
        doc: "A request must be complete this long after its first byte, milliseconds.",
    },
    Setting {
        section: "limits",
        key: "idle_timeout_ms",
        shape: Shape::Integer { min: 100, max: 86_400_000 },
        default: "75_000",
        doc: "A connection without a request is closed after this, milliseconds.",
    },
    Setting {
        section: "http",
        key: "cors_origins",
        shape: Shape::Origins,
        default: "[]",
        doc: "Origins whose pages may call from a browser: [\"https://shop.example\"].",
    },
    Setting {
        section: "tls",
        key: "certificate",
        shape: Shape::OptionalPath,
        default: "\"\"",
        doc: "The certificate chain in PEM, your own certificate first; in the store's folder\n\
              unless absolute. Read again when it changes. `claw keys tls` makes a pair for\n\
              development.",
    },
    Setting {
        section: "tls",
        key: "key",
        shape: Shape::OptionalPath,
        default: "\"\"",
        doc: "The certificate's private key in PEM, in the store's folder unless absolute.",
    },
    Setting {
        section: "tls",
        key: "listen",
        shape: Shape::SocketAddress,
        default: "\"127.0.0.1:7443\"",
        doc: "Address and port for HTTPS. Port 0 takes a free one and says which.",
    },
    Setting {
        section: "payments",
        key: "kind",
        shape: Shape::Choice(&["auto", "none", "local", "stripe"]),
        default: "\"auto\"",
        doc: "\"none\": orders are placed without payment, and a `payment` member is refused. \
              Anything else: as vault.toml says, and without vault.toml none.",
    },
    Setting {
        section: "payments",
        key: "start",
        shape: Shape::Boolean,
        default: "true",
        doc: "Start `claw vault` and start it again when it ends. false: it is a service of its own.",
    },
];

const fn u64_of(count: usize) -> u64 {
    // Counts of the limits file are small; usize has at most 64 bits on every platform we build.
    count as u64
}

/// Most data cores.
pub(super) const CORES_COUNT_MAX: u64 = u64_of(CORES_MAX);

/// The setting `key` of `section`.
pub(super) fn find(section: &str, key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.section == section && setting.key == key)
}

/// The settings of `section`, in order.
pub(super) fn of_section(section: &str) -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter().filter(move |setting| setting.section == section)
}

impl Setting {
    /// `section.key`.
    pub(super) fn path(&self) -> String {
        format!("{}.{}", self.section, self.key)
    }

    /// The environment variable that wins over the file.
    pub(super) fn variable(&self) -> String {
        format!("CLAW_{}_{}", self.section, self.key).to_ascii_uppercase()
    }
}
