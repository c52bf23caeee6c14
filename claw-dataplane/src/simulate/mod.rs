//! Shoppers against a real node.

pub mod scenarios;
