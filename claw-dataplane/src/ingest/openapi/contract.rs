//! What each route takes and answers: the half of the interface's table that clients read.
//!
//! The router's half is `routes`. This half is not only printed: in debug builds, which all tests
//! use, the renderer asserts that every answer it writes stands here ([`Contract::allows`],
//! [`may_refuse`]), so a route that learns a new "no" has to say so. A new route does not compile
//! until it has its row. Deliberately holds no schema: those are made of the running store's.

use claw_core::schema::BuiltIn;

use crate::ingest::problem::ProblemKind;
use crate::ingest::routes::{Role, Route};

/// A row.
#[derive(Clone, Copy, Debug)]
pub struct Contract {
    /// The body it reads, by the event that it becomes.
    pub body: Option<Body>,
    /// Answers that are no problem.
    pub answers: &'static [Answer],
    /// Problems of its own, beside those of its kind: see [`may_refuse`].
    pub problems: &'static [ProblemKind],
    /// Fields of its own, beside those of its kind.
    pub fields: &'static [Field],
    /// More than the summary says.
    pub description: &'static str,
}

/// The event that a body becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// One that every store has.
    BuiltIn(BuiltIn),
    /// One that the store declared, named by the path.
    Own,
    /// None: a session, whose notices a ticket opens.
    Session,
}

/// An answer that is no problem.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// What its body shows.
    pub view: View,
    /// When it is given.
    pub when: &'static str,
}

/// What a body shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is the schema of that name")]
pub enum View {
    Cart,
    CartCreated,
    /// The hash of a shard's state.
    ShardState,
    Coupon,
    EventRecorded,
    Hold,
    NodeState,
    Order,
    OrderStarted,
    Product,
    ProductPage,
    /// What `claw verify` reads: its members are that format's and not listed here.
    Receipt,
    /// A webhook was taken.
    Received,
    Saga,
    SagaPage,
    TicketCreated,
    /// `OpenMetrics` text.
    Metrics,
    /// An `OpenAPI` document.
    OpenApi,
    /// A page of HTML.
    Page,
    /// No body.
    Nothing,
}

/// A field that a request may send, beside those that every signed request may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Where a page of a list begins.
    After,
    /// The order behind which a page of sagas begins.
    AfterOrder,
    /// The version that must be there.
    IfMatch,
    /// How long a page of a list is.
    Limit,
    /// Only what is parked.
    Parked,
    /// What opens a WebSocket.
    Ticket,
    /// Where a WebSocket goes on.
    AfterCursor,
    /// How a WebSocket is told.
    Format,
    /// Whose stock a WebSocket watches.
    Stock,
    /// The gateway's signature.
    StripeSignature,
    /// How long to wait.
    Prefer,
}

impl Contract {
    const READ: Self =
        Self { body: None, answers: &[], problems: &[], fields: &[], description: "" };

    /// Whether an answer of this status is in the table.
    pub fn allows(&self, status: u16) -> bool {
        self.answers.iter().any(|answer| answer.status == status)
    }
}

const fn answer(status: u16, view: View, when: &'static str) -> Answer {
    Answer { status, view, when }
}

/// What any request may be refused with, before its route is known.
const OF_EVERY: &[ProblemKind] = &[
    ProblemKind::Malformed,
    ProblemKind::RequestTimeout,
    ProblemKind::BodyTooLarge,
    ProblemKind::ExpectationFailed,
    ProblemKind::HeadTooLarge,
];
/// Of those that must be signed; all of status 401 beside.
const OF_SIGNED: &[ProblemKind] = &[
    ProblemKind::TwoCredentials,
    ProblemKind::Forbidden,
    ProblemKind::RateLimited,
    ProblemKind::Overloaded,
    ProblemKind::Behind,
    ProblemKind::NotReady,
];
/// Of those with an `Idempotency-Key`.
const OF_UNSAFE: &[ProblemKind] = &[
    ProblemKind::IdempotencyKeyMissing,
    ProblemKind::IdempotencyMismatch,
    ProblemKind::StillDeciding,
];

/// Of those with a body: it may not fit, and what is personal in it may find no room for its key.
const OF_BODIES: &[ProblemKind] = &[ProblemKind::Schema, ProblemKind::CapacityFull];

/// Whether a route may answer with a problem.
pub fn may_refuse(route: Route, kind: ProblemKind) -> bool {
    let (spec, contract) = (route.spec(), contract_of(route));
    // A ticket is shown to open a WebSocket, and nowhere else.
    let unproven = kind.status() == 401 && kind != ProblemKind::BadTicket;
    let signed = unproven || OF_SIGNED.contains(&kind);
    OF_EVERY.contains(&kind)
        || (spec.signed() && signed)
        || (spec.signed() && spec.unsafe_method() && OF_UNSAFE.contains(&kind))
        || (needs_scope(route) && kind == ProblemKind::InsufficientScope)
        || (contract.body.is_some() && OF_BODIES.contains(&kind))
        || contract.problems.contains(&kind)
}

/// Problems of a route in the order of their status.
pub fn problems_of(route: Route) -> impl Iterator<Item = ProblemKind> {
    ProblemKind::ALL.iter().copied().filter(move |&kind| may_refuse(route, kind))
}

/// Whether a shopper's token may use a route.
pub(super) fn takes_token(route: Route) -> bool {
    route.spec().roles.has(Role::Shopper)
}

/// Whether a shopper's token needs a scope for a route.
fn needs_scope(route: Route) -> bool {
    takes_token(route) && !route.spec().roles.scopes().is_empty()
}

const MADE: &str = "Made.";
const REPLACED: &str = "Replaced.";
const AS_IT_IS: &str = "As it is now.";
const HOLD: &[Answer] = &[answer(200, View::Hold, AS_IT_IS)];
const ORDER: &[Answer] = &[answer(200, View::Order, AS_IT_IS)];
const PRODUCT: &[Answer] = &[answer(200, View::Product, AS_IT_IS)];
const PRODUCT_PUT: &[Answer] =
    &[answer(201, View::Product, MADE), answer(200, View::Product, REPLACED)];
const COUPON_PUT: &[Answer] =
    &[answer(201, View::Coupon, MADE), answer(200, View::Coupon, REPLACED)];
const NOT_FOUND: &[ProblemKind] = &[ProblemKind::NotFound];
const ORDER_STEP: Contract = Contract {
    answers: ORDER,
    problems: &[ProblemKind::NotFound, ProblemKind::OrderState],
    ..Contract::READ
};
const STATE: &[Answer] = &[answer(200, View::NodeState, "Yes.")];

/// The row of a route.
#[expect(clippy::too_many_lines, reason = "a table: one row for each route")]
pub const fn contract_of(route: Route) -> Contract {
    match route {
        Route::ProductPut => Contract {
            body: Some(Body::BuiltIn(BuiltIn::ProductPut)),
            answers: PRODUCT_PUT,
            problems: &[ProblemKind::VersionMismatch, ProblemKind::CapacityFull],
            fields: &[Field::IfMatch],
            description: "Stock is kept; holds and orders keep the price they were made with.",
        },
        Route::ProductRead => Contract { answers: PRODUCT, problems: NOT_FOUND, ..Contract::READ },
        Route::ProductList => Contract {
            answers: const {
                &[answer(200, View::ProductPage, "A page; `next` is missing on the last.")]
            },
            fields: &[Field::After, Field::Limit],
            ..Contract::READ
        },
        Route::StockMove => Contract {
            body: Some(Body::BuiltIn(BuiltIn::StockMoved)),
            answers: PRODUCT,
            problems: &[ProblemKind::NotFound, ProblemKind::StockNegative],
            description: "Only what is available can be removed: held and sold units stay.",
            ..Contract::READ
        },
        Route::PriceChange => Contract {
            body: Some(Body::BuiltIn(BuiltIn::PriceChanged)),
            answers: PRODUCT,
            problems: NOT_FOUND,
            ..Contract::READ
        },
        Route::CouponPut => Contract {
            body: Some(Body::BuiltIn(BuiltIn::CouponPut)),
            answers: COUPON_PUT,
            problems: &[ProblemKind::CouponUses, ProblemKind::CapacityFull],
            description: "`ends_at` must be after `starts_at`. Uses made are kept.",
            ..Contract::READ
        },
        Route::CouponRead => Contract {
            answers: const { &[answer(200, View::Coupon, AS_IT_IS)] },
            problems: NOT_FOUND,
            ..Contract::READ
        },
        Route::CartCreate => Contract {
            body: Some(Body::BuiltIn(BuiltIn::CartCreated)),
            answers: const { &[answer(201, View::CartCreated, MADE)] },
            problems: &[ProblemKind::CapacityFull],
            ..Contract::READ
        },
        Route::CartItemPut => Contract {
            body: Some(Body::BuiltIn(BuiltIn::CartChanged)),
            answers: const { &[answer(200, View::Cart, AS_IT_IS)] },
            problems: &[
                ProblemKind::NotFound,
                ProblemKind::UnknownSku,
                ProblemKind::CurrencyMixed,
                ProblemKind::LinesAboveMax,
            ],
            description: "A cart reserves nothing: that is what a hold is for.",
            ..Contract::READ
        },
        Route::CartRead => Contract {
            answers: const { &[answer(200, View::Cart, AS_IT_IS)] },
            problems: NOT_FOUND,
            ..Contract::READ
        },
        Route::HoldCreate => Contract {
            body: Some(Body::BuiltIn(BuiltIn::HoldGranted)),
            answers: const { &[answer(201, View::Hold, "All lines are reserved.")] },
            problems: &[
                ProblemKind::UnknownSku,
                ProblemKind::SoldOut,
                ProblemKind::CurrencyMixed,
                ProblemKind::Empty,
                ProblemKind::CapacityFull,
            ],
            ..Contract::READ
        },
        Route::WaitlistJoin => Contract {
            body: Some(Body::BuiltIn(BuiltIn::HoldGranted)),
            answers: const {
                &[answer(201, View::Hold, "Reserved, or `waiting` in line until `expires_at`.")]
            },
            problems: &[
                ProblemKind::UnknownSku,
                ProblemKind::LinesAboveMax,
                ProblemKind::Empty,
                ProblemKind::CapacityFull,
            ],
            description: "Items of one SKU. Where there is not enough, the hold waits in line, an \
                          hour at most: what comes back goes to the first in line whom it \
                          suffices for, and a notice tells its session that the hold is `active`, \
                          from then on for `ttl_ms` and at the price of that moment. Release the \
                          hold to leave the line.",
            ..Contract::READ
        },
        Route::HoldRead => Contract { answers: HOLD, problems: NOT_FOUND, ..Contract::READ },
        Route::HoldRelease => Contract {
            answers: const { &[answer(200, View::Hold, "Released, or it had ended before.")] },
            problems: &[ProblemKind::NotFound, ProblemKind::HoldSold, ProblemKind::HoldNotActive],
            ..Contract::READ
        },
        Route::HoldExtend => Contract {
            body: Some(Body::BuiltIn(BuiltIn::HoldExtended)),
            answers: HOLD,
            problems: &[ProblemKind::NotFound, ProblemKind::HoldNotActive],
            description: "It then ends `ttl_ms` after now.",
            ..Contract::READ
        },
        Route::CheckoutCreate => Contract {
            body: Some(Body::BuiltIn(BuiltIn::OrderStarted)),
            answers: const {
                &[
                    answer(
                        202,
                        View::OrderStarted,
                        "Accepted; see `Location` for what becomes of it.",
                    ),
                    answer(200, View::Order, "With `Prefer: wait=S`: placed or cancelled in time."),
                ]
            },
            problems: &[
                ProblemKind::NotFound,
                ProblemKind::UnknownSku,
                ProblemKind::HoldNotActive,
                ProblemKind::CurrencyMixed,
                ProblemKind::Empty,
                ProblemKind::CapacityFull,
                ProblemKind::PaymentRequired,
            ],
            fields: &[Field::Prefer],
            description: "Send one of `hold_id`, `cart_id` and `items`. A retry with the same key \
                          answers with the same order as it is by then.",
        },
        Route::OrderRead => Contract { answers: ORDER, problems: NOT_FOUND, ..Contract::READ },
        Route::OrderCancel | Route::OrderShip | Route::OrderRefund => ORDER_STEP,
        Route::OrderReceipt => Contract {
            answers: const { &[answer(200, View::Receipt, "It is proven.")] },
            problems: &[ProblemKind::NotFound, ProblemKind::ReceiptNotYet],
            description: "`claw verify` checks it offline. Until a checkpoint covers the order: 404.",
            ..Contract::READ
        },
        Route::TicketCreate => Contract {
            body: Some(Body::Session),
            answers: const { &[answer(201, View::TicketCreated, MADE)] },
            problems: &[ProblemKind::CapacityFull],
            ..Contract::READ
        },
        Route::EventRecord => Contract {
            body: Some(Body::Own),
            answers: const { &[answer(201, View::EventRecorded, "Recorded.")] },
            problems: NOT_FOUND,
            description: "Types and members are those of the store's State-Schema.",
            ..Contract::READ
        },
        Route::ShardState => Contract {
            answers: const { &[answer(200, View::ShardState, "As of the last record.")] },
            problems: NOT_FOUND,
            description: "What `claw audit --full --node` compares a replay with. A shard that \
                          holds too much to hash while it serves answers without `state_hash`.",
            ..Contract::READ
        },
        Route::SagaList => Contract {
            answers: const { &[answer(200, View::SagaPage, "In the order of their orders' ids.")] },
            problems: NOT_FOUND,
            fields: &[Field::AfterOrder, Field::Limit, Field::Parked],
            description: "Looks at every order of the shard: an operator's question.",
            ..Contract::READ
        },
        Route::SagaRead => Contract {
            answers: const { &[answer(200, View::Saga, AS_IT_IS)] },
            problems: NOT_FOUND,
            ..Contract::READ
        },
        Route::SagaRetry | Route::SagaPark => Contract {
            answers: const { &[answer(200, View::Saga, AS_IT_IS)] },
            problems: &[ProblemKind::NotFound, ProblemKind::SagaState],
            ..Contract::READ
        },
        Route::PaymentWebhook => Contract {
            answers: const { &[answer(200, View::Received, "It is taken, now or before.")] },
            problems: &[ProblemKind::NotFound, ProblemKind::Overloaded],
            fields: &[Field::StripeSignature],
            description: "The body is an event of the gateway's as it sent it, authenticated by \
                          `Stripe-Signature` over its raw bytes. The vault reads it, this node \
                          does not. 404 in a store whose payments are none.",
            ..Contract::READ
        },
        Route::Socket => Contract {
            answers: const { &[answer(101, View::Nothing, "It is a WebSocket from here on.")] },
            problems: &[
                ProblemKind::BadTicket,
                ProblemKind::Forbidden,
                ProblemKind::RateLimited,
                ProblemKind::Overloaded,
            ],
            fields: &[Field::Ticket, Field::AfterCursor, Field::Format, Field::Stock],
            description: "Told are the orders, holds and carts of the ticket's session, and the \
                          stock of the SKUs named. Each message has a cursor; sent as `after` it \
                          goes on behind it, nothing left out, nothing twice.",
            ..Contract::READ
        },
        Route::Health => Contract { answers: STATE, ..Contract::READ },
        Route::Ready => {
            Contract { answers: STATE, problems: &[ProblemKind::NotReady], ..Contract::READ }
        }
        Route::Metrics => Contract {
            answers: const { &[answer(200, View::Metrics, "Every counter.")] },
            problems: NOT_FOUND,
            description: "404 where `metrics = false` in `store.toml`.",
            ..Contract::READ
        },
        Route::OpenApi => Contract {
            answers: const { &[answer(200, View::OpenApi, "This document.")] },
            ..Contract::READ
        },
        Route::Docs => Contract {
            answers: const { &[answer(200, View::Page, "This document to read.")] },
            ..Contract::READ
        },
        Route::Preflight => Contract {
            answers: const { &[answer(204, View::Nothing, "What may be asked, and from where.")] },
            ..Contract::READ
        },
    }
}
