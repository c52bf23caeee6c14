//! `/docs`: the document as one page of HTML that loads nothing from anywhere.
//!
//! Written of the document alone, so it cannot say anything else than `/openapi.json`. Style and
//! script stand in the page and are named by their hashes in its policy: nothing else is loaded,
//! run or framed. Without a script all of it can still be read.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::words::{escape, type_words};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
const METHODS: [&str; 4] = ["get", "put", "post", "delete"];

const SIGNING: &str = r#"<h2 id="signing">Signing</h2>
<p><code>claw sign</code> prints the fields that make a request of any client a signed one:</p>
<pre><code>URL=http://127.0.0.1:7070/v1/products/clog
curl -H @&lt;(claw sign GET $URL --store shop) $URL

echo '{"name":"Clog","price":{"amount":4900,"currency":"EUR"}}' &gt; clog.json
curl -X PUT -H @&lt;(claw sign PUT $URL --data clog.json --store shop) \
     --data-binary @clog.json $URL</code></pre>
<p>A browser or an app sends a shopper's token instead, where a route takes one:</p>
<pre><code>TOKEN=$(claw token --session ada --store shop)
curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:7070/v1/products/clog</code></pre>
"#;

/// The `Content-Security-Policy` of the page.
pub(super) fn policy() -> String {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

/// The page of a document.
pub(super) fn write(document: &Value) -> String {
    let mut out = String::from("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">");
    push(&mut out, format_args!("<title>{}</title>", text(&document["info"]["title"])));
    out.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    push(&mut out, format_args!("<style>{STYLE}</style></head><body><div class=\"frame\">"));
    navigation(&mut out, document);
    out.push_str("<main>");
    introduction(&mut out, document);
    out.push_str(SIGNING);
    schemes(&mut out, document);
    for tag in array(&document["tags"]) {
        let name = text(&tag["name"]);
        push(&mut out, format_args!("<h2 id=\"tag-{name}\">{name}</h2>"));
        for operation in operations(document, &name) {
            write_operation(&mut out, document, &operation);
        }
    }
    problems(&mut out, document);
    schemas(&mut out, document);
    push(&mut out, format_args!("</main></div><script>{SCRIPT}</script></body></html>\n"));
    out
}

struct Operation<'a> {
    method: &'static str,
    path: &'a str,
    of: &'a Value,
}

impl Operation<'_> {
    fn anchor(&self) -> String {
        text(&self.of["operationId"])
    }
}

/// The operations of a tag; what browsers ask is told once, in the introduction.
fn operations<'a>(document: &'a Value, tag: &str) -> Vec<Operation<'a>> {
    let mut found = Vec::new();
    for (path, methods) in members(&document["paths"]) {
        for method in METHODS {
            let Some(of) = methods.get(method) else { continue };
            if of["tags"][0] == tag {
                found.push(Operation { method, path, of });
            }
        }
    }
    found
}

fn navigation(out: &mut String, document: &Value) {
    push(out, format_args!("<nav><strong>{}</strong>", text(&document["info"]["title"])));
    out.push_str("<input id=\"find\" type=\"search\" placeholder=\"Find\" aria-label=\"Find\">");
    out.push_str("<h2>About</h2><a href=\"#about\">Rules of all routes</a>");
    out.push_str("<a href=\"#signing\">Signing</a><a href=\"#problems\">Problems</a>");
    out.push_str("<a href=\"#schemas\">Schemas</a><a href=\"/openapi.json\">openapi.json</a>");
    for tag in array(&document["tags"]) {
        let name = text(&tag["name"]);
        push(out, format_args!("<h2>{name}</h2>"));
        for operation in operations(document, &name) {
            let (id, summary) = (operation.anchor(), text(&operation.of["summary"]));
            push(out, format_args!("<a href=\"#{id}\">{summary}</a>"));
        }
    }
    out.push_str("</nav>");
}

fn introduction(out: &mut String, document: &Value) {
    let info = &document["info"];
    push(out, format_args!("<h1 id=\"about\">{}</h1>", text(&info["summary"])));
    for paragraph in info["description"].as_str().unwrap_or_default().split("\n\n") {
        push(out, format_args!("<p>{}</p>", escape(paragraph)));
    }
    push(
        out,
        format_args!(
            "<p class=\"who\">With the members and bounds of this store's State-Schema, version \
             {}. Browsers may ask <code>OPTIONS</code> of any path, unsigned.</p>",
            document["x-claw-schema-version"]
        ),
    );
}

fn schemes(out: &mut String, document: &Value) {
    out.push_str("<div class=\"table\"><table><tr><th>Field</th><th>Holds</th></tr>");
    for (_, scheme) in members(&document["components"]["securitySchemes"]) {
        let name = scheme["name"].as_str().unwrap_or("Authorization: Bearer");
        let what = text(&scheme["description"]);
        push(out, format_args!("<tr><td><code>{name}</code></td><td>{what}</td></tr>"));
    }
    out.push_str("</table></div>");
}

fn write_operation(out: &mut String, document: &Value, operation: &Operation<'_>) {
    let Operation { method, path, of } = operation;
    let (id, summary) = (operation.anchor(), text(&of["summary"]));
    push(
        out,
        format_args!(
            "<article id=\"{id}\"><details><summary><span class=\"method {method}\">{}</span>\
             <h3>{}</h3><span>{summary}</span></summary><div class=\"inside\">",
            method.to_ascii_uppercase(),
            escape(path)
        ),
    );
    if of.get("description").is_some() {
        push(out, format_args!("<p>{}</p>", text(&of["description"])));
    }
    who(out, of);
    parameters(out, document, of);
    if let Some(body) = of.pointer("/requestBody/content/application~1json/schema") {
        push(out, format_args!("<h4>Body: {}</h4>", type_words(body)));
        write_schema(out, resolve(document, body));
    }
    answers(out, document, of);
    out.push_str("</div></details></article>");
}

fn who(out: &mut String, of: &Value) {
    let names = |key: &str| {
        let names: Vec<_> = array(&of[key]).filter_map(Value::as_str).collect();
        names.join(", ")
    };
    let roles = names("x-claw-roles");
    let scopes = names("x-claw-scopes");
    let sentence = match (roles.as_str(), scopes.as_str()) {
        ("", _) => "Open: nothing is signed.".to_owned(),
        (roles, "") => format!("For {roles}."),
        (roles, scopes) => format!("For {roles}; a token needs the scope {scopes}."),
    };
    push(out, format_args!("<p class=\"who\">{sentence}</p>"));
}

fn parameters(out: &mut String, document: &Value, of: &Value) {
    let all: Vec<_> = array(&of["parameters"]).map(|one| resolve(document, one)).collect();
    if all.is_empty() {
        return;
    }
    out.push_str("<h4>Parameters</h4><div class=\"table\"><table>");
    out.push_str("<tr><th>Name</th><th>In</th><th>Holds</th></tr>");
    for one in all {
        let must =
            if one["required"] == true { " <span class=\"must\">required</span>" } else { "" };
        push(
            out,
            format_args!(
                "<tr><td><code>{}</code>{must}</td><td>{}</td><td>{}{}</td></tr>",
                text(&one["name"]),
                text(&one["in"]),
                type_words(&one["schema"]),
                note(&one["description"])
            ),
        );
    }
    out.push_str("</table></div>");
}

fn answers(out: &mut String, document: &Value, of: &Value) {
    out.push_str("<h4>Answers</h4><div class=\"table\"><table>");
    out.push_str("<tr><th>Status</th><th>Holds</th><th>Fields</th></tr>");
    for (status, response) in members(&of["responses"]) {
        let content = response.get("content").map(members).into_iter().flatten().next();
        let what = match content {
            Some((_, media)) => type_words(&media["schema"]),
            None => String::new(),
        };
        let problem = status.starts_with(['4', '5']);
        let when = if problem { String::new() } else { text(&response["description"]) };
        let fields = response.get("headers").map(|headers| {
            let named = members(headers).filter(|(_, header)| {
                // What an answer may have or not is told in the rules of all routes.
                resolve(document, header)["required"] == true
            });
            named.map(|(name, _)| format!("<code>{name}</code>")).collect::<Vec<_>>().join(" ")
        });
        push(
            out,
            format_args!(
                "<tr><td class=\"status\">{status}</td><td>{what} {when}</td><td>{}</td></tr>",
                fields.unwrap_or_default()
            ),
        );
    }
    out.push_str("</table></div>");
}

/// An object's members, or those of each of its kinds.
fn write_schema(out: &mut String, schema: &Value) {
    if let Some(kinds) = schema.get("oneOf").filter(|kinds| kinds[0].get("properties").is_some()) {
        for kind in array(kinds) {
            push(out, format_args!("<h4>{}</h4>", text(&kind["title"])));
            write_schema(out, kind);
        }
    } else if let Some(properties) = schema.get("properties") {
        let required: Vec<_> = array(&schema["required"]).filter_map(Value::as_str).collect();
        out.push_str("<div class=\"table\"><table><tr><th>Member</th><th>Holds</th></tr>");
        for (name, member) in members(properties) {
            let is = required.contains(&name.as_str());
            let must = if is { " <span class=\"must\">required</span>" } else { "" };
            let words = type_words(member);
            let what = note(&member["description"]);
            push(
                out,
                format_args!(
                    "<tr><td><code>{}</code>{must}</td><td>{words}{what}</td></tr>",
                    escape(name)
                ),
            );
        }
        out.push_str("</table></div>");
        if let Some(kinds) = schema.get("oneOf") {
            let names = array(kinds).filter_map(|kind| kind["required"][0].as_str());
            let names: Vec<_> = names.map(|name| format!("<code>{name}</code>")).collect();
            push(out, format_args!("<p>Exactly one of {}.</p>", names.join(", ")));
        }
        match schema.get("additionalProperties") {
            Some(Value::Bool(false)) => out.push_str("<p class=\"who\">No other members.</p>"),
            Some(rule) => {
                push(out, format_args!("<p class=\"who\">Others: {}.</p>", type_words(rule)));
            }
            None => {}
        }
    }
    if let Some(example) = schema.pointer("/examples/0") {
        let shown = serde_json::to_string_pretty(example).expect("JSON");
        push(out, format_args!("<pre><code>{}</code></pre>", escape(&shown)));
    }
}

fn problems(out: &mut String, document: &Value) {
    out.push_str("<h2 id=\"problems\">Problems</h2><div class=\"table\"><table>");
    out.push_str("<tr><th>Status</th><th>type</th><th>Means</th><th>Members</th></tr>");
    let all = members(&document["components"]["schemas"]);
    let mut rows: Vec<_> = all
        .filter_map(|(name, schema)| {
            let of = &schema["properties"];
            let urn = of["type"]["const"].as_str()?;
            Some((of["status"]["const"].as_u64()?, urn, name, schema))
        })
        .collect();
    rows.sort_unstable_by_key(|(status, urn, ..)| (*status, *urn));
    for (status, urn, name, schema) in rows {
        let common = ["type", "title", "status", "detail"];
        let own =
            members(&schema["properties"]).filter(|(name, _)| !common.contains(&name.as_str()));
        let own: Vec<_> = own.map(|(name, _)| format!("<code>{name}</code>")).collect();
        let own = own.join(" ");
        push(
            out,
            format_args!(
                "<tr id=\"schema-{name}\"><td class=\"status\">{status}</td>\
                 <td><code>{urn}</code></td><td>{}</td><td>{own}</td></tr>",
                text(&schema["description"])
            ),
        );
    }
    out.push_str("</table></div>");
}

fn schemas(out: &mut String, document: &Value) {
    out.push_str("<h2 id=\"schemas\">Schemas</h2>");
    for (name, schema) in members(&document["components"]["schemas"]) {
        if schema.pointer("/properties/type/const").is_some() {
            continue;
        }
        push(
            out,
            format_args!(
                "<article id=\"schema-{name}\"><details><summary><h3>{name}</h3><span>{}</span>\
                 </summary><div class=\"inside\">",
                text(&schema["description"])
            ),
        );
        write_schema(out, schema);
        out.push_str("</div></details></article>");
    }
}

fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let target = value.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#'));
    target.and_then(|pointer| document.pointer(pointer)).unwrap_or(value)
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn members(value: &Value) -> serde_json::map::Iter<'_> {
    static NONE: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    value.as_object().unwrap_or(&NONE).iter()
}

/// A description on a line of its own; empty where there is none.
fn note(description: &Value) -> String {
    let words = text(description);
    if words.is_empty() { words } else { format!("<div class=\"note\">{words}</div>") }
}

/// A text of the document, escaped; empty where there is none.
fn text(value: &Value) -> String {
    escape(value.as_str().unwrap_or_default())
}

fn push(out: &mut String, what: std::fmt::Arguments<'_>) {
    out.write_fmt(what).expect("a String takes every byte");
}
