//! The audit: a clean history balances, and each way to cheat is found.

use claw_common::id::{Id, ShardId, shard_of_key};
use claw_common::money::Currency;
use claw_core::lines::LinesBuffer;
use claw_core::outcome::CancelReason;
use claw_core::shard::event::{Event, EventKind, OrderCreated};
use claw_core::shard::message::{Part, PartKey};

use super::books::Books;
use super::{Report, audit};
use crate::cli::log::source::Source;
use crate::log::tests_reading::store::Store;

const HOME: ShardId = ShardId(0);

fn id(number: u64) -> Id {
    Id::version_7(1_700_000_000_000, number, HOME)
}

/// A SKU of the shard.
fn sku(shard: u16) -> String {
    let mut names = (0..100).map(|number| format!("SKU-{number}"));
    names.find(|name| shard_of_key(name, 2) == ShardId(shard)).unwrap()
}

/// Books to which events are given by hand.
struct Ledger {
    books: Books,
    sequence: u64,
}

impl Ledger {
    /// Five units of one SKU in each of two shards.
    fn new() -> Self {
        let mut ledger = Self { books: Books::new(2), sequence: 0 };
        for shard in [0, 1] {
            let sku = &sku(shard);
            let price = crate::cli::log::tests::euros(100);
            ledger.take(
                shard,
                &Event::ProductPut { sku, name: "n", price, attributes: "", attributes_version: 1 },
            );
            ledger.take(shard, &Event::StockMoved { sku, delta: 5, reason: "" });
        }
        ledger
    }

    fn take(&mut self, shard: u16, event: &Event<'_>) {
        self.sequence += 1;
        self.books.take(ShardId(shard), self.sequence, event);
    }

    fn hold(&mut self, hold: Id, quantity: u32) {
        let mut lines = LinesBuffer::default();
        lines.add(&sku(0), quantity, 100).unwrap();
        self.take(0, &granted(hold, &mut lines));
    }

    fn end(mut self) -> Books {
        self.books.close(true);
        self.books
    }
}

fn granted(hold: Id, lines: &mut LinesBuffer) -> Event<'_> {
    let currency = Currency::parse("EUR").unwrap();
    Event::HoldGranted { hold, session: "s", currency, expires_at_ms: 9, lines: lines.lines() }
}

fn created(order: Id, hold: Option<Id>, lines: &mut LinesBuffer) -> Event<'_> {
    Event::OrderCreated(OrderCreated {
        order,
        session: "s",
        hold,
        cart: None,
        currency: Currency::parse("EUR").unwrap(),
        deadline_ms: 9,
        held: hold.is_none(),
        lines: lines.lines(),
        coupon: None,
        ship_to: "",
        region: "",
        payment: None,
    })
}

#[test]
fn sold_hold_balances() {
    let mut ledger = Ledger::new();
    let mut lines = LinesBuffer::default();
    lines.add(&sku(0), 2, 100).unwrap();
    ledger.hold(id(1), 2);
    ledger.hold(id(2), 3);
    ledger.take(0, &Event::HoldExpired { hold: id(2) });
    ledger.take(0, &created(id(3), Some(id(1)), &mut lines));
    let confirming = Event::OrderConfirming { order: id(3), discount: 0, lines: lines.lines() };
    ledger.take(0, &confirming);
    ledger.take(0, &Event::OrderPlaced { order: id(3) });
    let books = ledger.end();
    assert!(books.balance(), "{:?}", books.findings());
    let total = books.total();
    assert_eq!((total.received, total.held, total.sold, total.available()), (10, 0, 2, 8));
    assert_eq!(books.holds().to_string(), "reserving 0, active 0, released 0, expired 1, sold 1");
}

#[test]
fn order_over_two_shards_balances_only_when_both_sold() {
    for settled in [true, false] {
        let mut ledger = Ledger::new();
        let mut lines = LinesBuffer::default();
        lines.add(&sku(0), 1, 100).unwrap();
        lines.add(&sku(1), 4, 100).unwrap();
        let key = PartKey { id: id(1), part: Part::Order };
        ledger.take(0, &created(id(1), None, &mut lines));
        ledger.take(1, &Event::MemberHeld { key, home: HOME, lines: lines.lines() });
        ledger.take(0, &Event::OrderConfirming { order: id(1), discount: 0, lines: lines.lines() });
        ledger.take(0, &Event::OrderPlaced { order: id(1) });
        if settled {
            ledger.take(1, &Event::MemberSettled { key });
        }
        let books = ledger.end();
        assert_eq!(books.balance(), settled);
        if settled {
            assert_eq!((books.total().sold, books.total().held), (5, 0));
        } else {
            let expected = format!("0:0 order {} is placed, shard 1 sold no {}", id(1), sku(1));
            assert_eq!(books.findings(), [expected]);
        }
    }
}

#[test]
fn cancelled_orders_give_back() {
    let mut ledger = Ledger::new();
    let mut lines = LinesBuffer::default();
    lines.add(&sku(0), 2, 100).unwrap();
    for placed in [false, true] {
        let order = id(u64::from(placed));
        ledger.take(0, &created(order, None, &mut lines));
        if placed {
            ledger.take(0, &Event::OrderConfirming { order, discount: 0, lines: lines.lines() });
            ledger.take(0, &Event::OrderPlaced { order });
        }
        let reason = CancelReason::ShopperCancelled;
        ledger.take(0, &Event::OrderCancelled { order, reason, asked: 0, coupon_asked: false });
    }
    let books = ledger.end();
    assert!(books.balance(), "{:?}", books.findings());
    assert_eq!((books.total().available(), books.total().sold), (10, 0));
}

#[test]
fn units_promised_beyond_the_stock_are_oversold() {
    let mut ledger = Ledger::new();
    ledger.hold(id(1), 4);
    ledger.hold(id(2), 4);
    ledger.take(0, &Event::HoldReleased { hold: id(2) }); // that it ended well does not heal it
    let books = ledger.end();
    assert_eq!((books.oversold(), books.findings_count(), books.balance()), (3, 1, false));
}

#[test]
fn hold_that_ends_twice_is_found() {
    let mut ledger = Ledger::new();
    ledger.hold(id(1), 1);
    ledger.take(0, &Event::HoldReleased { hold: id(1) });
    ledger.take(0, &Event::HoldExpired { hold: id(1) });
    let books = ledger.end();
    assert_eq!(books.findings(), [format!("0:7 makes hold {} Expired, which is Released", id(1))]);
}

fn report(store: &Store) -> Report {
    audit(&Source::open(store.directory.path()).unwrap(), true).unwrap()
}

#[test]
fn audit_of_a_store_prints_oversold() {
    let mut store = Store::new(1, 1);
    let sku = &sku(0);
    let mut lines = LinesBuffer::default();
    lines.add(sku, 3, 100).unwrap();
    let price = crate::cli::log::tests::euros(100);
    let put = Event::ProductPut { sku, name: "n", price, attributes: "", attributes_version: 1 };
    let moved = Event::StockMoved { sku, delta: 5, reason: "" };
    let held = granted(id(1), &mut lines);
    for event in [put, moved, held] {
        store.append_kinds(0, 0, &[(event.kind() as u16, event)]);
    }
    let clean = report(&store);
    assert!(clean.text().ends_with("oversold: 0\n"), "{}", clean.text());
    assert!(clean.text().contains("received 5 - removed 0 = available 2 + held 3 + sold 0"));
    assert_eq!(clean.object()["skus"][sku.as_str()]["available"], 2);

    store.append_kinds(0, 0, &[(EventKind::HoldGranted as u16, granted(id(2), &mut lines))]);
    let text = report(&store).text();
    assert!(text.ends_with("oversold: 1\n"), "{text}");
    assert!(text.contains(&format!("finding: 0:4 leaves {sku} with received 5")), "{text}");
}
