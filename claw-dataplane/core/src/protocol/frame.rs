//! Frames of a client: a header, a payload, a tag.

use claw_common::limits::{WIRE_COMMANDS_MAX, WIRE_FRAME_BYTES_MAX};
use claw_common::wire::{
    FRAME_COMMANDS, FRAME_HELLO, FrameHeader, TAG_BYTES_HASH, TAG_BYTES_SIGNATURE,
};
use zerocopy::FromBytes as _;

use super::{CommandView, ProtocolError, split_command};

const HEADER_BYTES: usize = size_of::<FrameHeader>();

/// A whole frame.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Its header.
    pub header: FrameHeader,
    /// What it carries.
    pub payload: &'a [u8],
    /// Its tag.
    pub tag: &'a [u8],
    /// Header and payload: what a session's tag covers.
    pub untagged: &'a [u8],
    /// All of it.
    pub bytes: &'a [u8],
}

/// Reads the frame at the front of `bytes`; `None` while it is not whole. A header that cannot be
/// right is refused before the rest is waited for.
pub fn read_frame(bytes: &[u8]) -> Result<Option<Frame<'_>>, ProtocolError> {
    let Ok((header, _)) = FrameHeader::read_from_prefix(bytes) else { return Ok(None) };
    let tag_bytes = usize::from(header.tag_bytes);
    if !matches!(tag_bytes, 0 | TAG_BYTES_HASH | TAG_BYTES_SIGNATURE) {
        return Err(ProtocolError("tag_bytes is 0, 32 or 64"));
    }
    let length = usize::try_from(header.length_bytes.get()).unwrap_or(usize::MAX);
    if length < HEADER_BYTES + tag_bytes || length > WIRE_FRAME_BYTES_MAX {
        return Err(ProtocolError("length_bytes is 24 and the tag at least, 131072 at most"));
    }
    let count = usize::from(header.count.get());
    match header.kind {
        FRAME_HELLO if count == 0 => {}
        FRAME_COMMANDS if count <= WIRE_COMMANDS_MAX => {}
        FRAME_HELLO => return Err(ProtocolError("the count of a hello is 0")),
        FRAME_COMMANDS => return Err(ProtocolError("a frame has at most 256 commands")),
        _ => return Err(ProtocolError("clients send frames of kind 1 and 2")),
    }
    let Some(bytes) = bytes.get(..length) else { return Ok(None) };
    let (untagged, tag) = bytes.split_at(length - tag_bytes);
    let payload = &untagged[HEADER_BYTES..];
    Ok(Some(Frame { header, payload, tag, untagged, bytes }))
}

impl Frame<'_> {
    /// Highest number of its commands; 0 without commands.
    pub fn sequence_last(&self) -> u64 {
        self.commands().map(CommandView::sequence_of).max().unwrap_or(0)
    }

    /// The bytes of its commands, as far as they are whole.
    pub fn commands(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.payload;
        core::iter::from_fn(move || {
            let (command, after) = split_command(rest).ok()?;
            rest = after;
            Some(command)
        })
    }

    /// Whether the payload is exactly the commands that the header counts.
    pub fn check_commands(&self) -> Result<(), ProtocolError> {
        let mut rest = self.payload;
        for _ in 0..self.header.count.get() {
            (_, rest) = split_command(rest)?;
        }
        if rest.is_empty() { Ok(()) } else { Err(ProtocolError("bytes follow the last command")) }
    }
}
