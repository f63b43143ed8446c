"""The gate: who is let in, and what every answer carries."""

import asyncio
import base64

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from app import security
from app.security import Gate, is_loopback


def secret(request):
    return PlainTextResponse("inside")


@pytest.fixture(autouse=True)
def no_delay(monkeypatch):
    monkeypatch.setattr(security, "WRONG_PASSWORD_DELAY_S", 0)


def client(base_url="http://localhost:7860", **options):
    inner = Starlette(routes=[Route("/", secret, methods=["GET", "POST"])])
    return TestClient(Gate(inner, **options), base_url=base_url)


def basic(text):
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        (basic("me:wrong"), 401),
        (basic("me:"), 401),
        (basic("pässword"), 401),
        ({"Authorization": "Basic ???"}, 401),
        ({"Authorization": "Bearer cMOkc3N3b3JkOjE="}, 401),
        (basic("me:pässword:1"), 200),
        (basic(":pässword:1"), 200),
    ],
)
def test_only_the_password_opens_the_door(headers, status):
    answer = client("http://photos.lan", password="pässword:1", hosts=None).get("/", headers=headers)
    assert answer.status_code == status
    assert ("inside" in answer.text) == (status == 200)
    assert ("www-authenticate" in answer.headers) == (status == 401)


def test_a_web_socket_needs_the_password_too():
    sent = []

    async def inner(scope, receive, send):
        raise AssertionError("it was let in")

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    scope = {"type": "websocket", "headers": [(b"host", b"localhost")]}
    asyncio.run(Gate(inner, password="x")(scope, receive, send))
    assert [message["type"] for message in sent] == ["websocket.close"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:7860", 200),
        ("127.0.0.1:7860", 200),
        ("127.0.0.1", 200),
        ("[::1]:7860", 200),
        ("LOCALHOST", 200),
        ("evil.example", 400),
        ("evil.example:7860", 400),
        ("127.0.0.1.evil.example", 400),
        ("localhost.evil.example", 400),
        ("", 400),
    ],
)
def test_another_name_for_this_machine_is_not_answered(host, status):
    assert client().get("/", headers={"Host": host}).status_code == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 200),
        ("http://localhost:7860", 200),
        ("http://localhost:8000", 403),
        ("https://evil.example", 403),
        ("null", 403),
        ("", 403),
    ],
)
def test_another_sites_page_is_not_answered(origin, status):
    headers = {} if origin is None else {"Origin": origin}
    for method in ("GET", "POST"):
        assert client().request(method, "/", headers=headers).status_code == status


def test_every_answer_keeps_the_browser_at_home():
    for answer in (client().get("/"), client().get("/", headers={"Host": "evil.example"})):
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_a_body_that_says_it_is_too_large_is_not_read():
    answer = client(max_body=10).post("/", content=b"x" * 11)
    assert (answer.status_code, answer.text.count("inside")) == (413, 0)
    assert "larger than" in answer.json()["detail"]
    assert client(max_body=10).post("/", content=b"x" * 10).status_code == 200


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("127.3.2.1", True), ("0.0.0.0", False), ("::", False)],
)
def test_loopback_is_told_from_the_rest(host, local):
    assert is_loopback(host) is local
