//! A schema in words, as HTML: what a reader wants to know of a member in one line.

use serde_json::Value;

/// The text with what HTML would read as its own replaced; code between backticks becomes code.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_code = false;
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '`' => {
                out.push_str(if in_code { "</code>" } else { "<code>" });
                in_code = !in_code;
            }
            other => out.push(other),
        }
    }
    if in_code {
        out.push_str("</code>");
    }
    out
}

/// What a schema takes.
pub(super) fn type_words(schema: &Value) -> String {
    if let Some(target) = schema["$ref"].as_str() {
        let name = target.rsplit('/').next().unwrap_or_default();
        let shown = match name.strip_suffix("Problem") {
            Some(problem) if !problem.is_empty() => hyphens(problem),
            _ => name.to_owned(),
        };
        return format!("<a href=\"#schema-{name}\"><code>{shown}</code></a>");
    }
    if let Some(kinds) = schema["oneOf"].as_array() {
        let kinds: Vec<_> = kinds.iter().map(type_words).collect();
        return kinds.join(" or ");
    }
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<_> = values.iter().filter_map(Value::as_str).map(code).collect();
        return format!("one of {}", values.join(", "));
    }
    if let Some(value) = schema["const"].as_str() {
        return code(value);
    }
    match schema["type"].as_str() {
        Some("integer") => bounds("integer", (&schema["minimum"], &schema["maximum"])),
        Some("string") => string_words(schema),
        Some("array") => {
            let list = bounds("list", (&schema["minItems"], &schema["maxItems"]));
            format!("{list}: {}", type_words(&schema["items"]))
        }
        Some("object") => object_words(schema),
        Some(other) => other.to_owned(),
        None => "any JSON".to_owned(),
    }
}

/// `SoldOut` as `sold-out`.
fn hyphens(name: &str) -> String {
    let mut out = String::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.push(character.to_ascii_lowercase());
    }
    out
}

fn code(text: &str) -> String {
    format!("<code>{}</code>", escape(text))
}

fn bounds(name: &str, ends: (&Value, &Value)) -> String {
    match (ends.0.as_i64(), ends.1.as_i64()) {
        (Some(least), Some(most)) => format!("{name}, {least} to {most}"),
        (Some(least), None) => format!("{name}, at least {least}"),
        (None, Some(most)) => format!("{name}, at most {most}"),
        (None, None) => name.to_owned(),
    }
}

fn string_words(schema: &Value) -> String {
    match schema["format"].as_str() {
        Some("uuid") => return "UUID".to_owned(),
        Some("date-time") => return "time".to_owned(),
        Some("claw-cursor") => return "cursor".to_owned(),
        Some("claw-version") => return "a number in quotes".to_owned(),
        Some("claw-positions") => return "<code>shard:sequence[,...]</code>".to_owned(),
        _ => {}
    }
    let length = bounds("text", (&schema["minLength"], &schema["maxLength"]));
    match schema["pattern"].as_str() {
        Some(pattern) if schema.get("maxLength").is_some() => {
            format!("{length}, {}", code(pattern))
        }
        Some(pattern) => code(pattern),
        None => length,
    }
}

fn object_words(schema: &Value) -> String {
    let Some(properties) = schema["properties"].as_object().filter(|all| !all.is_empty()) else {
        return "object".to_owned();
    };
    let members: Vec<_> = properties
        .iter()
        .map(|(name, member)| format!("{} {}", code(name), type_words(member)))
        .collect();
    format!("{{ {} }}", members.join("; "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_stands_in_a_schema_cannot_become_markup() {
        let evil = json!({ "type": "string", "pattern": "<script>\"&`x" });
        let words = type_words(&evil);
        assert!(!words.contains("<script>"), "{words}");
        assert_eq!(words.matches("<code>").count(), words.matches("</code>").count());
    }

    #[test]
    fn schemas_are_said_in_a_line() {
        let rows = [
            (json!({ "type": "integer", "minimum": 1, "maximum": 9 }), "integer, 1 to 9"),
            (json!({ "type": "string", "format": "uuid" }), "UUID"),
            (json!({ "enum": ["a", "b"] }), "one of <code>a</code>, <code>b</code>"),
            (json!({ "type": "array", "items": { "type": "boolean" } }), "list: boolean"),
            (
                json!({ "$ref": "#/components/schemas/SoldOutProblem" }),
                "<a href=\"#schema-SoldOutProblem\"><code>sold-out</code></a>",
            ),
            (json!({}), "any JSON"),
        ];
        for (schema, words) in rows {
            assert_eq!(type_words(&schema), words);
        }
    }
}
