//! What a connection does: opening, batches, credits, breaks, and everything a node may get wrong.

use super::*;
use crate::wire::{Body, Outcome, Value};

#[test]
fn commands_are_answered_in_both_modes_with_both_kinds_of_key() {
    for (identity, mut node) in pairs() {
        let mut machine = open(identity, &mut node);
        for sku in ["A", "B", "C"] {
            push(&mut machine, sku).unwrap();
        }
        machine.flush();
        exchange(&mut machine, &mut node).unwrap();
        assert_eq!(node.frames, [3], "one frame, one tag");
        node.answer(&[2, 1]);
        node.refuse(3, "sold-out", "none left");
        exchange(&mut machine, &mut node).unwrap();
        let answer = machine.next_answer().unwrap().unwrap();
        assert_eq!((answer.sequence, answer.status), (2, 201));
        assert_eq!(answer.position.unwrap().sequence, 102);
        assert!(matches!(answer.body, Body::Outcome(Outcome::CartCreated(_))), "{answer:?}");
        assert_eq!(machine.next_answer().unwrap().unwrap().sequence, 1);
        let answer = machine.next_answer().unwrap().unwrap();
        let problem = answer.problem().unwrap();
        assert_eq!((problem.name, problem.detail), ("sold-out", "none left"));
        assert_eq!(problem.retry_after_s, Some(2));
        assert_eq!(problem.member("available"), Some(Value::Number(3)));
        assert_eq!(machine.next_answer().unwrap(), None);
        assert_eq!(machine.unanswered(), 0);
    }
}

#[test]
fn frames_are_cut_at_the_nodes_number_of_commands_and_bytes() {
    let mut node = Node::hmac(SECRET);
    node.in_flight_max = 100;
    let mut machine = open(hmac_identity(Mode::Session), &mut node);
    (0..9).for_each(|_| assert!(push(&mut machine, "A").is_ok()));
    machine.flush();
    exchange(&mut machine, &mut node).unwrap();
    assert_eq!(node.frames, [4, 4, 1]);

    let mut node = Node::hmac(SECRET);
    node.frame_bytes_max = 300;
    let mut machine = open(hmac_identity(Mode::Session), &mut node);
    (0..8).for_each(|_| assert!(push(&mut machine, "A").is_ok()));
    machine.flush();
    exchange(&mut machine, &mut node).unwrap();
    assert_eq!(node.commands.len(), 8);
    assert!(node.frames.len() >= 2, "{:?}", node.frames);
    let large = "x".repeat(300);
    let command = Command::MoveStock { sku: "A", delta: 1, reason: &large };
    node.answer(&[1]);
    exchange(&mut machine, &mut node).unwrap();
    answers(&mut machine);
    let refused = machine.push(&command, Extras::default());
    assert!(matches!(refused, Err(WireError::TooLarge { .. })), "{refused:?}");
}

#[test]
fn credits_stop_the_caller_and_come_back_with_answers() {
    let mut node = Node::hmac(SECRET);
    node.in_flight_max = 3;
    let mut machine = open(hmac_identity(Mode::Session), &mut node);
    (0..3).for_each(|_| assert!(push(&mut machine, "A").is_ok()));
    assert_eq!(machine.credits(), 0);
    assert!(matches!(push(&mut machine, "A"), Err(WireError::Full { unanswered: 3 })));
    machine.flush();
    exchange(&mut machine, &mut node).unwrap();
    node.answer(&[2]);
    exchange(&mut machine, &mut node).unwrap();
    assert_eq!(machine.credits(), 0, "not before the answer was taken");
    assert_eq!(answers(&mut machine), [2]);
    assert_eq!(push(&mut machine, "A").unwrap(), 4, "numbers are never used again");
}

#[test]
fn broken_connection_sends_what_was_not_answered_again_byte_for_byte() {
    for (identity, mut node) in pairs() {
        let mut machine = open(identity, &mut node);
        for sku in ["A", "B", "C", "D", "E"] {
            push(&mut machine, sku).unwrap();
        }
        machine.flush();
        exchange(&mut machine, &mut node).unwrap();
        node.answer(&[1, 4]);
        exchange(&mut machine, &mut node).unwrap();
        assert_eq!(answers(&mut machine), [1, 4]);
        // One more is only being framed when the connection breaks.
        push(&mut machine, "F").unwrap();
        let first = std::mem::take(&mut node.commands);
        machine.disconnected();
        node.hang_up();
        assert!(matches!(push(&mut machine, "G"), Err(WireError::NotOpen)));
        machine.connect(NOW_MS + 1, [8; 32]);
        exchange(&mut machine, &mut node).unwrap();
        let again: Vec<u64> = node.commands.iter().map(|command| command.0).collect();
        assert_eq!(again, [2, 3, 5, 6]);
        for (sequence, bytes) in &node.commands {
            let before = first.iter().find(|known| known.0 == *sequence);
            assert!(before.is_none_or(|known| known.1 == *bytes), "{sequence}");
        }
        node.answer(&again);
        exchange(&mut machine, &mut node).unwrap();
        assert_eq!(answers(&mut machine), again);
    }
}

#[test]
fn command_that_was_told_to_come_later_goes_under_its_number_again() {
    let mut node = Node::hmac(SECRET);
    let mut machine = open(hmac_identity(Mode::Session), &mut node);
    push(&mut machine, "A").unwrap();
    push(&mut machine, "B").unwrap();
    machine.flush();
    exchange(&mut machine, &mut node).unwrap();
    node.refuse(1, "overloaded", "later");
    exchange(&mut machine, &mut node).unwrap();
    assert_eq!(answers(&mut machine), [1]);
    let lines = hold("A");
    let command = Command::CreateHold { session: "s", lines: &lines, ttl_ms: Some(1_000) };
    machine.push_as(1, &command, Extras::default()).unwrap();
    machine.flush();
    exchange(&mut machine, &mut node).unwrap();
    assert_eq!(node.commands[0], node.commands[2]);
    node.answer(&[1, 2]);
    exchange(&mut machine, &mut node).unwrap();
    assert_eq!(answers(&mut machine), [1, 2]);
    assert_eq!(machine.sequence_next(), 3);
}

#[test]
fn idle_connection_is_kept_open_by_empty_frames() {
    let mut node = Node::hmac(SECRET);
    let mut machine = open(hmac_identity(Mode::Session), &mut node);
    machine.keep_alive();
    exchange(&mut machine, &mut node).unwrap();
    assert_eq!(node.frames, [0]);
    assert!(answers(&mut machine).is_empty());
}

#[test]
fn closing_says_why_and_whether_to_come_again() {
    for (name, again) in [("overloaded", true), ("request-timeout", true), ("revoked-key", false)] {
        let mut node = Node::hmac(SECRET);
        let mut machine = open(hmac_identity(Mode::Session), &mut node);
        node.close(name);
        let error = exchange(&mut machine, &mut node).unwrap_err();
        assert_eq!(error.is_momentary(), again, "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn node_that_does_not_know_the_secret_is_not_believed() {
    let mut node = Node::hmac(SECRET);
    let mut machine = Machine::new(hmac_identity(Mode::Session), 1);
    machine.connect(NOW_MS, [9; 32]);
    node.take(machine.transmit());
    let mut welcome = std::mem::take(&mut node.out);
    let last = welcome.len() - 1;
    welcome[last] ^= 1;
    let error = deliver(&mut machine, &welcome).unwrap_err();
    assert!(matches!(error, WireError::Protocol { .. }), "{error}");
    assert!(machine.welcome().is_none());
}

#[test]
fn every_altered_bit_of_an_answer_is_refused_or_waited_for() {
    let mut node = Node::hmac(SECRET);
    let opened = |node: &mut Node| {
        let mut machine = open(hmac_identity(Mode::Session), node);
        push(&mut machine, "A").unwrap();
        machine.flush();
        exchange(&mut machine, node).unwrap();
        machine
    };
    let mut machine = opened(&mut node);
    node.answer(&[1]);
    let whole = std::mem::take(&mut node.out);
    assert!(deliver(&mut machine, &whole).is_ok());
    for bit in 0..whole.len() * 8 {
        let mut node = Node::hmac(SECRET);
        let mut machine = opened(&mut node);
        node.answer(&[1]);
        let mut bytes = std::mem::take(&mut node.out);
        bytes[bit / 8] ^= 1 << (bit % 8);
        match deliver(&mut machine, &bytes) {
            Err(WireError::Protocol { .. }) => {}
            Ok(()) => assert_eq!(machine.next_answer().unwrap(), None, "bit {bit}"),
            Err(error) => panic!("bit {bit}: {error}"),
        }
    }
}

#[test]
fn answer_that_nobody_waits_for_is_a_broken_protocol() {
    let mut node = Node::hmac(SECRET);
    let mut machine = open(hmac_identity(Mode::Session), &mut node);
    push(&mut machine, "A").unwrap();
    machine.flush();
    exchange(&mut machine, &mut node).unwrap();
    node.answer(&[7]);
    exchange(&mut machine, &mut node).unwrap();
    assert!(matches!(machine.next_answer(), Err(WireError::Protocol { .. })));
}

#[test]
fn texts_too_long_for_the_layout_are_refused_and_leave_no_byte() {
    let long = "x".repeat(300);
    let lines = hold(&long);
    let mut out = vec![1];
    for command in [
        Command::ReadProduct { sku: &long },
        Command::CreateHold { session: "s", lines: &lines, ttl_ms: None },
        Command::CreateHold { session: &long, lines: &[], ttl_ms: None },
    ] {
        let refused = command.encode(&mut out, 1, Extras::default());
        assert!(matches!(refused, Err(WireError::TooLong { .. })), "{refused:?}");
        assert_eq!(out, [1]);
    }
}
