//! Documents that a declaration takes, and the same with one thing wrong.
//!
//! Texts are ASCII, so that bytes and characters are the same number, and nothing is drawn that
//! JSON Schema has no word for (days of months, depth and size of free JSON): what an interface's
//! description says of those is in members of our own.

use claw_core::schema::{Allowed, Fields, Kind, Presence};
use rand::Rng;
use rand::seq::IndexedRandom as _;
use serde_json::{Map, Value, json};

/// A document that is taken.
pub(crate) fn taken(fields: &Fields, random: &mut impl Rng) -> Map<String, Value> {
    let mut members = Map::new();
    for field in fields {
        if field.presence == Presence::Required || random.random_bool(0.6) {
            members.insert(field.name.clone(), value(&field.kind, random));
        }
    }
    if let Some(rule) = fields.any_other()
        && random.random_bool(0.5)
    {
        members.insert("stranger".to_owned(), value(&rule.kind, random));
    }
    members
}

/// A document with one thing changed, which makes it wrong most of the time.
pub(crate) fn spoiled(fields: &Fields, random: &mut impl Rng) -> Map<String, Value> {
    let mut members = taken(fields, random);
    let names: Vec<String> = members.keys().cloned().collect();
    let chosen = names.choose(random).cloned();
    match (random.random_range(0..5), chosen) {
        (0, Some(name)) => {
            members.remove(&name);
        }
        (1, _) | (_, None) => {
            members.insert("intruder".to_owned(), json!(1));
        }
        (_, Some(name)) => {
            let kind = &fields.find(&name).expect("it was drawn from there").kind;
            members.insert(name, spoil(kind, random));
        }
    }
    members
}

fn value(kind: &Kind, random: &mut impl Rng) -> Value {
    match kind {
        Kind::Boolean => random.random_bool(0.5).into(),
        Kind::Group(fields) => taken(fields, random).into(),
        Kind::Integer { min, max } => random.random_range(*min..=*max).into(),
        Kind::Json { .. } => json!({ "any": [null, true, random.random_range(0..9)] }),
        Kind::List { of, count_min, count_max } => {
            let count = random.random_range(*count_min..=*count_max);
            (0..count).map(|_| value(of, random)).collect()
        }
        Kind::Map { of, count_max, key_length_max } => {
            let count = random.random_range(0..=*count_max);
            let members = (0..count).map(|number| {
                let name: String = format!("k{number}").chars().take(*key_length_max).collect();
                (name, value(of, random))
            });
            Value::Object(members.collect())
        }
        Kind::Money { min, max, currencies } => {
            let currency = currencies.choose(random).map_or("NOK", |currency| currency.as_str());
            json!({ "amount": random.random_range(*min..=*max), "currency": currency })
        }
        Kind::Sku => format!("Sku.{}_-", random.random_range(0..999)).into(),
        Kind::Text { length_min, length_max, allowed } => match allowed {
            Allowed::OneOf(texts) => {
                texts.choose(random).expect("an enum has values").clone().into()
            }
            Allowed::Matching(_) => format!("AB-{}", random.random_range(0..999)).into(),
            Allowed::Any => text(random.random_range(*length_min..=*length_max)),
        },
        Kind::Time => {
            let (day, ms) = (random.random_range(1..29), random.random_range(0..1000));
            format!("2026-02-{day:02}T23:59:58.{ms:03}Z").into()
        }
        Kind::Uuid => uuid::Uuid::from_u128(random.random()).to_string().into(),
    }
}

fn text(length: usize) -> Value {
    "x".repeat(length).into()
}

/// A value of about that kind; mostly one that is not taken.
fn spoil(kind: &Kind, random: &mut impl Rng) -> Value {
    let strangers =
        [json!(null), json!(1.5), json!("?!"), json!([[]]), json!({"?": 1}), json!(true)];
    if random.random_bool(0.3) {
        return strangers.choose(random).expect("there are some").clone();
    }
    let off = if random.random_bool(0.5) { -1 } else { 1 };
    match kind {
        Kind::Group(fields) => spoiled(fields, random).into(),
        Kind::Integer { min, max } => {
            if off < 0 { min.saturating_sub(1) } else { max.saturating_add(1) }.into()
        }
        Kind::List { of, count_min, count_max } => match random.random_range(0..3) {
            0 => (0..=*count_max).map(|_| value(of, random)).collect(),
            1 => (1..*count_min).map(|_| value(of, random)).collect(),
            _ => [spoil(of, random)].into_iter().collect(),
        },
        Kind::Map { of, count_max, key_length_max } => match random.random_range(0..3) {
            0 => {
                let all = (0..=*count_max).map(|number| (number.to_string(), value(of, random)));
                Value::Object(all.collect())
            }
            1 => json!({ "k".repeat(key_length_max + 1): value(of, random) }),
            _ => json!({ "k": spoil(of, random) }),
        },
        Kind::Money { min, max, .. } => [
            json!({ "amount": min - 1, "currency": "EUR" }),
            json!({ "amount": max + 1, "currency": "EUR" }),
            json!({ "amount": *min, "currency": "USD" }),
            json!({ "amount": *min, "currency": "eur" }),
            json!({ "amount": *min }),
            json!({ "amount": *min, "currency": "EUR", "more": 1 }),
        ]
        .choose(random)
        .expect("there are some")
        .clone(),
        Kind::Sku => [json!(""), text(65), json!("a b"), json!("a/b")]
            .choose(random)
            .expect("there are some")
            .clone(),
        Kind::Text { length_min, length_max, allowed } => match allowed {
            Allowed::OneOf(texts) => format!("{}x", texts[0]).into(),
            Allowed::Matching(_) => json!("ab-1"),
            Allowed::Any if off < 0 => text(length_min.saturating_sub(1)),
            Allowed::Any => text(length_max + 1),
        },
        Kind::Time => [
            "2026-02-03",
            "2026-02-03T25:00:00",
            "2026-02-03T12:00:00+01:00",
            "1969-01-01T00:00:00Z",
        ]
        .choose(random)
        .map_or(Value::Null, |text| json!(text)),
        Kind::Uuid => ["", "0191a000", "019a0000-0000-7000-8000-00000000000g"]
            .choose(random)
            .map_or(Value::Null, |text| json!(text)),
        Kind::Boolean | Kind::Json { .. } => json!("true"),
    }
}
