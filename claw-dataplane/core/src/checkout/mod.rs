//! Checkout: the life of an order.
//!
//! `transitions` is the table, drawn; `order` is what is kept, `charge` what is kept of its
//! payment. How an order moves over several shards and over the vault is `shard::saga`; the steps
//! and what undoes them are `saga::catalog`.

pub mod charge;
pub mod order;
pub mod transitions;
