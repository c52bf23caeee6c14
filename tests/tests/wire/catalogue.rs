//! Sources and shoppers over the wire: products, stock, coupons, carts, checkouts, orders.

use claw_common::wire::{
    CartItemBody, CheckoutBody, CommandKind, CouponBody, MODE_SESSION, PriceBody, ProductBody,
    StockBody,
};
use claw_tests::frames::{Codec, Frames, by_id, by_name, command, id_of, line};
use zerocopy::IntoBytes as _;

use super::world::{SESSION, World};

fn put_product(sequence: u64, sku: &str) -> Vec<u8> {
    let body = ProductBody {
        price_amount: 700.into(),
        version_expected: 0.into(),
        currency: *b"EUR",
        sku_bytes: u8::try_from(sku.len()).unwrap(),
        name_bytes: 3.into(),
        reserved: 0.into(),
        attributes_bytes: 0.into(),
        reserved_tail: 0.into(),
    };
    let body = [body.as_bytes(), sku.as_bytes(), b"Tee"].concat();
    command(CommandKind::PutProduct, sequence, &body, &[])
}

fn checkout(sequence: u64, fixed: CheckoutBody, texts: &[u8]) -> Vec<u8> {
    command(CommandKind::Checkout, sequence, &[fixed.as_bytes(), texts].concat(), &[])
}

fn basket(kind: u8, id: [u8; 16]) -> CheckoutBody {
    CheckoutBody {
        basket: id,
        wait_ms: 5_000.into(),
        basket_kind: kind,
        session_bytes: 1,
        coupon_bytes: 0,
        reserved: 0,
        region_bytes: 0.into(),
        payment_bytes: 0.into(),
        ship_to_bytes: 0.into(),
        lines_count: 0.into(),
        reserved_tail: [0; 6],
    }
}

#[test]
fn sources_put_products_stock_prices_and_coupons() {
    let world = World::new();
    let source = world.store.signer("source");
    let mut frames = Frames::connect(&world.node, Codec::new(&source, MODE_SESSION, SESSION));
    assert_eq!(frames.call(put_product(1, "TEE")).status, 201);
    assert_eq!(frames.call(put_product(2, "TEE")).status, 200);
    let stock = StockBody {
        delta: 5.into(),
        sku_bytes: 3,
        reserved: 0,
        reason_bytes: 4.into(),
        reserved_tail: 0.into(),
    };
    let body = [stock.as_bytes(), b"TEE", b"test"].concat();
    assert_eq!(frames.call(command(CommandKind::MoveStock, 3, &body, &[])).status, 200);
    let price =
        PriceBody { price_amount: 800.into(), currency: *b"EUR", sku_bytes: 3, reserved: 0.into() };
    let body = [price.as_bytes(), b"TEE"].concat();
    assert_eq!(frames.call(command(CommandKind::ChangePrice, 4, &body, &[])).status, 200);
    let coupon = CouponBody {
        value: 1_000.into(),
        uses_max: 3.into(),
        starts_at_ms: 0.into(),
        ends_at_ms: 4_000_000_000_000.into(),
        subtotal_min: 0.into(),
        currency: [0; 3],
        code_bytes: 3,
        kind: 1,
        flags: 0,
        reserved: 0.into(),
    };
    let body = [coupon.as_bytes(), b"TEN"].concat();
    assert_eq!(frames.call(command(CommandKind::PutCoupon, 5, &body, &[])).status, 201);
    assert_eq!(frames.call(by_name(CommandKind::ReadCoupon, 6, "TEN")).body[0], 3);
    let own =
        command(CommandKind::ChangePrice, 7, &[price.as_bytes(), b"TEE"].concat(), b"{\"x\":1}");
    assert_eq!(frames.call(own).problem, "schema");
    let mut operator = world.node.client(&world.store, "operator");
    let product = operator.request("GET", "/v1/products/TEE", b"").unwrap();
    let product: serde_json::Value = serde_json::from_slice(&product.body).unwrap();
    assert_eq!(
        (product["available"].as_u64(), product["price"]["amount"].as_u64()),
        (Some(5), Some(800))
    );
}

#[test]
fn cart_becomes_an_order_and_the_order_is_cancelled() {
    let world = World::new();
    let mut frames = world.connect();
    let cart = id_of(&frames.call(by_name(CommandKind::CreateCart, 1, "s")).body);
    let item = CartItemBody { cart, quantity: 2.into(), sku_bytes: 1, reserved: [0; 3] };
    let body = [item.as_bytes(), b"B"].concat();
    assert_eq!(frames.call(command(CommandKind::SetCartItem, 2, &body, &[])).status, 200);
    assert_eq!(frames.call(by_id(CommandKind::ReadCart, 3, cart)).body[0], 5);
    let placed = frames.call(checkout(4, basket(2, cart), b"s"));
    // State 7 is placed, 9 cancelled: behind the kind and the id.
    assert_eq!((placed.status, placed.body[17]), (200, 7), "{placed:?}");
    let order = id_of(&placed.body);
    let cancelled = frames.call(by_id(CommandKind::CancelOrder, 5, order));
    assert_eq!((cancelled.status, cancelled.body[17]), (200, 9));
    let read = frames.call(by_id(CommandKind::ReadOrder, 6, order));
    assert_eq!(read.body, cancelled.body);
    let shipped = frames.call(by_id(CommandKind::ShipOrder, 7, order));
    assert_eq!((shipped.status, shipped.problem.as_str()), (409, "order-state"));
}

#[test]
fn lines_are_bought_with_an_address_and_payments_are_refused() {
    let world = World::new();
    let mut frames = world.connect();
    let address = br#"{"city":"X"}"#;
    let mut fixed = basket(3, [0; 16]);
    fixed.lines_count.set(1);
    fixed.ship_to_bytes.set(u32::try_from(address.len()).unwrap());
    let texts = [b"s", &address[..], &line("A", 1)].concat();
    assert_eq!(frames.call(checkout(1, fixed, &texts)).status, 200);
    fixed.payment_bytes.set(3);
    let texts = [&b"stok"[..], address, &line("A", 1)].concat();
    assert_eq!(frames.call(checkout(2, fixed, &texts)).problem, "schema");
}
