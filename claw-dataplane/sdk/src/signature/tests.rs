//! Vectors of RFC 9421 appendix B.2 and properties of what we sign.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{base, digest};
use crate::key::{Signer, generate_ed25519, generate_secret, public_of_pem};
use crate::signature::sign::RequestParts;

/// Appendix B.1.4.
const RFC_ED25519_PEM: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF\n\
    -----END PRIVATE KEY-----\n";
/// Appendix B.1.5.
const RFC_SECRET: &str = "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBt\
    bmHhIDi6pcl8jsasjlTMtDQ==";

fn rfc_hmac_tag(message: &[u8]) -> Vec<u8> {
    use hmac::Mac as _;
    let mut state = crate::key::keyed_state(&STANDARD.decode(RFC_SECRET).unwrap());
    state.update(message);
    state.finalize().into_bytes().to_vec()
}

#[test]
fn base_and_hmac_match_rfc_9421_b_2_5() {
    let mut text = Vec::new();
    base::write_component(&mut text, "date", b"Tue, 20 Apr 2021 02:07:55 GMT");
    base::write_authority(&mut text, "Example.com:80");
    base::write_component(&mut text, "content-type", b"application/json");
    base::open_parameters(&mut text);
    text.extend_from_slice(
        b"(\"date\" \"@authority\" \"content-type\");created=1618884473;\
          keyid=\"test-shared-secret\"",
    );
    let expected = "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=";
    assert_eq!(STANDARD.encode(rfc_hmac_tag(&text)), expected);
}

#[test]
fn base_and_ed25519_match_rfc_9421_b_2_6() {
    let mut text = Vec::new();
    base::write_component(&mut text, "date", b"Tue, 20 Apr 2021 02:07:55 GMT");
    base::write_component(&mut text, base::METHOD, b"POST");
    base::write_component(&mut text, base::PATH, b"/foo");
    base::write_authority(&mut text, "example.com");
    base::write_component(&mut text, "content-type", b"application/json");
    base::write_component(&mut text, "content-length", b"18");
    base::open_parameters(&mut text);
    text.extend_from_slice(
        b"(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\")\
          ;created=1618884473;keyid=\"test-key-ed25519\"",
    );
    let signer = Signer::ed25519("test-key-ed25519", RFC_ED25519_PEM).unwrap();
    assert_eq!(
        STANDARD.encode(signer.tag(&text).as_bytes()),
        "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="
    );
}

#[test]
fn digest_field_matches_rfc_9530_and_any_other_body_is_refused() {
    let body = b"{\"hello\": \"world\"}";
    let mut field = Vec::new();
    digest::write_digest(&mut field, body);
    assert_eq!(field, b"sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:");
    assert_eq!(digest::check_digest(&field, body), Ok(()));
    let two = [b"sha-512=:AAAA:, ".as_slice(), &field].concat();
    assert_eq!(digest::check_digest(&two, body), Ok(()));
    assert_eq!(digest::check_digest(&field, b"{}"), Err(digest::DigestError::Mismatch));
    for bad in [b"".as_slice(), b"sha-512=:AAAA:", b"sha-256=:AA==:", b"sha-256=:!:", b"sha-256=AA"]
    {
        assert_eq!(digest::check_digest(bad, body), Err(digest::DigestError::Missing));
    }
}

#[test]
fn signed_lines_cover_what_the_interface_asks() {
    let signer = Signer::hmac("storefront-hmac", &generate_secret().unwrap()).unwrap();
    let mut out = b"Host: a\r\n".to_vec();
    let request = RequestParts {
        method: "POST",
        authority: "LocalHost:7070",
        path: "/v1/holds",
        query: None,
        body: b"{}",
        idempotency_key: Some("00000000-0000-4000-8000-000000000000"),
    };
    signer.sign_into(&mut out, &request, 1_700_000_000);
    let text = String::from_utf8(out).unwrap();
    assert!(text.starts_with("Host: a\r\nContent-Digest: sha-256=:"), "{text}");
    assert!(
        text.contains(
            "Signature-Input: claw=(\"@method\" \"@authority\" \"@path\" \"content-digest\" \
             \"idempotency-key\");created=1700000000;keyid=\"storefront-hmac\";\
             alg=\"hmac-sha256\"\r\nSignature: claw=:"
        ),
        "{text}"
    );
    let mut read = Vec::new();
    let request = RequestParts { method: "GET", path: "/p", query: Some("a=1"), ..request };
    let request = RequestParts { body: b"", idempotency_key: None, ..request };
    signer.sign_into(&mut read, &request, 0);
    let text = String::from_utf8(read).unwrap();
    assert!(text.starts_with(
        "Signature-Input: claw=(\"@method\" \"@authority\" \"@path\" \"@query\");created=0;"
    ));
}

#[test]
fn made_keys_are_read_back_from_a_store() {
    let folder = std::env::temp_dir().join(format!("claw-sdk-keys-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("keys")).unwrap();
    let key = generate_ed25519().unwrap();
    std::fs::write(folder.join("keys/source.pem"), key.pem.as_bytes()).unwrap();
    let secret = generate_secret().unwrap();
    std::fs::write(folder.join("keys/front.secret"), secret.as_bytes()).unwrap();
    assert_eq!(public_of_pem(&key.pem).unwrap(), key.public);
    assert_eq!(Signer::load(&folder, "source").unwrap().algorithm(), "ed25519");
    assert_eq!(Signer::load(&folder, "front").unwrap().algorithm(), "hmac-sha256");
    assert!(Signer::load(&folder, "nobody").is_err());
    assert!(Signer::load(&folder, "../front").is_err());
    std::fs::remove_dir_all(&folder).unwrap();
}
