//! Card numbers: refused with the member's path, and nowhere afterwards.

use std::path::Path;

use serde_json::json;

use super::shop::{GOOD, Shop, ask, basket, expect};

/// A number that a brand publishes for tests.
const CARD: &str = "4242 4242 4242 4242";

#[test]
fn card_number_in_free_text_is_refused_with_its_path_and_is_nowhere() {
    let mut shop = Shop::open(&[], &[]);
    shop.stock("clog", 5, 4900);
    let mut storefront = shop.client("storefront");
    let mut source = shop.client("source");
    let mut notes = basket("clog", GOOD);
    notes["ship_to"] = json!({"lines": ["Main street", CARD]});
    let token = basket("clog", &CARD.replace(' ', ""));
    let reason = json!({"delta": 1, "reason": CARD});
    for (client, target, body, path) in [
        (&mut storefront, "/v1/checkouts", &notes, "ship_to.lines[1]"),
        (&mut shop.client("operator"), "/v1/checkouts", &token, "payment.token"),
        (&mut source, "/v1/products/clog/stock", &reason, "reason"),
    ] {
        let problem = expect(&ask(client, "POST", target, body), 422);
        assert_eq!(problem["path"], path);
        assert!(!problem.to_string().contains("4242"), "{problem}");
    }
    assert_eq!(shop.places("clog"), [0, 0, 5]);
    // A SKU of sixteen digits is a SKU.
    shop.stock("4242424242424242", 1, 100);
    let said = shop.node.said();
    assert!(!said.contains("4242 4242"), "{said}");
    assert!(shop.node.terminate().success());
    for folder in ["data", "vault"] {
        no_card_below(&shop.store.path().join(folder));
    }
}

fn no_card_below(folder: &Path) {
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            no_card_below(&path);
        } else if let Ok(bytes) = std::fs::read(&path) {
            let card = CARD.as_bytes();
            assert!(!bytes.windows(card.len()).any(|w| w == card), "{}", path.display());
        }
    }
}
