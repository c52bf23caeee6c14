//! Bytes to answers: HTTP/1.1 responses as far as our interface sends them.
//!
//! Owns the framing (status line, headers, `Content-Length`); the grammar is httparse's. Sans-I/O:
//! a buffer in, an answer or "more bytes" out. Does not do chunked bodies or `100 Continue`,
//! which the interface never sends; both are protocol errors here.

use super::super::answer::{Answer, Body};

/// Header lines in an answer.
const HEADERS_MAX: usize = 48;
/// Longest answer a shopper takes, bytes. A product, a cart or an order is far below.
pub const RESPONSE_BYTES_MAX: usize = 256 * 1024;

/// Why bytes are not an answer.
#[derive(Debug, thiserror::Error)]
pub enum ResponseError {
    /// The head is not HTTP.
    #[error("the answer is not HTTP/1.1")]
    Grammar(#[from] httparse::Error),
    /// No length, or one that is no number.
    #[error("the answer has no usable content-length")]
    Length,
    /// Longer than [`RESPONSE_BYTES_MAX`].
    #[error("the answer is longer than {RESPONSE_BYTES_MAX} bytes")]
    TooLong,
}

/// A whole answer at the front of a buffer.
#[derive(Debug)]
pub struct Response<'a> {
    /// What the shopper reads.
    pub answer: Answer<'a>,
    /// Bytes of the buffer it took.
    pub consumed_bytes: usize,
    /// The node will close the connection.
    pub closes: bool,
}

/// Parses the answer at the front of `buffer`; `None` asks for more bytes.
pub fn parse(buffer: &[u8]) -> Result<Option<Response<'_>>, ResponseError> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head_bytes) = head.parse(buffer)? else {
        if buffer.len() > RESPONSE_BYTES_MAX {
            return Err(ResponseError::TooLong);
        }
        return Ok(None);
    };
    let status = head.code.unwrap_or(0);
    let mut body_bytes = if matches!(status, 204 | 304) { Some(0) } else { None };
    let mut retry_after_s = None;
    let mut closes = head.version == Some(0);
    for header in head.headers.iter() {
        let text = || std::str::from_utf8(header.value).ok().map(str::trim);
        if header.name.eq_ignore_ascii_case("content-length") {
            body_bytes = text().and_then(|text| text.parse::<usize>().ok());
        } else if header.name.eq_ignore_ascii_case("retry-after") {
            retry_after_s = text().and_then(|text| text.parse().ok());
        } else if header.name.eq_ignore_ascii_case("connection") {
            closes |= text().is_some_and(|text| text.eq_ignore_ascii_case("close"));
        }
    }
    let body_bytes = body_bytes.ok_or(ResponseError::Length)?;
    if body_bytes > RESPONSE_BYTES_MAX {
        return Err(ResponseError::TooLong);
    }
    let consumed_bytes = head_bytes + body_bytes;
    let Some(body) = buffer.get(head_bytes..consumed_bytes) else { return Ok(None) };
    let answer = Answer { status, retry_after_s, body: Body::Json(body) };
    Ok(Some(Response { answer, consumed_bytes, closes }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOLD_OUT: &[u8] = b"HTTP/1.1 409 Conflict\r\nContent-Type: application/problem+json\r\n\
        Content-Length: 40\r\n\r\n{\"type\":\"urn:openclaw:problem:sold-out\"}HTTP/1.1 200 OK\r\n";

    #[test]
    fn every_cut_of_an_answer_asks_for_more() {
        let whole = SOLD_OUT.len() - 17;
        for cut in 0..whole {
            assert!(parse(&SOLD_OUT[..cut]).unwrap().is_none(), "{cut}");
        }
        assert_eq!(parse(&SOLD_OUT[..whole]).unwrap().unwrap().consumed_bytes, whole);
    }

    #[test]
    fn next_answer_in_the_buffer_is_left_alone() {
        let response = parse(SOLD_OUT).unwrap().unwrap();
        assert_eq!(&SOLD_OUT[response.consumed_bytes..], b"HTTP/1.1 200 OK\r\n");
        assert_eq!(response.answer.status, 409);
        assert_eq!(response.answer.problem(), Some("sold-out"));
        assert!(!response.closes);
    }

    #[test]
    fn retry_after_and_close_are_read() {
        let text = b"HTTP/1.1 503 Busy\r\nretry-after: 2\r\nCONNECTION: Close\r\n\
            content-length: 0\r\n\r\n";
        let response = parse(text).unwrap().unwrap();
        assert_eq!(response.answer.retry_after_s, Some(2));
        assert!(response.closes);
    }

    #[test]
    fn answers_without_a_usable_length_are_refused() {
        for length in ["", "Content-Length: x\r\n", "Transfer-Encoding: chunked\r\n"] {
            let text = format!("HTTP/1.1 200 OK\r\n{length}\r\n");
            assert!(matches!(parse(text.as_bytes()), Err(ResponseError::Length)), "{length}");
        }
        let long = "HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n";
        assert!(matches!(parse(long.as_bytes()), Err(ResponseError::TooLong)));
        assert!(matches!(parse(b"SSH-2.0-x\r\n"), Err(ResponseError::Grammar(_))));
    }
}
