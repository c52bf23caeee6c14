//! `claw schema codegen`: what is generated compiles, and says what the node says.
//!
//! The Rust in `claw_tests::generated` is the very text that `claw` prints (a test compares them),
//! so building the tests compiles it. TypeScript goes to its own compiler, JSON Schema to a
//! validator that is not ours; both are installed by `cargo xtask setup` and stepped around by name
//! where they could not be had.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use claw_core::schema::{CompiledSchema, EventType, SchemaFile};
use claw_tests::generated::{everything, retail};
use claw_tests::{Node, Store, program};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

use crate::samples;

/// Documents of each kind, taken and spoiled.
const DOCUMENTS_COUNT: usize = 400;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace").to_path_buf()
}

fn generated(name: &str) -> PathBuf {
    root().join("tests/generated").join(name)
}

fn codegen(language: &str, args: &[&str]) -> String {
    let mut command = program::claw();
    let output = command.args(["schema", "codegen", "--lang", language]).args(args).output();
    let output = output.expect("claw starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn everything_toml() -> String {
    generated("everything.toml").display().to_string()
}

fn made_up() -> EventType {
    let text = fs::read_to_string(everything_toml()).expect("it is in the repository");
    let file = SchemaFile { name: "everything.toml".to_owned(), text };
    let schema = CompiledSchema::parse(&[file]).expect("it is valid");
    schema.own_event("made-up").expect("it declares one").clone()
}

/// Documents with the verdict of the node's own checker.
fn documents(event: &EventType) -> Vec<(Map<String, Value>, bool)> {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut documents = Vec::new();
    for _ in 0..DOCUMENTS_COUNT {
        let taken = samples::taken(&event.fields, &mut random);
        assert!(event.canonical(&taken).is_ok(), "{taken:?}: {:?}", event.canonical(&taken));
        documents.push((taken, true));
        let spoiled = samples::spoiled(&event.fields, &mut random);
        let verdict = event.canonical(&spoiled).is_ok();
        documents.push((spoiled, verdict));
    }
    let refused = documents.iter().filter(|(_, taken)| !taken).count();
    assert!(refused > DOCUMENTS_COUNT / 2, "only {refused} are refused");
    documents
}

#[test]
fn generated_rust_is_the_text_that_is_compiled_here() {
    let store = Store::create("enterprise-retail");
    let folder = store.path().display().to_string();
    let rows = [
        ("everything.rs.txt", codegen("rust", &["--schema", &everything_toml()])),
        ("retail.rs.txt", codegen("rust", &["--store", &folder])),
    ];
    for (name, text) in rows {
        let path = generated(name);
        let held = fs::read_to_string(&path).expect("it is in the repository");
        let how = "write it again with `claw schema codegen --lang rust --out`";
        assert!(held == text, "{} is not what is generated: {how}", path.display());
    }
}

#[test]
fn generated_rust_reads_what_the_node_takes_and_writes_it_back() {
    let event = made_up();
    for (document, taken) in documents(&event) {
        let read = serde_json::from_value::<everything::MadeUp>(document.clone().into());
        if !taken {
            continue;
        }
        let read = read.unwrap_or_else(|error| panic!("{error}: {document:?}"));
        let written = serde_json::to_value(&read).expect("no map has keys that are no texts");
        let written = written.as_object().expect("a struct is an object");
        assert_eq!(event.canonical(written), event.canonical(&document), "{document:?}");
    }
    let unknown = json!({"sku": "A", "flag": true, "intruder": 1});
    assert!(serde_json::from_value::<everything::MadeUp>(unknown).is_err());
    let least: everything::MadeUp =
        serde_json::from_value(json!({"sku": "A", "flag": true})).expect("the rest may be absent");
    assert_eq!((least.small, least.word), (3, everything::MadeUpWord::V38));
    assert_eq!((everything::MadeUp::TYPE, everything::MadeUp::VERSION), ("made-up", 1));
}

#[test]
fn node_takes_what_generated_rust_writes() {
    let store = Store::create("enterprise-retail");
    let node = Node::start(&store);
    let mut source = node.client(&store, "source");
    let mut storefront = node.client(&store, "storefront");
    let mut send = |method: &str, target: &str, body: Value| {
        let client = if target.contains("products") { &mut source } else { &mut storefront };
        let answer = client.request(method, target, body.to_string().as_bytes());
        let answer = answer.expect("the node answers");
        assert!(matches!(answer.status, 200 | 201), "{target}: {}", answer.json());
    };
    let money = |amount| retail::Money { amount, currency: "EUR".to_owned() };
    let put = retail::ProductPutRequest {
        name: "Tee".to_owned(),
        price: money(1999),
        attributes: serde_json::from_value(json!({
            "style": "TEE", "options": {"size": "M"}, "tax_class": "reduced", "supplier": {"x": 1},
            "prices": [{"list": "b2b", "price": {"amount": 1599, "currency": "EUR"}}],
        }))
        .expect("attributes"),
    };
    send("PUT", "/v1/products/TEE-M", serde_json::to_value(put).expect("JSON"));
    let moved = retail::StockMovedRequest {
        delta: 3,
        reason: "delivery".to_owned(),
        document: Some("DN-1".to_owned()),
        cause: Some(retail::StockMovedRequestCause::Delivery),
        location: None,
    };
    send("POST", "/v1/products/TEE-M/stock", serde_json::to_value(moved).expect("JSON"));
    let returned = retail::ReturnReceived {
        order_id: "019a0000-0000-7000-8000-000000000001".to_owned(),
        sku: "TEE-M".to_owned(),
        quantity: 1,
        disposition: retail::ReturnReceivedDisposition::Restock,
        location: "main".to_owned(),
        reason: Some(retail::ReturnReceivedReason::TooSmall),
        note: None,
    };
    let target = format!("/v1/events/{}", retail::ReturnReceived::TYPE);
    send("POST", &target, serde_json::to_value(returned).expect("JSON"));
}

/// Whether set-up found no Python, and said so.
fn without_python() -> bool {
    std::env::var_os("CLAW_WITHOUT_PYTHON").is_some()
}

#[test]
fn json_schema_and_the_node_judge_alike() {
    if without_python() {
        return;
    }
    let python = root().join(".venv/bin/python");
    assert!(python.is_file(), "no .venv here: run `cargo xtask setup`");
    let folder = tempfile::tempdir().expect("there is room");
    let schema = folder.path().join("schema.json");
    let schema_text = schema.display().to_string();
    codegen("json-schema", &["--schema", &everything_toml(), "--out", &schema_text]);

    let documents = documents(&made_up());
    let path = folder.path().join("documents");
    let mut file = fs::File::create(&path).expect("there is room");
    for (document, _) in &documents {
        writeln!(file, "{}", json!(document)).expect("there is room");
    }
    let output = Command::new(python)
        .arg(root().join("scripts/judge_json_schema.py"))
        .args([&schema_text, "made-up"])
        .stdin(fs::File::open(&path).expect("just written"))
        .output()
        .expect("python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let verdicts = String::from_utf8(output.stdout).expect("text");
    let verdicts: Vec<_> = verdicts.lines().collect();
    assert_eq!(verdicts.len(), documents.len());
    let event = made_up();
    for ((document, taken), verdict) in documents.iter().zip(verdicts) {
        let ours = event.canonical(document).err();
        assert_eq!(verdict == "yes", *taken, "{}: {verdict}, {ours:?}", json!(document));
    }
}

#[test]
fn generated_typescript_is_what_its_compiler_takes() {
    if std::env::var_os("CLAW_WITHOUT_NODE").is_some() {
        return;
    }
    let compiler = root().join(".node/node_modules/typescript/bin/tsc");
    assert!(compiler.is_file(), "no .node here: run `cargo xtask setup`");
    let store = Store::create("enterprise-retail");
    let folder = tempfile::tempdir().expect("there is room");
    let out = |name: &str| folder.path().join(name).display().to_string();
    let store_folder = store.path().display().to_string();
    codegen("typescript", &["--schema", &everything_toml(), "--out", &out("everything.ts")]);
    codegen("typescript", &["--store", &store_folder, "--out", &out("retail.ts")]);
    fs::copy(generated("usage.ts"), out("usage.ts")).expect("there is room");
    let output = Command::new("node")
        .arg(compiler)
        .args(["--noEmit", "--strict", "--noUncheckedIndexedAccess", "--target", "es2022"])
        .args(["--module", "esnext", "--moduleResolution", "bundler"])
        .args([out("usage.ts"), out("everything.ts"), out("retail.ts")])
        .output()
        .expect("node starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
}

#[test]
fn store_without_a_schema_generates_nothing() {
    let folder = tempfile::tempdir().expect("there is room");
    let out = folder.path().join("out.rs");
    let mut command = program::claw();
    command.args(["schema", "codegen", "--lang", "rust", "--out"]).arg(&out);
    let output = command.current_dir(folder.path()).output().expect("claw starts");
    assert_eq!(output.status.code(), Some(1));
    assert!(!out.exists());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("read the State-Schema"), "{said}");
}
