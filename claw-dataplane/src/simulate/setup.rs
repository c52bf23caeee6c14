//! Before shoppers come: the scenario's products and coupons are made over the interface.
//!
//! Owns the baseline: every SKU as the node reports it when the run starts, which makes a second
//! run over the same store as good as the first. A product that exists keeps its history and is
//! topped up until the scenario's stock is available. Does not touch the store's files.

use std::fmt::Write as _;

use claw_common::id::Id;
use claw_sdk::{Client, Response, Signer, Trust};
use serde::Deserialize;

use super::answer::{self, OrderState};
use super::scenario::{Coupon, Product, Scenario};

/// A product as the node reports it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize)]
pub struct ProductState {
    /// Which.
    pub sku: String,
    /// Units ever received.
    pub received: i64,
    /// Units ever removed.
    pub removed: i64,
    /// `received - removed - sold`.
    pub on_hand: i64,
    /// In live holds.
    pub held: i64,
    /// Sold, net of returns.
    pub sold: i64,
    /// `on_hand - held`.
    pub available: i64,
}

/// A coupon as the node reports it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize)]
pub struct CouponState {
    /// Uses so far.
    pub uses: u64,
    /// Uses at most.
    pub uses_max: u64,
}

/// How things stand at one time, in the scenario's order.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// Products.
    pub products: Vec<ProductState>,
    /// Coupons.
    pub coupons: Vec<CouponState>,
}

/// Why set-up or audit did not get an answer to work with.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The node did not answer.
    #[error("cannot {action}")]
    Client { action: String, source: claw_sdk::ClientError },
    /// The node refused.
    #[error("cannot {action}: the node answered {status} {body}")]
    Refused { action: String, status: u16, body: String },
    /// The node answered with something that is not in the interface.
    #[error("cannot {action}: the answer is not as the interface says")]
    Unreadable { action: String, source: serde_json::Error },
}

/// A blocking client with the words for its errors.
#[derive(Debug)]
pub struct Clerk {
    client: Client,
}

impl Clerk {
    /// Signs with `signer` for the node at `url`, believing `trust` where it is encrypted.
    pub fn new(url: &str, signer: Signer, trust: Option<&Trust>) -> Result<Self, SetupError> {
        let mut client = Client::new(url, Some(signer)).map_err(|source| SetupError::Client {
            action: format!("use the node at {url}"),
            source,
        })?;
        if let Some(trust) = trust {
            client.set_trust(trust.clone());
        }
        Ok(Self { client })
    }

    fn ask(&mut self, method: &str, target: &str, body: &str) -> Result<Response, SetupError> {
        // A node under load may push back; it says for how long.
        for _ in 0..5 {
            let response =
                self.client.request(method, target, body.as_bytes()).map_err(|source| {
                    SetupError::Client { action: format!("{method} {target}"), source }
                })?;
            if !matches!(response.status, 429 | 503) {
                return Ok(response);
            }
            let seconds = response.header("retry-after").and_then(|text| text.parse().ok());
            std::thread::sleep(std::time::Duration::from_secs(seconds.unwrap_or(1).min(5)));
        }
        Err(SetupError::Refused {
            action: format!("{method} {target}"),
            status: 503,
            body: "five times".to_owned(),
        })
    }

    fn demand(&mut self, method: &str, target: &str, body: &str) -> Result<Response, SetupError> {
        let response = self.ask(method, target, body)?;
        if matches!(response.status, 200 | 201) {
            return Ok(response);
        }
        Err(refusal(method, target, &response))
    }

    /// Reads a product; `None` when there is none.
    pub fn product(&mut self, sku: &str) -> Result<Option<ProductState>, SetupError> {
        let target = format!("/v1/products/{sku}");
        let response = self.ask("GET", &target, "")?;
        match response.status {
            200 => read(&target, &response).map(Some),
            404 => Ok(None),
            _ => Err(refusal("GET", &target, &response)),
        }
    }

    /// Whether the store takes payments, as its description says.
    pub fn takes_payments(&mut self) -> Result<bool, SetupError> {
        let target = "/openapi.json";
        let response = self.demand("GET", target, "")?;
        let document: serde_json::Value = read(target, &response)?;
        let body = "/components/schemas/CheckoutCreateBody/properties/payment";
        Ok(document.pointer(body).is_some())
    }

    /// Reads a coupon; `None` when there is none.
    pub fn coupon(&mut self, code: &str) -> Result<Option<CouponState>, SetupError> {
        let target = format!("/v1/coupons/{code}");
        let response = self.ask("GET", &target, "")?;
        match response.status {
            200 => read(&target, &response).map(Some),
            404 => Ok(None),
            _ => Err(refusal("GET", &target, &response)),
        }
    }

    /// Reads where an order stands; `None` when there is none.
    pub fn order(&mut self, order: Id) -> Result<Option<OrderState>, SetupError> {
        let target = format!("/v1/orders/{order}");
        let response = self.ask("GET", &target, "")?;
        match response.status {
            200 => Ok(answer::order_of_json(&response.body).map(|seen| seen.state)),
            404 => Ok(None),
            _ => Err(refusal("GET", &target, &response)),
        }
    }

    /// Reads everything the scenario names.
    pub fn books(&mut self, scenario: &Scenario) -> Result<Books, SetupError> {
        let mut books = Books::default();
        for product in &scenario.products {
            books.products.push(self.product(&product.sku)?.unwrap_or_default());
        }
        for coupon in &scenario.coupons {
            books.coupons.push(self.coupon(&coupon.code)?.unwrap_or_default());
        }
        Ok(books)
    }
}

fn refusal(method: &str, target: &str, response: &Response) -> SetupError {
    SetupError::Refused {
        action: format!("{method} {target}"),
        status: response.status,
        body: String::from_utf8_lossy(&response.body[..response.body.len().min(300)]).into_owned(),
    }
}

fn read<T: for<'a> Deserialize<'a>>(target: &str, response: &Response) -> Result<T, SetupError> {
    serde_json::from_slice(&response.body)
        .map_err(|source| SetupError::Unreadable { action: format!("GET {target}"), source })
}

/// Makes what the scenario sells; `progress` is told how many of its products are ready.
pub fn prepare(
    clerk: &mut Clerk,
    scenario: &Scenario,
    mut progress: impl FnMut(usize),
) -> Result<Books, SetupError> {
    let mut books = Books::default();
    for product in &scenario.products {
        books.products.push(prepare_product(clerk, product)?);
        progress(books.products.len());
    }
    for coupon in &scenario.coupons {
        books.coupons.push(prepare_coupon(clerk, coupon)?);
    }
    Ok(books)
}

fn prepare_product(clerk: &mut Clerk, product: &Product) -> Result<ProductState, SetupError> {
    let target = format!("/v1/products/{}", product.sku);
    let known = clerk.product(&product.sku)?;
    if known.is_none() {
        let name = serde_json::Value::from(product.name.as_str());
        let (amount, currency) = (product.price.0, &product.price.1);
        let body = format!(
            "{{\"name\":{name},\"price\":{{\"amount\":{amount},\"currency\":\"{currency}\"}}}}"
        );
        clerk.demand("PUT", &target, &body)?;
    }
    let available = u64::try_from(known.as_ref().map_or(0, |known| known.available)).unwrap_or(0);
    if let Some(missing) = product.stock.checked_sub(available).filter(|&missing| missing > 0) {
        let body = format!("{{\"delta\":{missing},\"reason\":\"simulate\"}}");
        let response = clerk.demand("POST", &format!("{target}/stock"), &body)?;
        return read(&target, &response);
    }
    Ok(clerk.product(&product.sku)?.unwrap_or_default())
}

fn prepare_coupon(clerk: &mut Clerk, coupon: &Coupon) -> Result<CouponState, SetupError> {
    if let Some(known) = clerk.coupon(&coupon.code)? {
        return Ok(known);
    }
    let mut body = format!(
        "{{\"kind\":\"{}\",\"value\":{},\"uses_max\":{}",
        coupon.kind, coupon.value, coupon.uses_max
    );
    if let Some(currency) = &coupon.currency {
        write!(body, ",\"currency\":\"{currency}\"").expect("a String takes every character");
    }
    body.push('}');
    clerk.demand("PUT", &format!("/v1/coupons/{}", coupon.code), &body)?;
    Ok(clerk.coupon(&coupon.code)?.unwrap_or_default())
}
