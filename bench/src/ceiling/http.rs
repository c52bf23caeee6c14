//! Where a request ends: as little reading as can be.
//!
//! One request is out on a connection, so bytes are a request or the beginning of one. Pure.

use memchr::memmem;

/// What an answer is taken for by the client: a hold. 128 bytes and a few.
pub(super) const ANSWER: &[u8] = b"HTTP/1.1 201 Created\r\nContent-Length: 83\r\n\r\n\
    {\"hold_id\":\"00000000-0000-4000-8000-000000000000\",\
    \"expires_at\":\"2100-01-01T00:00Z\"}";

const HEAD_END: &[u8] = b"\r\n\r\n";
const LENGTH: &[u8] = b"Content-Length: ";

/// Length of the whole request at the front; `None` asks for more bytes.
pub(super) fn request_bytes(bytes: &[u8]) -> Option<usize> {
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
