#!/usr/bin/env python3
"""Judges a WebSocket echo by RFC 6455, with a client that is not ours.

    judge_websocket.py ws://ADDRESS/PATH

One connection a case. A case is what is sent and all that must come back, to the end of the
connection; it prints "ok NUMBER NAME" or "FAIL NUMBER NAME: why", and any that fails makes the exit
code 1. The cases are modelled on the Autobahn test suite: the first part of a number is its
section, save 8 (masking), which is ours.

Not judged: what needs messages beyond the node's limit of 4096 bytes (Autobahn measures those in 9
and 10), and compressed messages (12, 13): the client offers compression and must not get it.
"""

import sys

from websocket_client import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    binary,
    bytewise,
    close,
    closed,
    fragments,
    heard,
    judge,
    ping,
    pong,
    raw,
    raw_close,
    text,
)

MESSAGE_BYTES_MAX = 4096
PROTOCOL, NO_CODE, NOT_UTF8, TOO_LONG = 1002, 1005, 1007, 1009
NORMAL = 1000
CASES = []


def case(section, name, steps, wanted):
    number = sum(section == other.rpartition(".")[0] for other, *_ in CASES) + 1
    CASES.append((f"{section}.{number}", name, steps, wanted))


def answered(section, name, steps, wanted):
    """The connection is as good as before: it closes when it is asked to."""
    case(section, name, [*steps, close(NORMAL)], [*wanted, closed(NORMAL)])


def refused(section, name, steps, *codes, wanted=()):
    """What comes behind the mistake, here a ping, is not answered (section 7.1.7)."""
    case(section, name, [*steps, raw(PING, b"behind")], [*wanted, closed(*codes)])


def framing():
    for kind, opcode, letter in ((text, TEXT, b"*"), (binary, BINARY, b"\xfe")):
        for count in (0, 125, 126, 127, 128, 4096):
            data = letter * count
            name = f"{count} bytes of {kind.__name__}"
            answered("1", name, [kind(data)], [heard(opcode, data)])
            answered("1", f"{name}, bytewise", bytewise(kind(data)), [heard(opcode, data)])


def pings():
    for data in (b"", b"hello", b"\x00\xff\xfe\xfd", b"\xfe" * 125):
        answered("2", f"a ping of {len(data)} bytes", [ping(data)], [heard(PONG, data)])
    data = b"\xfe" * 125
    answered("2", "a ping of 125 bytes, bytewise", bytewise(ping(data)), [heard(PONG, data)])
    refused("2", "a ping of 126 bytes", [raw(PING, b"\xfe" * 126)], PROTOCOL)
    answered("2", "a pong that nobody asked for", [pong()], [])
    answered("2", "a pong of 125 bytes that nobody asked for", [pong(data)], [])
    refused("2", "a pong of 126 bytes", [raw(PONG, b"\xfe" * 126)], PROTOCOL)
    steps = [pong(b"not asked for"), ping(b"asked")]
    answered("2", "such a pong and a ping", steps, [heard(PONG, b"asked")])
    ten = [b"ping %d" % number for number in range(10)]
    pongs = [heard(PONG, data) for data in ten]
    answered("2", "ten pings", [ping(data) for data in ten], pongs)
    answered("2", "ten pings, bytewise", bytewise(*map(ping, ten)), pongs)


def reserved_bits():
    good = [text(b"before")]
    wanted = [heard(TEXT, b"before")]
    for bits in range(1, 8):
        bad = raw(TEXT, b"reserved", reserved=bits)
        refused("3", f"reserved bits {bits:03b} of a text", [*good, bad], PROTOCOL, wanted=wanted)
        # A server may find fault before it has the whole frame, or after.
        refused("3", "the same, bytewise", bytewise(*good, bad), PROTOCOL, wanted=wanted)
    for opcode in (BINARY, PING, PONG, CLOSE):
        refused("3", f"a reserved bit of opcode {opcode}", [raw(opcode, reserved=4)], PROTOCOL)
    steps = [text(b"a", False), raw(CONTINUATION, b"b", reserved=4)]
    refused("3", "a reserved bit of a continuation", steps, PROTOCOL)


def reserved_opcodes():
    good = [text(b"before")]
    wanted = [heard(TEXT, b"before")]
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
        for data in (b"", b"reserved"):
            name = f"opcode {opcode} with {len(data)} bytes"
            refused("4", name, [*good, raw(opcode, data)], PROTOCOL, wanted=wanted)


def fragmentation():
    for opcode, name in ((PING, "ping"), (PONG, "pong")):
        steps = [raw(opcode, b"frag", final=False), raw(CONTINUATION, b"ment")]
        refused("5", f"a {name} in fragments", steps, PROTOCOL)
    steps = [raw(CLOSE, b"\x03\xe8", final=False), raw(CONTINUATION)]
    refused("5", "a close in fragments", steps, PROTOCOL)
    pieces = [b"fragment%d" % number for number in range(5)]
    asked, pongs = ping(b"between"), [heard(PONG, b"between")]
    for kind, opcode in ((text, TEXT), (binary, BINARY)):
        name = kind.__name__
        for count in (2, 5):
            steps, whole = fragments(kind, pieces[:count]), heard(opcode, b"".join(pieces[:count]))
            answered("5", f"{name} in {count} fragments", steps, [whole])
            answered("5", f"{name} in {count} fragments, bytewise", bytewise(*steps), [whole])
            # Pongs need not wait for the message's end, and the echo cannot come before it.
            steps, wanted = fragments(kind, pieces[:count], asked), [*pongs * (count - 1), whole]
            answered("5", f"{name} in {count}, pings between", steps, wanted)
            name_bytewise = f"{name} in {count}, pings between, bytewise"
            answered("5", name_bytewise, bytewise(*steps), wanted)
        steps = fragments(kind, [b""] * 3)
        answered("5", f"{name} in three empty fragments", steps, [heard(opcode)])
    steps = fragments(text, pieces[:2], pong(b"not asked for"))
    answered("5", "a pong between fragments", steps, [heard(TEXT, b"".join(pieces[:2]))])
    for final in (True, False):
        last = "the last" if final else "not the last"
        alone = raw(CONTINUATION, b"of nothing", final=final)
        refused("5", f"a continuation of nothing, {last}", [alone], PROTOCOL)
        refused("5", "the same, then a text", [alone, text(b"behind")], PROTOCOL)
        steps, wanted = fragments(text, pieces[:2]), [heard(TEXT, b"".join(pieces[:2]))]
        name = f"a continuation of what has ended, {last}"
        refused("5", name, [*steps, alone], PROTOCOL, wanted=wanted)
    for opcode, name in ((TEXT, "text"), (BINARY, "binary")):
        for final in (True, False):
            steps = [text(b"not ended", False), raw(opcode, b"inside", final=final)]
            refused("5", f"{name} inside a text, {'whole' if final else 'begun'}", steps, PROTOCOL)


# Section 8.1, and the sequences of Markus Kuhn's stress test that Autobahn takes too.
UTF8 = [
    "\u03ba\u1f79\u03c3\u03bc\u03b5".encode(),
    # The first and the last of each length, and both sides of the surrogates.
    *(chr(point).encode() for point in (0, 0x7F, 0x80, 0x7FF, 0x800, 0x10000)),
    *(chr(point).encode() for point in (0xD7FF, 0xE000, 0xFFFD)),
    # No characters, and no mistakes either.
    *(chr(plane << 16 | last).encode() for plane in range(17) for last in (0xFFFE, 0xFFFF)),
]
NO_UTF8 = [
    # Beyond the last code point, and sequences of five and six bytes.
    *("f4908080", "f7bfbfbf", "f888808080", "fbbfbfbfbf", "fc8480808080", "fdbfbfbfbfbf"),
    # Continuations without a start, starts without one.
    *("80", "bf", "80bf80", bytes(range(0x80, 0xC0)).hex(), "c220df20", "e020ef20", "f020f420"),
    # Cut off before the last byte.
    *("c2", "df", "e0a0", "efbf", "f09080", "f48fbf", "cebae1bd", "dfefbff09080"),
    # Bytes that are in no sequence.
    *("fe", "ff", "fefeffff"),
    # Overlong.
    *("c0af", "e080af", "f08080af", "c1bf", "e09fbf", "f08fbfbf", "c080", "e08080", "f0808080"),
    # Surrogates, alone and in pairs.
    *("eda080", "edadbf", "edae80", "edafbf", "edb080", "edbe80", "edbfbf"),
    *("eda080edb080", "edafbfedbfbf"),
]


def single(data):
    return [bytes([byte]) for byte in data]


def utf8():
    """Each whole, and with every byte a fragment.

    Autobahn looks in its 6.4 whether a text is refused before it has ended. Section 8.1 says that
    it is refused and not how soon, so that is not judged.
    """
    for data in UTF8:
        answered("6", f"UTF-8 {data.hex()}", [text(data)], [heard(TEXT, data)])
        steps = fragments(text, single(data), ping(b"between"))
        wanted = [*[heard(PONG, b"between")] * (len(data) - 1), heard(TEXT, data)]
        answered("6", f"UTF-8 {data.hex()}, a byte a fragment", steps, wanted)
    for sequence in map(bytes.fromhex, NO_UTF8):
        for data in (sequence, b"before " + sequence + b" behind"):
            name = f"no UTF-8 {data.hex()}"
            refused("6", name, [text(data)], NOT_UTF8)
            steps = fragments(text, single(data))
            refused("6", f"{name}, a byte a fragment", steps, NOT_UTF8)
        # Binary messages may be anything.
        name = f"the same as binary {sequence.hex()}"
        answered("6", name, [binary(sequence)], [heard(BINARY, sequence)])


def closing():
    before, wanted = text(b"before"), [heard(TEXT, b"before")]
    case("7", "a text and a close", [before, close(NORMAL)], [*wanted, closed(NORMAL)])
    case("7", "the same, bytewise", bytewise(before, close(NORMAL)), [*wanted, closed(NORMAL)])
    for opcode, name in ((CLOSE, "a close"), (PING, "a ping"), (TEXT, "a text"), (3, "a mistake")):
        steps = [before, close(NORMAL), raw(opcode)]
        case("7", f"{name} behind a close", steps, [*wanted, closed(NORMAL)])
    steps = [text(b"not ended", False), close(NORMAL), raw(CONTINUATION, b"ended")]
    case("7", "a message that a close breaks off", steps, [closed(NORMAL)])
    # Section 5.5.1 has an answer "typically" echo the code; without one, any good end will do.
    case("7", "a close without a code", [close()], [closed(NO_CODE, NORMAL)])
    refused("7", "a close of one byte", [raw(CLOSE, b"\x03")], PROTOCOL)
    for count in (0, 5, 123):
        steps = [close(NORMAL, "*" * count)]
        case("7", f"a close with {count} bytes of reason", steps, [closed(NORMAL)])
    refused("7", "a close with 124 bytes of reason", [raw_close(NORMAL, b"*" * 124)], PROTOCOL)
    for data in (b"\xce\xba\xe1\xbd", b"\xed\xa0\x80", b"\xff"):
        # Section 7.1.6 calls it UTF-8; neither code of section 7.4.1 is wrong about it.
        name = f"a close with a reason of no UTF-8 {data.hex()}"
        refused("7", name, [raw_close(NORMAL, data)], NOT_UTF8, PROTOCOL)
    codes = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)
    for code in codes:
        case("7", f"a close with {code}", [close(code)], [closed(code)])
        case("7", f"a close with {code} and why", [close(code, "why")], [closed(code)])
    for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999):
        refused("7", f"a close with {code}", [raw_close(code)], PROTOCOL)
        refused("7", f"a close with {code} and why", [raw_close(code, b"why")], PROTOCOL)


def masking():
    before, wanted = text(b"before"), [heard(TEXT, b"before")]
    for opcode in (TEXT, BINARY, CLOSE, PING, PONG):
        bad = raw(opcode, mask=None)
        refused("8", f"opcode {opcode} unmasked", [before, bad], PROTOCOL, wanted=wanted)
    steps = [before, raw(TEXT, b"unmasked", mask=None)]
    refused("8", "a text unmasked, with bytes", steps, PROTOCOL, wanted=wanted)
    steps = [text(b"a", False), raw(CONTINUATION, b"b", mask=None)]
    refused("8", "a continuation unmasked", steps, PROTOCOL)
    data = b"masked with zeros"
    answered("8", "a mask of zeros", [raw(TEXT, data, mask=bytes(4))], [heard(TEXT, data)])


def limits():
    """Section 10.4 leaves limits to who sets them; section 7.4.1 has their code."""
    for kind, opcode, letter in ((text, TEXT, b"*"), (binary, BINARY, b"\xfe")):
        name, most = kind.__name__, letter * MESSAGE_BYTES_MAX
        answered("9", f"the largest {name}", [kind(most)], [heard(opcode, most)])
        refused("9", f"a {name} of one byte more", [kind(most + letter)], TOO_LONG)
        for count in (64, 1024):
            pieces = [letter * count] * (MESSAGE_BYTES_MAX // count)
            steps = fragments(kind, pieces)
            answered("9", f"the largest {name}, by {count}", steps, [heard(opcode, most)])
            steps = fragments(kind, [*pieces, letter])
            refused("9", f"one byte more, by {count}", steps, TOO_LONG)
        steps = [kind(most), kind(most)]
        answered("9", f"the largest {name} twice", steps, [heard(opcode, most)] * 2)
        for length in (65535, 65536, (1 << 63) - 1):
            # What is announced is refused, before it is there.
            steps = [raw(opcode, length=length)]
            refused("9", f"a {name} that announces {length}", steps, TOO_LONG)


def main():
    for section in (
        framing,
        pings,
        reserved_bits,
        reserved_opcodes,
        fragmentation,
        utf8,
        closing,
        masking,
        limits,
    ):
        section()
    failed = 0
    for number, name, steps, wanted in CASES:
        why = judge(sys.argv[1], steps, wanted)
        failed += why is not None
        print(f"FAIL {number} {name}: {why}" if why else f"ok {number} {name}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
