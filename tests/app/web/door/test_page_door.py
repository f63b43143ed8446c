"""What of Gradio can be reached: the page's own routes, and through them no file and no address."""

import json
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest

from app.web.door.page_door import checked_event, is_used
from tests.app.serving import running

SESSION = "of-an-attacker"
pytestmark = pytest.mark.filterwarnings("ignore:'future.no_silent_downcasting'")  # Gradio's queue asks pandas for it

UNUSED = [
    "/gradio_api/info",
    "/gradio_api/upload",
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


@pytest.fixture
def client(services, monkeypatch, tmp_path):
    with running(services, monkeypatch, tmp_path) as address, httpx.Client(base_url=address, timeout=60) as client:
        yield client


def functions(client):
    """The page's events, from the configuration in its HTML: index and number of inputs."""
    page = client.get("/").text
    config = json.loads(page.split("window.gradio_config = ")[1].split(";</script>")[0])
    return [(entry["id"], len(entry["inputs"])) for entry in config["dependencies"] if entry["backend_fn"]]


def join(client, index, inputs, forged, event_data=None):
    """Send an event all of whose values are forged, and read its answer to the end."""
    body = {"fn_index": index, "session_hash": SESSION, "data": [forged] * inputs, "event_data": event_data}
    sent = client.post("/gradio_api/queue/join", json=body)
    if sent.status_code != 200:
        return sent.text
    lines = []
    with client.stream("GET", "/gradio_api/queue/data", params={"session_hash": SESSION}) as stream:
        for line in stream.iter_lines():
            lines.append(line)
            if "process_completed" in line or "close_stream" in line:
                break
    return "\n".join(lines)


def forged(path):
    return {"path": str(path), "url": str(path), "meta": {"_type": "gradio.FileData"}, "orig_name": "a.png"}


def test_no_event_makes_the_server_read_a_file(client, tmp_path):
    """The whole attack: have a file copied into the cache, have the state saved, and read it back."""
    secret = tmp_path / "secret.txt"
    secret.write_text("the owner's secret words")
    every = functions(client)
    assert len(every) >= 8
    for index, inputs in every:
        for value in (forged(secret), [forged(secret)], {"deep": [forged(secret)]}):
            answer = join(client, index, inputs, value, event_data=value if isinstance(value, dict) else None)
            assert "secret words" not in answer
    kept = [path for path in (tmp_path / "uploads").rglob("*") if path.is_file()]
    assert not [path for path in kept if b"secret words" in path.read_bytes()]
    for route in ("deep_link?session_hash=" + SESSION, f"file={secret}", "file=" + str(tmp_path / "uploads")):
        assert client.get(f"/gradio_api/{route}").status_code == 404
    for link in ("/config?deep_link=0123456789abcdef0123", "/?deep_link=0123456789abcdef0123"):
        assert client.get(link).status_code == 404


def test_no_event_that_holds_a_file_comes_to_gradio_not_even_one_that_was_uploaded(client, tmp_path):
    """What lies in Gradio's own folder is what it would take: the door refuses it all the same."""
    own = tmp_path / "uploads" / "0123" / "a.png"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"of another session")
    for index, inputs in functions(client):
        for value in (forged(own), [forged(own)], {"path": str(own)}, {"meta": {"_type": "gradio.FileData"}}):
            assert "holds no file" in join(client, index, max(inputs, 1), value)
            assert "holds no file" in join(client, index, inputs, None, event_data={"token": value})


def test_nothing_is_uploaded_to_gradio(client, tmp_path):
    for route in ("/gradio_api/upload", "/gradio_api/upload/", "/gradio_api/upload?upload_id=a"):
        assert client.post(route, files={"files": ("a.png", b"a picture", "image/png")}).status_code == 404
    assert not [path for path in tmp_path.joinpath("uploads").rglob("*") if path.is_file()]


def test_a_device_that_never_ends_hangs_nothing(client):
    for index, inputs in functions(client):
        join(client, index, inputs, forged("/dev/zero"))
    assert client.get("/api/v1/health").status_code == 200


def test_no_event_makes_the_server_ask_an_address(client):
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
        for index, inputs in functions(client):
            for scheme in ("http", "HTTP"):
                named = forged(f"{scheme}://127.0.0.1:{server.server_port}/a.png")
                assert "holds no file" in join(client, index, inputs, named, event_data=named)
        assert asked == []
    finally:
        server.shutdown()
        server.server_close()


def test_what_the_page_does_not_use_is_not_there(client):
    for route in UNUSED:
        for method in ("GET", "POST", "HEAD"):
            assert client.request(method, route).status_code == 404, (method, route)


def test_the_door_names_the_routes_of_the_page(client):
    assert is_used("GET", "/assets/index.js", "") and is_used("GET", "/api/v1/search", "q=deep_link")
    for query in ("deep_link=a", "a=1&deep_link=", "%64eep_link=a"):
        assert not is_used("GET", "/", query)
        assert not is_used("GET", "/config", query)
    assert not is_used("POST", "/assets/index.js", "")
    assert not is_used("POST", "/", "")


def test_an_event_that_is_none_is_refused(client):
    for body in (b"", b"{", b"\xff", b"[" * 100_000, b'{"data": [{"path": null}]}', b'{"data": [{"p\\u0061th": "a"}]}'):
        assert checked_event(body) is None
        answer = client.post("/gradio_api/queue/join", content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")


@pytest.mark.parametrize(
    ("data", "passes"),
    [
        (["http://a.example is a fine site", None, 1.5], True),
        ([{"photo_id": 3}], True),
        ([{"path": "ftp://a.example"}], False),
        ([{"path": ["http://a.example"]}], False),
        ({"a": {"b": [{"path": "https://a.example"}]}}, False),
        ([{"path": "/upload"}], False),
        ([{"url": "/a", "meta": {"_type": "gradio.FileData"}}], False),
        ([{"path": None}], False),
        (["path", "_type"], True),
    ],
)
def test_events_may_speak_of_files_but_hold_none(data, passes):
    event = checked_event(json.dumps({"data": data}).encode())
    assert (event is not None) is passes
    assert event is None or json.loads(event) == {"data": data}


def test_an_event_that_is_too_long_is_refused(client):
    answer = client.post("/gradio_api/queue/join", json={"data": ["x" * 2_000_000]})
    assert answer.status_code == 400
    assert urllib.parse.urlsplit(str(answer.url)).path == "/gradio_api/queue/join"
