//! One order at a time: placed, declined, acted on, cancelled, paid back.

use serde_json::{Value, json};

use super::shop::{ACTS, DECLINED, GOOD, Shop, ask, basket, expect, until};

#[test]
fn order_is_placed_once_its_payment_is_captured() {
    let shop = Shop::open(&[], &[]);
    shop.stock("clog", 5, 4900);
    let order = shop.buy("clog", GOOD);
    let id = order["order_id"].as_str().expect("an id").to_owned();
    let states: Vec<&str> = order["history"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|entry| entry["state"].as_str())
        .collect();
    assert_eq!(states, ["reserving", "authorizing", "confirming", "capturing", "placed"]);
    let payment = shop.payment(&id);
    assert_eq!((&payment["status"], &payment["amount"]), (&json!("succeeded"), &json!(4900)));
    assert_eq!((&payment["currency"], &payment["payment_method"]), (&json!("eur"), &json!(GOOD)));
    assert_eq!(shop.places("clog"), [0, 1, 4]);
    assert_eq!(shop.saga(&id)["course"], "done");
}

#[test]
fn waiting_checkout_gets_the_order_that_was_placed_or_cancelled() {
    let shop = Shop::open(&[], &[]);
    shop.stock("clog", 5, 4900);
    let mut storefront = shop.client("storefront");
    for (token, state) in [(GOOD, "placed"), (DECLINED, "cancelled")] {
        let body = basket("clog", token).to_string().into_bytes();
        let call = claw_sdk::client::Call {
            method: "POST",
            target: "/v1/checkouts",
            body: &body,
            headers: &[("Prefer", "wait=20")],
            ..Default::default()
        };
        let answer = storefront.send(&call).expect("the node answers");
        assert_eq!(expect(&answer, 200)["state"], state);
    }
}

#[test]
fn declined_payment_gives_the_stock_back_and_is_logged_with_what_was_known() {
    let shop = Shop::open(&[], &[]);
    shop.stock("clog", 1, 4900);
    let order = shop.buy("clog", DECLINED);
    assert_eq!(
        (&order["state"], &order["reason"]),
        (&json!("cancelled"), &json!("payment-declined"))
    );
    assert_eq!(shop.places("clog"), [0, 0, 1]);
    let (code, said) = shop.store.claw(&["log", "show"]);
    assert_eq!(code, Some(0), "{said}");
    for part in ["reason=payment-declined", "step=authorize", "total=4900EUR", "generic_decline"] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
}

#[test]
fn shopper_who_acts_gets_the_order_by_webhook_or_by_asking_again() {
    for webhooks in [true, false] {
        let shop = if webhooks { with_webhooks() } else { Shop::open(&[], &[]) };
        shop.stock("clog", 1, 4900);
        let order = shop.buy("clog", ACTS);
        assert_eq!(order["state"], "requires_action");
        let id = order["order_id"].as_str().expect("an id").to_owned();
        let payment = shop.payment(&id);
        assert_eq!(order["client_secret"], payment["client_secret"]);
        assert_eq!(shop.places("clog"), [1, 0, 0], "held until the shopper has acted");
        shop.gateway.act(payment["id"].as_str().expect("an id"));
        let placed = until(|| {
            let shown = shop.order(&id);
            (shown["state"] == "placed").then_some(shown)
        });
        assert_eq!(placed.get("client_secret"), None);
        let (code, said) = shop.store.claw(&["log", "show"]);
        assert_eq!(code, Some(0), "{said}");
        assert!(!said.contains("_secret_"), "a secret is logged: {said}");
    }
}

/// The gateway is told where the node listens, which is known only then.
fn with_webhooks() -> Shop {
    super::webhooks::shop(&[])
}

#[test]
fn order_that_is_cancelled_before_the_shopper_acts_is_voided() {
    let shop = Shop::open(&[], &[]);
    shop.stock("clog", 1, 4900);
    let order = shop.buy("clog", ACTS);
    let id = order["order_id"].as_str().expect("an id").to_owned();
    expect(&shop.step(&id, "cancel"), 200);
    shop.rest(2);
    assert_eq!(shop.payment(&id)["status"], "canceled");
    assert_eq!(shop.places("clog"), [0, 0, 1]);
}

#[test]
fn placed_order_is_paid_back_when_it_is_cancelled_or_refunded() {
    let shop = Shop::open(&[], &[]);
    shop.stock("clog", 2, 4900);
    for (step, state) in [("cancel", "cancelled"), ("refund", "refunded")] {
        let order = shop.buy("clog", GOOD);
        let id = order["order_id"].as_str().expect("an id").to_owned();
        assert_eq!(expect(&shop.step(&id, step), 200)["state"], state);
        shop.rest(2);
        let payment = shop.payment(&id);
        assert_eq!((&payment["captured"], &payment["refunded"]), (&json!(true), &json!(true)));
        let saga = shop.saga(&id);
        assert_eq!(saga["course"], "done", "{saga}");
    }
    assert_eq!(shop.places("clog"), [0, 1, 1], "a refund brings no goods back");
}

#[test]
fn what_costs_something_needs_a_payment_and_what_is_free_needs_none() {
    let shop = Shop::open(&[], &[]);
    shop.stock("clog", 5, 4900);
    let mut storefront = shop.client("storefront");
    let mut body = basket("clog", GOOD);
    body.as_object_mut().expect("an object").remove("payment");
    let answer = ask(&mut storefront, "POST", "/v1/checkouts", &body);
    let problem = expect(&answer, 422);
    assert_eq!(problem["type"], "urn:openclaw:problem:payment-required");
    assert_eq!(problem["total"], 4900);
    let mut source = shop.client("source");
    let coupon = json!({"kind": "percent", "value": 10_000, "uses_max": 1});
    expect(&ask(&mut source, "PUT", "/v1/coupons/GIFT", &coupon), 201);
    body["coupon"] = json!("GIFT");
    let started = expect(&ask(&mut storefront, "POST", "/v1/checkouts", &body), 202);
    let id = started["order_id"].as_str().expect("an id").to_owned();
    assert_eq!(shop.settled(&id)["state"], "placed");
    assert_eq!(shop.gateway.payments_of(&id), Vec::<Value>::new());
}

#[test]
fn operator_sees_parks_and_retries_a_saga_from_the_command_line() {
    let shop = Shop::open(&[], &[]);
    shop.stock("clog", 1, 4900);
    let order = shop.buy("clog", ACTS);
    let id = order["order_id"].as_str().expect("an id").to_owned();
    let claw =
        |args: &[&str]| shop.store.claw(&[&["saga"], args, &["--node", shop.node.url()]].concat());
    let (code, said) = claw(&["list"]);
    assert!(
        code == Some(0) && said.contains("requires_action checkout forward at authorize"),
        "{said}"
    );
    let (code, said) = claw(&["list", "--parked"]);
    assert_eq!(code, Some(1), "{said}");
    let (code, said) = claw(&["park", &id]);
    assert!(code == Some(0) && said.contains("[!] authorize  parked"), "{said}");
    let (code, said) = claw(&["list", "--parked"]);
    assert!(code == Some(0) && said.contains("PARKED"), "{said}");
    let (code, said) = claw(&["park", &id]);
    assert!(code == Some(1) && said.contains("409"), "{said}");
    let payment = shop.payment(&id);
    shop.gateway.act(payment["id"].as_str().expect("an id"));
    let (code, said) = claw(&["retry", &id]);
    assert_eq!(code, Some(0), "{said}");
    until(|| (shop.order(&id)["state"] == "placed").then_some(()));
    let (code, said) = claw(&["show", &id, "--json"]);
    assert!(code == Some(0) && said.contains("\"course\""), "{said}");
}

#[test]
fn vault_that_is_killed_is_started_again_and_orders_wait() {
    let shop = Shop::open(&["--latency-ms", "200"], &[]);
    shop.stock("clog", 5, 4900);
    let orders: Vec<String> = (0..3).map(|_| shop.start("clog", GOOD)).collect();
    assert!(shop.node.kill_vault(), "it has a vault");
    for order in &orders {
        assert_eq!(shop.settled(order)["state"], "placed");
        assert_eq!(shop.payment(order)["status"], "succeeded", "paid once");
    }
    assert_eq!(shop.places("clog"), [0, 3, 2]);
}
