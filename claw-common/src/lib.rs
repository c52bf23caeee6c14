//! The bytes that three worlds agree on: the server, guest functions and kernel probes.
//!
//! Owns limits, identifiers, time stamps, money, the wire layout of blocks and records, and the
//! checksums over them. Deliberately holds no logic of the business and no I/O: everything here
//! must mean the same in the kernel, in a guest and on the server.
#![no_std]

pub mod checksum;
pub mod event;
pub mod id;
pub mod limits;
pub mod money;
pub mod text;
pub mod time;
pub mod wire;
