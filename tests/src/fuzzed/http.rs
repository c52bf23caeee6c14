//! HTTP/1.1 as the node's parser reads it: whole, in pieces, and again from what it understood.
//!
//! The promises: the requests found do not depend on how the bytes were cut; after a refusal
//! nothing more is read; a request that is written again, canonically, is read as the same request
//! (so no proxy that normalises can be made to see another one); bodies and heads keep their
//! bounds. Deliberately not here: what is in a body ([`super::body`]).

use claw_common::limits::{BODY_BYTES_MAX, HEADERS_MAX};
use claw_dataplane::ingest::http::{Connection, Event, Flow, Request, Timeouts};
use claw_dataplane::ingest::problem::ProblemKind;

/// Method, target, fields and body.
type Meaning<'a> = (&'a str, &'a str, Vec<&'a (String, Vec<u8>)>, &'a [u8]);

/// What a request says, freed from the bytes it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Said {
    method: String,
    target: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    close: bool,
}

impl Said {
    fn of(request: &Request<'_>) -> Self {
        assert!(request.body.len() <= BODY_BYTES_MAX, "a body has a bound");
        assert!(request.all.len() <= HEADERS_MAX, "the fields of a head have a bound");
        assert!(request.path == "*" || request.path.starts_with('/'), "{:?}", request.path);
        Self {
            method: request.method.to_owned(),
            target: request.target.to_owned(),
            headers: request.all.iter().map(|h| (h.name.to_owned(), h.value.to_owned())).collect(),
            body: request.body.to_owned(),
            close: request.close,
        }
    }

    /// As somebody else would write it who understood the same: one length, no chunks.
    fn written(&self) -> Vec<u8> {
        // Only requests of HTTP/1.0 may come without a host.
        let host = self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host"));
        let version = if host { "1.1" } else { "1.0" };
        let mut out = format!("{} {} HTTP/{version}\r\n", self.method, self.target).into_bytes();
        for (name, value) in self.headers.iter().filter(|(name, _)| !frames_the_body(name)) {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(format!("Content-Length: {}\r\n\r\n", self.body.len()).as_bytes());
        out.extend_from_slice(&self.body);
        out
    }

    /// Without what says where the body ends, and how the connection goes on.
    fn meaning(&self) -> Meaning<'_> {
        let fields = self.headers.iter().filter(|(name, _)| !frames_the_body(name)).collect();
        (&self.method, &self.target, fields, &self.body)
    }
}

fn frames_the_body(name: &str) -> bool {
    ["content-length", "transfer-encoding", "expect"]
        .iter()
        .any(|one| name.eq_ignore_ascii_case(one))
}

/// What one connection made of its bytes.
#[derive(Debug, Default)]
struct Read {
    requests: Vec<Said>,
    refused: Option<ProblemKind>,
}

/// Feed `bytes` in pieces of `piece_bytes`.
fn read(bytes: &[u8], piece_bytes: usize) -> Read {
    let mut connection = Connection::new(0, Timeouts::default());
    let mut read = Read::default();
    for piece in bytes.chunks(piece_bytes) {
        connection.ingest(piece, 0, &mut |event| {
            assert_eq!(read.refused, None, "nothing is read after a refusal");
            match event {
                Event::Request(request) => read.requests.push(Said::of(request)),
                Event::Continue => {}
                Event::Refused(problem) => read.refused = Some(problem.kind),
            }
            Flow::Continue
        });
        assert_eq!(connection.overrun_bytes(), 0, "nobody pauses, so nothing piles up");
    }
    if read.refused.is_some() {
        assert!(connection.closed(), "a refusal ends the connection");
    }
    read
}

/// Reads `bytes` in one piece, byte by byte, and in pieces of an odd size.
pub fn check(bytes: &[u8]) {
    let whole = read(bytes, bytes.len().max(1));
    for piece_bytes in [1, 2 + bytes.len() % 61] {
        let pieces = read(bytes, piece_bytes);
        assert_eq!(whole.requests, pieces.requests, "in pieces of {piece_bytes}");
        agree(whole.refused, pieces.refused);
    }
    for said in &whole.requests {
        let again = read(&said.written(), usize::MAX);
        // The line that says the length may be one too many.
        if again.refused == Some(ProblemKind::HeadTooLarge) {
            continue;
        }
        let [same] = again.requests.as_slice() else {
            panic!("{said:?} written again is {again:?}")
        };
        assert_eq!(said.meaning(), same.meaning());
    }
}

/// A head that is not whole yet may be refused at once or when its end comes; which of two
/// reasons is named may depend on what had arrived, whether it is refused may not.
fn agree(whole: Option<ProblemKind>, pieces: Option<ProblemKind>) {
    match (whole, pieces) {
        (None, Some(kind)) => panic!("{kind:?} only in pieces"),
        (Some(one), Some(other)) => {
            let size = [one, other].contains(&ProblemKind::HeadTooLarge);
            assert!(one == other || size, "{one:?} whole, {other:?} in pieces");
        }
        (_, None) => {}
    }
}
