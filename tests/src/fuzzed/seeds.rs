//! Valid inputs, made with the product's own writers: where the fuzzer begins.
//!
//! They are written to the folders of kept inputs by an ignored test, `write_seeds` in
//! `tests/tests/fuzzed_inputs.rs`, after a format changed. Deliberately few and small: what else is
//! worth keeping, the fuzzer finds and `cargo fuzz cmin` chooses.

use claw_common::id::{Id, ShardId};
use claw_common::wire::{
    BASKET_LINES, COUPON_PERCENT, CheckoutBody, CommandKind, CouponBody, FRAME_COMMANDS,
    FRAME_HELLO, FrameHeader, PREFACE, PriceBody, ProductBody, StockBody,
};
use claw_core::codec::{Encode, Writer};
use claw_core::command::{Basket, Command, OrderStep};
use claw_core::lines::LinesBuffer;
use claw_core::log::ShardStart;
use claw_core::payment::{Answer, Ask, PaymentStep, Verdict};
use claw_core::shard::event::Event;
use claw_core::shard::notice::Notice;
use claw_dataplane::log::SnapshotHeader;
use zerocopy::{FromZeros as _, Immutable, IntoBytes};

use super::shard::price;
use super::store::{NOW_MS, SCHEMA};
use super::{keys, log, receipt, snapshot};
use crate::frames;

const ID: &str = "018f0000-0000-7000-8000-000000000001";

/// The inputs of a target; none for a name that is none.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    match target {
        "block" => block(),
        "body" => BODIES.iter().map(|(line, body)| body_of(line, body)).collect(),
        "card" => {
            texts(&["4242 4242 4242 4242", "to 5555-5555-5555-4444 12/29", "378282246310005"])
        }
        "codec" => codec(),
        "http" => texts(REQUESTS),
        "book" => book(),
        "receipt" => receipt::seeds(),
        "schema" => texts(&[SCHEMA, "[schema]\nversion = 1\n"]),
        "signature" => signature(),
        "snapshot" => snapshot_seeds(),
        "socket" => SOCKETS.iter().map(|bytes| bytes.to_vec()).collect(),
        "token" => token(),
        "wire" => wire(),
        _ => Vec::new(),
    }
}

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn with_mode(mode: u8, bytes: &[u8]) -> Vec<u8> {
    [&[mode], bytes].concat()
}

#[rustfmt::skip]
const REQUESTS: &[&str] = &[
    "GET /v1/ready?x=1 HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /v1/holds HTTP/1.1\r\nHost: a:7070\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
    "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0a\r\n0123456789\r\n0\r\n\r\n",
    "GET http://a/b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: a\r\nOrigin: http://b\r\nPrefer: wait=3\r\n\r\n",
    "GET / HTTP/1.0\r\n\r\n",
];

const SOCKETS: &[&[u8]] = &[
    b"\x81\x82\0\0\0\0hi",
    b"\x01\x81\0\0\0\0a\x80\x81\0\0\0\0b",
    b"\x89\x81\x01\x02\x03\x04x\x88\x82\0\0\0\0\x03\xe8",
    b"\x82\xfe\x00\x80\0\0\0\0",
    b"1z.9",
];

#[rustfmt::skip]
const BODIES: &[(&str, &str)] = &[
    (
        "PUT /v1/products/a",
        r#"{"name":"\u00e9","price":{"amount":1,"currency":"EUR"},"attributes":{"color":"red","sizes":[1]}}"#,
    ),
    ("GET /v1/products?limit=3&after=YQ", ""),
    ("POST /v1/products/a/stock", r#"{"delta":-3,"reason":"broken"}"#),
    ("POST /v1/products/a/price", r#"{"price":{"currency":"EUR","amount":1}}"#),
    (
        "PUT /v1/coupons/a",
        r#"{"percent":10,"uses_max":3,"subtotal_min":{"amount":1,"currency":"EUR"}}"#,
    ),
    ("POST /v1/carts", r#"{"session":"s"}"#),
    ("PUT /v1/carts/018f0000-0000-7000-8000-000000000001/items/a", r#"{"quantity":2}"#),
    (
        "POST /v1/holds",
        r#"{"items":[{"sku":"b","quantity":1},{"quantity":2,"sku":"a"}],"session":"s","ttl_ms":500,"gift":true}"#,
    ),
    ("POST /v1/waitlist", r#"{"items":[{"sku":"b","quantity":1}],"session":"s"}"#),
    ("POST /v1/holds/018f0000-0000-7000-8000-000000000001/extend", r#"{"ttl_ms":500}"#),
    (
        "POST /v1/checkouts",
        r#"{"session":"s","items":[{"sku":"a","quantity":1}],"coupon":"TEN","region":"DE","ship_to":{"b":1,"a":[]},"payment":{"token":"pm_card_visa"},"message":[1]}"#,
    ),
    ("POST /v1/orders/018f0000-0000-7000-8000-000000000001/ship", "{}"),
    ("POST /v1/tickets", r#"{"session":"s"}"#),
    ("POST /v1/events/parcel-lost", r#"{"parcel":"p-1","seen_at":"2026-01-02T03:04:05Z"}"#),
    ("GET /v1/shards/1/sagas?limit=2&parked=true", ""),
];

fn body_of(line: &str, body: &str) -> Vec<u8> {
    format!("{line}\n{body}").into_bytes()
}

fn block() -> Vec<Vec<u8>> {
    let [first, _] = log::small_log(2);
    // Of edits: the second block's sequence; its watermark; the bytes of its first record.
    let edits: [&[u8]; 3] =
        [&[1, 40, 0, 1, 9], &[1, 56, 0, 1, 0], &[1, 0x10, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8]];
    let mut seeds = vec![with_mode(0, &first), with_mode(4, &[0, 1, 1, 1, 0, 0, 1, 1, 0, 1])];
    seeds.extend((1..=3).flat_map(|mode| edits.map(|edit| with_mode(mode, edit))));
    seeds
}

fn encoded(kind: u8, value: &dyn Encode) -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    let mut writer = Writer::new(&mut bytes);
    writer.u8(kind);
    value.encode(&mut writer);
    let written = writer.written();
    bytes.truncate(written);
    bytes
}

fn codec() -> Vec<Vec<u8>> {
    let id = Id([3; 16]);
    let mut lines = LinesBuffer::default();
    for sku in ["clog", "sabot"] {
        lines.add(sku, 2, 4900).expect("a line");
    }
    let lines = lines.lines();
    let checkout = Command::Checkout {
        session: "ada",
        own_session_only: true,
        basket: Basket::Items(lines),
        coupon: Some("TEN"),
        ship_to: "{}",
        region: "DE",
        wait_until_ms: 0,
        ttl_ms: 1,
        payment: Some("pm"),
    };
    let stock = Event::StockMoved { sku: "clog", delta: 9, reason: "first" };
    let kind = (stock.kind() as u16).to_le_bytes();
    let mut event = encoded(7, &stock);
    event.splice(1..1, [kind[0], kind[1], 1]);
    let ask = Ask {
        order: id,
        shard: ShardId(1),
        step: PaymentStep::Authorize,
        attempt: 1,
        amount: 1,
        currency: price(1).currency,
        token: "pm",
        intent: "",
    };
    let answer = Answer {
        order: id,
        shard: ShardId(1),
        step: PaymentStep::Authorize,
        verdict: Verdict::Done { intent: "pi" },
    };
    vec![
        encoded(0, &checkout),
        encoded(0, &Command::CreateHold { session: "ada", lines, ttl_ms: 9 }),
        encoded(0, &Command::AdvanceOrder { order: id, session: None, step: OrderStep::Cancel }),
        encoded(4, &ask),
        encoded(5, &answer),
        encoded(6, &Notice::Cart { session: "ada", cart: id }),
        event,
    ]
}

fn book() -> Vec<Vec<u8>> {
    let order = Id([3; 16]);
    let records = [
        claw_dataplane::vault::book::known(order, "pi_1"),
        claw_dataplane::vault::book::event("evt_1", NOW_MS),
    ];
    let cut = records.iter().flat_map(|record| {
        let length = u8::try_from(record.len()).expect("short");
        with_mode(length, record)
    });
    vec![cut.collect()]
}

fn signature() -> Vec<Vec<u8>> {
    let parts = b"\x01shop:7070\n/v1/holds\na=1\n00000000-0000-4000-8000-000000000001\n{}";
    let fields = "GET /v1/x HTTP/1.1\r\nHost: a\r\nSignature-Input: a=(\"@method\" \"@path\");\
                  created=1800000000;keyid=\"till\", b=();nonce=\"n\"\r\nSignature: a=:AAAA:\r\n\r\n";
    vec![with_mode(0, fields.as_bytes()), with_mode(1, parts), with_mode(2, parts)]
}

fn token() -> Vec<Vec<u8>> {
    let header = r#"{"alg":"EdDSA","kid":"source","typ":"JWT"}"#;
    let claims = r#"{"aud":"shop","iat":1800000000,"exp":1800000600,"sub":"ada","scope":"cart"}"#;
    let whole = keys::keys().source.compact_jws(header, claims);
    vec![with_mode(0, whole.as_bytes()), with_mode(1, format!("{header}\n{claims}").as_bytes())]
}

fn snapshot_seeds() -> Vec<Vec<u8>> {
    let body = snapshot::valid_body();
    let header = SnapshotHeader {
        store_id: [1; 16],
        shard: ShardId(0),
        start: ShardStart { sequence: 9, hash: [2; 32] },
        schema_hash: [3; 32],
        state_hash: [4; 32],
    };
    let file = [&header.encode(body), body].concat();
    vec![with_mode(0, &file), with_mode(1, body), with_mode(2, &[40, 0, 3, 9])]
}

fn wire() -> Vec<Vec<u8>> {
    let Id(id) = Id::parse(ID).expect("an id");
    let commands = [
        frames::hold(1, "ada", "clog", 2),
        frames::by_name(CommandKind::ReadProduct, 2, "clog"),
        frames::by_name(CommandKind::CreateCart, 3, "ada"),
        frames::by_id(CommandKind::ReadOrder, 4, id),
        frames::by_id(CommandKind::ReleaseHold, 5, id),
        command(CommandKind::PutProduct, &product(), &[b"clog", b"Clog", b"{\"color\":\"red\"}"]),
        command(CommandKind::MoveStock, &stock(), &[b"clog", b"first"]),
        command(CommandKind::ChangePrice, &change(), &[b"clog"]),
        command(CommandKind::PutCoupon, &coupon(), &[b"TEN"]),
        command(CommandKind::Checkout, &checkout(), &[b"ada", b"pm", &frames::line("clog", 1)]),
    ];
    let preface = &PREFACE[4..];
    let each = commands.iter().map(|one| [preface, &frame(FRAME_COMMANDS, &[one])].concat());
    let all: Vec<&Vec<u8>> = commands.iter().collect();
    let whole = [preface, &frame(FRAME_HELLO, &[]), &frame(FRAME_COMMANDS, &all)].concat();
    each.chain([whole]).collect()
}

fn command(kind: CommandKind, body: &(impl IntoBytes + Immutable), texts: &[&[u8]]) -> Vec<u8> {
    frames::command(kind, 9, &[body.as_bytes(), &texts.concat()].concat(), b"")
}

fn product() -> ProductBody {
    let mut body = ProductBody::new_zeroed();
    body.price_amount = 4900.into();
    body.currency = *b"EUR";
    body.sku_bytes = 4;
    body.name_bytes = 4.into();
    body.attributes_bytes = 15.into();
    body
}

fn stock() -> StockBody {
    let mut body = StockBody::new_zeroed();
    body.delta = 9.into();
    body.sku_bytes = 4;
    body.reason_bytes = 5.into();
    body
}

fn change() -> PriceBody {
    let mut body = PriceBody::new_zeroed();
    body.price_amount = 1.into();
    body.currency = *b"EUR";
    body.sku_bytes = 4;
    body
}

fn coupon() -> CouponBody {
    let mut body = CouponBody::new_zeroed();
    body.value = 10.into();
    body.uses_max = 3.into();
    body.code_bytes = 3;
    body.kind = COUPON_PERCENT;
    body
}

fn checkout() -> CheckoutBody {
    let mut body = CheckoutBody::new_zeroed();
    body.basket_kind = BASKET_LINES;
    body.session_bytes = 3;
    body.payment_bytes = 2.into();
    body.lines_count = 1.into();
    body
}

fn frame(kind: u8, commands: &[&Vec<u8>]) -> Vec<u8> {
    let payload: Vec<u8> = commands.iter().flat_map(|command| command.iter().copied()).collect();
    let header = FrameHeader {
        length_bytes: u32::try_from(size_of::<FrameHeader>() + payload.len())
            .expect("short")
            .into(),
        kind,
        tag_bytes: 0,
        count: u16::try_from(commands.len()).expect("few").into(),
        sequence: 0.into(),
        created_ms: NOW_MS.into(),
    };
    [header.as_bytes(), &payload].concat()
}
