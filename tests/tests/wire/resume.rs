//! Commands sent again under their numbers: the first answer, once, over reconnects and restarts.

use claw_common::wire::MODE_SESSION;
use claw_tests::Node;
use claw_tests::frames::{Codec, Frames, hold};

use super::world::{SESSION, World};

#[test]
fn commands_sent_again_get_their_first_answers_and_nothing_is_done_twice() {
    let world = World::new();
    let commands: Vec<_> =
        (1..=6).map(|n| hold(n, "s", if n % 2 == 0 { "A" } else { "B" }, 1)).collect();
    let mut frames = world.connect();
    assert_eq!(frames.welcome.sequence_taken.get(), 0);
    frames.ask(&commands);
    let first = frames.answers(6);
    // On the same connection.
    frames.ask(&commands[..2]);
    let again = frames.answers(2);
    drop(frames);
    // On another, which may be another core's.
    let mut frames = world.connect();
    frames.ask(&commands);
    let resumed = frames.answers(6);
    for (first, later) in first.iter().zip(&resumed).chain(first.iter().zip(&again)) {
        assert_eq!((first.sequence, &first.body), (later.sequence, &later.body));
        assert_eq!(later.status, 201);
    }
    assert_eq!((world.held("A"), world.held("B")), (3, 3));
    let other = frames.call(hold(1, "s", "A", 2));
    assert_eq!((other.status, other.problem.as_str()), (422, "idempotency-mismatch"));
}

#[test]
fn lost_answers_come_after_a_restart_and_nothing_is_done_twice() {
    let mut world = World::new();
    let commands: Vec<_> = (1..=4).map(|n| hold(n, "s", "A", 1)).collect();
    let signer = world.store.signer("storefront-hmac");
    let codec = || Codec::new(&signer, MODE_SESSION, SESSION);
    let mut frames = Frames::connect(&world.node, codec());
    frames.ask(&commands[..2]);
    let first = frames.answers(2);
    frames.ask(&commands[2..]);
    // Whether these were done, the client cannot know.
    world.node.kill();
    drop(frames);
    world.node = Node::start(&world.store);
    let mut frames = Frames::connect(&world.node, codec());
    frames.ask(&commands);
    let answers = frames.answers(4);
    for (first, later) in first.iter().zip(&answers) {
        assert_eq!((&first.body, first.sequence), (&later.body, later.sequence));
    }
    assert!(answers.iter().all(|answer| answer.status == 201), "{answers:?}");
    assert_eq!(world.held("A"), 4);
}

#[test]
fn another_key_or_session_is_another_command() {
    let world = World::new();
    let mut counted = 0;
    for (signer, mode) in &world.ways() {
        for session in [[1; 16], [2; 16]] {
            let mut frames = Frames::connect(&world.node, Codec::new(signer, *mode, session));
            assert_eq!(frames.call(hold(1, "s", "A", 1)).status, 201);
            counted += 1;
        }
    }
    // The two modes of one key are one identity with one body: four of the eight are repeats.
    assert_eq!((counted, world.held("A")), (8, 4));
}

#[test]
fn welcome_says_how_far_the_session_has_come() {
    let world = World::new();
    let mut frames = world.connect();
    frames.ask(&[hold(1, "s", "A", 1), hold(7, "s", "A", 1)]);
    frames.answers(2);
    let core = frames.welcome.core.get();
    // Until the kernel picks the same core again.
    let known = (0..64).map(|_| world.connect().welcome).find(|w| w.core.get() == core).unwrap();
    assert_eq!(known.sequence_taken.get(), 7);
}
