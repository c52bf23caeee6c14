//! The wire protocol's frames and commands, as the node reads what a client sends behind the magic.
//!
//! The promises: frames and commands do not depend on how the bytes were cut; a frame's commands
//! fill it exactly; lines that were counted can be read; a command that is decoded asks for what
//! its own bytes say, and deciding nothing leaves the scratch memory fit for the next one.
//! Deliberately not here: tags and handshakes, which no bytes pass without a key.

use claw_common::limits::WIRE_FRAME_BYTES_MAX;
use claw_core::command::CommandKey;
use claw_core::protocol::{Asked, CommandView};
use claw_dataplane::ingest::decode::Settings;
use claw_dataplane::ingest::http::{Flow, Timeouts};
use claw_dataplane::ingest::problem::ProblemKind;
use claw_dataplane::ingest::wire::decode::{Input, Scratch, decode};
use claw_dataplane::ingest::wire::{Event, Framing};

use super::routed::check_routed;
use super::store::{NOW_MS, SETTINGS, schema};

#[derive(Debug, Default, PartialEq, Eq)]
struct Read {
    frames: Vec<Vec<u8>>,
    commands: Vec<(usize, Vec<u8>)>,
    refused: Option<ProblemKind>,
}

/// Feed `bytes` in pieces of `piece_bytes`; a frame whose commands do not fill it ends the
/// connection, as the node's session does.
fn read(bytes: &[u8], piece_bytes: usize) -> Read {
    let mut framing = Framing::new(0, Timeouts::default());
    let mut read = Read::default();
    for piece in bytes.chunks(piece_bytes) {
        framing.ingest(piece, 0, &mut |event| {
            assert_eq!(read.refused, None, "nothing is read after a refusal");
            match event {
                Event::Frame(frame) => {
                    assert!(frame.bytes.len() <= WIRE_FRAME_BYTES_MAX, "a frame has a bound");
                    if frame.check_commands().is_err() {
                        read.refused = Some(ProblemKind::Malformed);
                        return Flow::Close;
                    }
                    read.frames.push(frame.bytes.to_owned());
                }
                Event::Command(command, place) => read.commands.push((place, command.to_owned())),
                Event::Refused(problem) => read.refused = Some(problem.kind),
            }
            Flow::Continue
        });
    }
    if read.refused.is_some() {
        assert!(framing.closed(), "a refusal ends the connection");
    }
    read
}

/// Reads `bytes` in one piece and in pieces of two sizes, then decodes each command.
pub fn check(bytes: &[u8]) {
    let whole = read(bytes, bytes.len().max(1));
    for piece_bytes in [1, 2 + bytes.len() % 61] {
        assert_eq!(whole, read(bytes, piece_bytes), "in pieces of {piece_bytes}");
    }
    let mut scratch = Scratch::default();
    for (_, command) in &whole.commands {
        if let Ok(view) = CommandView::read(command) {
            check_command(&view, &mut scratch);
        }
    }
}

fn check_command(view: &CommandView<'_>, scratch: &mut Scratch) {
    if let Ok(Asked::Hold(.., lines)) = view.asked() {
        assert_eq!(lines.iter().count(), lines.count());
    }
    let with = |scratch: &mut Scratch| {
        let settings: &Settings = &SETTINGS;
        let schema = schema();
        let identity = CommandKey { key: [1; 16], digest: [2; 16] };
        let input = Input { command: view, identity, schema, settings, now_ms: NOW_MS };
        decode(&input, scratch, check_routed)
    };
    let warm = with(scratch).map_err(|problem| problem.detail);
    let fresh = with(&mut Scratch::default()).map_err(|problem| problem.detail);
    assert_eq!(warm, fresh, "memory that was used before changes nothing");
}
