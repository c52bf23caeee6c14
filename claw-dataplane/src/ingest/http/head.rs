//! One request head: grammar by `httparse`, then everything that must not be ambiguous.
//!
//! The result borrows from the received bytes. A head is refused when its body's length could be
//! read in two ways, when lines end in anything but CRLF, when the host is missing, doubled or
//! contradicted by the target, and when a field that we act upon comes twice.

use std::mem::MaybeUninit;

use claw_common::limits::{BODY_BYTES_MAX, HEAD_BYTES_MAX, HEADERS_MAX};
use httparse::{Header, Status};

use crate::ingest::problem::{Problem, ProblemKind};

/// Room for the header lines of one head.
pub type HeaderRoom<'a> = [MaybeUninit<Header<'a>>; HEADERS_MAX];

/// Fresh room; not initialised, since clearing it costs as much as parsing.
pub const fn header_room<'a>() -> HeaderRoom<'a> {
    [const { MaybeUninit::uninit() }; HEADERS_MAX]
}

/// A request as it arrived.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Method as written.
    pub method: &'a str,
    /// Request target as written.
    pub target: &'a str,
    /// Path of the target; `*` for `OPTIONS *`.
    pub path: &'a str,
    /// What follows the question mark.
    pub query: Option<&'a str>,
    /// The `Host` field.
    pub authority: &'a str,
    /// Fields that ingest acts upon.
    pub fields: Fields<'a>,
    /// All fields in order.
    pub all: &'a [Header<'a>],
    /// The body, chunks already joined.
    pub body: &'a [u8],
    /// Whether the connection ends with the answer.
    pub close: bool,
    /// How the connection carries it.
    pub scheme: Scheme,
}

impl<'a> Request<'a> {
    /// The authority as signatures cover it: without the default port of `https` where it came
    /// that way. That of `http` is left out by who writes the base.
    pub fn signed_authority(&self) -> &'a str {
        match self.scheme {
            Scheme::Http => self.authority,
            Scheme::Https => self.authority.strip_suffix(":443").unwrap_or(self.authority),
        }
    }
}

/// How a connection carries requests, for `@scheme` in signatures (RFC 9421 section 2.2.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheme {
    /// As they are.
    #[default]
    Http,
    /// In TLS.
    Https,
}

impl Scheme {
    /// As it is signed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// Fields that ingest acts upon, each at most once in a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fields<'a> {
    /// `Authorization`.
    pub authorization: Option<&'a str>,
    /// `Claw-After`.
    pub claw_after: Option<&'a str>,
    /// `Content-Digest`.
    pub content_digest: Option<&'a str>,
    /// `Content-Type`.
    pub content_type: Option<&'a str>,
    /// `Idempotency-Key`.
    pub idempotency_key: Option<&'a str>,
    /// `If-Match`.
    pub if_match: Option<&'a str>,
    /// `Origin`.
    pub origin: Option<&'a str>,
    /// `Prefer`.
    pub prefer: Option<&'a str>,
    /// `Stripe-Signature`.
    pub stripe_signature: Option<&'a str>,
    /// `Signature`.
    pub signature: Option<&'a str>,
    /// `Signature-Input`.
    pub signature_input: Option<&'a str>,
}

/// Where the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// After this many bytes.
    Length(usize),
    /// After the last chunk.
    Chunked,
}

/// A complete head.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// The request, its body still empty.
    pub request: Request<'a>,
    /// Bytes of the head, the empty line included.
    pub head_bytes: usize,
    /// Where the body ends.
    pub framing: Framing,
    /// Whether the client waits for `100 Continue`.
    pub expects_continue: bool,
}

/// Fields that frame the message or name the host.
#[derive(Clone, Copy, Debug, Default)]
struct Framers<'a> {
    connection: Option<&'a str>,
    content_length: Option<&'a str>,
    expect: Option<&'a str>,
    host: Option<&'a str>,
    transfer_encoding: Option<&'a str>,
}

/// Reads a head at the front of `bytes`; `None` while it is incomplete.
pub fn parse_head<'a>(
    bytes: &'a [u8],
    room: &'a mut HeaderRoom<'a>,
) -> Result<Option<Head<'a>>, Problem> {
    let mut parsed = httparse::Request::new(&mut []);
    let head_bytes = match parsed.parse_with_uninit_headers(bytes, room) {
        Ok(Status::Complete(head_bytes)) => head_bytes,
        Ok(Status::Partial) if bytes.len() < HEAD_BYTES_MAX => return Ok(None),
        Ok(Status::Partial) | Err(httparse::Error::TooManyHeaders) => return Err(head_too_large()),
        Err(error) => return Err(Problem::malformed(format!("read the request: {error}"))),
    };
    if head_bytes > HEAD_BYTES_MAX {
        return Err(head_too_large());
    }
    check_line_ends(&bytes[..head_bytes])?;
    let (method, target) = (parsed.method.expect("complete"), parsed.path.expect("complete"));
    let version_1_1 = parsed.version == Some(1);
    let all: &'a [Header<'a>] = parsed.headers;
    let (fields, framers) = pick_fields(&bytes[..head_bytes], all)?;
    let authority = check_host(framers.host, version_1_1)?;
    let (path, query) = split_target(method, target, authority)?;
    let framing = find_framing(&framers, version_1_1)?;
    let expects_continue = version_1_1 && check_expect(framers.expect)?;
    let close = !version_1_1 || framers.connection.is_some_and(|value| has_token(value, "close"));
    // What only the connection knows is filled in there.
    let (body, scheme) = (&[][..], Scheme::default());
    let request =
        Request { method, target, path, query, authority, fields, all, body, close, scheme };
    Ok(Some(Head { request, head_bytes, framing, expects_continue }))
}

/// `httparse` accepts a bare LF as a line's end and a reader before us may not.
fn check_line_ends(head: &[u8]) -> Result<(), Problem> {
    // No early end and no wide sum: the compiler makes vectors of bytes of it.
    let bare = |(before, byte): (&u8, &u8)| u8::from(*byte == b'\n') & u8::from(*before != b'\r');
    let any = head.iter().zip(&head[1..]).map(bare).fold(0, |any, bare| any | bare);
    let starts_bare = head[0] == b'\n';
    if any == 0 && !starts_bare {
        Ok(())
    } else {
        Err(Problem::malformed("a line does not end in CRLF"))
    }
}

/// Known names by their length, so that a name is compared with few.
fn pick_fields<'a>(
    head: &'a [u8],
    all: &'a [Header<'a>],
) -> Result<(Fields<'a>, Framers<'a>), Problem> {
    let texts = Texts::of(head);
    let mut fields = Fields::default();
    let mut framers = Framers::default();
    for header in all {
        let name = header.name.as_bytes();
        let slot = match name.len() {
            4 if named(name, b"host") => &mut framers.host,
            6 if named(name, b"expect") => &mut framers.expect,
            6 if named(name, b"origin") => &mut fields.origin,
            6 if named(name, b"prefer") => &mut fields.prefer,
            8 if named(name, b"if-match") => &mut fields.if_match,
            9 if named(name, b"signature") => &mut fields.signature,
            10 if named(name, b"connection") => &mut framers.connection,
            10 if named(name, b"claw-after") => &mut fields.claw_after,
            12 if named(name, b"content-type") => &mut fields.content_type,
            13 if named(name, b"authorization") => &mut fields.authorization,
            14 if named(name, b"content-length") => &mut framers.content_length,
            14 if named(name, b"content-digest") => &mut fields.content_digest,
            15 if named(name, b"signature-input") => &mut fields.signature_input,
            15 if named(name, b"idempotency-key") => &mut fields.idempotency_key,
            16 if named(name, b"stripe-signature") => &mut fields.stripe_signature,
            17 if named(name, b"transfer-encoding") => &mut framers.transfer_encoding,
            _ => continue,
        };
        let text = texts.text(header.value).ok_or_else(|| {
            Problem::malformed(format!("the field {} holds more than ASCII", header.name))
        })?;
        if slot.replace(text.trim_ascii()).is_some() {
            return Err(Problem::malformed(format!("the field {} comes twice", header.name)));
        }
    }
    Ok((fields, framers))
}

/// Whether a name of the same length is this one, whatever its case. In a name, which is a token
/// (RFC 9110, section 5.6.2), the bit that tells the cases apart turns nothing else into a letter
/// or a hyphen. No early end: of so few bytes the compiler makes one comparison.
fn named<const N: usize>(name: &[u8], lower: &[u8; N]) -> bool {
    name.first_chunk::<N>().is_some_and(|name| {
        let pairs = name.iter().zip(lower);
        pairs.fold(0, |differs, (byte, lower)| differs | ((byte | 0x20) ^ lower)) == 0
    })
}

/// Values of fields as text. A head that is ASCII all through, as nearly all are, is looked at once
/// instead of once for each field.
struct Texts<'a> {
    head: &'a [u8],
    ascii: Option<&'a str>,
}

impl<'a> Texts<'a> {
    fn of(head: &'a [u8]) -> Self {
        let ascii = head.is_ascii().then(|| std::str::from_utf8(head).ok()).flatten();
        Self { head, ascii }
    }

    /// A value that lies in the head; `None` when it holds more than ASCII.
    fn text(&self, value: &'a [u8]) -> Option<&'a str> {
        let Some(ascii) = self.ascii else {
            return std::str::from_utf8(value).ok().filter(|text| text.is_ascii());
        };
        let start = value.as_ptr().addr() - self.head.as_ptr().addr();
        ascii.get(start..start + value.len())
    }
}

/// Bytes that name a host and its port.
const HOST_BYTES: [bool; 256] = {
    let mut allowed = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        allowed[byte as usize] =
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']');
        byte += 1;
    }
    allowed
};

fn check_host(host: Option<&str>, required: bool) -> Result<&str, Problem> {
    let Some(host) = host else {
        let problem = Problem::malformed("HTTP/1.1 needs a Host field");
        return if required { Err(problem) } else { Ok("") };
    };
    let allowed = |b: u8| HOST_BYTES[usize::from(b)];
    if host.is_empty() || !host.bytes().all(allowed) {
        return Err(Problem::malformed("the Host field names no host"));
    }
    Ok(host)
}

fn split_target<'a>(
    method: &str,
    target: &'a str,
    authority: &str,
) -> Result<(&'a str, Option<&'a str>), Problem> {
    if target == "*" && method == "OPTIONS" {
        return Ok((target, None));
    }
    if !target.is_ascii() || target.contains('#') {
        return Err(Problem::malformed("the request target holds a character that URIs have not"));
    }
    let local = match target.strip_prefix("http://") {
        Some(rest) => {
            let end = rest.find(['/', '?']).unwrap_or(rest.len());
            if !rest[..end].eq_ignore_ascii_case(authority) {
                return Err(Problem::malformed("the request target and Host name two hosts"));
            }
            &rest[end..]
        }
        None => target,
    };
    let (path, query) = match local.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (local, None),
    };
    match path {
        "" if target.len() > local.len() => Ok(("/", query)),
        _ if path.starts_with('/') => Ok((path, query)),
        _ => Err(Problem::malformed("the request target is no path")),
    }
}

fn find_framing(framers: &Framers<'_>, version_1_1: bool) -> Result<Framing, Problem> {
    match (framers.content_length, framers.transfer_encoding) {
        (Some(_), Some(_)) => {
            Err(Problem::malformed("Content-Length and Transfer-Encoding exclude each other"))
        }
        (None, None) => Ok(Framing::Length(0)),
        (None, Some(coding)) if version_1_1 && coding.eq_ignore_ascii_case("chunked") => {
            Ok(Framing::Chunked)
        }
        (None, Some(_)) => Err(Problem::malformed("Transfer-Encoding may only be chunked")),
        (Some(length), None) => {
            if length.is_empty() || !length.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(Problem::malformed("Content-Length is no number"));
            }
            let length = length.parse().ok().filter(|&length| length <= BODY_BYTES_MAX);
            length.map(Framing::Length).ok_or_else(body_too_large)
        }
    }
}

fn check_expect(expect: Option<&str>) -> Result<bool, Problem> {
    match expect {
        None => Ok(false),
        Some(value) if value.eq_ignore_ascii_case("100-continue") => Ok(true),
        Some(_) => Err(Problem::new(
            ProblemKind::ExpectationFailed,
            "the only expectation that can be met is 100-continue",
        )),
    }
}

fn has_token(list: &str, wanted: &str) -> bool {
    list.split(',').any(|token| token.trim_ascii().eq_ignore_ascii_case(wanted))
}

fn head_too_large() -> Problem {
    let detail = format!("a head may have at most {HEAD_BYTES_MAX} bytes and {HEADERS_MAX} fields");
    Problem::new(ProblemKind::HeadTooLarge, detail)
}

fn body_too_large() -> Problem {
    let detail = format!("a body may have at most {BODY_BYTES_MAX} bytes");
    Problem::new(ProblemKind::BodyTooLarge, detail)
        .number("bytes_max", u64::try_from(BODY_BYTES_MAX).expect("a small constant"))
}
