//! A client of Stripe's API, the pinned version of it, and of whoever speaks it.
//!
//! Calls and names are those of Stripe's published API reference ("Payment Intents", "Refunds",
//! "Idempotent requests", "Errors"). HTTP is `ureq`'s, TLS rustls'; a body is never logged, and an
//! error keeps the gateway's code, not its sentences.

use std::sync::Arc;
use std::time::Duration;

use claw_common::id::Id;
use serde_json::Value;
use ureq::unversioned::transport::{Connector as _, RustlsConnector};

use super::broker::Broker;
use super::gateway::{Charge, Gateway, Intent, Status, Trouble};
use super::settings::{Secret, Settings};
use super::transport::{BrokerConnector, NoResolver};

/// The version whose shapes are read here.
const STRIPE_VERSION: &str = "2025-03-31.basil";
/// Longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// See the module.
#[derive(Debug)]
pub struct Stripe {
    agent: ureq::Agent,
    base_url: String,
    api_key: Secret,
}

impl Stripe {
    /// A client of the gateway at `base_url`, over the broker's connections.
    pub fn new(settings: &Settings, base_url: &str, broker: Broker) -> Self {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let tls = ureq::tls::TlsConfig::builder()
            .provider(ureq::tls::TlsProvider::Rustls)
            .root_certs(ureq::tls::RootCerts::WebPki)
            .unversioned_rustls_crypto_provider(Arc::new(provider))
            .build();
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_millis(settings.timeout_ms)))
            .max_idle_connections_per_host(settings.calls_max)
            .http_status_as_error(false)
            .max_redirects(0)
            .tls_config(tls)
            .build();
        let connector = BrokerConnector(Arc::new(broker)).chain(RustlsConnector::default());
        Self {
            agent: ureq::Agent::with_parts(config, connector, NoResolver),
            base_url: base_url.to_owned(),
            api_key: settings.api_key.clone(),
        }
    }

    fn post(&self, path: &str, form: &[(&str, &str)], key: &str) -> Result<Value, Trouble> {
        let request = self
            .agent
            .post(format!("{}{path}", self.base_url))
            .header("Authorization", format!("Bearer {}", self.api_key.reveal()))
            .header("Stripe-Version", STRIPE_VERSION)
            .header("Idempotency-Key", key);
        read_answer(request.send_form(form.iter().copied()))
    }

    fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Trouble> {
        let request = self
            .agent
            .get(format!("{}{path}", self.base_url))
            .query_pairs(query.iter().copied())
            .header("Authorization", format!("Bearer {}", self.api_key.reveal()))
            .header("Stripe-Version", STRIPE_VERSION);
        read_answer(request.call())
    }
}

impl Gateway for Stripe {
    fn authorize(&self, charge: &Charge<'_>, key: &str) -> Result<Intent, Trouble> {
        // Stripe counts in the currency's smallest unit, as we do (ISO 4217's exponent): a
        // zero-decimal currency is sent as it is. Its few exceptions are `stripe_amount`'s.
        let amount = stripe_amount(charge.amount, charge.currency.as_str())?.to_string();
        let currency = charge.currency.as_str().to_ascii_lowercase();
        let order = charge.order.to_string();
        let form = [
            ("amount", amount.as_str()),
            ("currency", &currency),
            ("payment_method", charge.token),
            ("payment_method_types[]", "card"),
            ("confirm", "true"),
            ("capture_method", "manual"),
            ("metadata[order_id]", &order),
        ];
        read_intent(&self.post("/v1/payment_intents", &form, key)?)
    }

    fn capture(&self, intent: &str, key: &str) -> Result<Intent, Trouble> {
        read_intent(&self.post(&format!("/v1/payment_intents/{intent}/capture"), &[], key)?)
    }

    fn cancel(&self, intent: &str, key: &str) -> Result<Intent, Trouble> {
        read_intent(&self.post(&format!("/v1/payment_intents/{intent}/cancel"), &[], key)?)
    }

    fn refund(&self, intent: &str, key: &str) -> Result<(), Trouble> {
        match self.post("/v1/refunds", &[("payment_intent", intent)], key) {
            Err(Trouble::Refused { code }) if code == "charge_already_refunded" => Ok(()),
            Err(trouble) => Err(trouble),
            Ok(refund) => match refund["status"].as_str().unwrap_or_default() {
                // A pending refund is promised by the gateway.
                "succeeded" | "pending" => Ok(()),
                "failed" | "canceled" => Err(Trouble::Refused { code: "refund_failed".into() }),
                other => Err(Trouble::Unknown { code: format!("refund_{other}") }),
            },
        }
    }

    fn read(&self, intent: &str) -> Result<Intent, Trouble> {
        read_intent(&self.get(&format!("/v1/payment_intents/{intent}"), &[])?)
    }

    fn find(&self, order: Id) -> Result<Option<Intent>, Trouble> {
        let query = format!("metadata['order_id']:'{order}'");
        let found = self.get("/v1/payment_intents/search", &[("query", &query)])?;
        // An order whose card was declined and tried again has several: what counts is held.
        let mut intents = Vec::new();
        for intent in found["data"].as_array().map_or(&[][..], Vec::as_slice) {
            intents.push(read_intent(intent)?);
        }
        let counts = |intent: &Intent| {
            matches!(intent.status, Status::Captured | Status::Authorized | Status::RequiresAction)
        };
        let place = intents.iter().position(counts).unwrap_or(0);
        Ok(if intents.is_empty() { None } else { Some(intents.swap_remove(place)) })
    }
}

/// The amount as Stripe counts it.
///
/// Stripe's "Currencies", "Zero-decimal currencies" and "Special cases": ISK and UGX have no minor
/// unit and are sent with two decimals all the same; three-decimal currencies must be a multiple of
/// ten.
fn stripe_amount(amount: i64, currency: &str) -> Result<i64, Trouble> {
    let refused = || Trouble::Declined { code: "amount_not_representable".to_owned() };
    match currency {
        "ISK" | "UGX" => amount.checked_mul(100).ok_or_else(refused),
        "BHD" | "JOD" | "KWD" | "OMR" | "TND" if amount % 10 != 0 => Err(refused()),
        _ => Ok(amount),
    }
}

fn read_answer(
    answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> Result<Value, Trouble> {
    let unknown = |code: &str| Trouble::Unknown { code: code.to_owned() };
    let mut answer = answer.map_err(|error| match error {
        ureq::Error::Timeout(_) => unknown("timeout"),
        _ => unknown("unreachable"),
    })?;
    let status = answer.status().as_u16();
    let text = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string();
    let body: Value =
        text.ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let error = &body["error"];
    let said = |name: &str| error[name].as_str().map(str::to_owned);
    let code = || {
        said("decline_code").or_else(|| said("code")).unwrap_or_else(|| format!("status_{status}"))
    };
    match status {
        200..=299 if body.is_object() => Ok(body),
        402 => Err(Trouble::Declined { code: code() }),
        401 | 403 => {
            log::error!("the gateway refuses the key: see api_key in vault.toml");
            Err(unknown("key_refused"))
        }
        // The same key is still at work, too many calls, or the gateway's own trouble.
        409 | 425 | 429 | 500..=599 => Err(Trouble::Unknown { code: code() }),
        400..=499 if error["type"] == "card_error" => Err(Trouble::Declined { code: code() }),
        400..=499 if error["type"] == "idempotency_error" => Err(unknown("idempotency_error")),
        400..=499 => Err(Trouble::Refused { code: code() }),
        _ => Err(unknown("no_answer")),
    }
}

/// Reads a payment of the gateway's, from an answer or a webhook.
pub fn read_intent(value: &Value) -> Result<Intent, Trouble> {
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let refusal = &value["last_payment_error"];
    let code = refusal["decline_code"].as_str().or_else(|| refusal["code"].as_str());
    let status = match value["status"].as_str().unwrap_or_default() {
        "requires_capture" => Status::Authorized,
        "succeeded" => Status::Captured,
        "requires_action" | "requires_confirmation" => Status::RequiresAction,
        "requires_payment_method" => Status::Declined,
        "canceled" => Status::Canceled,
        "processing" => Status::Processing,
        _ => return Err(Trouble::Unknown { code: "status_unknown".to_owned() }),
    };
    let intent = Intent {
        id: text("id"),
        status,
        client_secret: text("client_secret"),
        code: code.unwrap_or("card_declined").to_owned(),
    };
    if intent.id.is_empty() || intent.id.contains('/') {
        return Err(Trouble::Unknown { code: "intent_without_id".to_owned() });
    }
    Ok(intent)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;

    use super::super::broker;
    use super::*;

    #[test]
    fn amounts_are_in_the_units_that_stripe_counts() {
        assert_eq!(stripe_amount(1999, "EUR"), Ok(1999));
        assert_eq!(stripe_amount(500, "JPY"), Ok(500), "zero-decimal: as it is");
        assert_eq!(stripe_amount(500, "ISK"), Ok(50_000));
        assert_eq!(stripe_amount(1230, "KWD"), Ok(1230));
        assert!(stripe_amount(1234, "KWD").is_err());
    }

    /// What a gateway at this URL gets first over the connection that is handed in, when it hangs
    /// up then; and what is made of that.
    fn first_bytes(base_url: &str) -> (Vec<u8>, Result<Intent, Trouble>) {
        let (vault, outside) = UnixStream::pair().unwrap();
        let gateway = TcpListener::bind("127.0.0.1:0").unwrap();
        let settings = Settings::parse("kind = \"local\"", |_| None).unwrap();
        let stripe = Stripe::new(&settings, base_url, Broker::new(vault));
        std::thread::scope(|scope| {
            let asks = scope.spawn(|| stripe.read("pi_1"));
            let question = broker::next_question(&outside).unwrap().unwrap();
            question.answer(TcpStream::connect(gateway.local_addr().unwrap())).unwrap();
            let (mut heard, mut bytes) = (gateway.accept().unwrap().0, vec![0; 4096]);
            let length = heard.read(&mut bytes).unwrap();
            bytes.truncate(length);
            drop((heard, outside));
            (bytes, asks.join().unwrap())
        })
    }

    #[test]
    fn gateway_behind_https_hears_tls_over_the_handed_connection_and_no_key_before() {
        let (bytes, said) = first_bytes("https://api.stripe.com");
        // RFC 8446, section 5.1, "Record Layer": a handshake record; section 4.1.2, "Client Hello".
        assert_eq!((bytes[0], bytes[5]), (22, 1));
        let name = b"api.stripe.com";
        assert!(bytes.windows(name.len()).any(|part| part == name), "whom it means to talk to");
        assert!(!bytes.windows(6).any(|part| part == b"Bearer"));
        assert!(matches!(said, Err(Trouble::Unknown { .. })), "{said:?}");
    }

    #[test]
    fn gateway_behind_http_hears_the_request_over_the_handed_connection() {
        let (bytes, said) = first_bytes("http://127.0.0.1:1");
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with("GET /v1/payment_intents/pi_1 HTTP/1.1\r\n"), "{text}");
        assert!(matches!(said, Err(Trouble::Unknown { .. })), "{said:?}");
    }

    #[test]
    fn statuses_are_read_and_unknown_ones_are_not_guessed() {
        let read = |status: &str| {
            read_intent(&serde_json::json!({ "id": "pi_1", "status": status })).map(|i| i.status)
        };
        assert_eq!(read("requires_capture"), Ok(Status::Authorized));
        assert_eq!(read("succeeded"), Ok(Status::Captured));
        assert_eq!(read("canceled"), Ok(Status::Canceled));
        assert!(matches!(read("novel"), Err(Trouble::Unknown { .. })));
    }
}
