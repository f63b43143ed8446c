"""Tags over HTTP and in the large view: decisions are kept, refusals explained, nothing a name holds becomes markup."""

from datetime import UTC, datetime

import pytest
from starlette.testclient import TestClient

from app.web.api import build_api
from app.web.door.security import Gate
from app.web.page import viewer
from indexer.catalog.tag_records import Decision, PhotoTag
from tests.app.serving import photo_id

RED = ("colour", "red")


@pytest.fixture
def client(services):
    with TestClient(Gate(build_api(services)), base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def red(services):
    number = photo_id(services, "red.png")
    services.library.catalog.tags.decide([Decision(number, RED, "accepted"), Decision(number, ("a/b",), "rejected")])
    return number


def test_tags_are_listed_with_their_counts(client, red):
    assert client.get("/api/v1/tags").json() == [
        {"tag": "a\\/b", "accepted": 0, "suggested": 0, "rejected": 1},
        {"tag": "colour/red", "accepted": 1, "suggested": 0, "rejected": 0},
    ]


def test_a_photo_says_which_tags_it_has(client, red, services):
    found = client.get(f"/api/v1/photos/{red}/tags").json()
    assert [(tag["tag"], tag["state"], tag["origin"], tag["model"]) for tag in found] == [
        ("a\\/b", "rejected", "person", None),
        ("colour/red", "accepted", "person", None),
    ]
    assert client.get(f"/api/v1/photos/{photo_id(services, 'blue.png')}/tags").json() == []


def test_a_decision_is_kept_and_taken_back(client, red):
    route = f"/api/v1/photos/{red}/tags"
    found = client.post(route, json={"tag": "red", "state": "rejected"}).json()
    assert {tag["tag"]: tag["state"] for tag in found}["colour/red"] == "rejected"
    found = client.post(route, json={"tag": "new/one", "state": "accepted"}).json()
    assert {tag["tag"]: tag["state"] for tag in found}["new/one"] == "accepted"
    left = client.delete(route, params={"tag": "new/one"}).json()
    assert "new/one" not in {tag["tag"] for tag in left}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"tag": "nothing of the kind", "state": "rejected"}, 400),
        ({"tag": "", "state": "accepted"}, 400),
        ({"tag": "a//b", "state": "accepted"}, 400),
        ({"tag": "red", "state": "suggested"}, 422),
        ({"state": "accepted"}, 422),
    ],
)
def test_what_cannot_be_decided_is_refused_and_changes_nothing(client, red, body, status):
    before = client.get(f"/api/v1/photos/{red}/tags").json()
    answer = client.post(f"/api/v1/photos/{red}/tags", json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert client.get(f"/api/v1/photos/{red}/tags").json() == before


def test_a_photo_that_is_not_there_has_no_tags(client):
    assert client.get("/api/v1/photos/999/tags").status_code == 404
    assert client.post("/api/v1/photos/999/tags", json={"tag": "x", "state": "accepted"}).status_code == 404


def test_another_sites_page_cannot_decide(client, red):
    answer = client.post(
        f"/api/v1/photos/{red}/tags", json={"tag": "x", "state": "accepted"}, headers={"Origin": "http://evil.example"}
    )
    assert answer.status_code == 403


def test_a_search_takes_tags(client, red):
    hits = client.get("/api/v1/search", params={"q": "tag:red"}).json()["hits"]
    assert [hit["id"] for hit in hits] == [red]
    assert client.get("/api/v1/search", params={"q": "tag:a/b"}).json()["hits"] == []


def test_a_tag_that_means_nothing_to_the_model_is_found_by(client, services, red):
    other = photo_id(services, "blue.png")
    services.library.catalog.tags.decide([Decision(number, ("xqz",), "accepted") for number in (red, other)])
    found = client.get("/api/v1/search", params={"q": "tag:xqz"}).json()
    assert {hit["id"] for hit in found["hits"]} == {red, other}
    assert found["total"] == 2
    assert {hit["score"] for hit in found["hits"]} == {None}


def shown(*tags):
    return viewer.tagged([PhotoTag(1, *tag, datetime.now(UTC)) for tag in tags])


def test_the_large_view_shows_accepted_tags_and_the_surest_suggestions_first():
    html = shown(
        (("a", "<b>x"), "accepted", "person", None, None, None),
        (("low",), "suggested", "model", "m", 0.2, 0.31),
        (("high",), "suggested", "model", "m", 0.2, 0.9),
        (("no",), "rejected", "person", None, None, None),
    )
    assert html == "&lt;b&gt;x<small>Suggested: high 90% · low 31%</small>"
    assert shown() == shown((("no",), "rejected", "person", None, None, None)) == ""
