//! Shoppers against a real node.
