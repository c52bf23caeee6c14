//! Outcomes as bytes: what a repeated command gets again, byte for byte.
//!
//! Remembered answers live in the log, so codes here are stable: new ones are added at the end.

use super::{
    CancelReason, CartView, CouponView, HoldState, HoldView, Missing, OrderState, OrderView,
    Outcome, ProductView, Refusal, SagaView, StateView,
};
use claw_common::id::ShardId;
use claw_common::money::Money;

use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::command::{CouponTerms, flag, large_text};
use crate::lines::Lines;
use crate::payment::bounded_text;
use crate::saga::Progress;

impl Outcome<'_> {
    /// A bound of the bytes its encoding needs.
    pub fn encoded_bytes_max(&self) -> usize {
        match self {
            Outcome::Product(view) => view.encoded_bytes_max(),
            Outcome::Products { views, .. }
            | Outcome::Sagas { views, .. }
            | Outcome::SessionChanges { changes: views, .. } => 16 + views.len(),
            Outcome::Cart(view) => 64 + view.lines.encoded_bytes(),
            Outcome::Hold(view) => 64 + view.lines.encoded_bytes(),
            Outcome::Order(view) => {
                128 + view.lines.encoded_bytes() + view.history.len() + view.client_secret.len()
            }
            Outcome::Saga(view) => view.encoded_bytes_max(),
            Outcome::OrderRecords { sequences, .. } => 32 + sequences.len(),
            Outcome::State(_) => 64,
            Outcome::Coupon(view) => 128 + view.code.len(),
            Outcome::CartCreated { .. } | Outcome::KeyChanged | Outcome::SubjectForgotten => 32,
            Outcome::EventRecorded { name, .. } => 32 + name.len(),
            Outcome::Refused(_) => 128,
        }
    }
}

impl Encode for Outcome<'_> {
    #[expect(clippy::too_many_lines, reason = "a table: one row for each outcome")]
    fn encode(&self, writer: &mut Writer<'_>) {
        match self {
            // What is remembered of a command says nothing of attributes and stays as it was.
            Outcome::Product(view) if view.attributes_version != 0 => {
                writer.u8(PRODUCT_WHOLE);
                view.encode_whole(writer);
            }
            Outcome::Product(view) => {
                writer.u8(1);
                view.encode(writer);
            }
            Outcome::Products { count, views, more } => {
                writer.u8(2);
                writer.u16(*count);
                writer.large(views);
                writer.u8(u8::from(*more));
            }
            Outcome::Coupon(view) => {
                writer.u8(3);
                view.encode(writer);
            }
            Outcome::CartCreated { cart } => {
                writer.u8(4);
                writer.id(*cart);
            }
            Outcome::Cart(view) => {
                writer.u8(5);
                view.encode(writer);
            }
            Outcome::Hold(view) => {
                writer.u8(HOLD);
                view.encode(writer);
            }
            // What is remembered of a command has no secret and stays as it was.
            Outcome::Order(view) if !view.client_secret.is_empty() => {
                writer.u8(ORDER_TO_ACT_ON);
                view.encode(writer);
                writer.text(view.client_secret);
            }
            Outcome::Order(view) => {
                writer.u8(7);
                view.encode(writer);
            }
            Outcome::Saga(view) => {
                writer.u8(16);
                view.encode(writer);
            }
            Outcome::SessionChanges { count, changes, more } => {
                writer.u8(18);
                writer.u16(*count);
                writer.large(changes);
                writer.u8(u8::from(*more));
            }
            Outcome::Sagas { count, views, more } => {
                writer.u8(17);
                writer.u16(*count);
                writer.large(views);
                writer.u8(u8::from(*more));
            }
            Outcome::KeyChanged => writer.u8(8),
            Outcome::Refused(refusal) => {
                writer.u8(9);
                refusal.encode(writer);
            }
            Outcome::EventRecorded { event, name, version } => {
                writer.u8(10);
                writer.id(*event);
                writer.text(name);
                writer.u16(*version);
            }
            Outcome::SubjectForgotten => writer.u8(11),
            Outcome::State(view) => {
                writer.u8(13);
                writer.u16(view.shard.0);
                writer.u64(view.sequence);
                writer.u64(view.entries);
                writer.option(view.hash, |w, hash| w.raw(&hash));
            }
            Outcome::OrderRecords { order, sequences } => {
                writer.u8(12);
                writer.id(*order);
                writer.blob(sequences);
            }
        }
    }
}

impl<'a> Decode<'a> for Outcome<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, CodecError> {
        Ok(match reader.u8()? {
            1 => Self::Product(ProductView::decode(reader)?),
            2 => {
                let (count, views) = (reader.u16()?, reader.large()?);
                Self::Products { count, views, more: flag(reader)? }
            }
            3 => Self::Coupon(CouponView::decode(reader)?),
            4 => Self::CartCreated { cart: reader.id()? },
            5 => Self::Cart(CartView::decode(reader)?),
            HOLD => Self::Hold(HoldView::decode(reader)?),
            7 => Self::Order(OrderView::decode(reader)?),
            8 => Self::KeyChanged,
            9 => Self::Refused(Refusal::decode(reader)?),
            10 => Self::EventRecorded {
                event: reader.id()?,
                name: reader.text()?,
                version: reader.u16()?,
            },
            11 => Self::SubjectForgotten,
            12 => Self::OrderRecords { order: reader.id()?, sequences: reader.blob()? },
            13 => Self::State(StateView {
                shard: ShardId(reader.u16()?),
                sequence: reader.u64()?,
                entries: reader.u64()?,
                hash: reader.option(Reader::array)?,
            }),
            ORDER_TO_ACT_ON => {
                let (view, client_secret) = (OrderView::decode(reader)?, bounded_text(reader)?);
                // Without one it is spelt as any other order.
                if client_secret.is_empty() {
                    return Err(reader.invalid("client secret"));
                }
                Self::Order(OrderView { client_secret, ..view })
            }
            16 => Self::Saga(SagaView::decode(reader)?),
            17 => {
                let (count, views) = (reader.u16()?, reader.large()?);
                Self::Sagas { count, views, more: flag(reader)? }
            }
            18 => {
                let (count, changes) = (reader.u16()?, reader.large()?);
                Self::SessionChanges { count, changes, more: flag(reader)? }
            }
            PRODUCT_WHOLE => {
                let view = ProductView::decode_whole(reader)?;
                // Without one it is spelt as any other product.
                if view.attributes_version == 0 {
                    return Err(reader.invalid("attributes version"));
                }
                Self::Product(view)
            }
            _ => return Err(reader.invalid("outcome")),
        })
    }
}

/// The code of a hold, which is asked for most.
const HOLD: u8 = 6;

/// Whether the command made the hold that an encoded outcome is; nothing for another outcome. Reads
/// no further than it must.
pub fn made_hold(encoded: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(encoded);
    (reader.u8() == Ok(HOLD)).then(|| flag(&mut reader).ok())?
}

/// The code of a product with its attributes, read and never remembered: a node's own matter, which
/// the wire protocol does not carry.
pub const PRODUCT_WHOLE: u8 = 14;
/// The code of an order with its client secret: likewise.
pub const ORDER_TO_ACT_ON: u8 = 15;

impl<'a> ProductView<'a> {
    /// With the version of its attributes before it.
    pub fn encode_whole(&self, writer: &mut Writer<'_>) {
        writer.u16(self.attributes_version);
        self.encode(writer);
    }

    /// Reads what [`ProductView::encode_whole`] wrote.
    pub fn decode_whole(r: &mut Reader<'a>) -> Result<Self, CodecError> {
        let attributes_version = r.u16()?;
        Ok(Self { attributes_version, ..Self::decode(r)? })
    }
}

impl ProductView<'_> {
    /// A bound of the bytes its encoding needs.
    pub const fn encoded_bytes_max(&self) -> usize {
        96 + self.sku.len() + self.name.len() + self.attributes.len()
    }
}

impl Encode for ProductView<'_> {
    fn encode(&self, writer: &mut Writer<'_>) {
        writer.u8(u8::from(self.created));
        writer.text(self.sku);
        writer.text(self.name);
        self.price.encode(writer);
        writer.large(self.attributes.as_bytes());
        for number in [self.received, self.removed, self.held, self.sold, self.version] {
            writer.u64(number);
        }
    }
}

impl<'a> Decode<'a> for ProductView<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, CodecError> {
        Ok(Self {
            created: flag(r)?,
            sku: r.text()?,
            name: r.text()?,
            price: Money::decode(r)?,
            attributes: large_text(r)?,
            attributes_version: 0,
            received: r.u64()?,
            removed: r.u64()?,
            held: r.u64()?,
            sold: r.u64()?,
            version: r.u64()?,
        })
    }
}

impl Encode for CouponView<'_> {
    fn encode(&self, writer: &mut Writer<'_>) {
        writer.u8(u8::from(self.created));
        writer.text(self.code);
        self.terms.encode(writer);
        writer.u64(self.uses);
    }
}

impl<'a> Decode<'a> for CouponView<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, CodecError> {
        Ok(Self {
            created: flag(r)?,
            code: r.text()?,
            terms: CouponTerms::decode(r)?,
            uses: r.u64()?,
        })
    }
}

impl Encode for CartView<'_> {
    fn encode(&self, writer: &mut Writer<'_>) {
        writer.id(self.cart);
        self.lines.encode(writer);
        writer.option(self.currency, Writer::currency);
    }
}

impl<'a> Decode<'a> for CartView<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, CodecError> {
        Ok(Self {
            cart: r.id()?,
            lines: Lines::decode(r)?,
            currency: r.option(Reader::<'a>::currency)?,
        })
    }
}

impl Encode for HoldView<'_> {
    fn encode(&self, writer: &mut Writer<'_>) {
        writer.u8(u8::from(self.created));
        writer.id(self.hold);
        writer.u8(self.state as u8);
        self.lines.encode(writer);
        writer.currency(self.currency);
        writer.u64(self.expires_at_ms);
    }
}

impl<'a> Decode<'a> for HoldView<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, CodecError> {
        Ok(Self {
            created: flag(r)?,
            hold: r.id()?,
            state: HoldState::decode(r)?,
            lines: Lines::decode(r)?,
            currency: r.currency()?,
            expires_at_ms: r.u64()?,
        })
    }
}

impl HoldState {
    /// The states that are ever shown, in the order of their codes.
    pub const SHOWN: [Self; 5] =
        [Self::Active, Self::Released, Self::Expired, Self::Sold, Self::Waiting];
}

impl<'a> Decode<'a> for HoldState {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, CodecError> {
        Ok(match reader.u8()? {
            0 => Self::Reserving,
            1 => Self::Active,
            2 => Self::Released,
            3 => Self::Expired,
            4 => Self::Sold,
            5 => Self::Waiting,
            _ => return Err(reader.invalid("hold state")),
        })
    }
}

impl OrderState {
    /// All states in the order of their codes.
    pub const ALL: [Self; 11] = [
        Self::Reserving,
        Self::Pricing,
        Self::Scoring,
        Self::Authorizing,
        Self::RequiresAction,
        Self::Confirming,
        Self::Capturing,
        Self::Placed,
        Self::Shipped,
        Self::Cancelled,
        Self::Refunded,
    ];
}

impl<'a> Decode<'a> for OrderState {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, CodecError> {
        let code = usize::from(reader.u8()?);
        Self::ALL.get(code).copied().ok_or_else(|| reader.invalid("order state"))
    }
}

impl CancelReason {
    /// All reasons in the order of their codes.
    pub const ALL: [Self; 7] = [
        Self::SoldOut,
        Self::PaymentDeclined,
        Self::PaymentUnavailable,
        Self::FraudBlocked,
        Self::CouponInvalid,
        Self::Expired,
        Self::ShopperCancelled,
    ];
}

impl<'a> Decode<'a> for CancelReason {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, CodecError> {
        Ok(match reader.u8()? {
            1 => Self::SoldOut,
            2 => Self::PaymentDeclined,
            3 => Self::PaymentUnavailable,
            4 => Self::FraudBlocked,
            5 => Self::CouponInvalid,
            6 => Self::Expired,
            7 => Self::ShopperCancelled,
            _ => return Err(reader.invalid("cancel reason")),
        })
    }
}

impl Encode for OrderView<'_> {
    fn encode(&self, writer: &mut Writer<'_>) {
        writer.id(self.order);
        writer.u8(self.state as u8);
        self.lines.encode(writer);
        writer.currency(self.currency);
        for amount in [self.subtotal, self.discount, self.tax, self.total] {
            writer.i64(amount);
        }
        writer.option(self.reason, |w, reason| w.u8(reason as u8));
        writer.blob(self.history);
    }
}

impl<'a> Decode<'a> for OrderView<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, CodecError> {
        Ok(Self {
            order: r.id()?,
            state: OrderState::decode(r)?,
            lines: Lines::decode(r)?,
            currency: r.currency()?,
            subtotal: r.i64()?,
            discount: r.i64()?,
            tax: r.i64()?,
            total: r.i64()?,
            reason: r.option(CancelReason::decode)?,
            history: r.blob()?,
            client_secret: "",
        })
    }
}

impl SagaView<'_> {
    /// A bound of the bytes its encoding needs.
    pub fn encoded_bytes_max(&self) -> usize {
        128 + self.intent.len() + self.code.len()
    }
}

impl Encode for SagaView<'_> {
    fn encode(&self, w: &mut Writer<'_>) {
        w.id(self.order);
        w.u8(self.state as u8);
        w.option(self.reason, |w, reason| w.u8(reason as u8));
        self.progress.encode(w);
        w.u64(self.created_ms);
        w.u64(self.deadline_ms);
        w.i64(self.total);
        w.currency(self.currency);
        w.u64(self.pending);
        w.text(self.intent);
        w.text(self.code);
    }
}

impl<'a> Decode<'a> for SagaView<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, CodecError> {
        Ok(Self {
            order: r.id()?,
            state: OrderState::decode(r)?,
            reason: r.option(CancelReason::decode)?,
            progress: Progress::read(r)?,
            created_ms: r.u64()?,
            deadline_ms: r.u64()?,
            total: r.i64()?,
            currency: r.currency()?,
            pending: r.u64()?,
            intent: bounded_text(r)?,
            code: bounded_text(r)?,
        })
    }
}

impl<'a> Decode<'a> for Missing {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, CodecError> {
        Ok(match reader.u8()? {
            1 => Self::Product,
            2 => Self::Coupon,
            3 => Self::Cart,
            4 => Self::Hold,
            5 => Self::Order,
            _ => return Err(reader.invalid("missing")),
        })
    }
}

impl Refusal<'_> {
    /// Whether it leaves no trace: it says something of the moment only, or it would say no for
    /// ever. A cart, hold or order that is not there for who asks never comes to be there, and
    /// whoever tries ids must not fill the log.
    pub const fn is_momentary(&self) -> bool {
        matches!(
            self,
            Refusal::WindowFull
                | Refusal::CapacityFull { .. }
                | Refusal::StillDeciding
                | Refusal::IdempotencyMismatch
                | Refusal::NotFound(Missing::Cart | Missing::Hold | Missing::Order)
        )
    }
}

impl Encode for Refusal<'_> {
    fn encode(&self, writer: &mut Writer<'_>) {
        let mut coded = |code: u8| writer.u8(code);
        match *self {
            Refusal::WindowFull => coded(1),
            Refusal::CapacityFull { slab } => {
                coded(2);
                writer.text(slab);
            }
            Refusal::StillDeciding => coded(3),
            Refusal::IdempotencyMismatch => coded(4),
            Refusal::NotFound(missing) => {
                coded(5);
                writer.u8(missing as u8);
            }
            Refusal::VersionMismatch { version } => {
                coded(6);
                writer.u64(version);
            }
            Refusal::UnknownSku { sku } => {
                coded(7);
                writer.text(sku);
            }
            Refusal::CurrencyMixed => coded(8),
            Refusal::Empty => coded(9),
            Refusal::LinesAboveMax => coded(10),
            Refusal::StockNegative { sku, available } => {
                coded(11);
                writer.text(sku);
                writer.u64(available);
            }
            Refusal::CouponUsesBelowUsed { uses } => {
                coded(12);
                writer.u64(uses);
            }
            Refusal::SoldOut { sku, requested, available } => {
                coded(13);
                writer.text(sku);
                writer.u64(requested);
                writer.u64(available);
            }
            Refusal::HoldSold => coded(14),
            Refusal::HoldNotActive { state } => {
                coded(15);
                writer.u8(state as u8);
            }
            Refusal::OrderState { state } => {
                coded(16);
                writer.u8(state as u8);
            }
            Refusal::PaymentRequired { total } => {
                coded(17);
                writer.i64(total);
            }
            Refusal::SagaState => coded(18),
        }
    }
}

impl<'a> Decode<'a> for Refusal<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, CodecError> {
        Ok(match r.u8()? {
            1 => Self::WindowFull,
            2 => Self::CapacityFull { slab: r.text()? },
            3 => Self::StillDeciding,
            4 => Self::IdempotencyMismatch,
            5 => Self::NotFound(Missing::decode(r)?),
            6 => Self::VersionMismatch { version: r.u64()? },
            7 => Self::UnknownSku { sku: r.text()? },
            8 => Self::CurrencyMixed,
            9 => Self::Empty,
            10 => Self::LinesAboveMax,
            11 => Self::StockNegative { sku: r.text()?, available: r.u64()? },
            12 => Self::CouponUsesBelowUsed { uses: r.u64()? },
            13 => Self::SoldOut { sku: r.text()?, requested: r.u64()?, available: r.u64()? },
            14 => Self::HoldSold,
            15 => Self::HoldNotActive { state: HoldState::decode(r)? },
            16 => Self::OrderState { state: OrderState::decode(r)? },
            17 => Self::PaymentRequired { total: r.i64()? },
            18 => Self::SagaState,
            _ => return Err(r.invalid("refusal")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::LinesBuffer;

    fn encoded(outcome: &Outcome<'_>) -> Vec<u8> {
        let mut bytes = vec![0; outcome.encoded_bytes_max()];
        outcome.encode(&mut Writer::new(&mut bytes));
        bytes
    }

    #[test]
    fn hold_is_told_from_other_outcomes_by_its_first_bytes() {
        let mut lines = LinesBuffer::default();
        lines.add("HOT", 1, 900).unwrap();
        for created in [true, false] {
            let view = HoldView {
                created,
                hold: claw_common::id::Id([7; 16]),
                state: HoldState::Active,
                lines: lines.lines(),
                currency: claw_common::money::Currency::parse("EUR").unwrap(),
                expires_at_ms: 1,
            };
            assert_eq!(made_hold(&encoded(&Outcome::Hold(view))), Some(created));
        }
        let cart = claw_common::id::Id([1; 16]);
        for other in [Outcome::CartCreated { cart }, Outcome::KeyChanged] {
            assert_eq!(made_hold(&encoded(&other)), None);
        }
        assert_eq!(made_hold(&[]), None);
        assert_eq!(made_hold(&[HOLD]), None);
        assert_eq!(made_hold(&[HOLD, 2]), None);
    }
}
