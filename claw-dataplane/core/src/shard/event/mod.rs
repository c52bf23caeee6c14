//! Events: the facts a shard writes. Nothing else changes durable state.
//!
//! An event says what was decided, not what was asked: replay asks no question again. Payloads are
//! sequential fields (`codec`), versioned per kind; the store's own extra fields and the remembered
//! answer travel beside the payload, in the record.

mod codec;
mod fields;
mod kind;

pub use fields::{FieldValue, Visitor};
pub use kind::EventKind;

use claw_common::id::{Id, ShardId};
use claw_common::money::{Currency, Money};
use claw_common::time::UnixMs;

use super::message::{PartKey, Sold};
use crate::command::CouponTerms;
use crate::lines::Lines;
use crate::outcome::CancelReason;
use crate::payment::{PaymentStep, Verdict};

/// A decided fact.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event<'a> {
    /// See [`EventKind::ProductPut`].
    ProductPut {
        /// SKU.
        sku: &'a str,
        /// Display name.
        name: &'a str,
        /// Unit price.
        price: Money,
        /// Canonical JSON object, or empty.
        attributes: &'a str,
        /// The version of their declaration they were written with.
        attributes_version: u16,
    },
    /// See [`EventKind::StockMoved`].
    StockMoved {
        /// SKU.
        sku: &'a str,
        /// Units.
        delta: i64,
        /// Why.
        reason: &'a str,
    },
    /// See [`EventKind::PriceChanged`].
    PriceChanged {
        /// SKU.
        sku: &'a str,
        /// New unit price.
        price: Money,
    },
    /// See [`EventKind::CouponPut`].
    CouponPut {
        /// Code.
        code: &'a str,
        /// Terms.
        terms: CouponTerms,
    },
    /// See [`EventKind::CartCreated`].
    CartCreated {
        /// Cart.
        cart: Id,
        /// Whose.
        session: &'a str,
    },
    /// See [`EventKind::CartChanged`].
    CartChanged {
        /// Cart.
        cart: Id,
        /// SKU.
        sku: &'a str,
        /// Units; 0 removed it.
        quantity: u32,
        /// Unit price read when it was set.
        price: Money,
    },
    /// See [`EventKind::HoldReserving`].
    HoldReserving {
        /// Hold.
        hold: Id,
        /// Whose.
        session: &'a str,
        /// Currency of the home's lines, which all must share.
        currency: Currency,
        /// How long from the grant, milliseconds.
        ttl_ms: u64,
        /// All lines; those of other shards have no price yet.
        lines: Lines<'a>,
    },
    /// See [`EventKind::HoldGranted`].
    HoldGranted {
        /// Hold.
        hold: Id,
        /// Whose.
        session: &'a str,
        /// Currency of all lines.
        currency: Currency,
        /// When it ends.
        expires_at_ms: UnixMs,
        /// All lines with their prices.
        lines: Lines<'a>,
    },
    /// See [`EventKind::HoldWaiting`].
    HoldWaiting {
        /// Hold.
        hold: Id,
        /// Whose.
        session: &'a str,
        /// Currency of the line.
        currency: Currency,
        /// How long from the grant, milliseconds.
        ttl_ms: u64,
        /// When it stops waiting.
        until_ms: UnixMs,
        /// The line, at the price of the moment.
        lines: Lines<'a>,
    },
    /// See [`EventKind::HoldExtended`].
    HoldExtended {
        /// Hold.
        hold: Id,
        /// When it ends now.
        expires_at_ms: UnixMs,
    },
    /// See [`EventKind::HoldReleased`].
    HoldReleased {
        /// Hold.
        hold: Id,
    },
    /// See [`EventKind::HoldExpired`].
    HoldExpired {
        /// Hold.
        hold: Id,
    },
    /// See [`EventKind::HoldRefused`].
    HoldRefused {
        /// Hold.
        hold: Id,
        /// Bit per shard that was asked and must give back.
        asked: u64,
    },
    /// See [`EventKind::MemberHeld`].
    MemberHeld {
        /// Names the reservation.
        key: PartKey,
        /// Who decides about it.
        home: ShardId,
        /// Lines of this shard, with prices.
        lines: Lines<'a>,
    },
    /// See [`EventKind::MemberCouponHeld`].
    MemberCouponHeld {
        /// Names the reservation.
        key: PartKey,
        /// Who decides about it.
        home: ShardId,
        /// Code.
        code: &'a str,
        /// Minor units off.
        discount: i64,
    },
    /// See [`EventKind::MemberSettled`].
    MemberSettled {
        /// Names the reservation.
        key: PartKey,
    },
    /// See [`EventKind::MemberUndone`].
    MemberUndone {
        /// Names the reservation.
        key: PartKey,
        /// Who decides about it.
        home: ShardId,
        /// What comes back although the reservation itself is not known any more.
        sold: Sold<'a>,
    },
    /// See [`EventKind::MemberAcknowledged`].
    MemberAcknowledged {
        /// Names the reservation.
        key: PartKey,
        /// Who has done it.
        member: ShardId,
        /// Phase reached.
        phase: u8,
    },
    /// See [`EventKind::OrderCreated`].
    OrderCreated(OrderCreated<'a>),
    /// See [`EventKind::OrderPartHeld`].
    OrderPartHeld {
        /// Order.
        order: Id,
    },
    /// See [`EventKind::OrderConfirming`].
    OrderConfirming {
        /// Order.
        order: Id,
        /// What the coupon takes off, minor units.
        discount: i64,
        /// All lines with their prices.
        lines: Lines<'a>,
    },
    /// See [`EventKind::OrderPlaced`].
    OrderPlaced {
        /// Order.
        order: Id,
    },
    /// See [`EventKind::OrderCancelled`].
    OrderCancelled {
        /// Order.
        order: Id,
        /// Why.
        reason: CancelReason,
        /// Bit per shard that was asked for lines and must give back.
        asked: u64,
        /// Whether another shard was asked for the coupon and must give back.
        coupon_asked: bool,
    },
    /// See [`EventKind::OrderShipped`].
    OrderShipped {
        /// Order.
        order: Id,
    },
    /// See [`EventKind::OrderRefunded`].
    OrderRefunded {
        /// Order.
        order: Id,
    },
    /// See [`EventKind::OrderAuthorizing`].
    OrderAuthorizing {
        /// Order.
        order: Id,
        /// What the coupon takes off, minor units.
        discount: i64,
        /// All lines with their prices.
        lines: Lines<'a>,
    },
    /// See [`EventKind::OrderCapturing`].
    OrderCapturing {
        /// Order.
        order: Id,
    },
    /// See [`EventKind::CheckoutFailed`].
    CheckoutFailed(CheckoutFailed<'a>),
    /// See [`EventKind::PaymentAnswered`].
    PaymentAnswered {
        /// Order.
        order: Id,
        /// What had been asked.
        step: PaymentStep,
        /// What came of it; a secret of the shopper's is never in it.
        verdict: Verdict<'a>,
        /// When it is asked again; 0 where the answer is final.
        retry_at_ms: UnixMs,
    },
    /// See [`EventKind::SagaParked`].
    SagaParked {
        /// Order.
        order: Id,
    },
    /// See [`EventKind::SagaRetried`].
    SagaRetried {
        /// Order.
        order: Id,
    },
    /// See [`EventKind::CommandRefused`].
    CommandRefused,
    /// See [`EventKind::CommandUnchanged`].
    CommandUnchanged,
    /// See [`EventKind::KeyChanged`].
    KeyChanged(KeyChanged<'a>),
    /// See [`EventKind::StoreEvent`].
    StoreEvent {
        /// Event.
        event: Id,
        /// The type's name in the State-Schema.
        name: &'a str,
        /// The version of the type its members are written with.
        version: u16,
        /// Canonical JSON object, or empty.
        members: &'a str,
    },
    /// See [`EventKind::SubjectForgotten`].
    SubjectForgotten(SubjectForgotten<'a>),
}

/// A checkout as it began.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OrderCreated<'a> {
    /// Order.
    pub order: Id,
    /// Whose.
    pub session: &'a str,
    /// The hold it was made from.
    pub hold: Option<Id>,
    /// The cart it was made from.
    pub cart: Option<Id>,
    /// Currency of all lines.
    pub currency: Currency,
    /// When it is cancelled unless confirmed.
    pub deadline_ms: UnixMs,
    /// Whether the home's lines are reserved by this event (never for a hold's: they are already).
    pub held: bool,
    /// All lines; those of other shards may have no price yet.
    pub lines: Lines<'a>,
    /// Coupon code.
    pub coupon: Option<&'a str>,
    /// Delivery address as canonical JSON, or empty.
    pub ship_to: &'a str,
    /// Region for tax, or empty.
    pub region: &'a str,
    /// The gateway's token for the means of payment; empty where none was given, `None` where the
    /// store took no payments.
    pub payment: Option<&'a str>,
}

/// A checkout that came to nothing, as it was in that moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckoutFailed<'a> {
    /// Order.
    pub order: Id,
    /// Whose.
    pub session: &'a str,
    /// Why.
    pub reason: CancelReason,
    /// Index of the step it failed at, see [`crate::saga::catalog::checkout`].
    pub step: u8,
    /// What was to be paid, as far as prices were known.
    pub total: Money,
    /// Units of all lines.
    pub units: u64,
    /// Count of lines.
    pub lines_count: u16,
    /// Milliseconds from its beginning.
    pub age_ms: u64,
    /// Attempts of the step that came to nothing before.
    pub attempts: u16,
    /// Whether it was made from a hold.
    pub from_hold: bool,
    /// Whether it named a coupon.
    pub has_coupon: bool,
    /// The last reason that the gateway, or the vault, gave; empty for none.
    pub code: &'a str,
}

/// A key as it is from here on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyChanged<'a> {
    /// Number in the registry.
    pub number: u32,
    /// `keyid`.
    pub name: &'a str,
    /// Role.
    pub role: &'a str,
    /// 1 ed25519, 2 hmac-sha256.
    pub algorithm: u16,
    /// Public key, or the digest of a secret.
    pub public: [u8; 32],
    /// Whether it is revoked.
    pub revoked: bool,
}

/// A subject whose keys are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubjectForgotten<'a> {
    /// Its place among all that were forgotten, counted from 1.
    pub number: u64,
    /// BLAKE3 of the subject's name, cut to 16 bytes.
    pub subject: [u8; 16],
    /// When the keys were destroyed.
    pub at_ms: UnixMs,
    /// Who asked for it, as they named themselves.
    pub by: &'a str,
}

impl Event<'_> {
    /// Which kind it is.
    pub const fn kind(&self) -> EventKind {
        match self {
            Event::ProductPut { .. } => EventKind::ProductPut,
            Event::StockMoved { .. } => EventKind::StockMoved,
            Event::PriceChanged { .. } => EventKind::PriceChanged,
            Event::CouponPut { .. } => EventKind::CouponPut,
            Event::CartCreated { .. } => EventKind::CartCreated,
            Event::CartChanged { .. } => EventKind::CartChanged,
            Event::HoldReserving { .. } => EventKind::HoldReserving,
            Event::HoldGranted { .. } => EventKind::HoldGranted,
            Event::HoldWaiting { .. } => EventKind::HoldWaiting,
            Event::HoldExtended { .. } => EventKind::HoldExtended,
            Event::HoldReleased { .. } => EventKind::HoldReleased,
            Event::HoldExpired { .. } => EventKind::HoldExpired,
            Event::HoldRefused { .. } => EventKind::HoldRefused,
            Event::MemberHeld { .. } => EventKind::MemberHeld,
            Event::MemberCouponHeld { .. } => EventKind::MemberCouponHeld,
            Event::MemberSettled { .. } => EventKind::MemberSettled,
            Event::MemberUndone { .. } => EventKind::MemberUndone,
            Event::MemberAcknowledged { .. } => EventKind::MemberAcknowledged,
            Event::OrderCreated(_) => EventKind::OrderCreated,
            Event::OrderPartHeld { .. } => EventKind::OrderPartHeld,
            Event::OrderConfirming { .. } => EventKind::OrderConfirming,
            Event::OrderPlaced { .. } => EventKind::OrderPlaced,
            Event::OrderCancelled { .. } => EventKind::OrderCancelled,
            Event::OrderShipped { .. } => EventKind::OrderShipped,
            Event::OrderRefunded { .. } => EventKind::OrderRefunded,
            Event::OrderAuthorizing { .. } => EventKind::OrderAuthorizing,
            Event::OrderCapturing { .. } => EventKind::OrderCapturing,
            Event::CheckoutFailed(_) => EventKind::CheckoutFailed,
            Event::PaymentAnswered { .. } => EventKind::PaymentAnswered,
            Event::SagaParked { .. } => EventKind::SagaParked,
            Event::SagaRetried { .. } => EventKind::SagaRetried,
            Event::CommandRefused => EventKind::CommandRefused,
            Event::CommandUnchanged => EventKind::CommandUnchanged,
            Event::KeyChanged(_) => EventKind::KeyChanged,
            Event::StoreEvent { .. } => EventKind::StoreEvent,
            Event::SubjectForgotten(_) => EventKind::SubjectForgotten,
        }
    }
}
