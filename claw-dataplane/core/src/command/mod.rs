//! Commands: what is asked of a shard, already authenticated, parsed and valid against the schema.
//!
//! Owns the vocabulary only. Ingest builds a command from a request, the shard that owns its key
//! decides it. A command borrows from the request's bytes; crossing to another core it is encoded
//! (the same codec) and decoded there.

mod codec;

pub(crate) use codec::{flag, large_text};

use claw_common::id::Id;
use claw_common::money::{Currency, Money};
use claw_common::time::{Hlc, UnixMs};

use crate::lines::Lines;

/// Where an answer goes: opaque to the core, chosen by the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplyTo(pub u64);

/// Identity of an unsafe command: BLAKE3 over (key name or a token's session, route,
/// `Idempotency-Key`), cut to 16 bytes, and over the body. Both zero for reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct CommandKey {
    /// Who, where and which.
    pub key: [u8; 16],
    /// What.
    pub digest: [u8; 16],
}

/// How a caller proved who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(u16)]
pub enum AuthMode {
    /// The node itself.
    #[default]
    Node = 0,
    /// Ed25519, over HTTP (RFC 9421) or a wire frame: provable to third parties.
    Ed25519 = 1,
    /// Hmac-sha256, likewise: authenticates, proves nothing to third parties.
    HmacSha256 = 2,
    /// A shopper's token.
    Token = 3,
    /// A wire session that a registered key opened: authenticates, proves nothing to third parties.
    Session = 4,
}

/// As what the store's own members of a command (and a product's attributes) were checked and
/// written, so that a later schema knows how to read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ExtraType {
    /// The built-in event type whose declaration they follow, see `BuiltIn::code`; 0 for none.
    pub code: u16,
    /// The version of its declaration; 0 for none.
    pub version: u16,
}

/// A command with everything the decision needs besides the state.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What is asked.
    pub command: Command<'a>,
    /// Zero for reads.
    pub identity: CommandKey,
    /// Where the answer goes.
    pub reply_to: ReplyTo,
    /// Registered number of the signing key.
    pub key: u32,
    /// How it signed.
    pub auth_mode: AuthMode,
    /// When the accepting core took it.
    pub accepted: Hlc,
    /// Fresh randomness for ids; used only when the command makes one.
    pub entropy: u64,
    /// The store's own extra fields as canonical JSON; empty for none.
    pub extra: &'a [u8],
    /// As what they, and a product's attributes, were written.
    pub extra_type: ExtraType,
    /// For ed25519 the signature and its base; else empty.
    pub evidence: &'a [u8],
}

/// What may be asked of a shard. Each variant names the shard that decides it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Command<'a> {
    /// Create or replace a product's description (shard of the SKU).
    PutProduct {
        /// SKU.
        sku: &'a str,
        /// Display name.
        name: &'a str,
        /// Unit price.
        price: Money,
        /// Canonical JSON object, or empty.
        attributes: &'a str,
        /// `If-Match`: only over this version.
        version_expected: Option<u64>,
    },
    /// Receive (`delta` > 0) or remove (`delta` < 0) stock (shard of the SKU).
    MoveStock {
        /// SKU.
        sku: &'a str,
        /// Units, not 0.
        delta: i64,
        /// Why, free text.
        reason: &'a str,
    },
    /// Change the price of holds to come (shard of the SKU).
    ChangePrice {
        /// SKU.
        sku: &'a str,
        /// New unit price.
        price: Money,
    },
    /// Read a product (shard of the SKU).
    ReadProduct {
        /// SKU.
        sku: &'a str,
    },
    /// Read a shard's products in SKU order (every shard; the shell merges).
    ListProducts {
        /// Exclusive lower bound.
        after: &'a str,
        /// At most this many.
        limit: u16,
    },
    /// Create or replace a coupon (shard of the code). Uses already made stay counted.
    PutCoupon {
        /// Code.
        code: &'a str,
        /// Terms.
        terms: CouponTerms,
    },
    /// Read a coupon (shard of the code).
    ReadCoupon {
        /// Code.
        code: &'a str,
    },
    /// Make an empty cart (any shard: it becomes the home).
    CreateCart {
        /// The shopper's session.
        session: &'a str,
    },
    /// Set a line of a cart (home of the cart). The price was read from the SKU's shard.
    SetCartItem {
        /// Cart.
        cart: Id,
        /// Who asks: `None` may touch any session's.
        session: Option<&'a str>,
        /// SKU.
        sku: &'a str,
        /// Units; 0 removes.
        quantity: u32,
        /// The product's price as read on its shard; `None`: no such product.
        price: Option<Money>,
    },
    /// Read a cart (home of the cart).
    ReadCart {
        /// Cart.
        cart: Id,
        /// Who asks: `None` may touch any session's.
        session: Option<&'a str>,
    },
    /// Reserve stock (shard of the first SKU in order: it becomes the home).
    CreateHold {
        /// The shopper's session.
        session: &'a str,
        /// What.
        lines: Lines<'a>,
        /// How long, milliseconds, already within the store's bounds.
        ttl_ms: u64,
    },
    /// Reserve stock of one SKU, now or, in line, when some comes back (shard of the SKU).
    JoinLine {
        /// The shopper's session.
        session: &'a str,
        /// One line.
        lines: Lines<'a>,
        /// How long stock is reserved once there is some, milliseconds.
        ttl_ms: u64,
        /// How long it waits, milliseconds.
        wait_ms: u64,
    },
    /// Read a hold (home of the hold).
    ReadHold {
        /// Hold.
        hold: Id,
        /// Who asks: `None` may touch any session's.
        session: Option<&'a str>,
    },
    /// Give a hold's stock back (home of the hold).
    ReleaseHold {
        /// Hold.
        hold: Id,
        /// Who asks: `None` may touch any session's.
        session: Option<&'a str>,
    },
    /// Let a hold live `ttl_ms` from now (home of the hold).
    ExtendHold {
        /// Hold.
        hold: Id,
        /// Who asks: `None` may touch any session's.
        session: Option<&'a str>,
        /// Milliseconds from now.
        ttl_ms: u64,
    },
    /// Start a checkout (home of the hold or cart; else shard of the first SKU in order).
    Checkout {
        /// The shopper's session.
        session: &'a str,
        /// Whether the caller may check out only its own session's hold or cart.
        own_session_only: bool,
        /// What is bought.
        basket: Basket<'a>,
        /// Coupon code.
        coupon: Option<&'a str>,
        /// Opaque delivery address as canonical JSON, or empty.
        ship_to: &'a str,
        /// Region for tax, or empty.
        region: &'a str,
        /// Answer only when placed or cancelled, at the latest at this time; 0: at once.
        wait_until_ms: UnixMs,
        /// How long stock stays reserved for the checkout, milliseconds.
        ttl_ms: u64,
        /// The gateway's token for the shopper's means of payment; empty where none is given,
        /// `None` where the store takes no payments.
        payment: Option<&'a str>,
    },
    /// Read an order (home of the order).
    ReadOrder {
        /// Order.
        order: Id,
        /// Who asks: `None` may touch any session's.
        session: Option<&'a str>,
    },
    /// Read which records of the log made an order (home of the order).
    ReadOrderRecords {
        /// Order.
        order: Id,
        /// Who asks: `None` may touch any session's.
        session: Option<&'a str>,
    },
    /// Read the hash of a shard's whole state, to compare with a replay (the shard named).
    ReadState,
    /// Take an order a step on (home of the order).
    AdvanceOrder {
        /// Order.
        order: Id,
        /// Who asks: `None` may touch any session's.
        session: Option<&'a str>,
        /// Which step.
        step: OrderStep,
    },
    /// Read what changed of a session's orders and holds behind a record (every shard).
    ReadSession {
        /// The shopper's session.
        session: &'a str,
        /// Sequence of the last record that is known.
        after: u64,
    },
    /// Read an order's saga (home of the order).
    ReadSaga {
        /// Order.
        order: Id,
    },
    /// Read a shard's sagas that have not ended, in the order of their ids (every shard).
    ListSagas {
        /// Exclusive lower bound.
        after: Id,
        /// At most this many.
        limit: u16,
        /// Only those that wait for somebody to retry them.
        parked_only: bool,
    },
    /// Retry a parked saga, or park one (home of the order).
    StepSaga {
        /// Order.
        order: Id,
        /// Which.
        step: SagaStep,
    },
    /// Log an event of a type that the store declared itself (shard of its key member, else any
    /// shard that a repeat finds again). It changes nothing but the log.
    RecordEvent {
        /// The type's name in the State-Schema.
        name: &'a str,
        /// The version that the members are written with.
        version: u16,
        /// Canonical JSON object, or empty.
        members: &'a str,
    },
    /// Register or revoke a key (shard 0).
    ChangeKey {
        /// Number in the registry.
        number: u32,
        /// `keyid`.
        name: &'a str,
        /// Role, as the public interface names it.
        role: &'a str,
        /// 1 ed25519, 2 hmac-sha256.
        algorithm: u16,
        /// Ed25519 public key; for HMAC a BLAKE3 digest of the secret.
        public: [u8; 32],
        /// Whether it is revoked from here on.
        revoked: bool,
    },
    /// Log that a subject's keys were destroyed (shard 0).
    ForgetSubject {
        /// Its place among all that were forgotten, counted from 1.
        number: u64,
        /// BLAKE3 of the subject's name, cut to 16 bytes.
        subject: [u8; 16],
        /// When the keys were destroyed.
        at_ms: UnixMs,
        /// Who asked for it, as they named themselves.
        by: &'a str,
    },
}

/// What a checkout buys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basket<'a> {
    /// What a hold reserved.
    Hold(Id),
    /// What lies in a cart.
    Cart(Id),
    /// These lines.
    Items(Lines<'a>),
}

/// Steps a caller may ask of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum OrderStep {
    /// Cancel it; stock comes back.
    Cancel = 1,
    /// It left the warehouse.
    Ship = 2,
    /// Pay back; returned stock is a stock movement of its own.
    Refund = 3,
}

/// Steps an operator may ask of a saga.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SagaStep {
    /// Try what it is parked at once more.
    Retry = 1,
    /// Leave it alone.
    Park = 2,
}

/// What a coupon is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CouponValue {
    /// Hundredths of a percent of the subtotal, 1..=10,000.
    Percent(u32),
    /// A fixed amount, at most the subtotal.
    Amount(Money),
}

/// A coupon's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CouponTerms {
    /// Worth.
    pub value: CouponValue,
    /// Uses it has in all.
    pub uses_max: u64,
    /// Currency it is restricted to.
    pub currency: Option<Currency>,
    /// Not before.
    pub starts_at: Option<UnixMs>,
    /// Not at or after.
    pub ends_at: Option<UnixMs>,
    /// Smallest subtotal, minor units.
    pub subtotal_min: Option<i64>,
}
