//! Payloads of records, of messages between shards and of the vault's link, and a client's answers.
//!
//! The promises: what decodes is encoded to the same bytes again, within its own bound, so that a
//! value has one spelling and a re-encoded log is the log; an event of an older version is the same
//! event when it is written anew. The first byte of an input says what the rest is read as.
//! Deliberately not here: how records lie in blocks ([`super::block`]).

use std::fmt::Debug;

use claw_core::codec::{Decode, Encode, Reader, Writer};
use claw_core::command::{Command, Request};
use claw_core::outcome::Outcome;
use claw_core::payment::{Answer, Ask};
use claw_core::shard::event::{Event, EventKind, FieldValue};
use claw_core::shard::message::{MESSAGE_BYTES_MAX, Message};
use claw_core::shard::notice::Notice;
use claw_sdk::wire;

/// More than any input needs; libFuzzer's are at most this long.
const BYTES_MAX: usize = 256 * 1024;

/// Reads the rest of `bytes` as what their first byte says.
pub fn check(bytes: &[u8]) {
    let Some((&kind, rest)) = bytes.split_first() else { return };
    match kind {
        0 => canonical::<Command<'_>>(rest, Command::encoded_bytes_max),
        1 => canonical::<Request<'_>>(rest, Request::encoded_bytes_max),
        2 => canonical::<Outcome<'_>>(rest, |_| BYTES_MAX),
        3 => canonical::<Message<'_>>(rest, |_| MESSAGE_BYTES_MAX),
        4 => canonical::<Ask<'_>>(rest, |_| BYTES_MAX),
        5 => canonical::<Answer<'_>>(rest, |_| BYTES_MAX),
        6 => canonical::<Notice<'_>>(rest, |_| BYTES_MAX),
        7 => event(rest),
        8 => answer(rest),
        _ => {}
    }
}

fn written(value: &dyn Encode) -> Vec<u8> {
    let mut out = vec![0; BYTES_MAX];
    let mut writer = Writer::new(&mut out);
    value.encode(&mut writer);
    let length = writer.written();
    out.truncate(length);
    out
}

fn canonical<'a, T: Decode<'a> + Encode + Debug>(bytes: &'a [u8], bound: impl Fn(&T) -> usize) {
    let mut reader = Reader::new(bytes);
    let Ok(value) = T::decode(&mut reader) else { return };
    let read = &bytes[..reader.position()];
    let again = written(&value);
    assert_eq!(read, again, "{value:?}");
    assert!(again.len() <= bound(&value), "{} bytes of {value:?}", again.len());
}

/// Kind and version as in a record's header, then the payload.
fn event(bytes: &[u8]) {
    let [kind_low, kind_high, version, payload @ ..] = bytes else { return };
    let (code, version) = (u16::from_le_bytes([*kind_low, *kind_high]), u16::from(*version));
    let Ok(event) = Event::decode(code, version, payload) else { return };
    let kind = EventKind::from_code(code).expect("it decoded");
    assert_eq!(event.kind(), kind);
    let again = written(&event);
    if version == kind.version() {
        assert_eq!(payload, again, "{event:?}");
    }
    let newest = Event::decode(code, kind.version(), &again).expect("what was written is read");
    assert_eq!(format!("{event:?}"), format!("{newest:?}"), "written anew it is the same event");
    event.fields(&mut |name, value| {
        assert!(!name.is_empty());
        if let FieldValue::Text(text) = value {
            assert!(text.len() <= payload.len(), "{name} is of the payload");
        }
    });
}

/// As a client takes an answer: what was counted can be walked.
fn answer(bytes: &[u8]) {
    let Ok(answer) = wire::Answer::parse(bytes) else { return };
    assert!(answer.bytes.len() < bytes.len());
    match answer.body {
        wire::Body::Problem(problem) => {
            for (name, _) in problem.members() {
                assert!(problem.member(name).is_some(), "{name} was walked over");
            }
        }
        wire::Body::Outcome(wire::Outcome::Order(order)) => {
            assert_eq!(order.lines.iter().count(), order.lines.len());
            assert!(order.history().count() <= bytes.len());
        }
        wire::Body::Outcome(wire::Outcome::Hold(hold)) => {
            assert_eq!(hold.lines.iter().count(), hold.lines.len());
        }
        wire::Body::Outcome(wire::Outcome::Cart(cart)) => {
            assert_eq!(cart.lines.iter().count(), cart.lines.len());
        }
        wire::Body::Outcome(_) => {}
    }
}
