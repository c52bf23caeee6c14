//! The document is `OpenAPI` 3.1 to a validator that is not ours, whatever the template.

use claw_tests::{Node, Store};

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
