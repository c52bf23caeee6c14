//! The client against a scripted node: the protocol's own side of a conversation, in memory.
//!
//! The node here is written from `docs/wire.md` alone and shares only the layouts with the client.
//! Whole processes are in `tests/tests/wire_client/`.

mod asynchronous;
mod connection;
mod node;
mod splits;
mod steady;

use std::sync::Arc;

use super::handshake::Mode;
use super::machine::{Identity, Machine};
use super::{Command, Extras, Line, WireError};
use crate::key::{Signer, generate_ed25519};
use node::Node;

const SECRET: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const SESSION: [u8; 16] = [0xa5; 16];
const NOW_MS: u64 = 1_800_000_000_000;

fn hmac_identity(mode: Mode) -> Identity {
    let signer = Arc::new(Signer::hmac("front", SECRET).unwrap());
    Identity { signer, mode, session: SESSION }
}

/// Every kind of key in every mode, with the node that knows it.
fn pairs() -> Vec<(Identity, Node)> {
    let key = generate_ed25519().unwrap();
    let signer = Arc::new(Signer::ed25519("front", &key.pem).unwrap());
    let mut pairs = Vec::new();
    for mode in [Mode::Session, Mode::Signed] {
        pairs.push((hmac_identity(mode), Node::hmac(SECRET)));
        let signer = Arc::clone(&signer);
        pairs.push((Identity { signer, mode, session: SESSION }, Node::ed25519(key.public)));
    }
    pairs
}

fn hold(sku: &str) -> [Line<'_>; 1] {
    [Line { sku, quantity: 1 }]
}

fn push(machine: &mut Machine, sku: &str) -> Result<u64, WireError> {
    let lines = hold(sku);
    let command = Command::CreateHold { session: "s", lines: &lines, ttl_ms: Some(1_000) };
    machine.push(&command, Extras::default())
}

/// Carries bytes both ways until neither has any left.
fn exchange(machine: &mut Machine, node: &mut Node) -> Result<(), WireError> {
    loop {
        let count = machine.transmit().len();
        node.take(machine.transmit());
        machine.transmitted(count);
        let answered = std::mem::take(&mut node.out);
        deliver(machine, &answered)?;
        if machine.transmit().is_empty() && answered.is_empty() {
            return Ok(());
        }
    }
}

/// Gives bytes to the machine, which takes frames but no answers.
fn deliver(machine: &mut Machine, mut bytes: &[u8]) -> Result<(), WireError> {
    while !bytes.is_empty() {
        let space = machine.space();
        let count = space.len().min(bytes.len());
        assert!(count > 0, "the test takes answers before the buffer is full");
        space[..count].copy_from_slice(&bytes[..count]);
        machine.received(count);
        machine.answer_ready()?;
        bytes = &bytes[count..];
    }
    Ok(())
}

/// A machine that was welcomed.
fn open(identity: Identity, node: &mut Node) -> Machine {
    let mut machine = Machine::new(identity, 1);
    machine.connect(NOW_MS, [9; 32]);
    exchange(&mut machine, node).unwrap();
    assert!(machine.welcome().is_some());
    machine
}

fn answers(machine: &mut Machine) -> Vec<u64> {
    let mut found = Vec::new();
    while let Some(answer) = machine.next_answer().unwrap() {
        found.push(answer.sequence);
    }
    found
}
