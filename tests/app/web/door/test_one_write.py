"""An answer leaves in one piece, and nothing is held back for longer than a moment, or lost."""

import asyncio
import socket
from asyncio.selector_events import _SelectorSocketTransport

import pytest

from app.web.door.connections import Patience
from app.web.door.one_write import LONGEST, OneWrite
from tests.app.web.door.test_connections import WHOLE, answering


class Recording:
    """A transport that says what was asked of it."""

    def __init__(self):
        self.did = []

    def write(self, data):
        self.did.append(data)

    def close(self):
        self.did.append("close")

    def abort(self):
        self.did.append("abort")


def done(act, *, turns=2):
    """What a transport was asked for by `act`, and by the loop after it."""

    async def run():
        inner = Recording()
        act(OneWrite(inner, asyncio.get_running_loop()))
        at_once = list(inner.did)
        for _ in range(turns):
            await asyncio.sleep(0)
        return at_once, inner.did

    return asyncio.run(run())


def writes(*parts):
    return lambda transport: [transport.write(part) for part in parts]


@pytest.mark.parametrize(
    ("parts", "at_once", "in_all"),
    [
        ((b"head", b"body"), [b"headbody"], [b"headbody"]),
        ((b"head", b"", b""), [b"head"], [b"head"]),  # of an answer without a body
        ((b"head",), [], [b"head"]),  # of a stream, whose first part may come in an hour
        ((b"", b""), [], []),
        ((b"head", b"one", b"two"), [b"headone"], [b"headone", b"two"]),
        ((b"head", b"-" * LONGEST), [b"head" + b"-" * LONGEST], [b"head" + b"-" * LONGEST]),
        ((b"head", b"-" * (LONGEST + 1)), [b"head", b"-" * (LONGEST + 1)], [b"head", b"-" * (LONGEST + 1)]),
    ],
)
def test_what_is_written_is_sent_in_order_and_together(parts, at_once, in_all):
    assert done(writes(*parts)) == (at_once, in_all)


def test_closing_sends_what_was_held_back_and_breaking_off_does_not():
    assert done(lambda transport: (transport.write(b"head"), transport.close()))[1] == [b"head", "close"]
    assert done(lambda transport: (transport.write(b"head"), transport.abort()))[1] == ["abort"]


async def two_parts(scope, receive, send):
    """Answers by a head and a body."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"body"})


def test_an_answer_is_one_call_of_the_system(monkeypatch):
    sent, write = [], _SelectorSocketTransport.write

    def noted(transport, data):
        sent.append(bytes(data))
        write(transport, data)

    with answering(two_parts, Patience()) as (address, _), socket.create_connection(address, timeout=60) as client:
        monkeypatch.setattr(_SelectorSocketTransport, "write", noted)
        for _ in range(2):  # the second over the same connection
            client.sendall(WHOLE)
            answer = b""
            while not answer.endswith(b"\r\n\r\nbody"):
                answer += client.recv(65536)
    assert len(sent) == 2
    assert all(one.startswith(b"HTTP/1.1 200") and one.endswith(b"\r\n\r\nbody") for one in sent)
