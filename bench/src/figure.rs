//! A number that is no rate under a load: memory, a time to be ready, a ratio.
//!
//! Owns its words and its spread over runs; measures nothing.

use serde::Serialize;

use crate::row::Spread;

/// See the module.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figure {
    /// Of which scenario.
    pub(crate) scenario: &'static str,
    /// The same in every run of the benchmark.
    pub(crate) name: String,
    pub(crate) unit: &'static str,
    /// What it was measured with.
    pub(crate) conditions: String,
    pub(crate) value: Spread,
}
