//! Expiry: exact by log time, never early, an event of its own.

use super::world::{START_MS, TINY, World, eur, hold_id};
use crate::codec::Encode;
use crate::command::Command;
use crate::outcome::{HoldState, Outcome, Refusal};
use crate::shard::event::{Event, EventKind};

#[test]
fn hold_expires_at_its_millisecond_and_not_before() {
    let mut world = World::new(1, TINY);
    world.stock("a", eur(100), 5);
    let hold = hold_id(&world.hold(&[("a", 5)], 1_000));
    world.advance(999);
    assert_eq!(world.books("a"), (0, 5, 0));
    world.advance(1);
    assert_eq!(world.books("a"), (5, 0, 0));
    let home = world.owner("a");
    let answer = world.ask(home, Command::ReadHold { hold, session: None }).unwrap();
    let Outcome::Hold(view) = answer.outcome() else { panic!() };
    assert_eq!((view.state, view.expires_at_ms), (HoldState::Expired, START_MS + 1_000));
    let last = world.logs[0].records.last().unwrap();
    assert_eq!(last.kind, EventKind::HoldExpired as u16);
    assert!(world.accepted_by_node(0, world.logs[0].records.len() - 1));
}

#[test]
fn extended_hold_lives_from_now() {
    let mut world = World::new(1, TINY);
    world.stock("a", eur(100), 5);
    let hold = hold_id(&world.hold(&[("a", 1)], 1_000));
    world.advance(900);
    let home = world.owner("a");
    world.ask(home, Command::ExtendHold { hold, session: None, ttl_ms: 1_000 }).unwrap();
    world.advance(999);
    assert_eq!(world.books("a"), (4, 1, 0));
    world.advance(1);
    assert_eq!(world.books("a"), (5, 0, 0));
}

#[test]
fn each_hold_that_ends_in_one_tick_is_told_by_itself() {
    let mut world = World::new(1, TINY);
    world.stock("a", eur(100), 5);
    for _ in 0..3 {
        world.hold(&[("a", 1)], 1_000);
    }
    let mut log = world.logs[0].clone();
    let mut effects = crate::effect::Effects::default();
    assert!(!world.shards[0].tick(START_MS + 1_000, &mut log, &mut effects));
    let told: Vec<_> = effects
        .list()
        .iter()
        .filter_map(|effect| match effect {
            crate::effect::Effect::Notify { place, .. } => Some((place.sequence, place.told_to)),
            _ => None,
        })
        .collect();
    assert_eq!(told.len(), 3);
    assert!(told.iter().all(|(sequence, told_to)| sequence == told_to), "{told:?}");
}

#[test]
fn due_hold_is_expired_before_a_command_on_it_even_without_a_tick() {
    let mut world = World::new(1, TINY);
    world.stock("a", eur(100), 5);
    let hold = hold_id(&world.hold(&[("a", 1)], 1_000));
    let mut log = world.logs[0].clone();
    let mut effects = crate::effect::Effects::default();
    let request = crate::command::Request {
        command: Command::ExtendHold { hold, session: None, ttl_ms: 5_000 },
        identity: world.fresh_identity(),
        reply_to: crate::command::ReplyTo(1),
        key: 0,
        auth_mode: crate::command::AuthMode::Node,
        accepted: claw_common::time::Hlc(0),
        entropy: 0,
        extra: b"",
        extra_type: crate::command::ExtraType::default(),
        evidence: b"",
    };
    world.shards[0].decide(&request, START_MS + 1_000, &mut log, &mut effects);
    let kinds: Vec<u16> = log.records.iter().rev().take(2).map(|record| record.kind).collect();
    assert_eq!(kinds, [EventKind::CommandRefused as u16, EventKind::HoldExpired as u16]);
    let mut expected = vec![0; 256];
    let mut writer = crate::codec::Writer::new(&mut expected);
    let refusal = Refusal::HoldNotActive { state: HoldState::Expired };
    Outcome::Refused(refusal).encode(&mut writer);
    let written = writer.written();
    let replies = effects.list().iter().filter_map(|effect| match *effect {
        crate::effect::Effect::Reply { outcome, .. } => Some(effects.bytes(outcome)),
        _ => None,
    });
    assert_eq!(replies.collect::<Vec<_>>(), [&expected[..written]]);
}

#[test]
fn holds_due_during_an_absence_expire_in_order_of_deadline_then_id() {
    let mut world = World::new(1, TINY);
    world.stock("a", eur(100), 5);
    let late = hold_id(&world.hold(&[("a", 1)], 3_000));
    let first = hold_id(&world.hold(&[("a", 1)], 1_000));
    let second = hold_id(&world.hold(&[("a", 1)], 1_000));
    let before = world.logs[0].records.len();
    world.now_ms += 3_600_000;
    world.crash();
    world.expire();
    let mut expected = vec![first, second];
    expected.sort();
    expected.push(late);
    let expired: Vec<_> = world.logs[0].records[before..]
        .iter()
        .map(|record| {
            match Event::decode(record.kind, record.event_version, &record.event).unwrap() {
                Event::HoldExpired { hold } => hold,
                other => panic!("{other:?}"),
            }
        })
        .collect();
    assert_eq!(expired, expected);
    assert_eq!(world.shards[0].next_deadline(), None);
}
