//! A row per refusal, in the order of precedence: where several hold, the first is the answer.

use claw_common::id::{Id, ShardId};
use claw_common::limits::LINES_MAX;

use super::world::{Answer, TINY, World, eur, hold_id, identity, lines, order_id, usd};
use crate::command::{Basket, Command, CommandKey, CouponTerms, CouponValue, OrderStep};
use crate::lines::Lines;
use crate::outcome::{HoldState, Missing, OrderState, Outcome, Refusal};
use crate::shard::{Capacities, event::EventKind};

const SHARD: ShardId = ShardId(0);
const ABSENT: Id = Id([0; 16]);

fn world() -> World {
    let mut world = World::new(1, TINY);
    world.stock("a", eur(100), 3);
    world.stock("b", usd(100), 3);
    world
}

fn refused(answer: &Answer) -> Refusal<'_> {
    match answer.outcome() {
        Outcome::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

fn hold(lines: Lines<'_>) -> Command<'_> {
    Command::CreateHold { session: "s", lines, ttl_ms: 1_000 }
}

fn buy(basket: Basket<'_>) -> Command<'_> {
    Command::Checkout {
        session: "s",
        own_session_only: true,
        basket,
        coupon: None,
        ship_to: "",
        region: "",
        wait_until_ms: 0,
        ttl_ms: 1_000,
        payment: None,
    }
}

#[test]
fn momentary_refusals_come_first_and_leave_no_trace() {
    let mut world = world();
    let before = world.logs[0].records.len();
    for n in 0..TINY.holds {
        world.advance(u64::from(n));
        let item = lines(&[("a", 1)]);
        let mut item = item;
        world.stock("a", eur(100), 1);
        world.ask(SHARD, hold(item.lines())).unwrap();
    }
    assert!(world.logs[0].records.len() > before);
    let count = world.logs[0].records.len();
    // Full, and it would be sold out as well: full is said first.
    let mut many = lines(&[("a", 1_000)]);
    let answer = world.ask(SHARD, hold(many.lines())).unwrap();
    assert_eq!(refused(&answer), Refusal::CapacityFull { slab: "holds" });
    let known = identity(1);
    let other_body = CommandKey { digest: [1; 16], ..known };
    let reply = world.decide(SHARD, hold(many.lines()), other_body);
    assert_eq!(refused(&world.answers[&reply]), Refusal::IdempotencyMismatch);
    assert_eq!(world.logs[0].records.len(), count, "nothing was logged");
}

#[test]
fn full_window_refuses_rather_than_forget() {
    let capacities = Capacities { holds: 16, ..TINY };
    let mut world = World::new(1, capacities);
    world.stock("a", eur(100), 3);
    let delta = 1;
    let refusal = loop {
        let command = Command::MoveStock { sku: "a", delta, reason: "r" };
        let answer = world.ask(SHARD, command).unwrap();
        if let Outcome::Refused(refusal) = answer.outcome() {
            break matches!(refusal, Refusal::WindowFull);
        }
    };
    assert!(refusal);
    world.advance(claw_common::limits::DEDUPLICATION_WINDOW_MS + 1);
    let command = Command::MoveStock { sku: "a", delta, reason: "r" };
    assert!(matches!(world.ask(SHARD, command).unwrap().outcome(), Outcome::Product(_)));
}

#[test]
fn what_is_not_there_is_not_found_and_another_session_sees_nothing() {
    let mut world = world();
    let mut item = lines(&[("a", 1)]);
    let hold = hold_id(&world.ask(SHARD, hold(item.lines())).unwrap());
    let other = Some("other");
    let step = OrderStep::Ship;
    let price = eur(1);
    let rows = [
        (Command::ReadProduct { sku: "x" }, Missing::Product),
        (Command::MoveStock { sku: "x", delta: 1, reason: "" }, Missing::Product),
        (Command::ChangePrice { sku: "x", price }, Missing::Product),
        (Command::ReadCoupon { code: "x" }, Missing::Coupon),
        (Command::ReadCart { cart: ABSENT, session: None }, Missing::Cart),
        (buy(Basket::Cart(ABSENT)), Missing::Cart),
        (Command::ReadHold { hold, session: other }, Missing::Hold),
        (Command::ReleaseHold { hold, session: other }, Missing::Hold),
        (Command::ExtendHold { hold, session: other, ttl_ms: 1 }, Missing::Hold),
        (buy(Basket::Hold(ABSENT)), Missing::Hold),
        (Command::ReadOrder { order: ABSENT, session: None }, Missing::Order),
        (Command::ReadOrderRecords { order: ABSENT, session: None }, Missing::Order),
        (Command::AdvanceOrder { order: ABSENT, session: None, step }, Missing::Order),
    ];
    for (command, missing) in rows {
        let count = world.logs[0].records.len();
        let answer = world.ask(SHARD, command).unwrap();
        assert_eq!(refused(&answer), Refusal::NotFound(missing), "{command:?}");
        // Ids that somebody tries leave no trace, whether or not they are another's.
        let logged = world.logs[0].records.len() - count;
        let remembered = missing == Missing::Product && !command.reads_only();
        assert_eq!(logged, usize::from(remembered), "{command:?}");
    }
}

#[test]
fn lines_are_refused_for_the_unknown_then_the_mixed_then_the_short() {
    let mut world = world();
    let rows: [(&[(&str, u32)], Refusal<'_>); 5] = [
        (&[("a", 9), ("b", 9), ("x", 9)], Refusal::UnknownSku { sku: "x" }),
        (&[("a", 9), ("b", 9)], Refusal::CurrencyMixed),
        (&[], Refusal::Empty),
        (&[("a", 4)], Refusal::SoldOut { sku: "a", requested: 4, available: 3 }),
        (&[("b", 5)], Refusal::SoldOut { sku: "b", requested: 5, available: 3 }),
    ];
    for (items, refusal) in rows {
        let mut buffer = lines(items);
        let answer = world.ask(SHARD, hold(buffer.lines())).unwrap();
        assert_eq!(refused(&answer), refusal, "{items:?}");
        let last = world.logs[0].records.last().unwrap();
        assert_eq!(last.kind, EventKind::CommandRefused as u16, "a refusal is remembered");
    }
    assert_eq!(world.books("a"), (3, 0, 0));
}

#[test]
fn sources_are_refused_for_the_version_the_stock_and_the_uses() {
    let mut world = world();
    let put = Command::PutProduct {
        sku: "a",
        name: "n",
        price: eur(1),
        attributes: "",
        version_expected: Some(1),
    };
    let answer = world.ask(SHARD, put).unwrap();
    assert_eq!(refused(&answer), Refusal::VersionMismatch { version: 2 });
    let answer = world.ask(SHARD, Command::MoveStock { sku: "a", delta: -4, reason: "" }).unwrap();
    assert_eq!(refused(&answer), Refusal::StockNegative { sku: "a", available: 3 });
    let answer =
        world.ask(SHARD, Command::MoveStock { sku: "a", delta: i64::MAX, reason: "" }).unwrap();
    assert_eq!(refused(&answer), Refusal::StockNegative { sku: "a", available: 3 });

    let mut terms = CouponTerms {
        value: CouponValue::Percent(10_000),
        uses_max: 1,
        currency: None,
        starts_at: None,
        ends_at: None,
        subtotal_min: None,
    };
    world.ask(SHARD, Command::PutCoupon { code: "FREE", terms }).unwrap();
    let mut item = lines(&[("a", 1)]);
    let Command::Checkout { .. } = buy(Basket::Items(item.lines())) else { unreachable!() };
    let command = Command::Checkout {
        session: "s",
        own_session_only: true,
        basket: Basket::Items(item.lines()),
        coupon: Some("FREE"),
        ship_to: "",
        region: "",
        wait_until_ms: 0,
        ttl_ms: 1_000,
        payment: None,
    };
    let answer = world.ask(SHARD, command).unwrap();
    assert!(matches!(answer.outcome(), Outcome::Order(view) if view.total == 0));
    terms.uses_max = 0;
    let answer = world.ask(SHARD, Command::PutCoupon { code: "FREE", terms }).unwrap();
    assert_eq!(refused(&answer), Refusal::CouponUsesBelowUsed { uses: 1 });
}

#[test]
fn carts_are_refused_for_the_unknown_the_mixed_the_empty_and_the_long() {
    let mut world = world();
    let answer = world.ask(SHARD, Command::CreateCart { session: "s" }).unwrap();
    let Outcome::CartCreated { cart } = answer.outcome() else { panic!() };
    let answer = world.ask(SHARD, buy(Basket::Cart(cart))).unwrap();
    assert_eq!(refused(&answer), Refusal::Empty);
    let mut set = |sku: &str, price| {
        let session = Some("s");
        world.ask(SHARD, Command::SetCartItem { cart, session, sku, quantity: 1, price }).unwrap()
    };
    assert_eq!(refused(&set("x", None)), Refusal::UnknownSku { sku: "x" });
    for n in 0..LINES_MAX {
        let answer = set(&format!("sku-{n:02}"), Some(eur(1)));
        assert!(matches!(answer.outcome(), Outcome::Cart(view) if view.lines.count() == n + 1));
    }
    assert_eq!(refused(&set("y", Some(usd(1)))), Refusal::CurrencyMixed);
    assert_eq!(refused(&set("y", Some(eur(1)))), Refusal::LinesAboveMax);
}

#[test]
fn ended_holds_and_orders_refuse_what_their_state_does_not_allow() {
    let mut world = world();
    let session = Some("s");
    let mut item = lines(&[("a", 1)]);
    let sold = hold_id(&world.ask(SHARD, hold(item.lines())).unwrap());
    let order = order_id(&world.ask(SHARD, buy(Basket::Hold(sold))).unwrap());
    let released = hold_id(&world.ask(SHARD, hold(item.lines())).unwrap());
    world.ask(SHARD, Command::ReleaseHold { hold: released, session }).unwrap();
    let step = |step| Command::AdvanceOrder { order, session, step };
    let rows = [
        (Command::ReleaseHold { hold: sold, session }, Refusal::HoldSold),
        (
            Command::ExtendHold { hold: sold, session, ttl_ms: 1 },
            Refusal::HoldNotActive { state: HoldState::Sold },
        ),
        (buy(Basket::Hold(released)), Refusal::HoldNotActive { state: HoldState::Released }),
    ];
    for (command, refusal) in rows {
        let answer = world.ask(SHARD, command).unwrap();
        assert_eq!(refused(&answer), refusal, "{command:?}");
    }
    let again = world.ask(SHARD, Command::ReleaseHold { hold: released, session }).unwrap();
    assert!(matches!(again.outcome(), Outcome::Hold(view) if view.state == HoldState::Released));
    world.ask(SHARD, step(OrderStep::Ship)).unwrap();
    let answer = world.ask(SHARD, step(OrderStep::Cancel)).unwrap();
    assert_eq!(refused(&answer), Refusal::OrderState { state: OrderState::Shipped });
    assert_eq!(world.books("a"), (2, 0, 1));
}

#[test]
fn order_names_the_records_that_made_it_from_the_claim_on() {
    let mut world = world();
    let mut item = lines(&[("a", 1)]);
    let kinds = |world: &World, answer: &Answer| -> Vec<u16> {
        let Outcome::OrderRecords { sequences, .. } = answer.outcome() else {
            panic!("{:?}", answer.outcome())
        };
        let sequences = sequences.chunks_exact(8);
        let sequences = sequences.map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap()));
        let at = |sequence: u64| usize::try_from(sequence - 1).unwrap();
        sequences.map(|sequence| world.logs[0].records[at(sequence)].kind).collect()
    };
    let claim = hold_id(&world.ask(SHARD, hold(item.lines())).unwrap());
    world.stock("a", eur(100), 1);
    let order = order_id(&world.ask(SHARD, buy(Basket::Hold(claim))).unwrap());
    let ask = Command::ReadOrderRecords { order, session: Some("s") };
    let answer = world.ask(SHARD, ask).unwrap();
    let mut expected = vec![
        EventKind::HoldGranted as u16,
        EventKind::OrderCreated as u16,
        EventKind::OrderConfirming as u16,
        EventKind::OrderPlaced as u16,
    ];
    assert_eq!(kinds(&world, &answer), expected);
    let step = OrderStep::Cancel;
    world.ask(SHARD, Command::AdvanceOrder { order, session: None, step }).unwrap();
    expected.push(EventKind::OrderCancelled as u16);
    let answer = world.ask(SHARD, ask).unwrap();
    assert_eq!(kinds(&world, &answer), expected);
    let other = Command::ReadOrderRecords { order, session: Some("another") };
    assert_eq!(refused(&world.ask(SHARD, other).unwrap()), Refusal::NotFound(Missing::Order));
    let without_hold = order_id(&world.ask(SHARD, buy(Basket::Items(item.lines()))).unwrap());
    let ask = Command::ReadOrderRecords { order: without_hold, session: None };
    let answer = world.ask(SHARD, ask).unwrap();
    assert_eq!(kinds(&world, &answer)[0], EventKind::OrderCreated as u16);
}
