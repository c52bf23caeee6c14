//! HTTP of a server that does nothing: where a request ends, and one answer for all.
//!
//! Without pipelining one request is out on a connection, so bytes are a request or the beginning
//! of one.

use anyhow::Result;
use claw_common::time::UnixMs;
use memchr::memmem;

use super::speech::Speech;

/// What an answer is taken for by the client: a hold. 128 bytes and a few.
const ANSWER: &[u8] = b"HTTP/1.1 201 Created\r\nContent-Length: 83\r\n\r\n\
    {\"hold_id\":\"00000000-0000-4000-8000-000000000000\",\
    \"expires_at\":\"2100-01-01T00:00Z\"}";

const HEAD_END: &[u8] = b"\r\n\r\n";
const LENGTH: &[u8] = b"Content-Length: ";

/// See the module.
pub(super) struct Http;

/// A connection.
pub(super) struct Link {
    unread: Vec<u8>,
    out: Vec<u8>,
}

impl Speech for Http {
    type Link = Link;

    fn open(&self, _now_ms: UnixMs) -> Link {
        Link { unread: Vec::new(), out: Vec::new() }
    }

    fn receive(
        &self,
        link: &mut Link,
        (bytes, _now_ms): (&[u8], UnixMs),
        asked: &mut impl FnMut(u64, &[u8]),
    ) -> Result<()> {
        let unread = &mut link.unread;
        if unread.is_empty() && request_bytes(bytes) == Some(bytes.len()) {
            asked(0, bytes);
            return Ok(());
        }
        unread.extend_from_slice(bytes);
        if let Some(length) = request_bytes(unread) {
            asked(0, &unread[..length]);
            unread.drain(..length);
        }
        Ok(())
    }

    fn answer(&self, link: &mut Link, _number: u64) -> Result<()> {
        link.out.extend_from_slice(ANSWER);
        Ok(())
    }

    fn to_send(link: &mut Link) -> &mut Vec<u8> {
        &mut link.out
    }
}

/// Length of the whole request at the front; `None` asks for more bytes.
fn request_bytes(bytes: &[u8]) -> Option<usize> {
    let head_bytes = memmem::find(bytes, HEAD_END)? + HEAD_END.len();
    let body_bytes = match memmem::find(&bytes[..head_bytes], LENGTH) {
        None => 0,
        Some(start) => bytes[start + LENGTH.len()..head_bytes]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .fold(0, |length: usize, digit| length * 10 + usize::from(digit - b'0')),
    };
    let length = head_bytes.checked_add(body_bytes)?;
    (bytes.len() >= length).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &[u8] = b"POST / HTTP/1.1\r\nContent-Length: 12\r\nA: b\r\n\r\n{\"a\":\"1234\"}";

    #[test]
    fn every_cut_of_a_request_asks_for_more() {
        for cut in 0..REQUEST.len() {
            assert_eq!(request_bytes(&REQUEST[..cut]), None, "{cut}");
        }
        assert_eq!(request_bytes(REQUEST), Some(REQUEST.len()));
        assert_eq!(request_bytes(b"GET / HTTP/1.1\r\n\r\n"), Some(18));
    }

    #[test]
    fn answer_is_a_hold_to_the_client() {
        use claw_dataplane::simulate::{answer, client::response};
        let response = response::parse(ANSWER).unwrap().unwrap();
        assert_eq!(response.consumed_bytes, ANSWER.len());
        assert_eq!(response.answer.status, 201);
        assert!(answer::hold(&response.answer).is_some());
    }
}
