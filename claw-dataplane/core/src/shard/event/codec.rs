//! Events as bytes.
//!
//! A later version of a kind keeps its reader here; what is written is always the newest.

use claw_common::id::ShardId;
use claw_common::money::Money;

use super::{CheckoutFailed, Event, EventKind, KeyChanged, OrderCreated, SubjectForgotten};
use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::command::{CouponTerms, flag, large_text};
use crate::lines::Lines;
use crate::outcome::CancelReason;
use crate::payment::{PaymentStep, Verdict, bounded_text};
use crate::shard::error::ApplyError;
use crate::shard::message::{PartKey, Sold};

impl Encode for Event<'_> {
    #[expect(clippy::too_many_lines, reason = "a table: one row for each kind")]
    fn encode(&self, w: &mut Writer<'_>) {
        match *self {
            Event::ProductPut { sku, name, price, attributes, attributes_version } => {
                w.text(sku);
                w.text(name);
                price.encode(w);
                w.large(attributes.as_bytes());
                w.u16(attributes_version);
            }
            Event::StockMoved { sku, delta, reason } => {
                w.text(sku);
                w.i64(delta);
                w.text(reason);
            }
            Event::PriceChanged { sku, price } => {
                w.text(sku);
                price.encode(w);
            }
            Event::CouponPut { code, terms } => {
                w.text(code);
                terms.encode(w);
            }
            Event::CartCreated { cart, session } => {
                w.id(cart);
                w.text(session);
            }
            Event::CartChanged { cart, sku, quantity, price } => {
                w.id(cart);
                w.text(sku);
                w.u32(quantity);
                price.encode(w);
            }
            Event::HoldReserving { hold, session, currency, ttl_ms: number, lines }
            | Event::HoldGranted { hold, session, currency, expires_at_ms: number, lines } => {
                w.id(hold);
                w.text(session);
                w.currency(currency);
                w.u64(number);
                lines.encode(w);
            }
            Event::HoldWaiting { hold, session, currency, ttl_ms, until_ms, lines } => {
                w.id(hold);
                w.text(session);
                w.currency(currency);
                w.u64(ttl_ms);
                w.u64(until_ms);
                lines.encode(w);
            }
            Event::HoldExtended { hold, expires_at_ms: number }
            | Event::HoldRefused { hold, asked: number } => {
                w.id(hold);
                w.u64(number);
            }
            Event::HoldReleased { hold: id }
            | Event::HoldExpired { hold: id }
            | Event::OrderPartHeld { order: id }
            | Event::OrderPlaced { order: id }
            | Event::OrderShipped { order: id }
            | Event::OrderCapturing { order: id }
            | Event::SagaParked { order: id }
            | Event::SagaRetried { order: id }
            | Event::OrderRefunded { order: id } => w.id(id),
            Event::MemberHeld { .. }
            | Event::MemberCouponHeld { .. }
            | Event::MemberSettled { .. }
            | Event::MemberUndone { .. }
            | Event::MemberAcknowledged { .. } => self.encode_member(w),
            Event::OrderCreated(created) => created.encode(w),
            Event::OrderConfirming { order, discount, lines }
            | Event::OrderAuthorizing { order, discount, lines } => {
                w.id(order);
                w.i64(discount);
                lines.encode(w);
            }
            Event::OrderCancelled { order, reason, asked, coupon_asked } => {
                w.id(order);
                w.u8(reason as u8);
                w.u64(asked);
                w.u8(u8::from(coupon_asked));
            }
            _ => self.encode_beside(w),
        }
    }
}

impl Event<'_> {
    /// What moves no stock and no order.
    fn encode_beside(&self, w: &mut Writer<'_>) {
        match *self {
            Event::KeyChanged(key) => key.encode(w),
            Event::StoreEvent { event, name, version, members } => {
                w.id(event);
                w.text(name);
                w.u16(version);
                w.large(members.as_bytes());
            }
            Event::SubjectForgotten(forgotten) => forgotten.encode(w),
            Event::CheckoutFailed(failed) => failed.encode(w),
            Event::PaymentAnswered { order, step, verdict, retry_at_ms } => {
                w.id(order);
                w.u8(step as u8);
                verdict.encode(w);
                w.u64(retry_at_ms);
            }
            // Nothing but their kind.
            _ => {}
        }
    }

    fn encode_member(&self, w: &mut Writer<'_>) {
        match *self {
            Event::MemberHeld { key, home, lines } => {
                key.encode(w);
                w.u16(home.0);
                lines.encode(w);
            }
            Event::MemberCouponHeld { key, home, code, discount } => {
                key.encode(w);
                w.u16(home.0);
                w.text(code);
                w.i64(discount);
            }
            Event::MemberSettled { key } => key.encode(w),
            Event::MemberUndone { key, home, sold } => {
                key.encode(w);
                w.u16(home.0);
                sold.encode(w);
            }
            Event::MemberAcknowledged { key, member, phase } => {
                key.encode(w);
                w.u16(member.0);
                w.u8(phase);
            }
            _ => {}
        }
    }
}

impl<'a> Event<'a> {
    /// Reads the payload of a record (without extra fields and answer).
    pub fn decode(kind: u16, version: u16, payload: &'a [u8]) -> Result<Self, ApplyError> {
        let known = EventKind::from_code(kind).ok_or(ApplyError::KindUnknown { code: kind })?;
        if version == 0 || version > known.version() {
            return Err(ApplyError::VersionUnknown { code: kind, version });
        }
        let mut reader = Reader::new(payload);
        let event = Self::decode_fields(known, version, &mut reader)?;
        reader.finish()?;
        Ok(event)
    }

    fn decode_product(version: u16, r: &mut Reader<'a>) -> Result<Self, CodecError> {
        Ok(Self::ProductPut {
            sku: r.text()?,
            name: r.text()?,
            price: Money::decode(r)?,
            attributes: large_text(r)?,
            // Version 1 did not say: it is from before a declaration could have a second.
            attributes_version: if version == 1 { 1 } else { r.u16()? },
        })
    }

    #[expect(clippy::too_many_lines, reason = "a table: one row for each kind")]
    fn decode_fields(
        kind: EventKind,
        version: u16,
        r: &mut Reader<'a>,
    ) -> Result<Self, CodecError> {
        Ok(match kind {
            EventKind::ProductPut => Self::decode_product(version, r)?,
            EventKind::StockMoved => {
                Self::StockMoved { sku: r.text()?, delta: r.i64()?, reason: r.text()? }
            }
            EventKind::PriceChanged => {
                Self::PriceChanged { sku: r.text()?, price: Money::decode(r)? }
            }
            EventKind::CouponPut => {
                Self::CouponPut { code: r.text()?, terms: CouponTerms::decode(r)? }
            }
            EventKind::CartCreated => Self::CartCreated { cart: r.id()?, session: r.text()? },
            EventKind::CartChanged => Self::CartChanged {
                cart: r.id()?,
                sku: r.text()?,
                quantity: r.u32()?,
                price: Money::decode(r)?,
            },
            EventKind::HoldReserving => Self::HoldReserving {
                hold: r.id()?,
                session: r.text()?,
                currency: r.currency()?,
                ttl_ms: r.u64()?,
                lines: Lines::decode(r)?,
            },
            EventKind::HoldGranted => Self::HoldGranted {
                hold: r.id()?,
                session: r.text()?,
                currency: r.currency()?,
                expires_at_ms: r.u64()?,
                lines: Lines::decode(r)?,
            },
            EventKind::HoldWaiting => Self::HoldWaiting {
                hold: r.id()?,
                session: r.text()?,
                currency: r.currency()?,
                ttl_ms: r.u64()?,
                until_ms: r.u64()?,
                lines: Lines::decode(r)?,
            },
            EventKind::HoldExtended => {
                Self::HoldExtended { hold: r.id()?, expires_at_ms: r.u64()? }
            }
            EventKind::HoldReleased => Self::HoldReleased { hold: r.id()? },
            EventKind::HoldExpired => Self::HoldExpired { hold: r.id()? },
            EventKind::HoldRefused => Self::HoldRefused { hold: r.id()?, asked: r.u64()? },
            EventKind::MemberHeld
            | EventKind::MemberCouponHeld
            | EventKind::MemberSettled
            | EventKind::MemberUndone
            | EventKind::MemberAcknowledged => Self::decode_member(kind, r)?,
            EventKind::OrderCreated => Self::OrderCreated(OrderCreated::decode(version, r)?),
            EventKind::OrderPartHeld => Self::OrderPartHeld { order: r.id()? },
            EventKind::OrderConfirming => Self::OrderConfirming {
                order: r.id()?,
                discount: r.i64()?,
                lines: Lines::decode(r)?,
            },
            EventKind::OrderPlaced => Self::OrderPlaced { order: r.id()? },
            EventKind::OrderAuthorizing => Self::OrderAuthorizing {
                order: r.id()?,
                discount: r.i64()?,
                lines: Lines::decode(r)?,
            },
            EventKind::OrderCapturing => Self::OrderCapturing { order: r.id()? },
            EventKind::CheckoutFailed => Self::CheckoutFailed(CheckoutFailed::decode(r)?),
            EventKind::PaymentAnswered => Self::PaymentAnswered {
                order: r.id()?,
                step: PaymentStep::decode(r)?,
                verdict: Verdict::decode(r)?,
                retry_at_ms: r.u64()?,
            },
            EventKind::SagaParked => Self::SagaParked { order: r.id()? },
            EventKind::SagaRetried => Self::SagaRetried { order: r.id()? },
            EventKind::OrderCancelled => Self::OrderCancelled {
                order: r.id()?,
                reason: CancelReason::decode(r)?,
                asked: r.u64()?,
                coupon_asked: flag(r)?,
            },
            EventKind::OrderShipped => Self::OrderShipped { order: r.id()? },
            EventKind::OrderRefunded => Self::OrderRefunded { order: r.id()? },
            EventKind::CommandRefused => Self::CommandRefused,
            EventKind::CommandUnchanged => Self::CommandUnchanged,
            EventKind::KeyChanged => Self::KeyChanged(KeyChanged::decode(r)?),
            EventKind::StoreEvent => Self::decode_store_event(r)?,
            EventKind::SubjectForgotten => Self::SubjectForgotten(SubjectForgotten::decode(r)?),
        })
    }

    fn decode_store_event(r: &mut Reader<'a>) -> Result<Self, CodecError> {
        let (event, name, version) = (r.id()?, r.text()?, r.u16()?);
        Ok(Self::StoreEvent { event, name, version, members: large_text(r)? })
    }

    fn decode_member(kind: EventKind, r: &mut Reader<'a>) -> Result<Self, CodecError> {
        let key = PartKey::decode(r)?;
        Ok(match kind {
            EventKind::MemberHeld => {
                Self::MemberHeld { key, home: ShardId(r.u16()?), lines: Lines::decode(r)? }
            }
            EventKind::MemberCouponHeld => Self::MemberCouponHeld {
                key,
                home: ShardId(r.u16()?),
                code: r.text()?,
                discount: r.i64()?,
            },
            EventKind::MemberSettled => Self::MemberSettled { key },
            EventKind::MemberUndone => {
                Self::MemberUndone { key, home: ShardId(r.u16()?), sold: Sold::decode(r)? }
            }
            _ => Self::MemberAcknowledged { key, member: ShardId(r.u16()?), phase: r.u8()? },
        })
    }
}

impl Encode for OrderCreated<'_> {
    fn encode(&self, w: &mut Writer<'_>) {
        w.id(self.order);
        w.text(self.session);
        w.option(self.hold, Writer::id);
        w.option(self.cart, Writer::id);
        w.currency(self.currency);
        w.u64(self.deadline_ms);
        w.u8(u8::from(self.held));
        self.lines.encode(w);
        w.option(self.coupon, Writer::text);
        w.large(self.ship_to.as_bytes());
        w.text(self.region);
        w.option(self.payment, Writer::text);
    }
}

impl<'a> OrderCreated<'a> {
    fn decode(version: u16, r: &mut Reader<'a>) -> Result<Self, CodecError> {
        Ok(Self {
            order: r.id()?,
            session: r.text()?,
            hold: r.option(Reader::id)?,
            cart: r.option(Reader::id)?,
            currency: r.currency()?,
            deadline_ms: r.u64()?,
            held: flag(r)?,
            lines: Lines::decode(r)?,
            coupon: r.option(Reader::text)?,
            ship_to: large_text(r)?,
            region: r.text()?,
            // Version 1 is from before payments were taken.
            payment: if version == 1 { None } else { r.option(bounded_text)? },
        })
    }
}

impl Encode for CheckoutFailed<'_> {
    fn encode(&self, w: &mut Writer<'_>) {
        w.id(self.order);
        w.text(self.session);
        w.u8(self.reason as u8);
        w.u8(self.step);
        self.total.encode(w);
        w.u64(self.units);
        w.u16(self.lines_count);
        w.u64(self.age_ms);
        w.u16(self.attempts);
        w.u8(u8::from(self.from_hold));
        w.u8(u8::from(self.has_coupon));
        w.text(self.code);
    }
}

impl<'a> Decode<'a> for CheckoutFailed<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, CodecError> {
        Ok(Self {
            order: r.id()?,
            session: r.text()?,
            reason: CancelReason::decode(r)?,
            step: r.u8()?,
            total: Money::decode(r)?,
            units: r.u64()?,
            lines_count: r.u16()?,
            age_ms: r.u64()?,
            attempts: r.u16()?,
            from_hold: flag(r)?,
            has_coupon: flag(r)?,
            code: bounded_text(r)?,
        })
    }
}

impl Encode for SubjectForgotten<'_> {
    fn encode(&self, w: &mut Writer<'_>) {
        w.u64(self.number);
        w.raw(&self.subject);
        w.u64(self.at_ms);
        w.text(self.by);
    }
}

impl<'a> Decode<'a> for SubjectForgotten<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, CodecError> {
        Ok(Self { number: r.u64()?, subject: r.array()?, at_ms: r.u64()?, by: r.text()? })
    }
}

impl Encode for KeyChanged<'_> {
    fn encode(&self, w: &mut Writer<'_>) {
        w.u32(self.number);
        w.text(self.name);
        w.text(self.role);
        w.u16(self.algorithm);
        w.raw(&self.public);
        w.u8(u8::from(self.revoked));
    }
}

impl<'a> Decode<'a> for KeyChanged<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, CodecError> {
        Ok(Self {
            number: r.u32()?,
            name: r.text()?,
            role: r.text()?,
            algorithm: r.u16()?,
            public: r.array()?,
            revoked: flag(r)?,
        })
    }
}
