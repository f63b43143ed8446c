"""Stars, titles and descriptions given over HTTP: as the command line gives them, and taken back."""

import pytest

from app.tagging import editing
from tests.app.serving import photo_id

NONE = {"rating": None, "title": None, "description": None}


@pytest.fixture
def route(services):
    return f"/api/v1/photos/{photo_id(services, 'red.png')}/edits"


def test_what_is_given_is_found_and_can_be_taken_back(client, route):
    assert client.get(route).json() == NONE
    assert client.post(route, json={"rating": 5, "title": " At the quay "}).json() == {
        "rating": 5,
        "title": "At the quay",
        "description": None,
    }
    assert client.post(route, json={"description": "Zwei\nZeilen"}).json()["title"] == "At the quay"
    [hit] = client.get("/api/v1/search", params={"q": "is:favourite"}).json()["hits"]
    assert hit["id"] == int(route.split("/")[4])
    assert client.delete(route).json() == client.get(route).json() == NONE


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({}, 422),
        ({"rating": None}, 422),
        ({"rating": 6}, 422),
        ({"rating": -2}, 422),
        ({"rating": 2.5}, 422),
        ({"rating": True}, 422),
        ({"rating": "4"}, 422),
        ({"stars": 4}, 422),
        ({"title": 7}, 422),
        ({"title": ""}, 400),
        ({"title": " \n "}, 400),
        ({"title": "x" * 100_000}, 400),
        ({"description": "x" * 100_001}, 422),
        ({"description": "\u0000"}, 400),
    ],
)
def test_what_cannot_be_given_is_refused_and_changes_nothing(client, route, said, status):
    answer = client.post(route, json=said)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert client.get(route).json() == NONE


def test_a_title_that_is_far_too_long_is_refused_before_it_is_put_together(client, route, monkeypatch):
    monkeypatch.setattr(editing, "clean_name", lambda text: pytest.fail("it was put together"))
    answer = client.post(route, json={"title": "a" + "\u0301\u0316" * 15_000})
    assert (answer.status_code, "30,001" in answer.json()["detail"]) == (400, True)


def test_of_no_photo_nothing_is_said(client):
    for method in ("GET", "POST", "DELETE"):
        assert client.request(method, "/api/v1/photos/99999/edits", json={"rating": 1}).status_code == 404


def test_another_sites_page_gives_nothing(client, route):
    evil = {"Origin": "http://evil.example"}
    assert client.post(route, json={"rating": 1}, headers=evil).status_code == 403
    assert client.delete(route, headers=evil).status_code == 403
    assert client.get(route).json() == NONE


def test_what_cannot_be_read_is_not_taken_back(client, route, services, world):
    client.post(route, json={"rating": 2})
    with services.library.writer_lock():
        assert client.delete(route).status_code == 409
    (world.photos / "red.png").rename(world.photos / "red.away")
    assert client.delete(route).status_code == 410
    assert client.get(route).json()["rating"] == 2


def test_what_runs_here_is_not_told_as_another_process(client, api, route, services, monkeypatch):
    client.post(route, json={"rating": 2})
    with services.library.writer_lock():
        assert client.delete(route).json()["type"] == "urn:picsift:locked"
        monkeypatch.setattr(api.state.jobs, "_running", "tagging")
        refused = client.delete(route)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:picsift:running")
    assert "another" not in refused.json()["detail"]


def test_a_refusal_names_no_switch_of_the_command_line(client, route):
    refused = client.post(route, json={"title": " "})
    assert (refused.status_code, "--" in refused.text) == (400, False)
    assert "take back what was given" in refused.json()["detail"]
