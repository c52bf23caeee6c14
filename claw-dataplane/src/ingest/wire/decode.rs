//! From an admitted command's bytes to the command and the shard that decides it.
//!
//! The same checks as for a document over HTTP, in the same order and with the same refusals: the
//! State-Schema's bounds for every member, the store's own members, what a member must be besides.
//! The command borrows from the frame and the scratch, so it is handed to a closure.

use claw_common::id::{Id, Position, ShardId, is_session, is_sku, shard_of_key};
use claw_common::limits::{NAME_BYTES_MAX, REASON_BYTES_MAX, WAIT_SECONDS_MAX};
use claw_common::money::{Currency, Money};
use claw_common::time::UnixMs;
use claw_common::wire::{BASKET_CART, BASKET_HOLD, CommandKind};
use claw_core::command::{Basket, Command, CommandKey, OrderStep};
use claw_core::lines::{Lines, LinesBuffer, LinesError};
use claw_core::protocol::{Asked, AskedBasket, AskedLines, AskedProduct, CommandView};
use claw_core::schema::{BuiltIn, CompiledSchema, FieldValue, Violation, canonical_json};
use serde_json::{Map, Value};

use super::coupon;
use crate::ingest::decode::cards;
use crate::ingest::decode::{Routed, Settings, Target, payment_token_fault};
use crate::ingest::problem::{Problem, ProblemKind};
use crate::ingest::routes::Route;

/// Milliseconds a checkout may wait.
const WAIT_MS_MAX: u64 = WAIT_SECONDS_MAX * 1000;

/// Memory that decoding uses again.
#[derive(Debug, Default)]
pub struct Scratch {
    lines: LinesBuffer,
    after: Vec<Position>,
}

/// A command on its way to a shard.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The command.
    pub command: &'a CommandView<'a>,
    /// What it is known by; not used for reads.
    pub identity: CommandKey,
    /// The store's schema.
    pub schema: &'a CompiledSchema,
    /// The store's settings.
    pub settings: &'a Settings,
    /// Now.
    pub now_ms: UnixMs,
}

/// The route of the same meaning: its roles are the command's, its counters count it.
pub const fn route_of(kind: CommandKind) -> Route {
    match kind {
        CommandKind::PutProduct => Route::ProductPut,
        CommandKind::ReadProduct => Route::ProductRead,
        CommandKind::MoveStock => Route::StockMove,
        CommandKind::ChangePrice => Route::PriceChange,
        CommandKind::PutCoupon => Route::CouponPut,
        CommandKind::ReadCoupon => Route::CouponRead,
        CommandKind::CreateCart => Route::CartCreate,
        CommandKind::SetCartItem => Route::CartItemPut,
        CommandKind::ReadCart => Route::CartRead,
        CommandKind::CreateHold => Route::HoldCreate,
        CommandKind::ReadHold => Route::HoldRead,
        CommandKind::ReleaseHold => Route::HoldRelease,
        CommandKind::ExtendHold => Route::HoldExtend,
        CommandKind::Checkout => Route::CheckoutCreate,
        CommandKind::ReadOrder => Route::OrderRead,
        CommandKind::CancelOrder => Route::OrderCancel,
        CommandKind::ShipOrder => Route::OrderShip,
        CommandKind::RefundOrder => Route::OrderRefund,
    }
}

/// Decodes a command and hands it to `then`.
pub fn decode<R>(
    input: &Input<'_>,
    scratch: &mut Scratch,
    then: impl FnOnce(&Routed<'_>) -> R,
) -> Result<R, Problem> {
    let Scratch { lines, after } = scratch;
    read_after(input, after)?;
    let then = |target: Target<'_>, command: Command<'_>, extra: &[u8]| {
        let identity = if command.reads_only() { CommandKey::default() } else { input.identity };
        let extra_type = input.schema.extra_type_of(&command);
        cards::refuse(&command, extra)?;
        Ok(then(&Routed { target, command, identity, extra, extra_type, after }))
    };
    match input.command.asked()? {
        Asked::Name(name) => by_name(input, name, then),
        Asked::Id(id) => {
            let target = Target::Shard(home_of(input, id)?);
            then(target, by_id(input.command.kind, id), no_extras(input)?)
        }
        Asked::Product(product) => put_product(input, &product, then),
        Asked::Stock(sku, delta, reason) => move_stock(input, (sku, delta, reason), then),
        Asked::Price(sku, amount, currency) => {
            check_sku(input, BuiltIn::PriceChanged, sku)?;
            let price = read_price(input, BuiltIn::PriceChanged, (amount, currency))?;
            let extra = extras(input, BuiltIn::PriceChanged)?;
            then(shard_of(input, sku), Command::ChangePrice { sku, price }, &extra)
        }
        Asked::Coupon(coupon) => {
            let code = coupon.code;
            let terms = coupon::terms(input, &coupon)?;
            let extra = extras(input, BuiltIn::CouponPut)?;
            then(shard_of(input, code), Command::PutCoupon { code, terms }, &extra)
        }
        Asked::CartItem(cart, sku, quantity) => set_item(input, (cart, sku, quantity), then),
        Asked::Hold(session, ttl_ms, asked) => {
            check_session(input, BuiltIn::HoldGranted, session)?;
            let lines = read_lines(input, BuiltIn::HoldGranted, (&asked, lines))?;
            let ttl_ms = match ttl_ms {
                0 => {
                    check(input, BuiltIn::HoldGranted, "ttl_ms", FieldValue::Absent)?;
                    input.settings.hold_ttl_ms_default
                }
                ttl_ms => check_ttl(input, BuiltIn::HoldGranted, ttl_ms)?,
            };
            let extra = extras(input, BuiltIn::HoldGranted)?;
            let target = shard_of_first(input, &lines)?;
            then(target, Command::CreateHold { session, lines, ttl_ms }, &extra)
        }
        Asked::Extend(hold, ttl_ms) => {
            let target = Target::Shard(home_of(input, hold)?);
            let ttl_ms = check_ttl(input, BuiltIn::HoldExtended, ttl_ms)?;
            let extra = extras(input, BuiltIn::HoldExtended)?;
            then(target, Command::ExtendHold { hold, session: None, ttl_ms }, &extra)
        }
        Asked::Basket(basket) => check_out(input, (&basket, lines), then),
    }
}

fn read_after(input: &Input<'_>, after: &mut Vec<Position>) -> Result<(), Problem> {
    after.clear();
    for entry in input.command.after {
        let position =
            Position { shard: ShardId(entry.shard.get()), sequence: entry.sequence.get() };
        if position.shard.0 >= input.settings.shards_count {
            return Err(Problem::malformed("a position names a shard that the store has"));
        }
        after.push(position);
    }
    Ok(())
}

fn by_name<R>(
    input: &Input<'_>,
    name: &str,
    then: impl FnOnce(Target<'_>, Command<'_>, &[u8]) -> Result<R, Problem>,
) -> Result<R, Problem> {
    let target = shard_of(input, name);
    if input.command.kind == CommandKind::CreateCart {
        check_session(input, BuiltIn::CartCreated, name)?;
        let extra = extras(input, BuiltIn::CartCreated)?;
        return then(target, Command::CreateCart { session: name }, &extra);
    }
    let extra = no_extras(input)?;
    if !is_sku(name) {
        return Err(not_found(name));
    }
    match input.command.kind {
        CommandKind::ReadCoupon => then(target, Command::ReadCoupon { code: name }, extra),
        _ => then(target, Command::ReadProduct { sku: name }, extra),
    }
}

fn by_id(kind: CommandKind, id: Id) -> Command<'static> {
    let session = None;
    let step = |step| Command::AdvanceOrder { order: id, session, step };
    match kind {
        CommandKind::ReadCart => Command::ReadCart { cart: id, session },
        CommandKind::ReadHold => Command::ReadHold { hold: id, session },
        CommandKind::ReleaseHold => Command::ReleaseHold { hold: id, session },
        CommandKind::ReadOrder => Command::ReadOrder { order: id, session },
        CommandKind::CancelOrder => step(OrderStep::Cancel),
        CommandKind::ShipOrder => step(OrderStep::Ship),
        CommandKind::RefundOrder => step(OrderStep::Refund),
        other => unreachable!("{other:?} is not an id alone"),
    }
}

fn put_product<R>(
    input: &Input<'_>,
    product: &AskedProduct<'_>,
    then: impl FnOnce(Target<'_>, Command<'_>, &[u8]) -> Result<R, Problem>,
) -> Result<R, Problem> {
    const EVENT: BuiltIn = BuiltIn::ProductPut;
    let AskedProduct { sku, name, price_amount, currency, attributes, version_expected } = *product;
    check_sku(input, EVENT, sku)?;
    check(input, EVENT, "name", FieldValue::Text(name))?;
    if name.len() > NAME_BYTES_MAX {
        return Err(Problem::schema("name", "`name` is too long"));
    }
    let price = read_price(input, EVENT, (price_amount, currency))?;
    let attributes =
        (!attributes.is_empty()).then(|| json("attributes", attributes)).transpose()?;
    let attributes = input.schema.attributes(attributes.as_ref()).map_err(refuse)?;
    let attributes = std::str::from_utf8(&attributes).expect("canonical JSON is text");
    let extra = extras(input, EVENT)?;
    let command = Command::PutProduct { sku, name, price, attributes, version_expected };
    then(shard_of(input, sku), command, &extra)
}

fn move_stock<R>(
    input: &Input<'_>,
    moved: (&str, i64, &str),
    then: impl FnOnce(Target<'_>, Command<'_>, &[u8]) -> Result<R, Problem>,
) -> Result<R, Problem> {
    let (sku, delta, reason) = moved;
    check_sku(input, BuiltIn::StockMoved, sku)?;
    check(input, BuiltIn::StockMoved, "delta", FieldValue::Integer(delta))?;
    if delta == 0 {
        return Err(Problem::schema("delta", "`delta` must not be 0"));
    }
    check(input, BuiltIn::StockMoved, "reason", optional(reason))?;
    if reason.len() > REASON_BYTES_MAX {
        return Err(Problem::schema("reason", "`reason` is too long"));
    }
    let extra = extras(input, BuiltIn::StockMoved)?;
    then(shard_of(input, sku), Command::MoveStock { sku, delta, reason }, &extra)
}

fn set_item<R>(
    input: &Input<'_>,
    item: (Id, &str, u32),
    then: impl FnOnce(Target<'_>, Command<'_>, &[u8]) -> Result<R, Problem>,
) -> Result<R, Problem> {
    let (cart, sku, quantity) = item;
    let home = home_of(input, cart)?;
    if !is_sku(sku) {
        return Err(not_a_sku("sku"));
    }
    check(input, BuiltIn::CartChanged, "quantity", FieldValue::Integer(quantity.into()))?;
    let extra = extras(input, BuiltIn::CartChanged)?;
    let price_at = shard_of_key(sku, input.settings.shards_count);
    // Taking a line out needs no price.
    let target = match quantity {
        0 => Target::Shard(home),
        _ => Target::PriceThen { sku, price_at, home },
    };
    let command = Command::SetCartItem { cart, session: None, sku, quantity, price: None };
    then(target, command, &extra)
}

fn check_out<R>(
    input: &Input<'_>,
    asked: (&AskedBasket<'_>, &mut LinesBuffer),
    then: impl FnOnce(Target<'_>, Command<'_>, &[u8]) -> Result<R, Problem>,
) -> Result<R, Problem> {
    const EVENT: BuiltIn = BuiltIn::OrderStarted;
    let (basket, lines) = asked;
    if !basket.payment.is_empty() && !input.settings.takes_payments {
        let detail = "`payment` is not taken: this store's payments are none";
        return Err(Problem::schema("payment", detail));
    }
    if !basket.payment.is_empty()
        && let Some(reason) = payment_token_fault(basket.payment)
    {
        return Err(Problem::schema("payment.token", format!("`payment.token` {reason}")));
    }
    check_session(input, EVENT, basket.session)?;
    check(input, EVENT, "coupon", optional(basket.coupon))?;
    check(input, EVENT, "region", optional(basket.region))?;
    let ship_to = read_ship_to(input, basket.ship_to)?;
    let id = Id(basket.fixed.basket);
    let (bought, target) = match basket.fixed.basket_kind {
        BASKET_HOLD => (Basket::Hold(id), Target::Shard(home_of(input, id)?)),
        BASKET_CART => (Basket::Cart(id), Target::Shard(home_of(input, id)?)),
        _ => {
            let lines = read_lines(input, EVENT, (&basket.lines, lines))?;
            (Basket::Items(lines), shard_of_first(input, &lines)?)
        }
    };
    let extra = extras(input, EVENT)?;
    let wait_ms = u64::from(basket.fixed.wait_ms.get()).min(WAIT_MS_MAX);
    let command = Command::Checkout {
        session: basket.session,
        own_session_only: false,
        basket: bought,
        coupon: (!basket.coupon.is_empty()).then_some(basket.coupon),
        ship_to: &ship_to,
        region: basket.region,
        wait_until_ms: if wait_ms == 0 { 0 } else { input.now_ms + wait_ms },
        ttl_ms: input.settings.checkout_ttl_ms,
        payment: input.settings.takes_payments.then_some(basket.payment),
    };
    then(target, command, &extra)
}

fn read_ship_to(input: &Input<'_>, text: &str) -> Result<String, Problem> {
    if text.is_empty() {
        check(input, BuiltIn::OrderStarted, "ship_to", FieldValue::Absent)?;
        return Ok(String::new());
    }
    let value = json("ship_to", text)?;
    check(input, BuiltIn::OrderStarted, "ship_to", FieldValue::Json(&value))?;
    if !value.is_object() {
        return Err(Problem::schema("ship_to", "`ship_to` must be an object"));
    }
    Ok(canonical_json(&value))
}

fn read_lines<'l>(
    input: &Input<'_>,
    event: BuiltIn,
    lines: (&AskedLines<'_>, &'l mut LinesBuffer),
) -> Result<Lines<'l>, Problem> {
    let (asked, buffer) = lines;
    check(input, event, "items", FieldValue::Count(asked.count()))?;
    buffer.clear();
    for (index, line) in asked.iter().enumerate() {
        let at = |member, value| {
            input.schema.validate_built_in_at(event, member, index, value).map_err(refuse)
        };
        at("items.sku", FieldValue::Text(line.sku))?;
        at("items.quantity", FieldValue::Integer(line.quantity.into()))?;
        buffer.add(line.sku, line.quantity, 0).map_err(|error| {
            let (member, reason) = match error {
                LinesError::CountAboveMax => ("", "is one line too many"),
                LinesError::Quantity => (".quantity", "is more than one order may have of it"),
                LinesError::Sku => (".sku", "must be a SKU"),
            };
            let path = format!("items[{index}]{member}");
            let detail = format!("`{path}` {reason}");
            Problem::schema(path, detail)
        })?;
    }
    Ok(buffer.lines())
}

fn shard_of_first(input: &Input<'_>, lines: &Lines<'_>) -> Result<Target<'static>, Problem> {
    let first = lines.iter().next();
    let first = first.ok_or_else(|| Problem::schema("items", "`items` must have an entry"))?;
    Ok(Target::Shard(shard_of_key(first.sku, input.settings.shards_count)))
}

fn shard_of(input: &Input<'_>, key: &str) -> Target<'static> {
    Target::Shard(shard_of_key(key, input.settings.shards_count))
}

/// The shard an id names; an id that names none was not made here.
fn home_of(input: &Input<'_>, id: Id) -> Result<ShardId, Problem> {
    let home = id.home();
    if home.0 < input.settings.shards_count { Ok(home) } else { Err(not_found(&id.to_string())) }
}

/// Checks a member against the schema.
pub(super) fn check(
    input: &Input<'_>,
    event: BuiltIn,
    member: &str,
    value: FieldValue<'_>,
) -> Result<(), Problem> {
    input.schema.validate_built_in(event, member, value).map_err(refuse)
}

/// A text of length 0 is absent.
pub(super) const fn optional(text: &str) -> FieldValue<'_> {
    if text.is_empty() { FieldValue::Absent } else { FieldValue::Text(text) }
}

fn check_sku(input: &Input<'_>, event: BuiltIn, sku: &str) -> Result<(), Problem> {
    if !is_sku(sku) {
        return Err(not_a_sku("sku"));
    }
    check(input, event, "sku", FieldValue::Text(sku))
}

pub(super) fn not_a_sku(member: &str) -> Problem {
    let detail = format!("`{member}` must be 1 to 64 of A-Z a-z 0-9 . _ -");
    Problem::schema(member, detail)
}

fn check_session(input: &Input<'_>, event: BuiltIn, session: &str) -> Result<(), Problem> {
    check(input, event, "session", optional(session))?;
    if is_session(session) {
        return Ok(());
    }
    let detail = "`session` must be 1 to 64 printable ASCII characters without space";
    Err(Problem::schema("session", detail))
}

fn check_ttl(input: &Input<'_>, event: BuiltIn, ttl_ms: u64) -> Result<u64, Problem> {
    let value = i64::try_from(ttl_ms).unwrap_or(i64::MAX);
    check(input, event, "ttl_ms", FieldValue::Integer(value))?;
    Ok(ttl_ms)
}

fn read_price(input: &Input<'_>, event: BuiltIn, price: (i64, &[u8; 3])) -> Result<Money, Problem> {
    let currency = read_currency(*price.1, "price.currency")?;
    let price = Money { amount: price.0, currency };
    check(input, event, "price", FieldValue::Money(price))?;
    Ok(price)
}

pub(super) fn read_currency(bytes: [u8; 3], member: &str) -> Result<Currency, Problem> {
    Currency::from_bytes(bytes).ok_or_else(|| {
        let detail = format!("`{member}` must be an ISO 4217 code");
        Problem::schema(member, detail)
    })
}

/// The store's own members as canonical JSON; empty for none.
fn extras(input: &Input<'_>, event: BuiltIn) -> Result<Vec<u8>, Problem> {
    let members = match input.command.extra {
        [] => Map::new(),
        text => match serde_json::from_slice(text) {
            Ok(Value::Object(members)) => members,
            Ok(_) => return Err(Problem::malformed("extra is a JSON object")),
            Err(error) => return Err(Problem::malformed(format!("read extra as JSON: {error}"))),
        },
    };
    input.schema.extras(event, &members).map_err(refuse)
}

fn no_extras<'a>(input: &Input<'a>) -> Result<&'a [u8], Problem> {
    match input.command.extra {
        [] => Ok(&[]),
        _ => Err(Problem::malformed("this command has no extra members")),
    }
}

fn json(member: &str, text: &str) -> Result<Value, Problem> {
    serde_json::from_str(text)
        .map_err(|error| Problem::malformed(format!("read {member} as JSON: {error}")))
}

/// The problem of a violation.
fn refuse(violation: Violation) -> Problem {
    let detail = violation.to_string();
    let problem = Problem::schema(violation.path, detail);
    match violation.suggestion {
        Some(suggestion) => problem.text("suggestion", suggestion),
        None => problem,
    }
}

fn not_found(what: &str) -> Problem {
    Problem::new(ProblemKind::NotFound, format!("nothing here is called {what:?}"))
}
