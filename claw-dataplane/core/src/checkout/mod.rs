//! Checkout: the life of an order.
//!
//! `transitions` is the table, drawn; `order` is what is kept. How an order moves over several
//! shards is `shard::saga`. Payments are `none` here: the states of pricing, scoring, authorising
//! and capturing exist, their steps join between *reserving* and *confirming* (see the drawing).

pub mod order;
pub mod transitions;
