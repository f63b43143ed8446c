"""Who still sends hears the last answer: a reset, at which clients fail before they read, is no answer."""

from contextlib import ExitStack

import pytest

from app.web.door import connections, last_word
from app.web.door.connections import Patience
from tests.app.web.door.test_connections import (
    CHUNKED,
    HEAD,
    WHOLE,
    all_of,
    answering,
    answers_early,
    busy,
    connect,
    held,
    reads_all,
    seen,
    wait_for,
)

LONG = 8 * 2**20  # bytes, more than the system takes for a server that does not read
CLOSING = HEAD.replace(b"100000", str(LONG).encode())[:-2] + b"Connection: close\r\n\r\n"


async def answers_and_closes(scope, receive, send):
    """As where a picture that comes slowly gives way."""
    if scope["type"] == "http":
        headers = [(b"content-length", b"0"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize(
    ("app", "head", "status"),
    [
        (answers_early, CLOSING, b"401"),
        (answers_early, CLOSING.replace(b"HTTP/1.1", b"HTTP/1.0").replace(b"Connection: close\r\n", b""), b"401"),
        (answers_and_closes, CLOSING.replace(b"Connection: close\r\n", b""), b"503"),
        (reads_all, CHUNKED + b"no chunk\r\n", b"400"),
        (reads_all, WHOLE + b"\x16\x03\x01\r\n\r\n", b"200"),
    ],
    ids=["refused", "of HTTP/1.0", "given way", "damaged", "damaged behind another"],
)
def test_a_body_is_sent_to_its_end_and_the_answer_read(app, head, status):
    with answering(app, Patience()) as (address, server), connect(address) as connected:
        connected.sendall(head)
        connected.sendall(b"x" * LONG)  # raises where the connection is reset
        assert all_of(connected).startswith(b"HTTP/1.1 " + status)
        connected.close()
        wait_for(lambda: not server.server_state.connections)


def test_so_is_one_where_there_are_too_many_connections():
    with held() as (app, go_on), answering(app, Patience(most=2)) as (address, server), ExitStack() as stack:
        there = busy(address, stack, server, 2)
        for _ in range(3):  # who was refused takes nobody's place, and nobody takes theirs
            refused = stack.enter_context(connect(address))
            refused.sendall(CLOSING)
            refused.sendall(b"x" * LONG)
            assert all_of(refused).startswith(b"HTTP/1.1 503")
        go_on.set()
        assert [connected.recv(12) for connected in there] == [b"HTTP/1.1 200"] * 2


def test_few_are_listened_to_so_beyond_the_bound(monkeypatch):
    monkeypatch.setattr(connections, "MOST_LINGERING", 2)
    with held() as (app, go_on), answering(app, Patience(most=1)) as (address, server), ExitStack() as stack:
        busy(address, stack, server, 1)
        for _ in range(10):
            assert all_of(stack.enter_context(connect(address))).startswith(b"HTTP/1.1 503")
        wait_for(lambda: len(server.server_state.connections) <= 3)
        go_on.set()


@pytest.mark.parametrize("longest", ["LONGEST_S", "SILENCE_S"])
def test_nobody_is_listened_to_for_long(monkeypatch, longest):
    monkeypatch.setattr(last_word, longest, 0.1)
    with answering(answers_early, Patience()) as (address, server), connect(address) as connected:
        connected.sendall(CLOSING)
        assert all_of(connected).startswith(b"HTTP/1.1 401")
        wait_for(lambda: not server.server_state.connections)


def test_nor_any_longer_than_the_server_runs(monkeypatch):
    monkeypatch.setattr(last_word, "LONGEST_S", 3600)
    monkeypatch.setattr(last_word, "SILENCE_S", 3600)
    with answering(answers_early, Patience()) as (address, server), connect(address) as connected:
        connected.sendall(CLOSING)
        assert all_of(connected).startswith(b"HTTP/1.1 401")
        assert seen(server, lambda one: one._last_word.lingers) == [True]
        seen(server, lambda one: one.shutdown())
        wait_for(lambda: not server.server_state.connections)
