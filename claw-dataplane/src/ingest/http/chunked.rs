//! Chunked bodies (RFC 9112, section 7.1), strictly: no extensions, no trailers.
//!
//! Both are legal and nobody needs them here; both have carried smuggled requests. The decoder
//! remembers how far it read, so bytes that arrive one by one are read once.

use claw_common::limits::BODY_BYTES_MAX;

use crate::ingest::problem::{Problem, ProblemKind};

/// Digits of the largest chunk size that may be worth reading: 64 KiB is `10000`.
const SIZE_DIGITS_MAX: usize = 6;
/// Most bytes a chunked body may take on the wire: no chunk of ours' clients is so small that its
/// framing outweighs it.
const RAW_BYTES_MAX: usize = 2 * BODY_BYTES_MAX;

/// Reads one chunked body.
#[derive(Clone, Copy, Debug, Default)]
pub struct ChunkDecoder {
    at: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Size,
    Data {
        left: usize,
    },
    DataEnd,
    End,
}

impl ChunkDecoder {
    /// Reads on in `raw`, which begins where the body begins and only grows between calls;
    /// `Some` is where the body ends.
    pub fn advance(&mut self, raw: &[u8], body: &mut Vec<u8>) -> Result<Option<usize>, Problem> {
        loop {
            if self.at > RAW_BYTES_MAX {
                return Err(too_large());
            }
            let rest = &raw[self.at..];
            match self.state {
                State::Size => match read_size(rest)? {
                    None => return Ok(None),
                    Some((0, line_bytes)) => {
                        self.at += line_bytes;
                        self.state = State::End;
                    }
                    Some((size, line_bytes)) => {
                        if body.len() + size > BODY_BYTES_MAX {
                            return Err(too_large());
                        }
                        self.at += line_bytes;
                        self.state = State::Data { left: size };
                    }
                },
                State::Data { left } => {
                    let taken = left.min(rest.len());
                    body.extend_from_slice(&rest[..taken]);
                    self.at += taken;
                    if taken < left {
                        self.state = State::Data { left: left - taken };
                        return Ok(None);
                    }
                    self.state = State::DataEnd;
                }
                State::DataEnd => {
                    if !read_line_end(rest, "a chunk is longer than its size")? {
                        return Ok(None);
                    }
                    self.at += 2;
                    self.state = State::Size;
                }
                State::End => {
                    if !read_line_end(rest, "trailers are not accepted")? {
                        return Ok(None);
                    }
                    return Ok(Some(self.at + 2));
                }
            }
        }
    }
}

/// The size and the bytes of its line; `None` while the line is incomplete.
fn read_size(rest: &[u8]) -> Result<Option<(usize, usize)>, Problem> {
    let digits = rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    if digits > SIZE_DIGITS_MAX {
        return Err(too_large());
    }
    if digits == 0 && !rest.is_empty() {
        return Err(Problem::malformed("a chunk has no hexadecimal size"));
    }
    if !read_line_end(&rest[digits..], "chunk extensions are not accepted")? {
        return Ok(None);
    }
    let text = std::str::from_utf8(&rest[..digits]).expect("hexadecimal digits");
    let size = usize::from_str_radix(text, 16).expect("at most six digits");
    Ok(Some((size, digits + 2)))
}

fn read_line_end(rest: &[u8], otherwise: &str) -> Result<bool, Problem> {
    match rest {
        [] | [b'\r'] => Ok(false),
        [b'\r', b'\n', ..] => Ok(true),
        [_, ..] => Err(Problem::malformed(otherwise)),
    }
}

fn too_large() -> Problem {
    Problem::new(
        ProblemKind::BodyTooLarge,
        format!("a body may have at most {BODY_BYTES_MAX} bytes"),
    )
    .number("bytes_max", u64::try_from(BODY_BYTES_MAX).expect("a small constant"))
}
