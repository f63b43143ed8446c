"""/openapi.json is true: whatever a route answers is described there, its status, its kind and its shape."""

import re
from datetime import datetime

import pytest
from starlette.routing import compile_path
from starlette.testclient import TestClient

from app.web.api import build_api
from app.web.door.security import Gate
from indexer.catalog.tag_records import Decision
from indexer.errors import LibraryError
from tests.app.colours import World
from tests.app.serving import photo_id, picture

PHOTO = "/api/v1/photos/{photo_id}"
BODIES = {
    PHOTO + "/tags": {"tag": "dog", "state": "accepted"},
    PHOTO + "/edits": {"rating": 4},
    "/api/v1/tags/rename": {"tag": "dog", "to": "animal/dog"},
    "/api/v1/tags/merge": {"tag": "dog", "into": "cat"},
    "/api/v1/tags/restore": {"all": True},
    "/api/v1/tagging": {},
    "/api/v1/exports": {},
    "/api/v1/review": {"words": [{"photo": 1, "tag": "dog", "word": "accept"}]},
}
"""What can be sent to routes that take JSON."""
JSON = {"Content-Type": "application/json"}
ALWAYS = ("/api/v1/health", "/api/v1/tagging", "/api/v1/exports/run", "/api/v1/exports/ways")
"""What asks no library: of work that takes long, and of this machine, the server itself knows."""
TYPES = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}


def is_moment(text):
    """RFC 3339's date-time, which has a zone."""
    return isinstance(text, str) and datetime.fromisoformat(text).tzinfo is not None and "T" in text


class Description:
    """What /openapi.json says, and whether an answer agrees with it."""

    def __init__(self, document):
        self.document = document
        self.seen = set()

    def check(self, answer):
        """Raise AssertionError where the answer is not as described."""
        method, path = answer.request.method.lower(), answer.request.url.path
        (route,) = (path_ for path_ in self.document["paths"] if compile_path(path_)[0].match(path))
        responses = self.document["paths"][route][method]["responses"]
        status = str(answer.status_code)
        assert status in responses or (answer.status_code >= 400 and "default" in responses), (route, status)
        self.seen.add((route, method, status))
        content = responses.get(status, responses.get("default")).get("content", {})
        kind = answer.headers.get("content-type", "").partition(";")[0]
        assert (kind in content) if content else (kind == "" and not answer.content), (route, status, kind)
        if kind.endswith("json"):
            self.validate(answer.json(), content[kind]["schema"], f"{route} {status}")

    def validate(self, value, schema, where):
        """The part of JSON Schema that the document uses; an unknown keyword is an error."""
        schema = dict(schema)
        for word in ("title", "description", "examples", "default"):
            schema.pop(word, None)
        for word, meant in sorted(schema.items(), key=lambda one: one[0] != "type"):
            at = f"{where}: {word}: {value!r}"
            if word == "$ref":
                self.validate(value, self.document["components"]["schemas"][meant.rpartition("/")[2]], where)
            elif word == "anyOf":
                assert any(self.fits(value, one, where) for one in meant), at
            elif word == "type":
                assert TYPES[meant](value), at
            elif word == "required":
                assert set(meant) <= set(value), at
            elif word == "properties":
                assert set(value) <= set(meant), at  # the models have no other fields
                for name, below in value.items():
                    self.validate(below, meant[name], f"{where}.{name}")
            elif word == "items":
                for below in value:
                    self.validate(below, meant, f"{where}[]")
            elif word in ("enum", "const"):
                assert value in (meant if word == "enum" else [meant]), at
            elif word == "format":
                assert meant == "date-time", f"{where}: what is the format {meant}?"
                assert is_moment(value), at
            elif word == "pattern":
                assert re.search(meant, value), at
            else:
                raise AssertionError(f"{where}: the keyword {word} is not understood")

    def fits(self, value, schema, where):
        try:
            self.validate(value, schema, where)
        except AssertionError:
            return False
        return True


@pytest.fixture
def client(services):
    with TestClient(Gate(build_api(services)), base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def told(client):
    return Description(client.get("/openapi.json").json())


def requests(number, unread):
    """Requests that each route answers in every way that it can be made to from outside."""
    photo = f"/api/v1/photos/{number}"
    upload = {"files": {"file": ("a.png", picture("red"), "image/png")}}
    yield from (("GET", path, {}) for path in ("/api/v1/health", "/api/v1/status", "/api/v1/tags"))
    for params in ({"q": "red"}, {"q": ""}, {"q": "x", "limit": 0}, {"q": "x", "after": "2035"}, {"cursor": "x"}):
        yield "GET", "/api/v1/search", {"params": params}
    for params in ({}, {"kind": "same"}, {"after": "never"}):
        yield "GET", "/api/v1/duplicates", {"params": params}
    yield "POST", "/api/v1/search", upload
    yield "POST", "/api/v1/search", {**upload, "data": {"q": "x", "after": "never"}}
    yield "POST", "/api/v1/search", {"files": {"file": ("a.png", b"none", "image/png")}}
    yield "POST", "/api/v1/search", {}
    yield "POST", "/api/v1/search", {"content": b"x" * 60_000_000}
    for params in ({"q": "red"}, {"q": ""}, {}, {"q": "after:x"}):
        yield "GET", photo + "/heat", {"params": params}
    yield "GET", "/api/v1/photos/987654/heat", {"params": {"q": "red"}}
    for kind in ("", "/similar", "/thumbnail", "/preview", "/original", "/tags"):
        for at in (photo, f"/api/v1/photos/{unread}", "/api/v1/photos/987654", "/api/v1/photos/x"):
            yield "GET", at + kind, {}
    for decision in ({"tag": "animal/dog", "state": "accepted"}, {"tag": "", "state": "accepted"}, {}):
        yield "POST", photo + "/tags", {"json": decision}
        yield "POST", "/api/v1/photos/987654/tags", {"json": decision}
    for path, params in ((photo, {"tag": "dog"}), (photo, {"tag": "nobody's"}), (photo, {})):
        yield "DELETE", path + "/tags", {"params": params}
    yield "DELETE", "/api/v1/photos/987654/tags", {"params": {"tag": "dog"}}
    for method, sent in (
        ("POST", {"rating": 4}),
        ("POST", {}),
        ("POST", {"title": " "}),
        ("GET", None),
        ("DELETE", None),
    ):
        for at in (photo, "/api/v1/photos/987654"):
            yield method, at + "/edits", {"json": sent}
    for params in ({}, {"tag": "dog", "order": "frequent"}, {"tag": "nobody's"}, {"cursor": "x"}, {"limit": 0}):
        yield "GET", "/api/v1/review", {"params": params}
    for tag, word in (("animal/dog", "undo"), ("a//b", "undo"), ("animal/dog", "say")):
        said = {"photo": number, "tag": tag, "word": word, "of": "accept"}
        yield "POST", "/api/v1/review", {"json": {"words": [said]}}
    yield from changes_and_exports()
    for bounds in ("bytes=0-9", "bytes=0-1,4-5", "bytes=999999999-", "lines=1"):
        yield "GET", photo + "/original", {"headers": {"Range": bounds}}
    yield "GET", photo, {"headers": {"Origin": "https://elsewhere.example"}}


def changes_and_exports():
    tags = "/api/v1/tags"
    yield "GET", tags, {"params": {"every": "perhaps"}}
    for route, body in BODIES.items():
        if route.startswith(tags):
            for sent in (body, {"tag": 1}):
                yield "POST", route, {"json": sent}
    yield "POST", tags + "/rename", {"json": {"tag": "animal/dog", "to": "animal/hound"}}
    yield "POST", tags + "/merge", {"json": {"tag": "animal/hound", "into": "animal/cat"}}
    yield "POST", tags + "/restore", {"json": {"tag": "nobody's"}}
    for tag in ("animal/cat", "nobody's"):
        yield "DELETE", tags, {"params": {"tag": tag}}
    yield "GET", tags + "/changes", {}
    for method in ("POST", "GET", "DELETE"):
        yield method, "/api/v1/tagging", {"json": {}}
        yield "WAIT", "", {}
    yield "POST", "/api/v1/tagging", {"json": {"threshold": 2}}
    for params in ({}, {"page": -1}, {"naming": "photo.xmp"}, {"into_files": True}, {"token": "x"}):
        yield "GET", "/api/v1/exports/preview", {"params": params}
    yield "GET", "/api/v1/exports/ways", {}
    ends = (("POST", "/1/undo"), ("POST", "/1/forget"))
    for method, path in (("POST", ""), ("GET", "/run"), ("DELETE", "/run"), ("GET", ""), *ends):
        yield method, "/api/v1/exports" + path, {"json": {}}
        yield "WAIT", "", {}
    for asked in ({"naming": "../x.xmp"}, {"into_files": True}):
        yield "POST", "/api/v1/exports", {"json": asked}
    for path in ("/99/undo", "/99/forget"):
        yield "POST", "/api/v1/exports" + path, {}
    for kind in ("csv", "jsonl", "parquet", "xlsx"):
        yield "GET", "/api/v1/exports/table", {"params": {"format": kind}}


def test_every_answer_is_as_it_is_described(client, told, services, world):
    (world.photos / "broken.png").write_bytes(picture("red")[:60])
    world.index()
    number, unread = photo_id(services, "yellow.jpg"), photo_id(services, "broken.png")
    catalog = services.library.catalog.tags
    catalog.decide([Decision(number, path, "accepted") for path in (("animal", "dog"), ("animal", "cat"), ("sea",))])
    for method, path, extra in requests(number, unread):
        if method == "WAIT":
            client.app.app.state.jobs.wait(60)
        else:
            told.check(client.request(method, path, **extra))
    for path in BODIES:
        for sent in (b"[" * 100_000, b"\xff", b"[" * (2**20 + 1)):  # nested too deep, no UTF-8, too long
            answer = client.post(path.replace("{photo_id}", str(number)), content=sent, headers=JSON)
            told.check(answer)
            assert str(answer.status_code) in told.document["paths"][path]["post"]["responses"], (path, answer.text)
    for kind in ("thumbnail", "preview", "original"):
        first = client.get(f"/api/v1/photos/{number}/{kind}")
        known = {"If-None-Match": first.headers["etag"]}
        told.check(client.get(f"/api/v1/photos/{number}/{kind}", headers=known))
    told.check(client.get(f"/api/v1/photos/{number}/original", headers={"If-Match": '"of-another"'}))
    (world.photos / "trip/yellow.jpg").unlink()
    services.library.thumbnails.remove(services.library.catalog.photo(number).content_hash)
    for kind in ("thumbnail", "preview", "original"):
        told.check(client.get(f"/api/v1/photos/{number}/{kind}"))

    routes = {(route, method) for route, answers in told.document["paths"].items() for method in answers}
    assert {(route, method) for route, method, status in told.seen if status in ("200", "202")} == routes
    assert {status for _, _, status in told.seen} >= {"200", "206", "304", "400", "403", "404"}
    assert {status for _, _, status in told.seen} >= {"410", "412", "413", "415", "416", "422"}
    for route in ("/thumbnail", "/preview", "/original"):
        statuses = {status for path, _, status in told.seen if path == PHOTO + route}
        assert statuses >= {"200", "304", "404", "410", "422"}, route


def test_a_library_that_cannot_be_used_is_described_at_every_route(client, told, services, monkeypatch):
    def gone(*args):
        raise LibraryError("the library is gone.")

    for name in ("photo", "counts", "active_model"):
        monkeypatch.setattr(type(services.library.catalog), name, gone)
    for name in ("changes", "counts", "forget_changes", "paths", "pending", "settle", "tagged"):
        monkeypatch.setattr(type(services.library.catalog.tags), name, gone)
    for name in ("all", "exportable"):
        monkeypatch.setattr(type(services.library.catalog.exports), name, gone)
    upload = {"files": {"file": ("a.png", picture("red"), "image/png")}}
    for route, answers in told.document["paths"].items():
        for method in answers:
            if route in ALWAYS:
                continue
            extra = upload if (route, method) == ("/api/v1/search", "post") else {}
            extra = {"json": BODIES[route]} if method == "post" and route in BODIES else extra
            params = {"tag": "x"} if route == "/api/v1/duplicates" else {"q": "x", "tag": "x"}
            if route.endswith("/heat") or method == "post":
                params = {} if route == "/api/v1/search" else {"q": "x"}
            path = route.replace("{photo_id}", "1").replace("{export_id}", "1")
            answer = client.request(method, path, params=params, **extra)
            assert answer.status_code == 503, (route, method, answer.text)
            told.check(answer)


def test_a_library_with_every_moment_is_as_described(tmp_path):
    world = World(tmp_path)
    world.write("a.png", "red", datetime(2020, 1, 2, 3, 4, 5))
    world.index()
    services = world.services()
    with TestClient(build_api(services), base_url="http://localhost") as client:
        told = Description(client.get("/openapi.json").json())
        photo = client.get("/api/v1/photos/1")
        assert photo.json()["taken_at"] == "2020-01-02T03:04:05"
        assert photo.json()["indexed_at"] is not None
        told.check(photo)
        with pytest.raises(AssertionError):
            told.validate("2020-01-02T03:04:05", {"type": "string", "format": "date-time"}, "here")


def test_the_document_tells_what_a_route_takes_and_no_more_than_it_gives(told):
    for route, answers in told.document["paths"].items():
        for method, operation in answers.items():
            for status, response in operation["responses"].items():
                kinds = set(response.get("content", {}))
                where = (route, method, status)
                if status == "default" or (int(status) >= 400 and not route.endswith("original")):
                    assert kinds == {"application/problem+json"}, where
                elif route.endswith(("thumbnail", PHOTO + "/preview", "original", "table")):
                    assert "application/json" not in kinds, where
