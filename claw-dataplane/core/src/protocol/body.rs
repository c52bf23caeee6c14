//! Bodies of commands: fixed parts and texts, told apart and not yet judged.

use claw_common::id::Id;
use claw_common::limits::LINES_MAX;
use claw_common::text::read_text;
use claw_common::wire::{
    BASKET_CART, BASKET_HOLD, BASKET_LINES, COUPON_SUBTOTAL_MIN, CartItemBody, CheckoutBody,
    CommandKind, CouponBody, ExtendBody, HoldBody, IdBody, LineHeader, NameBody, PriceBody,
    ProductBody, StockBody,
};
use zerocopy::{FromBytes, Immutable, KnownLayout};

use super::{CommandView, ProtocolError};

/// What a body says.
#[derive(Clone, Copy, Debug)]
pub enum Asked<'a> {
    /// Of commands that name a SKU, a code or a session.
    Name(&'a str),
    /// Of commands that name a cart, a hold or an order.
    Id(Id),
    /// A product.
    Product(AskedProduct<'a>),
    /// SKU, units, reason.
    Stock(&'a str, i64, &'a str),
    /// SKU, minor units, currency.
    Price(&'a str, i64, &'a [u8; 3]),
    /// A coupon.
    Coupon(AskedCoupon<'a>),
    /// Cart, SKU, units.
    CartItem(Id, &'a str, u32),
    /// Session, milliseconds, lines.
    Hold(&'a str, u64, AskedLines<'a>),
    /// Hold, milliseconds.
    Extend(Id, u64),
    /// A basket to buy.
    Basket(AskedBasket<'a>),
}

/// A product as put.
#[derive(Clone, Copy, Debug)]
pub struct AskedProduct<'a> {
    /// SKU.
    pub sku: &'a str,
    /// Display name.
    pub name: &'a str,
    /// Unit price, minor units.
    pub price_amount: i64,
    /// Its currency.
    pub currency: &'a [u8; 3],
    /// A JSON object, or empty.
    pub attributes: &'a str,
    /// Only over this version.
    pub version_expected: Option<u64>,
}

/// A coupon as put.
#[derive(Clone, Copy, Debug)]
pub struct AskedCoupon<'a> {
    /// Code.
    pub code: &'a str,
    /// The fixed part.
    pub fixed: &'a CouponBody,
}

/// A checkout.
#[derive(Clone, Copy, Debug)]
pub struct AskedBasket<'a> {
    /// Shopper's session.
    pub session: &'a str,
    /// Coupon's code, or empty.
    pub coupon: &'a str,
    /// Region, or empty.
    pub region: &'a str,
    /// Payment token, or empty.
    pub payment: &'a str,
    /// Delivery address as a JSON object, or empty.
    pub ship_to: &'a str,
    /// What is bought.
    pub lines: AskedLines<'a>,
    /// The fixed part.
    pub fixed: &'a CheckoutBody,
}

/// Lines, checked for shape.
#[derive(Clone, Copy, Debug)]
pub struct AskedLines<'a> {
    count: usize,
    bytes: &'a [u8],
}

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskedLine<'a> {
    /// SKU.
    pub sku: &'a str,
    /// Units.
    pub quantity: u32,
}

impl<'a> AskedLines<'a> {
    /// How many.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// The lines as they were sent.
    pub fn iter(&self) -> impl Iterator<Item = AskedLine<'a>> + use<'a> {
        let mut cut = Cut(self.bytes);
        (0..self.count).map(move |_| cut.line().expect("checked when read"))
    }
}

impl<'a> CommandView<'a> {
    /// Reads the body.
    pub fn asked(&self) -> Result<Asked<'a>, ProtocolError> {
        let mut cut = Cut(self.body);
        let asked = match self.kind {
            CommandKind::ReadProduct | CommandKind::ReadCoupon | CommandKind::CreateCart => {
                let fixed: &NameBody = cut.fixed()?;
                zero(fixed.reserved == [0; 7])?;
                Asked::Name(cut.text(fixed.name_bytes.into())?)
            }
            CommandKind::ReadCart
            | CommandKind::ReadHold
            | CommandKind::ReleaseHold
            | CommandKind::ReadOrder
            | CommandKind::CancelOrder
            | CommandKind::ShipOrder
            | CommandKind::RefundOrder => Asked::Id(Id(cut.fixed::<IdBody>()?.id)),
            CommandKind::PutProduct => cut.product(self.versioned)?,
            CommandKind::MoveStock => cut.stock()?,
            CommandKind::ChangePrice => cut.price()?,
            CommandKind::PutCoupon => cut.coupon()?,
            CommandKind::SetCartItem => cut.cart_item()?,
            CommandKind::CreateHold => cut.hold()?,
            CommandKind::ExtendHold => {
                let fixed: &ExtendBody = cut.fixed()?;
                Asked::Extend(Id(fixed.hold), fixed.ttl_ms.get())
            }
            CommandKind::Checkout => cut.basket()?,
        };
        if cut.0.is_empty() { Ok(asked) } else { Err(ProtocolError("bytes follow the body")) }
    }
}

const fn zero(holds: bool) -> Result<(), ProtocolError> {
    if holds { Ok(()) } else { Err(ProtocolError("reserved bytes are zero")) }
}

/// What is left of a body.
struct Cut<'a>(&'a [u8]);

impl<'a> Cut<'a> {
    fn fixed<T: FromBytes + KnownLayout + Immutable + zerocopy::Unaligned>(
        &mut self,
    ) -> Result<&'a T, ProtocolError> {
        let (fixed, rest) =
            T::ref_from_prefix(self.0).ok().ok_or(ProtocolError("the body ends too early"))?;
        self.0 = rest;
        Ok(fixed)
    }

    fn text(&mut self, length: usize) -> Result<&'a str, ProtocolError> {
        let (text, rest) =
            self.0.split_at_checked(length).ok_or(ProtocolError("the body ends within a text"))?;
        self.0 = rest;
        read_text(text).ok_or(ProtocolError("texts are UTF-8"))
    }

    fn product(&mut self, versioned: bool) -> Result<Asked<'a>, ProtocolError> {
        let fixed: &ProductBody = self.fixed()?;
        zero(fixed.reserved.get() == 0 && fixed.reserved_tail.get() == 0)?;
        let version_expected = versioned.then(|| fixed.version_expected.get());
        zero(versioned || fixed.version_expected.get() == 0)?;
        let attributes_bytes = usize::try_from(fixed.attributes_bytes.get()).unwrap_or(usize::MAX);
        Ok(Asked::Product(AskedProduct {
            sku: self.text(fixed.sku_bytes.into())?,
            name: self.text(fixed.name_bytes.get().into())?,
            price_amount: fixed.price_amount.get(),
            currency: &fixed.currency,
            attributes: self.text(attributes_bytes)?,
            version_expected,
        }))
    }

    fn stock(&mut self) -> Result<Asked<'a>, ProtocolError> {
        let fixed: &StockBody = self.fixed()?;
        zero(fixed.reserved == 0 && fixed.reserved_tail.get() == 0)?;
        let sku = self.text(fixed.sku_bytes.into())?;
        Ok(Asked::Stock(sku, fixed.delta.get(), self.text(fixed.reason_bytes.get().into())?))
    }

    fn price(&mut self) -> Result<Asked<'a>, ProtocolError> {
        let fixed: &PriceBody = self.fixed()?;
        zero(fixed.reserved.get() == 0)?;
        let sku = self.text(fixed.sku_bytes.into())?;
        Ok(Asked::Price(sku, fixed.price_amount.get(), &fixed.currency))
    }

    fn coupon(&mut self) -> Result<Asked<'a>, ProtocolError> {
        let fixed: &CouponBody = self.fixed()?;
        let bounded = fixed.flags == COUPON_SUBTOTAL_MIN;
        let flags_known = bounded || fixed.flags == 0 && fixed.subtotal_min.get() == 0;
        zero(flags_known && fixed.reserved.get() == 0)?;
        Ok(Asked::Coupon(AskedCoupon { code: self.text(fixed.code_bytes.into())?, fixed }))
    }

    fn cart_item(&mut self) -> Result<Asked<'a>, ProtocolError> {
        let fixed: &CartItemBody = self.fixed()?;
        zero(fixed.reserved == [0; 3])?;
        let sku = self.text(fixed.sku_bytes.into())?;
        Ok(Asked::CartItem(Id(fixed.cart), sku, fixed.quantity.get()))
    }

    fn hold(&mut self) -> Result<Asked<'a>, ProtocolError> {
        let fixed: &HoldBody = self.fixed()?;
        zero(fixed.reserved == 0 && fixed.reserved_tail.get() == 0)?;
        let session = self.text(fixed.session_bytes.into())?;
        let lines = self.lines(fixed.lines_count.get().into())?;
        Ok(Asked::Hold(session, fixed.ttl_ms.get(), lines))
    }

    fn basket(&mut self) -> Result<Asked<'a>, ProtocolError> {
        let fixed: &CheckoutBody = self.fixed()?;
        zero(fixed.reserved == 0 && fixed.reserved_tail == [0; 6])?;
        let (named, counted) = (fixed.basket != [0; 16], fixed.lines_count.get() > 0);
        match fixed.basket_kind {
            BASKET_HOLD | BASKET_CART if !counted => {}
            BASKET_LINES if !named => {}
            _ => return Err(ProtocolError("a checkout buys a hold (1), a cart (2) or lines (3)")),
        }
        let ship_to_bytes = usize::try_from(fixed.ship_to_bytes.get()).unwrap_or(usize::MAX);
        Ok(Asked::Basket(AskedBasket {
            session: self.text(fixed.session_bytes.into())?,
            coupon: self.text(fixed.coupon_bytes.into())?,
            region: self.text(fixed.region_bytes.get().into())?,
            payment: self.text(fixed.payment_bytes.get().into())?,
            ship_to: self.text(ship_to_bytes)?,
            lines: self.lines(fixed.lines_count.get().into())?,
            fixed,
        }))
    }

    fn lines(&mut self, count: usize) -> Result<AskedLines<'a>, ProtocolError> {
        // One more, so that the schema's own "too many" is what is told.
        if count > LINES_MAX + 1 {
            return Err(ProtocolError("a basket has at most 32 lines"));
        }
        let bytes = self.0;
        for _ in 0..count {
            self.line()?;
        }
        Ok(AskedLines { count, bytes: &bytes[..bytes.len() - self.0.len()] })
    }

    fn line(&mut self) -> Result<AskedLine<'a>, ProtocolError> {
        let fixed: &LineHeader = self.fixed()?;
        zero(fixed.reserved == [0; 3])?;
        Ok(AskedLine { sku: self.text(fixed.sku_bytes.into())?, quantity: fixed.quantity.get() })
    }
}
