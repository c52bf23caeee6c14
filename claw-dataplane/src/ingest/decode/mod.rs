//! From an authenticated request to the command it asks for and the shard that decides it.
//!
//! [`decode`] checks everything that can be known without the store's state: that the document is
//! JSON, that its members are those of the State-Schema, that values are in bounds. The command
//! borrows from the request and the scratch, so it is handed to a closure and lives no longer.
//!
//! [`headers`] reads fields and queries, [`json`] the document, `catalogue`, `shopping` and
//! `events` turn bodies into commands. `tickets` reads what is no command: no shard decides it.

mod body;
// Public for the fuzzed inputs alone, which try the search by itself.
#[doc(hidden)]
pub mod cards;
mod catalogue;
mod events;
pub mod headers;
pub mod json;
mod shopping;
mod tickets;

#[cfg(test)]
mod tests;

pub use catalogue::PERCENT_MAX;
use claw_common::id::{Id, Position, Session, ShardId, shard_of_key};
use claw_common::time::UnixMs;
use claw_core::command::{Command, CommandKey, ExtraType, OrderStep, SagaStep};
use claw_core::lines::LinesBuffer;
use claw_core::schema::CompiledSchema;
pub(in crate::ingest) use shopping::payment_token_fault;
pub use tickets::{TicketWish, decode_ticket};

use super::auth::Caller;
use super::http::Request;
use super::problem::{Problem, ProblemKind};
use super::routes::{Match, Route};

/// What the store's configuration says about requests.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Shards of the store.
    pub shards_count: u16,
    /// Life of a hold that does not say, milliseconds.
    pub hold_ttl_ms_default: u64,
    /// How long stock stays reserved for a checkout, milliseconds.
    pub checkout_ttl_ms: u64,
    /// Whether what costs something is paid for.
    pub takes_payments: bool,
}

/// A request on its way to a shard.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The request.
    pub request: &'a Request<'a>,
    /// Its route.
    pub matched: Match<'a>,
    /// Who asks.
    pub caller: &'a Caller<'a>,
    /// The store's schema.
    pub schema: &'a CompiledSchema,
    /// The store's settings.
    pub settings: &'a Settings,
    /// Now.
    pub now_ms: UnixMs,
}

/// Memory that decoding uses again.
#[derive(Debug, Default)]
pub struct Scratch {
    lines: LinesBuffer,
    after: Vec<Position>,
}

/// Who decides a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// This shard.
    Shard(ShardId),
    /// First the price of `sku` is read on `price_at`, then the command, with the price in it, is
    /// decided on `home`.
    PriceThen {
        /// SKU.
        sku: &'a str,
        /// The SKU's shard.
        price_at: ShardId,
        /// The cart's home.
        home: ShardId,
    },
    /// Every shard; answers are merged.
    All,
}

/// A command with its way.
#[derive(Clone, Copy, Debug)]
pub struct Routed<'a> {
    /// Who decides.
    pub target: Target<'a>,
    /// What is asked.
    pub command: Command<'a>,
    /// Zero for reads.
    pub identity: CommandKey,
    /// The store's own members as canonical JSON.
    pub extra: &'a [u8],
    /// As what they, and a product's attributes, are written.
    pub extra_type: ExtraType,
    /// The answer must be at least this new, else 503 `behind`.
    pub after: &'a [Position],
}

/// A command, its target and its extra members: what the routes' decoders hand on.
struct Decoded<'a> {
    target: Target<'a>,
    command: Command<'a>,
    extra: &'a [u8],
}

/// Decodes a request of a signed route and hands the command to `then`.
pub fn decode<R>(
    input: &Input<'_>,
    scratch: &mut Scratch,
    then: impl FnOnce(&Routed<'_>) -> R,
) -> Result<R, Problem> {
    let identity = headers::identify(input.request, &input.matched, input.caller)?;
    let Scratch { lines, after } = scratch;
    let shards_count = input.settings.shards_count;
    headers::claw_after(input.request.fields.claw_after, shards_count, after)?;
    if input.request.query.is_some() && !takes_query(input.matched.route) {
        return Err(Problem::malformed("this path takes no query"));
    }
    let then = |decoded: Decoded<'_>| {
        let Decoded { target, command, extra } = decoded;
        let extra_type = input.schema.extra_type_of(&command);
        cards::refuse(&command, extra)?;
        Ok(then(&Routed { target, command, identity, extra, extra_type, after }))
    };
    let decided: Result<Result<R, Problem>, Problem> = match input.matched.route {
        Route::ProductPut => catalogue::put_product(input, then),
        Route::ProductRead => catalogue::read_product(input).map(then),
        Route::ProductList => catalogue::list_products(input, then),
        Route::StockMove => catalogue::move_stock(input, then),
        Route::PriceChange => catalogue::change_price(input, then),
        Route::CouponPut => catalogue::put_coupon(input, then),
        Route::CouponRead => catalogue::read_coupon(input).map(then),
        Route::CartCreate => shopping::create_cart(input, then),
        Route::CartItemPut => shopping::put_cart_item(input, then),
        Route::HoldCreate => shopping::create_hold(input, lines, then),
        Route::WaitlistJoin => shopping::join_line(input, lines, then),
        Route::HoldExtend => shopping::extend_hold(input, then),
        Route::CheckoutCreate => shopping::check_out(input, lines, then),
        Route::EventRecord => events::record_event(input, &identity, then),
        Route::ShardState => shard_state(input).map(then),
        Route::SagaList => list_sagas(input).map(then),
        Route::CartRead
        | Route::HoldRead
        | Route::HoldRelease
        | Route::OrderRead
        | Route::OrderReceipt
        | Route::OrderCancel
        | Route::OrderShip
        | Route::OrderRefund
        | Route::SagaRead
        | Route::SagaRetry
        | Route::SagaPark => by_id(input, then),
        Route::TicketCreate => unreachable!("tickets are no commands, see decode_ticket"),
        Route::Health
        | Route::Ready
        | Route::Metrics
        | Route::OpenApi
        | Route::Docs
        | Route::PaymentWebhook
        | Route::Socket
        | Route::Preflight => unreachable!("unsigned routes are answered before decoding"),
    };
    decided?
}

/// Commands that are an id and nothing else.
fn by_id<R>(input: &Input<'_>, then: impl FnOnce(Decoded<'_>) -> R) -> Result<R, Problem> {
    body::expect_none(input.request)?;
    let (id, target) = home_of_path(input)?;
    let session = input.caller.session.as_ref().map(Session::as_str);
    let step = |step| Command::AdvanceOrder { order: id, session, step };
    let command = match input.matched.route {
        Route::CartRead => Command::ReadCart { cart: id, session },
        Route::HoldRead => Command::ReadHold { hold: id, session },
        Route::HoldRelease => Command::ReleaseHold { hold: id, session },
        Route::OrderRead => Command::ReadOrder { order: id, session },
        Route::OrderReceipt => Command::ReadOrderRecords { order: id, session },
        Route::SagaRead => Command::ReadSaga { order: id },
        Route::SagaRetry => Command::StepSaga { order: id, step: SagaStep::Retry },
        Route::SagaPark => Command::StepSaga { order: id, step: SagaStep::Park },
        Route::OrderCancel => step(OrderStep::Cancel),
        Route::OrderShip => step(OrderStep::Ship),
        Route::OrderRefund => step(OrderStep::Refund),
        other => unreachable!("{other:?} is not decided by its id alone"),
    };
    Ok(then(Decoded { target, command, extra: &[] }))
}

const fn takes_query(route: Route) -> bool {
    matches!(route, Route::ProductList | Route::SagaList)
}

fn shard_state(input: &Input<'_>) -> Result<Decoded<'static>, Problem> {
    body::expect_none(input.request)?;
    let target = Target::Shard(shard_of_path(input)?);
    Ok(Decoded { target, command: Command::ReadState, extra: &[] })
}

fn list_sagas(input: &Input<'_>) -> Result<Decoded<'static>, Problem> {
    body::expect_none(input.request)?;
    let target = Target::Shard(shard_of_path(input)?);
    let (after, limit, parked_only) = headers::saga_page(input.request.query)?;
    Ok(Decoded { target, command: Command::ListSagas { after, limit, parked_only }, extra: &[] })
}

/// A shard by its number.
fn shard_of_path(input: &Input<'_>) -> Result<ShardId, Problem> {
    let text = input.matched.parameters[0];
    let shard = text.parse().ok().filter(|shard| *shard < input.settings.shards_count);
    shard.map(ShardId).ok_or_else(|| not_found(text))
}

/// The id in the path and the shard it names.
fn home_of_path(input: &Input<'_>) -> Result<(Id, Target<'static>), Problem> {
    let id = input.matched.id().ok_or_else(|| not_found(input.matched.parameters[0]))?;
    Ok((id, Target::Shard(home_of(id, input.settings)?)))
}

/// The shard an id names; an id that names none was not made here.
fn home_of(id: Id, settings: &Settings) -> Result<ShardId, Problem> {
    let home = id.home();
    if home.0 < settings.shards_count { Ok(home) } else { Err(not_found(&id.to_string())) }
}

fn shard_of(key: &str, settings: &Settings) -> ShardId {
    shard_of_key(key, settings.shards_count)
}

fn not_found(what: &str) -> Problem {
    Problem::new(ProblemKind::NotFound, format!("nothing here is called {what}"))
}
