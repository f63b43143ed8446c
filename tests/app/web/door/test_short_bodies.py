"""Requests that carry JSON: no longer than what they say takes, and of very many unknown fields none is looked at."""

import json
from contextlib import ExitStack

import httpx
import pytest

from app.web import picture_turns
from app.web.api import build_api
from app.web.door.connections import Patience
from app.web.door.security import Gate
from app.web.door.short_bodies import MAX_BYTES, SMALL_BYTES
from tests.app.web.door.test_connections import answering, connect
from tests.indexer.processes import wait_until

JSON = {"Content-Type": "application/json"}
LONG = {"/api/v1/review": MAX_BYTES}  # what takes many words at once


@pytest.fixture(scope="module")
def routes(reader):
    """Every route that takes JSON, with what its body is at most."""
    described = reader.get("/openapi.json").json()["paths"]
    found = {
        path.format(photo_id=1, export_id=1): LONG.get(path, SMALL_BYTES)
        for path, methods in described.items()
        for method in methods
        if method == "post" and "application/json" in methods[method].get("requestBody", {}).get("content", {})
    }
    assert len(found) > 6
    return found


@pytest.mark.parametrize("declared", [True, False])
def test_a_long_body_is_refused_with_a_sentence(reader, routes, declared):
    for path, most in routes.items():
        body = b"{" + b" " * most
        answer = reader.post(path, content=body if declared else iter([body[:1000], body[1000:]]), headers=JSON)
        assert (answer.status_code, "the request is longer than" in answer.json()["detail"]) == (413, True), path


def test_of_very_many_unknown_fields_their_number_is_told(reader, routes):
    for path, most in routes.items():
        body = json.dumps(dict.fromkeys(map(str, range(most // 16)))).encode()
        assert len(body) <= most
        answer = reader.post(path, content=body, headers=JSON)
        assert (answer.status_code, f"{most // 16:,} fields are sent" in answer.json()["detail"]) == (422, True), path


def test_a_field_that_is_misspelt_is_told_by_its_name(reader, routes):
    for path in routes:
        answer = reader.post(path, json={"naems": 1})
        assert (answer.status_code, "naems: nothing here is called that" in answer.json()["detail"]) == (422, True)


@pytest.mark.parametrize("length", [b"Content-Length: 1048000", b"Transfer-Encoding: chunked"])
def test_of_long_ones_few_are_in_memory_at_a_time_and_short_ones_wait_for_none(standing, length):
    """900 of a megabyte that had no end took a gigabyte."""
    api = build_api(standing)
    head = b"POST /api/v1/review HTTP/1.1\r\nHost: localhost\r\n%s\r\n\r\n" % length
    with answering(Gate(api), Patience()) as (place, _), ExitStack() as stack:
        for _ in range(picture_turns.LONG_BODIES + 5):
            stack.enter_context(connect(place)).sendall(head)
        wait_until(lambda: len(api.state.long_turns._line) == 5)
        assert len(api.state.long_turns._arriving) == picture_turns.LONG_BODIES
        answer = httpx.post(f"http://localhost:{place[1]}/api/v1/review", json={"words": []}, timeout=60)
        assert (answer.status_code, answer.json()) == (200, [])


def test_a_long_one_is_answered_as_a_short_one(reader):
    answer = reader.post("/api/v1/review", content=b'{"words":[]}'.ljust(SMALL_BYTES + 1), headers=JSON)
    assert (answer.status_code, answer.json()) == (200, [])
