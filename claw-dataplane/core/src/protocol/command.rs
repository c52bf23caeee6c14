//! One command: its header, the positions it wants seen, its body, the store's own members.

use claw_common::limits::{BODY_BYTES_MAX, WIRE_AFTER_MAX};
use claw_common::wire::{
    AfterEntry, CommandHeader, CommandKind, FLAG_VERSION, HoldBody, LineHeader,
};
use zerocopy::FromBytes as _;

use super::ProtocolError;

const HEADER_BYTES: usize = size_of::<CommandHeader>();

/// The bytes of the first command of a payload, and those after it.
pub fn split_command(payload: &[u8]) -> Result<(&[u8], &[u8]), ProtocolError> {
    let (header, _) = CommandHeader::read_from_prefix(payload)
        .ok()
        .ok_or(ProtocolError("the payload ends within a command's header"))?;
    let length = usize::try_from(header.length_bytes.get()).unwrap_or(usize::MAX);
    if !(HEADER_BYTES..=BODY_BYTES_MAX).contains(&length) {
        return Err(ProtocolError("a command's length_bytes is 24 at least, 65536 at most"));
    }
    payload.split_at_checked(length).ok_or(ProtocolError("the payload ends within a command"))
}

/// A command, its parts told apart.
#[derive(Clone, Copy, Debug)]
pub struct CommandView<'a> {
    /// What it asks for.
    pub kind: CommandKind,
    /// Its number in the client's session.
    pub sequence: u64,
    /// Whether an expected version counts.
    pub versioned: bool,
    /// Positions the answer must have seen.
    pub after: &'a [AfterEntry],
    /// The body with its texts.
    pub body: &'a [u8],
    /// The store's own members.
    pub extra: &'a [u8],
    /// All of it.
    pub bytes: &'a [u8],
}

impl<'a> CommandView<'a> {
    /// The number of a command that [`split_command`] gave, whatever else it is.
    ///
    /// # Panics
    /// For bytes that are shorter than a header.
    pub fn sequence_of(bytes: &[u8]) -> u64 {
        let (header, _) = CommandHeader::ref_from_prefix(bytes).expect("split as a command");
        header.sequence.get()
    }

    /// Whether a command that [`split_command`] gave is of a kind that only reads.
    pub fn reads_only(bytes: &[u8]) -> bool {
        let header = CommandHeader::ref_from_prefix(bytes).ok();
        let kind = header.and_then(|(header, _)| CommandKind::from_code(header.kind));
        kind.is_some_and(CommandKind::reads_only)
    }

    /// What the first line of a hold to be created names, unjudged; nothing for other commands.
    pub fn first_sku_of_hold(bytes: &[u8]) -> Option<&[u8]> {
        let (header, rest) = CommandHeader::ref_from_prefix(bytes).ok()?;
        if header.kind != CommandKind::CreateHold as u8 {
            return None;
        }
        let rest = rest.get(usize::from(header.after_count) * size_of::<AfterEntry>()..)?;
        let (hold, rest) = HoldBody::ref_from_prefix(rest).ok()?;
        if hold.lines_count.get() == 0 {
            return None;
        }
        let rest = rest.get(usize::from(hold.session_bytes)..)?;
        let (line, rest) = LineHeader::ref_from_prefix(rest).ok()?;
        rest.get(..usize::from(line.sku_bytes))
    }

    /// Reads a command that [`split_command`] gave.
    pub fn read(bytes: &'a [u8]) -> Result<Self, ProtocolError> {
        let (header, rest) = CommandHeader::read_from_prefix(bytes)
            .ok()
            .ok_or(ProtocolError("a command has a header of 24 bytes"))?;
        let kind =
            CommandKind::from_code(header.kind).ok_or(ProtocolError("no command has this kind"))?;
        let versioned = header.flags.get() == FLAG_VERSION;
        let flags_known = header.flags.get() == 0 || kind == CommandKind::PutProduct && versioned;
        if !flags_known || header.reserved.get() != 0 {
            return Err(ProtocolError("flags and reserved bytes that mean nothing are zero"));
        }
        let sequence = header.sequence.get();
        if sequence == 0 {
            return Err(ProtocolError("commands are numbered from 1"));
        }
        let after_count = usize::from(header.after_count);
        if after_count > WIRE_AFTER_MAX {
            return Err(ProtocolError("a command names at most 64 positions"));
        }
        let (after, rest) = <[AfterEntry]>::ref_from_prefix_with_elems(rest, after_count)
            .ok()
            .ok_or(ProtocolError("the command ends within its positions"))?;
        let extra_bytes = usize::try_from(header.extra_bytes.get()).unwrap_or(usize::MAX);
        let body_bytes = rest
            .len()
            .checked_sub(extra_bytes)
            .ok_or(ProtocolError("extra_bytes is more than the command has"))?;
        let (body, extra) = rest.split_at(body_bytes);
        Ok(Self { kind, sequence, versioned, after, body, extra, bytes })
    }
}
