//! Problems: every "no" that ingest itself says, with its name, status and title (RFC 9457).
//!
//! Names are part of the public interface. Refusals of the core have their names here too, so that
//! one table serves answers, counters and the interface's description. Rendering is elsewhere.

/// Names the problems with their status and title, in the order of their status.
macro_rules! problems {
    ($($(#[$doc:meta])* $variant:ident = $status:literal $name:literal $title:literal;)*) => {
        /// What kind of "no".
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ProblemKind { $($(#[$doc])* $variant,)* }

        impl ProblemKind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The HTTP status.
            pub const fn status(self) -> u16 { match self { $(Self::$variant => $status,)* } }

            /// The last part of the problem's `type`.
            pub const fn name(self) -> &'static str { match self { $(Self::$variant => $name,)* } }

            /// The same sentence for every occurrence.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

problems! {
    /// Not HTTP, not JSON, or a parameter that cannot be read.
    Malformed = 400 "malformed" "The request cannot be read";
    /// An unsafe request without identity.
    IdempotencyKeyMissing = 400 "idempotency-key-missing" "The request needs an Idempotency-Key";
    /// A signature and a token: which of them counts is not for us to choose.
    TwoCredentials = 400 "two-credentials" "The request proves twice who asks";
    /// A wire frame that is not the next one.
    FrameSequence = 400 "frame-sequence" "The frame is out of sequence";
    /// More commands unanswered than a wire connection may have.
    CreditsExceeded = 400 "credits-exceeded" "Too many commands are unanswered on this connection";
    /// Another version of the wire protocol.
    VersionUnknown = 400 "version-unknown" "This version of the wire protocol is not spoken";
    /// No signature and no token.
    Unsigned = 401 "unsigned" "The request carries no signature";
    /// A signature that does not cover what it must, or is not right.
    BadSignature = 401 "bad-signature" "The signature does not hold";
    /// A signature too old or from the future.
    SignatureExpired = 401 "signature-expired" "The signature is not of this time";
    /// Nobody registered that key.
    UnknownKey = 401 "unknown-key" "The signing key is not known";
    /// The key was revoked.
    RevokedKey = 401 "revoked-key" "The signing key is revoked";
    /// Not a token as this store takes them, or not the key's.
    BadToken = 401 "bad-token" "The token does not hold";
    /// A token that has ended, or has not begun.
    TokenExpired = 401 "token-expired" "The token is not of this time";
    /// A token that would live too long.
    TokenLifetime = 401 "token-lifetime" "The token lives longer than tokens may";
    /// A token for somebody else.
    TokenAudience = 401 "token-audience" "The token is for another store";
    /// A token of a key that may not make tokens.
    TokenIssuer = 401 "token-issuer" "The token's key may not issue tokens";
    /// A ticket that opens nothing: made elsewhere, used, or too old.
    BadTicket = 401 "bad-ticket" "The ticket opens nothing";
    /// A token that is for other things.
    InsufficientScope = 403 "insufficient-scope" "The token's scope does not cover this";
    /// The role may not.
    Forbidden = 403 "forbidden" "The caller may not do this";
    /// No such thing, or not one's own.
    NotFound = 404 "not-found" "There is no such thing";
    /// No checkpoint covers the order yet.
    ReceiptNotYet = 404 "receipt-not-yet" "The receipt is not there yet";
    /// A hold or cart names a product that does not exist.
    UnknownSku = 404 "unknown-sku" "There is no such product";
    /// The path exists, the method does not.
    MethodNotAllowed = 405 "method-not-allowed" "The method is not allowed here";
    /// The request did not arrive in time.
    RequestTimeout = 408 "request-timeout" "The request did not arrive in time";
    /// Stock cannot move that far.
    StockNegative = 409 "stock-negative" "Stock cannot fall below what is held and sold";
    /// Fewer uses than made.
    CouponUses = 409 "coupon-uses" "The coupon has already been used more often";
    /// Not enough stock.
    SoldOut = 409 "sold-out" "Not enough stock";
    /// A sold hold stays sold.
    HoldSold = 409 "hold-sold" "The hold has been sold";
    /// The hold has ended or is being checked out.
    HoldNotActive = 409 "hold-not-active" "The hold is not active";
    /// The order is in another state.
    OrderState = 409 "order-state" "The order's state does not allow this";
    /// `If-Match` names another version.
    VersionMismatch = 412 "version-mismatch" "The product has another version";
    /// A body above the limit.
    BodyTooLarge = 413 "body-too-large" "The body is too large";
    /// An expectation other than `100-continue`.
    ExpectationFailed = 417 "expectation-failed" "The expectation cannot be met";
    /// Against the State-Schema.
    Schema = 422 "schema" "The request does not fit the State-Schema";
    /// One key, two bodies.
    IdempotencyMismatch = 422 "idempotency-mismatch" "The Idempotency-Key was used for another request";
    /// Two currencies in one order.
    CurrencyMixed = 409 "currency-mixed" "One order has one currency";
    /// It costs something, and no means of payment is named.
    PaymentRequired = 422 "payment-required" "The order has to be paid for";
    /// Nothing of a saga waits to be parked or retried.
    SagaState = 409 "saga-state" "The saga's state does not allow this";
    /// Nothing to buy.
    Empty = 409 "empty" "There is nothing in it";
    /// More lines than allowed.
    LinesAboveMax = 409 "lines-above-max" "Too many lines";
    /// Too many requests of a key or session.
    RateLimited = 429 "rate-limited" "Too many requests";
    /// A head above the limit.
    HeadTooLarge = 431 "head-too-large" "The request's head is too large";
    /// Something only we can mend.
    Internal = 500 "internal" "The node made a mistake";
    /// The node has more to do than it can.
    Overloaded = 503 "overloaded" "The node is overloaded";
    /// A table sized at start is full.
    CapacityFull = 503 "capacity-full" "The node's memory for this is full";
    /// The same request is still being decided.
    StillDeciding = 503 "still-deciding" "The first request with this key is still being decided";
    /// Older than `Claw-After` asks.
    Behind = 503 "behind" "The node has not seen that position yet";
    /// The node is starting or stopping.
    NotReady = 503 "not-ready" "The node is not ready";
}

/// What a further member of a problem document holds, for the interface's description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberKind {
    /// A number.
    Number,
    /// A text.
    Text,
    /// A hold's state.
    HoldState,
    /// An order's state.
    OrderState,
}

/// A further member that problems of one kind have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberSpec {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: MemberKind,
    /// Whether each such problem has it.
    pub required: bool,
}

const fn always(name: &'static str, kind: MemberKind) -> MemberSpec {
    MemberSpec { name, kind, required: true }
}

const fn perhaps(name: &'static str, kind: MemberKind) -> MemberSpec {
    MemberSpec { name, kind, required: false }
}

const SOLD_OUT: &[MemberSpec] = &[
    always("sku", MemberKind::Text),
    always("requested", MemberKind::Number),
    always("available", MemberKind::Number),
];

impl ProblemKind {
    /// The members it has beside those of every problem. What renders a problem asserts that it
    /// has these and no others.
    pub const fn members(self) -> &'static [MemberSpec] {
        use MemberKind::{HoldState, Number, OrderState, Text};
        match self {
            Self::Malformed => const { &[perhaps("line", Number), perhaps("column", Number)] },
            Self::NotFound => const { &[perhaps("suggestion", Text)] },
            Self::InsufficientScope => const { &[always("scope", Text)] },
            Self::Forbidden => const { &[perhaps("roles", Text)] },
            Self::MethodNotAllowed => const { &[always("path", Text)] },
            Self::UnknownSku => const { &[always("sku", Text)] },
            Self::StockNegative => const { &[always("sku", Text), always("available", Number)] },
            Self::CouponUses => const { &[always("uses", Number)] },
            Self::SoldOut => SOLD_OUT,
            Self::HoldNotActive => const { &[always("state", HoldState)] },
            Self::OrderState => const { &[always("state", OrderState)] },
            Self::VersionMismatch => const { &[always("version", Number)] },
            Self::BodyTooLarge => const { &[always("bytes_max", Number)] },
            Self::Schema => const { &[always("path", Text), perhaps("suggestion", Text)] },
            Self::PaymentRequired => const { &[always("total", Number)] },
            Self::RateLimited => const { &[always("limit", Text)] },
            Self::CapacityFull => const { &[perhaps("slab", Text)] },
            _ => &[],
        }
    }

    /// Whether a problem may have exactly these further members.
    pub fn has_members(self, members: &[(&'static str, Member)]) -> bool {
        let specs = self.members();
        let known = members.iter().all(|(name, _)| specs.iter().any(|spec| spec.name == *name));
        let mut required = specs.iter().filter(|spec| spec.required);
        known && required.all(|spec| members.iter().any(|(name, _)| *name == spec.name))
    }
}

/// A further member of a problem document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Member {
    /// A number.
    Number(u64),
    /// A text.
    Text(String),
}

/// One "no".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What kind.
    pub kind: ProblemKind,
    /// What happened this time and what to do.
    pub detail: String,
    /// Further members by name.
    pub members: Vec<(&'static str, Member)>,
    /// `Retry-After`, seconds.
    pub retry_after_s: Option<u32>,
    /// Whether it answers a token: the challenge of a 401 says so.
    pub of_token: bool,
}

impl Problem {
    /// A problem without further members; those that pass with time say when to retry.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        let retry_after_s = matches!(kind.status(), 429 | 503).then_some(1);
        Self { kind, detail: detail.into(), members: Vec::new(), retry_after_s, of_token: false }
    }

    /// The same as the answer to a token.
    #[must_use]
    pub fn of_token(self) -> Self {
        Self { of_token: true, ..self }
    }

    /// Not readable.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Malformed, detail)
    }

    /// Against the schema, with the path of the member.
    pub fn schema(path: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Schema, detail).text("path", path)
    }

    /// Adds a text member.
    #[must_use]
    pub fn text(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.members.push((name, Member::Text(value.into())));
        self
    }

    /// Adds a number member.
    #[must_use]
    pub fn number(mut self, name: &'static str, value: u64) -> Self {
        self.members.push((name, Member::Number(value)));
        self
    }
}
