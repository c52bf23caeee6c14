//! The kinds of events, their stable codes and the names people see.
//!
//! A code is never used again for something else. The name is what the State-Schema, `claw log`
//! and the docs say.

macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $variant:ident = $code:literal $name:literal,)*) => {
        /// What happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum EventKind {
            $($(#[doc = $doc])* $variant = $code,)*
        }

        impl EventKind {
            /// Every kind, in the order of the codes.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The kind with this code.
            pub const fn from_code(code: u16) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The name people see.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

kinds! {
    /// A product was described, or described anew.
    ProductPut = 1 "product-put",
    /// Stock was received or removed.
    StockMoved = 2 "stock-moved",
    /// A product's price changed.
    PriceChanged = 3 "price-changed",
    /// A coupon was described, or described anew.
    CouponPut = 4 "coupon-put",
    /// A cart was made; the one longest untouched made room.
    CartCreated = 5 "cart-created",
    /// A line of a cart was set or removed.
    CartChanged = 6 "cart-changed",
    /// A hold over several shards began; the home's own lines are reserved.
    HoldReserving = 10 "hold-reserving",
    /// A hold's lines are all reserved.
    HoldGranted = 11 "hold-granted",
    /// A hold's end was moved.
    HoldExtended = 12 "hold-extended",
    /// A hold was given back.
    HoldReleased = 13 "hold-released",
    /// A hold's time ran out.
    HoldExpired = 14 "hold-expired",
    /// A hold over several shards fell short.
    HoldRefused = 15 "hold-refused",
    /// A hold waits in line for stock to come back.
    HoldWaiting = 16 "hold-waiting",
    /// Lines were reserved for another shard's hold or order.
    MemberHeld = 20 "member-held",
    /// A use of a coupon was reserved for another shard's order.
    MemberCouponHeld = 21 "member-coupon-held",
    /// What was reserved for another shard was sold.
    MemberSettled = 22 "member-settled",
    /// What was reserved for, or sold to, another shard's order came back.
    MemberUndone = 23 "member-undone",
    /// Another shard has done what was asked of it.
    MemberAcknowledged = 24 "member-acknowledged",
    /// A checkout began.
    OrderCreated = 30 "order-created",
    /// The home's own lines of an order were reserved in their turn.
    OrderPartHeld = 31 "order-part-held",
    /// Everything is reserved: from here the order goes forward only.
    OrderConfirming = 32 "order-confirming",
    /// Bought.
    OrderPlaced = 33 "order-placed",
    /// Not bought, or taken back.
    OrderCancelled = 34 "order-cancelled",
    /// On its way.
    OrderShipped = 35 "order-shipped",
    /// Paid back.
    OrderRefunded = 36 "order-refunded",
    /// Everything is reserved, and the amount is to be authorised.
    OrderAuthorizing = 37 "order-authorizing",
    /// Everything is sold, and the amount is to be taken.
    OrderCapturing = 38 "order-capturing",
    /// A checkout came to nothing: what was known of it then, for fraud analysis.
    CheckoutFailed = 39 "checkout-failed",
    /// A command was refused; the answer is remembered.
    CommandRefused = 40 "command-refused",
    /// A command had nothing to change; the answer is remembered.
    CommandUnchanged = 41 "command-unchanged",
    /// The vault said what came of a step of a payment.
    PaymentAnswered = 42 "payment-answered",
    /// An operator parked an order's saga.
    SagaParked = 43 "saga-parked",
    /// An operator had a parked saga tried again.
    SagaRetried = 44 "saga-retried",
    /// A key was registered or revoked.
    KeyChanged = 50 "key-changed",
    /// The keys of a subject's personal data were destroyed.
    SubjectForgotten = 51 "subject-forgotten",
    /// Something the store's own schema has a name for happened.
    StoreEvent = 60 "store-event",
}

impl EventKind {
    /// The version written today.
    pub const fn version(self) -> u16 {
        match self {
            Self::ProductPut | Self::OrderCreated => 2,
            _ => 1,
        }
    }
}
