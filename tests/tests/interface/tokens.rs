//! Shoppers with tokens: they shop, within their session, with tokens that `claw token` printed.

use claw_sdk::client::{Call, Client};
use claw_tests::Store;
use serde_json::{Value, json};

use crate::world::{Asker, World, done, hold_body, items, refused, text};

/// `claw token ARGS... --store THIS`: its exit code and what it said.
fn claw_token(store: &Store, args: &[&str]) -> (Option<i32>, String) {
    store.claw(&[&["token"], args].concat())
}

#[test]
fn shopper_buys_with_a_token_and_sees_only_its_own() {
    let mut world = World::start();
    world.stock("clog", 10, 1000);
    let mut ada = Asker::shopper(&world, "ada", "cart checkout watch");
    let mut eve = Asker::shopper(&world, "eve", "cart checkout watch");
    assert_eq!(done(&ada.get("/v1/products/clog"), 200)["available"], 10);
    let cart = text(&done(&ada.post("/v1/carts", &json!({"session": "ada"})), 201)["cart_id"]);
    let line = format!("/v1/carts/{cart}/items/clog");
    done(&ada.put(&line, &json!({"quantity": 2})), 200);
    let hold = done(&ada.post("/v1/holds", &hold_body("ada", &[("clog", 1)])), 201);
    let hold = format!("/v1/holds/{}", text(&hold["hold_id"]));
    done(&ada.post(&format!("{hold}/extend"), &json!({"ttl_ms": 60_000})), 200);
    let bought = ada.post("/v1/checkouts", &json!({"session": "ada", "cart_id": cart}));
    let order = format!("/v1/orders/{}", text(&done(&bought, 202)["order_id"]));
    assert_eq!(done(&ada.get(&order), 200)["items"][0]["quantity"], 2);
    for target in [format!("/v1/carts/{cart}"), hold.clone(), order.clone()] {
        done(&ada.get(&target), 200);
        refused(&eve.get(&target), 404, "not-found");
    }
    refused(&eve.delete(&hold), 404, "not-found");
    refused(
        &eve.post("/v1/checkouts", &json!({"session": "ada", "cart_id": cart})),
        403,
        "forbidden",
    );
    done(&ada.delete(&hold), 200);
    refused(&ada.post(&format!("{order}/ship"), &Value::Null), 403, "forbidden");
    // Bodies under a token are not signed; their identity is still asked for.
    let body = json!({"session": "ada", "items": items(&[("clog", 1)])}).to_string();
    let twice = Call {
        method: "POST",
        target: "/v1/checkouts",
        body: body.as_bytes(),
        idempotency_key: Some("0190b5a4-7f3c-4c57-8f2e-3d1c5a9b7e10"),
        ..Call::default()
    };
    let first = text(&done(&ada.send(&twice), 202)["order_id"]);
    assert_eq!(text(&done(&ada.send(&twice), 202)["order_id"]), first);
}

#[test]
fn printed_token_is_taken_and_nonsense_is_not_printed() {
    let world = World::start();
    let bear = |token: &str, body: &Value| {
        let (bearer, body) = (format!("Bearer {token}"), body.to_string());
        let mut client = Client::new(world.node.url(), None).expect("its own address");
        let call = Call {
            method: "POST",
            target: "/v1/carts",
            body: body.as_bytes(),
            headers: &[("Authorization", &bearer)],
            ..Call::default()
        };
        client.send(&call).expect("the node answers")
    };
    let session = json!({"session": "ada"});
    for args in [vec![], vec!["--key", "operator", "--ttl", "24h", "--scope", "cart"]] {
        let (code, said) = claw_token(&world.store, &[&["--session", "ada"], &args[..]].concat());
        assert_eq!(code, Some(0), "{said}");
        done(&bear(said.trim(), &session), 201);
    }
    let (code, said) = claw_token(&world.store, &["--session", "ada", "--json", "--ttl", "90s"]);
    assert_eq!(code, Some(0), "{said}");
    let printed: Value = serde_json::from_str(&said).expect("JSON");
    let life = printed["expires_at"].as_u64().zip(printed["issued_at"].as_u64());
    assert_eq!(life.map(|(end, start)| end - start), Some(90), "{said}");
    assert_eq!(
        (&printed["session"], &printed["scope"]),
        (&json!("ada"), &json!("cart checkout watch"))
    );
    done(&bear(&text(&printed["token"]), &session), 201);
    refused(&bear(&text(&printed["token"]), &json!({"session": "eve"})), 403, "forbidden");
    let rows: [(&[&str], i32); 8] = [
        (&[], 2),
        (&["--session", ""], 2),
        (&["--session", "a b"], 2),
        (&["--session", "ada", "--ttl", "25h"], 2),
        (&["--session", "ada", "--scope", "admin"], 2),
        (&["--session", "ada", "--key", "storefront-hmac"], 1),
        (&["--session", "ada", "--key", "source"], 1),
        (&["--session", "ada", "--key", "nobody"], 1),
    ];
    for (args, wanted) in rows {
        let (code, said) = claw_token(&world.store, args);
        assert_eq!(code, Some(wanted), "{args:?}: {said}");
        assert!(!said.contains("eyJ"), "a token was printed: {said}");
    }
}
