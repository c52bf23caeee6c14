//! `store.toml`: typed settings, their defaults, bounds and documentation; and what else of a
//! store's folder is read at start (its schema files and its key registry).
//!
//! ```text
//!  settings  one table: section, key, shape, default, documentation
//!     |  \
//!     |   +--> render   the store.toml that `claw init` writes, comments included
//!     v
//!  resolve   file < environment < flags, every problem with its place
//!     v
//!  Config    typed; every value within its bound
//! ```
//! Invariants: a setting exists once, in `settings`; nothing outside the table is accepted, in the
//! file or in the environment; a `Config` that exists is valid as a whole.
//!
//! Deliberately absent: reloading (a node reads its settings once; only keys and certificates
//! change while it runs), secrets (keys have their own files, payments their own `vault.toml`), and
//! any setting that would switch off durability or signatures.

mod capacities;
mod error;
pub mod key_registry;
mod load;
mod render;
mod resolve;
mod settings;
mod size;
mod store_schema;
mod values;

#[cfg(test)]
mod tests;

pub use capacities::{Capacities, MEMORY_BYTES_MIN, MEMORY_BYTES_PRODUCTION};
pub use error::{ConfigError, Problem};
pub use key_registry::KeyRegistry;
pub use load::{
    Config, Cores, HoldConfig, HttpConfig, LimitConfig, LogConfig, NodeConfig, PaymentConfig,
    Payments, Profile, Retention, StoreConfig, TlsConfig,
};
pub use render::render;
pub use resolve::Overrides;
pub use store_schema::{SchemaLoadError, load_schema, load_schema_at};
