//! What the shop asks of the node, as any storefront would: over HTTP, signed.
//!
//! Blocking, on the threads that are there for it: connections are kept and used again.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, bail, ensure};
use claw_sdk::client::{Call, Client, Response, new_idempotency_key};
use claw_sdk::{Signer, Trust};
use serde_json::{Value, json};

/// Price of a product that is made: 129 euros.
const PRICE_CENTS: i64 = 12_900;

/// A product as a page shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Product {
    pub(super) name: String,
    pub(super) price: String,
    pub(super) available: i64,
}

/// What became of a purchase so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Purchase {
    /// An order is under way, through, or cancelled: there was nothing left, say.
    Ordered(OrderState),
    /// The node said no, in its words.
    Refused(String),
}

/// An order as a page shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OrderState {
    pub(super) id: String,
    pub(super) state: String,
    pub(super) reason: String,
}

/// Which node, and who asks it.
#[derive(Clone, Debug)]
pub struct Door {
    /// `http(s)://HOST:PORT`, as this process and the browsers reach it.
    pub node: String,
    /// Whose keys sign.
    pub store: PathBuf,
    /// Whom to trust on https.
    pub trust: Option<Trust>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Desk {
    door: Door,
    key_name: String,
    idle: Mutex<Vec<Client>>,
}

impl Desk {
    /// Asks with the store's key of this name.
    pub(super) fn new(door: Door, key_name: &str) -> Self {
        Self { door, key_name: key_name.to_owned(), idle: Mutex::default() }
    }

    /// Puts a product up where there is none yet.
    pub(super) fn make_product(&self, sku: &str, units: u32) -> Result<()> {
        let target = format!("/v1/products/{sku}");
        if self.ask("GET", &target, &Value::Null)?.status == 200 {
            return Ok(());
        }
        let price = json!({"amount": PRICE_CENTS, "currency": "EUR"});
        let product = json!({"name": "Runner 1 of the midnight drop", "price": price});
        let made = self.ask("PUT", &target, &product)?;
        ensure!(matches!(made.status, 200 | 201), "make {sku}: {}", words(&made));
        let stock = json!({"delta": units, "reason": "the drop"});
        let stocked = self.ask("POST", &format!("{target}/stock"), &stock)?;
        ensure!(stocked.status == 200, "stock {sku}: {}", words(&stocked));
        Ok(())
    }

    /// A product as it is now.
    pub(super) fn product(&self, sku: &str) -> Result<Product> {
        let answer = self.ask("GET", &format!("/v1/products/{sku}"), &Value::Null)?;
        if answer.status == 404 {
            bail!(
                "the node has no product {sku}: name one with --sku, or let it be made by --make"
            );
        }
        ensure!(answer.status == 200, "read {sku}: {}", words(&answer));
        let shown = answer.json();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let price = &shown["price"];
        let amount = price["amount"].as_u64().unwrap_or_default();
        Ok(Product {
            name: text(&shown["name"]),
            price: price_text(amount, price["currency"].as_str().unwrap_or_default()),
            available: shown["available"].as_i64().unwrap_or_default(),
        })
    }

    /// Buys one. The same key is the same purchase, however often it is sent.
    pub(super) fn buy(&self, session: &str, sku: &str, card: &str, key: &str) -> Result<Purchase> {
        let items = json!([{"sku": sku, "quantity": 1}]);
        let body = json!({"session": session, "items": items, "payment": {"token": card}});
        let body = body.to_string();
        let answer = self.call(&Call {
            method: "POST",
            target: "/v1/checkouts",
            body: body.as_bytes(),
            idempotency_key: Some(key),
            ..Call::default()
        })?;
        Ok(match answer.status {
            // The answer names the order; its reason, where it was cancelled already, it does not.
            200..=202 => Purchase::Ordered(self.order(&order_of(&answer.json()).id)?),
            _ => Purchase::Refused(words(&answer)),
        })
    }

    /// An order as it is now.
    pub(super) fn order(&self, id: &str) -> Result<OrderState> {
        let answer = self.ask("GET", &format!("/v1/orders/{id}"), &Value::Null)?;
        ensure!(answer.status == 200, "read order {id}: {}", words(&answer));
        Ok(order_of(&answer.json()))
    }

    /// A ticket for one WebSocket of a session.
    pub(super) fn ticket(&self, session: &str) -> Result<String> {
        let answer = self.ask("POST", "/v1/tickets", &json!({"session": session}))?;
        ensure!(answer.status == 201, "ask for a ticket: {}", words(&answer));
        let ticket = answer.json()["ticket"].as_str().map(str::to_owned);
        ticket.context("the answer has no ticket")
    }

    /// Whether pages of an origin may open WebSockets: a ticket that opens none says so.
    pub(super) fn lets_in(&self, origin: &str) -> Result<bool> {
        let answer = self.call(&Call {
            method: "GET",
            target: "/v1/ws",
            headers: &[
                ("Origin", origin),
                ("Connection", "Upgrade"),
                ("Upgrade", "websocket"),
                ("Sec-WebSocket-Version", "13"),
                ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="),
            ],
            ..Call::default()
        })?;
        Ok(answer.status != 403)
    }

    fn ask(&self, method: &str, target: &str, body: &Value) -> Result<Response> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.call(&Call { method, target, body: body.as_bytes(), ..Call::default() })
    }

    fn call(&self, call: &Call<'_>) -> Result<Response> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle().pop();
        let mut client = match kept {
            Some(client) => client,
            None => self.connect()?,
        };
        let answer =
            client.send(call).with_context(|| format!("ask the node at {}", self.door.node))?;
        idle().push(client);
        Ok(answer)
    }

    fn connect(&self) -> Result<Client> {
        let signer = Signer::load(&self.door.store, &self.key_name)?;
        let mut client = Client::new(&self.door.node, Some(signer))?;
        if let Some(trust) = &self.door.trust {
            client.set_trust(trust.clone());
        }
        Ok(client)
    }
}

/// A key for a purchase that is yet to be made.
pub(super) fn fresh_key() -> Result<String> {
    Ok(new_idempotency_key()?)
}

fn order_of(shown: &Value) -> OrderState {
    let text = |name: &str| shown[name].as_str().unwrap_or_default().to_owned();
    OrderState { id: text("order_id"), state: text("state"), reason: text("reason") }
}

fn words(answer: &Response) -> String {
    let problem = answer.json();
    let detail = problem["detail"].as_str().or_else(|| problem["title"].as_str());
    format!("{} {}", answer.status, detail.unwrap_or("without a word"))
}

/// An amount in minor units as people read it; minor units are those of ISO 4217, "List One".
fn price_text(amount: u64, currency: &str) -> String {
    let digits = match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX"
        | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => return format!("{amount} {currency}"),
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        _ => 2,
    };
    let unit = 10_u64.pow(digits);
    let width = usize::try_from(digits).expect("two or three");
    format!("{}.{:0width$} {currency}", amount / unit, amount % unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_have_the_digits_of_their_currency() {
        assert_eq!(price_text(12_905, "EUR"), "129.05 EUR");
        assert_eq!(price_text(12_900, "JPY"), "12900 JPY");
        assert_eq!(price_text(12_009, "KWD"), "12.009 KWD");
    }
}
