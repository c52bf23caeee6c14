//! Bytes to and from a node, for requests that no client of ours would send.
//!
//! [`Wire`] is one connection; [`Draft`] writes a request that is signed as the interface asks,
//! and lets a test take away or alter what it wants to see refused.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use claw_sdk::client::now_s;
use claw_sdk::{RequestParts, Response, Signer};

use crate::Node;

/// Longest wait for bytes: a busy machine, not a slow node.
const PATIENCE: Duration = Duration::from_secs(30);

/// One connection to a node.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Wire {
    /// Connects.
    ///
    /// # Panics
    /// When nobody listens.
    pub fn connect(node: &Node) -> Self {
        let stream = TcpStream::connect(node.authority()).expect("the node listens");
        stream.set_nodelay(true).expect("a TCP connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a TCP connection");
        stream.set_write_timeout(Some(PATIENCE)).expect("a TCP connection");
        Self { stream, received: Vec::new() }
    }

    /// Waits at most this long for room to write.
    ///
    /// # Panics
    /// When the time is zero.
    pub fn set_write_timeout(&self, timeout: Duration) {
        self.stream.set_write_timeout(Some(timeout)).expect("above zero");
    }

    /// Sends bytes. That the node has hung up already is seen when its answer is read.
    pub fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).ok();
    }

    /// Sends bytes, or says why not.
    ///
    /// # Errors
    /// The system's.
    pub fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// The next answer, `100 Continue` included.
    ///
    /// # Panics
    /// When the connection ends before, or what comes is no answer.
    pub fn answer(&mut self) -> Response {
        self.next_answer().expect("the connection ended before the answer")
    }

    /// The next answer, `None` when the connection ends before its first byte.
    ///
    /// # Panics
    /// When what comes is no answer, or nothing comes for long.
    pub fn next_answer(&mut self) -> Option<Response> {
        let head_bytes = loop {
            let end = self.received.windows(4).position(|window| window == b"\r\n\r\n");
            if let Some(end) = end {
                break end + 4;
            }
            if !self.read_more() {
                let left = String::from_utf8_lossy(&self.received);
                assert!(self.received.is_empty(), "half an answer: {left}");
                return None;
            }
        };
        let head: Vec<u8> = self.received.drain(..head_bytes).collect();
        let head = String::from_utf8(head).expect("a head is text");
        let mut lines = head.split("\r\n").filter(|line| !line.is_empty());
        let status_line = lines.next().expect("a head has a first line");
        let status = status_line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
        let status = status.and_then(|text| text.parse().ok()).expect("a status line");
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(": ").expect("a header line");
            (name.to_ascii_lowercase(), value.to_owned())
        });
        let mut answer = Response { status, headers: headers.collect(), body: Vec::new() };
        let length =
            answer.header("content-length").map_or(0, |text| text.parse().expect("digits"));
        while self.received.len() < length {
            assert!(self.read_more(), "the connection ended within a body");
        }
        answer.body = self.received.drain(..length).collect();
        Some(answer)
    }

    /// Whether the node ends the connection without another byte.
    ///
    /// # Panics
    /// When nothing happens for long.
    pub fn ended(&mut self) -> bool {
        self.received.is_empty() && !self.read_more()
    }

    /// `false` at the end, also when the node hung up on what it had not read.
    fn read_more(&mut self) -> bool {
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk) {
            Ok(0) => false,
            Ok(count) => {
                self.received.extend_from_slice(&chunk[..count]);
                true
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("waiting for the node: {error}"),
        }
    }
}

/// A request to be signed and, if a test wants, spoilt.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    /// `None` for unsigned.
    pub signer: Option<&'a Signer>,
    /// In upper case.
    pub method: &'a str,
    /// Path and, after a question mark, the query.
    pub target: &'a str,
    /// What is signed.
    pub body: &'a [u8],
    /// What is sent; usually the same.
    pub sent_body: &'a [u8],
    /// For POST, PUT and DELETE.
    pub idempotency_key: Option<&'a str>,
    /// Signature's age; negative for the future.
    pub age_s: i64,
    /// Header lines, each with its end, in place of `Content-Length`.
    pub framing: Option<&'a str>,
}

impl<'a> Draft<'a> {
    /// A good request.
    pub fn new(signer: &'a Signer, method: &'a str, target: &'a str, body: &'a [u8]) -> Self {
        Self {
            signer: Some(signer),
            method,
            target,
            body,
            sent_body: body,
            idempotency_key: None,
            age_s: 0,
            framing: None,
        }
    }

    /// The head, without the empty line that ends it.
    ///
    /// # Panics
    /// When the clock is before 1970.
    pub fn head(&self, node: &Node) -> Vec<u8> {
        let Self { method, target, idempotency_key, .. } = *self;
        let authority = node.authority();
        let mut out = format!("{method} {target} HTTP/1.1\r\nHost: {authority}\r\n").into_bytes();
        match self.framing {
            Some(framing) => out.extend_from_slice(framing.as_bytes()),
            None if self.sent_body.is_empty() => {}
            None => {
                let length = self.sent_body.len();
                out.extend_from_slice(format!("Content-Length: {length}\r\n").as_bytes());
            }
        }
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let body = self.body;
        let parts = RequestParts { method, authority, path, query, body, idempotency_key };
        let created_s = now_s().checked_add_signed(-self.age_s).expect("after 1970");
        match (self.signer, idempotency_key) {
            (Some(signer), _) => signer.sign_into(&mut out, &parts, created_s),
            (None, Some(key)) => {
                out.extend_from_slice(format!("Idempotency-Key: {key}\r\n").as_bytes());
            }
            (None, None) => {}
        }
        out
    }

    /// The whole request.
    pub fn bytes(&self, node: &Node) -> Vec<u8> {
        let mut out = self.head(node);
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(self.sent_body);
        out
    }
}
