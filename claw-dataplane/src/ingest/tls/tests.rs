//! Sessions against a client of rustls, in memory: every byte of both streams passes through here.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use proptest::prelude::*;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::session::INCOMPLETE_BYTES_MAX;
use super::*;

const DEADLINE_MS: u64 = 10_000;

/// A certificate of its own and a client that trusts it.
struct World {
    identity: Identity,
    client: ClientConfig,
    chain_pem: String,
    key_pem: String,
}

fn world() -> World {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (chain_pem, key_pem) = (made.cert.pem(), made.signing_key.serialize_pem());
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let identity = identify(chain_pem.as_bytes(), key_pem.as_bytes()).unwrap();
    World { identity, client, chain_pem, key_pem }
}

/// One connection: both ends, and what the server was given so far.
struct Pair {
    client: ClientConnection,
    server: Session,
    plaintext: Vec<u8>,
    answers: Vec<u8>,
    established: Option<Handshake>,
    finished: bool,
    failed: Option<SessionError>,
}

impl Pair {
    fn new(world: &World) -> Self {
        Self::with(world.client.clone(), &world.identity)
    }

    fn with(client: ClientConfig, identity: &Identity) -> Self {
        let name = ServerName::try_from("localhost").unwrap();
        Self {
            client: ClientConnection::new(Arc::new(client), name).unwrap(),
            server: Session::new(Arc::clone(identity), DEADLINE_MS),
            plaintext: Vec::new(),
            answers: Vec::new(),
            established: None,
            finished: false,
            failed: None,
        }
    }

    /// Gives the server these bytes.
    fn deliver(&mut self, bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        let plaintext = &mut self.plaintext;
        let received =
            self.server.receive(&mut bytes, &mut |opened| plaintext.extend_from_slice(opened));
        self.established = self.established.or(received.established);
        self.finished |= received.finished;
        self.failed = self.failed.or(received.failed);
    }

    /// What the client has to send.
    fn client_says(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.client.wants_write() {
            self.client.write_tls(&mut bytes).unwrap();
        }
        bytes
    }

    /// What the server has to send, given to the client; its answer is what the client makes of it.
    fn client_hears(&mut self) -> Result<Vec<u8>, rustls::Error> {
        let mut bytes = Vec::new();
        self.server.seal(&mut self.answers, &mut bytes);
        let mut rest = bytes.as_slice();
        let mut read = Vec::new();
        while !rest.is_empty() {
            self.client.read_tls(&mut rest).unwrap();
            self.client.process_new_packets()?;
            let mut piece = [0; 4096];
            while let Ok(count) = self.client.reader().read(&mut piece) {
                if count == 0 {
                    break;
                }
                read.extend_from_slice(&piece[..count]);
            }
        }
        Ok(read)
    }

    /// Both sides say all they have, the client's bytes in pieces of `piece_bytes`.
    fn talk(&mut self, piece_bytes: usize) -> Result<Vec<u8>, rustls::Error> {
        let mut read = Vec::new();
        loop {
            let bytes = self.client_says();
            bytes.chunks(piece_bytes).for_each(|piece| self.deliver(piece));
            let before = read.len();
            read.extend(self.client_hears()?);
            if bytes.is_empty() && read.len() == before {
                return Ok(read);
            }
        }
    }

    fn shake_hands(mut self) -> Self {
        assert_eq!(self.talk(usize::MAX), Ok(Vec::new()));
        assert!(self.established.is_some() && self.failed.is_none());
        self
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_cut_of_the_stream_gives_the_same_bytes(
        piece_bytes in prop_oneof![1..40_usize, 40..3000_usize],
        requests in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..5000), 1..4),
        answer in prop::collection::vec(any::<u8>(), 0..50_000),
    ) {
        let mut pair = Pair::new(&world());
        // Written before the handshake is over: the client sends them with its last message.
        for request in &requests {
            pair.client.writer().write_all(request).unwrap();
        }
        pair.talk(piece_bytes).unwrap();
        prop_assert_eq!(pair.established, Some(Handshake::Full));
        prop_assert_eq!(&pair.plaintext, &requests.concat());
        pair.answers = answer.clone();
        prop_assert_eq!(pair.talk(piece_bytes).unwrap(), answer);
        prop_assert!(pair.answers.is_empty());
    }

    #[test]
    fn bytes_that_are_no_tls_never_panic_and_never_get_through(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..600), 1..6),
        after_handshake in any::<bool>(),
    ) {
        let world = world();
        let mut pair = Pair::new(&world);
        if after_handshake {
            pair = pair.shake_hands();
        }
        for piece in &pieces {
            pair.deliver(piece);
        }
        prop_assert!(pair.plaintext.is_empty());
        let mut out = Vec::new();
        pair.server.seal(&mut pair.answers, &mut out);
        prop_assert!(out.len() < 512, "an alert at most");
    }

    #[test]
    fn spoilt_handshake_never_panics_and_lets_nothing_else_through(
        spoils in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        piece_bytes in prop_oneof![Just(usize::MAX), 1..300_usize],
        in_greeting in any::<bool>(),
        tail in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut pair = Pair::new(&world());
        let mut bytes = pair.client_says();
        if !in_greeting {
            pair.deliver(&bytes);
            pair.client_hears().unwrap();
            pair.client.writer().write_all(b"never to be seen").unwrap();
            bytes = pair.client_says();
        }
        for (at, mask) in spoils {
            let at = at.index(bytes.len());
            bytes[at] ^= mask | 1;
        }
        bytes.extend_from_slice(&tail);
        bytes.chunks(piece_bytes).for_each(|piece| pair.deliver(piece));
        let mut out = Vec::new();
        pair.server.seal(&mut b"an answer".to_vec(), &mut out);
        // What does not change the meaning (a session id that is only echoed, say) is found by the
        // client: it compares what each side heard.
        prop_assert!(pair.plaintext.is_empty() || pair.plaintext == b"never to be seen");
    }

    #[test]
    fn flipped_bit_in_a_record_ends_the_session_before_its_bytes_are_seen(
        request in prop::collection::vec(any::<u8>(), 1..300),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u8,
    ) {
        let mut pair = Pair::new(&world()).shake_hands();
        pair.client.writer().write_all(&request).unwrap();
        let mut bytes = pair.client_says();
        // The length of a record is not protected by itself: a longer one waits for its end.
        let at = 5 + at.index(bytes.len() - 5);
        bytes[at] ^= 1 << bit;
        pair.deliver(&bytes);
        prop_assert!(pair.failed.is_some() && pair.server.failed());
        prop_assert!(pair.plaintext.is_empty());
        prop_assert!(pair.client_hears().is_err(), "the client is told by an alert");
    }
}

#[test]
fn client_that_comes_back_resumes_until_the_certificate_changes() {
    let World { identity, mut client, chain_pem, key_pem } = world();
    client.resumption = Resumption::in_memory_sessions(16);
    let first = Pair::with(client.clone(), &identity).shake_hands();
    assert_eq!(first.established, Some(Handshake::Full));
    let second = Pair::with(client.clone(), &identity).shake_hands();
    assert_eq!(second.established, Some(Handshake::Resumed));
    let renewed = identify(chain_pem.as_bytes(), key_pem.as_bytes()).unwrap();
    let third = Pair::with(client, &renewed).shake_hands();
    assert_eq!(third.established, Some(Handshake::Full), "tickets are the certificate's");
}

#[test]
fn early_data_is_not_taken() {
    let World { identity, mut client, .. } = world();
    client.resumption = Resumption::in_memory_sessions(16);
    client.enable_early_data = true;
    drop(Pair::with(client.clone(), &identity).shake_hands());
    let mut pair = Pair::with(client, &identity);
    assert!(pair.client.early_data().is_none(), "the ticket does not offer it");
    pair = pair.shake_hands();
    assert_eq!(pair.established, Some(Handshake::Resumed));
}

#[test]
fn goodbyes_are_said_and_heard_and_nothing_after_them_counts() {
    let mut pair = Pair::new(&world()).shake_hands();
    assert!(pair.server.truncated_by_end());
    pair.client.writer().write_all(b"last words").unwrap();
    pair.client.send_close_notify();
    pair.talk(7).unwrap();
    assert_eq!((pair.plaintext.as_slice(), pair.finished), (&b"last words"[..], true));
    assert!(!pair.server.truncated_by_end());
    pair.deliver(b"\x17\x03\x03\x00\x20 more, which nobody asked for.....");
    assert_eq!(pair.failed, None);
    // What the client asked before is still answered.
    pair.answers = b"the answer".to_vec();
    assert_eq!(pair.client_hears().unwrap(), b"the answer");
    assert!(pair.server.say_goodbye());
    assert!(pair.server.unsent_bytes() > 0);
    pair.client_hears().unwrap();
    assert!(!pair.server.say_goodbye(), "once");
    pair.deliver(b"\x15\x03\x03\x00\x02zz");
    assert_eq!(pair.failed, None, "nothing is read after our own");
    let state = pair.client.process_new_packets().unwrap();
    assert!(state.peer_has_closed());
}

#[test]
fn nobody_is_bidden_goodbye_before_the_handshake_is_over() {
    let mut pair = Pair::new(&world());
    assert!(!pair.server.say_goodbye());
    let hello = pair.client_says();
    pair.deliver(&hello[..20]);
    assert!(!pair.server.say_goodbye() && pair.server.unsent_bytes() == 0);
    assert_eq!(pair.server.deadline_ms(), DEADLINE_MS);
    pair.deliver(&hello[20..]);
    pair.answers = b"too early".to_vec();
    pair.client_hears().unwrap();
    assert_eq!(pair.answers, b"too early", "answers wait for the handshake");
    assert_eq!(pair.talk(usize::MAX).unwrap(), b"too early");
    assert_eq!(pair.server.deadline_ms(), u64::MAX);
}

#[test]
fn plain_http_is_told_apart_and_answered_by_others() {
    let mut pair = Pair::new(&world());
    pair.deliver(b"GET / HTTP/1.1\r\n");
    assert_eq!(pair.failed, Some(SessionError::PlainHttp));
    let mut out = Vec::new();
    pair.server.seal(&mut Vec::new(), &mut out);
    assert!(out.is_empty());
}

/// What is agreed on: a protocol, none, or that there is no way.
type Agreed = Result<Option<&'static str>, SessionError>;

/// Each row: protocols a client offers, what is agreed on.
const OFFERS: &[(&[&str], Agreed)] = &[
    (&[], Ok(None)),
    (&["http/1.1"], Ok(Some("http/1.1"))),
    (&["h2", "http/1.1"], Ok(Some("http/1.1"))),
    (&["claw/1"], Ok(Some("claw/1"))),
    (&["h2"], Err(SessionError::NoProtocol)),
    (&["HTTP/1.1"], Err(SessionError::NoProtocol)),
];

#[test]
fn protocol_is_agreed_on_or_the_client_is_told_that_there_is_none() {
    let world = world();
    for (offered, expected) in OFFERS {
        let mut client = world.client.clone();
        client.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
        let mut pair = Pair::with(client, &world.identity);
        let talked = pair.talk(usize::MAX);
        match expected {
            Ok(protocol) => {
                assert!(talked.is_ok());
                assert_eq!(pair.server.protocol(), protocol.map(str::as_bytes), "{offered:?}");
            }
            Err(error) => {
                assert_eq!(pair.failed, Some(*error), "{offered:?}");
                let alert = rustls::AlertDescription::NoApplicationProtocol;
                assert_eq!(talked, Err(rustls::Error::AlertReceived(alert)), "{offered:?}");
            }
        }
    }
}

#[test]
fn keys_are_renewed_when_a_client_asks_and_not_without_end() {
    let mut pair = Pair::new(&world()).shake_hands();
    for number in 0..3_u8 {
        pair.client.refresh_traffic_keys().unwrap();
        pair.client.writer().write_all(&[number]).unwrap();
        pair.answers = vec![number];
        assert_eq!(pair.talk(usize::MAX).unwrap(), [number]);
    }
    assert_eq!(pair.plaintext, [0, 1, 2]);
    for _ in 0..200 {
        pair.client.refresh_traffic_keys().unwrap();
        let bytes = pair.client_says();
        pair.deliver(&bytes);
    }
    assert_eq!(pair.failed, Some(SessionError::Misbehaved));
}

#[test]
fn greeting_without_an_end_is_cut_off_at_its_bound() {
    let mut pair = Pair::new(&world());
    // Handshake records of a ClientHello that claims to be the longest there is.
    let fragment = [vec![22, 3, 1, 0x40, 0], vec![0; 0x4000]].concat();
    let mut first = fragment.clone();
    first[5..9].copy_from_slice(&[1, 0, 0xff, 0xff]);
    pair.deliver(&first);
    let mut given = first.len();
    while pair.failed.is_none() {
        pair.deliver(&fragment);
        given += fragment.len();
        assert!(given <= 2 * INCOMPLETE_BYTES_MAX);
    }
    assert_eq!(pair.failed, Some(SessionError::Garbled));
}

#[test]
fn nonsense_behind_half_a_greeting_ends_the_session() {
    // One byte of a ClientHello to a record, as cut by whoever wants to see what breaks.
    let hello = Pair::new(&world()).client_says();
    for nonsense in
        [&b"\x17\x03\x03\x00\x01x"[..], b"\x16\x03\x03\xff\xff", b"\x99\x99\x99\x99\x99"]
    {
        let mut pair = Pair::new(&world());
        for byte in &hello[5..60] {
            pair.deliver(&[22, 3, 1, 0, 1, *byte]);
        }
        pair.deliver(nonsense);
        assert!(pair.failed.is_some(), "{nonsense:?}");
    }
}

#[test]
fn pair_that_cannot_be_served_says_why() {
    let (one, other) = (world(), world());
    let [chain, key] = [&one.chain_pem, &one.key_pem].map(String::as_bytes);
    let reversed = [other.chain_pem.as_bytes(), chain].concat();
    let rows: [(&[u8], &[u8], &str); 6] = [
        (chain, other.key_pem.as_bytes(), "the key is not that of the first certificate"),
        (&reversed, key, "your own certificate first"),
        (b"", key, "holds no certificate"),
        (key, key, "holds no certificate"),
        (chain, b"", "read the private key"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n", key, "read the certificate chain"),
    ];
    for (chain, key, expected) in rows {
        let said = identify(chain, key).unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
    }
    let behind = [chain, other.chain_pem.as_bytes()].concat();
    assert!(identify(&behind, key).is_ok(), "what issued it comes behind");
}
