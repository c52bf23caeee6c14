//! The API: Stripe's payment intents and refunds, as far as the vault uses them, and the ledger.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use rand::Rng as _;
use serde_json::{Value, json};

use super::Shared;
use super::ledger::{Answered, Intent};

type Fields = Form<Vec<(String, String)>>;
type Gateway = State<Arc<Shared>>;

/// All routes.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/v1/payment_intents", post(create))
        .route("/v1/payment_intents/search", get(search))
        .route("/v1/payment_intents/{id}", get(read))
        .route("/v1/payment_intents/{id}/capture", post(capture))
        .route("/v1/payment_intents/{id}/cancel", post(cancel))
        .route("/v1/payment_intents/{id}/act", post(act))
        .route("/v1/refunds", post(refund))
        .route("/ledger", get(ledger))
        .with_state(shared)
}

/// What a call came to: a status and a body.
type Outcome = (u16, Value);

/// The same, and what it changed and is told of.
struct Done {
    outcome: Outcome,
    change: Option<(Intent, &'static str)>,
}

impl From<Outcome> for Done {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, change: None }
    }
}

fn changed(intent: Intent, event: &'static str) -> Done {
    Done { outcome: (200, intent.shown()), change: Some((intent, event)) }
}

fn error(status: u16, kind: &str, code: &str) -> Outcome {
    (status, json!({ "error": { "type": kind, "code": code, "message": code } }))
}

fn missing() -> Outcome {
    error(404, "invalid_request_error", "resource_missing")
}

fn unexpected(intent: &Intent) -> Outcome {
    let (status, mut body) = error(400, "invalid_request_error", "payment_intent_unexpected_state");
    body["error"]["payment_intent"] = intent.shown();
    (status, body)
}

impl Shared {
    fn chance(&self, share: f64) -> bool {
        share > 0.0 && self.random.lock().unwrap_or_else(PoisonError::into_inner).random_bool(share)
    }

    fn may(&self, headers: &HeaderMap) -> bool {
        let given = headers.get("authorization").and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.strip_prefix("Bearer "));
        match &self.manners.api_key {
            Some(key) => given == Some(key.as_str()),
            None => given.is_some_and(|key| !key.is_empty()),
        }
    }

    /// Performs a call that changes something, once a key, with the manners of the day.
    async fn perform(
        &self,
        headers: &HeaderMap,
        asked: String,
        work: impl FnOnce(&Self) -> Done,
    ) -> Response {
        if self.manners.latency_ms > 0 {
            tokio::time::sleep(Duration::from_millis(self.manners.latency_ms)).await;
        }
        if !self.may(headers) {
            return answer(error(401, "invalid_request_error", "api_key_invalid"));
        }
        let key = headers.get("idempotency-key").and_then(|value| value.to_str().ok());
        let Some(key) = key.map(str::to_owned) else {
            return answer(error(400, "invalid_request_error", "idempotency_key_missing"));
        };
        let fails = self.chance(self.manners.fail);
        if fails && self.chance(0.5) {
            return answer(error(500, "api_error", "failed_before"));
        }
        let known = self.ledger().answered(&key).cloned();
        let outcome = match known {
            Some(known) if known.asked != asked => {
                error(400, "idempotency_error", "idempotency_key_in_use")
            }
            Some(known) => (known.status, known.body),
            None => {
                let Done { outcome: (status, body), change } = work(self);
                let answered = Answered { key, asked, status, body: body.clone() };
                match self.keep(change, Some(answered)) {
                    Ok(()) => (status, body),
                    Err(_) => return answer(error(500, "api_error", "ledger_not_written")),
                }
            }
        };
        if fails {
            return answer(error(500, "api_error", "failed_after"));
        }
        if self.chance(self.manners.lose_answers) {
            return lost();
        }
        answer(outcome)
    }

    fn ledger(&self) -> std::sync::MutexGuard<'_, super::ledger::Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what a call did, and tells of it.
    fn keep(
        &self,
        change: Option<(Intent, &'static str)>,
        answered: Option<Answered>,
    ) -> std::io::Result<()> {
        let told = change.as_ref().map(|(intent, event)| (*event, intent.shown()));
        self.ledger().keep(change.map(|(intent, _)| intent), answered)?;
        if let Some((event, shown)) = told {
            self.webhooks.tell(event, &shown);
        }
        Ok(())
    }
}

fn answer((status, body): Outcome) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, axum::Json(body)).into_response()
}

/// An answer that breaks off before its first byte of body.
fn lost() -> Response {
    let broken = futures_util::stream::once(async {
        Err::<&'static [u8], _>(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
    });
    Response::new(Body::from_stream(broken))
}

fn field<'a>(form: &'a [(String, String)], name: &str) -> &'a str {
    form.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
}

async fn create(State(shared): Gateway, headers: HeaderMap, Form(form): Fields) -> Response {
    let asked = format!("create {form:?}");
    shared
        .perform(&headers, asked, |shared| {
            let Ok(amount) = field(&form, "amount").parse::<i64>() else {
                return error(400, "invalid_request_error", "parameter_invalid_integer").into();
            };
            let token = field(&form, "payment_method").to_owned();
            if amount <= 0 || !token.starts_with("pm_") {
                return error(400, "invalid_request_error", "resource_missing").into();
            }
            let id = shared.ledger().next_id();
            let code = match token.as_str() {
                "pm_card_chargeDeclined" => Some("generic_decline"),
                "pm_card_chargeDeclinedInsufficientFunds" => Some("insufficient_funds"),
                _ if shared.chance(shared.manners.decline) => Some("do_not_honor"),
                _ => None,
            };
            let acts = token == "pm_card_authenticationRequired"
                || shared.chance(shared.manners.require_action);
            let (status, event) = match code {
                Some(_) => ("requires_payment_method", "payment_intent.payment_failed"),
                None if acts => ("requires_action", "payment_intent.requires_action"),
                None => ("requires_capture", "payment_intent.amount_capturable_updated"),
            };
            let intent = Intent {
                client_secret: format!("{id}_secret_claw"),
                id,
                order_id: field(&form, "metadata[order_id]").to_owned(),
                amount,
                currency: field(&form, "currency").to_owned(),
                payment_method: token,
                status: status.to_owned(),
                decline_code: code.map(str::to_owned),
                captured: false,
                refunded: false,
            };
            let mut done = changed(intent, event);
            if let Some(code) = code {
                let shown = &done.outcome.1;
                let refusal = json!({ "type": "card_error", "code": "card_declined",
                    "decline_code": code, "payment_intent": shown });
                done.outcome = (402, json!({ "error": refusal }));
            }
            done
        })
        .await
}

async fn capture(State(shared): Gateway, headers: HeaderMap, Path(id): Path<String>) -> Response {
    step(&shared, &headers, ("capture", &id), |mut intent| {
        (intent.status == "requires_capture").then(|| {
            "succeeded".clone_into(&mut intent.status);
            intent.captured = true;
            (intent, "payment_intent.succeeded")
        })
    })
    .await
}

async fn cancel(State(shared): Gateway, headers: HeaderMap, Path(id): Path<String>) -> Response {
    step(&shared, &headers, ("cancel", &id), |mut intent| {
        let open = ["requires_capture", "requires_action", "requires_payment_method"];
        open.contains(&intent.status.as_str()).then(|| {
            "canceled".clone_into(&mut intent.status);
            (intent, "payment_intent.canceled")
        })
    })
    .await
}

/// What a shopper does in the browser, for tests: not of Stripe's API.
async fn act(State(shared): Gateway, Path(id): Path<String>) -> Response {
    let found = shared.ledger().intent(&id).cloned();
    let Some(mut intent) = found else { return answer(missing()) };
    if intent.status != "requires_action" {
        return answer(unexpected(&intent));
    }
    "requires_capture".clone_into(&mut intent.status);
    let shown = intent.shown();
    let kept = shared.keep(Some((intent, "payment_intent.amount_capturable_updated")), None);
    match kept {
        Ok(()) => answer((200, shown)),
        Err(_) => answer(error(500, "api_error", "ledger_not_written")),
    }
}

async fn step(
    shared: &Shared,
    headers: &HeaderMap,
    asked: (&str, &str),
    change: impl FnOnce(Intent) -> Option<(Intent, &'static str)>,
) -> Response {
    let (name, id) = asked;
    shared
        .perform(headers, format!("{name} {id}"), |shared| {
            let found = shared.ledger().intent(id).cloned();
            let Some(intent) = found else { return missing().into() };
            match change(intent.clone()) {
                Some((intent, event)) => changed(intent, event),
                None => unexpected(&intent).into(),
            }
        })
        .await
}

async fn refund(State(shared): Gateway, headers: HeaderMap, Form(form): Fields) -> Response {
    let id = field(&form, "payment_intent").to_owned();
    shared
        .perform(&headers, format!("refund {id}"), |shared| {
            let found = shared.ledger().intent(&id).cloned();
            let Some(mut intent) = found else { return missing().into() };
            if intent.refunded {
                return error(400, "invalid_request_error", "charge_already_refunded").into();
            }
            if !intent.captured {
                return unexpected(&intent).into();
            }
            intent.refunded = true;
            let body = json!({ "id": format!("re_{id}"), "object": "refund",
                "amount": intent.amount, "payment_intent": id, "status": "succeeded" });
            Done { outcome: (200, body), change: Some((intent, "charge.refunded")) }
        })
        .await
}

async fn read(State(shared): Gateway, headers: HeaderMap, Path(id): Path<String>) -> Response {
    if !shared.may(&headers) {
        return answer(error(401, "invalid_request_error", "api_key_invalid"));
    }
    let found = shared.ledger().intent(&id).map(Intent::shown);
    answer(found.map_or_else(missing, |shown| (200, shown)))
}

async fn search(
    State(shared): Gateway,
    headers: HeaderMap,
    Query(query): Query<Vec<(String, String)>>,
) -> Response {
    if !shared.may(&headers) {
        return answer(error(401, "invalid_request_error", "api_key_invalid"));
    }
    let wanted = field(&query, "query");
    let order = wanted.strip_prefix("metadata['order_id']:'").and_then(|q| q.strip_suffix('\''));
    let Some(order) = order else {
        return answer(error(400, "invalid_request_error", "query_not_understood"));
    };
    let found: Vec<Value> = shared.ledger().of_order(order).map(Intent::shown).collect();
    answer((200, json!({ "object": "search_result", "data": found, "has_more": false })))
}

async fn ledger(State(shared): Gateway) -> Response {
    answer((200, shared.ledger().shown()))
}
