"""The review queue over HTTP: pages, filters, answers in one request, and what is refused."""

import threading

import pytest

from indexer.catalog.review import settling
from indexer.catalog.tag_records import Suggestion
from tests.app.serving import photo_id

ROUTE = "/api/v1/review"
ACCEPT = {"photo": 1, "tag": "colour/red", "word": "accept"}
RED, GREEN = ("colour", "red"), ("colour", "green")
SURE = {
    ("red.png", RED): 0.95,
    ("yellow.jpg", RED): 0.55,
    ("purple.jpg", RED): 0.4,
    ("green.png", GREEN): 0.7,
    ("blue.png", GREEN): 0.31,
}


@pytest.fixture
def suggested(services):
    """The ids of the photos that tags are suggested for."""
    catalog = services.library.catalog
    tags, photos = catalog.tags.make([RED, GREEN]), {name: photo_id(services, name) for name, _ in SURE}
    found = [Suggestion(photos[name], tags[path], 0.2, sure) for (name, path), sure in SURE.items()]
    catalog.tags.suggest(catalog.active_model().id, list(photos.values()), list(tags.values()), found)
    return photos


def say(client, *words):
    names = ("photo", "tag", "word", "of")
    body = {"words": [dict(zip(names, said, strict=False)) for said in words]}
    answer = client.post(ROUTE, json=body)
    assert answer.status_code == 200, answer.text
    return [(one["became"], one["state"]) for one in answer.json()]


@pytest.mark.parametrize("photo", ["1", "+1", "1_0", True, 1.0, None])
def test_what_is_no_number_names_no_photo(client, suggested, photo):
    answer = client.post(ROUTE, json={"words": [{**ACCEPT, "photo": photo}]})
    assert (answer.status_code, "photo: " in answer.json()["detail"]) == (422, True)


def test_a_suggestion_says_all_that_a_page_needs(client, suggested):
    answer = client.get(ROUTE, params={"limit": 1}).json()
    first = answer["suggestions"][0]
    assert (first["photo"], first["tag"], first["confidence"]) == (suggested["yellow.jpg"], "colour/red", 0.55)
    assert (answer["left"], first["path"].endswith("yellow.jpg"), first["model"]) == (5, True, "colours")
    seen = client.get(f"/api/v1/photos/{first['photo']}/thumbnail", params={"v": first["version"]})
    assert "immutable" in seen.headers["cache-control"]


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ("uncertain", ["yellow.jpg", "purple.jpg", "blue.png", "green.png", "red.png"]),
        ("frequent", ["red.png", "yellow.jpg", "purple.jpg", "green.png", "blue.png"]),
    ],
)
def test_pages_follow_one_another_while_decisions_are_made(client, suggested, order, names):
    seen, cursor = [], None
    for left in (5, 3, 1):
        answer = client.get(ROUTE, params={"order": order, "limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        assert answer["left"] == left
        seen += [one["path"].rpartition("/")[2] for one in answer["suggestions"]]
        cursor = answer["cursor"]
        say(client, *((one["photo"], one["tag"], "reject") for one in answer["suggestions"]))
    assert (seen, cursor) == (names, None)
    assert client.get(ROUTE).json() == {"left": 0, "cursor": None, "suggestions": []}


def test_a_tag_is_asked_for_by_its_name_or_with_all_under_it(client, suggested):
    assert client.get(ROUTE, params={"tag": "green"}).json()["left"] == 2
    assert client.get(ROUTE, params={"tag": "colour"}).json()["left"] == 5
    unknown = client.get(ROUTE, params={"tag": "nothing of the kind"})
    assert (unknown.status_code, "there is no tag" in unknown.json()["detail"]) == (400, True)


def test_each_word_is_told_what_became_of_it_and_a_second_time_changes_nothing(client, suggested):
    red, blue = suggested["red.png"], suggested["blue.png"]
    words = [(red, "colour/red", "accept"), (blue, "colour/green", "reject"), (999, "colour/red", "accept")]
    assert say(client, *words) == [("done", "accepted"), ("done", "rejected"), ("gone", None)]
    assert say(client, *words) == [("unchanged", "accepted"), ("unchanged", "rejected"), ("gone", None)]
    assert say(client, (red, "colour/red", "reject")) == [("kept", "accepted")], "what was decided stays"
    assert say(client, (red, "colour/red", "undo", "accept")) == [("done", "suggested")]
    assert client.get(ROUTE).json()["left"] == 4


def test_an_undo_does_not_take_back_what_somebody_decided_otherwise_since(client, suggested):
    red = suggested["red.png"]
    say(client, (red, "colour/red", "accept"))
    client.post(f"/api/v1/photos/{red}/tags", json={"tag": "colour/red", "state": "rejected"})
    assert say(client, (red, "colour/red", "undo", "accept")) == [("kept", "rejected")]
    assert say(client, (red, "colour/red", "undo", "reject")) == [("done", "suggested")]


@pytest.mark.parametrize("declared", [True, False])
def test_a_long_request_is_refused_before_it_is_read(client, suggested, declared):
    body = b'{"words":[' + b"{}," * 2**19 + b"{}]}"
    sent = body if declared else iter([body[: 2**20], body[2**20 :]])
    answer = client.post(ROUTE, content=sent, headers={"Content-Type": "application/json"})
    assert (answer.status_code, "in parts" in answer.json()["detail"]) == (413, True)


def test_of_very_much_that_is_wrong_little_is_told(client, suggested):
    answer = client.post(ROUTE, json={"words": [{}] * 1000})
    assert (answer.status_code, len(answer.content) < 1000) == (422, True)
    answer = client.post(ROUTE, json={"words": [ACCEPT], **dict.fromkeys(map(str, range(1000)))})
    assert (answer.status_code, len(answer.content) < 3000) == (422, True)


def test_words_that_are_being_written_move_nothing(client, suggested, monkeypatch):
    written, going = threading.Event(), threading.Event()
    settle = settling.settle

    def slow(*asked):
        told = settle(*asked)
        written.set()
        assert going.wait(60)
        return told

    monkeypatch.setattr(settling, "settle", slow)
    words = [(suggested[name], "colour/red", "reject") for name in ("yellow.jpg", "purple.jpg")]
    saying = threading.Thread(target=say, args=(client, *words))
    saying.start()
    assert written.wait(60)
    first = client.get(ROUTE, params={"order": "frequent", "limit": 4}).json()
    going.set()
    saying.join()
    rest = client.get(ROUTE, params={"order": "frequent", "cursor": first["cursor"]}).json()["suggestions"]
    names = [one["path"].rpartition("/")[2] for one in [*first["suggestions"], *rest]]
    assert names == ["red.png", "yellow.jpg", "purple.jpg", "green.png", "blue.png"]


def test_another_decision_that_is_taken_back_moves_nothing_of_the_tag_that_is_gone_through(client, suggested):
    say(client, (suggested["red.png"], "colour/red", "reject"))
    first = client.get(ROUTE, params={"order": "frequent", "limit": 3}).json()
    say(client, (suggested["red.png"], "colour/red", "undo", "reject"))
    rest = client.get(ROUTE, params={"order": "frequent", "cursor": first["cursor"]}).json()["suggestions"]
    names = [one["path"].rpartition("/")[2] for one in [*first["suggestions"], *rest]]
    assert names == ["green.png", "blue.png", "yellow.jpg", "purple.jpg"]  # and who begins anew meets the other one
    assert client.get(ROUTE, params={"order": "frequent"}).json()["suggestions"][0]["photo"] == suggested["red.png"]


def test_of_two_who_decide_at_once_one_wins_and_the_other_is_told(client, suggested):
    told, ready = [], threading.Barrier(2)

    def decide(word):
        ready.wait()
        told.extend(say(client, *((photo, "colour/red", word) for photo in suggested.values())))

    both = [threading.Thread(target=decide, args=(word,)) for word in ("accept", "reject")]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert sorted({became for became, _ in told}) == ["done", "kept"]
    assert len({state for _, state in told}) == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"words": [{"photo": 1, "tag": "colour/red", "word": "suggest"}]}, 422),
        ({"words": [{"photo": 2**70, "tag": "colour/red", "word": "accept"}]}, 422),
        (
            {
                "words": [
                    {"photo": 1, "tag": "colour/red", "word": "accept"},
                    {"photo": 1, "tag": "a//b", "word": "undo", "of": "accept"},
                ]
            },
            400,
        ),
        ({"words": [ACCEPT] * 1001}, 422),
        ({"words": [{**ACCEPT, "word": "undo"}]}, 422),
        ({"words": [{**ACCEPT, "of": "reject"}]}, 422),
        ({"words": [{**ACCEPT, "Tag": "x"}]}, 422),
    ],
)
def test_what_cannot_be_understood_is_refused_and_nothing_of_it_done(client, suggested, body, status):
    answer = client.post(ROUTE, json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert client.get(ROUTE).json()["left"] == 5


@pytest.mark.parametrize(
    "cursor", ["x", "W10", "bnVsbA", "ImEi", "WyJ1bmNlcnRhaW4iLCAxLCAyLCAzLCA0XQ", "W1tbW1tb" * 40, "é", "{}"]
)
def test_a_cursor_that_a_client_made_up_is_refused(client, suggested, cursor):
    answer = client.get(ROUTE, params={"cursor": cursor})
    assert (answer.status_code, "cursor" in answer.json()["detail"]) == (400, True)


def test_a_cursor_of_another_order_is_refused(client, suggested):
    cursor = client.get(ROUTE, params={"limit": 1}).json()["cursor"]
    assert client.get(ROUTE, params={"order": "frequent", "cursor": cursor}).status_code == 400


def test_another_sites_page_decides_nothing(client, suggested):
    body = {"words": [{"photo": suggested["red.png"], "tag": "colour/red", "word": "accept"}]}
    assert client.post(ROUTE, json=body, headers={"Origin": "http://evil.example"}).status_code == 403
    assert client.get(ROUTE).json()["left"] == 5
