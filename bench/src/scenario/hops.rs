//! How long an order stands in each state on its way to being placed: the latency of every commit
//! hop, as its own history has it.
//!
//! One buyer beside the load buys one unit after the other while it runs. Between two states lie
//! the vault's intent made durable, the gateway's answer, the result made durable, and the block in
//! which the shard says so; times are those of the blocks, in milliseconds. Does not make the load.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use claw_sdk::client::{Call, Client, new_idempotency_key};
use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// Longest time in one state that is told apart.
const STANDS_MS_MAX: u64 = 60_000;
/// Between two looks for the product, which the load makes when it begins.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Every state but the last, and how long orders stood in it.
#[derive(Debug, Default)]
pub(super) struct Hops(Vec<(String, Histogram<u64>)>);

impl Hops {
    /// Buys until `done`.
    pub(super) fn watch(client: &mut Client, sku: &str, done: &AtomicBool) -> Result<Self> {
        let mut hops = Self::default();
        while !done.load(Ordering::Relaxed) {
            match buy(client, sku)? {
                Some(order) => hops.take(&order)?,
                None => std::thread::sleep(LOOK_AGAIN),
            }
        }
        Ok(hops)
    }

    fn take(&mut self, order: &Value) -> Result<()> {
        let history = order["history"].as_array().context("an order has a history")?;
        for (state, next) in history.iter().zip(history.iter().skip(1)) {
            let name = state["state"].as_str().context("a state has a name")?;
            let stands_ms = (DAY_MS + at_ms(next)? - at_ms(state)?) % DAY_MS;
            let found = self.0.iter().position(|(known, _)| known == name);
            let place = found.unwrap_or(self.0.len());
            if found.is_none() {
                let empty = Histogram::new_with_max(STANDS_MS_MAX, 3).expect("valid bounds");
                self.0.push((name.to_owned(), empty));
            }
            self.0[place].1.saturating_record(stands_ms);
        }
        Ok(())
    }

    /// For a remark: milliseconds in each state.
    pub(super) fn in_words(&self) -> String {
        let mut words = "p50 / p99 ms in each state".to_owned();
        for (state, stands_ms) in &self.0 {
            let (p50, p99) = (stands_ms.value_at_quantile(0.5), stands_ms.value_at_quantile(0.99));
            write!(words, ", {state} {p50} / {p99}").expect("a string takes all");
        }
        words
    }
}

/// The placed order; nothing while there is nothing to buy.
fn buy(client: &mut Client, sku: &str) -> Result<Option<Value>> {
    let body = json!({
        "session": "hops",
        "items": [{"sku": sku, "quantity": 1}],
        "payment": {"token": "pm_card_visa"},
    });
    let (body, key) = (body.to_string(), new_idempotency_key()?);
    let answer = client.send(&Call {
        method: "POST",
        target: "/v1/checkouts",
        body: body.as_bytes(),
        headers: &[("Prefer", "wait=30")],
        idempotency_key: Some(&key),
    })?;
    if answer.status == 404 {
        return Ok(None);
    }
    let order = answer.json();
    ensure!(order["state"] == "placed", "a watched checkout was not placed: {order}");
    Ok(Some(order))
}

/// The time of day, of RFC 3339 with milliseconds in UTC as the node writes it.
fn at_ms(entry: &Value) -> Result<u64> {
    let text = entry["at"].as_str().context("a state has a time")?;
    let time = text.split_once('T').and_then(|(_, time)| time.strip_suffix('Z'));
    let parse = |time: &str| {
        let (clock, ms) = time.split_once('.')?;
        let mut parts = clock.split(':').map(|part| part.parse::<u64>().ok());
        let (h, m, s) = (parts.next()??, parts.next()??, parts.next()??);
        Some(((h * 60 + m) * 60 + s) * 1000 + ms.parse::<u64>().ok()?)
    };
    time.and_then(parse).with_context(|| format!("{text} is no time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(times: &[(&str, &str)]) -> Value {
        let history: Vec<Value> = times
            .iter()
            .map(|(state, at)| json!({"state": state, "at": format!("2026-01-01T{at}Z")}))
            .collect();
        json!({"history": history})
    }

    #[test]
    fn time_in_each_state_but_the_last_is_told_over_midnight_too() {
        let mut hops = Hops::default();
        hops.take(&order(&[
            ("reserving", "23:59:59.900"),
            ("authorizing", "00:00:00.000"),
            ("placed", "00:00:00.250"),
        ]))
        .unwrap();
        let words = hops.in_words();
        assert_eq!(words, "p50 / p99 ms in each state, reserving 100 / 100, authorizing 250 / 250");
    }

    #[test]
    fn what_is_no_time_is_an_error() {
        let broken = json!({"history": [{"state": "a", "at": "noon"}, {"state": "b", "at": "x"}]});
        assert!(Hops::default().take(&broken).is_err());
    }
}
