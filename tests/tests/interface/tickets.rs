//! Tickets: who gets one, that a repeat gets the same, and that none of it is in the log.

use claw_sdk::client::{Call, new_idempotency_key};
use serde_json::{Value, json};

use crate::world::{Asker, World, done, fresh_store, names, refused, refused_at, text};

const TICKETS: &str = "/v1/tickets";

fn ask(asker: &mut Asker, body: &Value, key: &str) -> claw_sdk::client::Response {
    let body = body.to_string();
    asker.send(&Call {
        method: "POST",
        target: TICKETS,
        body: body.as_bytes(),
        idempotency_key: Some(key),
        ..Call::default()
    })
}

#[test]
fn shops_and_watching_shoppers_get_tickets_and_the_log_none() {
    let mut world = World::start();
    let before = world.node.positions();
    let ada = json!({"session": "ada"});
    let mut shopper = Asker::shopper(&world, "ada", "watch");
    let mut seen = Vec::new();
    for asker in [&mut world.storefront, &mut world.operator, &mut shopper] {
        for _ in 0..20 {
            let body = done(&asker.post(TICKETS, &ada), 201);
            assert_eq!(names(&body), ["ticket"]);
            let ticket = text(&body["ticket"]);
            let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            assert!(ticket.bytes().all(plain) && ticket.len() >= 32, "{ticket}");
            assert!(!seen.contains(&ticket), "{ticket} comes twice");
            seen.push(ticket);
        }
    }
    refused(&world.source.post(TICKETS, &ada), 403, "forbidden");
    let mut buyer = Asker::shopper(&world, "ada", "cart checkout");
    refused(&buyer.post(TICKETS, &ada), 403, "insufficient-scope");
    refused(&shopper.post(TICKETS, &json!({"session": "eve"})), 403, "forbidden");
    refused_at(&shopper.post(TICKETS, &json!({})), "session");
    refused_at(&shopper.post(TICKETS, &json!({"sesion": "ada"})), "sesion");
    refused_at(&shopper.post(TICKETS, &json!({"session": "ada", "x": 1})), "x");
    refused_at(&shopper.post(TICKETS, &json!({"session": "a b"})), "session");
    refused(&shopper.post(TICKETS, &Value::Null), 400, "malformed");
    refused(&shopper.get(TICKETS), 405, "method-not-allowed");
    assert_eq!(world.node.positions(), before, "tickets are not in the log");
}

/// Repeats come on connections of their own, so on any core.
#[test]
fn repeated_request_gets_the_same_ticket_on_every_core() {
    let world = World::start_on(fresh_store(&[("cores", "4")]), &[]);
    let connect = || Asker::new(world.node.client(&world.store, "storefront-hmac"));
    for _ in 0..8 {
        let key = new_idempotency_key().expect("randomness");
        let ada = json!({"session": "ada"});
        let first = done(&ask(&mut connect(), &ada, &key), 201);
        for _ in 0..8 {
            assert_eq!(done(&ask(&mut connect(), &ada, &key), 201), first);
        }
        let other = ask(&mut connect(), &json!({"session": "eve"}), &key);
        refused(&other, 422, "idempotency-mismatch");
    }
}
