//! Tokens that would live longer than they may, from another time, or without an end.

use std::time::{Duration, Instant};

use claw_sdk::client::now_s;
use claw_tests::Wire;
use serde_json::{Value, json};

use crate::forge::{Shop, claims, forged, header, refused};

const SHIRT: (&str, &str) = ("GET", "/v1/products/shirt");
const DAY_S: i64 = 24 * 3600;
/// The node follows the system's clock slowly where they differ by less than this.
const CLOCKS_APART_S_MAX: u64 = 1;

#[test]
fn stretched_lives_and_times_that_are_not_now_are_refused() {
    let shop = Shop::open();
    let signer = shop.store.signer("storefront");
    let now_s = i64::try_from(now_s()).expect("a time of today");
    let rows = [
        // From now: beginning, end.
        (0, DAY_S + 1, "token-lifetime"),
        (-10, DAY_S - 5, "token-lifetime"),
        (-DAY_S, 60, "token-lifetime"),
        (-now_s, 60, "token-lifetime"),
        (0, i64::MAX / 2, "token-lifetime"),
        (60, 0, "token-lifetime"),
        (-30, -30, "token-lifetime"),
        (90, 600, "token-expired"),
        (DAY_S, DAY_S + 60, "token-expired"),
        (-600, -1, "token-expired"),
        (-DAY_S - 60, -120, "token-expired"),
    ];
    shop.unmoved(|| {
        for (begins, ends, name) in rows {
            let mut claims = claims();
            (claims["iat"], claims["exp"]) = (json!(now_s + begins), json!(now_s + ends));
            let token = forged(&signer, &header(), &claims);
            let about = format!("{begins} to {ends}");
            refused(&shop.bear(&token, SHIRT, &Value::Null), (401, name), &about);
        }
        let mut later = claims();
        later["nbf"] = json!(now_s + 120);
        let token = forged(&signer, &header(), &later);
        refused(&shop.bear(&token, SHIRT, &Value::Null), (401, "token-expired"), "nbf");
    });
}

#[test]
fn times_that_are_missing_or_no_whole_seconds_are_refused() {
    let shop = Shop::open();
    let signer = shop.store.signer("storefront");
    shop.unmoved(|| {
        for member in ["exp", "iat", "sub", "aud"] {
            let mut claims = claims();
            claims.as_object_mut().expect("an object").remove(member);
            let token = forged(&signer, &header(), &claims);
            refused(&shop.bear(&token, SHIRT, &Value::Null), (401, "bad-token"), member);
        }
        let now_s = now_s();
        let odd = [
            json!(null),
            json!(now_s.to_string()),
            json!(-1),
            json!([now_s + 60]),
            json!(true),
            json!("never"),
        ];
        for value in odd {
            for member in ["exp", "iat"] {
                let mut claims = claims();
                claims[member] = value.clone();
                let token = forged(&signer, &header(), &claims);
                let about = format!("{member} = {value}");
                refused(&shop.bear(&token, SHIRT, &Value::Null), (401, "bad-token"), &about);
            }
        }
        for exp in ["1e99", "99999999999999999999", "1e400", "NaN", "Infinity", "0x7fffffff"] {
            let claims = claims();
            let (text, end) = (claims.to_string(), format!("\"exp\":{}", claims["exp"]));
            let text = text.replace(&end, &format!("\"exp\":{exp}"));
            let token = signer.compact_jws(&header().to_string(), &text);
            refused(&shop.bear(&token, SHIRT, &Value::Null), (401, "bad-token"), exp);
        }
    });
}

#[test]
fn token_ends_on_a_connection_where_it_was_good() {
    let shop = Shop::open();
    let signer = shop.store.signer("storefront");
    let mut short = claims();
    let end_s = now_s() + 3;
    short["exp"] = json!(end_s);
    let token = forged(&signer, &header(), &short);
    let mut wire = Wire::connect(&shop.node);
    let deadline = Instant::now() + Duration::from_secs(15);
    let mut good = 0;
    let answer = loop {
        wire.send(&shop.borne(&token, SHIRT, &Value::Null));
        let answer = wire.answer();
        if answer.status != 200 {
            break answer;
        }
        good += 1;
        assert!(Instant::now() < deadline, "it lives on");
        std::thread::park_timeout(Duration::from_millis(50));
    };
    refused(&answer, (401, "token-expired"), "its time is over");
    assert!(good > 0, "it was good before");
    // The node's clock follows the system's smoothly, and may be ahead of it by less than that.
    assert!(now_s() + CLOCKS_APART_S_MAX >= end_s, "and ended no earlier than it said");
}
