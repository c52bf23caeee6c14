//! Outcomes, version 1: what was done or read, borrowed from the receive buffer.
//!
//! The bytes are those that the log remembers of an answer (`docs/wire.md`, section 5). Lines and
//! histories stay encoded and are walked through when asked for.

use claw_common::id::Id;
use claw_common::money::{Currency, Money};
use claw_common::time::UnixMs;

use super::answer::{take, text};
use super::error::WireError;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome<'a> {
    /// A product as it is now.
    Product(Product<'a>),
    /// A coupon as it is now.
    Coupon(CouponView<'a>),
    /// A new cart.
    CartCreated(Id),
    /// A cart as it is now.
    Cart(Cart<'a>),
    /// A hold as it is now.
    Hold(Hold<'a>),
    /// An order as it is now.
    Order(Order<'a>),
}

/// A product.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Product<'a> {
    /// Whether this command created it.
    pub created: bool,
    /// Which.
    pub sku: &'a str,
    /// Display name.
    pub name: &'a str,
    /// Unit price now.
    pub price: Money,
    /// JSON object or empty; empty in the answer to a change.
    pub attributes: &'a str,
    /// Units ever received.
    pub received: u64,
    /// Units ever removed other than by sale.
    pub removed: u64,
    /// Units in live holds.
    pub held: u64,
    /// Units sold, net of returns.
    pub sold: u64,
    /// Increases with every change by a source.
    pub version: u64,
}

impl Product<'_> {
    /// What can still be reserved: `received - removed - sold - held`.
    pub const fn available(&self) -> u64 {
        self.received - self.removed - self.sold - self.held
    }
}

/// A coupon.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CouponView<'a> {
    /// Whether this command created it.
    pub created: bool,
    /// Code.
    pub code: &'a str,
    /// Worth.
    pub value: super::CouponValue,
    /// Uses it has in all.
    pub uses_max: u64,
    /// Currency it is restricted to.
    pub currency: Option<Currency>,
    /// Not before.
    pub starts_at_ms: Option<UnixMs>,
    /// Not at or after.
    pub ends_at_ms: Option<UnixMs>,
    /// Smallest subtotal, minor units.
    pub subtotal_min: Option<i64>,
    /// Uses made or held by checkouts under way.
    pub uses: u64,
}

/// A cart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cart<'a> {
    /// Which.
    pub cart: Id,
    /// What lies in it, with the price read when it was put there.
    pub lines: Lines<'a>,
    /// `None` while empty.
    pub currency: Option<Currency>,
}

/// The life of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldState {
    /// Stock is reserved.
    Active,
    /// Given back by the shopper.
    Released,
    /// Given back by time.
    Expired,
    /// Bought.
    Sold,
    /// Nothing is reserved yet: it waits in line.
    Waiting,
}

/// A hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hold<'a> {
    /// Whether this command created it.
    pub created: bool,
    /// Which.
    pub hold: Id,
    /// State.
    pub state: HoldState,
    /// What, at the price fixed by the hold.
    pub lines: Lines<'a>,
    /// Currency of the prices.
    pub currency: Currency,
    /// When it ends or ended.
    pub expires_at_ms: UnixMs,
}

/// The life of an order, by the interface's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are the interface's and say it")]
pub enum OrderState {
    Reserving,
    Pricing,
    Scoring,
    Authorizing,
    RequiresAction,
    Confirming,
    Capturing,
    Placed,
    Shipped,
    Cancelled,
    Refunded,
}

impl OrderState {
    const ALL: [Self; 11] = [
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

/// Why orders are cancelled, by the interface's names; the first has the code 1.
const REASONS: [&str; 7] = [
    "sold-out",
    "payment-declined",
    "payment-unavailable",
    "fraud-blocked",
    "coupon-invalid",
    "expired",
    "shopper-cancelled",
];

/// An order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Order<'a> {
    /// Which.
    pub order: Id,
    /// State.
    pub state: OrderState,
    /// What, at the price fixed for the order.
    pub lines: Lines<'a>,
    /// Currency.
    pub currency: Currency,
    /// Sum of the lines, minor units.
    pub subtotal: i64,
    /// What the coupon takes off.
    pub discount: i64,
    /// Tax.
    pub tax: i64,
    /// `subtotal - discount + tax`.
    pub total: i64,
    /// Set when cancelled: the interface's name.
    pub reason: Option<&'static str>,
    /// States and times as they came; [`Order::history`] reads them.
    pub encoded_history: &'a [u8],
}

impl Order<'_> {
    /// The states it went through and when, oldest first.
    pub fn history(&self) -> impl Iterator<Item = (OrderState, UnixMs)> {
        self.encoded_history.chunks_exact(HISTORY_STEP_BYTES).filter_map(|step| {
            let mut reader = Reader(step);
            Some((reader.order_state().ok()?, reader.u64().ok()?))
        })
    }
}

/// A state and a time.
const HISTORY_STEP_BYTES: usize = 9;

/// Lines of a cart, hold or order, in the order of their SKUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lines<'a> {
    count: u16,
    bytes: &'a [u8],
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PricedLine<'a> {
    /// Which.
    pub sku: &'a str,
    /// Units.
    pub quantity: u32,
    /// Minor units.
    pub unit_price: i64,
}

impl<'a> Lines<'a> {
    /// How many.
    pub fn len(&self) -> usize {
        usize::from(self.count)
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The lines.
    pub fn iter(&self) -> impl Iterator<Item = PricedLine<'a>> {
        let mut reader = Reader(self.bytes);
        // They were walked through when the outcome was parsed.
        (0..self.count).map_while(move |_| reader.line().ok())
    }
}

const fn broken(reason: &'static str) -> WireError {
    WireError::Protocol { reason }
}

impl<'a> Outcome<'a> {
    /// An outcome that fills `bytes`.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader(bytes);
        let outcome = match reader.u8()? {
            1 => Self::Product(reader.product()?),
            3 => Self::Coupon(reader.coupon()?),
            4 => Self::CartCreated(reader.id()?),
            5 => Self::Cart(Cart {
                cart: reader.id()?,
                lines: reader.lines()?,
                currency: reader.option(Reader::currency)?,
            }),
            6 => Self::Hold(Hold {
                created: reader.flag()?,
                hold: reader.id()?,
                state: reader.hold_state()?,
                lines: reader.lines()?,
                currency: reader.currency()?,
                expires_at_ms: reader.u64()?,
            }),
            7 => Self::Order(reader.order()?),
            _ => return Err(broken("an outcome of an unknown kind")),
        };
        if reader.0.is_empty() { Ok(outcome) } else { Err(broken("bytes after an outcome")) }
    }
}

/// Takes fields off the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn raw(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        let (taken, rest) = take(self.0, count)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let bytes = self.raw(N)?;
        Ok(bytes.try_into().expect("as many bytes as asked for"))
    }

    fn u8(&mut self) -> Result<u8, WireError> {
        Ok(self.array::<1>()?[0])
    }

    fn u16(&mut self) -> Result<u16, WireError> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, WireError> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, WireError> {
        self.array().map(u64::from_le_bytes)
    }

    fn i64(&mut self) -> Result<i64, WireError> {
        self.array().map(i64::from_le_bytes)
    }

    fn id(&mut self) -> Result<Id, WireError> {
        self.array().map(Id)
    }

    fn flag(&mut self) -> Result<bool, WireError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(broken("a flag is 0 or 1")),
        }
    }

    fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, WireError>,
    ) -> Result<Option<T>, WireError> {
        if self.flag()? { read(self).map(Some) } else { Ok(None) }
    }

    fn text(&mut self) -> Result<&'a str, WireError> {
        let count = self.u16()?;
        text(self.raw(usize::from(count))?)
    }

    fn large_text(&mut self) -> Result<&'a str, WireError> {
        let count = self.u32()?;
        text(self.raw(super::answer::length(count))?)
    }

    fn currency(&mut self) -> Result<Currency, WireError> {
        let bytes = self.array::<3>()?;
        text(&bytes).ok().and_then(Currency::parse).ok_or_else(|| broken("not a currency"))
    }

    fn money(&mut self) -> Result<Money, WireError> {
        Ok(Money { amount: self.i64()?, currency: self.currency()? })
    }

    fn line(&mut self) -> Result<PricedLine<'a>, WireError> {
        let (quantity, unit_price) = (self.u32()?, self.i64()?);
        Ok(PricedLine { sku: self.text()?, quantity, unit_price })
    }

    fn lines(&mut self) -> Result<Lines<'a>, WireError> {
        let (count, bytes_count) = (self.u16()?, self.u16()?);
        let bytes = self.raw(usize::from(bytes_count))?;
        let mut inside = Reader(bytes);
        for _ in 0..count {
            inside.line()?;
        }
        if inside.0.is_empty() {
            Ok(Lines { count, bytes })
        } else {
            Err(broken("bytes after the last line"))
        }
    }

    fn hold_state(&mut self) -> Result<HoldState, WireError> {
        Ok(match self.u8()? {
            1 => HoldState::Active,
            2 => HoldState::Released,
            3 => HoldState::Expired,
            4 => HoldState::Sold,
            5 => HoldState::Waiting,
            _ => return Err(broken("a state that a hold has not")),
        })
    }

    fn order_state(&mut self) -> Result<OrderState, WireError> {
        let state = OrderState::ALL.get(usize::from(self.u8()?));
        state.copied().ok_or_else(|| broken("a state that an order has not"))
    }

    fn product(&mut self) -> Result<Product<'a>, WireError> {
        let product = Product {
            created: self.flag()?,
            sku: self.text()?,
            name: self.text()?,
            price: self.money()?,
            attributes: self.large_text()?,
            received: self.u64()?,
            removed: self.u64()?,
            held: self.u64()?,
            sold: self.u64()?,
            version: self.u64()?,
        };
        let Product { received, removed, held, sold, .. } = product;
        let gone = [removed, held, sold].into_iter().try_fold(0_u64, u64::checked_add);
        match gone {
            Some(gone) if gone <= received => Ok(product),
            _ => Err(broken("a product has more units gone than received")),
        }
    }

    fn coupon(&mut self) -> Result<CouponView<'a>, WireError> {
        Ok(CouponView {
            created: self.flag()?,
            code: self.text()?,
            value: match self.u8()? {
                1 => super::CouponValue::Percent(self.u32()?),
                2 => super::CouponValue::Amount(self.money()?),
                _ => return Err(broken("a coupon of an unknown kind")),
            },
            uses_max: self.u64()?,
            currency: self.option(Self::currency)?,
            starts_at_ms: self.option(Self::u64)?,
            ends_at_ms: self.option(Self::u64)?,
            subtotal_min: self.option(Self::i64)?,
            uses: self.u64()?,
        })
    }

    fn order(&mut self) -> Result<Order<'a>, WireError> {
        let order = Order {
            order: self.id()?,
            state: self.order_state()?,
            lines: self.lines()?,
            currency: self.currency()?,
            subtotal: self.i64()?,
            discount: self.i64()?,
            tax: self.i64()?,
            total: self.i64()?,
            reason: self.option(Self::reason)?,
            encoded_history: {
                let count = self.u16()?;
                self.raw(usize::from(count))?
            },
        };
        let steps = order.encoded_history.len() / HISTORY_STEP_BYTES;
        let whole = order.encoded_history.len().is_multiple_of(HISTORY_STEP_BYTES);
        if order.history().count() == steps && whole {
            Ok(order)
        } else {
            Err(broken("an order's history"))
        }
    }

    fn reason(&mut self) -> Result<&'static str, WireError> {
        let place = usize::from(self.u8()?).checked_sub(1);
        let reason = place.and_then(|place| REASONS.get(place));
        reason.copied().ok_or_else(|| broken("a reason that nobody knows"))
    }
}
