//! The store that fuzzed requests are for: its schema, its settings, its clock.

use std::sync::LazyLock;

use claw_core::schema::{CompiledSchema, SchemaFile};
use claw_dataplane::ingest::decode::Settings;

/// The node's clock.
pub const NOW_MS: u64 = 1_800_000_000_000;

/// The store's settings.
pub const SETTINGS: Settings = Settings {
    shards_count: 2,
    hold_ttl_ms_default: 60_000,
    checkout_ttl_ms: 30_000,
    takes_payments: true,
};

/// Something of every kind: extras, attributes, bounds, personal members, an event of its own.
pub const SCHEMA: &str = r#"
[schema]
version = 3

[events.hold-granted.fields]
"items.quantity" = { max = 1_000 }
[events.hold-granted.extra]
gift = { type = "boolean" }
note = { type = "text", length_max = 2000 }

[events.product-put.attributes]
color = { type = "text", length_max = 16 }
sizes = { type = "list", of = "integer", count_max = 8 }
"*" = { type = "json", size_bytes_max = 256 }

[events.order-started.extra]
message = { type = "json", size_bytes_max = 8000 }

[events.parcel-lost]
version = 1
by = ["source", "operator"]
key = "parcel"
[events.parcel-lost.fields]
parcel = { type = "sku", required = true }
seen_at = { type = "time" }
note = { type = "text", length_max = 500 }
"#;

/// Compiled once.
pub fn schema() -> &'static CompiledSchema {
    static COMPILED: LazyLock<CompiledSchema> = LazyLock::new(|| {
        let file = SchemaFile { name: "schema/store.toml".to_owned(), text: SCHEMA.to_owned() };
        CompiledSchema::parse(&[file]).expect("the fuzzed store's schema is valid")
    });
    &COMPILED
}
