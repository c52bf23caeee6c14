//! What a request of ours covers, and the header lines that say so.
//!
//! Coverage is fixed by the public interface: method, authority and path always, the query when
//! there is one, the digest when there is a body, the idempotency key when there is one. The base
//! is built at the end of the caller's buffer and cut off again, so signing allocates nothing.

use crate::key::Signer;
use crate::signature::{base, digest};

/// The label our signatures carry.
const LABEL: &str = "claw";

/// What is signed of a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestParts<'a> {
    /// In upper case.
    pub method: &'a str,
    /// What the `Host` header will say.
    pub authority: &'a str,
    /// Path, beginning with `/`.
    pub path: &'a str,
    /// After the question mark, when there is one.
    pub query: Option<&'a str>,
    /// Empty for none.
    pub body: &'a [u8],
    /// On POST, PUT and DELETE.
    pub idempotency_key: Option<&'a str>,
}

impl Signer {
    /// Appends the header lines `Content-Digest`, `Idempotency-Key` (where they apply),
    /// `Signature-Input` and `Signature`, each with its line end.
    pub fn sign_into(&self, out: &mut Vec<u8>, request: &RequestParts<'_>, created_s: u64) {
        let digest_at = (!request.body.is_empty()).then(|| write_digest_line(out, request.body));
        if let Some(key) = request.idempotency_key {
            write_line(out, b"Idempotency-Key: ", key.as_bytes());
        }
        let start = out.len();
        write_base(out, request, digest_at);
        self.write_parameters(out, request, created_s);
        let tag = self.tag(&out[start..]);
        out.truncate(start);
        out.extend_from_slice(b"Signature-Input: ");
        out.extend_from_slice(LABEL.as_bytes());
        out.push(b'=');
        self.write_parameters(out, request, created_s);
        out.extend_from_slice(b"\r\nSignature: ");
        out.extend_from_slice(LABEL.as_bytes());
        out.extend_from_slice(b"=:");
        digest::extend_base64(out, tag.as_bytes());
        out.extend_from_slice(b":\r\n");
    }

    fn write_parameters(&self, out: &mut Vec<u8>, request: &RequestParts<'_>, created_s: u64) {
        out.extend_from_slice(b"(\"@method\" \"@authority\" \"@path\"");
        if request.query.is_some() {
            out.extend_from_slice(b" \"@query\"");
        }
        if !request.body.is_empty() {
            out.extend_from_slice(b" \"content-digest\"");
        }
        if request.idempotency_key.is_some() {
            out.extend_from_slice(b" \"idempotency-key\"");
        }
        out.extend_from_slice(b");created=");
        write_number(out, created_s);
        out.extend_from_slice(b";keyid=\"");
        out.extend_from_slice(self.keyid().as_bytes());
        out.extend_from_slice(b"\";alg=\"");
        out.extend_from_slice(self.algorithm().as_bytes());
        out.push(b'"');
    }
}

/// Returns where the digest's value lies.
fn write_digest_line(out: &mut Vec<u8>, body: &[u8]) -> std::ops::Range<usize> {
    out.extend_from_slice(b"Content-Digest: ");
    let start = out.len();
    digest::write_digest(out, body);
    let end = out.len();
    out.extend_from_slice(b"\r\n");
    start..end
}

fn write_base(
    out: &mut Vec<u8>,
    request: &RequestParts<'_>,
    digest_at: Option<std::ops::Range<usize>>,
) {
    base::write_component(out, base::METHOD, request.method.as_bytes());
    base::write_authority(out, request.authority);
    base::write_component(out, base::PATH, request.path.as_bytes());
    if let Some(query) = request.query {
        base::write_query(out, query);
    }
    if let Some(range) = digest_at {
        out.extend_from_slice(b"\"content-digest\": ");
        out.extend_from_within(range);
        out.push(b'\n');
    }
    if let Some(key) = request.idempotency_key {
        base::write_component(out, base::IDEMPOTENCY_KEY, key.as_bytes());
    }
    base::open_parameters(out);
}

fn write_line(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn write_number(out: &mut Vec<u8>, number: u64) {
    let start = out.len();
    let mut rest = number;
    loop {
        out.push(b'0' + u8::try_from(rest % 10).expect("a digit"));
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out[start..].reverse();
}
