//! The shell around `claw-core`, and the `claw` command.
//!
//! Dependencies point one way:
//! `cli > runtime > node > {ingest, log, subjects, vault} > ring > buffer > claw-core`.
//! Architecture invariant: the subsystems in braces never import each other; they meet in `node`.

pub mod buffer;
pub mod cli;
pub mod config;
pub mod demo_store;
pub mod doctor;
pub mod gateway;
pub mod ingest;
pub mod log;
pub mod node;
pub mod ring;
pub mod runtime;
pub mod simulate;
pub mod subjects;
pub mod vault;
