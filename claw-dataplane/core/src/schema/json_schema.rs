//! Declarations as JSON Schema (2020-12): what an interface's description and generated code share.
//!
//! Owns how one [`Kind`] and one object of [`Fields`] are said in JSON Schema, and nothing of which
//! request or event they belong to. Bounds that JSON Schema cannot say (bytes of UTF-8, depth, size
//! of free JSON) are said by the nearest keyword and exactly in members that begin with `x-claw-`:
//! every value the store takes fits the schema, and what the schema takes beyond that is named.

use serde_json::{Map, Value, json};

use claw_common::limits::{SCHEMA_DEPTH_MAX, SCHEMA_OTHERS_MAX};
use claw_common::money::Currency;

use super::field::{Allowed, Field, Fields, Kind, Presence};

/// RFC 3339 in UTC, milliseconds at most, as `text::parse_time` reads it.
const TIME_PATTERN: &str = concat!(
    "^(?:19[7-9]|[2-9][0-9]{2})[0-9]-[01][0-9]-[0-3][0-9]",
    "T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,3})?Z$",
);
const SKU_PATTERN: &str = "^[A-Za-z0-9._-]{1,64}$";
const CURRENCY_PATTERN: &str = "^[A-Z]{3}$";
/// Most bytes of one character in UTF-8.
const CHARACTER_BYTES_MAX: usize = 4;

impl Kind {
    /// The type as JSON Schema.
    pub fn json_schema(&self) -> Value {
        match self {
            Self::Boolean => json!({ "type": "boolean" }),
            Self::Group(fields) => fields.json_schema(),
            Self::Integer { min, max } => integer(*min, *max),
            Self::Json { size_bytes_max } => json!({
                "description": "Any JSON.",
                "x-claw-size-bytes-max": size_bytes_max,
                "x-claw-depth-max": SCHEMA_DEPTH_MAX,
            }),
            Self::List { of, count_min, count_max } => json!({
                "type": "array",
                "items": of.json_schema(),
                "minItems": count_min,
                "maxItems": count_max,
            }),
            Self::Map { of, count_max, key_length_max } => json!({
                "type": "object",
                "propertyNames": text(0, *key_length_max),
                "additionalProperties": of.json_schema(),
                "maxProperties": count_max,
            }),
            Self::Money { min, max, currencies } => {
                let names: Vec<_> = currencies.iter().map(Currency::as_str).collect();
                let currency = if names.is_empty() {
                    json!({ "type": "string", "pattern": CURRENCY_PATTERN })
                } else {
                    json!({ "type": "string", "enum": names })
                };
                json!({
                    "type": "object",
                    "required": ["amount", "currency"],
                    "properties": { "amount": integer(*min, *max), "currency": currency },
                    "additionalProperties": false,
                })
            }
            Self::Sku => json!({ "type": "string", "pattern": SKU_PATTERN }),
            Self::Text { length_min, length_max, allowed } => match allowed {
                Allowed::Any => text(*length_min, *length_max),
                Allowed::OneOf(texts) => json!({ "type": "string", "enum": texts }),
                Allowed::Matching(pattern) => {
                    let mut schema = text(*length_min, *length_max);
                    schema["pattern"] = pattern.to_regex().into();
                    schema
                }
            },
            Self::Time => {
                json!({ "type": "string", "format": "date-time", "pattern": TIME_PATTERN })
            }
            Self::Uuid => json!({ "type": "string", "format": "uuid" }),
        }
    }
}

impl Field {
    /// The member's type as JSON Schema, with its default and whether it is personal.
    pub fn json_schema(&self) -> Value {
        let mut schema = self.kind.json_schema();
        if let Presence::Default(value) = &self.presence {
            schema["default"] = value.clone();
        }
        if self.personal {
            schema["x-claw-personal"] = true.into();
        }
        schema
    }
}

impl Fields {
    /// An object with these members as JSON Schema; closed unless there is a rule for other names.
    pub fn json_schema(&self) -> Value {
        let mut properties = Map::new();
        let mut required = Vec::new();
        for field in self {
            properties.insert(field.name.clone(), field.json_schema());
            if field.presence == Presence::Required {
                required.push(Value::from(field.name.as_str()));
            }
        }
        let mut schema = json!({ "type": "object", "properties": properties });
        if !required.is_empty() {
            schema["required"] = required.into();
        }
        schema["additionalProperties"] = match self.any_other() {
            Some(rule) => {
                schema["maxProperties"] = (self.iter().len() + SCHEMA_OTHERS_MAX).into();
                rule.kind.json_schema()
            }
            None => false.into(),
        };
        schema
    }
}

fn integer(min: i64, max: i64) -> Value {
    let mut schema = json!({ "type": "integer", "format": "int64" });
    if min > i64::MIN {
        schema["minimum"] = min.into();
    }
    if max < i64::MAX {
        schema["maximum"] = max.into();
    }
    schema
}

/// JSON Schema counts characters and we count bytes: the bounds in characters are those that no
/// text within the bounds in bytes can break.
fn text(length_min: usize, length_max: usize) -> Value {
    let mut schema = json!({
        "type": "string", "maxLength": length_max, "x-claw-length-bytes-max": length_max,
    });
    if length_min > 0 {
        schema["minLength"] = length_min.div_ceil(CHARACTER_BYTES_MAX).into();
    }
    if length_min > 1 {
        schema["x-claw-length-bytes-min"] = length_min.into();
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::super::{BuiltIn, CompiledSchema, SchemaFile};
    use super::*;

    fn compile(text: &str) -> CompiledSchema {
        let file = SchemaFile { name: "a.toml".to_owned(), text: text.to_owned() };
        CompiledSchema::parse(&[file]).unwrap()
    }

    #[test]
    fn every_kind_is_said_with_its_bounds() {
        let schema = compile(
            r#"
            [schema]
            version = 1
            [events.hold-granted.extra]
            channel = { type = "text", enum = ["web", "app"], default = "web" }
            email = { type = "text", length_max = 20, pattern = "[^@ ]+@[^@ ]+", personal = true }
            tags = { type = "list", of = "sku", count_max = 2 }
            price = { type = "money", min = 1, max = 5, currencies = ["EUR"], required = true }
            at = { type = "time" }
            [events.hold-granted.extra.slot]
            type = "group"
            fields = { first = { type = "uuid", required = true }, gift = { type = "boolean" } }
            "#,
        );
        let json_schema = schema.extra_type(BuiltIn::HoldGranted).fields.json_schema();
        assert_eq!(json_schema["required"], json!(["price"]));
        assert_eq!(json_schema["additionalProperties"], false);
        let properties = &json_schema["properties"];
        let channel = json!({ "type": "string", "enum": ["app", "web"], "default": "web" });
        assert_eq!(properties["channel"], channel);
        let email = json!({ "type": "string", "maxLength": 20, "x-claw-length-bytes-max": 20,
            "pattern": "^[^ @]+@[^ @]+$", "x-claw-personal": true });
        assert_eq!(properties["email"], email);
        assert_eq!(properties["tags"]["items"]["pattern"], SKU_PATTERN);
        assert_eq!(properties["price"]["properties"]["currency"]["enum"], json!(["EUR"]));
        assert_eq!(properties["price"]["properties"]["amount"]["maximum"], 5);
        assert_eq!(properties["at"]["format"], "date-time");
        assert_eq!(properties["slot"]["required"], json!(["first"]));
        assert_eq!(properties["slot"]["properties"]["gift"]["type"], "boolean");
    }

    #[test]
    fn a_rule_for_other_names_opens_the_object() {
        let schema = compile(
            r#"
            [schema]
            version = 1
            [events.product-put.attributes]
            "*" = { type = "json", size_bytes_max = 32 }
            "#,
        );
        let attributes = schema.attribute_fields().unwrap().json_schema();
        assert_eq!(attributes["additionalProperties"]["x-claw-size-bytes-max"], 32);
        assert_eq!(attributes["maxProperties"], SCHEMA_OTHERS_MAX);
    }
}
