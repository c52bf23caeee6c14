//! What the listener accepts and what it refuses, row by row: the table a scanner would print.

use crate::openssl::{Served, Spoken, stepped_around};

/// What must come of a row.
enum Expected {
    /// Answered, and OpenSSL says this.
    Yes(&'static str),
    /// Refused by the node, in these words of OpenSSL's.
    No(&'static str),
}
use Expected::{No, Yes};

const NO_VERSION: Expected = No("alert protocol version");
const NO_MATCH: Expected = No("alert handshake failure");

/// What is offered, and what comes of it.
const TABLE: &[(&[&str], Expected)] = &[
    // Versions: only the newest.
    (&["-tls1_3"], Yes("TLSv1.3")),
    (&[], Yes("New, TLSv1.3")),
    (&["-tls1_2"], NO_VERSION),
    (&["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"], NO_MATCH),
    (&["-tls1", "-cipher", "DEFAULT@SECLEVEL=0"], NO_MATCH),
    (&["-max_protocol", "TLSv1.2", "-cipher", "ALL:eNULL@SECLEVEL=0"], NO_VERSION),
    // Ciphers: each of 1.3 with a full tag.
    (&["-ciphersuites", "TLS_AES_256_GCM_SHA384"], Yes("Cipher is TLS_AES_256_GCM_SHA384")),
    (&["-ciphersuites", "TLS_AES_128_GCM_SHA256"], Yes("Cipher is TLS_AES_128_GCM_SHA256")),
    (
        &["-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"],
        Yes("Cipher is TLS_CHACHA20_POLY1305_SHA256"),
    ),
    (&["-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256"], NO_MATCH),
    (
        &["-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_8_SHA256", "-cipher", "ALL:@SECLEVEL=0"],
        NO_MATCH,
    ),
    (&["-tls1_2", "-cipher", "aNULL:eNULL:@SECLEVEL=0"], NO_VERSION),
    (&["-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0"], NO_VERSION),
    // Key exchange: curves, and nothing weaker.
    (&["-groups", "X25519"], Yes("Server Temp Key: X25519")),
    (&["-groups", "P-256"], Yes("prime256v1")),
    (&["-groups", "P-384"], Yes("secp384r1")),
    (&["-groups", "P-521:X25519"], Yes("Server Temp Key: X25519")),
    (&["-groups", "P-521"], NO_MATCH),
    (&["-groups", "X448"], NO_MATCH),
    (&["-groups", "ffdhe2048"], NO_MATCH),
    // Signatures: the certificate's own kind, never SHA-1.
    (&["-sigalgs", "ECDSA+SHA256"], Yes("Peer signing digest: SHA256")),
    (&["-sigalgs", "RSA+SHA256"], NO_MATCH),
    (&["-sigalgs", "ECDSA+SHA1", "-cipher", "DEFAULT@SECLEVEL=0"], NO_MATCH),
    // Application protocols.
    (&["-alpn", "http/1.1"], Yes("ALPN protocol: http/1.1")),
    (&["-alpn", "h2,http/1.1"], Yes("ALPN protocol: http/1.1")),
    (&[], Yes("No ALPN negotiated")),
    (&["-alpn", "h2"], No("alert no application protocol")),
    (&["-alpn", "spdy/1"], No("alert no application protocol")),
    // Names: one certificate, whatever is asked for.
    (&["-servername", "localhost", "-verify_hostname", "localhost"], Yes("Verification: OK")),
    (&["-servername", "shop.example"], Yes("CN = localhost")),
    (&["-noservername"], Yes("CN = localhost")),
    // What is not there at all.
    (&["-comp"], Yes("Compression: NONE")),
    (&[], Yes("No client certificate CA names sent")),
    (&["-status"], Yes("OCSP response: no response sent")),
];

fn wrong(row: &(&[&str], Expected), spoken: &Spoken) -> Option<String> {
    let (args, expected) = row;
    let holds = match expected {
        Yes(words) => spoken.answered() && spoken.has(words),
        No(words) => !spoken.answered() && spoken.has(words),
    };
    (!holds).then(|| format!("{args:?}: {}", spoken.said))
}

#[test]
fn listener_accepts_what_the_table_says_and_nothing_else() {
    if stepped_around() {
        return;
    }
    let served = Served::start(&[]);
    let wrong: Vec<_> =
        TABLE.iter().filter_map(|row| wrong(row, &served.s_client(row.0))).collect();
    assert!(wrong.is_empty(), "{} rows are wrong:\n{}", wrong.len(), wrong.join("\n----\n"));
}

#[test]
fn session_is_resumed_by_its_ticket_and_early_data_is_not_taken() {
    if stepped_around() {
        return;
    }
    let served = Served::start(&[]);
    let ticket = served.store.path().join("session.pem");
    let ticket = ticket.to_str().expect("UTF-8");
    let first = served.s_client(&["-sess_out", ticket]);
    assert!(first.answered() && first.has("New, TLSv1.3"), "{first:?}");
    assert!(first.has("Max Early Data: 0"), "{first:?}");
    let again = served.s_client(&["-sess_in", ticket]);
    assert!(again.answered() && again.has("Reused, TLSv1.3"), "{again:?}");
    let early = served.store.path().join("early.txt");
    std::fs::write(&early, "GET /v1/health HTTP/1.1\r\nHost: a\r\n\r\n").expect("there is room");
    let early = early.to_str().expect("UTF-8");
    let hasty = served.s_client(&["-sess_in", ticket, "-early_data", early]);
    assert!(!hasty.has("Early data was accepted"), "{hasty:?}");
}
