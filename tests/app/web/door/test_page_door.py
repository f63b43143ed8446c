"""What of Gradio can be reached: the page's own routes, and through them no file and no address."""

import json
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest

from app.web.door.connections import Patience
from app.web.door.page_door import PageDoor, checked_call, methods_of
from app.web.page.quiet_gradio import gradio
from tests.app.serving import running
from tests.app.web.door.test_connections import WHOLE, answering, connect, reads_all, was_closed

SESSION = "of-an-attacker"
FRONTEND = Path(gradio.__file__).parent / "templates" / "frontend"
CALLS = "/gradio_api/component_server"

UNUSED = [
    "/gradio_api/info",
    "/gradio_api/upload",
    "/gradio_api/queue/join",
    "/gradio_api/queue/data?session_hash=a",
    "/gradio_api/queue/status",
    "/gradio_api/cancel",
    "/gradio_api/reset",
    "/gradio_api/upload_progress?upload_id=a",
    "/gradio_api/openapi.json",
    "/gradio_api/call/search/abc",
    "/gradio_api/proxy=http://a.example/",
    "/gradio_api/file=/etc/passwd",
    "/gradio_api/file/etc/passwd",
    "/gradio_api/startup-events",
    "/gradio_api/stream/a/b",
    "/gradio_api/deep_link?session_hash=a",
    "/gradio_api/runs",
    "/gradio_api/token",
    "/monitoring",
    "/monitoring/summary",
    "/login",
    "/manifest.json",
    "/pwa_icon",
    "/docs",
    "/redoc",
    "/gradio_api/vibe-code",
    "/gradio_api/dev/reload",
    "/gradio_api/custom_component/a/b/c/d",
    "/nothing",
    "//etc/passwd",
    "/gradio_api//deep_link?session_hash=a",
    "/gradio_api/queue/../deep_link?session_hash=a",
    "/gradio_api/%64eep_link?session_hash=a",
]


@pytest.fixture(scope="module")
def uploads(tmp_path_factory):
    """Gradio's own folder, in which it would take files."""
    return tmp_path_factory.mktemp("gradio") / "uploads"


@pytest.fixture(scope="module")
def client(standing, uploads):
    """Sends to one server; what it answers to one request shall not hang on others."""
    with (
        pytest.MonkeyPatch.context() as patch,
        running(standing, patch, uploads.parent) as address,
        httpx.Client(base_url=address, timeout=60, verify=False) as client,
    ):
        yield client


def functions(client):
    """What the page may call, from the configuration in its HTML: number of a component, and name of a function."""
    page = client.get("/").text
    config = json.loads(page.split("window.gradio_config = ")[1].split(";</script>")[0])
    return [(one["id"], name) for one in config["components"] for name in one["props"].get("server_fns", ())]


def call(client, number, name, data):
    """Call a function with forged data; what was answered."""
    body = {"component_id": number, "fn_name": name, "session_hash": SESSION, "data": data}
    return client.post(CALLS, json=body).text


def forged(path):
    return {"path": str(path), "url": str(path), "meta": {"_type": "gradio.FileData"}, "orig_name": "a.png"}


def lying(folder):
    """All files below it."""
    return {path for path in folder.rglob("*") if path.is_file()}


def test_no_call_makes_the_server_read_a_file(client, tmp_path, uploads):
    """The whole attack: have a file copied into the cache, have the state saved, and read it back."""
    secret = tmp_path / "secret.txt"
    secret.write_text("the owner's secret words")
    every = functions(client)
    assert {name for _, name in every} == {"ask", "enlarge", "look"}
    for number, name in every:
        for value in (forged(secret), [forged(secret)], {"deep": [forged(secret)]}):
            assert "secret words" not in call(client, number, name, value)
    assert not [path for path in lying(uploads) if b"secret words" in path.read_bytes()]
    for route in ("deep_link?session_hash=" + SESSION, f"file={secret}", f"file={uploads}"):
        assert client.get(f"/gradio_api/{route}").status_code == 404
    for link in ("/config?deep_link=0123456789abcdef0123", "/?deep_link=0123456789abcdef0123"):
        assert client.get(link).status_code == 404


def test_no_call_that_holds_a_file_comes_to_gradio_not_even_one_that_was_uploaded(client, uploads):
    """What lies in Gradio's own folder is what it would take: the door refuses it all the same."""
    own = uploads / "0123" / "a.png"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"of another session")
    for number, name in functions(client):
        for value in (forged(own), [forged(own)], {"path": str(own)}, {"meta": {"_type": "gradio.FileData"}}):
            assert "holds no file" in call(client, number, name, value)


def test_what_the_page_does_not_offer_is_not_called(client):
    """Every other function of every component, those among them that Gradio offers of itself."""
    offered = functions(client)
    (number,) = {number for number, _ in offered}
    for other, name in [
        (number, "postprocess"),
        (number, "get_config"),
        (number + 1, "ask"),
        (10**6, "ask"),
        (-1, "ask"),
    ]:
        assert "calls what it offers" in call(client, other, name, {})
    for other in (str(number), float(number), True, None, [number], {"a": 1}):
        assert "calls what it offers" in call(client, other, "ask", {})
    for name in (None, ["ask"], "", "ask ", {"a": 1}):
        assert "calls what it offers" in call(client, number, name, {})


def test_a_call_keeps_no_session_and_is_read_as_what_was_checked(client):
    """No client makes Gradio keep a session for it, nor read the body another way than the door did."""
    (number,) = {number for number, _ in functions(client)}
    body = {"component_id": number, "fn_name": "ask", "session_hash": ["no text"], "data": {"question": {"q": "red"}}}
    for kind in ("application/json", "multipart/form-data; boundary=x", "text/plain"):
        answer = client.post(CALLS, content=json.dumps(body), headers={"Content-Type": kind})
        assert "red.png" in answer.json()["grid"]
    uploaded = client.post(CALLS, data={"component_id": number, "fn_name": "ask"}, files={"a": ("a.png", b"a picture")})
    assert uploaded.status_code == 400


@pytest.mark.parametrize("path", ["/assets/" + "a" * 280, "/static/a/" + "b" * 256, "/svelte/" + "c" * 141])
def test_a_name_that_no_file_can_have_is_not_looked_for(client, path):
    assert client.get(path).status_code == 404
    assert not methods_of(path, "")


@pytest.mark.parametrize("path", ["/", "/config", "/api/v1/search", "/api/v1/tags", "/api/v1/photos/1/similar"])
def test_an_address_of_very_many_parameters_is_refused_before_they_are_looked_at(client, path):
    """Those of 240 kB kept everybody waiting for seven seconds, and a page of another site may have them asked for."""
    answer = client.get(path + "?" + "&".join(f"u{number}=1" for number in range(1001)))
    assert (answer.status_code, "more than 1,000 parameters" in answer.text) == (400, True)


@pytest.mark.parametrize("path", ["/", "/config", "/theme.css"])
def test_the_pages_own_address_may_be_long(client, path, caplog):
    """It is the page's script that reads it: Gradio fails at one of 65,536 characters, with a traceback."""
    with connect((client.base_url.host, client.base_url.port)) as connected:
        connected.sendall(f"GET {path}?q={'a' * 100_000} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert connected.recv(12) == b"HTTP/1.1 200"
    assert not [record for record in caplog.records if record.exc_info]


def test_nothing_is_uploaded_to_gradio(client, uploads):
    before = lying(uploads)
    for route in ("/gradio_api/upload", "/gradio_api/upload/", "/gradio_api/upload?upload_id=a"):
        assert client.post(route, files={"files": ("a.png", b"a picture", "image/png")}).status_code == 404
    assert lying(uploads) == before


def test_a_device_that_never_ends_hangs_nothing(client):
    for number, name in functions(client):
        call(client, number, name, forged("/dev/zero"))
    assert client.get("/api/v1/health").status_code == 200


def test_no_call_makes_the_server_ask_an_address(client):
    asked = []

    class Listener(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        for number, name in functions(client):
            for scheme in ("http", "HTTP"):
                named = forged(f"{scheme}://127.0.0.1:{server.server_port}/a.png")
                assert "holds no file" in call(client, number, name, named)
        assert asked == []
    finally:
        server.shutdown()
        server.server_close()


def test_what_the_page_does_not_use_is_not_there(client):
    for route in UNUSED:
        for method in ("GET", "POST", "HEAD"):
            assert client.request(method, route).status_code == 404, (method, route)


def test_the_door_names_the_routes_of_the_page(client):
    for query in ("deep_link=a", "a=1&deep_link=", "%64eep_link=a"):
        for path in ("/", "/config", "/assets/index.js"):
            assert not methods_of(path, query)
    names = [file.relative_to(FRONTEND).as_posix() for file in FRONTEND.rglob("*.*") if file.is_file()]
    files = [f"/{name}" for name in names if name.startswith(("assets/", "static/"))]
    assert len(files) > 100
    assert not [file for file in files if "GET" not in methods_of(file, "")]


def test_every_path_of_the_page_tells_what_may_be_done_there(client):
    read = dict.fromkeys(("/", "/config", "/theme.css", "/favicon.ico", "/static/img/logo.svg"), "GET, HEAD, OPTIONS")
    for path, allowed in {**read, "/gradio_api/heartbeat/abc": "GET, OPTIONS", CALLS: "OPTIONS, POST"}.items():
        told = client.options(path)
        assert (told.status_code, told.headers["allow"], told.content) == (204, allowed, b"")
        for method in {"GET", "HEAD", "POST", "PUT", "TRACE", "BREW"} - set(allowed.split(", ")):
            refused = client.request(method, path)
            assert (refused.status_code, refused.headers["allow"]) == (405, allowed), method
        if path in read:
            got, head = client.get(path), client.head(path)
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers["content-type"] == got.headers["content-type"]


ODD = [
    "/static/" + "a" * 5000,  # longer than a name may be
    "/static/%00",
    "/static/..%2f..%2f..%2fetc%2fpasswd",
    "/assets/..%5c..%5ca",
    "/assets//etc/passwd",
    "/assets/.hidden",
    "/svelte/",
    "/static/none.js",
    "/static/img",
    "/static/img/",
    "/gradio_api/heartbeat/%00",
    "/gradio_api/heartbeat/%0d%0aa",
    "/gradio_api/heartbeat/" + "a" * 5000,
    "/config%0a",
    "/api/v1/health%0a",
    "/openapi.json%0a",
]


def test_odd_paths_are_not_there_and_that_is_a_short_problem(client):
    for path in ODD:
        refused = client.get(path)
        assert (refused.status_code, refused.headers["content-type"]) == (404, "application/problem+json"), path
        assert len(refused.content) < 1000


def test_a_stream_of_the_page_gives_its_place_to_a_new_connection():
    """One client may open as many as there are places, and each of them never ends; the page goes on without."""

    async def beats(scope, receive, send):
        if scope["type"] != "http" or scope["path"] == "/":
            await reads_all(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass

    with answering(PageDoor(beats), Patience(most=2)) as (address, _), connect(address) as one, connect(address) as two:
        for stream in (one, two):
            stream.sendall(WHOLE.replace(b"/ HTTP", b"/gradio_api/heartbeat/a HTTP"))
            assert stream.recv(4000).startswith(b"HTTP/1.1 200")
        with connect(address) as new:
            new.sendall(WHOLE)
            assert new.recv(12) == b"HTTP/1.1 200"
        while one.recv(4000):
            pass
        assert was_closed(one)


def raw(client, line):
    """The status of a request whose first line is sent as it stands."""
    with connect((client.base_url.host, client.base_url.port)) as connected:
        connected.sendall(line + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return int(connected.recv(12).split()[1])


def test_a_whole_address_is_answered_where_its_name_is_the_servers_own(client):
    assert raw(client, b"GET http://127.0.0.1/api/v1/health") == 200
    assert raw(client, b"GET http://localhost/config") == 200
    assert raw(client, b"GET http://a.example/api/v1/health") == 400
    assert raw(client, b"GET http://localhost@a.example/") == 400
    assert raw(client, b"GET http://localhost/gradio_api/deep_link?session_hash=a") == 404
    assert (raw(client, b"OPTIONS *"), raw(client, b"GET *")) == (204, 405)


def test_a_call_that_is_none_is_refused(client):
    for body in (b"", b"{", b"[]", b"7", b"null", b"\xff", b"[" * 100_000, b'{"component_id": 1}'):
        assert checked_call(body, {(1, "ask")}) is None
        answer = client.post(CALLS, content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")


@pytest.mark.parametrize(
    ("data", "passes"),
    [
        (["http://a.example is a fine site", None, 1.5], True),
        ([{"photo": 3}], True),
        ([{"path": "ftp://a.example"}], False),
        ([{"path": ["http://a.example"]}], False),
        ({"a": {"b": [{"path": "https://a.example"}]}}, False),
        ([{"path": "/upload"}], False),
        ([{"url": "/a", "meta": {"_type": "gradio.FileData"}}], False),
        ([{"path": None}], False),
        (["path", "_type"], True),
    ],
)
def test_calls_may_speak_of_files_but_hold_none(data, passes):
    body = {"component_id": 1, "fn_name": "ask", "session_hash": SESSION, "data": data}
    call = checked_call(json.dumps(body).encode().replace(b"path", b"p\\u0061th"), {(1, "ask")})
    assert (call is not None) is passes
    assert call is None or json.loads(call)["data"] == data


def test_a_call_that_is_too_long_is_refused(client):
    (number,) = {number for number, _ in functions(client)}
    answer = client.post(CALLS, json={"component_id": number, "fn_name": "ask", "data": "x" * 300_000})
    assert answer.status_code == 400
    assert urllib.parse.urlsplit(str(answer.url)).path == CALLS
