//! Tests of the reading side, over real files written block by block.

mod archive;
mod recover;
mod snapshot;
pub(crate) mod store;
