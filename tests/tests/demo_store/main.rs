//! The demo shop, seen as a person sees it: real browsers, a real node, a real payment gateway.

mod shop;

use claw_tests::Browser;
use shop::Shop;

const BUY: &str = "button[type=submit]";
const DECLINED_CARD: &str = "input[value=pm_card_chargeDeclined]";
const STOCK: &str = "#stock-runner";
const LATEST_ORDER: &str = "#orders li:first-child span";

#[test]
fn stock_falls_in_every_window_when_one_buys() {
    let Some(mut browser) = Browser::start() else { return };
    let shop = Shop::open(25, &[]);
    for window in ["ada", "eve"] {
        browser.open(window, shop.url());
        browser.says(window, STOCK, "25");
    }
    browser.shot("ada", "demo-store-1-open");
    browser.click("ada", BUY);
    browser.says("ada", LATEST_ORDER, "placed");
    for window in ["ada", "eve"] {
        browser.says(window, STOCK, "24");
    }
    browser.shot("ada", "demo-store-2-bought");
    assert_eq!(browser.text("eve", "#orders"), "", "an order is its shopper's alone");
    // It is remembered, and shown again without the WebSocket.
    browser.reload("ada");
    browser.says("ada", LATEST_ORDER, "placed");
    for window in ["ada", "eve"] {
        let mut complaints = browser.complaints(window);
        // What the node tells may outrun the answer that puts the order on the page.
        complaints.retain(|said| !said.contains("oobErrorNoTarget, #order-"));
        assert_eq!(complaints, Vec::<String>::new());
    }
}

#[test]
fn declined_payment_puts_stock_back_and_says_so() {
    let Some(mut browser) = Browser::start() else { return };
    let shop = Shop::open(3, &["--latency-ms", "1000"]);
    for window in ["ada", "eve"] {
        browser.open(window, shop.url());
        browser.says(window, STOCK, "3");
    }
    browser.click("ada", DECLINED_CARD);
    browser.click("ada", BUY);
    browser.says("eve", STOCK, "2");
    browser.says("ada", LATEST_ORDER, "authorizing");
    browser.shot("ada", "demo-store-3-authorizing");
    browser.says("ada", LATEST_ORDER, "the payment was declined");
    for window in ["ada", "eve"] {
        browser.says(window, STOCK, "3");
    }
    browser.shot("ada", "demo-store-4-declined");
    assert_eq!(shop.units_sold(), 0);
}

#[test]
fn two_browsers_fight_for_the_last_one_and_one_wins() {
    let Some(mut browser) = Browser::start() else { return };
    let shop = Shop::open(1, &[]);
    let windows = ["ada", "eve"];
    for window in windows {
        browser.open(window, shop.url());
        browser.says(window, STOCK, "1");
    }
    browser.click_all(&windows, BUY);
    for window in windows {
        browser.says(window, STOCK, "0");
    }
    // One has an order that stands, the other is told at once that it was too late.
    let lost = "sold out";
    let mut ends = windows.map(|window| browser.says_any(window, LATEST_ORDER, &["placed", lost]));
    for (window, end) in windows.iter().zip(&ends) {
        let name = if end == "placed" { "demo-store-5-won" } else { "demo-store-6-lost" };
        browser.shot(window, name);
    }
    ends.sort();
    assert_eq!(ends, ["placed", lost]);
    assert_eq!(shop.units_sold(), 1);
}

#[test]
fn page_that_was_cut_off_comes_back_and_catches_up() {
    let Some(mut browser) = Browser::start() else { return };
    let mut shop = Shop::open(5, &[]);
    browser.open("ada", shop.url());
    browser.says("ada", "#live", "live");
    browser.click("ada", BUY);
    browser.says("ada", LATEST_ORDER, "placed");
    browser.says("ada", STOCK, "4");
    let order = shop.only_order();
    shop.node.kill();
    browser.says("ada", "#live", "away");
    browser.shot("ada", "demo-store-7-away");
    shop.restart_node();
    shop.ship(&order);
    browser.says("ada", LATEST_ORDER, "shipped");
    browser.says("ada", "#live", "live");
    shop.stock(10);
    browser.says("ada", STOCK, "14");
}

#[test]
fn page_of_a_shop_that_the_node_does_not_know_is_refused_with_what_to_do() {
    let said = Shop::refused();
    assert!(said.contains("http.cors_origins = [\"http://127.0.0.1:"), "{said}");
}
