"""Tags changed over HTTP, and runs that suggest them: as the command line does, and refused in the same words."""

import threading
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from app import bootstrap
from app.cli import commands as cli
from app.web.tagging import jobs
from indexer.catalog.tag_records import Decision
from tests.app.colours import NAMES
from tests.app.serving import photo_id

TAGS = "/api/v1/tags"
RUN = "/api/v1/tagging"
DOG, CAT = ("animal", "dog"), ("animal", "cat")


@pytest.fixture
def decided(services):
    number = photo_id(services, "red.png")
    services.library.catalog.tags.decide([Decision(number, path, "accepted") for path in (DOG, CAT, ("sea",))])
    return services


@pytest.fixture
def words(services, tmp_path):
    (tmp_path / "words.txt").write_text("[colour]\n" + "".join(f"\t{name}\n" for name in NAMES))
    services.tagging.use(tmp_path / "words.txt")
    return services


def paths(client, **params):
    return [tag["tag"] for tag in client.get(TAGS, params=params).json()]


def test_a_tag_is_renamed_merged_deleted_and_restored(client, decided):
    renamed = client.post(f"{TAGS}/rename", json={"tag": "dog", "to": "pet/dog"}).json()
    assert renamed == {"tag": "animal/dog", "now": "pet/dog", "count": 1}
    merged = client.post(f"{TAGS}/merge", json={"tag": "cat", "into": "pet/dog"}).json()
    assert merged == {"tag": "animal/cat", "now": "pet/dog", "count": 0}  # the photo had it already
    assert client.delete(TAGS, params={"tag": "sea"}).json() == {"tag": "sea", "now": None, "count": 1}
    assert paths(client) == ["pet/dog"]
    assert {(one["tag"], one["now"]) for one in client.get(f"{TAGS}/changes").json()} == {
        ("animal/dog", "pet/dog"),
        ("animal/cat", "pet/dog"),
        ("sea", None),
    }
    assert client.post(f"{TAGS}/restore", json={"tag": "sea"}).json() == {"count": 1}
    for unclear in ({}, {"Tag": "animal/dog"}, {"tag": "animal/dog", "all": True}, {"tag": None}):
        assert client.post(f"{TAGS}/restore", json=unclear).status_code == 422, "nothing is forgotten by mistake"
    assert client.post(f"{TAGS}/restore", json={"all": True}).json() == {"count": 2}
    assert client.get(f"{TAGS}/changes").json() == []


def test_a_second_tab_that_names_whole_paths_changes_no_other_tag_of_that_name(client, decided):
    decided.library.catalog.tags.decide([Decision(photo_id(decided, "red.png"), ("dog",), "accepted")])
    gone = {"tag": "dog", "exact": True}
    assert client.delete(TAGS, params=gone).json()["tag"] == "dog"
    before = paths(client)
    refused = [
        client.delete(TAGS, params=gone),
        client.post(f"{TAGS}/rename", json={**gone, "to": "hound"}),
        client.post(f"{TAGS}/merge", json={**gone, "into": "sea"}),
        client.post(f"{TAGS}/merge", json={"tag": "sea", "into": "dog", "exact": True}),
    ]
    assert [answer.status_code for answer in refused] == [400] * 4
    assert "dog was deleted" in refused[0].json()["detail"]
    assert paths(client) == before == ["animal/cat", "animal/dog", "sea"]
    assert client.post(f"{TAGS}/rename", json={"tag": "animal", "to": "pet", "exact": True}).json()["count"] == 2
    assert client.delete(TAGS, params={"tag": "dog"}).json()["tag"] == "pet/dog", "a name is one where that is wanted"


@pytest.mark.parametrize("how", ["delete", "merge"])
@pytest.mark.parametrize("at", ["_suggest", "_learned"])
def test_a_tag_may_go_while_a_run_suggests_it(client, words, ended, monkeypatch, how, at):
    inside, go = threading.Event(), threading.Event()
    number = photo_id(words, "red.png")
    words.library.catalog.tags.decide([Decision(number, ("colour", name), "accepted") for name in ("red", "blue")])
    suggest = words.library.catalog.tags.__class__.suggest
    put_fit = words.library.catalog.tags.__class__.put_fit

    def held(real):
        def then(*arguments, **named):
            inside.set()
            assert go.wait(60)
            return real(*arguments, **named)

        return then

    tags = words.library.catalog.tags.__class__
    name, real = ("suggest", suggest) if at == "_suggest" else ("put_fit", put_fit)
    monkeypatch.setattr(tags, name, held(real))
    client.post(RUN, json={"threshold": 0.01})
    assert inside.wait(60)
    for one in ("red", "blue"):
        if how == "delete":
            answer = client.delete(TAGS, params={"tag": f"colour/{one}"})
        else:
            answer = client.post(f"{TAGS}/merge", json={"tag": f"colour/{one}", "into": "colour/green"})
        assert answer.status_code == 200
    go.set()
    told = ended(RUN)
    assert (told["state"], told["problem"]) == ("done", None)
    assert not {"colour/red", "colour/blue"} & set(paths(client, every=True))


def test_tags_that_no_photo_has_are_listed_where_they_are_asked_for(client, decided):
    decided.library.catalog.tags.make([("nobody's",)])
    assert "nobody's" not in paths(client)
    assert "nobody's" in paths(client, every=True)


@pytest.mark.parametrize(
    ("said", "typed"),
    [
        (("POST", "/rename", {"tag": "no such", "to": "x"}), ("rename", "no such", "x")),
        (("POST", "/rename", {"tag": "dog", "to": "animal/cat"}), ("rename", "dog", "animal/cat")),
        (("POST", "/rename", {"tag": "animal", "to": "animal/pet"}), ("rename", "animal", "animal/pet")),
        (("POST", "/rename", {"tag": "dog", "to": "a//b"}), ("rename", "dog", "a//b")),
        (("POST", "/rename", {"tag": "dog", "to": "a/b/c/d/e/f/g/h/i"}), ("rename", "dog", "a/b/c/d/e/f/g/h/i")),
        (("POST", "/merge", {"tag": "animal", "into": "dog"}), ("merge", "animal", "dog")),
        (("POST", "/rename", {"tag": "dog", "to": ""}), ("rename", "dog", "")),
        (("POST", "/rename", {"tag": "", "to": "x"}), ("rename", "", "x")),
        (("POST", "/rename", {"tag": "dog", "to": "animal/dog/old"}), ("rename", "dog", "animal/dog/old")),
        (("POST", "/merge", {"tag": "dog", "into": "dog"}), ("merge", "dog", "dog")),
        (("POST", "/merge", {"tag": "dog", "into": "no such"}), ("merge", "dog", "no such")),
        (("POST", "/rename", {"tag": "dog", "to": "x" * 2000}), ("rename", "dog", "x" * 2000)),
        (("DELETE", "", {"tag": " "}), ("delete", "--yes", " ")),
        (("POST", "/restore", {"tag": "dog"}), ("restore", "dog")),
        (("DELETE", "", {"tag": "no such"}), ("delete", "--yes", "no such")),
    ],
)
def test_what_the_command_line_refuses_is_refused_in_its_words(client, decided, world, monkeypatch, said, typed):
    method, route, asked = said
    how = {"params": asked} if method == "DELETE" else {"json": asked}
    before = paths(client)
    answer = client.request(method, TAGS + route, **how)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    monkeypatch.setenv("PICSIFT_LIBRARY", str(world.settings.library))
    monkeypatch.setitem(bootstrap.build_services.__kwdefaults__, "new_embedder", world._new_embedder)
    done = CliRunner().invoke(cli.app, ["tags", *typed])
    assert done.exit_code == 1
    assert " ".join(done.stderr.split()).removeprefix("picsift: ") == answer.json()["detail"]
    assert paths(client) == before


def test_a_run_suggests_and_says_what_it_did(client, words, ended):
    assert client.get(RUN).json()["state"] == "never"
    begun = client.post(RUN, json={"threshold": 0.01})
    assert (begun.status_code, begun.json()["state"], begun.json()["report"]) == (202, "running", None)
    told = ended(RUN)
    assert (told["state"], told["done"], told["total"], told["problem"]) == ("done", 5, 5, None)
    assert (told["report"]["photos"], told["report"]["vocabulary"]) == (5, "words")
    assert client.get("/api/v1/review").json()["left"] == told["report"]["suggestions"] > 0
    client.post(RUN, json={"only_new": True})
    assert ended(RUN)["report"]["photos"] == 0


def test_a_second_run_is_refused_and_the_first_one_can_be_stopped(client, words, ended, monkeypatch):
    begun = threading.Event()
    run = words.tagging.run

    def held(*, stop, **rest):
        begun.set()
        while not stop():
            threading.Event().wait(0.01)
        return run(stop=stop, **rest)

    monkeypatch.setattr(words.tagging, "run", held)
    assert client.post(RUN, json={}).status_code == 202
    assert begun.wait(60)
    for route in (RUN, "/api/v1/exports"):
        refused = client.post(route, json={})
        assert (refused.status_code, refused.json()["detail"]) == (
            409,
            "tagging is running here. Wait for its end, or stop it.",
        )
    assert client.delete(RUN).json()["state"] == "running"
    assert ended(RUN)["state"] == "stopped"


def test_a_run_is_refused_while_another_process_writes(client, words):
    with words.library.writer_lock():
        refused = client.post(RUN, json={})
    assert (refused.status_code, "another picsift is writing" in refused.json()["detail"]) == (409, True)
    assert client.get(RUN).json()["state"] == "never"


def test_words_that_cannot_be_used_are_told_at_once(client, words, tmp_path):
    (tmp_path / "words.txt").unlink()
    refused = client.post(RUN, json={})
    assert (refused.status_code, "words.txt" in refused.json()["detail"]) == (503, True)


def test_a_run_that_fails_says_why_and_the_next_one_may_begin(client, words, ended, monkeypatch):
    def fail(**_):
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(words.tagging, "run", fail)
        client.post(RUN, json={})
        told = ended(RUN)
    assert (told["state"], told["report"]) == ("failed", None)
    assert "its log says more" in told["problem"]
    client.post(RUN, json={})
    assert ended(RUN)["state"] == "done"


def test_where_no_thread_begins_the_next_run_may(client, words, ended, monkeypatch):
    class Unstarted(threading.Thread):
        def start(self):
            raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(jobs, "threading", SimpleNamespace(Thread=Unstarted, Event=threading.Event))
        refused = client.post(RUN, json={})
    assert (refused.status_code, "no thread left" in refused.json()["detail"]) == (503, True)
    assert client.get(RUN).json()["state"] == "never"
    assert client.post(RUN, json={}).status_code == 202
    assert ended(RUN)["state"] == "done"


@pytest.mark.parametrize(
    ("route", "body"),
    [
        (RUN, {"only_nwe": True}),
        (TAGS + "/rename", {"tag": "dog", "to": "x", "all": True}),
        (TAGS + "/rename", {"tag": "dog", "to": "x" * 2001}),
        (TAGS + "/merge", {"tag": "x" * 2001, "into": "cat"}),
        (TAGS + "/merge", {"tag": "dog", "into": "cat", "to": "x"}),
        ("/api/v1/photos/1/tags", {"tag": "x", "state": "accepted", "photo": 2}),
    ],
)
def test_what_is_misspelt_is_refused_and_not_passed_over(client, decided, route, body):
    before = paths(client)
    assert client.post(route, json=body).status_code == 422
    assert paths(client) == before


def test_the_end_of_the_server_ends_the_run(services, words, api, monkeypatch):
    from starlette.testclient import TestClient

    def held(*, stop, **_):
        while not stop():
            threading.Event().wait(0.01)
        return words.tagging.__class__.run(words.tagging, stop=stop)

    monkeypatch.setattr(words.tagging, "run", held)
    with TestClient(api, base_url="http://localhost") as client:
        client.post(RUN, json={})
    assert api.state.jobs.of("tagging").state == "stopped"


@pytest.mark.parametrize("route", ["/rename", "/merge", "/restore"])
def test_another_sites_page_changes_nothing(client, decided, route):
    body = {"tag": "dog", "to": "x", "into": "cat"}
    evil = {"Origin": "http://evil.example"}
    assert client.post(TAGS + route, json=body, headers=evil).status_code == 403
    assert client.delete(TAGS, params={"tag": "dog"}, headers=evil).status_code == 403
    assert client.post(RUN, json={}, headers=evil).status_code == 403
    assert "animal/dog" in paths(client)
