//! What a browser asks of the shop. The page forbids itself what it does not need.

use std::sync::{Arc, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use maud::Markup;
use serde::Deserialize;

use super::Shop;
use super::desk::{OrderState, Purchase, fresh_key};
use super::pages::{self, View};
use super::visitors::Visitors;

/// The cookie that names a visitor.
const COOKIE_NAME: &str = "claw_demo_session";

type Counter = State<Arc<Shop>>;

/// All routes.
pub(super) fn router(shop: Arc<Shop>) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/live", get(live))
        .route("/buy", post(buy))
        .route("/orders/{id}", get(order))
        .route("/shop.css", get(|| async { typed("text/css", include_str!("shop.css").into()) }))
        .route("/htmx.js", get(htmx))
        .route("/htmx-sockets.js", get(htmx_sockets))
        .with_state(shop)
}

/// An answer, or why there is none.
type Answer = Result<Response, Failure>;

struct Failure(anyhow::Error);

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        log::warn!("{:#}", self.0);
        (StatusCode::BAD_GATEWAY, "The shop cannot reach its node.").into_response()
    }
}

async fn page(State(shop): Counter, headers: HeaderMap) -> Answer {
    let known = visitor(&shop, &headers);
    let session = match &known {
        Some(session) => session.clone(),
        None => fresh_key()?,
    };
    if known.is_none() {
        visitors(&shop).welcome(session.clone());
    }
    let ids = visitors(&shop).orders_of(&session);
    let asking = (Arc::clone(&shop), session.clone());
    let (view, live) = aside(move || {
        let (shop, session) = asking;
        let orders = ids.iter().map(|id| shop.desk.order(id)).collect::<Result<_>>()?;
        let product = shop.desk.product(&shop.sku)?;
        let live = connect(&shop, &session, "")?;
        let (sku, purchase_key) = (shop.sku.clone(), fresh_key()?);
        Ok((View { sku, product, orders, purchase_key }, live))
    })
    .await?;
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' {}; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        shop.sockets_at
    );
    let mut answer = Html(pages::page(&view, &live).into_string()).into_response();
    answer.headers_mut().insert(CONTENT_SECURITY_POLICY, policy.parse().context("a policy")?);
    if known.is_none() {
        let cookie = format!("{COOKIE_NAME}={session}; Path=/; HttpOnly; SameSite=Strict");
        answer.headers_mut().insert(SET_COOKIE, cookie.parse().context("a cookie")?);
    }
    Ok(answer)
}

#[derive(Deserialize)]
struct Since {
    #[serde(default)]
    after: String,
}

async fn live(State(shop): Counter, headers: HeaderMap, Query(since): Query<Since>) -> Answer {
    let Some(session) = visitor(&shop, &headers) else { return Ok(stranger()) };
    let connected = aside(move || connect(&shop, &session, &since.after)).await;
    // The browser asks again in a while: a node that is away comes back.
    let shown = connected.unwrap_or_else(|error| {
        log::warn!("{error:#}");
        pages::not_live()
    });
    Ok(fragment(shown))
}

#[derive(Deserialize)]
struct Wish {
    card: String,
    key: String,
}

async fn buy(State(shop): Counter, headers: HeaderMap, Form(wish): Form<Wish>) -> Answer {
    // A page of elsewhere cannot set it without being asked first.
    let ours = headers.contains_key("hx-request");
    let Some(session) = visitor(&shop, &headers).filter(|_| ours) else { return Ok(stranger()) };
    if !pages::is_card(&wish.card) {
        return Ok((StatusCode::BAD_REQUEST, "no such card").into_response());
    }
    let asking = (Arc::clone(&shop), session.clone());
    let purchase = aside(move || {
        let (shop, session) = asking;
        shop.desk.buy(&session, &shop.sku, &wish.card, &wish.key)
    });
    let next_key = fresh_key()?;
    let shown = match purchase.await {
        Ok(Purchase::Ordered(order)) => {
            visitors(&shop).ordered(&session, &order.id);
            pages::bought(&order, &next_key)
        }
        Ok(Purchase::Refused(why)) => pages::not_bought(&why, &next_key),
        Err(error) => {
            log::warn!("{error:#}");
            pages::not_bought("The shop cannot reach its node. Nothing was bought.", &next_key)
        }
    };
    Ok(fragment(shown))
}

async fn order(State(shop): Counter, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    let session = visitor(&shop, &headers);
    let own = session.is_some_and(|session| visitors(&shop).orders_of(&session).contains(&id));
    if !own {
        return Ok((StatusCode::NOT_FOUND, "no order of yours").into_response());
    }
    let looked: OrderState = aside(move || shop.desk.order(&id)).await?;
    Ok(fragment(pages::order(&looked)))
}

async fn htmx(State(shop): Counter) -> Response {
    typed("text/javascript", shop.assets.htmx.clone())
}

async fn htmx_sockets(State(shop): Counter) -> Response {
    typed("text/javascript", shop.assets.htmx_sockets.clone())
}

/// The element that opens a WebSocket of the node's, behind the cursor `after` where there is one.
fn connect(shop: &Shop, session: &str, after: &str) -> Result<Markup> {
    let ticket = shop.desk.ticket(session)?;
    let (at, sku) = (&shop.sockets_at, &shop.sku);
    let from = if after.is_empty() { String::new() } else { format!("&after={after}") };
    Ok(pages::live(&format!("{at}/v1/ws?ticket={ticket}&format=hx&stock={sku}{from}")))
}

/// Asks the node on a thread that may wait.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.context("ask the node")?
}

fn visitors(shop: &Shop) -> MutexGuard<'_, Visitors> {
    shop.visitors.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whose request it is, where it has a cookie of ours.
fn visitor(shop: &Shop, headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split("; "));
    let session = pairs.find_map(|pair| pair.strip_prefix(COOKIE_NAME)?.strip_prefix('='))?;
    visitors(shop).knows(session).then(|| session.to_owned())
}

fn stranger() -> Response {
    (StatusCode::FORBIDDEN, "open the shop's page first").into_response()
}

fn fragment(shown: Markup) -> Response {
    Html(shown.into_string()).into_response()
}

fn typed(kind: &'static str, text: String) -> Response {
    ([(CONTENT_TYPE, kind)], text).into_response()
}
