#!/usr/bin/env python3
"""Check a receipt or a consistency proof with nothing of ours: hashlib and an Ed25519 of PyPI.

    verify_receipt.py DOCUMENT NODE_KEY

DOCUMENT is what GET /v1/orders/{id}/receipt or `claw log checkpoints --from` gave, NODE_KEY a file
with the node's public key in base64. Written from claw-dataplane/docs/proofs.md and RFC 9162
section 2.1 alone; it shares no line with the program it checks. Prints what it found, exit code 0
when all of it holds and 1 when something does not.
"""

import base64
import hashlib
import json
import pathlib
import struct
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def check(holds, what):
    if not holds:
        sys.exit(f"does not hold: {what}")


def checkpoint(note, public):
    """Origin, size and root of a note that the key has signed."""
    text, _, signatures = note.partition("\n\n")
    text += "\n"
    origin, size, root, time, previous = text.splitlines()
    check(time.startswith("time ") and previous.startswith("previous "), "five lines")
    key_id = sha256(origin.encode(), b"\n\x01", public)[:4]
    for line in signatures.splitlines():
        dash, name, encoded = line.split(" ")
        signature = base64.b64decode(encoded)
        if dash == "\u2014" and name == origin and signature[:4] == key_id:
            try:
                Ed25519PublicKey.from_public_bytes(public).verify(signature[4:], text.encode())
            except InvalidSignature:
                sys.exit("does not hold: the checkpoint's signature")
            return origin, int(size), base64.b64decode(root)
    sys.exit("does not hold: no signature of this key")


def root_of_path(leaf, index, size, path):
    """RFC 9162 section 2.1.3.2."""
    node, last, value = index, size - 1, leaf
    for sibling in path:
        check(last > 0, "a path no longer than the tree is high")
        if node & 1 or node == last:
            value = sha256(b"\x01", sibling, value)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            value = sha256(b"\x01", value, sibling)
        node, last = node >> 1, last >> 1
    check(last == 0, "a path as long as the tree is high")
    return value


def check_consistency(first, first_root, second, second_root, path):
    """RFC 9162 section 2.1.4.2."""
    if first == second:
        check(not path and first_root == second_root, "one size, one root")
        return
    check(0 < first < second, "sizes in order")
    path = list(path) if first & (first - 1) else [first_root, *path]
    check(path, "a path")
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        check(last > 0, "a path no longer than the tree is high")
        if node & 1 or node == last:
            old, new = sha256(b"\x01", sibling, old), sha256(b"\x01", sibling, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = sha256(b"\x01", new, sibling)
        node, last = node >> 1, last >> 1
    check(old == first_root and new == second_root and last == 0, "consistency")


def check_receipt(receipt, public):
    origin, size, root = checkpoint(receipt["checkpoint"], public)
    _, store, shard = origin.split("/")
    check(receipt["store"]["id"] == store and receipt["shard"] == int(shard), "one origin")
    for record in receipt["records"]:
        leaf = base64.b64decode(record["leaf"])
        magic, leaf_store, sequence, leaf_shard = struct.unpack_from("<8s16sQH", leaf)
        check(magic == b"CLAWLEF1" and leaf[34:40] == bytes(6), "a leaf")
        check(leaf_store.hex() == store.replace("-", ""), "the leaf's store")
        check((sequence, leaf_shard) == (record["sequence"], int(shard)), "the leaf's place")
        (record_bytes,) = struct.unpack_from("<I", leaf, 40)
        check(len(leaf) == 40 + record_bytes, "the leaf's length")
        path = [base64.b64decode(node) for node in record["inclusion"]]
        value = root_of_path(sha256(b"\x00", leaf), sequence - 1, size, path)
        check(value == root, f"record {sequence} is in the tree")
        (accepted,) = struct.unpack_from("<Q", leaf, 40 + 40)
        print(f"record {sequence}: {record['event']}, accepted at {accepted >> 16} ms")


def check_consistency_document(document, public):
    old_origin, old_size, old_root = checkpoint(document["old"], public)
    new_origin, new_size, new_root = checkpoint(document["new"], public)
    check(old_origin == new_origin, "one origin")
    path = [base64.b64decode(node) for node in document["proof"]]
    check_consistency(old_size, old_root, new_size, new_root, path)
    print(f"the tree of {new_size} records begins with that of {old_size}")


def main():
    document = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    public = base64.b64decode(pathlib.Path(sys.argv[2]).read_text(encoding="ascii").strip())
    if document["format"] == "openclaw-receipt/1":
        check_receipt(document, public)
    elif document["format"] == "openclaw-consistency/1":
        check_consistency_document(document, public)
    else:
        sys.exit(f"does not hold: unknown format {document['format']}")


main()
