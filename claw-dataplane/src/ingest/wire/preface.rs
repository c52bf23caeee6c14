//! Which protocol a connection speaks: its first four bytes say.
//!
//! No HTTP method begins as the wire's preface does. While the bytes so far could be either, HTTP
//! keeps them and counts the time; when they turn out to be the wire's, it forgets them.

use claw_common::wire::MAGIC;

/// What a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP, or not known yet: these bytes are for HTTP.
    Http,
    /// The wire protocol: these bytes, behind its magic, are for it.
    Wire,
}

/// What has been seen of a connection's first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preface {
    /// So many bytes are those of the magic.
    Matching(u8),
    /// Not the wire.
    Other,
}

impl Default for Preface {
    fn default() -> Self {
        Self::Matching(0)
    }
}

impl Preface {
    /// Looks at received bytes; gives the protocol and the bytes that are for it.
    pub fn look<'b>(&mut self, bytes: &'b [u8]) -> (Protocol, &'b [u8]) {
        let Self::Matching(seen) = *self else { return (Protocol::Http, bytes) };
        let due = &MAGIC[usize::from(seen)..];
        let count = due.len().min(bytes.len());
        if bytes[..count] != due[..count] {
            *self = Self::Other;
            return (Protocol::Http, bytes);
        }
        *self = Self::Matching(seen + u8::try_from(count).expect("at most four"));
        if count == due.len() { (Protocol::Wire, &bytes[count..]) } else { (Protocol::Http, bytes) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magic_is_recognised_however_it_is_split_and_http_is_left_alone() {
        for split in 0..=4 {
            let (first, second) = b"CLAW\x01".split_at(split);
            let mut preface = Preface::default();
            let (protocol, rest) = preface.look(first);
            if split == 4 {
                assert_eq!((protocol, rest), (Protocol::Wire, &b""[..]));
            } else {
                assert_eq!((protocol, rest), (Protocol::Http, first), "{split}");
                assert_eq!(preface.look(second), (Protocol::Wire, &b"\x01"[..]), "{split}");
            }
        }
        for bytes in [&b"CONNECT a:1"[..], b"GET / HTTP/1.1", b"CLAM", b"\0"] {
            let mut preface = Preface::default();
            assert_eq!(preface.look(bytes), (Protocol::Http, bytes));
            assert_eq!(preface, Preface::Other);
            assert_eq!(preface.look(b"CLAW"), (Protocol::Http, &b"CLAW"[..]));
        }
    }
}
