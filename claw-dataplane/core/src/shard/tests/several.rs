//! Holds and orders over several shards: all or none, resumed after a crash, coupons included.

use claw_common::id::ShardId;

use super::world::{ROOMY, World, eur, hold_id, lines, order_id};
use crate::command::{Basket, Command, CouponTerms, CouponValue, OrderStep};
use crate::outcome::{CancelReason, HoldState, OrderState, Outcome, Refusal};
use crate::shard::Capacities;

/// Two SKUs on different shards of two, the first in order first, and a coupon code on each.
fn pair(world: &World) -> (&'static str, &'static str) {
    const SKUS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
    let first = SKUS[0];
    let other = SKUS.iter().find(|sku| world.owner(sku) != world.owner(first));
    (first, other.expect("six keys reach two shards"))
}

fn world() -> (World, &'static str, &'static str) {
    let mut world = World::new(2, ROOMY);
    let (first, second) = pair(&world);
    world.stock(first, eur(100), 5);
    world.stock(second, eur(30), 2);
    (world, first, second)
}

fn checkout<'a>(basket: Basket<'a>, coupon: Option<&'a str>, wait_until_ms: u64) -> Command<'a> {
    Command::Checkout {
        session: "s",
        own_session_only: true,
        basket,
        coupon,
        ship_to: "{}",
        region: "DE",
        wait_until_ms,
        ttl_ms: 5_000,
        payment: None,
    }
}

#[test]
fn hold_over_two_shards_has_both_prices_and_gives_both_back() {
    let (mut world, first, second) = world();
    let answer = world.hold(&[(first, 2), (second, 1)], 1_000);
    let Outcome::Hold(view) = answer.outcome() else { panic!("{:?}", answer.outcome()) };
    assert_eq!(view.lines.iter().map(|l| l.unit_price).collect::<Vec<_>>(), [100, 30]);
    assert_eq!((world.books(first), world.books(second)), ((3, 2, 0), (1, 1, 0)));
    world.advance(1_000);
    world.deliver_all();
    assert_eq!((world.books(first), world.books(second)), ((5, 0, 0), (2, 0, 0)));
}

#[test]
fn shortfall_on_the_second_shard_releases_the_first() {
    let (mut world, first, second) = world();
    let answer = world.hold(&[(first, 2), (second, 3)], 1_000);
    let refusal = Refusal::SoldOut { sku: second, requested: 3, available: 2 };
    assert_eq!(answer.outcome(), Outcome::Refused(refusal));
    assert_eq!((world.books(first), world.books(second)), ((5, 0, 0), (2, 0, 0)));
}

#[test]
fn crash_before_any_message_arrives_still_grants_the_hold_once() {
    let (mut world, first, second) = world();
    let mut buffer = lines(&[(first, 2), (second, 1)]);
    let lines = buffer.lines();
    let identity = world.fresh_identity();
    let command = Command::CreateHold { session: "s", lines, ttl_ms: 1_000 };
    let home = world.owner(first);
    world.decide(home, command, identity);
    let early = world.decide(home, command, identity);
    assert_eq!(world.answers[&early].outcome(), Outcome::Refused(Refusal::StillDeciding));
    world.crash();
    world.deliver_all();
    let again = world.decide(home, command, identity);
    let answer = &world.answers[&again];
    assert!(answer.repeated);
    assert!(matches!(answer.outcome(), Outcome::Hold(view) if view.state == HoldState::Active));
    assert_eq!((world.books(first), world.books(second)), ((3, 2, 0), (1, 1, 0)));
}

#[test]
fn waiting_checkout_is_answered_when_every_shard_has_settled_and_a_cancel_returns_everything() {
    let (mut world, first, second) = world();
    let hold = hold_id(&world.hold(&[(first, 2), (second, 1)], 1_000));
    let terms = CouponTerms {
        value: CouponValue::Percent(1_000),
        uses_max: 1,
        currency: None,
        starts_at: None,
        ends_at: None,
        subtotal_min: None,
    };
    let codes = ["T1", "T2", "T3", "T4", "T5", "T6"];
    let home = world.owner(first);
    let code = codes.into_iter().find(|code| world.owner(code) != home).unwrap();
    world.ask(world.owner(code), Command::PutCoupon { code, terms }).unwrap();
    let until = world.now_ms + 1_000;
    let answer = world.ask(home, checkout(Basket::Hold(hold), Some(code), until)).unwrap();
    let Outcome::Order(view) = answer.outcome() else { panic!("{:?}", answer.outcome()) };
    assert_eq!((view.state, view.subtotal, view.discount), (OrderState::Placed, 230, 23));
    assert_eq!((world.books(first), world.books(second)), ((3, 0, 2), (1, 0, 1)));
    let order = view.order;
    let step = OrderStep::Cancel;
    world.ask(home, Command::AdvanceOrder { order, session: Some("s"), step }).unwrap();
    assert_eq!((world.books(first), world.books(second)), ((5, 0, 0), (2, 0, 0)));
    let coupon = world.ask(world.owner(code), Command::ReadCoupon { code }).unwrap();
    assert!(matches!(coupon.outcome(), Outcome::Coupon(view) if view.uses == 0));
}

#[test]
fn checkout_that_falls_short_elsewhere_is_an_order_cancelled_with_its_reason() {
    let (mut world, first, second) = world();
    let mut buffer = lines(&[(first, 1), (second, 3)]);
    let until = world.now_ms + 1_000;
    let home = world.owner(first);
    let command = checkout(Basket::Items(buffer.lines()), None, until);
    let answer = world.ask(home, command).unwrap();
    let Outcome::Order(view) = answer.outcome() else { panic!("{:?}", answer.outcome()) };
    assert_eq!((view.state, view.reason), (OrderState::Cancelled, Some(CancelReason::SoldOut)));
    assert_eq!((world.books(first), world.books(second)), ((5, 0, 0), (2, 0, 0)));
}

#[test]
fn repeated_checkout_shows_the_order_as_it_is_by_then() {
    let (mut world, first, second) = world();
    let mut buffer = lines(&[(first, 1), (second, 1)]);
    let command = checkout(Basket::Items(buffer.lines()), None, 0);
    let (home, identity) = (world.owner(first), world.fresh_identity());
    let reply = world.decide(home, command, identity);
    let answer = world.answers[&reply].clone();
    assert!(
        matches!(answer.outcome(), Outcome::Order(view) if view.state == OrderState::Reserving)
    );
    world.deliver_all();
    let reply = world.decide(home, command, identity);
    let again = world.answers[&reply].clone();
    assert_eq!(order_id(&again), order_id(&answer));
    assert!(matches!(again.outcome(), Outcome::Order(view) if view.state == OrderState::Placed));
}

#[test]
fn unanswered_checkout_is_cancelled_at_its_deadline_and_late_grants_are_undone() {
    let (mut world, first, second) = world();
    let mut buffer = lines(&[(first, 1), (second, 1)]);
    let command = checkout(Basket::Items(buffer.lines()), None, u64::MAX >> 16);
    let (home, identity) = (world.owner(first), world.fresh_identity());
    let reply = world.decide(home, command, identity);
    world.advance(5_000);
    let answer = world.answers[&reply].clone();
    assert!(matches!(
        answer.outcome(),
        Outcome::Order(view) if view.reason == Some(CancelReason::Expired)
    ));
    world.deliver_all();
    assert_eq!((world.books(first), world.books(second)), ((5, 0, 0), (2, 0, 0)));
}

#[test]
fn messages_raise_the_version_vector_of_who_receives_them() {
    let (mut world, first, second) = world();
    world.hold(&[(first, 1), (second, 1)], 1_000);
    let (home, member) = (world.owner(first), world.owner(second));
    let at = |shard: ShardId| usize::from(shard.0);
    let seen = world.shards[at(home)].version_vector()[at(member)];
    assert_eq!(seen, world.shards[at(member)].sequence());
}

#[test]
fn order_cancelled_after_a_crash_is_undone_also_where_it_had_been_asked_before() {
    let mut world = World::new(3, ROOMY);
    let skus = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let mut spread: Vec<&str> = Vec::new();
    for sku in skus {
        if spread.iter().all(|other| world.owner(other) != world.owner(sku)) {
            spread.push(sku);
        }
    }
    let [first, second, third] = spread[..] else { panic!("eight keys reach three shards") };
    for sku in [first, second, third] {
        world.stock(sku, eur(10), 1);
    }
    let mut buffer = lines(&[(first, 1), (second, 1), (third, 1)]);
    let (home, identity) = (world.owner(first), world.fresh_identity());
    world.decide(home, checkout(Basket::Items(buffer.lines()), None, 0), identity);
    // Asked and granted by the second, asked of the third, which holds; its answer is lost.
    for _ in 0..3 {
        let flying = world.flying.pop_front().unwrap();
        world.deliver(&flying);
    }
    let member = usize::from(world.owner(third).0);
    assert_eq!(world.shards[member].audit().held, 1);
    world.flying.clear();
    world.crash();
    world.advance(5_000);
    world.deliver_all();
    for sku in [first, second, third] {
        assert_eq!(world.books(sku), (1, 0, 0), "{sku}");
    }
}

#[test]
fn undo_that_comes_twice_gives_back_once_even_when_the_member_is_full_of_holds() {
    let mut world = World::new(2, Capacities { holds: 4, ..ROOMY });
    let (first, second) = pair(&world);
    world.stock(first, eur(100), 9);
    world.stock(second, eur(30), 9);
    let home = world.owner(first);
    let mut buffer = lines(&[(first, 1), (second, 2)]);
    let placed = world.ask(home, checkout(Basket::Items(buffer.lines()), None, 0)).unwrap();
    for _ in 0..3 {
        world.hold(&[(first, 1), (second, 1)], 60_000);
    }
    // One too many: refused, and undone at the member, which forgets that the order was settled.
    let refused = world.hold(&[(first, 1), (second, 1)], 60_000);
    assert_eq!(refused.outcome(), Outcome::Refused(Refusal::CapacityFull { slab: "holds" }));
    let order = order_id(&placed);
    let cancel = Command::AdvanceOrder { order, session: None, step: OrderStep::Cancel };
    let identity = world.fresh_identity();
    world.decide(home, cancel, identity);
    let undo = world.flying.front().unwrap().clone();
    world.deliver(&undo);
    world.deliver_all();
    assert_eq!((world.books(first), world.books(second)), ((6, 3, 0), (6, 3, 0)));
}
