//! WebSocket frames that a browser, or somebody else, sends; and the cursors it comes back with.
//!
//! The promises: messages, answers and the end do not depend on how the bytes were cut; a message
//! keeps its bound; after the end nothing is said. Deliberately not here: what is told.

use claw_common::limits::SOCKET_MESSAGE_BYTES_MAX;
use claw_dataplane::ingest::socket::{Cursor, Session};
use tungstenite::Message;

/// Shards that a cursor is read for.
const SHARDS_COUNT: u16 = 2;

/// Feeds `bytes` whole and in pieces; then reads them as a cursor.
pub fn check(bytes: &[u8]) {
    let whole = hear(bytes, bytes.len().max(1));
    for piece_bytes in [1, 2 + bytes.len() % 61] {
        assert_eq!(whole, hear(bytes, piece_bytes), "in pieces of {piece_bytes}");
    }
    if let Some(cursor) =
        std::str::from_utf8(bytes).ok().and_then(|t| Cursor::parse(t, SHARDS_COUNT))
    {
        assert_eq!(Cursor::parse(&cursor.to_text(), SHARDS_COUNT), Some(cursor));
    }
}

#[derive(Debug, PartialEq)]
struct Heard {
    messages: Vec<Message>,
    said: Vec<u8>,
    ended: bool,
}

fn hear(bytes: &[u8], piece_bytes: usize) -> Heard {
    let mut session = Session::new(0);
    let mut heard = Heard { messages: Vec::new(), said: Vec::new(), ended: false };
    for piece in bytes.chunks(piece_bytes) {
        session.receive_each(piece, 1, &mut |message| {
            assert!(message.len() <= SOCKET_MESSAGE_BYTES_MAX, "a message has a bound");
            heard.messages.push(message.clone());
            Some(message)
        });
        session.take_output(&mut heard.said);
        if session.ended() {
            break;
        }
    }
    heard.ended = session.ended();
    if heard.ended {
        session.say("nothing more");
        let mut more = Vec::new();
        session.take_output(&mut more);
        assert!(more.is_empty(), "nothing is said after the end");
    }
    heard
}
