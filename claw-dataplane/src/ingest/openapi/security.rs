//! How a request says who asks: RFC 9421 signatures and shoppers' tokens, as security schemes.
//!
//! `OpenAPI` has no word for message signatures, so a signature is the two fields that carry it.

use serde_json::{Map, Value, json};

use super::contract::takes_token;
use crate::ingest::routes::RouteSpec;

const SIGNATURE: &str = "\
RFC 9421 with `ed25519` or `hmac-sha256`. Covers `@method`, `@authority`, `@path`, `@query` where \
there is one, `content-digest` (RFC 9530, sha-256; sent as a field beside) where there is a body \
and `idempotency-key` on POST, PUT and DELETE, with `created` and `keyid`. At most 300 s old and \
30 s ahead. `claw sign` prints the fields.";
const TOKEN: &str = "\
A JWT that a storefront's registered Ed25519 key signed (`alg` EdDSA or Ed25519): `kid`, `aud` = \
the store's name, `iat`, `exp` at most 24 h later, `sub` = the session, `scope` of `cart checkout \
watch`, of which a route asks for one of those it lists. It reads products and touches only its \
own session's carts, holds and orders. `claw token` prints one.";

/// All schemes by name.
pub(super) fn schemes() -> Value {
    json!({
        "signatureInput": { "type": "apiKey", "in": "header", "name": "Signature-Input",
            "description": SIGNATURE },
        "signature": { "type": "apiKey", "in": "header", "name": "Signature",
            "description": "The signature that `Signature-Input` describes." },
        "token": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
            "description": TOKEN },
    })
}

/// What a route asks for: a signature, or a token where shoppers may.
pub(super) fn of_route(spec: &RouteSpec) -> Vec<Value> {
    let mut ways = Vec::new();
    if spec.signed() {
        ways.push(json!({ "signatureInput": [], "signature": [] }));
        if takes_token(spec.route) {
            // One of these is enough; that is what the description of the scheme says.
            ways.push(json!({ "token": spec.roles.scopes().names().collect::<Vec<_>>() }));
        }
    }
    ways
}

/// Who may, for people and for generators.
pub(super) fn extensions(spec: &RouteSpec) -> Map<String, Value> {
    let roles: Vec<_> = spec.roles.names().collect();
    let scopes: Vec<_> = spec.roles.scopes().names().collect();
    Map::from_iter([
        ("x-claw-roles".to_owned(), roles.into()),
        ("x-claw-scopes".to_owned(), scopes.into()),
    ])
}
