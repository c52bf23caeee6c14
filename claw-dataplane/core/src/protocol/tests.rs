//! The reading half over hostile bytes: nothing panics, and only what is whole is taken.

use claw_common::wire::{CommandHeader, CommandKind, HoldBody, LineHeader};
use proptest::prelude::*;
use zerocopy::IntoBytes as _;
use zerocopy::little_endian::{U16, U32, U64};

use super::*;

/// A hold of one line.
fn hold() -> Vec<u8> {
    let body = HoldBody {
        ttl_ms: U64::new(60_000),
        session_bytes: 1,
        reserved: 0,
        lines_count: U16::new(1),
        reserved_tail: U32::new(0),
    };
    let line = LineHeader { quantity: U32::new(2), sku_bytes: 3, reserved: [0; 3] };
    let mut bytes = CommandHeader {
        length_bytes: U32::new(24 + 16 + 1 + 8 + 3 + 2),
        kind: CommandKind::CreateHold as u8,
        after_count: 0,
        flags: U16::new(0),
        sequence: U64::new(7),
        extra_bytes: U32::new(2),
        reserved: U32::new(0),
    }
    .as_bytes()
    .to_vec();
    for part in [body.as_bytes(), b"s", line.as_bytes(), b"SKU", b"{}"] {
        bytes.extend_from_slice(part);
    }
    bytes
}

#[test]
fn a_hold_is_read_in_place() {
    let bytes = hold();
    let (command, rest) = split_command(&bytes).unwrap();
    assert!(rest.is_empty());
    let view = CommandView::read(command).unwrap();
    assert_eq!((view.kind, view.sequence, view.extra), (CommandKind::CreateHold, 7, &b"{}"[..]));
    let Asked::Hold("s", 60_000, lines) = view.asked().unwrap() else { panic!("{view:?}") };
    let lines: Vec<_> = lines.iter().collect();
    assert_eq!(lines, [AskedLine { sku: "SKU", quantity: 2 }]);
}

#[test]
fn glance_at_a_command_needs_all_of_what_it_says() {
    let bytes = hold();
    // Behind the SKU come the store's own members.
    let whole = bytes.len() - 2;
    for cut in 0..whole {
        assert_eq!(CommandView::first_sku_of_hold(&bytes[..cut]), None, "{cut}");
    }
    assert_eq!(CommandView::first_sku_of_hold(&bytes[..whole]), Some(&b"SKU"[..]));
    for kind in CommandKind::ALL.iter().filter(|kind| **kind != CommandKind::CreateHold) {
        let mut bytes = hold();
        bytes[4] = *kind as u8;
        assert_eq!(CommandView::first_sku_of_hold(&bytes), None, "{kind:?}");
        assert_eq!(CommandView::reads_only(&bytes), kind.reads_only());
    }
    assert!(!CommandView::reads_only(&bytes));
}

#[test]
fn what_means_nothing_is_refused() {
    // Kind, flags, positions, number, reserved, and each reserved byte of the body.
    for (at, value) in
        [(4, 3), (5, 9), (6, 1), (8, 0), (16, 200), (20, 1), (33, 1), (38, 1), (46, 1)]
    {
        let mut bytes = hold();
        bytes[at] = value;
        let asked = CommandView::read(&bytes).and_then(|view| view.asked().map(drop));
        assert!(asked.is_err(), "{at}");
    }
}

proptest! {
    #[test]
    fn hostile_bytes_are_refused_or_read_and_never_overrun(
        start in 0..70_usize,
        noise in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let mut bytes = hold();
        for (place, byte) in noise.iter().enumerate() {
            if let Some(slot) = bytes.get_mut(start + place) {
                *slot = *byte;
            }
        }
        if let Ok(Some(frame)) = read_frame(&bytes) {
            prop_assert!(frame.bytes.len() <= bytes.len());
        }
        if let Ok((command, _)) = split_command(&bytes)
            && let Ok(view) = CommandView::read(command)
            && let Ok(Asked::Hold(_, _, lines)) = view.asked()
        {
            prop_assert_eq!(lines.iter().count(), lines.count());
            // The glance that goes before says the same as the reading.
            let first = lines.iter().next().map(|line| line.sku.as_bytes());
            prop_assert_eq!(CommandView::first_sku_of_hold(command), first);
        }
        let _: Option<&[u8]> = CommandView::first_sku_of_hold(&bytes);
    }
}
