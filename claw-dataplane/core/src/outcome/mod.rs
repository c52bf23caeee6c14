//! Outcomes: what a shard answers. Every business "no" is a variant with a name.
//!
//! Outcomes are encoded as soon as they are decided: the bytes are what is remembered for a
//! repeated command, what crosses cores, and what ingest renders to JSON. Nothing here knows HTTP.
//!
//! Refusals are listed in their order of precedence: when several hold, the first is the answer.

mod codec;

use claw_common::checksum::Digest;
use claw_common::id::{Id, ShardId};
use claw_common::money::{Currency, Money};
use claw_common::time::UnixMs;

use crate::command::CouponTerms;
use crate::lines::Lines;
use crate::saga::Progress;

pub use codec::{ORDER_TO_ACT_ON, PRODUCT_WHOLE, made_hold};

/// The answer to a command.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome<'a> {
    /// A product as it is now.
    Product(ProductView<'a>),
    /// Products of one shard in SKU order: encoded [`ProductView`]s one after the other, each as
    /// [`ProductView::encode_whole`] writes it.
    Products {
        /// How many.
        count: u16,
        /// The encoded views.
        views: &'a [u8],
        /// Whether the shard has more after the last.
        more: bool,
    },
    /// A coupon as it is now.
    Coupon(CouponView<'a>),
    /// A new cart.
    CartCreated {
        /// Cart.
        cart: Id,
    },
    /// A cart as it is now.
    Cart(CartView<'a>),
    /// A hold as it is now.
    Hold(HoldView<'a>),
    /// An order as it is now.
    Order(OrderView<'a>),
    /// What changed of a session in one shard, oldest first: for each the `u64` sequence of its
    /// latest record, and the encoded [`Outcome::Order`] or [`Outcome::Hold`].
    SessionChanges {
        /// How many.
        count: u16,
        /// The encoded changes.
        changes: &'a [u8],
        /// Whether there are more behind the last.
        more: bool,
    },
    /// An order's saga.
    Saga(SagaView<'a>),
    /// Sagas of one shard that have not ended, in the order of their ids: encoded [`SagaView`]s.
    Sagas {
        /// How many.
        count: u16,
        /// The encoded views.
        views: &'a [u8],
        /// Whether the shard has more after the last.
        more: bool,
    },
    /// The hash of a shard's whole state.
    State(StateView),
    /// Which records of the order's shard made it.
    OrderRecords {
        /// Order.
        order: Id,
        /// Encoded `u64` sequences, little-endian, oldest first.
        sequences: &'a [u8],
    },
    /// Key change taken.
    KeyChanged,
    /// An event of the store's own is in the log.
    EventRecorded {
        /// Event.
        event: Id,
        /// Its type's name.
        name: &'a str,
        /// The version of the type it was written with.
        version: u16,
    },
    /// That a subject was forgotten is in the log.
    SubjectForgotten,
    /// No.
    Refused(Refusal<'a>),
}

/// A product.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProductView<'a> {
    /// Whether this command created it.
    pub created: bool,
    /// SKU.
    pub sku: &'a str,
    /// Display name.
    pub name: &'a str,
    /// Unit price now.
    pub price: Money,
    /// Canonical JSON object, or empty. Empty in remembered answers.
    pub attributes: &'a str,
    /// The version of their declaration they were written with; 0 where they are not shown.
    pub attributes_version: u16,
    /// Units ever received.
    pub received: u64,
    /// Units ever removed other than by sale.
    pub removed: u64,
    /// Units in live holds.
    pub held: u64,
    /// Units sold, net of returns.
    pub sold: u64,
    /// Increases with every change of name, price, attributes or stock by a source.
    pub version: u64,
}

impl ProductView<'_> {
    /// `received - removed - sold`.
    pub const fn on_hand(&self) -> u64 {
        self.received - self.removed - self.sold
    }

    /// `on_hand - held`: what can still be reserved.
    pub const fn available(&self) -> u64 {
        self.on_hand() - self.held
    }
}

/// A shard's whole state, to be compared with a replay's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateView {
    /// Shard.
    pub shard: ShardId,
    /// Its last record then.
    pub sequence: u64,
    /// Products, holds, orders, ... in it.
    pub entries: u64,
    /// BLAKE3 over its canonical bytes; `None` where the shard holds too much to hash while it
    /// serves.
    pub hash: Option<Digest>,
}

/// A coupon.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CouponView<'a> {
    /// Whether this command created it.
    pub created: bool,
    /// Code.
    pub code: &'a str,
    /// Terms.
    pub terms: CouponTerms,
    /// Uses made or held by checkouts under way.
    pub uses: u64,
}

/// A cart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CartView<'a> {
    /// Cart.
    pub cart: Id,
    /// Lines with the unit price read when they were set.
    pub lines: Lines<'a>,
    /// Currency; `None` while empty.
    pub currency: Option<Currency>,
}

/// The life of a hold. `Reserving` is never shown outside: its caller waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum HoldState {
    /// Other shards are still being asked.
    Reserving = 0,
    /// Stock is reserved.
    Active = 1,
    /// Given back by the shopper, or never completed.
    Released = 2,
    /// Given back by time.
    Expired = 3,
    /// Bought.
    Sold = 4,
    /// Stock is not reserved yet: it waits in line for it.
    Waiting = 5,
}

/// A hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HoldView<'a> {
    /// Whether this command created it.
    pub created: bool,
    /// Hold.
    pub hold: Id,
    /// State.
    pub state: HoldState,
    /// Lines at the price fixed by the hold.
    pub lines: Lines<'a>,
    /// Currency of the prices.
    pub currency: Currency,
    /// When it ends or ended; of one that waits, when it stops waiting.
    pub expires_at_ms: UnixMs,
}

/// The life of an order (the interface's names). The transition table is `checkout::transitions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum OrderState {
    /// Stock is being reserved.
    Reserving = 0,
    /// Functions price it.
    Pricing = 1,
    /// Fraud scoring.
    Scoring = 2,
    /// Payment is being authorised.
    Authorizing = 3,
    /// The shopper must act for the payment.
    RequiresAction = 4,
    /// Holds become sales.
    Confirming = 5,
    /// Payment is being captured.
    Capturing = 6,
    /// Bought.
    Placed = 7,
    /// On its way.
    Shipped = 8,
    /// Not bought, or taken back.
    Cancelled = 9,
    /// Paid back.
    Refunded = 10,
}

/// Why an order was cancelled (the interface's names).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum CancelReason {
    /// A line was not available.
    SoldOut = 1,
    /// The gateway said no.
    PaymentDeclined = 2,
    /// The gateway could not be reached.
    PaymentUnavailable = 3,
    /// Scored as fraud.
    FraudBlocked = 4,
    /// The coupon is unknown, over, not yet valid or used up.
    CouponInvalid = 5,
    /// Its time ran out.
    Expired = 6,
    /// The shopper, or the shop for the shopper.
    ShopperCancelled = 7,
}

/// An order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OrderView<'a> {
    /// Order.
    pub order: Id,
    /// State.
    pub state: OrderState,
    /// Lines with the price fixed for the order.
    pub lines: Lines<'a>,
    /// Currency.
    pub currency: Currency,
    /// Sum of the lines, minor units.
    pub subtotal: i64,
    /// What the coupon takes off.
    pub discount: i64,
    /// Tax; 0 until a tax function is active.
    pub tax: i64,
    /// `subtotal - discount + tax`.
    pub total: i64,
    /// Set when cancelled.
    pub reason: Option<CancelReason>,
    /// Encoded (`u8` state, `u64` Unix ms) pairs, oldest first.
    pub history: &'a [u8],
    /// What the shopper's browser shows the gateway while the order *requires action*; else empty.
    /// Never remembered, never logged.
    pub client_secret: &'a str,
}

/// An order's saga, for operators.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SagaView<'a> {
    /// Order.
    pub order: Id,
    /// State.
    pub state: OrderState,
    /// Why it was, or is about to be, cancelled.
    pub reason: Option<CancelReason>,
    /// Where the saga stands.
    pub progress: Progress,
    /// When the order was made.
    pub created_ms: UnixMs,
    /// When it is cancelled unless confirmed.
    pub deadline_ms: UnixMs,
    /// What is to be paid, minor units.
    pub total: i64,
    /// Currency.
    pub currency: Currency,
    /// A bit per shard that owes an acknowledgement.
    pub pending: u64,
    /// The gateway's name for the payment; empty while it is not known.
    pub intent: &'a str,
    /// The last reason that the gateway, or the vault, gave; empty for none.
    pub code: &'a str,
}

/// What was not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Missing {
    /// Product.
    Product = 1,
    /// Coupon.
    Coupon = 2,
    /// Cart.
    Cart = 3,
    /// Hold.
    Hold = 4,
    /// Order.
    Order = 5,
}

/// Why a command was refused, in order of precedence. "Remembered" refusals are events in the log;
/// the first three are momentary and never remembered, nor is what was asked of a cart, hold or
/// order that is not there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Refusal<'a> {
    /// The de-duplication window is full: forgetting inside it would allow a second effect (503).
    WindowFull,
    /// A slab sized at boot is full; names it (503).
    CapacityFull {
        /// `products`, `holds`, `orders`, `carts`, `coupons`.
        slab: &'a str,
    },
    /// The first command with this key is still being decided (503 with Retry-After).
    StillDeciding,
    /// The same key came with another body (422; not remembered: the first answer stays).
    IdempotencyMismatch,
    /// Unknown, or of another session (404).
    NotFound(Missing),
    /// `If-Match` names another version (412).
    VersionMismatch {
        /// The version there is.
        version: u64,
    },
    /// A cart line's product does not exist, or a line of a hold names no product (404 with sku).
    UnknownSku {
        /// Which.
        sku: &'a str,
    },
    /// Lines or coupon of different currencies (422).
    CurrencyMixed,
    /// A cart or checkout with nothing in it (422).
    Empty,
    /// More lines than a cart may have (422).
    LinesAboveMax,
    /// Stock would fall below what is held and sold, or rise above its bound (409).
    StockNegative {
        /// SKU.
        sku: &'a str,
        /// Units that could be removed.
        available: u64,
    },
    /// Fewer uses than already made (409).
    CouponUsesBelowUsed {
        /// Uses made.
        uses: u64,
    },
    /// Not enough stock (409).
    SoldOut {
        /// First SKU in order that falls short.
        sku: &'a str,
        /// Units wanted.
        requested: u64,
        /// Units there were.
        available: u64,
    },
    /// A sold hold cannot be released (409).
    HoldSold,
    /// Released, expired, sold, or already pinned by a checkout (409).
    HoldNotActive {
        /// Its state.
        state: HoldState,
    },
    /// The order's state does not allow the step (409).
    OrderState {
        /// Its state.
        state: OrderState,
    },
    /// The order costs something and the checkout names no means of payment (422).
    PaymentRequired {
        /// What it costs, minor units.
        total: i64,
    },
    /// Nothing of the saga waits to be parked, or to be retried (409).
    SagaState,
}
