//! Holds in batches, in every way to authenticate, and their life over the wire.

use claw_common::wire::CommandKind;
use claw_tests::frames::{Codec, Frames, by_id, by_name, command, hold, id_of};

use super::world::{SESSION, World};

#[test]
fn batches_of_holds_are_granted_in_every_way_to_authenticate() {
    let world = World::new();
    for (number, (signer, mode)) in world.ways().iter().enumerate() {
        let session = [u8::try_from(number).unwrap(); 16];
        let mut frames = Frames::connect(&world.node, Codec::new(signer, *mode, session));
        assert_eq!(frames.welcome.shards_count.get(), 2);
        let skus = ["A", "B", "A", "B", "A"];
        let commands: Vec<_> =
            (1..).zip(skus).map(|(sequence, sku)| hold(sequence, "s", sku, 1)).collect();
        frames.ask(&commands[..3]);
        frames.ask(&commands[3..]);
        let answers = frames.answers(5);
        for (sequence, answer) in (1..).zip(&answers) {
            assert_eq!((answer.sequence, answer.status), (sequence, 201), "{answer:?}");
            assert!(answer.position > 0);
        }
    }
    assert_eq!((world.held("A"), world.held("B")), (12, 8));
}

#[test]
fn hold_lives_over_the_wire_as_over_http() {
    let world = World::new();
    let mut frames = world.connect();
    let granted = frames.call(hold(1, "s", "A", 2));
    let id = id_of(&granted.body);
    let extended = [&id[..], &5_000_u64.to_le_bytes()].concat();
    let extended = frames.call(command(CommandKind::ExtendHold, 2, &extended, &[]));
    assert_eq!((extended.status, id_of(&extended.body)), (200, id));
    let read = frames.call(by_id(CommandKind::ReadHold, 3, id));
    // State 1 is active, 2 released: behind the kind, the flag and the id.
    assert_eq!((read.status, read.body[18]), (200, 1));
    let released = frames.call(by_id(CommandKind::ReleaseHold, 4, id));
    assert_eq!((released.status, released.body[18]), (200, 2));
    assert_eq!(world.held("A"), 0);
    let extended = [&id[..], &5_000_u64.to_le_bytes()].concat();
    let late = frames.call(command(CommandKind::ExtendHold, 5, &extended, &[]));
    assert_eq!((late.status, late.problem.as_str()), (409, "hold-not-active"));
    let product = frames.call(by_name(CommandKind::ReadProduct, 6, "A"));
    assert_eq!((product.status, product.body[0]), (200, 1));
}

#[test]
fn refusals_have_the_names_of_http_and_others_of_the_frame_go_on() {
    let world = World::new();
    let mut frames = world.connect();
    let mut no_kind = hold(5, "s", "A", 1);
    no_kind[4] = 200;
    frames.ask(&[
        hold(1, "s", "A", 101),
        hold(2, "s", "NONE", 1),
        hold(3, "s", "A", 0),
        hold(4, "", "A", 1),
        no_kind,
        command(CommandKind::CreateHold, 6, b"short", &[]),
        hold(7, "s", "A", 1),
        by_id(CommandKind::ReadOrder, 8, [0; 16]),
        by_name(CommandKind::ReadProduct, 9, "no sku"),
    ]);
    let answers = frames.answers(9);
    let told: Vec<_> = answers.iter().map(|a| (a.status, a.problem.as_str())).collect();
    let due = [
        (409, "sold-out"),
        (404, "unknown-sku"),
        (422, "schema"),
        (422, "schema"),
        (400, "malformed"),
        (400, "malformed"),
        (201, ""),
        (404, "not-found"),
        (404, "not-found"),
    ];
    assert_eq!(told, due);
}

#[test]
fn empty_frame_is_answered_by_an_empty_frame() {
    let world = World::new();
    let mut frames = world.connect();
    frames.ask(&[]);
    let frame = frames.read_frame().unwrap();
    assert_eq!((frame.len(), frame[4], &frame[6..8]), (24 + 32, 130, &[0, 0][..]));
    assert_eq!(frames.codec.session, SESSION);
}
