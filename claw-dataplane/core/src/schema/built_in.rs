//! The built-in event types and the values the shell asks about.
//!
//! Their members are declared in `built_in.toml`, in the language stores use. What they mean is
//! the core's business and not written here.

use claw_common::money::Money;
use serde_json::Value;

use crate::command::Command;

/// The event types every store has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BuiltIn {
    /// `PUT /v1/products/{sku}`.
    ProductPut,
    /// `POST /v1/products/{sku}/stock`.
    StockMoved,
    /// `POST /v1/products/{sku}/price`.
    PriceChanged,
    /// `PUT /v1/coupons/{code}`.
    CouponPut,
    /// `POST /v1/carts`.
    CartCreated,
    /// `PUT /v1/carts/{cart}/items/{sku}`.
    CartChanged,
    /// `POST /v1/holds`.
    HoldGranted,
    /// `POST /v1/holds/{id}/extend`.
    HoldExtended,
    /// `DELETE /v1/holds/{id}`.
    HoldReleased,
    /// The node's own: a hold's time is up.
    HoldExpired,
    /// `POST /v1/checkouts`.
    OrderStarted,
    /// The node's own: an order took a step.
    OrderAdvanced,
    /// The node's own: an order is placed.
    OrderPlaced,
    /// `POST /v1/orders/{id}/cancel`, or the node's own.
    OrderCancelled,
    /// `POST /v1/orders/{id}/ship`.
    OrderShipped,
    /// `POST /v1/orders/{id}/refund`.
    OrderRefunded,
    /// The node's own: a command was decided with a "no" that is remembered.
    CommandRefused,
    /// A key is trusted from here on.
    KeyAdded,
    /// A key is no longer trusted from here on.
    KeyRevoked,
}

impl BuiltIn {
    /// All of them. New ones go to the end: [`BuiltIn::code`] is in the log.
    pub const ALL: [Self; 19] = [
        Self::ProductPut,
        Self::StockMoved,
        Self::PriceChanged,
        Self::CouponPut,
        Self::CartCreated,
        Self::CartChanged,
        Self::HoldGranted,
        Self::HoldExtended,
        Self::HoldReleased,
        Self::HoldExpired,
        Self::OrderStarted,
        Self::OrderAdvanced,
        Self::OrderPlaced,
        Self::OrderCancelled,
        Self::OrderShipped,
        Self::OrderRefunded,
        Self::CommandRefused,
        Self::KeyAdded,
        Self::KeyRevoked,
    ];

    /// The name a schema uses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProductPut => "product-put",
            Self::StockMoved => "stock-moved",
            Self::PriceChanged => "price-changed",
            Self::CouponPut => "coupon-put",
            Self::CartCreated => "cart-created",
            Self::CartChanged => "cart-changed",
            Self::HoldGranted => "hold-granted",
            Self::HoldExtended => "hold-extended",
            Self::HoldReleased => "hold-released",
            Self::HoldExpired => "hold-expired",
            Self::OrderStarted => "order-started",
            Self::OrderAdvanced => "order-advanced",
            Self::OrderPlaced => "order-placed",
            Self::OrderCancelled => "order-cancelled",
            Self::OrderShipped => "order-shipped",
            Self::OrderRefunded => "order-refunded",
            Self::CommandRefused => "command-refused",
            Self::KeyAdded => "key-added",
            Self::KeyRevoked => "key-revoked",
        }
    }

    /// The type of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.name() == name)
    }

    /// True when a request with a body causes it, so that a store may declare extra members.
    pub const fn takes_body(self) -> bool {
        matches!(
            self,
            Self::ProductPut
                | Self::StockMoved
                | Self::PriceChanged
                | Self::CouponPut
                | Self::CartCreated
                | Self::CartChanged
                | Self::HoldGranted
                | Self::HoldExtended
                | Self::OrderStarted
        )
    }

    /// True when its request names a shopper's session, cart or hold, so that personal members have
    /// somebody they are about.
    pub const fn has_subject(self) -> bool {
        matches!(
            self,
            Self::CartCreated
                | Self::CartChanged
                | Self::HoldGranted
                | Self::HoldExtended
                | Self::OrderStarted
        )
    }

    /// Its number in records; 0 is none. Numbers are never used again for another type.
    pub fn code(self) -> u16 {
        u16::try_from(self.index() + 1).expect("a handful")
    }

    /// The type with this number.
    pub fn from_code(code: u16) -> Option<Self> {
        let index = usize::from(code).checked_sub(1)?;
        Self::ALL.get(index).copied()
    }

    /// The type whose extra members a command's request may have.
    pub const fn asked_by(command: &Command<'_>) -> Option<Self> {
        Some(match command {
            Command::PutProduct { .. } => Self::ProductPut,
            Command::MoveStock { .. } => Self::StockMoved,
            Command::ChangePrice { .. } => Self::PriceChanged,
            Command::PutCoupon { .. } => Self::CouponPut,
            Command::CreateCart { .. } => Self::CartCreated,
            Command::SetCartItem { .. } => Self::CartChanged,
            Command::CreateHold { .. } | Command::JoinLine { .. } => Self::HoldGranted,
            Command::ExtendHold { .. } => Self::HoldExtended,
            Command::Checkout { .. } => Self::OrderStarted,
            _ => return None,
        })
    }

    /// Its place in [`BuiltIn::ALL`].
    pub fn index(self) -> usize {
        Self::ALL.iter().position(|event| *event == self).expect("ALL holds every type")
    }
}

/// A built-in member's value, already decoded, as the shell asks about it.
#[derive(Clone, Copy, Debug)]
pub enum FieldValue<'a> {
    /// The request does not have the member.
    Absent,
    /// How many entries a list has.
    Count(usize),
    /// A whole number.
    Integer(i64),
    /// Free JSON.
    Json(&'a Value),
    /// An amount.
    Money(Money),
    /// Text of any type that is written as text.
    Text(&'a str),
}
