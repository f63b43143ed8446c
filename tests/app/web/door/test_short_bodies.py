"""Requests that carry JSON: no longer than what they say takes, and of very many unknown fields none is looked at."""

import json

import pytest

from app.web.door.short_bodies import MAX_BYTES, SMALL_BYTES

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
