//! Properties over schemas made up at random: valid documents pass and are stored in one form, and
//! every single mutation is refused at its own path.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

/// A declaration made up by the test, and the ways to be right and wrong about it.
#[derive(Clone, Debug)]
enum Spec {
    Boolean,
    Group(Vec<(Self, bool)>),
    Integer { min: i64, span: u32 },
    List { of: Box<Self>, count_max: usize },
    Map { of: Box<Self>, count_max: usize },
    Money { max: i64 },
    OneOf,
    Sku,
    Text { length_min: usize, length_max: usize },
    Time,
    Uuid,
}

fn spec() -> impl Strategy<Value = Spec> {
    let leaf = prop_oneof![
        Just(Spec::Boolean),
        (-1_000_i64..1_000, 0_u32..2_000).prop_map(|(min, span)| Spec::Integer { min, span }),
        (0_i64..1_000_000).prop_map(|max| Spec::Money { max }),
        Just(Spec::OneOf),
        Just(Spec::Sku),
        (0_usize..4, 4_usize..40)
            .prop_map(|(length_min, length_max)| Spec::Text { length_min, length_max }),
        Just(Spec::Time),
        Just(Spec::Uuid),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        prop_oneof![
            prop::collection::vec((inner, any::<bool>()), 1..4).prop_map(Spec::Group),
            (boxed.clone(), 1_usize..4).prop_map(|(of, count_max)| Spec::List { of, count_max }),
            (boxed, 1_usize..4).prop_map(|(of, count_max)| Spec::Map { of, count_max }),
        ]
    })
}

impl Spec {
    /// The declaration without its braces.
    fn toml(&self) -> String {
        match self {
            Self::Boolean => "type = 'boolean'".to_owned(),
            Self::Group(members) => format!("type = 'group', fields = {{ {} }}", declared(members)),
            Self::Integer { min, span } => {
                format!("type = 'integer', min = {min}, max = {}", min + i64::from(*span))
            }
            Self::List { of, count_max } => {
                format!("type = 'list', of = {{ {} }}, count_max = {count_max}", of.toml())
            }
            Self::Map { of, count_max } => {
                format!("type = 'map', of = {{ {} }}, count_max = {count_max}", of.toml())
            }
            Self::Money { max } => format!("type = 'money', max = {max}, currencies = ['EUR']"),
            Self::OneOf => "type = 'text', enum = ['red', 'green']".to_owned(),
            Self::Sku => "type = 'sku'".to_owned(),
            Self::Text { length_min, length_max } => {
                format!("type = 'text', length_min = {length_min}, length_max = {length_max}")
            }
            Self::Time => "type = 'time'".to_owned(),
            Self::Uuid => "type = 'uuid'".to_owned(),
        }
    }

    /// A value that fits; `draw` chooses which.
    fn valid(&self, draw: &mut Draw) -> Value {
        match self {
            Self::Boolean => Value::Bool(draw.below(2) == 1),
            Self::Group(members) => Value::Object(valid_members(members, draw)),
            Self::Integer { min, span } => {
                Value::from(min + i64::try_from(draw.below(u64::from(*span) + 1)).unwrap())
            }
            Self::List { of, count_max } => {
                (0..draw.up_to(*count_max)).map(|_| of.valid(draw)).collect()
            }
            Self::Map { of, count_max } => {
                let count = draw.up_to(*count_max);
                let members = (0..count).map(|index| (format!("K{index}"), of.valid(draw)));
                Value::Object(members.collect())
            }
            Self::Money { max } => {
                let amount = draw.below(u64::try_from(*max).unwrap() + 1);
                json!({ "currency": "EUR", "amount": amount })
            }
            Self::OneOf => Value::from(if draw.below(2) == 1 { "red" } else { "green" }),
            Self::Sku => Value::from(format!("sku-{}", draw.below(1_000))),
            Self::Text { length_min, length_max } => {
                let length = length_min + draw.up_to(length_max - length_min);
                Value::from("\"".repeat(length))
            }
            Self::Time => Value::from(text::format_time(draw.below(200_000_000_000_000))),
            Self::Uuid => {
                Value::from(format!("00000000-0000-4000-8000-{:012x}", draw.below(1 << 40)))
            }
        }
    }

    /// Each way to spoil `value` once, with the path that must be named.
    fn spoiled(&self, value: &Value) -> Vec<(Value, String)> {
        let mut wrong = vec![(Value::Null, String::new()), (json!(1.5), String::new())];
        let mut here = |value: Value| wrong.push((value, String::new()));
        match self {
            Self::Boolean => here(json!("true")),
            Self::Integer { min, span } => {
                here(json!(min - 1));
                here(json!(min + i64::from(*span) + 1));
                here(json!(min.to_string()));
            }
            Self::Money { max } => {
                here(json!({ "currency": "EUR", "amount": max + 1 }));
                here(json!({ "currency": "EUR", "amount": -1 }));
                here(json!({ "currency": "USD", "amount": 0 }));
                here(json!({ "currency": "EUR" }));
            }
            Self::OneOf => here(json!("blue")),
            Self::Sku => here(json!("a b")),
            Self::Text { length_min, length_max } => {
                here(json!("x".repeat(length_max + 1)));
                if *length_min > 0 {
                    here(json!("x".repeat(length_min - 1)));
                }
            }
            Self::Time => here(json!("2026-02-30T00:00:00Z")),
            Self::Uuid => here(json!("00000000-0000-4000-8000-00000000000g")),
            Self::List { of, count_max } => {
                let entries = value.as_array().unwrap();
                let more = entries.first().cloned().unwrap_or_else(|| of.valid(&mut Draw(1)));
                here(Value::Array(vec![more; count_max + 1]));
                for (index, entry) in entries.iter().enumerate() {
                    for (spoiled, path) in of.spoiled(entry) {
                        let mut entries = entries.clone();
                        entries[index] = spoiled;
                        wrong.push((Value::Array(entries), join(&format!("[{index}]"), &path)));
                    }
                }
            }
            Self::Map { of, .. } => {
                let members = value.as_object().unwrap();
                for (name, member) in members {
                    for (spoiled, path) in of.spoiled(member) {
                        wrong.push((with(members, name, spoiled), join(name, &path)));
                    }
                }
            }
            Self::Group(specs) => wrong.extend(spoiled_members(specs, value.as_object().unwrap())),
        }
        wrong
    }
}

fn spoiled_members(specs: &[(Spec, bool)], members: &Map<String, Value>) -> Vec<(Value, String)> {
    let mut wrong = vec![(with(members, "stranger", json!(1)), "stranger".to_owned())];
    for (index, (spec, required)) in specs.iter().enumerate() {
        let name = format!("m{index}");
        let Some(member) = members.get(&name) else { continue };
        if *required {
            let mut members = members.clone();
            members.remove(&name);
            wrong.push((Value::Object(members), name.clone()));
        }
        for (spoiled, path) in spec.spoiled(member) {
            wrong.push((with(members, &name, spoiled), join(&name, &path)));
        }
    }
    wrong
}

fn with(members: &Map<String, Value>, name: &str, value: Value) -> Value {
    let mut members = members.clone();
    members.insert(name.to_owned(), value);
    Value::Object(members)
}

fn join(outer: &str, inner: &str) -> String {
    let dot = if inner.is_empty() || inner.starts_with('[') { "" } else { "." };
    format!("{outer}{dot}{inner}")
}

fn declared(members: &[(Spec, bool)]) -> String {
    let rows = members.iter().enumerate().map(|(index, (spec, required))| {
        format!("m{index} = {{ {}, required = {required} }}", spec.toml())
    });
    rows.collect::<Vec<_>>().join(", ")
}

fn valid_members(members: &[(Spec, bool)], draw: &mut Draw) -> Map<String, Value> {
    let mut values = Map::new();
    for (index, (spec, required)) in members.iter().enumerate() {
        if *required || draw.below(2) == 1 {
            values.insert(format!("m{index}"), spec.valid(draw));
        }
    }
    values
}

/// Chooses among valid values: `SplitMix64` over the case's seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// 0 to `most`, both included.
    fn up_to(&mut self, most: usize) -> usize {
        usize::try_from(self.below(u64::try_from(most).unwrap() + 1)).unwrap()
    }
}

fn event_of(members: &[(Spec, bool)]) -> EventType {
    let fields = declared(members);
    let text = format!("[schema]\nversion = 1\n[events.made-up]\nfields = {{ {fields} }}\n");
    let file = SchemaFile { name: "made-up.toml".to_owned(), text };
    let schema = CompiledSchema::parse(&[file]).expect("a made-up schema is valid");
    schema.own_event("made-up").expect("it declares the event").clone()
}

proptest! {
    #[test]
    fn valid_documents_pass_and_are_stored_in_one_form(
        members in prop::collection::vec((spec(), any::<bool>()), 1..5),
        seed in any::<u64>(),
    ) {
        let event = event_of(&members);
        let document = valid_members(&members, &mut Draw(seed));
        let stored = event.canonical(&document).expect("a valid document passes");
        if !stored.is_empty() {
            let read: Map<String, Value> = serde_json::from_slice(&stored).unwrap();
            prop_assert_eq!(event.canonical(&read).unwrap(), stored);
        }
    }

    #[test]
    fn every_single_mutation_is_refused_at_its_path(
        members in prop::collection::vec((spec(), any::<bool>()), 1..4),
        seed in any::<u64>(),
    ) {
        let event = event_of(&members);
        let document = valid_members(&members, &mut Draw(seed));
        for (spoiled, path) in spoiled_members(&members, &document) {
            let spoiled = spoiled.as_object().unwrap().clone();
            let found = event.canonical(&spoiled);
            prop_assert!(found.is_err(), "{path}: {spoiled:?} passes");
            prop_assert_eq!(found.unwrap_err().path, path, "{:?}", spoiled);
        }
    }

    #[test]
    fn no_text_makes_the_compiler_panic(text in "[a-z0-9 =\\[\\]{}\"'.,\n-]{0,200}") {
        let file = SchemaFile { name: "any.toml".to_owned(), text };
        if let Err(found) = CompiledSchema::parse(&[file]) {
            prop_assert!(!found.is_empty());
        }
    }
}
