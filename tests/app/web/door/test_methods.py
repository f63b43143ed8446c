"""HEAD wherever GET is, OPTIONS that say what is, and 405 with that list for the rest."""

import pytest
from starlette.testclient import TestClient

from app.web.api import build_api
from app.web.door.security import Gate
from tests.app.serving import photo_id

PROBLEM = "application/problem+json"
READ = "GET, HEAD, OPTIONS"


@pytest.fixture
def api(services):
    return build_api(services)


@pytest.fixture
def client(api):
    with TestClient(Gate(api), base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def paths(services):
    photo = f"/api/v1/photos/{photo_id(services, 'yellow.jpg')}"
    kinds = dict.fromkeys(("", "/similar", "/thumbnail", "/preview", "/original", "/heat"), READ)
    return {
        "/api/v1/search": "GET, HEAD, OPTIONS, POST",
        "/api/v1/status": READ,
        "/api/v1/health": READ,
        "/api/v1/duplicates": READ,
        "/api/v1/tags": "DELETE, GET, HEAD, OPTIONS",
        "/api/v1/tags/changes": READ,
        **dict.fromkeys((f"/api/v1/tags/{change}" for change in ("rename", "merge", "restore")), "OPTIONS, POST"),
        "/api/v1/tagging": "DELETE, GET, HEAD, OPTIONS, POST",
        "/api/v1/review": "GET, HEAD, OPTIONS, POST",
        "/api/v1/exports": "GET, HEAD, OPTIONS, POST",
        "/api/v1/exports/preview": READ,
        "/api/v1/exports/table": READ,
        "/api/v1/exports/run": "DELETE, GET, HEAD, OPTIONS",
        "/api/v1/exports/ways": READ,
        **dict.fromkeys((f"/api/v1/exports/1/{what}" for what in ("undo", "forget")), "OPTIONS, POST"),
        "/openapi.json": READ,
        **{photo + kind: allowed for kind, allowed in kinds.items()},
        **dict.fromkeys((f"{photo}/tags", f"{photo}/edits"), "DELETE, GET, HEAD, OPTIONS, POST"),
    }


def test_every_path_tells_what_may_be_done_there(client, paths, api):
    assert len(paths) == len(api.openapi()["paths"]) + 1
    for path, allowed in paths.items():
        answer = client.options(path)
        assert (answer.status_code, answer.headers["allow"], answer.content) == (204, allowed, b"")


def test_what_may_not_be_done_is_refused_with_what_may(client, paths):
    for path, allowed in paths.items():
        for method in {"PUT", "PATCH", "POST", "DELETE", "TRACE", "BREW"} - set(allowed.split(", ")):
            answer = client.request(method, path)
            assert (answer.status_code, answer.headers["content-type"]) == (405, PROBLEM)
            assert answer.headers["allow"] == allowed
            assert method in answer.json()["detail"]


def test_head_is_get_without_what_follows(client, paths):
    changing = {"took_ms"}
    for path in (path for path, allowed in paths.items() if "HEAD" in allowed):
        asked = {"q": "red"} if path.endswith(("/search", "/heat")) else {}
        got, head = (client.request(method, path, params=asked) for method in ("GET", "HEAD"))
        assert (head.status_code, head.content) == (200, b""), path
        kept = {name: value for name, value in got.headers.items() if name != "content-length"}
        assert {name: value for name, value in head.headers.items() if name != "content-length"} == kept
        told = got.json() if got.headers["content-type"] == "application/json" else ()
        if isinstance(told, list) or changing.isdisjoint(told):
            assert head.headers["content-length"] == str(len(got.content))


def test_head_of_what_is_not_there_says_so(client):
    for path, status in (("/api/v1/photos/987654", 404), ("/api/v1/photos/x", 422), ("/api/v1/nothing", 404)):
        assert client.head(path).status_code == status


def test_head_reads_no_original(client, services, monkeypatch):
    import anyio

    async def opened(*args, **kwargs):
        raise AssertionError("the file was opened")

    monkeypatch.setattr(anyio, "open_file", opened)
    answer = client.head(f"/api/v1/photos/{photo_id(services, 'yellow.jpg')}/original")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
