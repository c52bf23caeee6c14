//! Tests of the log's format and rules.

mod block;
mod chain;
mod recovery;
mod superblock;
mod world;
