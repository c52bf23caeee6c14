"""What schemathesis must know to ask a node as a client would.

Signs each request as it goes out, with an implementation of RFC 9421 that is not ours (or sends a
shopper's token), makes values of the formats that are our own, and leaves out what a JSON Schema
cannot say: see `beyond_json_schema`, which is the whole list. It weakens no check.

    SCHEMATHESIS_HOOKS=scripts/schemathesis_hooks.py CLAW_KEY=shop/keys/operator.pem \\
        schemathesis run http://127.0.0.1:7070/openapi.json --url http://127.0.0.1:7070
"""

import base64
import datetime
import json
import os
import pathlib
import string
import uuid

import requests
import schemathesis
from http_message_signatures import HTTPMessageSigner, HTTPSignatureKeyResolver, algorithms
from hypothesis import strategies
from schemathesis.core.parameters import ParameterLocation

DEPTH_MAX = 4
QUANTITY_MAX = 1_000_000


class KeyFile(HTTPSignatureKeyResolver):
    """One key: PKCS#8 for ed25519, or a base64 secret for hmac-sha256."""

    def __init__(self, path):
        self.path = path

    def resolve_private_key(self, key_id):
        text = self.path.read_bytes()
        return text if self.path.suffix == ".pem" else base64.b64decode(text.strip())


class Signed(requests.auth.AuthBase):
    """Signs a request when its bytes are settled."""

    def __init__(self, path):
        ed25519 = path.suffix == ".pem"
        self.key_id = path.stem
        self.signer = HTTPMessageSigner(
            signature_algorithm=algorithms.ED25519 if ed25519 else algorithms.HMAC_SHA256,
            key_resolver=KeyFile(path),
        )

    def __call__(self, request):
        covered = ["@method", "@authority", "@path"]
        if "?" in request.url:
            covered.append("@query")
        if "Idempotency-Key" in request.headers and request.method in ("POST", "PUT", "DELETE"):
            covered.append("idempotency-key")
        body = request.body or None
        if isinstance(body, str):
            body = body.encode()
        for name in ("Content-Digest", "Signature", "Signature-Input"):
            request.headers.pop(name, None)
        self.signer.sign(
            request,
            key_id=self.key_id,
            created=datetime.datetime.now(datetime.timezone.utc),
            covered_component_ids=covered,
            body=body,
        )
        return request


class Bearer(requests.auth.AuthBase):
    """Sends a shopper's token."""

    def __init__(self, token):
        self.token = token

    def __call__(self, request):
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request


if "CLAW_TOKEN" in os.environ:
    schemathesis.auth.set_from_requests(Bearer(os.environ["CLAW_TOKEN"]))
else:
    schemathesis.auth.set_from_requests(Signed(pathlib.Path(os.environ["CLAW_KEY"])))

SKU = strategies.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=64)


def write_cursor(sku):
    return base64.urlsafe_b64encode(sku.encode()).decode().rstrip("=")


def write_time(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


schemathesis.openapi.format("claw-cursor", SKU.map(write_cursor))
# Position 1 of shard 0 has long been reached: what has not been is answered 503, as it should.
schemathesis.openapi.format("claw-positions", strategies.just("0:1"))
schemathesis.openapi.format(
    "claw-version", strategies.integers(min_value=0, max_value=3).map('"{}"'.format)
)
schemathesis.openapi.format(
    "date-time",
    strategies.datetimes(
        min_value=datetime.datetime(1970, 1, 1), max_value=datetime.datetime(9999, 12, 31)
    ).map(write_time),
)


def beyond_json_schema(schema, value, document):
    """Whether the store refuses for a reason that JSON Schema has no word for."""
    schema = resolve(schema, document)
    if not isinstance(schema, dict):
        return False
    if "x-claw-size-bytes-max" in schema:
        size = len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())
        return size > schema["x-claw-size-bytes-max"] or depth(value) > DEPTH_MAX
    if isinstance(value, str):
        length = len(value.encode())
        least = schema.get("x-claw-length-bytes-min", 0)
        return not least <= length <= schema.get("x-claw-length-bytes-max", length)
    if isinstance(value, list):
        return any(beyond_json_schema(schema.get("items"), entry, document) for entry in value)
    if isinstance(value, dict):
        kinds = [resolve(kind, document) for kind in schema.get("oneOf", [])] or [schema]
        rules = {}
        names = schema.get("propertyNames", {})
        if any(beyond_json_schema(names, name, document) for name in value):
            return True
        others = schema.get("additionalProperties")
        for kind in kinds:
            rules.update(kind.get("properties", {}))
            others = kind.get("additionalProperties", others)
        rules.update(schema.get("properties", {}))
        return ends_before_it_starts(value) or adds_up_to_too_much(value) or any(
            beyond_json_schema(rules.get(name, others), member, document)
            for name, member in value.items()
        )
    return False


def resolve(schema, document):
    while isinstance(schema, dict) and "$ref" in schema:
        target = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        schema = target
    return schema


def depth(value):
    if isinstance(value, dict):
        return 1 + max((depth(member) for member in value.values()), default=0)
    if isinstance(value, list):
        return 1 + max((depth(entry) for entry in value), default=0)
    return 0


def ends_before_it_starts(body):
    starts, ends = body.get("starts_at"), body.get("ends_at")
    return isinstance(starts, str) and isinstance(ends, str) and starts >= ends


def adds_up_to_too_much(body):
    """Lines of one SKU are one line."""
    sums = {}
    items = body.get("items")
    for item in items if isinstance(items, list) else []:
        if isinstance(item, dict) and isinstance(item.get("quantity"), int):
            sku = str(item.get("sku"))
            sums[sku] = sums.get(sku, 0) + item["quantity"]
    return any(total > QUANTITY_MAX for total in sums.values())


@schemathesis.hook
def before_call(context, case, kwargs):
    """What means something new has a key of its own: generated keys meet each other."""
    headers = case.meta and case.meta.components.get(ParameterLocation.HEADER)
    if "Idempotency-Key" in (case.headers or {}) and not (headers and headers.mode.is_negative):
        case.headers["Idempotency-Key"] = str(uuid.uuid4())


@schemathesis.hook
def filter_case(context, case):
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return True
    definition = case.operation.definition.raw
    content = definition.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema")
    if schema is None or not isinstance(case.body, dict):
        return True
    return not beyond_json_schema(schema, case.body, case.operation.schema.raw_schema)
