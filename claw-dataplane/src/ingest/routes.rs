//! The routes of the public interface in one table: method, path, who may, and whether signed.
//!
//! The router, the answers 404, 405 and 403, the counters and the interface's description all read
//! this table, so they cannot disagree. What a route does is in `decode` and `render`.

use claw_common::id::Id;

use super::scopes::{Scope, Scopes};

/// What a key may do, as registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Role {
    /// Products, prices, stock, coupons.
    Source = 1,
    /// Carts, holds, checkouts, orders of any session.
    Storefront = 2,
    /// Everything.
    Operator = 4,
    /// One session's own, by token.
    Shopper = 8,
}

impl Role {
    /// Parses the name that `claw keys` uses; shoppers have no keys.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Source, Self::Storefront, Self::Operator].into_iter().find(|r| r.name() == name)
    }

    /// The name as in the interface.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Storefront => "storefront",
            Self::Operator => "operator",
            Self::Shopper => "shopper",
        }
    }
}

/// Several roles, and what a shopper's token must be for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles {
    bits: u8,
    scopes: Scopes,
}

impl Roles {
    const NONE: Self = Self::keys(0);
    const OPERATOR: Self = Self::keys(Role::Operator as u8);
    const CATALOGUE: Self = Self::keys(Role::Operator as u8 | Role::Source as u8);
    const SHOP: Self = Self::keys(Role::Operator as u8 | Role::Storefront as u8);
    /// Who may of a declared type is said by its declaration.
    const KEYS: Self = Self::keys(Self::CATALOGUE.bits | Self::SHOP.bits);
    /// Everybody, with a token of any scope or none.
    const READERS: Self = Self { bits: Self::CATALOGUE.bits | SHOPPERS, scopes: Scopes::NONE };
    const CARTS: Self = Self::shopping([Scope::Cart]);
    /// A hold lies between a cart and a checkout, and belongs to either.
    const HOLDS: Self = Self::shopping([Scope::Cart, Scope::Checkout]);
    const BUYING: Self = Self::shopping([Scope::Checkout]);
    const ORDERS: Self = Self::shopping([Scope::Checkout, Scope::Watch]);
    const WATCHING: Self = Self::shopping([Scope::Watch]);

    const fn keys(bits: u8) -> Self {
        Self { bits, scopes: Scopes::NONE }
    }

    /// Shops, and shoppers whose token has one of these scopes.
    const fn shopping<const N: usize>(scopes: [Scope; N]) -> Self {
        Self { bits: SHOPPERS, scopes: Scopes::of(scopes) }
    }

    /// The scopes of which a shopper's token needs one; none: any token will do.
    pub const fn scopes(self) -> Scopes {
        self.scopes
    }

    /// Whether `role` is among them.
    pub const fn has(self, role: Role) -> bool {
        self.bits & role as u8 != 0
    }

    /// Their names, those of keys first.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let all = [Role::Source, Role::Storefront, Role::Operator, Role::Shopper];
        all.into_iter().filter(move |&role| self.has(role)).map(Role::name)
    }
}

const SHOPPERS: u8 = Role::Operator as u8 | Role::Storefront as u8 | Role::Shopper as u8;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the table says what each is")]
#[repr(u8)]
pub enum Route {
    ProductPut,
    ProductRead,
    ProductList,
    StockMove,
    PriceChange,
    CouponPut,
    CouponRead,
    CartCreate,
    CartItemPut,
    CartRead,
    HoldCreate,
    WaitlistJoin,
    HoldRead,
    HoldRelease,
    HoldExtend,
    CheckoutCreate,
    OrderRead,
    OrderReceipt,
    OrderCancel,
    OrderShip,
    OrderRefund,
    TicketCreate,
    EventRecord,
    ShardState,
    SagaList,
    SagaRead,
    SagaRetry,
    SagaPark,
    PaymentWebhook,
    Socket,
    Health,
    Ready,
    Metrics,
    OpenApi,
    Docs,
    Preflight,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct RouteSpec {
    /// What it asks for.
    pub route: Route,
    /// Method.
    pub method: &'static str,
    /// Path with parameters in braces.
    pub template: &'static str,
    /// The same, split.
    pub segments: &'static [Segment],
    /// Who may, and with which scope; nobody in particular when it is not signed.
    pub roles: Roles,
    /// What it does, for the interface's description.
    pub summary: &'static str,
}

impl RouteSpec {
    /// Whether a request must be signed.
    pub fn signed(&self) -> bool {
        self.roles != Roles::NONE
    }

    /// Whether a request must carry an `Idempotency-Key`.
    pub fn unsafe_method(&self) -> bool {
        matches!(self.method, "POST" | "PUT" | "DELETE")
    }
}

/// A part of a path.
#[derive(Clone, Copy, Debug)]
pub enum Segment {
    /// This text.
    Fixed(&'static str),
    /// Any text that is not empty.
    Parameter,
}

use Segment::{Fixed, Parameter};

const PRODUCTS: Segment = Fixed("products");
const HOLDS: Segment = Fixed("holds");
const ORDERS: Segment = Fixed("orders");
const CARTS: Segment = Fixed("carts");
const SAGAS: Segment = Fixed("sagas");
const V1: Segment = Fixed("v1");

const fn row(
    route: Route,
    place: (&'static str, &'static str),
    segments: &'static [Segment],
    roles: Roles,
    summary: &'static str,
) -> RouteSpec {
    RouteSpec { route, method: place.0, template: place.1, segments, roles, summary }
}

/// All routes. A path's methods stand together; `ROUTES[n].route as usize == n`.
#[rustfmt::skip]
pub const ROUTES: &[RouteSpec] = &[
    row(Route::ProductPut, ("PUT", "/v1/products/{sku}"), &[V1, PRODUCTS, Parameter], Roles::CATALOGUE, "Create or replace a product"),
    row(Route::ProductRead, ("GET", "/v1/products/{sku}"), &[V1, PRODUCTS, Parameter], Roles::READERS, "Read a product and its stock"),
    row(Route::ProductList, ("GET", "/v1/products"), &[V1, PRODUCTS], Roles::OPERATOR, "List products in the order of their SKUs"),
    row(Route::StockMove, ("POST", "/v1/products/{sku}/stock"), &[V1, PRODUCTS, Parameter, Fixed("stock")], Roles::CATALOGUE, "Receive or remove stock"),
    row(Route::PriceChange, ("POST", "/v1/products/{sku}/price"), &[V1, PRODUCTS, Parameter, Fixed("price")], Roles::CATALOGUE, "Change the price of holds to come"),
    row(Route::CouponPut, ("PUT", "/v1/coupons/{code}"), &[V1, Fixed("coupons"), Parameter], Roles::CATALOGUE, "Create or replace a coupon"),
    row(Route::CouponRead, ("GET", "/v1/coupons/{code}"), &[V1, Fixed("coupons"), Parameter], Roles::CATALOGUE, "Read a coupon and its uses"),
    row(Route::CartCreate, ("POST", "/v1/carts"), &[V1, CARTS], Roles::CARTS, "Make an empty cart"),
    row(Route::CartItemPut, ("PUT", "/v1/carts/{cart}/items/{sku}"), &[V1, CARTS, Parameter, Fixed("items"), Parameter], Roles::CARTS, "Set a line of a cart; 0 removes it"),
    row(Route::CartRead, ("GET", "/v1/carts/{cart}"), &[V1, CARTS, Parameter], Roles::CARTS, "Read a cart"),
    row(Route::HoldCreate, ("POST", "/v1/holds"), &[V1, HOLDS], Roles::HOLDS, "Reserve stock, all lines or none"),
    row(Route::WaitlistJoin, ("POST", "/v1/waitlist"), &[V1, Fixed("waitlist")], Roles::HOLDS, "Reserve stock now, or in line when some comes back"),
    row(Route::HoldRead, ("GET", "/v1/holds/{id}"), &[V1, HOLDS, Parameter], Roles::HOLDS, "Read a hold"),
    row(Route::HoldRelease, ("DELETE", "/v1/holds/{id}"), &[V1, HOLDS, Parameter], Roles::HOLDS, "Give a hold's stock back"),
    row(Route::HoldExtend, ("POST", "/v1/holds/{id}/extend"), &[V1, HOLDS, Parameter, Fixed("extend")], Roles::HOLDS, "Let a hold live longer"),
    row(Route::CheckoutCreate, ("POST", "/v1/checkouts"), &[V1, Fixed("checkouts")], Roles::BUYING, "Buy what a hold, a cart or a list of lines says"),
    row(Route::OrderRead, ("GET", "/v1/orders/{id}"), &[V1, ORDERS, Parameter], Roles::ORDERS, "Read an order"),
    row(Route::OrderReceipt, ("GET", "/v1/orders/{id}/receipt"), &[V1, ORDERS, Parameter, Fixed("receipt")], Roles::ORDERS, "Read what proves an order, for `claw verify`"),
    row(Route::OrderCancel, ("POST", "/v1/orders/{id}/cancel"), &[V1, ORDERS, Parameter, Fixed("cancel")], Roles::BUYING, "Cancel an order; its stock comes back"),
    row(Route::OrderShip, ("POST", "/v1/orders/{id}/ship"), &[V1, ORDERS, Parameter, Fixed("ship")], Roles::SHOP, "Mark an order as shipped"),
    row(Route::OrderRefund, ("POST", "/v1/orders/{id}/refund"), &[V1, ORDERS, Parameter, Fixed("refund")], Roles::SHOP, "Pay an order back"),
    row(Route::TicketCreate, ("POST", "/v1/tickets"), &[V1, Fixed("tickets")], Roles::WATCHING, "Make a ticket that opens one WebSocket once, within 30 s"),
    row(Route::EventRecord, ("POST", "/v1/events/{type}"), &[V1, Fixed("events"), Parameter], Roles::KEYS, "Record an event of a type that the store declared; its declaration says whose keys may"),
    row(Route::ShardState, ("GET", "/v1/shards/{shard}/state"), &[V1, Fixed("shards"), Parameter, Fixed("state")], Roles::OPERATOR, "Read the hash of a shard's state, to compare with a replay of the log"),
    row(Route::SagaList, ("GET", "/v1/shards/{shard}/sagas"), &[V1, Fixed("shards"), Parameter, SAGAS], Roles::OPERATOR, "List a shard's sagas that have not ended"),
    row(Route::SagaRead, ("GET", "/v1/sagas/{id}"), &[V1, SAGAS, Parameter], Roles::OPERATOR, "Read an order's saga"),
    row(Route::SagaRetry, ("POST", "/v1/sagas/{id}/retry"), &[V1, SAGAS, Parameter, Fixed("retry")], Roles::OPERATOR, "Try a parked saga again"),
    row(Route::SagaPark, ("POST", "/v1/sagas/{id}/park"), &[V1, SAGAS, Parameter, Fixed("park")], Roles::OPERATOR, "Leave a saga alone until it is retried"),
    row(Route::PaymentWebhook, ("POST", "/v1/payments/webhook/stripe"), &[V1, Fixed("payments"), Fixed("webhook"), Fixed("stripe")], Roles::NONE, "Take an event of the payment gateway, signed by it"),
    row(Route::Socket, ("GET", "/v1/ws"), &[V1, Fixed("ws")], Roles::NONE, "Open a WebSocket that a ticket opens, and be told of its session"),
    row(Route::Health, ("GET", "/v1/health"), &[V1, Fixed("health")], Roles::NONE, "Whether the process lives"),
    row(Route::Ready, ("GET", "/v1/ready"), &[V1, Fixed("ready")], Roles::NONE, "Whether the node takes orders"),
    row(Route::Metrics, ("GET", "/metrics"), &[Fixed("metrics")], Roles::NONE, "Counters as OpenMetrics text"),
    row(Route::OpenApi, ("GET", "/openapi.json"), &[Fixed("openapi.json")], Roles::NONE, "This interface as OpenAPI 3.1"),
    row(Route::Docs, ("GET", "/docs"), &[Fixed("docs")], Roles::NONE, "This interface as a page to read"),
    row(Route::Preflight, ("OPTIONS", "*"), &[Fixed("*")], Roles::NONE, "What browsers ask before they ask"),
];

impl Route {
    /// Its row.
    pub fn spec(self) -> &'static RouteSpec {
        &ROUTES[usize::from(self as u8)]
    }
}

/// A path that fits a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match<'a> {
    /// The row's route.
    pub route: Route,
    /// Parameters in order; unused ones are empty.
    pub parameters: [&'a str; 2],
}

impl Match<'_> {
    /// A parameter that must be an id; what is none names nothing.
    pub fn id(&self) -> Option<Id> {
        Id::parse(self.parameters[0])
    }
}

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routing<'a> {
    /// To a route.
    Found(Match<'a>),
    /// The path is there with other methods.
    OtherMethods,
    /// Nowhere.
    NoPath,
}

/// Deepest path of the table.
const SEGMENTS_MAX: usize = 5;

/// Finds the route of a request. `OPTIONS` fits every path, which then is its parameter: browsers
/// ask before each.
pub fn find_route<'a>(method: &str, path: &'a str) -> Routing<'a> {
    if method == "OPTIONS" {
        return Routing::Found(Match { route: Route::Preflight, parameters: [path, ""] });
    }
    let mut parts = [""; SEGMENTS_MAX];
    let mut count = 0;
    for part in path.strip_prefix('/').unwrap_or(path).split('/') {
        if count == SEGMENTS_MAX {
            return Routing::NoPath;
        }
        parts[count] = part;
        count += 1;
    }
    let parts = &parts[..count];
    let mut routing = Routing::NoPath;
    for spec in ROUTES {
        if let Some(parameters) = match_segments(spec.segments, parts) {
            if spec.method == method {
                return Routing::Found(Match { route: spec.route, parameters });
            }
            routing = Routing::OtherMethods;
        }
    }
    routing
}

/// Methods a path has, for `Allow`; those of all paths for `*`.
pub fn methods_of(path: &str) -> impl Iterator<Item = &'static str> {
    let parts: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
    let every = path == "*";
    let own = ROUTES
        .iter()
        .filter(move |spec| !every && match_segments(spec.segments, &parts).is_some())
        .map(|spec| spec.method);
    own.chain(["GET", "POST", "PUT", "DELETE"].into_iter().filter(move |_| every))
}

fn match_segments<'a>(segments: &[Segment], parts: &[&'a str]) -> Option<[&'a str; 2]> {
    if segments.len() != parts.len() {
        return None;
    }
    let mut parameters = [""; 2];
    let mut count = 0;
    for (segment, part) in segments.iter().zip(parts) {
        match segment {
            Fixed(text) if text == part => {}
            Fixed(_) => return None,
            Parameter if part.is_empty() => return None,
            Parameter => {
                parameters[count] = part;
                count += 1;
            }
        }
    }
    Some(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_in_the_order_of_the_enum_and_templates_match_themselves() {
        for (index, spec) in ROUTES.iter().enumerate() {
            assert_eq!(usize::from(spec.route as u8), index, "{}", spec.template);
            let path = spec.template.replace(['{', '}'], "");
            let found = find_route(spec.method, &path);
            assert!(
                matches!(found, Routing::Found(found) if found.route == spec.route),
                "{} {path}: {found:?}",
                spec.method
            );
        }
    }

    #[test]
    fn paths_that_are_not_there_are_told_from_methods_that_are_not() {
        assert_eq!(find_route("PATCH", "/v1/holds"), Routing::OtherMethods);
        assert_eq!(find_route("GET", "/v1/holds/a/b/c/d/e"), Routing::NoPath);
        for path in ["/", "", "/v1", "/v1/holds/", "/v1//holds", "/v2/holds", "/v1/holds/a/sell"] {
            assert_eq!(find_route("GET", path), Routing::NoPath, "{path}");
        }
        let methods: Vec<_> = methods_of("/v1/holds/x").collect();
        assert_eq!(methods, ["GET", "DELETE"]);
    }

    #[test]
    fn roles_are_those_of_the_interface() {
        let may =
            |role| ROUTES.iter().filter(|r| r.roles.has(role)).map(|r| r.route).collect::<Vec<_>>();
        assert_eq!(
            may(Role::Source),
            [
                Route::ProductPut,
                Route::ProductRead,
                Route::StockMove,
                Route::PriceChange,
                Route::CouponPut,
                Route::CouponRead,
                Route::EventRecord
            ]
        );
        assert!(!may(Role::Storefront).contains(&Route::StockMove));
        assert!(!may(Role::Storefront).contains(&Route::ProductList));
        assert!(may(Role::Storefront).contains(&Route::ProductRead));
        let signed = ROUTES.iter().filter(|spec| spec.signed()).count();
        assert_eq!(may(Role::Operator).len(), signed);
        assert_eq!(may(Role::Shopper).len(), 14);
        let free = ROUTES.iter().filter(|r| r.roles.has(Role::Shopper));
        let free = free.filter(|r| r.roles.scopes().is_empty()).map(|r| r.route);
        assert_eq!(free.collect::<Vec<_>>(), [Route::ProductRead], "what needs no scope");
    }
}
