//! Webhooks of the local gateway: signed as Stripe signs, sent as the post brings them.
//!
//! Twice, late, after later ones, and now and then one that somebody forged before it. What is not
//! answered with 2xx is sent again, a few times.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::Manners;
use crate::vault::webhook::sign;

/// How often one is sent that is not taken.
const ATTEMPTS_MAX: u32 = 6;
const RETRY_DELAY: Duration = Duration::from_millis(300);
/// How far out of order one may come.
const REORDER_MS_MAX: u64 = 400;
/// How late a late one is.
const LATE_MS_MAX: u64 = 3_000;
/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Where events are handed in.
#[derive(Debug)]
pub(super) struct Sender {
    events: UnboundedSender<Value>,
    count: AtomicU64,
    nonce: u64,
}

impl Sender {
    /// Starts to send, on the runtime that this is called on.
    pub(super) fn start(manners: &Manners, seed: u64) -> Self {
        let (events, told) = unbounded_channel();
        let post = Post { manners: manners.clone(), random: SmallRng::seed_from_u64(seed) };
        tokio::spawn(post.carry(told));
        Self { events, count: AtomicU64::new(0), nonce: seed }
    }

    /// Tells of a payment.
    pub(super) fn tell(&self, kind: &str, object: &Value) {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let id = format!("evt_{:016x}_{number}", self.nonce);
        let event =
            json!({ "id": id, "object": "event", "type": kind, "data": { "object": object } });
        // The post ends with the process.
        self.events.send(event).ok();
    }
}

struct Post {
    manners: Manners,
    random: SmallRng,
}

impl Post {
    async fn carry(mut self, mut told: UnboundedReceiver<Value>) {
        while let Some(event) = told.recv().await {
            let Some(url) = self.manners.webhook_url.clone() else { continue };
            let body = event.to_string();
            if self.chance(self.manners.forge_webhooks) {
                let forged = body.replace("requires_action", "requires_capture");
                let delivery = Delivery { body: forged, secret: "forged".to_owned(), tries: 1 };
                tokio::spawn(delivery.send(url.clone(), Duration::ZERO));
            }
            let copies = if self.chance(self.manners.duplicate_webhooks) { 2 } else { 1 };
            for _ in 0..copies {
                let secret = self.manners.webhook_secret.clone();
                let delivery = Delivery { body: body.clone(), secret, tries: ATTEMPTS_MAX };
                tokio::spawn(delivery.send(url.clone(), self.delay()));
            }
        }
    }

    fn delay(&mut self) -> Duration {
        let bound_ms = if self.chance(self.manners.late_webhooks) {
            LATE_MS_MAX
        } else if self.chance(self.manners.reorder_webhooks) {
            REORDER_MS_MAX
        } else {
            return Duration::ZERO;
        };
        Duration::from_millis(self.random.random_range(0..bound_ms))
    }

    fn chance(&mut self, share: f64) -> bool {
        share > 0.0 && self.random.random_bool(share)
    }
}

struct Delivery {
    body: String,
    secret: String,
    tries: u32,
}

impl Delivery {
    async fn send(self, url: String, delay: Duration) {
        tokio::time::sleep(delay).await;
        for _ in 0..self.tries {
            let (url, body) = (url.clone(), self.body.clone());
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let signature = sign(&self.secret, body.as_bytes(), now.as_secs());
            let taken = tokio::task::spawn_blocking(move || {
                let config = ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).build();
                let request = ureq::Agent::new_with_config(config)
                    .post(url)
                    .header("Content-Type", "application/json")
                    .header("Stripe-Signature", signature);
                request.send(body).is_ok()
            });
            if taken.await.unwrap_or(false) {
                return;
            }
            tokio::time::sleep(RETRY_DELAY).await;
        }
    }
}
