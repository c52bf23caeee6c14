//! Messages between shards: a reservation asked of, answered by, settled with or taken back from
//! the shard that owns the stock or coupon.
//!
//! ```text
//!   home                                 member
//!    |-- ReserveLines / ReserveCoupon --->|  phase 1: held, or refused
//!    |<-- LinesGranted / CouponGranted ---|
//!    |-- Settle ------------------------->|  phase 2: held -> sold
//!    |-- Undo --------------------------->|  phase 3: held or sold -> available
//!    |<-- Acknowledged -------------------|
//! ```
//! A phase never goes back, and phase 3 is remembered also for a reservation that was never made:
//! so duplicates, and a late `Reserve` after its `Undo`, change nothing. Members decide nothing by
//! time: the home does.

use claw_common::id::Id;
use claw_common::limits::{LINES_MAX, SKU_BYTES_MAX};
use claw_common::money::Currency;
use claw_common::time::Hlc;

use crate::codec::{CodecError, Decode, Encode, Reader, Writer};
use crate::lines::Lines;
use crate::outcome::Refusal;

/// What a reservation on another shard belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Part {
    /// Lines of a hold.
    Hold = 1,
    /// Lines of an order that was not made from a hold.
    Order = 2,
    /// A use of an order's coupon.
    Coupon = 3,
}

/// Names a reservation on a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartKey {
    /// The hold or order.
    pub id: Id,
    /// Which part of it.
    pub part: Part,
}

/// A message with where its sender stood.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Message<'a> {
    /// Sequence of the sender's log when it was sent.
    pub position: u64,
    /// Stamp of the send.
    pub stamp: Hlc,
    /// What is said.
    pub body: Body<'a>,
}

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Body<'a> {
    /// Home asks for stock.
    ReserveLines {
        /// Names the reservation.
        key: PartKey,
        /// All lines must be priced in it.
        currency: Currency,
        /// Lines of the member.
        lines: Lines<'a>,
    },
    /// Home asks for a use of a coupon.
    ReserveCoupon {
        /// Names the reservation.
        key: PartKey,
        /// Code.
        code: &'a str,
        /// The order's currency.
        currency: Currency,
        /// The order's sum, minor units.
        subtotal: i64,
    },
    /// Member has reserved.
    LinesGranted {
        /// Names the reservation.
        key: PartKey,
        /// The lines with the prices fixed for them.
        lines: Lines<'a>,
    },
    /// Member has reserved a use.
    CouponGranted {
        /// Names the reservation.
        key: PartKey,
        /// Minor units off.
        discount: i64,
    },
    /// Member says no. A coupon's no says `NotFound`.
    PartRefused {
        /// Names the reservation.
        key: PartKey,
        /// Why.
        refusal: Refusal<'a>,
    },
    /// Home has sold what was reserved.
    Settle {
        /// Names the reservation.
        key: PartKey,
    },
    /// Home gives back what was reserved or sold.
    Undo {
        /// Names the reservation.
        key: PartKey,
        /// What the home had sold; needed when the member has evicted its settled reservation.
        sold: Sold<'a>,
    },
    /// Member has done what `Settle` (2) or `Undo` (3) asked.
    Acknowledged {
        /// Names the reservation.
        key: PartKey,
        /// Phase reached.
        phase: u8,
    },
}

/// What had been sold of a part: nothing, lines, or a use of a coupon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sold<'a> {
    /// Lines; empty for none.
    pub lines: Lines<'a>,
    /// Coupon code; empty for none.
    pub code: &'a str,
}

impl Encode for Sold<'_> {
    fn encode(&self, writer: &mut Writer<'_>) {
        self.lines.encode(writer);
        writer.text(self.code);
    }
}

impl<'a> Decode<'a> for Sold<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, CodecError> {
        let lines = Lines::decode(reader)?;
        Ok(Self { lines, code: reader.text()? })
    }
}

/// Most bytes a message needs.
pub const MESSAGE_BYTES_MAX: usize = 128 + LINES_MAX * (14 + SKU_BYTES_MAX);

impl Encode for PartKey {
    fn encode(&self, writer: &mut Writer<'_>) {
        writer.id(self.id);
        writer.u8(self.part as u8);
    }
}

impl<'a> Decode<'a> for PartKey {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, CodecError> {
        let id = reader.id()?;
        let part = match reader.u8()? {
            1 => Part::Hold,
            2 => Part::Order,
            3 => Part::Coupon,
            _ => return Err(reader.invalid("part")),
        };
        Ok(Self { id, part })
    }
}

impl Encode for Message<'_> {
    fn encode(&self, writer: &mut Writer<'_>) {
        writer.u64(self.position);
        writer.u64(self.stamp.0);
        self.body.encode(writer);
    }
}

impl<'a> Decode<'a> for Message<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, CodecError> {
        let position = reader.u64()?;
        let stamp = Hlc(reader.u64()?);
        Ok(Self { position, stamp, body: Body::decode(reader)? })
    }
}

impl Body<'_> {
    /// The reservation it is about.
    pub const fn key(&self) -> PartKey {
        match *self {
            Body::ReserveLines { key, .. }
            | Body::ReserveCoupon { key, .. }
            | Body::LinesGranted { key, .. }
            | Body::CouponGranted { key, .. }
            | Body::PartRefused { key, .. }
            | Body::Settle { key }
            | Body::Undo { key, .. }
            | Body::Acknowledged { key, .. } => key,
        }
    }

    const fn code(&self) -> u8 {
        match self {
            Body::ReserveLines { .. } => 1,
            Body::ReserveCoupon { .. } => 2,
            Body::LinesGranted { .. } => 3,
            Body::CouponGranted { .. } => 4,
            Body::PartRefused { .. } => 5,
            Body::Settle { .. } => 6,
            Body::Undo { .. } => 7,
            Body::Acknowledged { .. } => 8,
        }
    }
}

impl Encode for Body<'_> {
    fn encode(&self, writer: &mut Writer<'_>) {
        writer.u8(self.code());
        self.key().encode(writer);
        match *self {
            Body::ReserveLines { currency, lines, .. } => {
                writer.currency(currency);
                lines.encode(writer);
            }
            Body::ReserveCoupon { code, currency, subtotal, .. } => {
                writer.text(code);
                writer.currency(currency);
                writer.i64(subtotal);
            }
            Body::LinesGranted { lines, .. } => lines.encode(writer),
            Body::CouponGranted { discount, .. } => writer.i64(discount),
            Body::PartRefused { refusal, .. } => refusal.encode(writer),
            Body::Acknowledged { phase, .. } => writer.u8(phase),
            Body::Undo { sold, .. } => sold.encode(writer),
            Body::Settle { .. } => {}
        }
    }
}

impl<'a> Decode<'a> for Body<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, CodecError> {
        let code = reader.u8()?;
        let key = PartKey::decode(reader)?;
        Ok(match code {
            1 => {
                let currency = reader.currency()?;
                Self::ReserveLines { key, currency, lines: Lines::decode(reader)? }
            }
            2 => {
                let (code, currency) = (reader.text()?, reader.currency()?);
                Self::ReserveCoupon { key, code, currency, subtotal: reader.i64()? }
            }
            3 => Self::LinesGranted { key, lines: Lines::decode(reader)? },
            4 => Self::CouponGranted { key, discount: reader.i64()? },
            5 => Self::PartRefused { key, refusal: Refusal::decode(reader)? },
            6 => Self::Settle { key },
            7 => Self::Undo { key, sold: Sold::decode(reader)? },
            8 => Self::Acknowledged { key, phase: reader.u8()? },
            _ => return Err(reader.invalid("message")),
        })
    }
}
