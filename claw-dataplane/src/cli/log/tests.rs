//! `claw log` over a small log made here.

use std::fs;

use claw_common::id::{Id, Position, ShardId};
use claw_common::money::{Currency, Money};
use claw_core::lines::LinesBuffer;
use claw_core::shard::event::{Event, EventKind};

use super::compare::Comparison;
use super::show::show;
use super::source::Source;
use super::stats::Stats;
use super::tail::Follower;
use super::verify::verify;
use super::{Filter, Form};
use crate::log::tests_reading::store::{Raw, Store};

pub(in crate::cli) fn euros(amount: i64) -> Money {
    Money { amount, currency: Currency::parse("EUR").unwrap() }
}

/// Two shards: a product and a hold in one, stock in the other, and an event of the future.
fn sample() -> Store {
    let mut store = Store::new(1, 2);
    let mut lines = LinesBuffer::default();
    lines.add("TEE-1", 2, 1999).unwrap();
    let put = Event::ProductPut {
        sku: "TEE-1",
        name: "Tee, one",
        price: euros(1999),
        attributes: "{\"size\":\"M\"}",
        attributes_version: 1,
    };
    let granted = Event::HoldGranted {
        hold: Id::version_7(1_700_000_000_000, 42, ShardId(0)),
        session: "s-1",
        currency: Currency::parse("EUR").unwrap(),
        expires_at_ms: 1_700_000_060_000,
        lines: lines.lines(),
    };
    let moved = Event::StockMoved { sku: "MUG-9", delta: -3, reason: "broken" };
    store.append_kinds(
        0,
        0,
        &[(EventKind::ProductPut as u16, put), (EventKind::HoldGranted as u16, granted)],
    );
    store.append_kinds(0, 1, &[(EventKind::StockMoved as u16, moved)]);
    store.append_kinds(0, 0, &[(999, Raw(b"later"))]);
    store.mark(0);
    store
}

fn shown(store: &Store, filter: &Filter, form: &Form) -> String {
    let source = Source::open(store.directory.path()).unwrap();
    let mut out = Vec::new();
    show(&source, filter, form, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn show_prints_the_golden_text() {
    let form = Form { vectors: true, ..Form::default() };
    let text = shown(&sample(), &Filter::default(), &form);
    assert_eq!(text, include_str!("show.golden.txt"), "{text}");
}

#[test]
fn filters_choose_by_shard_sequence_and_kind() {
    let store = sample();
    let count = |filter| shown(&store, &filter, &Form::default()).lines().count();
    assert_eq!(count(Filter::default()), 4);
    assert_eq!(count(Filter { shard: Some(1), ..Filter::default() }), 1);
    assert_eq!(count(Filter { from: Some(2), to: Some(2), ..Filter::default() }), 1);
    assert_eq!(count(Filter { kind: Some("product-put".to_owned()), ..Filter::default() }), 1);
}

#[test]
fn json_has_the_fields_as_they_are() {
    let store = sample();
    let form = Form { json: true, vectors: true, ..Form::default() };
    let text = shown(&store, &Filter { to: Some(1), shard: Some(0), ..Filter::default() }, &form);
    let record: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(record["fields"]["price"]["amount"], 1999);
    assert_eq!(record["fields"]["attributes"]["size"], "M");
    assert_eq!((&record["vector"], &record["block"]), (&serde_json::json!([1, 0]), &1.into()));
    assert_eq!(record["at"], "2023-11-14T22:13:20.000Z");
}

#[test]
fn events_compare_by_what_each_could_know() {
    let mut store = Store::new(1, 2);
    let moved = || {
        let moved = Event::StockMoved { sku: "MUG-9", delta: 5, reason: "" };
        [(EventKind::StockMoved as u16, moved)]
    };
    store.append_seeing(0, (0, &[0, 0]), &moved());
    store.append_seeing(0, (1, &[0, 0]), &moved());
    store.append_seeing(0, (1, &[1, 1]), &moved());
    store.mark(0);
    let source = Source::open(store.directory.path()).unwrap();
    let at = |shard, sequence| Position { shard: ShardId(shard), sequence };
    let text = |first, second| Comparison::make(&source, first, second).unwrap().text();
    assert_eq!(
        text(at(0, 1), at(1, 2)),
        "0:1 stock-moved is before 1:2 stock-moved: the second could know it\n\
         history of 0:1: [1, 0]\nhistory of 1:2: [1, 2]\n\
         only 1:2 had seen shard 1 from 1 to 2\n"
    );
    assert!(text(at(1, 2), at(0, 1)).starts_with("1:2 stock-moved is after 0:1"));
    assert!(text(at(0, 1), at(0, 1)).contains("is the same event"));
    let concurrent = Comparison::make(&source, at(0, 1), at(1, 1)).unwrap();
    assert!(concurrent.text().contains("concurrent: neither could know the other"));
    assert_eq!(concurrent.object()["relation"], "concurrent");
    let only = serde_json::json!([{ "shard": 1, "from": 1, "to": 1 }]);
    assert_eq!(concurrent.object()["second"]["only"], only);
    let error = Comparison::make(&source, at(0, 1), at(1, 9)).unwrap_err();
    assert!(error.to_string().starts_with("find 1:9: no such record"), "{error}");
}

#[test]
fn follower_prints_what_becomes_durable_in_new_segments_too() {
    let mut store = Store::new(1, 3);
    store.append(0, 0, &[b"first"]);
    let mut follower = Follower::new(Source::open(store.directory.path()).unwrap());
    let mut step = || {
        let mut out = Vec::new();
        follower.step(&Filter::default(), &Form::default(), &mut out).unwrap();
        String::from_utf8(out).unwrap().lines().count()
    };
    assert_eq!(step(), 0);
    store.append(0, 0, &[b"second", b"third"]);
    assert_eq!(step(), 0, "no later block says that it is durable");
    store.mark(0);
    assert_eq!(step(), 2);
    for _ in 0..4 {
        store.append(0, 0, &[&vec![1; 80_000]]);
    }
    assert_eq!(step(), 3, "over the end of the segment, the last not yet durable");
    store.mark(0);
    assert_eq!(step(), 1);
}

#[test]
fn verify_names_what_does_not_decode_and_what_is_damaged() {
    let store = sample();
    let verdict = verify(&Source::open(store.directory.path()).unwrap());
    let damage = verdict.damage.clone().unwrap();
    assert_eq!(
        damage,
        "shard 0 record 3: apply event kind 999: unknown; start with the version that wrote it"
    );
    assert!(verdict.text().ends_with(&format!("damaged: {damage}\n")));

    let mut store = Store::new(1, 2);
    let moved = |delta| Event::StockMoved { sku: "MUG-9", delta, reason: "" };
    let first = store.append_kinds(0, 0, &[(EventKind::StockMoved as u16, moved(5))]);
    store.append_kinds(0, 0, &[(EventKind::StockMoved as u16, moved(-1))]);
    let whole = verify(&Source::open(store.directory.path()).unwrap());
    assert_eq!(
        whole.text(),
        "stream 0: 2 blocks up to 2 in 1 segments (0 archived), epoch 1\nwhole: 2 records\n"
    );
    store.rot(0, first);
    let error = Source::open(store.directory.path()).unwrap_err();
    assert!(
        format!("{error:#}").contains("stream 0 block 1, segment 0 byte 0: crc32c"),
        "{error:#}"
    );
}

#[test]
fn stats_count_every_block_and_kind() {
    let store = sample();
    let text = Stats::count(&Source::open(store.directory.path()).unwrap()).text();
    assert!(
        text.contains("blocks    4 (1 marks)\nrecords   4 (1.3 per commit, at most 2)"),
        "{text}"
    );
    assert!(text.contains("  hold-granted                    1"), "{text}");
    assert!(text.contains("  kind-999"), "{text}");
}

#[test]
fn store_without_a_log_is_refused_with_advice() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir_all(directory.path().join("data")).unwrap();
    let error = Source::open(directory.path()).unwrap_err();
    assert!(format!("{error:#}").contains("holds no log: run `claw init`"), "{error:#}");
}
