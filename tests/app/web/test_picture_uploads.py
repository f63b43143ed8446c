"""The route that pictures come to from the page: bounded, answered with a token, and nothing of it on a disk."""

import socket
import tempfile
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.testclient import TestClient

from app.web.api import build_api
from app.web.door.security import Gate
from tests.app.colours import World
from tests.app.serving import picture, running
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
