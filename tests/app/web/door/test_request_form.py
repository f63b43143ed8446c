"""Requests that look odd and are sound: an address as a whole, and two lengths of one body."""

import json

import pytest

from app.web.door.connections import Patience
from app.web.door.request_form import RequestForm
from tests.app.web.door.test_connections import answering, connect


async def tells(scope, receive, send):
    """Answers with what it was asked."""
    if scope["type"] != "http":
        return
    body = b""
    while (message := await receive()).get("more_body"):
        body += message["body"]
    hosts = [value.decode() for name, value in scope["headers"] if name == b"host"]
    told = json.dumps([scope["path"], scope["query_string"].decode(), hosts, len(body + message["body"])]).encode()
    headers = [(b"content-length", str(len(told)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": told})


@pytest.fixture(scope="module")
def address():
    with answering(RequestForm(tells), Patience()) as (address, _):
        yield address


def asked(address, target, host=b"localhost", more=b"Connection: close\r\n", body=b""):
    """All that comes until the connection ends."""
    with connect(address) as connected:
        connected.sendall(b"POST " + target + b" HTTP/1.1\r\nHost: " + host + b"\r\n" + more + b"\r\n" + body)
        return b"".join(iter(lambda: connected.recv(9999), b""))


@pytest.mark.parametrize(
    ("target", "meant"),
    [
        (b"/a?b=c", ["/a", "b=c", ["localhost"], 0]),
        (b"http://example.org:80/a%2fb/%C3%A9?b=http://c", ["/a/b/é", "b=http://c", ["example.org:80"], 0]),
        (b"HTTPS://[::1]", ["/", "", ["[::1]"], 0]),
        (b"http://a?b", ["/", "b", ["a"], 0]),
        (b"http:///a", ["/a", "", [""], 0]),
        (b"ftp://a/b", ["ftp://a/b", "", ["localhost"], 0]),
        (b"//a/b", ["//a/b", "", ["localhost"], 0]),
        (b"*", ["*", "", ["localhost"], 0]),
    ],
)
def test_an_address_as_a_whole_is_understood_and_its_name_counts(address, target, meant):
    """Any server has to (RFC 9112, 3.2.2); and a Host beside it shall not pass for the name that is asked for."""
    assert json.loads(asked(address, target).partition(b"\r\n\r\n")[2]) == meant


def test_a_connection_with_two_lengths_of_a_body_ends_with_the_answer(address):
    """What follows by the other length is no request: it may be what somebody else's body holds (RFC 9112, 6.1)."""
    both = b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"
    heard = asked(address, b"/a", more=both, body=b"2\r\nab\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (heard.count(b"HTTP/1.1 "), heard.count(b"smuggled")) == (1, 0)
    assert b"\r\nconnection: close\r\n" in heard.lower()
    assert json.loads(heard.partition(b"\r\n\r\n")[2])[3] == 2
