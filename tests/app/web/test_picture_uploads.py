"""The route that pictures come to from the page: bounded, answered with a token, and nothing of it on a disk."""

import asyncio
import json
import select
import socket
import tempfile
from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.testclient import TestClient

from app.web import picture_turns
from app.web.api import build_api
from app.web.door.connections import Patience
from app.web.door.security import Gate
from tests.app.colours import World
from tests.app.serving import picture, running
from tests.app.web.door.test_connections import all_of, answering, connect
from tests.indexer.processes import wait_until

PROBLEM = "application/problem+json"
ROUTE = "/api/v1/pictures"


@pytest.fixture
def client(services):
    with TestClient(Gate(build_api(services), max_body=50_000), base_url="http://localhost") as client:
        yield client


def test_a_picture_is_answered_with_a_token_and_only_a_square_and_a_small_picture_are_kept(client, services):
    whole = picture("green", "BMP")
    token = client.post(ROUTE, content=whole).json()["token"]
    dropped = services.dropped.find(token)
    assert dropped.prepared.side == services.embedder_for("colours").image_size
    assert dropped.small[:4] == b"RIFF" and len(dropped.small) < len(whole)


@pytest.mark.parametrize("content", [b"no picture", b"", picture("red")[:60]])
def test_what_is_no_picture_is_told_so_and_not_kept(client, services, content):
    answer = client.post(ROUTE, content=content)
    assert (answer.status_code, answer.headers["content-type"]) == (415, PROBLEM)
    assert "this file cannot be searched by" in answer.json()["detail"]
    assert len(services.dropped) == 0


def test_a_picture_over_the_bound_is_refused(client, services):
    declared = client.post(ROUTE, content=b"x" * 60_000)
    undeclared = client.post(ROUTE, content=(b"x" * 20_000 for _ in range(3)))
    for answer in (declared, undeclared):
        assert (answer.status_code, answer.headers["content-type"]) == (413, PROBLEM)
    assert len(services.dropped) == 0


def test_another_site_and_another_method_are_refused(client, services):
    answer = client.post(ROUTE, content=picture(), headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert client.get(ROUTE).status_code in (404, 405)
    assert len(services.dropped) == 0


def test_an_empty_library_says_what_to_do(tmp_path):
    with TestClient(build_api(World(tmp_path).services()), base_url="http://localhost") as client:
        answer = client.post(ROUTE, content=picture())
    assert answer.status_code == 503
    assert "picsift index" in answer.json()["detail"]


@pytest.mark.parametrize("route", [ROUTE, "/api/v1/search"])
def test_a_broken_off_upload_leaves_nothing_and_holds_nobody_up(services, monkeypatch, tmp_path, route, caplog):
    """Six of them, which is more than the server takes at once."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    kind = "multipart/form-data; boundary=b" if route.endswith("search") else "application/octet-stream"
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n' if "multi" in kind else b""
    head = f"POST {route} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: 9000000\r\n\r\n"
    with running(services, monkeypatch, tmp_path) as address, httpx.Client(base_url=address, timeout=60) as client:
        place = urlsplit(address)
        half_sent = [socket.create_connection((place.hostname, place.port)) for _ in range(6)]
        for one in half_sent[:4]:
            one.sendall(head.encode() + part + bytes(3_000_000))  # a form of more than a megabyte would be spooled
        for one in half_sent:
            one.close()
        upload = {"file": ("a.png", picture("blue"), "image/png")}
        sent = {"files": upload} if "multi" in kind else {"content": picture("blue")}
        assert client.post(route, **sent).status_code == 200
        wait_until(lambda: not any(temporary.iterdir()), 60)
        uploads = tmp_path / "uploads"
        assert not uploads.exists() or not [path for path in uploads.rglob("*") if path.is_file()]
    assert "Traceback" not in caplog.text and "ERROR" not in caplog.text


def test_a_picture_that_gives_way_is_told_so_for_good(services, monkeypatch):
    """Its connection ends: on a 408 browsers send it again by themselves, and what else came was taken for nothing."""
    monkeypatch.setattr(picture_turns, "WAITED_S", 0.2)
    api = build_api(services)
    head = f"POST {ROUTE} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000000\r\n\r\n".encode()
    with answering(Gate(api), Patience()) as (place, _), ExitStack() as stack:
        slow = [stack.enter_context(connect(place)) for _ in range(picture_turns.BODIES)]
        for one in slow:
            one.sendall(head + bytes(100_000))
        wait_until(lambda: len(api.state.turns._arriving) == len(slow))
        answer = httpx.post(f"http://localhost:{place[1]}{ROUTE}", content=picture("blue"), timeout=60)
        assert answer.status_code == 200
        (ended,) = select.select(slow, [], [], 60)[0]
        said, _, body = all_of(ended).partition(b"\r\n\r\n")  # up to the end of the connection
        assert said.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nconnection: close" in said.lower() and b"\r\nretry-after: " in said.lower()
        assert "too slowly" in json.loads(body)["detail"]
        assert len(api.state.turns._arriving) == len(slow) - 1


def test_few_forms_are_read_at_a_time_and_the_others_wait_outside(standing):
    """Each part of a form is kept until its end: 20 forms of 45 MB that had none took a gigabyte."""
    app, reading = build_api(standing), set()
    headers = [(b"host", b"localhost"), (b"content-type", b"multipart/form-data; boundary=b")]
    asked = {"type": "http", "method": "POST", "path": "/api/v1/search", "raw_path": b"", "query_string": b""}
    scope = {**asked, "headers": headers, "http_version": "1.1", "scheme": "http", "server": ("localhost", 80)}

    async def send_without_end(number, gone):
        async def receive():
            if number not in reading:
                reading.add(number)
                return {"type": "http.request", "body": b"--b\r\n", "more_body": True}
            await gone.wait()
            return {"type": "http.disconnect"}

        async def ignore(message): ...

        await app(dict(scope), receive, ignore)

    async def all_at_once():
        gone = asyncio.Event()
        sent = [asyncio.create_task(send_without_end(number, gone)) for number in range(picture_turns.BODIES + 3)]
        for _ in range(200):
            await asyncio.sleep(0)
        begun = len(reading)
        gone.set()
        await asyncio.gather(*sent)
        return begun

    assert asyncio.run(all_at_once()) == picture_turns.BODIES
