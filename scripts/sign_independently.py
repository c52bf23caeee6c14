#!/usr/bin/env python3
"""Sign one request with an implementation of RFC 9421 that is not ours.

Prints the header lines that `claw sign` would print, idempotency key excepted: that is given, and
sent by the caller. The keys are the files that `claw init` makes. Used by
tests/tests/independent_signer.rs; it shares no line with claw-sdk, so what a node accepts from it is
the standard and not our reading of it.
"""

import argparse
import base64
import datetime
import pathlib
import sys

from http_message_signatures import HTTPMessageSigner, HTTPSignatureKeyResolver, algorithms


class Request:
    """What the signer reads of a request."""

    def __init__(self, method, url):
        self.method = method
        self.url = url
        self.headers = {}


class KeyFile(HTTPSignatureKeyResolver):
    """One key: PKCS#8 for ed25519, or a base64 secret for hmac-sha256."""

    def __init__(self, path):
        self.path = path

    def resolve_private_key(self, key_id):
        text = self.path.read_bytes()
        return text if self.path.suffix == ".pem" else base64.b64decode(text.strip())


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("method")
    parser.add_argument("url")
    parser.add_argument("--key", type=pathlib.Path, required=True, help="keys/NAME.pem or .secret")
    parser.add_argument("--data", help="the body")
    parser.add_argument("--idempotency-key")
    parser.add_argument("--age", type=int, default=0, help="pretend to sign this many seconds ago")
    return parser.parse_args()


def main():
    wanted = arguments()
    request = Request(wanted.method, wanted.url)
    covered = ["@method", "@authority", "@path"]
    if "?" in wanted.url:
        covered.append("@query")
    if wanted.idempotency_key:
        request.headers["Idempotency-Key"] = wanted.idempotency_key
        covered.append("idempotency-key")

    ed25519 = wanted.key.suffix == ".pem"
    signer = HTTPMessageSigner(
        signature_algorithm=algorithms.ED25519 if ed25519 else algorithms.HMAC_SHA256,
        key_resolver=KeyFile(wanted.key),
    )
    created = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=wanted.age)
    signer.sign(
        request,
        key_id=wanted.key.stem,
        created=created,
        covered_component_ids=covered,
        # With a body, the digest is made and covered.
        body=None if wanted.data is None else wanted.data.encode(),
    )

    for name, value in request.headers.items():
        if name.lower() != "idempotency-key":
            print(f"{name}: {value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
