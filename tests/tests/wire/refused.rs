//! What must not pass: each is refused by name, and nothing of it reaches the log.

use claw_common::wire::{CommandKind, MODE_SESSION, MODE_SIGNED};
use claw_tests::frames::{Codec, Frames, by_name, hold, now_ms, open};
use claw_tests::{Node, Store};

use super::world::{SESSION, World};

/// What a test does to a connection, and the name it is refused by.
type Row = (fn(&mut Frames<'_>), &'static str);

/// Frames that no client would send.
const ROWS: [Row; 7] = [
    (alter_the_tag, "bad-signature"),
    (alter_the_payload, "bad-signature"),
    (leave_a_number_out, "frame-sequence"),
    (say_a_wrong_length, "malformed"),
    (|frames| frames.send(&[0xff; 24]), "malformed"),
    (say_hello_again, "malformed"),
    (count_too_many, "malformed"),
];

fn alter_the_tag(frames: &mut Frames<'_>) {
    let mut frame = frames.codec.frame(&[hold(1, "s", "A", 1)]);
    *frame.last_mut().unwrap() ^= 1;
    frames.send(&frame);
}

fn alter_the_payload(frames: &mut Frames<'_>) {
    let mut frame = frames.codec.frame(&[hold(1, "s", "A", 1)]);
    frame[60] ^= 1;
    frames.send(&frame);
}

fn leave_a_number_out(frames: &mut Frames<'_>) {
    frames.codec.next_frame += 1;
    frames.ask(&[hold(1, "s", "A", 1)]);
}

fn say_a_wrong_length(frames: &mut Frames<'_>) {
    let mut broken = hold(1, "s", "A", 1);
    broken[0] += 1;
    frames.ask(&[broken]);
}

fn say_hello_again(frames: &mut Frames<'_>) {
    let hello = frames.codec.hello();
    frames.send(&hello[8..]);
}

/// More commands than a frame may have, which is told apart from more than may be unanswered.
fn count_too_many(frames: &mut Frames<'_>) {
    let holds: Vec<_> = (1..=256).map(|n| hold(n, "s", "A", 1)).collect();
    let mut frame = frames.codec.frame(&holds);
    frame[6..8].copy_from_slice(&257_u16.to_le_bytes());
    frames.send(&frame);
}

#[test]
fn frames_that_do_not_hold_end_the_connection_by_name() {
    let world = World::new();
    let before = world.node.positions();
    for (number, (spoil, name)) in ROWS.iter().enumerate() {
        let mut frames = world.connect();
        spoil(&mut frames);
        assert_eq!(frames.closing(), *name, "row {number}");
    }
    assert_eq!(world.node.positions(), before, "nothing reached the log");
}

#[test]
fn replayed_frames_are_refused_on_the_same_connection_and_on_another() {
    let world = World::new();
    for (signer, mode) in &world.ways() {
        let mut frames = Frames::connect(&world.node, Codec::new(signer, *mode, [9; 16]));
        let frame = frames.codec.frame(&[hold(1, "s", "A", 1)]);
        frames.send(&frame);
        frames.answers(1);
        frames.send(&frame);
        assert_eq!(frames.closing(), "frame-sequence");
        let mut other = Frames::connect(&world.node, Codec::new(signer, *mode, [9; 16]));
        other.send(&frame);
        assert_eq!(other.closing(), "bad-signature");
    }
}

#[test]
fn hellos_that_do_not_hold_are_refused_by_name() {
    let world = World::new();
    let stranger = Store::create("minimal");
    let (theirs, ours) = (stranger.signer("storefront"), &world.storefront);
    let refused = |codec: Codec<'_>| Frames::try_connect(&world.node, codec).err().unwrap();
    assert_eq!(refused(Codec::new(&theirs, MODE_SESSION, SESSION)), "bad-signature");
    assert_eq!(refused(Codec::new(&theirs, MODE_SIGNED, SESSION)), "bad-signature");
    assert_eq!(refused(Codec::new(ours, 3, SESSION)), "malformed");
    for (age_ms, name) in [(310_000, "signature-expired"), (-40_000, "signature-expired")] {
        let mut codec = Codec::new(ours, MODE_SESSION, SESSION);
        codec.now_ms = now_ms().checked_add_signed(-age_ms).unwrap();
        assert_eq!(refused(codec), name);
    }
    let unknown = claw_sdk::key::generate_ed25519().unwrap();
    let unknown = claw_sdk::Signer::ed25519("nobody", &unknown.pem).unwrap();
    assert_eq!(refused(Codec::new(&unknown, MODE_SESSION, SESSION)), "unknown-key");
}

#[test]
fn signed_frames_are_of_this_time() {
    let world = World::new();
    let mut frames =
        Frames::connect(&world.node, Codec::new(&world.storefront, MODE_SIGNED, SESSION));
    frames.codec.now_ms = now_ms() - 310_000;
    frames.ask(&[hold(1, "s", "A", 1)]);
    assert_eq!(frames.closing(), "signature-expired");
}

#[test]
fn another_version_is_refused_and_http_is_served_beside() {
    use std::io::{Read as _, Write as _};
    let world = World::new();
    let mut stream = open(&world.node);
    stream.write_all(b"CLAW\x02\0\0\0").unwrap();
    let mut said = Vec::new();
    stream.read_to_end(&mut said).unwrap();
    let text = String::from_utf8_lossy(&said);
    assert!(said[4] == 131 && text.contains("version-unknown"), "{text}");
    // A method that begins like the magic.
    let mut stream = open(&world.node);
    stream.write_all(b"CLA").unwrap();
    stream.write_all(b"P / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    assert!(said.starts_with("HTTP/1.1 404"), "{said}");
}

#[test]
fn roles_are_those_of_http_for_each_command() {
    let world = World::new();
    let source = world.store.signer("source");
    let mut frames = Frames::connect(&world.node, Codec::new(&source, MODE_SESSION, SESSION));
    assert_eq!(frames.call(hold(1, "s", "A", 1)).problem, "forbidden");
    assert_eq!(frames.call(by_name(CommandKind::ReadProduct, 2, "A")).status, 200);
    let mut frames = world.connect();
    assert_eq!(frames.call(by_name(CommandKind::ReadCoupon, 1, "X")).problem, "forbidden");
    assert_eq!(world.held("A"), 0);
}

#[test]
fn key_revoked_under_a_session_ends_it() {
    let world = World::new();
    let mut frames = world.connect();
    assert_eq!(frames.call(hold(1, "s", "A", 1)).status, 201);
    let (code, said) = world.store.claw(&["keys", "revoke", "storefront-hmac"]);
    assert_eq!(code, Some(0), "{said}");
    // The node looks about once a second: ask until it has.
    let mut sequence = 1;
    let name = loop {
        sequence += 1;
        frames.ask(&[by_name(CommandKind::ReadProduct, sequence, "A")]);
        let frame = frames.read_frame().unwrap();
        if frame[4] == 131 {
            break String::from_utf8_lossy(&frame[32..]).into_owned();
        }
        std::thread::park_timeout(std::time::Duration::from_millis(20));
    };
    assert!(name.starts_with("revoked-key"), "{name}");
    let codec = Codec::new(&world.storefront, MODE_SESSION, SESSION);
    assert_eq!(Frames::try_connect(&world.node, codec).err().unwrap(), "revoked-key");
}

#[test]
fn more_commands_than_credits_end_the_connection() {
    let world = World::new();
    let mut frames = world.connect();
    let bound = u64::from(frames.welcome.in_flight_max.get());
    // One write, so that nothing is answered before the last is taken.
    let mut bytes = Vec::new();
    for start in (0..=bound).step_by(256) {
        let holds: Vec<_> = (start..start + 256).map(|n| hold(n + 1, "s", "A", 1)).collect();
        bytes.extend(frames.codec.frame(&holds));
    }
    frames.send(&bytes);
    let mut answered = 0;
    loop {
        let frame = frames.read_frame().unwrap();
        if frame[4] == 131 {
            let text = String::from_utf8_lossy(&frame[32..]).into_owned();
            assert!(text.starts_with("credits-exceeded"), "{text}");
            break;
        }
        answered += claw_tests::frames::read_answers(&frame).len();
        // Answers that came in between gave credits back: what is left may then fit.
        if u64::try_from(answered).unwrap() == bound + 256 {
            break;
        }
    }
}

#[test]
fn rates_of_sessions_are_kept() {
    let store = Store::with("minimal", &[("limits.requests_per_second_per_session", "2")]);
    let node = Node::start(&store);
    let signer = store.signer("storefront-hmac");
    let mut frames = Frames::connect(&node, Codec::new(&signer, MODE_SESSION, SESSION));
    let holds: Vec<_> = (1..=5).map(|n| hold(n, "greedy", "A", 1)).collect();
    frames.ask(&holds);
    let answers = frames.answers(5);
    let limited = answers.iter().filter(|answer| answer.problem == "rate-limited").count();
    assert_eq!(limited, 3, "{answers:?}");
    assert_eq!(frames.call(hold(6, "other", "A", 1)).problem, "unknown-sku");
}
