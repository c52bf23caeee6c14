//! The framing without a node: pieces do not matter, and no flipped bit passes.

use claw_common::wire::{FRAME_COMMANDS, MAGIC, MODE_SESSION, MODE_SIGNED};
use claw_core::protocol::Frame;
use claw_dataplane::ingest::auth::{KeyEntry, KeyMaterial, Keyring};
use claw_dataplane::ingest::http::{Flow, Timeouts};
use claw_dataplane::ingest::routes::Role;
use claw_dataplane::ingest::wire::answers::welcome_frame;
use claw_dataplane::ingest::wire::{Event, Framing, Opening, Session};
use claw_sdk::Signer;
use claw_sdk::key::{generate_ed25519, generate_secret, parse_secret, public_of_pem};
use claw_tests::frames::{Codec, hold};
use proptest::prelude::*;
use zerocopy::IntoBytes as _;

struct Parties {
    keyring: Keyring,
    hmac: Signer,
    ed25519: Signer,
}

fn parties() -> Parties {
    let secret = generate_secret().unwrap();
    let pem = generate_ed25519().unwrap().pem;
    let mut keyring = Keyring::default();
    let materials = [
        ("hmac", KeyMaterial::Hmac(*parse_secret(&secret).unwrap())),
        ("ed25519", KeyMaterial::Ed25519(public_of_pem(&pem).unwrap())),
    ];
    for (number, (name, material)) in (1..).zip(materials) {
        let role = Role::Storefront;
        keyring.put(&KeyEntry { number, name, role, material, revoked: false }).unwrap();
    }
    let hmac = Signer::hmac("hmac", &secret).unwrap();
    Parties { keyring, hmac, ed25519: Signer::ed25519("ed25519", &pem).unwrap() }
}

/// What a framing finds, as text.
fn found(framing: &mut Framing, pieces: &[&[u8]]) -> Vec<String> {
    let mut found = Vec::new();
    let mut sink = |event: Event<'_>| {
        found.push(match event {
            Event::Frame(frame) => format!("frame {:?} {:?}", frame.header, frame.tag),
            Event::Command(bytes, place) => format!("command {place} {bytes:?}"),
            Event::Refused(problem) => format!("refused {problem:?}"),
        });
        // Pausing after everything must change nothing either.
        Flow::Pause
    };
    for piece in pieces {
        framing.ingest(piece, 1, &mut sink);
        while !framing.wants_bytes() && !framing.closed() {
            framing.resume(1, &mut sink);
        }
    }
    found
}

/// Preface (behind its magic), hello and three frames.
fn conversation(signer: &Signer) -> Vec<u8> {
    let mut codec = Codec::new(signer, MODE_SIGNED, [3; 16]);
    let mut bytes = codec.hello().split_off(MAGIC.len());
    for counts in [1..2_u64, 2..9, 9..9] {
        let holds: Vec<_> = counts.map(|n| hold(n, "session", "SKU", 1)).collect();
        bytes.extend(codec.frame(&holds));
    }
    bytes
}

/// Opens a session as the node does.
fn open(parties: &Parties, codec: &mut Codec<'_>) -> Session {
    let hello = codec.hello();
    let hello = claw_core::protocol::read_frame(&hello[8..]).unwrap().unwrap();
    let opening = Opening {
        hello: &hello,
        keyring: &parties.keyring,
        now_ms: codec.now_ms,
        connection: [4; 16],
        private: [5; 32],
    };
    let stranger = opening.admit().unwrap();
    let payload = claw_common::wire::WelcomeHeader {
        version: 1.into(),
        outcome_version: 1.into(),
        shards_count: 0.into(),
        core: 0.into(),
        in_flight_max: 0.into(),
        commands_max: 0.into(),
        frame_bytes_max: 0.into(),
        reserved: 0.into(),
        sequence_taken: 0.into(),
        connection: [4; 16],
        ephemeral: stranger.ephemeral(),
    };
    let frame = welcome_frame(&[payload.as_bytes()], stranger.tag_bytes(), codec.now_ms);
    let session = stranger.agree(&parties.keyring, &frame).unwrap();
    let mut sent = Vec::new();
    claw_dataplane::ingest::wire::Answers::default().welcome(&mut sent, &frame, &session);
    codec.welcomed(&sent);
    session
}

#[test]
fn no_flipped_bit_of_a_frame_passes_in_any_mode() {
    let parties = parties();
    for signer in [&parties.hmac, &parties.ed25519] {
        for mode in [MODE_SIGNED, MODE_SESSION] {
            let mut codec = Codec::new(signer, mode, [3; 16]);
            let session = open(&parties, &mut codec);
            let good = codec.frame(&[hold(1, "session", "SKU", 1), hold(2, "session", "SKU", 2)]);
            let admit = |bytes: &[u8]| {
                // A session that has not seen the frame yet, for each try.
                let mut again = Codec::new(signer, mode, [3; 16]);
                again.now_ms = codec.now_ms;
                let mut session = open(&parties, &mut again);
                let frame: Frame<'_> = claw_core::protocol::read_frame(bytes).ok()??;
                session.admit(&frame, &parties.keyring, codec.now_ms).ok()
            };
            assert!(admit(&good).is_some(), "the good one passes");
            assert_eq!(session.caller().role, Role::Storefront);
            // Every bit of the first bytes, and one in each of the others: hellos cost time.
            for bit in (0..24 * 8).chain((24 * 8..good.len() * 8).step_by(13)) {
                let mut bad = good.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                assert!(admit(&bad).is_none(), "bit {bit} of a frame in mode {mode}");
            }
        }
    }
}

#[test]
fn no_flipped_bit_of_a_hello_passes() {
    let parties = parties();
    for signer in [&parties.hmac, &parties.ed25519] {
        let mut codec = Codec::new(signer, MODE_SESSION, [3; 16]);
        let good = codec.hello();
        let admit = |bytes: &[u8]| {
            let hello = claw_core::protocol::read_frame(bytes).ok()??;
            let (keyring, now_ms) = (&parties.keyring, codec.now_ms);
            let (connection, private) = ([4; 16], [5; 32]);
            Opening { hello: &hello, keyring, now_ms, connection, private }.admit().ok()
        };
        assert!(admit(&good[8..]).is_some());
        for bit in 0..(good.len() - 8) * 8 {
            let mut bad = good[8..].to_vec();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(admit(&bad).is_none(), "bit {bit} of a hello");
        }
    }
}

#[test]
fn frames_that_cannot_be_are_refused_before_they_are_whole() {
    let mut header = [0_u8; 24];
    header[..4].copy_from_slice(&1_000_000_u32.to_le_bytes());
    header[4] = FRAME_COMMANDS;
    let mut framing = Framing::new(0, Timeouts::default());
    let found = found(&mut framing, &[&[1, 0, 0, 0], &header]);
    assert!(found[0].starts_with("refused") && found.len() == 1, "{found:?}");
    assert!(framing.closed());
}

#[test]
fn hello_that_does_not_come_is_refused_at_its_deadline() {
    let timeouts = Timeouts { head_ms: 10, idle_ms: 60_000 };
    let mut framing = Framing::new(0, timeouts);
    framing.ingest(&[1, 0, 0, 0, 9], 5, &mut |event| panic!("{event:?}"));
    assert_eq!(framing.deadline_ms(), 10);
    let mut name = "";
    framing.expire(10, &mut |event| {
        let Event::Refused(problem) = event else { panic!("{event:?}") };
        name = problem.kind.name();
        Flow::Close
    });
    assert_eq!(name, "request-timeout");
}

proptest! {
    #[test]
    fn any_split_of_the_bytes_gives_the_same_frames(
        cuts in prop::collection::vec(0..1_200_usize, 0..20),
    ) {
        let parties = parties();
        let bytes = conversation(&parties.hmac);
        let whole = found(&mut Framing::new(0, Timeouts::default()), &[&bytes]);
        prop_assert_eq!(whole.len(), 4 + 8);
        let mut cuts: Vec<_> = cuts.into_iter().filter(|cut| *cut < bytes.len()).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let ends = cuts.iter().zip(&cuts[1..]);
        let pieces: Vec<_> = ends.map(|(start, end)| &bytes[*start..*end]).collect();
        let split = found(&mut Framing::new(0, Timeouts::default()), &pieces);
        prop_assert_eq!(split, whole);
    }
}
