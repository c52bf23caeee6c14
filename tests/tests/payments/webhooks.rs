//! Webhooks: the gateway's own, forged ones, and both ways against the gateway's library for
//! Python.

use std::process::Command;

use claw_sdk::client::{Call, Client};
use claw_tests::gateway::WEBHOOK_SECRET;
use claw_tests::{Gateway, Node, Store};
use serde_json::json;

use super::shop::{ACTS, GOOD, Shop, until};

/// A shop whose gateway sends webhooks to its node.
pub(super) fn shop(arguments: &[&str]) -> Shop {
    let mut store = Store::with("minimal", &[]);
    // The node's place is known before it is told of its gateway.
    let mut node = Node::start(&store);
    let url = format!("{}/v1/payments/webhook/stripe", node.url());
    let arguments = [&["--webhook-url", &url], arguments].concat();
    let gateway = Gateway::start(&arguments);
    store.pay_at(&gateway);
    assert!(node.terminate().success());
    node.start_again(&store);
    Shop { store, node, gateway }
}

fn post(shop: &Shop, signature: &str, body: &str) -> u16 {
    let mut client = Client::new(shop.node.url(), None).expect("the node's own address");
    let call = Call {
        method: "POST",
        target: "/v1/payments/webhook/stripe",
        body: body.as_bytes(),
        headers: &[("Stripe-Signature", signature)],
        ..Default::default()
    };
    client.send(&call).expect("the node answers").status
}

#[test]
fn forged_old_and_changed_webhooks_are_refused_and_change_nothing() {
    let shop = Shop::open(&[], &[]);
    shop.stock("clog", 1, 4900);
    let order = shop.buy("clog", ACTS);
    let body = json!({
        "id": "evt_1", "type": "payment_intent.amount_capturable_updated",
        "data": {"object": {"id": "pi_1", "status": "requires_capture",
            "metadata": {"order_id": order["order_id"]}}},
    })
    .to_string();
    let now_s = claw_sdk::client::now_s();
    let sign = |secret: &str, body: &str, now_s: u64| {
        claw_dataplane::vault::webhook::sign(secret, body.as_bytes(), now_s)
    };
    for signature in [
        String::new(),
        "t=1,v1=00".to_owned(),
        sign("whsec_forged", &body, now_s),
        sign(WEBHOOK_SECRET, &body, now_s - 3600),
        sign(WEBHOOK_SECRET, "{}", now_s),
    ] {
        assert_eq!(post(&shop, &signature, &body), 400, "{signature}");
    }
    // Signed, and a lie: the gateway is asked, and says that the shopper has not acted.
    for _ in 0..2 {
        assert_eq!(post(&shop, &sign(WEBHOOK_SECRET, &body, now_s), &body), 200);
    }
    let id = order["order_id"].as_str().expect("an id");
    assert_eq!(shop.order(id)["state"], "requires_action");
    assert_eq!(post(&shop, &sign(WEBHOOK_SECRET, "no event", now_s), "no event"), 400);
}

#[test]
fn webhooks_that_come_twice_late_out_of_order_and_forged_lead_to_the_same_orders() {
    let shop = shop(&[
        "--duplicate-webhooks",
        "0.5",
        "--reorder-webhooks",
        "0.5",
        "--forge-webhooks",
        "0.5",
        "--require-action",
        "0.5",
        "--seed",
        "7",
    ]);
    shop.stock("clog", 20, 100);
    let orders: Vec<String> = (0..20).map(|_| shop.start("clog", GOOD)).collect();
    for order in &orders {
        if shop.settled(order)["state"] == "requires_action" {
            let payment = shop.payment(order);
            shop.gateway.act(payment["id"].as_str().expect("an id"));
        }
        until(|| (shop.order(order)["state"] == "placed").then_some(()));
        assert_eq!(shop.payment(order)["status"], "succeeded");
    }
    assert_eq!(shop.places("clog"), [0, 20, 0]);
}

#[test]
fn signatures_agree_with_the_gateways_own_library_both_ways() {
    if std::env::var_os("CLAW_WITHOUT_PYTHON").is_some() {
        return;
    }
    let body = r#"{"id": "evt_1", "object": "event"}"#;
    let now_s = claw_sdk::client::now_s();
    let ours = claw_dataplane::vault::webhook::sign(WEBHOOK_SECRET, body.as_bytes(), now_s);
    let script = format!(
        "import stripe\n\
         body, secret = {body:?}, {WEBHOOK_SECRET:?}\n\
         stripe.Webhook.construct_event(body, {ours:?}, secret)\n\
         try:\n    stripe.Webhook.construct_event(body + ' ', {ours:?}, secret)\n\
         except stripe.SignatureVerificationError:\n    pass\n\
         else:\n    raise SystemExit('a changed body is taken')\n\
         print('t=%d,v1=%s' % ({now_s}, stripe.WebhookSignature._compute_signature(\n\
             '%d.%s' % ({now_s}, body), secret)))\n"
    );
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let python = root.join(".venv/bin/python");
    let output = Command::new(python).args(["-c", &script]).output().expect("python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let theirs = String::from_utf8(output.stdout).expect("text");
    let taken = claw_dataplane::vault::webhook::is_signed;
    assert!(taken(WEBHOOK_SECRET, theirs.trim(), body.as_bytes(), now_s), "{theirs}");
}
