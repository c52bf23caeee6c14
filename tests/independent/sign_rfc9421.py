#!/usr/bin/env python3
"""Signs a request with an implementation of RFC 9421 that is not ours.

Owns nothing but the call into `http-message-signatures` (PyPI). Prints the header lines to send,
one `Name: value` per line. Deliberately does not send the request: the test does.

    sign_rfc9421.py --key-file keys/source.pem --keyid source \
        --method PUT --url http://127.0.0.1:7070/v1/products/a --data '{...}'
"""

import argparse
import base64
import hashlib
import pathlib
import sys
import uuid

import requests
from http_message_signatures import HTTPMessageSigner, HTTPSignatureKeyResolver, algorithms


class FileKey(HTTPSignatureKeyResolver):
    """One key for every name: a PEM file as it is, a secret file decoded."""

    def __init__(self, path):
        self.path = path

    def resolve_private_key(self, key_id):
        data = self.path.read_bytes()
        return data if self.path.suffix == ".pem" else base64.b64decode(data)

    def resolve_public_key(self, key_id):
        raise NotImplementedError("this script signs only")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--key-file", required=True, type=pathlib.Path)
    parser.add_argument("--keyid", required=True)
    parser.add_argument("--method", required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--data", default="")
    parser.add_argument("--idempotency-key", default=None)
    options = parser.parse_args()

    body = options.data.encode()
    headers = {}
    covered = ["@method", "@authority", "@path"]
    if "?" in options.url:
        covered.append("@query")
    if body:
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        headers["Content-Digest"] = f"sha-256=:{digest}:"
        headers["Content-Type"] = "application/json"
        covered.append("content-digest")
    if options.method in ("POST", "PUT", "DELETE"):
        headers["Idempotency-Key"] = options.idempotency_key or str(uuid.uuid4())
        covered.append("idempotency-key")

    ed25519 = options.key_file.suffix == ".pem"
    signer = HTTPMessageSigner(
        signature_algorithm=algorithms.ED25519 if ed25519 else algorithms.HMAC_SHA256,
        key_resolver=FileKey(options.key_file),
    )
    request = requests.Request(options.method, options.url, data=body, headers=headers).prepare()
    signer.sign(request, key_id=options.keyid, covered_component_ids=covered,
                use_existing_digest=True)
    for name in [*headers, "Signature-Input", "Signature"]:
        sys.stdout.write(f"{name}: {request.headers[name]}\n")


if __name__ == "__main__":
    main()
