//! Commands as bytes, for the way from the core that accepted a request to the core that decides.
//!
//! Never stored: the log holds events. So the layout has no version; both ends are one process.

use claw_common::money::Money;
use claw_common::text::read_text;
use claw_common::time::Hlc;

use super::{
    AuthMode, Basket, Command, CommandKey, CouponTerms, CouponValue, ExtraType, OrderStep, ReplyTo,
    Request, SagaStep,
};
use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::lines::Lines;
use crate::payment::bounded_text;

impl Encode for Money {
    fn encode(&self, writer: &mut Writer<'_>) {
        writer.i64(self.amount);
        writer.currency(self.currency);
    }
}

impl<'a> Decode<'a> for Money {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, CodecError> {
        let amount = reader.i64()?;
        Ok(Self { amount, currency: reader.currency()? })
    }
}

impl AuthMode {
    /// The mode with this code.
    pub const fn from_code(code: u16) -> Option<Self> {
        match code {
            0 => Some(Self::Node),
            1 => Some(Self::Ed25519),
            2 => Some(Self::HmacSha256),
            3 => Some(Self::Token),
            4 => Some(Self::Session),
            _ => None,
        }
    }
}

impl Encode for Request<'_> {
    fn encode(&self, writer: &mut Writer<'_>) {
        self.command.encode(writer);
        writer.raw(&self.identity.key);
        writer.raw(&self.identity.digest);
        writer.u64(self.reply_to.0);
        writer.u32(self.key);
        writer.u16(self.auth_mode as u16);
        writer.u64(self.accepted.0);
        writer.u64(self.entropy);
        writer.large(self.extra);
        writer.u16(self.extra_type.code);
        writer.u16(self.extra_type.version);
        writer.large(self.evidence);
    }
}

impl<'a> Decode<'a> for Request<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, CodecError> {
        Ok(Self {
            command: Command::decode(reader)?,
            identity: CommandKey { key: reader.array()?, digest: reader.array()? },
            reply_to: ReplyTo(reader.u64()?),
            key: reader.u32()?,
            auth_mode: AuthMode::from_code(reader.u16()?)
                .ok_or_else(|| reader.invalid("auth mode"))?,
            accepted: Hlc(reader.u64()?),
            entropy: reader.u64()?,
            extra: reader.large()?,
            extra_type: ExtraType { code: reader.u16()?, version: reader.u16()? },
            evidence: reader.large()?,
        })
    }
}

impl Request<'_> {
    /// A bound of the bytes its encoding needs.
    pub fn encoded_bytes_max(&self) -> usize {
        128 + self.command.encoded_bytes_max() + self.extra.len() + self.evidence.len()
    }
}

impl Command<'_> {
    /// A bound of the bytes its encoding needs.
    pub fn encoded_bytes_max(&self) -> usize {
        let variable = match self {
            Command::PutProduct { name, attributes, .. } => name.len() + attributes.len(),
            Command::MoveStock { reason, .. } => reason.len(),
            Command::RecordEvent { name, members, .. } => name.len() + members.len(),
            Command::CreateHold { lines, .. } | Command::JoinLine { lines, .. } => {
                lines.encoded_bytes()
            }
            Command::Checkout { basket, ship_to, region, payment, .. } => {
                let lines =
                    if let Basket::Items(lines) = basket { lines.encoded_bytes() } else { 0 };
                lines + ship_to.len() + region.len() + payment.map_or(0, str::len)
            }
            _ => 0,
        };
        512 + variable
    }
}

impl Encode for Command<'_> {
    #[expect(clippy::too_many_lines, reason = "a table: one row for each command")]
    fn encode(&self, writer: &mut Writer<'_>) {
        writer.u8(self.code());
        match *self {
            Command::PutProduct { sku, name, price, attributes, version_expected } => {
                writer.text(sku);
                writer.text(name);
                price.encode(writer);
                writer.large(attributes.as_bytes());
                writer.option(version_expected, Writer::u64);
            }
            Command::MoveStock { sku, delta, reason } => {
                writer.text(sku);
                writer.i64(delta);
                writer.text(reason);
            }
            Command::ChangePrice { sku, price } => {
                writer.text(sku);
                price.encode(writer);
            }
            Command::ReadProduct { sku } => writer.text(sku),
            Command::ListProducts { after, limit } => {
                writer.text(after);
                writer.u16(limit);
            }
            Command::PutCoupon { code, terms } => {
                writer.text(code);
                terms.encode(writer);
            }
            Command::ReadCoupon { code } => writer.text(code),
            Command::CreateCart { session } => writer.text(session),
            Command::SetCartItem { cart, session, sku, quantity, price } => {
                writer.id(cart);
                writer.option(session, Writer::text);
                writer.text(sku);
                writer.u32(quantity);
                writer.option(price, |w, price| price.encode(w));
            }
            Command::ReadCart { cart: id, session }
            | Command::ReadHold { hold: id, session }
            | Command::ReleaseHold { hold: id, session }
            | Command::ReadOrder { order: id, session }
            | Command::ReadOrderRecords { order: id, session } => {
                writer.id(id);
                writer.option(session, Writer::text);
            }
            Command::ReadState => {}
            Command::CreateHold { session, lines, ttl_ms } => {
                writer.text(session);
                lines.encode(writer);
                writer.u64(ttl_ms);
            }
            Command::JoinLine { session, lines, ttl_ms, wait_ms } => {
                writer.text(session);
                lines.encode(writer);
                writer.u64(ttl_ms);
                writer.u64(wait_ms);
            }
            Command::ExtendHold { hold, session, ttl_ms } => {
                writer.id(hold);
                writer.option(session, Writer::text);
                writer.u64(ttl_ms);
            }
            Command::AdvanceOrder { order, session, step } => {
                writer.id(order);
                writer.option(session, Writer::text);
                writer.u8(step as u8);
            }
            Command::ReadSession { session, after } => {
                writer.text(session);
                writer.u64(after);
            }
            Command::ReadSaga { order } => writer.id(order),
            Command::ListSagas { after, limit, parked_only } => {
                writer.id(after);
                writer.u16(limit);
                writer.u8(u8::from(parked_only));
            }
            Command::StepSaga { order, step } => {
                writer.id(order);
                writer.u8(step as u8);
            }
            Command::Checkout { .. } => self.encode_checkout(writer),
            Command::RecordEvent { name, version, members } => {
                writer.text(name);
                writer.u16(version);
                writer.large(members.as_bytes());
            }
            Command::ChangeKey { .. } | Command::ForgetSubject { .. } => {
                self.encode_node_own(writer);
            }
        }
    }
}

impl Command<'_> {
    /// What the node asks of itself.
    fn encode_node_own(&self, writer: &mut Writer<'_>) {
        match *self {
            Command::ChangeKey { number, name, role, algorithm, public, revoked } => {
                writer.u32(number);
                writer.text(name);
                writer.text(role);
                writer.u16(algorithm);
                writer.raw(&public);
                writer.u8(u8::from(revoked));
            }
            Command::ForgetSubject { number, subject, at_ms, by } => {
                writer.u64(number);
                writer.raw(&subject);
                writer.u64(at_ms);
                writer.text(by);
            }
            _ => {}
        }
    }

    const fn code(&self) -> u8 {
        match self {
            Command::PutProduct { .. } => 1,
            Command::MoveStock { .. } => 2,
            Command::ChangePrice { .. } => 3,
            Command::ReadProduct { .. } => 4,
            Command::ListProducts { .. } => 5,
            Command::PutCoupon { .. } => 6,
            Command::ReadCoupon { .. } => 7,
            Command::CreateCart { .. } => 8,
            Command::SetCartItem { .. } => 9,
            Command::ReadCart { .. } => 10,
            Command::CreateHold { .. } => 11,
            Command::ReadHold { .. } => 12,
            Command::ReleaseHold { .. } => 13,
            Command::ExtendHold { .. } => 14,
            Command::Checkout { .. } => 15,
            Command::ReadOrder { .. } => 16,
            Command::AdvanceOrder { .. } => 17,
            Command::ChangeKey { .. } => 18,
            Command::RecordEvent { .. } => 19,
            Command::ForgetSubject { .. } => 20,
            Command::ReadOrderRecords { .. } => 21,
            Command::ReadState => 22,
            Command::ReadSaga { .. } => 23,
            Command::ListSagas { .. } => 24,
            Command::StepSaga { .. } => 25,
            Command::ReadSession { .. } => 26,
            Command::JoinLine { .. } => 27,
        }
    }

    /// Whether it changes nothing, so that it is not de-duplicated and never logged.
    pub const fn reads_only(&self) -> bool {
        matches!(
            self,
            Command::ReadProduct { .. }
                | Command::ListProducts { .. }
                | Command::ReadCoupon { .. }
                | Command::ReadCart { .. }
                | Command::ReadHold { .. }
                | Command::ReadOrder { .. }
                | Command::ReadOrderRecords { .. }
                | Command::ReadState
                | Command::ReadSession { .. }
                | Command::ReadSaga { .. }
                | Command::ListSagas { .. }
        )
    }

    fn encode_checkout(&self, writer: &mut Writer<'_>) {
        let Command::Checkout {
            session,
            own_session_only,
            basket,
            coupon,
            ship_to,
            region,
            wait_until_ms,
            ttl_ms,
            payment,
        } = *self
        else {
            return;
        };
        writer.text(session);
        writer.u8(u8::from(own_session_only));
        match basket {
            Basket::Hold(hold) => {
                writer.u8(1);
                writer.id(hold);
            }
            Basket::Cart(cart) => {
                writer.u8(2);
                writer.id(cart);
            }
            Basket::Items(lines) => {
                writer.u8(3);
                lines.encode(writer);
            }
        }
        writer.option(coupon, Writer::text);
        writer.large(ship_to.as_bytes());
        writer.text(region);
        writer.u64(wait_until_ms);
        writer.u64(ttl_ms);
        writer.option(payment, Writer::text);
    }
}

impl<'a> Decode<'a> for Command<'a> {
    fn decode(r: &mut Reader<'a>) -> Result<Self, CodecError> {
        Ok(match r.u8()? {
            1 => Self::PutProduct {
                sku: r.text()?,
                name: r.text()?,
                price: Money::decode(r)?,
                attributes: large_text(r)?,
                version_expected: r.option(Reader::u64)?,
            },
            2 => Self::MoveStock { sku: r.text()?, delta: r.i64()?, reason: r.text()? },
            3 => Self::ChangePrice { sku: r.text()?, price: Money::decode(r)? },
            4 => Self::ReadProduct { sku: r.text()? },
            5 => Self::ListProducts { after: r.text()?, limit: r.u16()? },
            6 => Self::PutCoupon { code: r.text()?, terms: CouponTerms::decode(r)? },
            7 => Self::ReadCoupon { code: r.text()? },
            8 => Self::CreateCart { session: r.text()? },
            9 => Self::SetCartItem {
                cart: r.id()?,
                session: r.option(Reader::text)?,
                sku: r.text()?,
                quantity: r.u32()?,
                price: r.option(Money::decode)?,
            },
            10 => Self::ReadCart { cart: r.id()?, session: r.option(Reader::text)? },
            11 => {
                Self::CreateHold { session: r.text()?, lines: Lines::decode(r)?, ttl_ms: r.u64()? }
            }
            12 => Self::ReadHold { hold: r.id()?, session: r.option(Reader::text)? },
            13 => Self::ReleaseHold { hold: r.id()?, session: r.option(Reader::text)? },
            14 => Self::ExtendHold {
                hold: r.id()?,
                session: r.option(Reader::text)?,
                ttl_ms: r.u64()?,
            },
            15 => decode_checkout(r)?,
            16 => Self::ReadOrder { order: r.id()?, session: r.option(Reader::text)? },
            17 => Self::AdvanceOrder {
                order: r.id()?,
                session: r.option(Reader::text)?,
                step: OrderStep::decode(r)?,
            },
            18 => Self::ChangeKey {
                number: r.u32()?,
                name: r.text()?,
                role: r.text()?,
                algorithm: r.u16()?,
                public: r.array()?,
                revoked: flag(r)?,
            },
            19 => Self::RecordEvent { name: r.text()?, version: r.u16()?, members: large_text(r)? },
            20 => Self::ForgetSubject {
                number: r.u64()?,
                subject: r.array()?,
                at_ms: r.u64()?,
                by: r.text()?,
            },
            21 => Self::ReadOrderRecords { order: r.id()?, session: r.option(Reader::text)? },
            22 => Self::ReadState,
            23 => Self::ReadSaga { order: r.id()? },
            24 => Self::ListSagas { after: r.id()?, limit: r.u16()?, parked_only: flag(r)? },
            27 => Self::JoinLine {
                session: r.text()?,
                lines: Lines::decode(r)?,
                ttl_ms: r.u64()?,
                wait_ms: r.u64()?,
            },
            26 => Self::ReadSession { session: r.text()?, after: r.u64()? },
            25 => Self::StepSaga { order: r.id()?, step: SagaStep::decode(r)? },
            _ => return Err(r.invalid("command")),
        })
    }
}

fn decode_checkout<'a>(r: &mut Reader<'a>) -> Result<Command<'a>, CodecError> {
    Ok(Command::Checkout {
        session: r.text()?,
        own_session_only: flag(r)?,
        basket: match r.u8()? {
            1 => Basket::Hold(r.id()?),
            2 => Basket::Cart(r.id()?),
            3 => Basket::Items(Lines::decode(r)?),
            _ => return Err(r.invalid("basket")),
        },
        coupon: r.option(Reader::text)?,
        ship_to: large_text(r)?,
        region: r.text()?,
        wait_until_ms: r.u64()?,
        ttl_ms: r.u64()?,
        payment: r.option(bounded_text)?,
    })
}

/// Text that may be longer than 65,535 bytes.
pub(crate) fn large_text<'a>(reader: &mut Reader<'a>) -> Result<&'a str, CodecError> {
    let bytes = reader.large()?;
    read_text(bytes).ok_or_else(|| reader.invalid("text"))
}

/// A byte that is 0 or 1.
pub(crate) fn flag(reader: &mut Reader<'_>) -> Result<bool, CodecError> {
    match reader.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(reader.invalid("flag")),
    }
}

impl<'a> Decode<'a> for OrderStep {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, CodecError> {
        match reader.u8()? {
            1 => Ok(Self::Cancel),
            2 => Ok(Self::Ship),
            3 => Ok(Self::Refund),
            _ => Err(reader.invalid("order step")),
        }
    }
}

impl<'a> Decode<'a> for SagaStep {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, CodecError> {
        match reader.u8()? {
            1 => Ok(Self::Retry),
            2 => Ok(Self::Park),
            _ => Err(reader.invalid("saga step")),
        }
    }
}

impl Encode for CouponTerms {
    fn encode(&self, writer: &mut Writer<'_>) {
        match self.value {
            CouponValue::Percent(hundredths) => {
                writer.u8(1);
                writer.u32(hundredths);
            }
            CouponValue::Amount(money) => {
                writer.u8(2);
                money.encode(writer);
            }
        }
        writer.u64(self.uses_max);
        writer.option(self.currency, Writer::currency);
        writer.option(self.starts_at, Writer::u64);
        writer.option(self.ends_at, Writer::u64);
        writer.option(self.subtotal_min, Writer::i64);
    }
}

impl<'a> Decode<'a> for CouponTerms {
    fn decode(r: &mut Reader<'a>) -> Result<Self, CodecError> {
        let value = match r.u8()? {
            1 => CouponValue::Percent(r.u32()?),
            2 => CouponValue::Amount(Money::decode(r)?),
            _ => return Err(r.invalid("coupon value")),
        };
        Ok(Self {
            value,
            uses_max: r.u64()?,
            currency: r.option(Reader::<'a>::currency)?,
            starts_at: r.option(Reader::u64)?,
            ends_at: r.option(Reader::u64)?,
            subtotal_min: r.option(Reader::i64)?,
        })
    }
}
