//! Orders that are paid for: each way a payment can go, from one shard and over two.

use claw_common::limits::{PAYMENT_ACTION_POLL_MS, SAGA_ATTEMPTS_MAX, SAGA_RETRY_DELAY_MS_MAX};

use super::vault::Mood;
use super::world::{ROOMY, World, eur, hold_id, lines, order_id};
use crate::command::{Basket, Command, CouponTerms, CouponValue, OrderStep, SagaStep};
use crate::outcome::{CancelReason, OrderState, Outcome, Refusal};
use crate::payment::{Ask, PaymentStep};
use crate::saga::Course;
use crate::shard::Capacities;
use crate::shard::event::{Event, EventKind};
use claw_common::id::Id;

const TTL_MS: u64 = 600_000;

fn buy<'a>(basket: Basket<'a>, payment: &'a str) -> Command<'a> {
    Command::Checkout {
        session: "s",
        own_session_only: true,
        basket,
        coupon: None,
        ship_to: "{}",
        region: "DE",
        wait_until_ms: 0,
        ttl_ms: TTL_MS,
        payment: Some(payment),
    }
}

/// A world of one or two shards with a product on each, and an order of both under way.
fn ordered(shards: u16) -> (World, Id) {
    let mut world = World::new(shards, ROOMY);
    let skus = skus(&world);
    for sku in skus {
        world.stock(sku, eur(100), 5);
    }
    let mut buffer = lines(&skus.map(|sku| (sku, 2)));
    let home = world.owner(skus[0]);
    let answer = world.ask(home, buy(Basket::Items(buffer.lines()), "pm_1")).unwrap();
    let order = order_id(&answer);
    (world, order)
}

fn skus(world: &World) -> [&'static str; 2] {
    const SKUS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
    let other = SKUS[1..].iter().find(|sku| world.owner(sku) != world.owner("a"));
    ["a", other.unwrap_or(&"b")]
}

fn books(world: &mut World) -> [(u64, u64, u64); 2] {
    skus(world).map(|sku| world.books(sku))
}

fn state(world: &mut World, order: Id) -> (OrderState, Option<CancelReason>) {
    let read = Command::ReadOrder { order, session: None };
    let answer = world.ask(order.home(), read).unwrap();
    let Outcome::Order(view) = answer.outcome() else { panic!("{answer:?}") };
    (view.state, view.reason)
}

fn asked(world: &World) -> Vec<PaymentStep> {
    let step = |bytes: &Vec<u8>| {
        use crate::codec::{Decode, Reader};
        Ask::decode(&mut Reader::new(bytes)).unwrap().step
    };
    world.asks.iter().map(step).collect()
}

fn failures(world: &World, order: Id) -> usize {
    let records = &world.logs[usize::from(order.home().0)].records;
    records.iter().filter(|record| record.kind == EventKind::CheckoutFailed as u16).count()
}

const UNTOUCHED: [(u64, u64, u64); 2] = [(5, 0, 0); 2];
const HELD: [(u64, u64, u64); 2] = [(3, 2, 0); 2];
const SOLD: [(u64, u64, u64); 2] = [(3, 0, 2); 2];

#[test]
fn payment_is_authorised_while_stock_is_held_and_captured_once_it_is_sold() {
    for shards in [1, 2] {
        let (mut world, order) = ordered(shards);
        assert_eq!(state(&mut world, order), (OrderState::Authorizing, None));
        assert_eq!((books(&mut world), asked(&world)), (HELD, vec![PaymentStep::Authorize]));
        world.answer_ask(0, Mood::Kind);
        world.deliver_all();
        assert_eq!(state(&mut world, order), (OrderState::Capturing, None));
        assert_eq!((books(&mut world), asked(&world)), (SOLD, vec![PaymentStep::Capture]));
        world.answer_ask(0, Mood::Kind);
        assert_eq!(state(&mut world, order), (OrderState::Placed, None));
        let entry = world.vault.ledger[&order];
        assert!(entry.captured && !entry.refunded && entry.amount == 400);
        assert_eq!((asked(&world), failures(&world, order)), (vec![], 0));
    }
}

#[test]
fn declined_payment_gives_everything_back_and_says_why() {
    for shards in [1, 2] {
        let (mut world, order) = ordered(shards);
        world.answer_ask(0, Mood::Cruel);
        world.deliver_all();
        let declined = (OrderState::Cancelled, Some(CancelReason::PaymentDeclined));
        assert_eq!(state(&mut world, order), declined);
        assert_eq!((books(&mut world), asked(&world)), (UNTOUCHED, vec![]), "nothing to void");
        assert_eq!(failures(&world, order), 1);
    }
}

#[test]
fn failure_is_logged_with_what_was_known_then() {
    let (mut world, order) = ordered(1);
    world.advance(7);
    world.answer_ask(0, Mood::Cruel);
    let records = &world.logs[usize::from(order.home().0)].records;
    let record = records.iter().find(|r| r.kind == EventKind::CheckoutFailed as u16).unwrap();
    let event = Event::decode(record.kind, record.event_version, &record.event).unwrap();
    let Event::CheckoutFailed(failed) = event else { panic!("{event:?}") };
    assert_eq!((failed.order, failed.session, failed.step), (order, "s", 4));
    assert_eq!((failed.reason, failed.code), (CancelReason::PaymentDeclined, "card_declined"));
    assert_eq!((failed.total, failed.units, failed.lines_count), (eur(400), 4, 2));
    assert_eq!((failed.age_ms, failed.attempts), (7, 0));
    assert!(!failed.from_hold && !failed.has_coupon);
}

#[test]
fn capture_refused_for_good_gives_sold_stock_back_and_voids() {
    for shards in [1, 2] {
        let (mut world, order) = ordered(shards);
        world.answer_ask(0, Mood::Kind);
        world.deliver_all();
        world.answer_ask(0, Mood::Cruel);
        world.deliver_all();
        assert_eq!(state(&mut world, order).0, OrderState::Cancelled);
        assert_eq!((books(&mut world), asked(&world)), (UNTOUCHED, vec![PaymentStep::Void]));
        world.answer_asks();
        assert!(!world.vault.ledger[&order].held);
        assert_eq!(failures(&world, order), 1);
    }
}

#[test]
fn order_whose_gateway_is_away_ends_at_its_deadline_and_is_voided() {
    for shards in [1, 2] {
        let (mut world, order) = ordered(shards);
        // It was done, and nobody said so.
        world.answer_ask(0, Mood::Forgetful);
        assert_eq!(asked(&world), []);
        let mut attempts = 0;
        while state(&mut world, order).0 == OrderState::Authorizing {
            world.advance(SAGA_RETRY_DELAY_MS_MAX / 10);
            attempts += asked(&world).len();
            world.answer_ask(0, Mood::Away);
            world.deliver_all();
        }
        assert!(attempts > 10, "{attempts}");
        let unavailable = (OrderState::Cancelled, Some(CancelReason::PaymentUnavailable));
        assert_eq!((state(&mut world, order), books(&mut world)), (unavailable, UNTOUCHED));
        world.advance(SAGA_RETRY_DELAY_MS_MAX);
        world.answer_asks();
        assert!(!world.vault.ledger[&order].held, "voided");
    }
}

#[test]
fn shopper_who_must_act_is_shown_the_secret_and_nothing_else_is() {
    let (mut world, order) = ordered(1);
    world.answer_ask(0, Mood::Careful);
    let read = Command::ReadOrder { order, session: Some("s") };
    let answer = world.ask(order.home(), read).unwrap();
    let Outcome::Order(view) = answer.outcome() else { panic!("{answer:?}") };
    assert_eq!((view.state, view.client_secret), (OrderState::RequiresAction, "pi_1_secret_2"));
    let logged = &world.logs[usize::from(order.home().0)].records;
    let secret = b"pi_1_secret_2";
    assert!(!logged.iter().any(|r| r.event.windows(secret.len()).any(|w| w == secret)));
    // A crash forgets it, and asks again.
    world.crash();
    assert_eq!(asked(&world), [PaymentStep::Authorize]);
    world.answer_ask(0, Mood::Careful);
    let answer = world.ask(order.home(), read).unwrap();
    assert!(matches!(answer.outcome(), Outcome::Order(view) if !view.client_secret.is_empty()));
    world.advance(PAYMENT_ACTION_POLL_MS);
    world.answer_asks();
    assert_eq!(state(&mut world, order).0, OrderState::Placed);
    let answer = world.ask(order.home(), read).unwrap();
    assert!(matches!(answer.outcome(), Outcome::Order(view) if view.client_secret.is_empty()));
}

#[test]
fn shopper_who_does_not_act_in_time_gets_nothing_and_owes_nothing() {
    let (mut world, order) = ordered(2);
    world.answer_ask(0, Mood::Careful);
    world.asks.clear();
    world.advance(TTL_MS);
    world.deliver_all();
    let expired = (OrderState::Cancelled, Some(CancelReason::Expired));
    assert_eq!((state(&mut world, order), books(&mut world)), (expired, UNTOUCHED));
    world.answer_asks();
    assert!(!world.vault.ledger[&order].held);
}

#[test]
fn placed_order_that_is_cancelled_or_refunded_is_paid_back() {
    for (step, stock) in [(OrderStep::Cancel, UNTOUCHED), (OrderStep::Refund, SOLD)] {
        for shards in [1, 2] {
            let (mut world, order) = ordered(shards);
            world.answer_asks();
            let advance = Command::AdvanceOrder { order, session: None, step };
            world.ask(order.home(), advance).unwrap();
            assert_eq!(asked(&world), [PaymentStep::Refund]);
            world.crash();
            world.answer_asks();
            assert_eq!(books(&mut world), stock);
            assert!(world.vault.ledger[&order].refunded);
            assert_eq!(failures(&world, order), 0, "a shopper's wish is no failure");
        }
    }
}

/// One unit of "a", paid for and shipped.
fn ship_one(world: &mut World) -> Id {
    let (home, mut items) = (world.owner("a"), lines(&[("a", 1)]));
    let answer = world.ask(home, buy(Basket::Items(items.lines()), "pm_1")).unwrap();
    let order = order_id(&answer);
    world.answer_asks();
    let step = OrderStep::Ship;
    world.ask(home, Command::AdvanceOrder { order, session: None, step }).unwrap();
    order
}

#[test]
fn shipped_order_that_is_paid_back_is_not_forgotten_before_it_is() {
    let mut world = World::new(1, Capacities { orders: 3, ..ROOMY });
    world.stock("a", eur(100), 50);
    let order = ship_one(&mut world);
    let refund = Command::AdvanceOrder { order, session: None, step: OrderStep::Refund };
    world.ask(order.home(), refund).unwrap();
    // The money has not gone back yet, and others need the room.
    world.answer_ask(0, Mood::Away);
    for _ in 0..5 {
        ship_one(&mut world);
    }
    world.advance(SAGA_RETRY_DELAY_MS_MAX);
    world.answer_asks();
    assert!(world.vault.ledger[&order].refunded);
}

#[test]
fn order_may_be_cancelled_until_its_stock_is_sold_and_is_then_voided() {
    let (mut world, order) = ordered(2);
    let cancel = Command::AdvanceOrder { order, session: None, step: OrderStep::Cancel };
    world.answer_ask(0, Mood::Mute);
    world.ask(order.home(), cancel).unwrap();
    assert_eq!(asked(&world), [PaymentStep::Authorize, PaymentStep::Void]);
    // Whatever comes first, nothing is held in the end, and the order stays cancelled.
    world.answer_ask(1, Mood::Kind);
    world.answer_asks();
    assert_eq!(state(&mut world, order).0, OrderState::Cancelled);
    assert!(!world.vault.ledger[&order].held);
    assert_eq!(books(&mut world), UNTOUCHED);

    let (mut world, order) = ordered(2);
    world.answer_ask(0, Mood::Kind);
    world.deliver_all();
    let cancel = Command::AdvanceOrder { order, session: None, step: OrderStep::Cancel };
    let answer = world.ask(order.home(), cancel).unwrap();
    let state = OrderState::Capturing;
    assert_eq!(answer.outcome(), Outcome::Refused(Refusal::OrderState { state }));
}

#[test]
fn crash_after_every_event_resumes_to_the_same_end() {
    for shards in [1, 2] {
        for moods in
            [[Mood::Kind, Mood::Kind], [Mood::Cruel, Mood::Kind], [Mood::Kind, Mood::Cruel]]
        {
            let (mut world, order) = ordered(shards);
            for mood in moods {
                world.crash();
                world.deliver_all();
                world.answer_ask(0, mood);
                world.crash();
                world.deliver_all();
            }
            world.answer_asks();
            let placed = moods == [Mood::Kind; 2];
            let entry = world.vault.ledger[&order];
            assert_eq!((entry.captured, entry.held), (placed, false), "{moods:?}");
            assert_eq!(books(&mut world), if placed { SOLD } else { UNTOUCHED });
        }
    }
}

#[test]
fn refund_that_is_refused_is_parked_until_an_operator_retries_it() {
    let (mut world, order) = ordered(1);
    world.answer_asks();
    let step = OrderStep::Refund;
    world.ask(order.home(), Command::AdvanceOrder { order, session: None, step }).unwrap();
    world.answer_ask(0, Mood::Cruel);
    let home = usize::from(order.home().0);
    assert_eq!(world.shards[home].parked_count(), 1);
    let list = Command::ListSagas { after: Id([0; 16]), limit: 10, parked_only: true };
    let answer = world.ask(order.home(), list).unwrap();
    assert!(matches!(answer.outcome(), Outcome::Sagas { count: 1, more: false, .. }));
    // Neither time nor a crash retries it.
    world.advance(TTL_MS);
    world.crash();
    assert_eq!((asked(&world), world.shards[home].parked_count()), (vec![], 1));
    let retry = Command::StepSaga { order, step: SagaStep::Retry };
    let answer = world.ask(order.home(), retry).unwrap();
    let Outcome::Saga(view) = answer.outcome() else { panic!("{answer:?}") };
    assert_eq!((view.progress.parked, view.progress.step_name()), (false, "refund"));
    world.answer_asks();
    assert_eq!((world.shards[home].parked_count(), world.vault.ledger[&order].refunded), (0, true));
    let answer = world.ask(order.home(), retry).unwrap();
    assert_eq!(answer.outcome(), Outcome::Refused(Refusal::SagaState));
}

#[test]
fn capture_that_nobody_can_say_is_parked_and_never_guessed() {
    let (mut world, order) = ordered(1);
    world.answer_ask(0, Mood::Kind);
    for _ in 0..SAGA_ATTEMPTS_MAX {
        assert_eq!(asked(&world), [PaymentStep::Capture]);
        world.answer_ask(0, Mood::Forgetful);
        world.advance(SAGA_RETRY_DELAY_MS_MAX);
    }
    assert_eq!((state(&mut world, order).0, asked(&world)), (OrderState::Capturing, vec![]));
    assert_eq!(books(&mut world), SOLD);
    let retry = Command::StepSaga { order, step: SagaStep::Retry };
    world.ask(order.home(), retry).unwrap();
    world.answer_asks();
    assert_eq!(state(&mut world, order).0, OrderState::Placed);
}

#[test]
fn parked_authorisation_still_ends_at_the_deadline_and_is_voided() {
    let (mut world, order) = ordered(1);
    world.answer_ask(0, Mood::Mute);
    let park = Command::StepSaga { order, step: SagaStep::Park };
    world.ask(order.home(), park).unwrap();
    world.advance(TTL_MS);
    assert_eq!(state(&mut world, order).0, OrderState::Cancelled);
    world.answer_asks();
    assert!(!world.vault.ledger[&order].held);
}

#[test]
fn what_costs_something_needs_a_means_of_payment_and_what_is_free_needs_none() {
    let mut world = World::new(1, ROOMY);
    world.stock("a", eur(100), 5);
    let mut buffer = lines(&[("a", 1)]);
    let shard = world.owner("a");
    let answer = world.ask(shard, buy(Basket::Items(buffer.lines()), "")).unwrap();
    let required = Refusal::PaymentRequired { total: 100 };
    assert_eq!(answer.outcome(), Outcome::Refused(required));
    assert_eq!(world.books("a"), (5, 0, 0));
    let terms = CouponTerms {
        value: CouponValue::Percent(10_000),
        uses_max: 1,
        currency: None,
        starts_at: None,
        ends_at: None,
        subtotal_min: None,
    };
    world.ask(shard, Command::PutCoupon { code: "FREE", terms }).unwrap();
    let mut command = buy(Basket::Items(buffer.lines()), "");
    if let Command::Checkout { coupon, .. } = &mut command {
        *coupon = Some("FREE");
    }
    let answer = world.ask(shard, command).unwrap();
    assert!(matches!(answer.outcome(), Outcome::Order(view) if view.state == OrderState::Placed));
    assert_eq!(asked(&world), []);
}

#[test]
fn order_over_two_shards_that_turns_out_to_cost_something_gives_everything_back() {
    let mut world = World::new(2, ROOMY);
    let skus = skus(&world);
    world.stock(skus[0], eur(0), 5);
    world.stock(skus[1], eur(100), 5);
    let mut buffer = lines(&skus.map(|sku| (sku, 1)));
    let home = world.owner(skus[0]);
    let answer = world.ask(home, buy(Basket::Items(buffer.lines()), "")).unwrap();
    let declined = (OrderState::Cancelled, Some(CancelReason::PaymentDeclined));
    assert_eq!(state(&mut world, order_id(&answer)), declined);
    assert_eq!(books(&mut world), UNTOUCHED);
}

#[test]
fn coupon_is_held_while_the_payment_is_authorised() {
    let mut world = World::new(1, ROOMY);
    world.stock("a", eur(100), 5);
    let shard = world.owner("a");
    let terms = CouponTerms {
        value: CouponValue::Percent(1_000),
        uses_max: 1,
        currency: None,
        starts_at: None,
        ends_at: None,
        subtotal_min: None,
    };
    world.ask(shard, Command::PutCoupon { code: "ONCE", terms }).unwrap();
    let hold = world.hold(&[("a", 1)], TTL_MS);
    let mut command = buy(Basket::Hold(hold_id(&hold)), "pm_1");
    let with_coupon = |command: &mut Command<'static>| {
        if let Command::Checkout { coupon, .. } = command {
            *coupon = Some("ONCE");
        }
    };
    with_coupon(&mut command);
    let first = order_id(&world.ask(shard, command).unwrap());
    let hold = world.hold(&[("a", 1)], TTL_MS);
    let mut command = buy(Basket::Hold(hold_id(&hold)), "pm_2");
    with_coupon(&mut command);
    let answer = world.ask(shard, command).unwrap();
    let Outcome::Order(view) = answer.outcome() else { panic!("{answer:?}") };
    assert_eq!(view.reason, Some(CancelReason::CouponInvalid));
    // The first is declined: its use comes back.
    world.answer_ask(0, Mood::Cruel);
    assert_eq!(state(&mut world, first).0, OrderState::Cancelled);
    let read = world.ask(shard, Command::ReadCoupon { code: "ONCE" }).unwrap();
    assert!(matches!(read.outcome(), Outcome::Coupon(view) if view.uses == 0));
}

#[test]
fn late_and_repeated_answers_change_nothing() {
    let (mut world, order) = ordered(1);
    world.answer_ask(0, Mood::Twice);
    world.answer_ask(0, Mood::Twice);
    let records = world.logs[0].records.len();
    for step in PaymentStep::ALL {
        let verdict = crate::payment::Verdict::Done { intent: "pi_9" };
        let shard = order.home();
        world.hear(&crate::payment::Answer { order, shard, step, verdict });
    }
    assert_eq!(world.logs[0].records.len(), records);
    let saga = world.ask(order.home(), Command::ReadSaga { order }).unwrap();
    let Outcome::Saga(view) = saga.outcome() else { panic!("{saga:?}") };
    assert_eq!((view.progress.course, view.intent), (Course::Done, "pi_1"));
}
