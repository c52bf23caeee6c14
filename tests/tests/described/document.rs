//! The document is `OpenAPI` 3.1 to a validator that is not ours, whatever the template.

use claw_sdk::client::Call;
use claw_tests::{Node, Store};
use serde_json::json;

use crate::{document, python, stepped_around, succeed};

const VALIDATE: &str = "\
import json, sys
from openapi_spec_validator import OpenAPIV31SpecValidator
OpenAPIV31SpecValidator(json.load(open(sys.argv[1]))).validate()";

#[test]
fn document_of_every_template_is_valid() {
    if stepped_around("CLAW_WITHOUT_PYTHON") {
        return;
    }
    for template in ["minimal", "flash-drop", "enterprise-retail"] {
        let store = Store::with(template, &[]);
        let node = Node::start(&store);
        let path = store.path().join("openapi.json");
        std::fs::write(&path, document(&node)).expect("there is room");
        succeed(python("python").args(["-c", VALIDATE]).arg(&path));
    }
}

/// Holds a document to a schema of the description, and to no member more than it has.
const HOLD: &str = "\
import json, sys
from jsonschema import Draft202012Validator
whole = json.load(open(sys.argv[1]))
def close(schema):
    if isinstance(schema, dict):
        if 'properties' in schema:
            schema['additionalProperties'] = False
        for part in schema.values():
            close(part)
close(whole['components']['schemas'][sys.argv[2]])
whole['$ref'] = '#/components/schemas/' + sys.argv[2]
Draft202012Validator(whole).validate(json.load(open(sys.argv[3])))";

#[test]
fn receipt_has_the_members_that_are_described() {
    if stepped_around("CLAW_WITHOUT_PYTHON") {
        return;
    }
    let store = Store::with("minimal", &[("log.checkpoint_interval_ms", "20")]);
    let node = Node::start(&store);
    let mut operator = node.client(&store, "operator");
    let mut ask = |method: &str, target: &str, body: &serde_json::Value| {
        let body = body.to_string();
        let headers = [("Prefer", "wait=10")];
        let call =
            Call { method, target, body: body.as_bytes(), headers: &headers, ..Call::default() };
        let call = if method == "GET" { Call { body: b"", headers: &[], ..call } } else { call };
        operator.send(&call).expect("it answers")
    };
    let price = json!({"amount": 100, "currency": "EUR"});
    assert_eq!(
        ask("PUT", "/v1/products/clog", &json!({"name": "Clog", "price": price})).status,
        201
    );
    ask("POST", "/v1/products/clog/stock", &json!({"delta": 1, "reason": "x"}));
    let basket = json!({"session": "s", "items": [{"sku": "clog", "quantity": 1}]});
    let placed = ask("POST", "/v1/checkouts", &basket).json();
    let order = placed["order_id"].as_str().expect("an order");
    let receipt = loop {
        let answer = ask("GET", &format!("/v1/orders/{order}/receipt"), &json!(null));
        if answer.status == 200 {
            break answer.body;
        }
        assert_eq!(answer.status, 404, "{answer:?}");
    };
    let paths = ["openapi.json", "receipt.json"].map(|name| store.path().join(name));
    std::fs::write(&paths[0], document(&node)).expect("there is room");
    std::fs::write(&paths[1], receipt).expect("there is room");
    let hold = |name: &str| {
        let mut command = python("python");
        command.args(["-c", HOLD]).arg(&paths[0]).arg(name).arg(&paths[1]);
        command
    };
    succeed(&mut hold("Receipt"));
    let other = hold("Order").output().expect("python starts");
    assert!(!other.status.success(), "a receipt is no order");
}
