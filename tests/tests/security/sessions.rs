//! One shopper reaches for what is another's, on every route that names a session or an id: it is
//! not there, whether or not it is, and trying leaves no trace.

use claw_dataplane::ingest::routes::Role;
use serde_json::{Value, json};

use crate::forge::{ALL_SCOPES, Shop, refused, rows_of};

/// What Ada has.
struct Things {
    cart: String,
    hold: String,
    order: String,
}

fn things(shop: &Shop, token: &str) -> Things {
    let made = |path: &str, body: &Value, id: &str| {
        let answer = shop.bear(token, ("POST", path), body);
        assert!(matches!(answer.status, 201 | 202), "{}", answer.json());
        answer.json()[id].as_str().expect("an id").to_owned()
    };
    let items = json!([{"sku": "shirt", "quantity": 1}]);
    let basket = json!({"session": "ada", "items": items});
    Things {
        cart: made("/v1/carts", &json!({"session": "ada"}), "cart_id"),
        hold: made("/v1/holds", &basket, "hold_id"),
        order: made("/v1/checkouts", &basket, "order_id"),
    }
}

impl Things {
    fn target(&self, template: &str) -> String {
        let id = if template.contains("/holds/") { &self.hold } else { &self.order };
        let target = template.replace("{cart}", &self.cart).replace("{id}", id);
        target.replace("{sku}", "shirt")
    }
}

/// Every route a shopper may use, with the bodies by which it could reach for Ada's things.
fn table(things: &Things) -> Vec<(&'static str, Vec<Value>)> {
    let items = json!([{"sku": "shirt", "quantity": 1}]);
    let ada = json!({"session": "ada"});
    let basket = json!({"session": "ada", "items": items});
    let none = || vec![Value::Null];
    vec![
        ("GET /v1/products/{sku}", Vec::new()),
        ("POST /v1/carts", vec![ada.clone()]),
        ("PUT /v1/carts/{cart}/items/{sku}", vec![json!({"quantity": 3}), json!({"quantity": 0})]),
        ("GET /v1/carts/{cart}", none()),
        ("POST /v1/holds", vec![basket.clone()]),
        ("POST /v1/waitlist", vec![basket.clone()]),
        ("GET /v1/holds/{id}", none()),
        ("DELETE /v1/holds/{id}", none()),
        ("POST /v1/holds/{id}/extend", vec![json!({"ttl_ms": 60_000})]),
        (
            "POST /v1/checkouts",
            vec![
                basket,
                json!({"session": "ada", "hold_id": things.hold}),
                json!({"session": "eve", "hold_id": things.hold}),
                json!({"session": "eve", "cart_id": things.cart}),
            ],
        ),
        ("GET /v1/orders/{id}", none()),
        ("GET /v1/orders/{id}/receipt", none()),
        ("POST /v1/orders/{id}/cancel", none()),
        ("POST /v1/tickets", vec![ada]),
    ]
}

#[test]
fn what_is_anothers_is_not_there_on_any_route() {
    let shop = Shop::open();
    let (ada, eve) = (shop.token("ada", ALL_SCOPES), shop.token("eve", ALL_SCOPES));
    let theirs = things(&shop, &ada);
    let nothing = "01a00000-0000-7000-8000-000000000000".to_owned();
    let nowhere = Things { cart: nothing.clone(), hold: nothing.clone(), order: nothing };
    let line = ("PUT", format!("/v1/carts/{}/items/shirt", theirs.cart));
    assert_eq!(shop.bear(&ada, (line.0, &line.1), &json!({"quantity": 2})).status, 200);
    let state = |token: &str| {
        ["/v1/carts/{cart}", "/v1/holds/{id}", "/v1/orders/{id}"].map(|template| {
            let answer = shop.bear(token, ("GET", &theirs.target(template)), &Value::Null);
            (answer.status, answer.json())
        })
    };
    let before = state(&ada);
    assert!(before.iter().all(|seen| seen.0 == 200), "{before:?}");
    let shirt = shop.shirt();
    let (there, absent) = (table(&theirs), table(&nowhere));
    shop.unmoved(|| {
        let rows = rows_of(&there, |spec| spec.roles.has(Role::Shopper));
        let empty = rows_of(&absent, |spec| spec.roles.has(Role::Shopper));
        for ((spec, bodies), (_, others)) in rows.into_iter().zip(empty) {
            for (body, other) in bodies.iter().zip(others) {
                let about = format!("{} {} {body}", spec.method, spec.template);
                let target = theirs.target(spec.template);
                let answer = shop.bear(&eve, (spec.method, &target), body);
                let named = body["session"] == "ada";
                let wanted = if named { (403, "forbidden") } else { (404, "not-found") };
                refused(&answer, wanted, &about);
                // Nothing in the answer tells what is another's from what is nobody's.
                let target = nowhere.target(spec.template);
                let nobody = shop.bear(&eve, (spec.method, &target), other);
                assert_eq!(nobody.body, answer.body, "{about}");
                assert_eq!(nobody.status, answer.status, "{about}");
            }
        }
        assert!(state(&eve).iter().all(|seen| seen.0 == 404));
    });
    assert_eq!(state(&ada), before);
    assert_eq!(shop.shirt(), shirt);
}

/// The shop itself may: it speaks for every session.
#[test]
fn shop_touches_every_session_and_a_token_does_not_become_a_shop() {
    let shop = Shop::open();
    let ada = shop.token("ada", ALL_SCOPES);
    let theirs = things(&shop, &ada);
    let order = theirs.target("/v1/orders/{id}");
    assert_eq!(shop.sign("storefront", ("GET", &order), &Value::Null).status, 200);
    let broad = shop.token("ada", "cart checkout watch operator storefront source admin *");
    shop.unmoved(|| {
        let stock = json!({"delta": 9, "reason": "gift"});
        let price = json!({"price": {"amount": 1, "currency": "EUR"}});
        let coupon = json!({"kind": "percent", "value": 10_000, "uses_max": 9});
        let rows = [
            ("GET", "/v1/products".to_owned(), Value::Null),
            ("POST", "/v1/products/shirt/stock".to_owned(), stock),
            ("POST", "/v1/products/shirt/price".to_owned(), price),
            ("PUT", "/v1/coupons/FREE".to_owned(), coupon),
            ("GET", "/v1/coupons/FREE".to_owned(), Value::Null),
            ("POST", format!("{order}/ship"), Value::Null),
            ("POST", format!("{order}/refund"), Value::Null),
            ("POST", "/v1/events/never-declared".to_owned(), json!({})),
        ];
        for (method, target, body) in rows {
            let answer = shop.bear(&broad, (method, &target), &body);
            refused(&answer, (403, "forbidden"), &target);
        }
    });
}
