"""The gate: who is let in, and what every answer carries."""

import asyncio
import base64
from types import SimpleNamespace

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from app import password_hash
from app.password_hash import LONGEST_BYTES
from app.trusted_proxies import checked_host, networks
from app.web.door import doorkeeper
from app.web.door.doorkeeper import AT_THE_DOOR, Doorkeeper, Verdict
from app.web.door.forwarding import Proxies
from app.web.door.security import Gate, is_loopback, is_same_site


def secret(request):
    return PlainTextResponse("inside")


@pytest.fixture(autouse=True)
def no_delay(monkeypatch):
    monkeypatch.setattr(doorkeeper, "EVERY_WRONG_S", 0)
    monkeypatch.setattr(doorkeeper, "LONGEST_PAUSE_S", 0)


def client(base_url="http://localhost:7860", sender="127.0.0.1", **options):
    inner = Starlette(routes=[Route("/", secret, methods=["GET", "POST"])])
    return TestClient(Gate(inner, **options), base_url=base_url, client=(sender, 50000), follow_redirects=False)


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
        ({"Authorization": basic(":pässword:1")["Authorization"].replace(" ", "   ")}, 200),  # RFC 9110, 11.4
    ],
)
def test_only_the_password_opens_the_door(headers, status):
    answer = client("http://photos.lan", keeper=Doorkeeper("pässword:1"), hosts=None).get("/", headers=headers)
    assert answer.status_code == status
    assert ("inside" in answer.text) == (status == 200)
    assert ("www-authenticate" in answer.headers) == (status == 401)


def test_a_password_that_is_too_long_to_be_one_is_wrong_and_not_put_together(monkeypatch):
    """To compose n accents in a row takes n squared: seven seconds of the whole server for what a head holds."""
    put_together = []

    def normalize(form, text):
        put_together.append(len(text))
        return text

    monkeypatch.setattr(password_hash, "unicodedata", SimpleNamespace(normalize=normalize))
    gate = client("http://photos.lan", keeper=Doorkeeper("pässword:1"), hosts=None)
    assert gate.get("/", headers=basic(":a" + "\u0301\u0316" * 40_000)).status_code == 401
    assert max(put_together) <= LONGEST_BYTES
    assert gate.get("/", headers=basic(":pässword:1")).status_code == 200


def test_a_request_is_known_to_be_at_the_door_as_long_as_its_password_is_looked_at():
    at_the_door = []

    class Keeper:
        async def check(self, given, address):
            at_the_door.append(AT_THE_DOOR in scope)
            return Verdict.RIGHT

    async def inner(scope, receive, send):
        at_the_door.append(AT_THE_DOOR in scope)

    headers = [(b"host", b"localhost"), (b"authorization", b"Basic OmE=")]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": headers}
    asyncio.run(Gate(inner, keeper=Keeper())(scope, None, None))
    assert (at_the_door, AT_THE_DOOR in scope) == ([True, False], False)


def test_a_web_socket_needs_the_password_too():
    sent = []

    async def inner(scope, receive, send):
        raise AssertionError("it was let in")

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    scope = {"type": "websocket", "headers": [(b"host", b"localhost")]}
    asyncio.run(Gate(inner, keeper=Doorkeeper("x"))(scope, receive, send))
    assert [message["type"] for message in sent] == ["websocket.close"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:7860", 200),
        ("127.0.0.1:7860", 200),
        ("127.0.0.1", 200),
        ("[::1]:7860", 200),
        ("LOCALHOST", 200),
        ("localhost.", 200),
        ("localhost.:7860", 200),
        ("localhost:", 200),
        ("localhost:80@evil.example", 400),
        ("localhost:80/evil", 400),
        ("localhost:x", 400),
        ("[::1]x", 400),
        ("[::1", 400),
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
    ("allowed", "host"),
    [
        ("[2001:0db8::1]", "[2001:0db8::1]:7860"),
        ("2001:db8::1", "[2001:DB8:0::1]"),
        ("::ffff:192.168.0.1", "[::ffff:192.168.0.1]:7860"),
        ("::ffff:192.168.0.1", "[::ffff:c0a8:1]"),
        ("fe80::1%eth0", "[fe80::1]:7860"),
        ("fe80::1", "[fe80::1%25eth0]:7860"),
        ("fe80::1%25wlan0", "[fe80::1%wlan0]"),
        ("Photos.LAN.", "photos.lan"),
    ],
)
def test_an_allowed_name_is_known_however_either_side_writes_it(allowed, host):
    gate = client(hosts=frozenset({checked_host(allowed)}))
    assert gate.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["[fe80::1%25eth0]:7860", "[fe80::1%eth0]"])
def test_a_name_may_tell_the_zone_of_an_address(host):
    gate = client(keeper=Doorkeeper("right"), hosts=None)
    assert gate.get("/", headers={"Host": host, **basic(":right")}).status_code == 200
    assert client().get("/", headers={"Host": host}).status_code == 400


NO_NAMES = ["a b", "a/b", "a@b", "a:1:2", "[::1]]", "é.example", "a:b", "x" * 5000 + "/", "."]
NO_NAMES += ["x" * 254, "256.1.1.1", "1.2.3.04"]
NO_ADDRESSES = ["[fe80::1%]", "[%eth0]", "[fe80::1%a/b]", "[1:2]", "[127.0.0.1]"]


@pytest.mark.parametrize("host", NO_NAMES + NO_ADDRESSES)
def test_what_is_no_name_is_not_answered_whoever_knows_the_password(host):
    gate = client(keeper=Doorkeeper("right"), hosts=None)
    refused = gate.get("/", headers={"Host": host.encode("utf-8"), **basic(":right")})
    assert (refused.status_code, "no name of a server" in refused.json()["detail"]) == (400, True)
    assert len(refused.content) < 1000


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 200),
        ("http://localhost:7860", 200),
        ("http://localhost:8000", 403),
        ("https://evil.example", 403),
        ("null", 403),
        ("http://[::1", 403),
        ("http://[localhost:7860", 403),
        ("", 403),
        ("http://[::1", 403),
        ("http://localhost:99999", 403),
        ("http://localhost:x", 403),
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


@pytest.mark.parametrize(
    ("origin", "host", "same"),
    [
        ("https://photos.lan", "photos.lan", True),
        ("https://photos.lan", "photos.lan:443", True),
        ("https://photos.lan:443", "photos.lan", True),
        ("http://photos.lan", "photos.lan:80", True),
        ("http://photos.lan:80", "PHOTOS.lan", True),
        ("http://[::1]", "[::1]:80", True),
        ("http://photos.lan", "photos.lan:443", False),
        ("https://photos.lan", "photos.lan:80", False),
        ("https://photos.lan:8443", "photos.lan", False),
        ("http://photos.lan", "photos.lan.evil.example", False),
        ("http://photos.lan", "", False),
        ("http://", "", False),
    ],
)
def test_the_usual_port_may_be_named_or_not(origin, host, same):
    assert is_same_site(origin, host) is same


def test_a_refused_name_and_a_refused_page_are_told_the_remedy():
    assert "--allowed-host" in client().get("/", headers={"Host": "photos.lan"}).json()["detail"]
    refused = client().get("/", headers={"Origin": "https://photos.lan"}).json()["detail"]
    assert "--trusted-proxy" in refused
    assert "X-Forwarded-Host" in refused


FORWARDED = {"X-Forwarded-Host": "photos.lan", "X-Forwarded-Proto": "https", "Origin": "https://photos.lan"}


def test_a_trusted_proxys_name_is_the_servers():
    trusting = Proxies(networks(["127.0.0.1"]))
    assert client(proxies=trusting).post("/", headers=FORWARDED).status_code == 200
    assert client().post("/", headers=FORWARDED).status_code == 403
    assert client(proxies=trusting, sender="127.0.0.2").post("/", headers=FORWARDED).status_code == 403


def test_a_page_that_gives_its_own_name_this_machines_address_forwards_nothing():
    """A browser on this machine has the address of a proxy on this machine, and may send any header to its own name."""
    trusting = Proxies(networks(["127.0.0.1"]))
    rebound = {"Host": "evil.example:7860", "X-Forwarded-Host": "localhost", "Forwarded": "host=localhost"}
    assert client(proxies=trusting).get("/", headers=rebound).status_code == 400
    elsewhere = client(proxies=Proxies(networks(["10.0.0.0/8"])), sender="10.1.2.3")
    assert elsewhere.get("/", headers={"Host": "photos.lan"}).status_code == 200


def test_a_wrong_password_is_told_of_the_address_that_the_proxy_heard_it_from(caplog):
    gate = client(proxies=Proxies(networks(["127.0.0.1"])), keeper=Doorkeeper("right"))
    for _ in range(5):
        assert gate.get("/", headers=basic(":wrong") | {"X-Forwarded-For": "192.0.2.7, 127.0.0.1"}).status_code == 401
    assert "192.0.2.7" in caplog.text


def test_below_a_root_the_door_is_there_and_the_root_itself_leads_to_it():
    below = client(proxies=Proxies(root_path="/photos"))
    for path in ("/", "/photos/"):
        assert below.get(path).text == "inside"
    moved = below.get("/photos")
    assert (moved.status_code, moved.headers["location"]) == (307, "/photos/")
    assert below.get("/photosx").status_code == 404


def test_streams_pass_nginx_as_they_come():
    inner = Starlette(routes=[Route("/", lambda _: PlainTextResponse("x", media_type="text/event-stream"))])
    streamed = TestClient(Gate(inner), base_url="http://localhost").get("/")
    assert streamed.headers["x-accel-buffering"] == "no"
    assert "x-accel-buffering" not in client().get("/").headers
