//! Waiting in line: stock that comes back is theirs who wait, in the order in which they came.

use super::world::{ROOMY, START_MS, World, eur, lines};
use crate::command::Command;
use crate::outcome::{HoldState, Outcome, Refusal};
use claw_common::id::Id;

const TTL_MS: u64 = 1_000;
const WAIT_MS: u64 = 60_000;

fn join(world: &mut World, sku: &str, units: u32) -> (Id, HoldState) {
    let mut buffer = lines(&[(sku, units)]);
    let home = world.owner(sku);
    let command =
        Command::JoinLine { session: "s", lines: buffer.lines(), ttl_ms: TTL_MS, wait_ms: WAIT_MS };
    let answer = world.ask(home, command).unwrap();
    let Outcome::Hold(view) = answer.outcome() else { panic!("{:?}", answer.outcome()) };
    (view.hold, view.state)
}

fn state(world: &mut World, sku: &str, hold: Id) -> (HoldState, u64) {
    let home = world.owner(sku);
    let answer = world.ask(home, Command::ReadHold { hold, session: None }).unwrap();
    let Outcome::Hold(view) = answer.outcome() else { panic!("{:?}", answer.outcome()) };
    (view.state, view.expires_at_ms)
}

fn is_sold_out(world: &mut World, sku: &str) -> bool {
    let answer = world.hold(&[(sku, 1)], TTL_MS);
    matches!(answer.outcome(), Outcome::Refused(Refusal::SoldOut { .. }))
}

#[test]
fn expired_stock_goes_to_the_line_in_order_and_to_nobody_else() {
    for shards_count in [1, 3] {
        let mut world = World::new(shards_count, ROOMY);
        world.stock("a", eur(100), 1);
        let (first, now) = join(&mut world, "a", 1);
        assert_eq!(now, HoldState::Active, "there is enough: a hold at once");
        let waiting: Vec<Id> = (0..3).map(|_| join(&mut world, "a", 1).0).collect();
        assert_eq!(state(&mut world, "a", waiting[0]).0, HoldState::Waiting);
        assert!(is_sold_out(&mut world, "a"));
        world.advance(TTL_MS);
        assert_eq!(state(&mut world, "a", first).0, HoldState::Expired);
        let granted = state(&mut world, "a", waiting[0]);
        assert_eq!(granted, (HoldState::Active, START_MS + 2 * TTL_MS));
        assert_eq!(state(&mut world, "a", waiting[1]).0, HoldState::Waiting);
        assert_eq!(world.books("a"), (0, 1, 0));
        assert!(is_sold_out(&mut world, "a"));
        // One leaves the line, and the next but one is served.
        let home = world.owner("a");
        world.ask(home, Command::ReleaseHold { hold: waiting[1], session: Some("s") }).unwrap();
        world.ask(home, Command::ReleaseHold { hold: waiting[0], session: Some("s") }).unwrap();
        world.advance(1);
        assert_eq!(state(&mut world, "a", waiting[2]).0, HoldState::Active);
        assert_eq!(state(&mut world, "a", waiting[1]).0, HoldState::Released);
    }
}

#[test]
fn delivered_stock_is_shared_out_and_what_suffices_for_nobody_is_for_everybody() {
    let mut world = World::new(1, ROOMY);
    world.stock("a", eur(100), 0);
    let (two, _) = join(&mut world, "a", 2);
    let (three, _) = join(&mut world, "a", 3);
    let (one, _) = join(&mut world, "a", 1);
    let home = world.owner("a");
    world.ask(home, Command::MoveStock { sku: "a", delta: 3, reason: "x" }).unwrap();
    world.advance(1);
    for (hold, wanted) in
        [(two, HoldState::Active), (three, HoldState::Waiting), (one, HoldState::Active)]
    {
        assert_eq!(state(&mut world, "a", hold).0, wanted);
    }
    world.ask(home, Command::MoveStock { sku: "a", delta: 2, reason: "x" }).unwrap();
    world.advance(1);
    assert_eq!(world.books("a"), (2, 3, 0), "two are left that nobody waits for");
    assert!(!is_sold_out(&mut world, "a"));
}

#[test]
fn place_in_line_ends_at_its_time_and_reserves_nothing_until_then() {
    let mut world = World::new(1, ROOMY);
    world.stock("a", eur(100), 0);
    let (hold, _) = join(&mut world, "a", 1);
    assert_eq!(world.books("a"), (0, 0, 0));
    let home = world.owner("a");
    let answer = world.ask(home, Command::ExtendHold { hold, session: None, ttl_ms: 9 }).unwrap();
    let waits = Refusal::HoldNotActive { state: HoldState::Waiting };
    assert_eq!(answer.outcome(), Outcome::Refused(waits));
    world.advance(WAIT_MS - 1);
    assert_eq!(state(&mut world, "a", hold), (HoldState::Waiting, START_MS + WAIT_MS));
    world.advance(1);
    assert_eq!(state(&mut world, "a", hold).0, HoldState::Expired);
    world.ask(home, Command::MoveStock { sku: "a", delta: 1, reason: "x" }).unwrap();
    world.advance(1);
    assert_eq!(world.books("a"), (1, 0, 0));
}

#[test]
fn line_is_the_same_after_a_crash_and_its_price_is_that_of_the_grant() {
    let mut world = World::new(1, ROOMY);
    world.stock("a", eur(100), 0);
    let holds: Vec<Id> = (0..2).map(|_| join(&mut world, "a", 1).0).collect();
    let home = world.owner("a");
    world.ask(home, Command::ChangePrice { sku: "a", price: eur(250) }).unwrap();
    world.crash();
    world.ask(home, Command::MoveStock { sku: "a", delta: 1, reason: "x" }).unwrap();
    world.crash();
    world.advance(1);
    assert_eq!(state(&mut world, "a", holds[1]).0, HoldState::Waiting);
    let command = Command::ReadHold { hold: holds[0], session: None };
    let answer = world.ask(home, command).unwrap();
    let Outcome::Hold(view) = answer.outcome() else { panic!() };
    assert_eq!(view.state, HoldState::Active);
    assert_eq!(view.lines.iter().next().unwrap().unit_price, 250);
}

#[test]
fn line_takes_no_more_than_its_share_of_the_holds() {
    let mut world = World::new(1, ROOMY);
    world.stock("a", eur(100), 0);
    let room = ROOMY.holds / claw_common::limits::WAITING_SHARE;
    for _ in 0..room {
        join(&mut world, "a", 1);
    }
    let mut buffer = lines(&[("a", 1)]);
    let home = world.owner("a");
    let command =
        Command::JoinLine { session: "s", lines: buffer.lines(), ttl_ms: TTL_MS, wait_ms: WAIT_MS };
    let answer = world.ask(home, command).unwrap();
    let full = Refusal::CapacityFull { slab: "waiting line" };
    assert_eq!(answer.outcome(), Outcome::Refused(full));
}
