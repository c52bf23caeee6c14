//! The kernel world: probes that observe and count, and never decide.
//!
//! Its place in the house; it holds no probe yet. An own workspace and lock file, because kernel
//! programs cannot be built for the host.
#![no_std]
