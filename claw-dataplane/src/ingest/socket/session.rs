//! An open WebSocket: frames out of received bytes, messages into bytes to send, and when it ends.
//!
//! tungstenite reads and writes a pipe in memory; the ring does the rest. A ping goes out when
//! nothing was heard for a while, and a client that does not answer it is given up. A closed one
//! is read on until its client has closed too, for a while.

use std::io::{self, Read, Write};

use claw_common::limits::{
    SOCKET_END_MS_MAX, SOCKET_GONE_AFTER_MS, SOCKET_MESSAGE_BYTES_MAX, SOCKET_PING_AFTER_MS,
};
use claw_common::time::UnixMs;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};

/// What tungstenite reads and writes.
#[derive(Debug, Default)]
struct Pipe {
    incoming: Vec<u8>,
    read_to: usize,
    outgoing: Vec<u8>,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let waiting = &self.incoming[self.read_to..];
        if waiting.is_empty() {
            self.incoming.clear();
            self.read_to = 0;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = waiting.len().min(buffer.len());
        buffer[..count].copy_from_slice(&waiting[..count]);
        self.read_to += count;
        Ok(count)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outgoing.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// See the module.
pub struct Session {
    socket: WebSocket<Pipe>,
    heard_ms: UnixMs,
    pinged: bool,
    /// When a close was sent.
    closed_ms: Option<UnixMs>,
    ended: bool,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("ended", &self.ended).finish_non_exhaustive()
    }
}

impl Session {
    /// One just opened.
    pub fn new(now_ms: UnixMs) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(SOCKET_MESSAGE_BYTES_MAX)
            .write_buffer_size(0)
            .max_message_size(Some(SOCKET_MESSAGE_BYTES_MAX))
            .max_frame_size(Some(SOCKET_MESSAGE_BYTES_MAX));
        let socket = WebSocket::from_raw_socket(Pipe::default(), Role::Server, Some(config));
        Self { socket, heard_ms: now_ms, pinged: false, closed_ms: None, ended: false }
    }

    /// Takes received bytes. What the protocol does not allow ends it, with the code that says why.
    pub fn receive(&mut self, bytes: &[u8], now_ms: UnixMs) {
        self.receive_each(bytes, now_ms, &mut |_| None);
    }

    /// The same, handing on each text and binary message, for who has something to hear: an echo
    /// that is judged frame by frame, in tests. What is returned is said at once, so that it stands
    /// before the answer to a close that came right behind its question.
    pub fn receive_each(
        &mut self,
        bytes: &[u8],
        now_ms: UnixMs,
        each: &mut dyn FnMut(Message) -> Option<Message>,
    ) {
        (self.heard_ms, self.pinged) = (now_ms, false);
        self.socket.get_mut().incoming.extend_from_slice(bytes);
        while !self.ended {
            match self.socket.read() {
                Ok(message @ (Message::Text(_) | Message::Binary(_))) => {
                    if let Some(answer) = each(message) {
                        self.send(answer);
                    }
                }
                Ok(_) => {}
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(Error::ConnectionClosed | Error::AlreadyClosed) => self.ended = true,
                Err(error) => {
                    let (code, reason) = match error {
                        Error::Capacity(_) => (CloseCode::Size, "too long"),
                        Error::Utf8(_) => (CloseCode::Invalid, "not UTF-8"),
                        _ => (CloseCode::Protocol, "not the protocol"),
                    };
                    self.close(code, reason, now_ms);
                    // What comes behind it cannot be read.
                    self.ended = true;
                }
            }
        }
        // Answers to pings and to a close are written with the next flush.
        self.socket.flush().ok();
    }

    /// Says a text.
    pub fn say(&mut self, text: &str) {
        self.send(Message::text(text));
    }

    fn send(&mut self, message: Message) {
        if self.is_open() {
            self.ended = self.socket.send(message).is_err();
        }
    }

    /// Ends it, saying why.
    pub fn close(&mut self, code: CloseCode, reason: &'static str, now_ms: UnixMs) {
        if self.is_open() {
            let frame = CloseFrame { code, reason: reason.into() };
            self.socket.close(Some(frame)).ok();
            self.socket.flush().ok();
            self.closed_ms = Some(now_ms);
        }
    }

    /// The reader is too far behind: it comes back with its last cursor.
    pub fn close_behind(&mut self, now_ms: UnixMs) {
        self.close(CloseCode::Again, "behind: come back with the last cursor", now_ms);
    }

    /// The node stops.
    pub fn close_away(&mut self, now_ms: UnixMs) {
        self.close(CloseCode::Away, "the node stops", now_ms);
    }

    /// Moves what is to be sent to the end of `out`.
    pub fn take_output(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.socket.get_mut().outgoing);
    }

    /// Whether something may still be said.
    pub const fn is_open(&self) -> bool {
        !self.ended && self.closed_ms.is_none()
    }

    /// Whether nothing more is said or heard.
    pub const fn ended(&self) -> bool {
        self.ended
    }

    /// When it is to be looked at.
    pub const fn deadline_ms(&self) -> UnixMs {
        match self.closed_ms {
            Some(closed_ms) => closed_ms + SOCKET_END_MS_MAX,
            None if self.pinged || self.ended => self.heard_ms + SOCKET_GONE_AFTER_MS,
            None => self.heard_ms + SOCKET_PING_AFTER_MS,
        }
    }

    /// Acts on its passed deadline: asks, or gives it up. True: its client is not there.
    pub fn expire(&mut self, now_ms: UnixMs) -> bool {
        let overdue = now_ms >= self.deadline_ms();
        if overdue && (self.pinged || !self.is_open()) {
            self.ended = true;
            return true;
        }
        if overdue {
            self.pinged = true;
            self.ended |= self.socket.send(Message::Ping(Vec::new().into())).is_err();
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client over the same kind of pipe.
    fn client() -> WebSocket<Pipe> {
        WebSocket::from_raw_socket(Pipe::default(), Role::Client, None)
    }

    fn carry(session: &mut Session, client: &mut WebSocket<Pipe>) -> Vec<Message> {
        let said = std::mem::take(&mut client.get_mut().outgoing);
        if !said.is_empty() {
            session.receive(&said, 1);
        }
        let mut out = Vec::new();
        session.take_output(&mut out);
        client.get_mut().incoming.extend_from_slice(&out);
        let mut heard = Vec::new();
        while let Ok(message) = client.read() {
            heard.push(message);
        }
        heard
    }

    #[test]
    fn texts_arrive_pings_are_answered_and_a_close_is_returned() {
        let (mut session, mut client) = (Session::new(0), client());
        session.say("one");
        session.say("two");
        let heard = carry(&mut session, &mut client);
        assert_eq!(heard, [Message::text("one"), Message::text("two")]);
        client.send(Message::Ping(b"x".to_vec().into())).unwrap();
        assert_eq!(carry(&mut session, &mut client), [Message::Pong(b"x".to_vec().into())]);
        client.send(Message::text("nothing to say")).unwrap();
        assert_eq!(carry(&mut session, &mut client), []);
        client.close(None).unwrap();
        client.flush().ok();
        carry(&mut session, &mut client);
        assert!(session.ended());
    }

    #[test]
    fn messages_are_handed_on_and_answered_before_the_close_behind_them() {
        let (mut session, mut client) = (Session::new(0), client());
        let sent = [Message::text("one"), Message::binary(b"two".to_vec())];
        for message in &sent {
            client.send(message.clone()).unwrap();
        }
        client.send(Message::Ping(b"x".to_vec().into())).unwrap();
        client.close(None).unwrap();
        let said = std::mem::take(&mut client.get_mut().outgoing);
        let mut heard = Vec::new();
        session.receive_each(&said, 1, &mut |message| {
            heard.push(message.clone());
            Some(message)
        });
        assert_eq!(heard, sent);
        assert!(session.ended());
        let answers = carry(&mut session, &mut client);
        assert_eq!(answers[..2], sent);
        assert!(matches!(answers[2..], [Message::Pong(_), Message::Close(None)]), "{answers:?}");
    }

    #[test]
    fn silent_client_is_asked_and_then_given_up() {
        let mut session = Session::new(1_000);
        assert_eq!(session.deadline_ms(), 1_000 + SOCKET_PING_AFTER_MS);
        assert!(!session.expire(1_000 + SOCKET_PING_AFTER_MS));
        assert!(!session.ended());
        let mut out = Vec::new();
        session.take_output(&mut out);
        assert_eq!(out[0] & 0x0f, 9, "a ping");
        assert_eq!(session.deadline_ms(), 1_000 + SOCKET_GONE_AFTER_MS);
        assert!(session.expire(1_000 + SOCKET_GONE_AFTER_MS));
        assert!(session.ended());
    }

    #[test]
    fn closed_one_hears_its_clients_close_or_waits_for_it_a_while() {
        let (mut session, mut client) = (Session::new(0), client());
        session.close_behind(10);
        session.say("nothing more");
        assert!(!session.is_open() && !session.ended());
        let heard = carry(&mut session, &mut client);
        assert!(matches!(heard[..], [Message::Close(Some(_))]), "{heard:?}");
        client.flush().ok();
        carry(&mut session, &mut client);
        assert!(session.ended(), "the client has closed too");
        let mut session = Session::new(0);
        session.close_behind(10);
        assert_eq!(session.deadline_ms(), 10 + SOCKET_END_MS_MAX);
        assert!(!session.expire(9 + SOCKET_END_MS_MAX));
        assert!(session.expire(10 + SOCKET_END_MS_MAX));
    }

    #[test]
    fn what_is_not_the_protocol_or_too_long_is_closed_with_its_code() {
        // Frames of a client are masked.
        for (bytes, code) in
            [(&b"\x81\x01a"[..], 1002), (&[0x82, 0xfe, 0xff, 0xff, 0, 0, 0, 0], 1009)]
        {
            let mut session = Session::new(0);
            session.receive(bytes, 1);
            assert!(session.ended());
            let mut out = Vec::new();
            session.take_output(&mut out);
            let said = u16::from(out[2]) * 256 + u16::from(out[3]);
            assert_eq!((out[0], said), (0x88, code));
        }
    }
}
