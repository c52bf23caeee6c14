//! The signature base of RFC 9421, section 2.5: names of components and the lines they make.
//!
//! Writes into the caller's buffer and allocates nothing else. Component parameters (`;sf`, `;bs`,
//! `;req`, ...) are not supported: nothing of ours needs them.

/// The request's method.
pub const METHOD: &str = "@method";
/// The authority: host in lower case, without the scheme's default port.
pub const AUTHORITY: &str = "@authority";
/// The path, `/` when empty.
pub const PATH: &str = "@path";
/// The query with its question mark.
pub const QUERY: &str = "@query";
/// The digest of the body (RFC 9530).
pub const CONTENT_DIGEST: &str = "content-digest";
/// The identity of an unsafe request.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Appends the line of one component.
#[inline]
pub fn write_component(base: &mut Vec<u8>, name: &str, value: &[u8]) {
    open_component(base, name);
    base.extend_from_slice(value);
    base.push(b'\n');
}

/// Appends the line of `@query`: the question mark stands also where the query is empty.
#[inline]
pub fn write_query(base: &mut Vec<u8>, query: &str) {
    open_component(base, QUERY);
    base.push(b'?');
    base.extend_from_slice(query.as_bytes());
    base.push(b'\n');
}

/// Appends the line of `@authority`, normalised.
#[inline]
pub fn write_authority(base: &mut Vec<u8>, authority: &str) {
    open_component(base, AUTHORITY);
    extend_authority(base, authority);
    base.push(b'\n');
}

/// Appends the last line, without the parameters themselves.
#[inline]
pub fn open_parameters(base: &mut Vec<u8>) {
    base.extend_from_slice(b"\"@signature-params\": ");
}

/// Appends an authority in lower case without the default port of `http`.
#[inline]
pub fn extend_authority(out: &mut Vec<u8>, authority: &str) {
    let authority = authority.strip_suffix(":80").unwrap_or(authority);
    let start = out.len();
    out.extend_from_slice(authority.as_bytes());
    out[start..].make_ascii_lowercase();
}

/// Appends how the line of a component begins: its name, in quotes, up to its value.
#[inline]
pub fn open_component(base: &mut Vec<u8>, name: &str) {
    base.push(b'"');
    base.extend_from_slice(name.as_bytes());
    base.extend_from_slice(b"\": ");
}
