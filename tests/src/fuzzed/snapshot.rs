//! Snapshots: the file that proves itself, and the state that a shard is rebuilt from.
//!
//! The promises: a file that is taken is written again as it was; a state that is restored is
//! written and restored again as the same state, within the shard's capacities; anything else is
//! refused without a shard. An input is a file, a body, or edits of a body that a shard wrote.
//! Deliberately not here: which snapshot a start chooses.

use std::sync::LazyLock;

use claw_common::id::{Id, ShardId};
use claw_core::command::{Basket, Command, CouponTerms, CouponValue};
use claw_core::lines::LinesBuffer;
use claw_core::shard::{Capacities, Shard, ShardConfig};
use claw_dataplane::log::Snapshot;

use super::shard::Desk;

/// As small as tests have them, so that full tables are reached.
const CAPACITIES: Capacities = Capacities {
    products: 8,
    coupons: 4,
    holds: 12,
    orders: 10,
    carts: 4,
    deduplication_bytes: 64 * 1024,
    waiters: 4,
};

/// Reads the rest of `bytes` as their first byte says.
pub fn check(bytes: &[u8]) {
    let Some((&mode, rest)) = bytes.split_first() else { return };
    match mode {
        0 => check_file(rest),
        1 => check_body(rest),
        2 => check_edited(rest),
        _ => {}
    }
}

fn config() -> ShardConfig {
    ShardConfig::new(ShardId(0), 1, CAPACITIES)
}

fn check_file(bytes: &[u8]) {
    let Some(snapshot) = Snapshot::parse(bytes.to_vec()) else { return };
    let body = snapshot.body();
    assert_eq!([&snapshot.header().encode(body), body].concat(), bytes, "a file has one spelling");
    check_body(body);
}

/// Edits are an offset of two bytes, what is done there, and a byte.
fn check_edited(edits: &[u8]) {
    let mut body = valid_body().to_vec();
    let (edits, _) = edits.as_chunks::<4>();
    for &[low, high, what, byte] in edits {
        let at = usize::from(u16::from_le_bytes([low, high])) % body.len().max(1);
        match what {
            0 => body.insert(at, byte),
            1 if body.len() > 1 => drop(body.remove(at)),
            2 => body.truncate(at.max(1)),
            _ => body[at] = byte,
        }
    }
    check_body(&body);
}

fn written(shard: &Shard) -> Vec<u8> {
    let mut bytes = Vec::new();
    shard.snapshot(&mut |part| bytes.extend_from_slice(part));
    bytes
}

fn check_body(body: &[u8]) {
    let Ok(shard) = Shard::restore(config(), body) else { return };
    let again = written(&shard);
    let restored = Shard::restore(config(), &again).expect("what a shard writes is restored");
    assert_eq!(written(&restored), again, "a state has one spelling");
    assert_eq!(restored.state_hash(), shard.state_hash());
    assert_eq!(restored.sequence(), shard.sequence());
}

/// What a shard writes that has one of most things.
pub fn valid_body() -> &'static [u8] {
    static BODY: LazyLock<Vec<u8>> = LazyLock::new(|| written(busy_desk().shard()));
    &BODY
}

fn busy_desk() -> Desk {
    let mut desk = Desk::new(config());
    let price = super::shard::price(4900);
    for sku in ["clog", "sabot"] {
        desk.decide(Command::PutProduct {
            sku,
            name: "Clog",
            price,
            attributes: "{\"color\":\"red\"}",
            version_expected: None,
        });
        desk.decide(Command::MoveStock { sku, delta: 9, reason: "first" });
    }
    let terms = CouponTerms {
        value: CouponValue::Percent(1_000),
        uses_max: 3,
        currency: None,
        starts_at: None,
        ends_at: None,
        subtotal_min: None,
    };
    desk.decide(Command::PutCoupon { code: "TEN", terms });
    desk.decide(Command::CreateCart { session: "ada" });
    let mut lines = LinesBuffer::default();
    lines.add("clog", 2, 0).expect("a line");
    desk.decide(Command::CreateHold { session: "ada", lines: lines.lines(), ttl_ms: 60_000 });
    desk.decide(Command::Checkout {
        session: "bob",
        own_session_only: false,
        basket: Basket::Items(lines.lines()),
        coupon: Some("TEN"),
        ship_to: "",
        region: "",
        wait_until_ms: 0,
        ttl_ms: 30_000,
        payment: Some("pm_card_visa"),
    });
    desk.decide(Command::ReleaseHold { hold: Id([1; 16]), session: None });
    desk
}
