//! What is the vault's alone: its device, which fails without the node, and no network.

use claw_tests::{Gateway, Node, Store};

use super::shop::{GOOD, Shop};

/// A shop whose vault logs there.
fn open_on(device: &str) -> Shop {
    let gateway = Gateway::start(&[]);
    let mut store = Store::with("minimal", &[]);
    store.pay_at(&gateway);
    store.pay_from(device);
    let node = Node::start(&store);
    Shop { store, node, gateway }
}

#[test]
fn vault_logs_to_a_device_of_its_own_and_knows_it_after_a_crash() {
    let elsewhere = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let mut shop = open_on(&format!("file:{}", elsewhere.path().display()));
    shop.stock("clog", 5, 4900);
    let order = shop.buy("clog", GOOD);
    assert_eq!(order["state"], "placed");
    assert!(elsewhere.path().join("stream-00.superblock").exists(), "it is the vault's device");
    assert!(!shop.store.path().join("vault/log").exists(), "and not the folder it has by default");
    shop.node.wait_for("the vault knows 0 orders");
    assert!(shop.node.kill_vault());
    shop.node.wait_for("the vault knows 1 orders");
    assert_eq!(shop.buy("clog", GOOD)["state"], "placed");
}

#[test]
fn full_device_ends_the_vault_alone_and_every_order_is_paid_once() {
    // Each vault has room for a few writes, says so and ends; the next one goes on behind them.
    let mut shop = open_on("fault:enospc-after=9:file:log");
    shop.stock("clog", 20, 4900);
    for _ in 0..8 {
        let order = shop.buy("clog", GOOD);
        assert_eq!(order["state"], "placed");
        shop.payment(order["order_id"].as_str().expect("an id"));
    }
    shop.rest(1);
    shop.node.wait_for("nothing more is promised");
    assert_eq!(shop.places("clog"), [0, 8, 12]);
    assert!(shop.node.terminate().success(), "{}", shop.node.said());
}

#[test]
fn vault_has_no_network_and_is_paid_through_its_broker() {
    let mut shop = open_on("file:log");
    shop.stock("clog", 5, 4900);
    assert_eq!(shop.buy("clog", GOOD)["state"], "placed");
    let said = shop.node.wait_for("sandbox: no network");
    if said.contains("namespace") {
        println!("skipped: this system lets nobody make a network namespace ({said})");
        return;
    }
    assert_eq!(shop.node.vault_interfaces(), ["lo"]);
}
