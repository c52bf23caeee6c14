//! Commands: a header, and a body with a fixed part for each kind.
//!
//! Texts follow the fixed part in the order in which their lengths stand in it; the store's own
//! members (`extra`) come last. What is optional is absent when its length is 0.

use core::mem::{offset_of, size_of};

use zerocopy::little_endian::{I64, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Defines the kinds with their numbers.
macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $code:literal;)*) => {
        /// What a command asks for. Numbers are part of the protocol; 3 (lists) is not used.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum CommandKind { $($(#[$doc])* $variant = $code,)* }

        impl CommandKind {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The kind with this number.
            pub const fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

impl CommandKind {
    /// Whether it changes nothing, so that nothing of it is remembered.
    pub const fn reads_only(self) -> bool {
        matches!(
            self,
            Self::ReadProduct
                | Self::ReadCoupon
                | Self::ReadCart
                | Self::ReadHold
                | Self::ReadOrder
        )
    }
}

kinds! {
    /// Create or replace a product: [`ProductBody`].
    PutProduct = 1;
    /// Read a product: [`NameBody`] with its SKU.
    ReadProduct = 2;
    /// Receive or remove stock: [`StockBody`].
    MoveStock = 4;
    /// Change the price of holds to come: [`PriceBody`].
    ChangePrice = 5;
    /// Create or replace a coupon: [`CouponBody`].
    PutCoupon = 6;
    /// Read a coupon: [`NameBody`] with its code.
    ReadCoupon = 7;
    /// Make an empty cart: [`NameBody`] with the shopper's session.
    CreateCart = 8;
    /// Set a line of a cart: [`CartItemBody`].
    SetCartItem = 9;
    /// Read a cart: [`IdBody`].
    ReadCart = 10;
    /// Reserve stock: [`HoldBody`].
    CreateHold = 11;
    /// Read a hold: [`IdBody`].
    ReadHold = 12;
    /// Give a hold's stock back: [`IdBody`].
    ReleaseHold = 13;
    /// Let a hold live longer: [`ExtendBody`].
    ExtendHold = 14;
    /// Buy: [`CheckoutBody`].
    Checkout = 15;
    /// Read an order: [`IdBody`].
    ReadOrder = 16;
    /// Cancel an order: [`IdBody`].
    CancelOrder = 17;
    /// Mark an order as shipped: [`IdBody`].
    ShipOrder = 18;
    /// Pay an order back: [`IdBody`].
    RefundOrder = 19;
}

/// Command flag: `version_expected` of a [`ProductBody`] counts.
pub const FLAG_VERSION: u16 = 1;
/// Kind of a coupon: hundredths of a percent.
pub const COUPON_PERCENT: u8 = 1;
/// Kind of a coupon: minor units of its currency.
pub const COUPON_AMOUNT: u8 = 2;
/// Coupon flag: `subtotal_min` counts.
pub const COUPON_SUBTOTAL_MIN: u8 = 1;
/// What a checkout buys: a hold.
pub const BASKET_HOLD: u8 = 1;
/// What a checkout buys: a cart.
pub const BASKET_CART: u8 = 2;
/// What a checkout buys: the lines in its body.
pub const BASKET_LINES: u8 = 3;

/// The header of every command.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct CommandHeader {
    /// The whole command, bytes, this header included; the next one follows at once.
    pub length_bytes: U32,
    /// A [`CommandKind`].
    pub kind: u8,
    /// [`AfterEntry`]s that follow the header.
    pub after_count: u8,
    /// [`FLAG_VERSION`] or zero.
    pub flags: U16,
    /// Number of the command in the client's session, at least 1. A new command takes a higher
    /// number than all before it; the same one again is sent under its own number, byte for byte.
    pub sequence: U64,
    /// The store's own members as a JSON object, at the end of the command; 0 for none.
    pub extra_bytes: U32,
    /// Zero.
    pub reserved: U32,
}

/// The answer must have seen this position (`Claw-After`).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct AfterEntry {
    /// Shard.
    pub shard: U16,
    /// Sequence in that shard.
    pub sequence: U64,
}

/// A name and nothing else: a SKU, a coupon's code, a shopper's session.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct NameBody {
    /// The name, which follows.
    pub name_bytes: u8,
    /// Zero.
    pub reserved: [u8; 7],
}

/// An id and nothing else.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct IdBody {
    /// Cart, hold or order.
    pub id: [u8; 16],
}

/// SKU, name and attributes (a JSON object) follow.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct ProductBody {
    /// Unit price, minor units.
    pub price_amount: I64,
    /// Only over this version, with [`FLAG_VERSION`]; else zero.
    pub version_expected: U64,
    /// ISO 4217.
    pub currency: [u8; 3],
    /// SKU.
    pub sku_bytes: u8,
    /// Display name.
    pub name_bytes: U16,
    /// Zero.
    pub reserved: U16,
    /// Attributes.
    pub attributes_bytes: U32,
    /// Zero.
    pub reserved_tail: U32,
}

/// SKU and reason follow.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct StockBody {
    /// Units received, or removed when negative; not 0.
    pub delta: I64,
    /// SKU.
    pub sku_bytes: u8,
    /// Zero.
    pub reserved: u8,
    /// Why.
    pub reason_bytes: U16,
    /// Zero.
    pub reserved_tail: U32,
}

/// SKU follows.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct PriceBody {
    /// New unit price, minor units.
    pub price_amount: I64,
    /// ISO 4217.
    pub currency: [u8; 3],
    /// SKU.
    pub sku_bytes: u8,
    /// Zero.
    pub reserved: U32,
}

/// Code follows.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct CouponBody {
    /// Hundredths of a percent, or minor units.
    pub value: I64,
    /// Uses it has in all.
    pub uses_max: I64,
    /// Not before, Unix milliseconds; 0 for no bound.
    pub starts_at_ms: U64,
    /// Not at or after, Unix milliseconds; 0 for no bound.
    pub ends_at_ms: U64,
    /// Smallest subtotal, minor units, with [`COUPON_SUBTOTAL_MIN`]; else zero.
    pub subtotal_min: I64,
    /// ISO 4217; three zero bytes for none.
    pub currency: [u8; 3],
    /// Code.
    pub code_bytes: u8,
    /// [`COUPON_PERCENT`] or [`COUPON_AMOUNT`].
    pub kind: u8,
    /// [`COUPON_SUBTOTAL_MIN`] or zero.
    pub flags: u8,
    /// Zero.
    pub reserved: U16,
}

/// SKU follows.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct CartItemBody {
    /// Cart.
    pub cart: [u8; 16],
    /// Units; 0 removes the line.
    pub quantity: U32,
    /// SKU.
    pub sku_bytes: u8,
    /// Zero.
    pub reserved: [u8; 3],
}

/// Session and lines follow; each line is a [`LineHeader`] and its SKU.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct HoldBody {
    /// How long, milliseconds; 0 for what the store's configuration says.
    pub ttl_ms: U64,
    /// Shopper's session.
    pub session_bytes: u8,
    /// Zero.
    pub reserved: u8,
    /// Lines.
    pub lines_count: U16,
    /// Zero.
    pub reserved_tail: U32,
}

/// SKU follows.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct LineHeader {
    /// Units, at least 1.
    pub quantity: U32,
    /// SKU.
    pub sku_bytes: u8,
    /// Zero.
    pub reserved: [u8; 3],
}

/// Nothing follows.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct ExtendBody {
    /// Hold.
    pub hold: [u8; 16],
    /// Milliseconds from now.
    pub ttl_ms: U64,
}

/// Session, coupon, region, payment token, `ship_to` (a JSON object) and lines follow.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct CheckoutBody {
    /// Hold or cart; zero for lines.
    pub basket: [u8; 16],
    /// Answer only when the order is placed or cancelled, at the latest after so many
    /// milliseconds; 0: at once.
    pub wait_ms: U32,
    /// One of the `BASKET_*`.
    pub basket_kind: u8,
    /// Shopper's session.
    pub session_bytes: u8,
    /// Coupon's code.
    pub coupon_bytes: u8,
    /// Zero.
    pub reserved: u8,
    /// Region for tax.
    pub region_bytes: U16,
    /// Payment token; 0 in a store whose payments are `none`.
    pub payment_bytes: U16,
    /// Delivery address.
    pub ship_to_bytes: U32,
    /// Lines, with [`BASKET_LINES`]; else zero.
    pub lines_count: U16,
    /// Zero.
    pub reserved_tail: [u8; 6],
}

const _: () = {
    assert!(size_of::<CommandHeader>() == 24);
    assert!(offset_of!(CommandHeader, kind) == 4);
    assert!(offset_of!(CommandHeader, after_count) == 5);
    assert!(offset_of!(CommandHeader, flags) == 6);
    assert!(offset_of!(CommandHeader, sequence) == 8);
    assert!(offset_of!(CommandHeader, extra_bytes) == 16);
    assert!(size_of::<AfterEntry>() == 10);
    assert!(offset_of!(AfterEntry, sequence) == 2);
    assert!(size_of::<NameBody>() == 8);
    assert!(size_of::<IdBody>() == 16);
    assert!(size_of::<ProductBody>() == 32);
    assert!(offset_of!(ProductBody, version_expected) == 8);
    assert!(offset_of!(ProductBody, currency) == 16);
    assert!(offset_of!(ProductBody, sku_bytes) == 19);
    assert!(offset_of!(ProductBody, name_bytes) == 20);
    assert!(offset_of!(ProductBody, attributes_bytes) == 24);
    assert!(size_of::<StockBody>() == 16);
    assert!(offset_of!(StockBody, sku_bytes) == 8);
    assert!(offset_of!(StockBody, reason_bytes) == 10);
    assert!(size_of::<PriceBody>() == 16);
    assert!(offset_of!(PriceBody, currency) == 8);
    assert!(offset_of!(PriceBody, sku_bytes) == 11);
    assert!(size_of::<CouponBody>() == 48);
    assert!(offset_of!(CouponBody, uses_max) == 8);
    assert!(offset_of!(CouponBody, starts_at_ms) == 16);
    assert!(offset_of!(CouponBody, ends_at_ms) == 24);
    assert!(offset_of!(CouponBody, subtotal_min) == 32);
    assert!(offset_of!(CouponBody, currency) == 40);
    assert!(offset_of!(CouponBody, code_bytes) == 43);
    assert!(offset_of!(CouponBody, kind) == 44);
    assert!(offset_of!(CouponBody, flags) == 45);
    assert!(size_of::<CartItemBody>() == 24);
    assert!(offset_of!(CartItemBody, quantity) == 16);
    assert!(offset_of!(CartItemBody, sku_bytes) == 20);
    assert!(size_of::<HoldBody>() == 16);
    assert!(offset_of!(HoldBody, session_bytes) == 8);
    assert!(offset_of!(HoldBody, lines_count) == 10);
    assert!(size_of::<LineHeader>() == 8);
    assert!(offset_of!(LineHeader, sku_bytes) == 4);
    assert!(size_of::<ExtendBody>() == 24);
    assert!(offset_of!(ExtendBody, ttl_ms) == 16);
    assert!(size_of::<CheckoutBody>() == 40);
    assert!(offset_of!(CheckoutBody, wait_ms) == 16);
    assert!(offset_of!(CheckoutBody, basket_kind) == 20);
    assert!(offset_of!(CheckoutBody, session_bytes) == 21);
    assert!(offset_of!(CheckoutBody, coupon_bytes) == 22);
    assert!(offset_of!(CheckoutBody, region_bytes) == 24);
    assert!(offset_of!(CheckoutBody, payment_bytes) == 26);
    assert!(offset_of!(CheckoutBody, ship_to_bytes) == 28);
    assert!(offset_of!(CheckoutBody, lines_count) == 32);
};
