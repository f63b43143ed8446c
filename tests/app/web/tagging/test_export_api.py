"""Exports over HTTP: previewed without a trace, written beside the photos alone, undone, one at a time; tables."""

import csv
import io
import json
import shutil
import threading

import pytest
from starlette.testclient import TestClient

from app.tagging import export_ways
from app.tagging.exiftool import kept_process
from app.tagging.export import export_service, own_writes, table_export
from app.tagging.export.export_service import ExportService
from app.web.door import doorkeeper
from app.web.door.security import Gate
from app.web.tagging import export_api
from indexer.catalog.journal.records import Step
from indexer.catalog.tag_records import Decision
from indexer.errors import LibraryError
from tests.app.serving import photo_id
from tests.app.tagging.xmp.test_merge import LIGHTROOM

ROUTE = "/api/v1/exports"
DOG, SEA = ("animal", "dog"), ("sea",)


@pytest.fixture
def tagged(services):
    for name, path in (("red.png", DOG), ("red.png", SEA), ("blue.png", SEA)):
        services.library.catalog.tags.decide([Decision(photo_id(services, name), path, "accepted")])
    return services


def files(world):
    """Everything below the world's folder but the library: bytes, permissions and times."""
    found = [path for path in world.photos.parent.rglob("*") if path.is_file() and "library" not in path.parts]
    return {path: (path.read_bytes(), path.stat().st_mode, path.stat().st_mtime_ns) for path in found}


def export(client, ended, **asked):
    answer = client.post(ROUTE, json=asked)
    assert (answer.status_code, answer.json()["state"]) == (202, "running")
    return ended(ROUTE + "/run")


def test_a_preview_says_file_by_file_what_would_be_written_and_writes_nothing(client, tagged, world):
    before, version = files(world), tagged.library.catalog.version()
    told = client.get(ROUTE + "/preview").json()
    assert (told["photos"], told["naming"], told["following"]) == (2, "photo.jpg.xmp", None)
    shown = {one["file"].rpartition("/")[2]: (one["outcome"], one["added"]) for one in told["files"]}
    assert shown == {"red.png.xmp": ("new", ["animal/dog", "sea"]), "blue.png.xmp": ("new", ["sea"])}
    short = client.get(ROUTE + "/preview", params={"naming": "photo.xmp"}).json()
    assert {one["file"].rpartition("/")[2] for one in short["files"]} == {"red.xmp", "blue.xmp"}
    assert files(world) == before
    assert tagged.library.catalog.version() == version
    assert client.get(ROUTE).json() == []


def test_pages_of_a_preview_are_what_an_export_takes_together(client, tagged, monkeypatch):
    monkeypatch.setattr(export_service, "PHOTOS_AT_A_TIME", 1)
    seen, page = [], 0
    while page is not None:
        told = client.get(ROUTE + "/preview", params={"page": page}).json()
        seen += [one["file"] for one in told["files"]]
        page = told["following"]
    assert [file.rpartition("/")[2] for file in seen] == ["blue.png.xmp", "red.png.xmp"]
    assert client.get(ROUTE + "/preview", params={"page": 7}).json()["files"] == []


def test_an_export_writes_sidecars_alone_and_undo_puts_all_back(client, tagged, world, ended):
    before = files(world)
    told = export(client, ended)
    assert (told["state"], told["done"], told["total"]) == ("done", 2, 2)
    counts = {"export": 1, "written": 2, "unchanged": 0, "refused": 0}
    assert told["report"] == {**counts, "left_alone": [], "shortened": [], "changed": False}
    assert (told["doing"], told["way"]) == ("export", "beside")
    new = {path.name for path in files(world).keys() - before.keys()}
    assert new == {"red.png.xmp", "blue.png.xmp"}
    assert {path: kept for path, kept in files(world).items() if path.suffix != ".xmp"} == before
    (entry,) = client.get(ROUTE).json()
    assert (entry["id"], entry["files"], entry["undone_at"]) == (1, 2, None)
    assert export(client, ended)["report"]["unchanged"] == 2
    assert client.post(f"{ROUTE}/1/undo").status_code == 202
    told = ended(ROUTE + "/run")
    assert (told["doing"], told["way"], told["done"], told["total"]) == ("undo", "beside", 2, 2)
    assert told["report"]["written"] == 2
    assert files(world) == before
    assert client.get(ROUTE).json()[0]["undone_at"] is not None


def test_what_is_left_alone_is_told_with_its_reason(client, tagged, world, ended):
    (world.photos / "red.png.xmp").write_text("<x:xmpmeta")
    (one,) = [one for one in client.get(ROUTE + "/preview").json()["files"] if one["outcome"] == "leave"]
    report = export(client, ended)["report"]
    assert (report["written"], report["refused"]) == (1, 1)
    assert report["left_alone"] == [{"file": one["file"], "reason": one["reason"]}]


def test_of_several_at_once_one_runs_and_the_others_are_refused(client, tagged, ended, monkeypatch):
    going, answers = threading.Event(), []
    run = ExportService.run

    def held(self, *rest, **options):
        assert going.wait(60)
        return run(self, *rest, **options)

    monkeypatch.setattr(ExportService, "run", held)
    asking = [threading.Thread(target=lambda: answers.append(client.post(ROUTE, json={}))) for _ in range(4)]
    for one in asking:
        one.start()
    for one in asking:
        one.join()
    undo = client.post(f"{ROUTE}/1/undo")
    going.set()
    assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409]
    assert undo.status_code == 404
    assert ended(ROUTE + "/run")["report"]["written"] == 2
    assert len(client.get(ROUTE).json()) == 1


def test_what_a_preview_showed_is_written_or_nothing_is(client, tagged, world, ended):
    token = client.get(ROUTE + "/preview").json()["token"]
    tagged.library.catalog.tags.decide([Decision(photo_id(tagged, "red.png"), ("new",), "accepted")])
    before = files(world)
    told = export(client, ended, token=token)
    assert (told["state"], told["report"]["changed"], told["report"]["written"]) == ("stopped", True, 0)
    assert (files(world), client.get(ROUTE).json()) == (before, [])
    token = client.get(ROUTE + "/preview").json()["token"]
    assert export(client, ended, token=token, naming="photo.xmp")["report"]["changed"]
    assert files(world) == before
    report = export(client, ended, token=token)["report"]
    assert (report["changed"], report["written"]) == (False, 2)


@pytest.mark.parametrize("token", ["", "x", "0" * 63, "G" * 64, "0" * 65, 1])
def test_a_token_is_one_of_a_preview(client, tagged, world, token):
    before = files(world)
    assert client.post(ROUTE, json={"token": token}).status_code == 422
    assert client.get(ROUTE + "/preview", params={"token": token}).status_code == 422
    assert files(world) == before


def test_into_photos_is_written_only_where_it_is_asked_for_and_was_shown(client, tagged, world, ended):
    if shutil.which("exiftool") is None:
        pytest.skip("needs exiftool, which is not installed")
    before = files(world)
    for asked in ({}, {"token": None}, {"token": "0" * 64, "naming": "photo.xmp"}):
        assert client.post(ROUTE, json={"into_files": True, **asked}).status_code == 422
    beside = client.get(ROUTE + "/preview").json()["token"]
    shown = client.get(ROUTE + "/preview", params={"into_files": True}).json()
    assert {one["file"].rpartition("/")[2]: one["outcome"] for one in shown["files"]} == {
        "red.png": "change",
        "blue.png": "change",
    }
    for token in ("0" * 64, beside):
        assert export(client, ended, into_files=True, token=token)["report"]["changed"]
    assert files(world) == before
    told = export(client, ended, into_files=True, token=shown["token"])
    assert (told["doing"], told["way"], told["report"]["written"]) == ("export", "into", 2)
    assert {path.name for path, kept in files(world).items() if kept != before.get(path)} == {"red.png", "blue.png"}
    assert client.get(ROUTE).json()[0]["kind"] == "files"
    client.post(f"{ROUTE}/1/undo")
    told = ended(ROUTE + "/run")
    assert (told["doing"], told["way"], told["report"]["written"]) == ("undo", "into", 2)
    assert files(world) == before


def program(folder, text):
    """An ExifTool that is none."""
    (folder / "bin").mkdir()
    (folder / "bin" / "exiftool").write_text(f"#!/bin/sh\n{text}\n")
    (folder / "bin" / "exiftool").chmod(0o755)
    return folder / "bin"


def way_into(client):
    beside, into, table = client.get(ROUTE + "/ways").json()
    for name, way in (("beside", beside), ("table", table)):
        assert way == {"way": name, "works": True, "reason": None}
    assert into["way"] == "into"
    return into["works"], into["reason"]


def test_the_ways_are_told_and_into_photos_is_tried_before(client, monkeypatch):
    if shutil.which("exiftool") is None:
        pytest.skip("needs exiftool, which is not installed")
    monkeypatch.setattr(export_ways, "_known", set())
    assert way_into(client) == (True, None)
    monkeypatch.setattr(export_ways, "_try", lambda stop: pytest.fail("it is known to work"))
    assert way_into(client) == (True, None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("exit 2", "ended early (status 2)"),
        ("exec sleep 600", "it took more than 0 s over one small picture"),
        ('echo "$*" >&2; while read -r line; do [ "$line" = -echo3 ] && read -r m && echo "$m" && echo "$m" >&2; done',
         "ExifTool does not write it"),
    ],
)  # fmt: skip
def test_an_exiftool_that_does_not_work_is_no_way_into_photos(
    client, tagged, world, monkeypatch, tmp_path, text, reason
):
    monkeypatch.setenv("PATH", f"{program(tmp_path, text)}:/usr/bin:/bin")
    monkeypatch.setattr(kept_process, "SECONDS_A_LOOK", 0.05)
    if "sleep" in text:
        monkeypatch.setattr(export_ways, "SECONDS", 0.1)
    before = files(world)
    works, told = way_into(client)
    assert (works, reason in told, "--" in told) == (False, True, False)
    monkeypatch.setattr(export_ways, "_try", lambda stop: pytest.fail("it was found useless a moment ago"))
    for answer in (
        client.get(ROUTE + "/preview", params={"into_files": True}),
        client.post(ROUTE, json={"into_files": True, "token": "0" * 64}),
    ):
        assert (answer.status_code, answer.json()["detail"]) == (503, told)
    assert files(world) == before


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("can't start new thread")])
def test_what_is_wrong_with_this_machine_is_not_laid_on_exiftool(client, monkeypatch, tmp_path, error):
    def fails(stop):
        raise error

    monkeypatch.setenv("PATH", f"{program(tmp_path, 'exit 2')}:/usr/bin:/bin")
    monkeypatch.setattr(export_ways, "_try", fails)
    works, told = way_into(client)
    assert (works, "could not be tried" in told, "Install it" in told) == (False, True, False)
    monkeypatch.setattr(export_ways, "_try", lambda stop: None)
    assert way_into(client) == (True, None)


def test_without_exiftool_a_sentence_says_so(client, tagged, world, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    before = files(world)
    works, told = way_into(client)
    assert (works, "which is not installed" in told, "--" in told) == (False, True, False)
    for answer in (
        client.get(ROUTE + "/preview", params={"into_files": True}),
        client.post(ROUTE, json={"into_files": True, "token": "0" * 64}),
    ):
        assert (answer.status_code, "which is not installed" in answer.json()["detail"]) == (503, True)
    assert files(world) == before
    assert client.get(ROUTE + "/run").json()["state"] == "never"


def test_previews_that_start_exiftool_take_turns(client, tagged, monkeypatch):
    monkeypatch.setattr(export_ways, "require_into", lambda: None)
    monkeypatch.setattr(export_api, "TURN_S", 0.01)
    with export_api._one_reading:
        assert client.get(ROUTE + "/preview", params={"into_files": True}).status_code == 409
        assert client.get(ROUTE + "/preview").status_code == 200


def test_a_way_back_that_was_given_up_is_told(client, tagged, ended):
    export(client, ended)
    tagged.exports.forget(1)
    assert client.get(ROUTE).json()[0]["forgotten"]
    client.post(f"{ROUTE}/1/undo")
    told = ended(ROUTE + "/run")
    assert (told["state"], "was given up" in told["problem"]) == ("failed", True)


@pytest.mark.parametrize("number", ["+1", "1_0", "%201", "1.0", "1%0a", "%D9%A1", "0x1"])
def test_what_is_no_number_names_no_export(client, tagged, ended, number):
    export(client, ended)
    for what in ("undo", "forget"):
        answer = client.post(f"{ROUTE}/{number}/{what}")
        assert (answer.status_code, "digits 0 to 9" in answer.json()["detail"]) == (422, True)
    assert tagged.exports.history()[0].undone_at is None
    assert not tagged.exports.history()[0].forgotten


def test_forgetting_gives_up_the_way_back_and_tells_of_what(client, tagged, world, ended):
    (world.photos / "red.png.xmp").write_bytes(LIGHTROOM.encode())
    export(client, ended)
    tagged.library.catalog.tags.decide([Decision(photo_id(tagged, "blue.png"), ("new",), "accepted")])
    export(client, ended)
    assert client.get(ROUTE).json()[1]["kept_bytes"] > 0
    written = files(world)
    answer = client.post(f"{ROUTE}/2/forget")
    assert (answer.status_code, [one["id"] for one in answer.json()]) == (200, [2, 1])
    assert [(one["forgotten"], one["kept_bytes"]) for one in client.get(ROUTE).json()] == [(True, 0)] * 2
    assert client.post(f"{ROUTE}/2/forget").json() == [], "as the command has it"
    client.post(f"{ROUTE}/1/undo")
    told = ended(ROUTE + "/run")
    assert (told["state"], "was given up" in told["problem"]) == ("failed", True)
    assert files(world) == written


def test_each_reason_not_to_forget_is_told_apart(client, tagged, world, ended, monkeypatch):
    export(client, ended)
    kept = client.get(ROUTE).json()
    answer = client.post(f"{ROUTE}/7/forget")
    assert (answer.status_code, answer.json()["type"]) == (404, "about:blank")
    told = []
    with tagged.library.writer_lock():
        told.append(client.post(f"{ROUTE}/1/forget"))
    going, run = threading.Event(), ExportService.run
    with monkeypatch.context() as patch:
        patch.setattr(ExportService, "run", lambda *rest, **options: going.wait(60) and run(*rest, **options))
        client.post(ROUTE, json={})
        told.append(client.post(f"{ROUTE}/1/forget"))
        going.set()
        ended(ROUTE + "/run")
    journal = tagged.library.catalog.exports
    journal.plan(journal.begin("sidecars"), [Step(0, str(world.photos / "away" / "x.xmp"), None, "0" * 64, ())])
    told.append(client.post(f"{ROUTE}/2/forget"))
    kinds = ["urn:picsift:locked", "urn:picsift:running", "urn:picsift:unsettled"]
    assert [(answer.status_code, answer.json()["type"]) for answer in told] == [(409, kind) for kind in kinds]
    assert len({answer.json()["detail"] for answer in told}) == 3
    assert client.get(ROUTE).json()[1:] == kept


def test_what_was_done_before_an_error_is_told_with_it(client, tagged, monkeypatch, ended):
    def broken(*rest):
        raise LibraryError("the library is gone.")

    with monkeypatch.context() as patch:
        patch.setattr(own_writes, "note", broken)
        told = export(client, ended)
        assert (told["state"], told["problem"]) == ("failed", "the library is gone.")
        assert (told["report"]["written"], told["report"]["export"]) == (2, 1)
        client.post(f"{ROUTE}/1/undo")
        told = ended(ROUTE + "/run")
    assert (told["state"], told["doing"], told["report"]["written"]) == ("failed", "undo", 2)
    [entry] = client.get(ROUTE).json()
    assert (entry["files"], entry["put_back"]) == (2, 2)


def test_an_export_is_refused_while_another_process_writes(client, tagged, world):
    before = files(world)
    with tagged.library.writer_lock():
        assert client.post(ROUTE, json={}).status_code == 409
    assert files(world) == before


@pytest.mark.parametrize("asked", [{"naming": "../../evil.xmp"}, {"naming": "/tmp/x.xmp"}, {"naming": 1}])
def test_no_client_names_a_file(client, tagged, world, asked):
    before = files(world)
    assert client.post(ROUTE, json=asked).status_code == 422
    assert client.post(ROUTE, json={"output": "/tmp/x", "target": "/tmp/x"}).status_code == 422
    for path in ("/tmp/x", "..%2f..%2fx", "1%2f..%2f1"):
        assert client.post(f"{ROUTE}/{path}/undo").status_code in (404, 422)
    assert client.get(ROUTE + "/table", params={"format": "csv", "output": "/tmp/x"}).status_code in (200, 422)
    assert files(world) == before


@pytest.mark.parametrize("route", ["", "/1/undo", "/1/forget"])
def test_another_sites_page_writes_nothing(client, tagged, world, route):
    before = files(world)
    evil = {"Origin": "http://evil.example"}
    assert client.post(ROUTE + route, json={}, headers=evil).status_code == 403
    assert client.post(ROUTE + route, content=b"{}", headers={**evil, "Content-Type": "text/plain"}).status_code == 403
    assert files(world) == before


def test_without_the_password_nothing_is_written_or_seen(api, tagged, world, monkeypatch):
    monkeypatch.setattr(doorkeeper, "EVERY_WRONG_S", 0)
    monkeypatch.setattr(doorkeeper, "LONGEST_PAUSE_S", 0)
    before = files(world)
    with TestClient(Gate(api, keeper=doorkeeper.Doorkeeper("x"), hosts=None)) as client:
        asked = [("POST", ""), ("POST", "/1/undo"), ("POST", "/1/forget"), ("DELETE", "/run")]
        asked += [("GET", path) for path in ("/preview", "/table", "/ways")]
        assert {client.request(method, ROUTE + path).status_code for method, path in asked} == {401}
        assert client.post(ROUTE, json={}, auth=("me", "wrong")).status_code == 401
        assert files(world) == before
        assert client.post(ROUTE, json={}, auth=("me", "x")).status_code == 202


def test_tables_are_downloaded(client, tagged, tmp_path, monkeypatch):
    made, write = [], table_export.write
    monkeypatch.setattr(table_export, "write", lambda *asked: (made.append(asked[2]), write(*asked)))
    answer = client.get(ROUTE + "/table")
    assert answer.headers["content-disposition"] == 'attachment; filename="picsift-tags.csv"'
    assert int(answer.headers["content-length"]) == len(answer.content)
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert sorted(row["tag"] for row in rows) == ["animal/dog", "sea", "sea"]
    lines = client.get(ROUTE + "/table", params={"format": "jsonl"})
    assert lines.headers["content-type"].startswith("application/jsonl")
    assert sum(len(json.loads(line)["tags"]) for line in lines.text.splitlines()) == 3
    assert client.get(ROUTE + "/table", params={"format": "parquet"}).content.startswith(b"PAR1")
    assert {target.parents[1] for target in made} == {tmp_path / "of-the-server"}, "swept by the next server"
    assert list((tmp_path / "of-the-server").iterdir()) == []
    with export_api._one_table:
        assert client.get(ROUTE + "/table").status_code == 409
