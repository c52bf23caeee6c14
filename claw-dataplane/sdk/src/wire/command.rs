//! Commands as a caller says them, and their bytes.
//!
//! [`Command::encode`] writes at the end of the send buffer, in place: nothing is built beside it.
//! Lengths that the layout cannot hold are refused before a byte is written; whether a value is
//! allowed is the node's to say, with a problem that names the member.

use claw_common::id::{Id, Position, ShardId, shard_of_key};
use claw_common::money::Money;
use claw_common::time::UnixMs;
use claw_common::wire::{
    AfterEntry, BASKET_CART, BASKET_HOLD, BASKET_LINES, COUPON_AMOUNT, COUPON_PERCENT,
    COUPON_SUBTOTAL_MIN, CartItemBody, CheckoutBody, CommandHeader, CommandKind, CouponBody,
    ExtendBody, FLAG_VERSION, HoldBody, IdBody, LineHeader, NameBody, PriceBody, ProductBody,
    StockBody,
};
use zerocopy::IntoBytes as _;

use super::error::WireError;

/// Some units of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Which.
    pub sku: &'a str,
    /// How many, at least 1.
    pub quantity: u32,
}

/// What a checkout buys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basket<'a> {
    /// What a hold reserved.
    Hold(Id),
    /// What lies in a cart.
    Cart(Id),
    /// These lines.
    Lines(&'a [Line<'a>]),
}

/// What a coupon is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CouponValue {
    /// Hundredths of a percent of the subtotal.
    Percent(u32),
    /// A fixed amount.
    Amount(Money),
}

/// A coupon's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coupon<'a> {
    /// What a shopper types.
    pub code: &'a str,
    /// Worth.
    pub value: CouponValue,
    /// Uses it has in all.
    pub uses_max: i64,
    /// Not before.
    pub starts_at_ms: Option<UnixMs>,
    /// Not at or after.
    pub ends_at_ms: Option<UnixMs>,
    /// Smallest subtotal, minor units.
    pub subtotal_min: Option<i64>,
}

/// A checkout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkout<'a> {
    /// The shopper's session.
    pub session: &'a str,
    /// What is bought.
    pub basket: Basket<'a>,
    /// Coupon code, or empty.
    pub coupon: &'a str,
    /// Region for tax, or empty.
    pub region: &'a str,
    /// Payment token; empty in a store whose payments are `none`.
    pub payment_token: &'a str,
    /// Delivery address, a JSON object, or empty.
    pub ship_to: &'a str,
    /// Answer only when the order is placed or cancelled, at the latest after this; 0: at once.
    pub wait_ms: u32,
}

/// What can be asked. What each does is said at the route of the same name over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// Create or replace a product; `attributes` is a JSON object or empty.
    PutProduct {
        /// Which.
        sku: &'a str,
        /// Display name.
        name: &'a str,
        /// Unit price.
        price: Money,
        /// JSON object, or empty.
        attributes: &'a str,
        /// Only over this version.
        version_expected: Option<u64>,
    },
    /// Read a product.
    ReadProduct {
        /// Which.
        sku: &'a str,
    },
    /// Receive (above 0) or remove (below 0) stock.
    MoveStock {
        /// Which.
        sku: &'a str,
        /// Units, not 0.
        delta: i64,
        /// Why.
        reason: &'a str,
    },
    /// Change the price of holds to come.
    ChangePrice {
        /// Which.
        sku: &'a str,
        /// New unit price.
        price: Money,
    },
    /// Create or replace a coupon.
    PutCoupon(Coupon<'a>),
    /// Read a coupon.
    ReadCoupon {
        /// Its code.
        code: &'a str,
    },
    /// Make an empty cart.
    CreateCart {
        /// The shopper's session.
        session: &'a str,
    },
    /// Set a line of a cart; 0 units remove it.
    SetCartItem {
        /// Cart.
        cart: Id,
        /// Which and how many.
        line: Line<'a>,
    },
    /// Read a cart.
    ReadCart {
        /// Cart.
        cart: Id,
    },
    /// Reserve stock: all lines or none.
    CreateHold {
        /// The shopper's session.
        session: &'a str,
        /// What.
        lines: &'a [Line<'a>],
        /// How long; `None` for what the store says.
        ttl_ms: Option<u64>,
    },
    /// Read a hold.
    ReadHold {
        /// Hold.
        hold: Id,
    },
    /// Give a hold's stock back.
    ReleaseHold {
        /// Hold.
        hold: Id,
    },
    /// Let a hold live `ttl_ms` from now.
    ExtendHold {
        /// Hold.
        hold: Id,
        /// Milliseconds from now.
        ttl_ms: u64,
    },
    /// Buy.
    Checkout(Checkout<'a>),
    /// Read an order.
    ReadOrder {
        /// Order.
        order: Id,
    },
    /// Cancel an order.
    CancelOrder {
        /// Order.
        order: Id,
    },
    /// Mark an order as shipped.
    ShipOrder {
        /// Order.
        order: Id,
    },
    /// Pay an order back.
    RefundOrder {
        /// Order.
        order: Id,
    },
}

/// What goes with a command; nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extras<'a> {
    /// The answer must have seen these positions, else it is the problem `behind`.
    pub after: &'a [Position],
    /// The store's own members, a JSON object; empty for none.
    pub members: &'a str,
}

impl Command<'_> {
    /// Its number in the protocol.
    pub const fn kind(&self) -> CommandKind {
        match self {
            Command::PutProduct { .. } => CommandKind::PutProduct,
            Command::ReadProduct { .. } => CommandKind::ReadProduct,
            Command::MoveStock { .. } => CommandKind::MoveStock,
            Command::ChangePrice { .. } => CommandKind::ChangePrice,
            Command::PutCoupon(_) => CommandKind::PutCoupon,
            Command::ReadCoupon { .. } => CommandKind::ReadCoupon,
            Command::CreateCart { .. } => CommandKind::CreateCart,
            Command::SetCartItem { .. } => CommandKind::SetCartItem,
            Command::ReadCart { .. } => CommandKind::ReadCart,
            Command::CreateHold { .. } => CommandKind::CreateHold,
            Command::ReadHold { .. } => CommandKind::ReadHold,
            Command::ReleaseHold { .. } => CommandKind::ReleaseHold,
            Command::ExtendHold { .. } => CommandKind::ExtendHold,
            Command::Checkout(_) => CommandKind::Checkout,
            Command::ReadOrder { .. } => CommandKind::ReadOrder,
            Command::CancelOrder { .. } => CommandKind::CancelOrder,
            Command::ShipOrder { .. } => CommandKind::ShipOrder,
            Command::RefundOrder { .. } => CommandKind::RefundOrder,
        }
    }

    /// The shard that decides it in a store of `shards_count` shards (more than 0), or the first
    /// one when its id names none: the node then says that there is nothing of that name.
    pub fn shard(&self, shards_count: u16) -> ShardId {
        let of_id = |id: Id| if id.home().0 < shards_count { id.home() } else { ShardId(0) };
        let of_lines = |lines: &[Line<'_>]| {
            let first = lines.iter().map(|line| line.sku).min().unwrap_or("");
            shard_of_key(first, shards_count)
        };
        match *self {
            Command::PutProduct { sku: key, .. }
            | Command::ReadProduct { sku: key }
            | Command::MoveStock { sku: key, .. }
            | Command::ChangePrice { sku: key, .. }
            | Command::PutCoupon(Coupon { code: key, .. })
            | Command::ReadCoupon { code: key }
            | Command::CreateCart { session: key } => shard_of_key(key, shards_count),
            Command::SetCartItem { cart: id, .. }
            | Command::ReadCart { cart: id }
            | Command::ReadHold { hold: id }
            | Command::ReleaseHold { hold: id }
            | Command::ExtendHold { hold: id, .. }
            | Command::ReadOrder { order: id }
            | Command::CancelOrder { order: id }
            | Command::ShipOrder { order: id }
            | Command::RefundOrder { order: id } => of_id(id),
            Command::CreateHold { lines, .. } => of_lines(lines),
            Command::Checkout(checkout) => match checkout.basket {
                Basket::Hold(id) | Basket::Cart(id) => of_id(id),
                Basket::Lines(lines) => of_lines(lines),
            },
        }
    }

    /// Appends its bytes under a number; nothing is appended when it is refused.
    pub fn encode(
        &self,
        out: &mut Vec<u8>,
        sequence: u64,
        extras: Extras<'_>,
    ) -> Result<(), WireError> {
        let start = out.len();
        let written = self.encode_whole(out, sequence, extras);
        if written.is_err() {
            out.truncate(start);
        }
        written
    }

    fn encode_whole(
        &self,
        out: &mut Vec<u8>,
        sequence: u64,
        extras: Extras<'_>,
    ) -> Result<(), WireError> {
        let start = out.len();
        let flags = match self {
            Command::PutProduct { version_expected: Some(_), .. } => FLAG_VERSION,
            _ => 0,
        };
        let mut header = CommandHeader {
            length_bytes: 0.into(),
            kind: self.kind() as u8,
            after_count: small(extras.after.len(), "after")?,
            flags: flags.into(),
            sequence: sequence.into(),
            extra_bytes: large(extras.members.len(), "members")?.into(),
            reserved: 0.into(),
        };
        out.extend_from_slice(header.as_bytes());
        for position in extras.after {
            let entry =
                AfterEntry { shard: position.shard.0.into(), sequence: position.sequence.into() };
            out.extend_from_slice(entry.as_bytes());
        }
        self.encode_body(out)?;
        out.extend_from_slice(extras.members.as_bytes());
        header.length_bytes = large(out.len() - start, "the command")?.into();
        out[start..start + 4].copy_from_slice(header.length_bytes.as_bytes());
        Ok(())
    }

    fn encode_body(&self, out: &mut Vec<u8>) -> Result<(), WireError> {
        match *self {
            Command::PutProduct { sku, name, price, attributes, version_expected } => {
                let body = ProductBody {
                    price_amount: price.amount.into(),
                    version_expected: version_expected.unwrap_or(0).into(),
                    currency: price.currency.bytes(),
                    sku_bytes: small(sku.len(), "sku")?,
                    name_bytes: medium(name.len(), "name")?.into(),
                    reserved: 0.into(),
                    attributes_bytes: large(attributes.len(), "attributes")?.into(),
                    reserved_tail: 0.into(),
                };
                put(out, body.as_bytes(), &[sku, name, attributes]);
            }
            Command::MoveStock { sku, delta, reason } => {
                let body = StockBody {
                    delta: delta.into(),
                    sku_bytes: small(sku.len(), "sku")?,
                    reserved: 0,
                    reason_bytes: medium(reason.len(), "reason")?.into(),
                    reserved_tail: 0.into(),
                };
                put(out, body.as_bytes(), &[sku, reason]);
            }
            Command::ChangePrice { sku, price } => {
                let body = PriceBody {
                    price_amount: price.amount.into(),
                    currency: price.currency.bytes(),
                    sku_bytes: small(sku.len(), "sku")?,
                    reserved: 0.into(),
                };
                put(out, body.as_bytes(), &[sku]);
            }
            Command::ReadProduct { sku: name }
            | Command::ReadCoupon { code: name }
            | Command::CreateCart { session: name } => {
                let body = NameBody { name_bytes: small(name.len(), "name")?, reserved: [0; 7] };
                put(out, body.as_bytes(), &[name]);
            }
            Command::ReadCart { cart: id }
            | Command::ReadHold { hold: id }
            | Command::ReleaseHold { hold: id }
            | Command::ReadOrder { order: id }
            | Command::CancelOrder { order: id }
            | Command::ShipOrder { order: id }
            | Command::RefundOrder { order: id } => put(out, IdBody { id: id.0 }.as_bytes(), &[]),
            Command::ExtendHold { hold, ttl_ms } => {
                put(out, ExtendBody { hold: hold.0, ttl_ms: ttl_ms.into() }.as_bytes(), &[]);
            }
            Command::SetCartItem { cart, line } => {
                let body = CartItemBody {
                    cart: cart.0,
                    quantity: line.quantity.into(),
                    sku_bytes: small(line.sku.len(), "sku")?,
                    reserved: [0; 3],
                };
                put(out, body.as_bytes(), &[line.sku]);
            }
            Command::PutCoupon(coupon) => encode_coupon(out, &coupon)?,
            Command::CreateHold { session, lines, ttl_ms } => {
                encode_hold(out, (session, lines), ttl_ms)?;
            }
            Command::Checkout(checkout) => encode_checkout(out, &checkout)?,
        }
        Ok(())
    }
}

fn encode_hold(
    out: &mut Vec<u8>,
    (session, lines): (&str, &[Line<'_>]),
    ttl_ms: Option<u64>,
) -> Result<(), WireError> {
    let body = HoldBody {
        ttl_ms: ttl_ms.unwrap_or(0).into(),
        session_bytes: small(session.len(), "session")?,
        reserved: 0,
        lines_count: medium(lines.len(), "lines")?.into(),
        reserved_tail: 0.into(),
    };
    put(out, body.as_bytes(), &[session]);
    encode_lines(out, lines)
}

fn encode_coupon(out: &mut Vec<u8>, coupon: &Coupon<'_>) -> Result<(), WireError> {
    let (kind, value, currency) = match coupon.value {
        CouponValue::Percent(hundredths) => (COUPON_PERCENT, i64::from(hundredths), [0; 3]),
        CouponValue::Amount(money) => (COUPON_AMOUNT, money.amount, money.currency.bytes()),
    };
    let flags = if coupon.subtotal_min.is_some() { COUPON_SUBTOTAL_MIN } else { 0 };
    let body = CouponBody {
        value: value.into(),
        uses_max: coupon.uses_max.into(),
        starts_at_ms: coupon.starts_at_ms.unwrap_or(0).into(),
        ends_at_ms: coupon.ends_at_ms.unwrap_or(0).into(),
        subtotal_min: coupon.subtotal_min.unwrap_or(0).into(),
        currency,
        code_bytes: small(coupon.code.len(), "code")?,
        kind,
        flags,
        reserved: 0.into(),
    };
    put(out, body.as_bytes(), &[coupon.code]);
    Ok(())
}

fn encode_checkout(out: &mut Vec<u8>, checkout: &Checkout<'_>) -> Result<(), WireError> {
    let (basket_kind, basket, lines): (_, _, &[Line<'_>]) = match checkout.basket {
        Basket::Hold(id) => (BASKET_HOLD, id.0, &[]),
        Basket::Cart(id) => (BASKET_CART, id.0, &[]),
        Basket::Lines(lines) => (BASKET_LINES, [0; 16], lines),
    };
    let Checkout { session, coupon, region, payment_token, ship_to, .. } = *checkout;
    let body = CheckoutBody {
        basket,
        wait_ms: checkout.wait_ms.into(),
        basket_kind,
        session_bytes: small(session.len(), "session")?,
        coupon_bytes: small(coupon.len(), "coupon")?,
        reserved: 0,
        region_bytes: medium(region.len(), "region")?.into(),
        payment_bytes: medium(payment_token.len(), "payment")?.into(),
        ship_to_bytes: large(ship_to.len(), "ship_to")?.into(),
        lines_count: medium(lines.len(), "lines")?.into(),
        reserved_tail: [0; 6],
    };
    put(out, body.as_bytes(), &[session, coupon, region, payment_token, ship_to]);
    encode_lines(out, lines)
}

fn encode_lines(out: &mut Vec<u8>, lines: &[Line<'_>]) -> Result<(), WireError> {
    for line in lines {
        let header = LineHeader {
            quantity: line.quantity.into(),
            sku_bytes: small(line.sku.len(), "sku")?,
            reserved: [0; 3],
        };
        put(out, header.as_bytes(), &[line.sku]);
    }
    Ok(())
}

fn put(out: &mut Vec<u8>, fixed: &[u8], texts: &[&str]) {
    out.extend_from_slice(fixed);
    for text in texts {
        out.extend_from_slice(text.as_bytes());
    }
}

fn small(length: usize, member: &'static str) -> Result<u8, WireError> {
    u8::try_from(length).map_err(|_too_long| WireError::TooLong { member })
}

fn medium(length: usize, member: &'static str) -> Result<u16, WireError> {
    u16::try_from(length).map_err(|_too_long| WireError::TooLong { member })
}

fn large(length: usize, member: &'static str) -> Result<u32, WireError> {
    u32::try_from(length).map_err(|_too_long| WireError::TooLong { member })
}
