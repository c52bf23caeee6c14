//! Every kind of event goes into bytes and back, and shows its fields.

use claw_common::id::{Id, ShardId};

use super::world::{eur, lines};
use crate::codec::{Encode, Writer};
use crate::command::{CouponTerms, CouponValue};
use crate::outcome::CancelReason;
use crate::payment::{PaymentStep, Verdict};
use crate::shard::event::{
    CheckoutFailed, Event, EventKind, KeyChanged, OrderCreated, SubjectForgotten,
};
use crate::shard::message::{Part, PartKey, Sold};

#[test]
fn every_kind_round_trips_and_no_shortened_payload_decodes() {
    let mut buffer = lines(&[("a", 2), ("b", 1)]);
    let events = samples(buffer.lines());
    let kinds: Vec<EventKind> = events.iter().map(Event::kind).collect();
    assert_eq!(kinds, EventKind::ALL);
    for event in events {
        let mut bytes = vec![0; 4096];
        let mut writer = Writer::new(&mut bytes);
        event.encode(&mut writer);
        let written = writer.written();
        let kind = event.kind();
        let decoded = Event::decode(kind as u16, kind.version(), &bytes[..written]);
        assert_eq!(decoded, Ok(event));
        for length in 0..written {
            assert!(
                Event::decode(kind as u16, kind.version(), &bytes[..length]).is_err(),
                "{event:?}"
            );
        }
        assert!(Event::decode(kind as u16, kind.version() + 1, &bytes[..written]).is_err());
        assert_eq!(EventKind::from_code(kind as u16), Some(kind));
        let mut fields = 0;
        event.fields(&mut |_, _| fields += 1);
        assert_eq!(fields == 0, written == 0, "{event:?}");
    }
    assert!(Event::decode(9999, 1, &[]).is_err());
}

#[test]
fn product_of_the_first_version_has_attributes_of_the_first() {
    let put = product_put;
    let mut bytes = vec![0; 256];
    let mut writer = Writer::new(&mut bytes);
    put(7).encode(&mut writer);
    let written = writer.written();
    let kind = EventKind::ProductPut as u16;
    let first = &bytes[..written - size_of::<u16>()];
    assert_eq!(Event::decode(kind, 1, first), Ok(put(1)));
    assert_eq!(Event::decode(kind, 2, &bytes[..written]), Ok(put(7)));
}

#[test]
fn order_of_the_first_version_is_not_paid_for() {
    let mut buffer = lines(&[("a", 2)]);
    let samples = samples(buffer.lines());
    let created = samples.into_iter().find(|event| event.kind() == EventKind::OrderCreated);
    let Some(Event::OrderCreated(created)) = created else { panic!("there is one") };
    let created = OrderCreated { payment: None, ..created };
    let mut bytes = vec![0; 512];
    let mut writer = Writer::new(&mut bytes);
    Event::OrderCreated(created).encode(&mut writer);
    let written = writer.written();
    // The newest ends in one byte that says there is none.
    let decoded = Event::decode(EventKind::OrderCreated as u16, 1, &bytes[..written - 1]);
    assert_eq!(decoded, Ok(Event::OrderCreated(created)));
}

fn product_put(attributes_version: u16) -> Event<'static> {
    Event::ProductPut { sku: "a", name: "n", price: eur(1), attributes: "{}", attributes_version }
}

#[expect(clippy::too_many_lines, reason = "a table: one of each kind")]
fn samples(lines: crate::lines::Lines<'_>) -> Vec<Event<'_>> {
    let id = Id([7; 16]);
    let currency = eur(0).currency;
    let key = PartKey { id, part: Part::Coupon };
    let home = ShardId(1);
    let terms = CouponTerms {
        value: CouponValue::Amount(eur(5)),
        uses_max: 3,
        currency: Some(currency),
        starts_at: Some(1),
        ends_at: None,
        subtotal_min: Some(2),
    };
    let created = OrderCreated {
        order: id,
        session: "s",
        hold: Some(id),
        cart: None,
        currency,
        deadline_ms: 9,
        held: true,
        lines,
        coupon: Some("TEN"),
        ship_to: "{}",
        region: "DE",
        payment: Some("pm_1"),
    };
    let failed = CheckoutFailed {
        order: id,
        session: "s",
        reason: CancelReason::PaymentDeclined,
        step: 4,
        total: eur(9),
        units: 3,
        lines_count: 2,
        age_ms: 10,
        attempts: 1,
        from_hold: true,
        has_coupon: false,
        code: "card_declined",
    };
    let verdict = Verdict::Unavailable { code: "timeout" };
    let public = [3; 32];
    let changed =
        KeyChanged { number: 1, name: "n", role: "operator", algorithm: 1, public, revoked: true };
    vec![
        product_put(2),
        Event::StockMoved { sku: "a", delta: -1, reason: "r" },
        Event::PriceChanged { sku: "a", price: eur(2) },
        Event::CouponPut { code: "TEN", terms },
        Event::CartCreated { cart: id, session: "s" },
        Event::CartChanged { cart: id, sku: "a", quantity: 0, price: eur(1) },
        Event::HoldReserving { hold: id, session: "s", currency, ttl_ms: 5, lines },
        Event::HoldGranted { hold: id, session: "s", currency, expires_at_ms: 5, lines },
        Event::HoldExtended { hold: id, expires_at_ms: 6 },
        Event::HoldReleased { hold: id },
        Event::HoldExpired { hold: id },
        Event::HoldRefused { hold: id, asked: 3 },
        Event::HoldWaiting { hold: id, session: "s", currency, ttl_ms: 5, until_ms: 6, lines },
        Event::MemberHeld { key, home, lines },
        Event::MemberCouponHeld { key, home, code: "TEN", discount: 4 },
        Event::MemberSettled { key },
        Event::MemberUndone { key, home, sold: Sold { lines, code: "TEN" } },
        Event::MemberAcknowledged { key, member: home, phase: 2 },
        Event::OrderCreated(created),
        Event::OrderPartHeld { order: id },
        Event::OrderConfirming { order: id, discount: 1, lines },
        Event::OrderPlaced { order: id },
        Event::OrderCancelled {
            order: id,
            reason: CancelReason::Expired,
            asked: 1,
            coupon_asked: true,
        },
        Event::OrderShipped { order: id },
        Event::OrderRefunded { order: id },
        Event::OrderAuthorizing { order: id, discount: 1, lines },
        Event::OrderCapturing { order: id },
        Event::CheckoutFailed(failed),
        Event::CommandRefused,
        Event::CommandUnchanged,
        Event::PaymentAnswered { order: id, step: PaymentStep::Capture, verdict, retry_at_ms: 7 },
        Event::SagaParked { order: id },
        Event::SagaRetried { order: id },
        Event::KeyChanged(changed),
        Event::SubjectForgotten(SubjectForgotten {
            number: 2,
            subject: [7; 16],
            at_ms: 8,
            by: "ann",
        }),
        Event::StoreEvent { event: id, name: "gift-wrapped", version: 2, members: "{}" },
    ]
}
