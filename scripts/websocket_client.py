"""The client of judge_websocket.py: what is sent, what is heard, and whether the two agree.

The protocol is that of `websockets` without its sockets: it sends what a proper client may send,
and fails what a server must not. `raw` writes the frames that it refuses to send. Knows no cases.
"""

import socket

from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Close, Frame, Opcode
from websockets.uri import parse_uri

PATIENCE_S = 10
MASK = b"\x37\xfa\x21\x3d"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


# What a proper client sends: called with the protocol of a connection.


def text(data, final=True):
    return lambda protocol: protocol.send_text(data, final)


def binary(data, final=True):
    return lambda protocol: protocol.send_binary(data, final)


def more(data, final=True):
    return lambda protocol: protocol.send_continuation(data, final)


def ping(data=b""):
    return lambda protocol: protocol.send_ping(data)


def pong(data=b""):
    return lambda protocol: protocol.send_pong(data)


def close(code=None, reason=""):
    return lambda protocol: protocol.send_close(code, reason)


def fragments(kind, pieces, between=None):
    """A message in pieces, and what is to come between each two."""
    steps = [kind(pieces[0], len(pieces) == 1)]
    for number, piece in enumerate(pieces[1:], 2):
        steps += [between] if between else []
        steps.append(more(piece, number == len(pieces)))
    return steps


def bytewise(*steps):
    """The same, each byte written on its own."""
    return [("bytewise", step) for step in steps]


# What only raw bytes can say.


def raw(opcode, data=b"", *, final=True, reserved=0, mask=MASK, length=None):
    """A frame; with `length`, a header that announces so much."""
    count = len(data) if length is None else length
    head = bytes([final << 7 | reserved << 4 | opcode])
    masked = 0x80 if mask else 0
    if count < 126:
        head += bytes([masked | count])
    elif count < 1 << 16:
        head += bytes([masked | 126]) + count.to_bytes(2, "big")
    else:
        head += bytes([masked | 127]) + count.to_bytes(8, "big")
    if not mask:
        return head + data
    return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))


def raw_close(code, reason=b""):
    return raw(CLOSE, code.to_bytes(2, "big") + reason)


# What must come back.


def heard(opcode, data=b""):
    return (opcode, bytes(data))


def closed(*codes):
    """The last of all: a close with one of these codes."""
    return (CLOSE, codes)


class Connection:
    """The client's side of a connection: its protocol over a socket."""

    def __init__(self, url):
        uri = parse_uri(url)
        # Offered as browsers offer it; a server that took it would set reserved bits.
        self.protocol = ClientProtocol(uri, extensions=[ClientPerMessageDeflateFactory()])
        self.socket = socket.create_connection((uri.host, uri.port), PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.protocol.send_request(self.protocol.connect())
        self.write()
        self.received = b""
        self.frames = []
        while self.protocol.state.name == "CONNECTING":
            self.read()
        if self.protocol.handshake_exc:
            raise self.protocol.handshake_exc
        if self.protocol.extensions:
            raise ValueError("compression was agreed to")

    def read(self):
        data = self.socket.recv(65536)
        if data:
            self.received += data
            self.protocol.receive_data(data)
        else:
            self.protocol.receive_eof()
        events = self.protocol.events_received()
        self.frames += [event for event in events if isinstance(event, Frame)]

    def write(self, size=None):
        for data in self.protocol.data_to_send():
            self.put(data, size)

    def put(self, data, size=None):
        for at in range(0, len(data), size or len(data) or 1):
            self.socket.sendall(data[at : at + size] if size else data)

    def say(self, step, size=None):
        if isinstance(step, tuple):
            self.say(step[1], 1)
        elif isinstance(step, bytes):
            self.put(step, size)
        else:
            step(self.protocol)
            self.write(size)

    def hear(self, most):
        """Everything to the end of the connection, which the server ends (section 7.1.1).

        With more frames than `most` the verdict is known, and the end may never come.
        """
        while self.protocol.state.name != "CLOSED":
            if len(self.frames) > most:
                return [heard_frame(frame) for frame in self.frames]
            self.read()
            # An answer to the server's close; the end of our side comes with the socket's.
            self.write()
        if self.protocol.parser_exc:
            raise self.protocol.parser_exc
        # The protocol reads nothing behind a close; these are the bytes as they came.
        if not self.received.endswith(self.frames[-1].serialize(mask=False)):
            raise ValueError("something came behind the close (section 5.5.1)")
        return [heard_frame(frame) for frame in self.frames]


def heard_frame(frame):
    if frame.opcode is Opcode.CLOSE:
        return closed(Close.parse(frame.data).code)
    # An echo of ours is short: it has no reason to be in fragments.
    return heard(int(frame.opcode), frame.data) if frame.fin else ("a fragment", bytes(frame.data))


def agrees(found, wanted):
    """Whether all that was wanted came, in order.

    A pong may be left out when a later one comes: section 5.5.3 lets an endpoint that has several
    pings to answer answer only the latest.
    """
    at = 0
    for number, item in enumerate(wanted):
        got = found[at] if at < len(found) else None
        if got and got[0] == item[0] == CLOSE and got[1][0] in item[1] or got == item:
            at += 1
        elif item[0] != PONG or not any(later[0] == PONG for later in wanted[number + 1 :]):
            return False
    return at == len(found)


def brief(items):
    return [(kind, data if kind == CLOSE else bytes(data[:24])) for kind, data in items]


def judge(url, steps, wanted):
    """Why it fails; None when it does not."""
    connection = None
    try:
        connection = Connection(url)
        for step in steps:
            connection.say(step)
        found = connection.hear(len(wanted))
        if not agrees(found, wanted):
            return f"heard {brief(found)}, wanted {brief(wanted)}"
    # Whatever goes wrong is the verdict on this case, and the next one is judged too.
    except Exception as error:
        found = brief(map(heard_frame, connection.frames)) if connection else "nothing"
        return f"{type(error).__name__}: {error}, having heard {found}"
    finally:
        if connection:
            connection.socket.close()
    return None
