//! Places in the log: `Claw-Position` of an answer, `Claw-After` of a request.

use claw_sdk::client::{Call, Response};
use serde_json::json;

use crate::command_line::{claw, json_of, log_records};
use crate::world::{World, done, eur, hold_body, refused, scattered_skus, until};

/// `shard:sequence[,...]`.
fn positions(answer: &Response) -> Vec<(u16, u64)> {
    let field = answer.header("claw-position").unwrap_or_else(|| panic!("no position: {answer:?}"));
    let parse = |part: &str| {
        let (shard, sequence) = part.split_once(':').expect("shard:sequence");
        (shard.parse().expect("a number"), sequence.parse().expect("a number"))
    };
    field.split(',').map(parse).collect()
}

fn after(world: &mut World, target: &str, positions: &str) -> Response {
    let headers = [("Claw-After", positions)];
    world.operator.send(&Call { method: "GET", target, headers: &headers, ..Call::default() })
}

#[test]
fn answers_name_their_places_and_reads_can_ask_for_them() {
    let mut world = World::start();
    let skus = scattered_skus("place");
    for (index, sku) in (0_i64..).zip(&skus) {
        let body = json!({"name": sku, "price": eur(index)});
        let target = format!("/v1/products/{sku}");
        let put = world.source.put(&target, &body);
        let field = put.header("claw-position").expect("a command's answer").to_owned();
        let shard = claw_common::id::shard_of_key(sku, crate::world::SHARDS).0;
        assert_eq!(positions(&put)[0].0, shard, "{field}");
        assert_eq!(done(&after(&mut world, &target, &field), 200)["price"], eur(index));
        let (_, sequence) = positions(&put)[0];
        let far = format!("{shard}:{}", sequence + 1_000_000);
        refused(&after(&mut world, &target, &far), 503, "behind");
    }
    let moved = format!("/v1/products/{}/stock", skus[0]);
    let first = world.source.post(&moved, &json!({"delta": 5, "reason": "x"}));
    let second = world.source.post(&moved, &json!({"delta": 5, "reason": "x"}));
    assert!(positions(&second)[0].1 > positions(&first)[0].1);
    // A refusal that is remembered is an event too.
    let no = world.storefront.post("/v1/holds", &hold_body("s", &[(&skus[0], 99)]));
    refused(&no, 409, "sold-out");
    assert!(positions(&no)[0].1 > positions(&second)[0].1);
}

#[test]
fn position_of_one_shard_is_honoured_by_all() {
    let mut world = World::start();
    let skus = scattered_skus("seen");
    let mut seen = Vec::new();
    for sku in &skus {
        let put = world
            .source
            .put(&format!("/v1/products/{sku}"), &json!({"name": sku, "price": eur(1)}));
        seen.push(put.header("claw-position").expect("a command's answer").to_owned());
    }
    let all = seen.join(",");
    for sku in &skus {
        done(&after(&mut world, &format!("/v1/products/{sku}"), &all), 200);
    }
    let list = done(&after(&mut world, "/v1/products", &all), 200);
    assert_eq!(list["products"].as_array().expect("a list").len(), skus.len());
    for bad in ["5", "a:b", "9:1", "0:-1", "0:1,"] {
        refused(&after(&mut world, "/v1/products", bad), 400, "malformed");
    }
}

#[test]
fn events_of_several_shards_compare_by_what_they_could_know() {
    let mut world = World::start();
    let skus = scattered_skus("know");
    for sku in &skus {
        world.stock(sku, 5, 100);
    }
    world.hold("s", &[(&skus[0], 1), (&skus[1], 1)]);
    // On a running node: readable as soon as a mark says that it is durable.
    let places = until(|| {
        let records = log_records(&world.store);
        let place = |kind: &str| {
            let found = records.iter().find(|record| record["kind"] == kind)?;
            Some(format!("{}:{}", found["shard"], found["sequence"]))
        };
        Some([place("hold-reserving")?, place("member-held")?, place("hold-granted")?])
    });
    let [reserving, held, granted] = &places;
    let relation = |first: &str, second: &str| {
        let output = claw(&world.store, &["log", "compare", first, second, "--json"]);
        json_of(&output)["relation"].clone()
    };
    assert_eq!(relation(reserving, held), "before");
    assert_eq!(relation(granted, held), "after");
    // Nobody told one of the other.
    let first_of = |sku: &str| format!("{}:1", claw_common::id::shard_of_key(sku, 4).0);
    assert_eq!(relation(&first_of(&skus[2]), &first_of(&skus[3])), "concurrent");
}
