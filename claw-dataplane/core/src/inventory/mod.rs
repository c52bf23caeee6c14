//! Inventory: products that own their stock, holds on it, and reservations made for other shards.
//!
//! A product is an autonomous state object: it owns its counter, its price and its price history,
//! and changes only by events. A hold is all or nothing over its lines; its price is fixed until it
//! ends. `member` is the other side of a hold or order whose home is another shard.

pub mod counter;
pub mod hold;
pub mod member;
pub mod product;
pub mod stored_lines;
pub mod waiting;
