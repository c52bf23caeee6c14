//! Random commands, messages in random order of arrival, duplicates, and crashes: the books always
//! balance, a hold ends once, a repeat gets its answer, and replay gives the same state.

use std::collections::BTreeMap;

use claw_common::id::{Id, ShardId};
use proptest::prelude::*;

use super::vault::Mood;
use super::world::{Answer, ROOMY, TINY, World, eur, lines};
use crate::command::{Basket, Command, CommandKey, CouponTerms, CouponValue, OrderStep, SagaStep};
use crate::outcome::{OrderState, Outcome};
use crate::shard::Shard;
use crate::shard::event::Event;

const SKUS: [&str; 5] = ["a", "b", "c", "d", "e"];
const COUPONS: [&str; 2] = ["TEN", "ONCE"];

const MOODS: [Mood; 9] = [
    Mood::Kind,
    Mood::Kind,
    Mood::Kind,
    Mood::Twice,
    Mood::Cruel,
    Mood::Away,
    Mood::Forgetful,
    Mood::Mute,
    Mood::Careful,
];

type Items = Vec<(&'static str, u32)>;

/// A command with everything it needs, so that it can be asked again.
#[derive(Clone, Debug)]
enum Asked {
    Stock(&'static str, i64),
    Price(&'static str, i64),
    Cart,
    CartItem(Id, &'static str, u32),
    Hold(Items, u64),
    Wait(&'static str, u32, u64),
    Release(Id),
    Extend(Id, u64),
    BuyItems(Items, Option<&'static str>),
    BuyHold(Id, Option<&'static str>),
    BuyCart(Id),
    Advance(Id, OrderStep),
}

#[derive(Clone, Debug)]
enum Step {
    Ask(u8, u8, Items, u64, Option<&'static str>),
    Again(usize),
    Deliver(usize),
    Duplicate(usize),
    DeliverAll,
    Vault(usize, Mood),
    Crash,
    Time(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let item = (prop::sample::select(&SKUS[..]), 1..4_u32);
    let items = prop::collection::vec(item, 1..4);
    let coupon = prop::option::of(prop::sample::select(&COUPONS[..]));
    let ask = (0..14_u8, any::<u8>(), items, 1..3_000_u64, coupon);
    let step = prop_oneof![
        12 => ask.prop_map(|(what, which, items, n, coupon)| {
            Step::Ask(what, which, items, n, coupon)
        }),
        2 => any::<prop::sample::Index>().prop_map(|i| Step::Again(i.index(1_000))),
        8 => (0..8_usize).prop_map(Step::Deliver),
        1 => (0..8_usize).prop_map(Step::Duplicate),
        3 => Just(Step::DeliverAll),
        6 => (0..4_usize, prop::sample::select(&MOODS[..])).prop_map(|(at, mood)| {
            Step::Vault(at, mood)
        }),
        1 => Just(Step::Crash),
        3 => (0..2_000_u64).prop_map(Step::Time),
    ];
    prop::collection::vec(step, 1..120)
}

struct Run {
    world: World,
    asked: Vec<(CommandKey, ShardId, Asked, u64)>,
    holds: Vec<Id>,
    orders: Vec<Id>,
    carts: Vec<Id>,
    /// (shard, sequence) -> hash of the live state.
    hashes: BTreeMap<(usize, u64), [u8; 32]>,
}

impl Run {
    fn new(shards: u16) -> Self {
        let mut world = World::new(shards, if shards == 1 { TINY } else { ROOMY });
        for sku in SKUS {
            world.stock(sku, eur(100), 6);
        }
        for (code, uses_max) in [("TEN", 100), ("ONCE", 1)] {
            let value = CouponValue::Percent(1_000);
            let terms = CouponTerms {
                value,
                uses_max,
                currency: None,
                starts_at: None,
                ends_at: None,
                subtotal_min: None,
            };
            world.ask(world.owner(code), Command::PutCoupon { code, terms }).unwrap();
        }
        let (asked, holds, orders, carts) = (vec![], vec![], vec![], vec![]);
        Self { world, asked, holds, orders, carts, hashes: BTreeMap::new() }
    }

    fn pick(ids: &[Id], which: u8) -> Option<Id> {
        let at = usize::from(which) % ids.len().max(1);
        ids.get(ids.len().checked_sub(1 + at)?).copied()
    }

    fn ask(&mut self, step: &Step) {
        let Step::Ask(what, which, items, n, coupon) = step else { return };
        let (which, items, n, coupon) = (*which, items.clone(), *n, *coupon);
        let first = items[0].0;
        let asked = match what {
            0 => Some(Asked::Stock(first, i64::from(which % 7) - 3)),
            1 => Some(Asked::Price(first, i64::from(which))),
            2 => Some(Asked::Cart),
            3 => {
                Self::pick(&self.carts, which).map(|id| Asked::CartItem(id, first, items[0].1 - 1))
            }
            4 => Self::pick(&self.carts, which).map(Asked::BuyCart),
            5..=6 => Some(Asked::Hold(items, n)),
            7 if which % 2 == 0 => Some(Asked::Hold(items, n)),
            7 => Some(Asked::Wait(first, items[0].1, n)),
            8 => Self::pick(&self.holds, which).map(Asked::Release),
            9 => Self::pick(&self.holds, which).map(|id| Asked::Extend(id, n)),
            10 => Some(Asked::BuyItems(items, coupon)),
            11 => Self::pick(&self.holds, which).map(|id| Asked::BuyHold(id, coupon)),
            _ => {
                let step = [OrderStep::Cancel, OrderStep::Ship, OrderStep::Refund];
                let step = step[usize::from(which) % 3];
                Self::pick(&self.orders, which / 3).map(|id| Asked::Advance(id, step))
            }
        };
        let Some(asked) = asked else { return };
        let identity = self.world.fresh_identity();
        let shard = self.home(&asked, which);
        let reply = self.decide(shard, &asked, identity);
        self.asked.push((identity, shard, asked, reply));
    }

    fn home(&self, asked: &Asked, which: u8) -> ShardId {
        match asked {
            Asked::Stock(sku, _) | Asked::Price(sku, _) | Asked::Wait(sku, ..) => {
                self.world.owner(sku)
            }
            Asked::Cart => ShardId(u16::from(which) % self.world.count()),
            Asked::Hold(items, _) | Asked::BuyItems(items, _) => {
                let first = items.iter().map(|item| item.0).min().unwrap();
                self.world.owner(first)
            }
            Asked::CartItem(id, ..)
            | Asked::Release(id)
            | Asked::Extend(id, _)
            | Asked::BuyHold(id, _)
            | Asked::BuyCart(id)
            | Asked::Advance(id, _) => id.home(),
        }
    }

    fn decide(&mut self, shard: ShardId, asked: &Asked, identity: CommandKey) -> u64 {
        let mut buffer = lines(&[]);
        if let Asked::Hold(items, _) | Asked::BuyItems(items, _) = asked {
            buffer = lines(items);
        }
        if let Asked::Wait(sku, units, _) = asked {
            buffer = lines(&[(sku, *units)]);
        }
        let lines = buffer.lines();
        let checkout = |basket, coupon| Command::Checkout {
            session: "s",
            own_session_only: false,
            basket,
            coupon,
            ship_to: "",
            region: "",
            wait_until_ms: 0,
            ttl_ms: 2_500,
            payment: [None, Some("pm_1"), Some("pm_2"), Some("")][usize::from(identity.key[0] % 4)],
        };
        let session = None;
        let command = match *asked {
            Asked::Stock(sku, 0) => Command::ChangePrice { sku, price: eur(1) },
            Asked::Stock(sku, delta) => Command::MoveStock { sku, delta, reason: "r" },
            Asked::Price(sku, price) => Command::ChangePrice { sku, price: eur(price) },
            Asked::Cart => Command::CreateCart { session: "s" },
            Asked::CartItem(cart, sku, quantity) => {
                Command::SetCartItem { cart, session, sku, quantity, price: Some(eur(100)) }
            }
            Asked::Hold(_, ttl_ms) => Command::CreateHold { session: "s", lines, ttl_ms },
            Asked::Wait(_, _, n) => {
                Command::JoinLine { session: "s", lines, ttl_ms: n, wait_ms: n / 2 + 1 }
            }
            Asked::Release(hold) => Command::ReleaseHold { hold, session },
            Asked::Extend(hold, ttl_ms) => Command::ExtendHold { hold, session, ttl_ms },
            Asked::BuyItems(_, coupon) => checkout(Basket::Items(lines), coupon),
            Asked::BuyHold(hold, coupon) => checkout(Basket::Hold(hold), coupon),
            Asked::BuyCart(cart) => checkout(Basket::Cart(cart), None),
            Asked::Advance(order, step) => Command::AdvanceOrder { order, session, step },
        };
        self.world.decide(shard, command, identity)
    }

    fn again(&mut self, index: usize) {
        if self.asked.is_empty() {
            return;
        }
        let (identity, shard, asked, first) = self.asked[index % self.asked.len()].clone();
        let reply = self.decide(shard, &asked, identity);
        let (Some(first), Some(second)) =
            (self.world.answers.get(&first), self.world.answers.get(&reply))
        else {
            return;
        };
        match (first.outcome(), second.outcome()) {
            (Outcome::Refused(refusal), _) if refusal.is_momentary() => {}
            (Outcome::Order(first), Outcome::Order(again)) => assert_eq!(first.order, again.order),
            _ => {
                assert_eq!(first.bytes, second.bytes);
                assert!(second.repeated);
            }
        }
    }

    fn step(&mut self, step: &Step) {
        let flying = self.world.flying.len();
        match step {
            Step::Ask(..) => self.ask(step),
            Step::Again(index) => self.again(*index),
            // Between two shards order is kept, between others it is not.
            Step::Deliver(at) if flying > 0 => {
                let chosen = self.world.flying[at % flying].clone();
                let same = |f: &super::world::Flying| (f.from, f.to) == (chosen.from, chosen.to);
                let first = self.world.flying.iter().position(same).unwrap();
                let flying = self.world.flying.remove(first).unwrap();
                self.world.deliver(&flying);
            }
            Step::Duplicate(at) if flying > 0 => {
                let flying = self.world.flying[at % flying].clone();
                self.world.flying.push_back(flying);
            }
            Step::Deliver(_) | Step::Duplicate(_) => {}
            Step::DeliverAll => self.world.deliver_all(),
            Step::Vault(at, mood) => {
                let asks = self.world.asks.len().max(1);
                self.world.answer_ask(at % asks, *mood);
            }
            Step::Crash => self.world.crash(),
            Step::Time(milliseconds) => self.world.advance(*milliseconds),
        }
        self.note_ids();
        self.check();
    }

    fn note_ids(&mut self) {
        let answers: Vec<&Answer> = self.world.answers.values().rev().take(6).collect();
        for answer in answers {
            let (list, id) = match answer.outcome() {
                Outcome::Hold(view) => (&mut self.holds, view.hold),
                Outcome::Order(view) => (&mut self.orders, view.order),
                Outcome::CartCreated { cart } => (&mut self.carts, cart),
                _ => continue,
            };
            if !list.contains(&id) {
                list.push(id);
            }
        }
    }

    fn check(&mut self) {
        for (at, shard) in self.world.shards.iter().enumerate() {
            let totals = shard.audit();
            assert!(totals.balances(), "{totals:?}");
            let hash = shard.state_hash();
            let previous = self.hashes.insert((at, shard.sequence()), hash);
            assert!(previous.is_none_or(|previous| previous == hash), "changed without an event");
        }
    }

    /// Lets everything open end, then proves what must hold at the end.
    fn finish(mut self) {
        self.world.deliver_all();
        self.world.crash();
        self.world.deliver_all();
        self.world.advance(10_000);
        self.world.answer_asks();
        self.retry_parked();
        self.check();
        self.check_ledger();
        for at in 0..self.world.shards.len() {
            assert_eq!(self.world.shards[at].audit().held, 0, "all holds have ended");
            self.replay(at);
            self.one_end_each(at);
        }
    }

    /// Time and operators bring every saga to its end.
    fn retry_parked(&mut self) {
        for _ in 0..40 {
            self.world.advance(60_000);
            self.world.answer_asks();
            for order in self.orders.clone() {
                let retry = Command::StepSaga { order, step: SagaStep::Retry };
                self.world.ask(order.home(), retry);
                self.world.answer_asks();
            }
        }
        let list = Command::ListSagas { after: Id([0; 16]), limit: 10, parked_only: false };
        for shard in 0..self.world.count() {
            let answer = self.world.ask(ShardId(shard), list).unwrap();
            let none = matches!(answer.outcome(), Outcome::Sagas { count: 0, .. });
            assert!(none, "every saga ends: {:?}", answer.outcome());
        }
    }

    /// What is captured and kept is what was placed; nothing else is held.
    fn check_ledger(&mut self) {
        let ledger = self.world.vault.ledger.clone();
        for (order, entry) in ledger {
            assert!(!entry.held, "{order:?}: {entry:?}");
            let read = Command::ReadOrder { order, session: None };
            let answer = self.world.ask(order.home(), read).unwrap();
            // One that is over may have been evicted.
            let Outcome::Order(view) = answer.outcome() else { continue };
            let bought = matches!(view.state, OrderState::Placed | OrderState::Shipped);
            assert_eq!(entry.captured && !entry.refunded, bought, "{view:?} {entry:?}");
            assert!(!bought || view.total == entry.amount);
        }
    }

    fn replay(&self, at: usize) {
        let mut shard = Shard::new(self.world.config(at));
        for (sequence, record) in (1..).zip(&self.world.logs[at].records) {
            shard.apply(&record.replayed(sequence)).unwrap();
            if let Some(hash) = self.hashes.get(&(at, sequence)) {
                assert_eq!(shard.state_hash(), *hash, "replay differs at {sequence}");
                let mut snapshot = Vec::new();
                shard.snapshot(&mut |bytes| snapshot.extend_from_slice(bytes));
                let restored = Shard::restore(self.world.config(at), &snapshot).unwrap();
                assert_eq!(restored.state_hash(), *hash);
                assert_eq!(restored.version_vector(), shard.version_vector());
            }
        }
    }

    fn one_end_each(&self, at: usize) {
        let mut ends: BTreeMap<Id, u32> = BTreeMap::new();
        let mut hold_of: BTreeMap<Id, Id> = BTreeMap::new();
        let mut confirmed: Vec<Id> = Vec::new();
        for record in &self.world.logs[at].records {
            let ended =
                match Event::decode(record.kind, record.event_version, &record.event).unwrap() {
                    Event::HoldReleased { hold }
                    | Event::HoldExpired { hold }
                    | Event::HoldRefused { hold, .. } => Some(hold),
                    Event::OrderCreated(created) => {
                        hold_of.extend(created.hold.map(|hold| (created.order, hold)));
                        None
                    }
                    Event::OrderConfirming { order, .. } => {
                        confirmed.push(order);
                        hold_of.get(&order).copied()
                    }
                    Event::OrderCancelled { order, .. } if !confirmed.contains(&order) => {
                        hold_of.get(&order).copied()
                    }
                    _ => None,
                };
            if let Some(hold) = ended {
                *ends.entry(hold).or_default() += 1;
            }
        }
        assert!(ends.values().all(|&count| count == 1), "a hold ends once");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn one_shard_keeps_its_books(steps in steps()) {
        let mut run = Run::new(1);
        for step in &steps {
            run.step(step);
        }
        run.finish();
    }

    #[test]
    fn three_shards_keep_their_books_over_crashes_and_duplicates(steps in steps()) {
        let mut run = Run::new(3);
        for step in &steps {
            run.step(step);
        }
        run.finish();
    }
}
