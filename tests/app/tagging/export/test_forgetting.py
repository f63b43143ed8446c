"""What the journal keeps, and lets go: never what an undo needs, but where somebody gives that up."""

import json
import sqlite3
from contextlib import closing

import pytest

from app.cli.tagging import exporting
from app.tagging.export import way_back
from app.tagging.export.way_back import ExportError
from indexer.catalog.journal import export_store, letting_go
from indexer.catalog.journal.export_store import ROW_BYTES
from indexer.catalog.tag_records import Decision
from tests.app.serving import photo_id
from tests.app.tagging.export.test_export_service import (  # noqa: F401
    DOG,
    SEA,
    files,
    kill_in_the_middle,
    run,
    tagged,
    tags,
)
from tests.app.tagging.xmp.test_merge import LIGHTROOM


@pytest.fixture
def beside(world, tagged):  # noqa: F811
    """A sidecar of another program's beside a photo, whose old bytes an export has to keep."""
    sidecar = world.photos / "red.png.xmp"
    sidecar.write_bytes(LIGHTROOM.encode())
    return sidecar


def kept(world):
    """The states of the files of which the journal holds old bytes."""
    with closing(sqlite3.connect(world.settings.library / "catalog.db")) as database:
        query = "SELECT export_id, state FROM export_steps WHERE before IS NOT NULL ORDER BY export_id"
        return database.execute(query).fetchall()


def entries(world):
    """The states of the files that the journal knows, with the tags that each says are ours."""
    with closing(sqlite3.connect(world.settings.library / "catalog.db")) as database:
        query = "SELECT export_id, path, state, written FROM export_steps ORDER BY export_id, number"
        rows = database.execute(query).fetchall()
    return [(number, path.rpartition("/")[2], state, json.loads(said)["added"]) for number, path, state, said in rows]


def counted(service):
    """Of each export, the latest first, how many files it wrote, and how many of them are put back."""
    return [(export.files, export.put_back) for export in service.exports.history()]


def test_the_journal_does_not_grow_with_what_was_put_back(world, tagged, beside, monkeypatch):  # noqa: F811
    monkeypatch.setattr(letting_go, "AT_A_TIME", 1)
    before = files(world)
    for number in (1, 2, 3):
        tagged.exports.run()
        tagged.exports.undo(number)
    assert entries(world) == []
    assert counted(tagged) == [(2, 2)] * 3
    assert not any(export.undoable for export in tagged.exports.history())
    with pytest.raises(ExportError, match="was undone at"):
        tagged.exports.undo(2)
    assert [export.id for export in tagged.exports.forget(3)] == []
    assert counted(tagged) == [(2, 2)] * 3
    assert files(world) == before


def test_what_was_never_written_leaves_no_entry(world, tagged, beside, monkeypatch):  # noqa: F811
    with monkeypatch.context() as patch:
        patch.setattr("app.tagging.export.export_service.put", lambda file: "it was not to be.")
        assert len(tagged.exports.run().refused) == 2
    assert entries(world) == []
    tagged.exports.run()
    assert [(number, state) for number, _, state, _ in entries(world)] == [(2, "done")] * 2


def test_what_an_undo_left_alone_keeps_its_entry_and_its_way_back(world, tagged, beside):  # noqa: F811
    tagged.exports.run()
    written = beside.read_bytes()
    beside.write_bytes(LIGHTROOM.encode() + b" ")
    assert tagged.exports.undo(1).written == 1
    assert [(name, state) for _, name, state, _ in entries(world)] == [("red.png.xmp", "done")]
    assert counted(tagged) == [(2, 1)]
    assert tagged.exports.history()[0].undoable
    beside.write_bytes(written)
    assert tagged.exports.undo(1).written == 1
    assert (entries(world), counted(tagged)) == ([], [(2, 2)])
    assert beside.read_bytes() == LIGHTROOM.encode()


def test_of_exports_without_a_way_back_one_entry_a_file_stays(world, tagged, beside):  # noqa: F811
    number = photo_id(tagged, "red.png")
    for count in range(4):
        decisions = [Decision(number, (f"tag {count}",), "accepted"), Decision(number, ("tag 0",), "rejected")]
        tagged.library.catalog.tags.decide(decisions[: 1 + (count == 2)])
        tagged.exports.run()
    assert [number for number, *_ in entries(world)] == [1, 1, 2, 3, 4]
    assert [export.id for export in tagged.exports.forget(3)] == [3, 2, 1]
    ours = [["animal", "dog"], ["sea"], ["tag 1"], ["tag 2"]]
    folded, last = (1, "blue.png.xmp", "done", [["sea"]]), (4, "red.png.xmp", "done", [["tag 3"]])
    assert entries(world) == [folded, (3, "red.png.xmp", "done", ours), last]
    assert counted(tagged) == [(1, 0), (1, 0), (1, 0), (2, 0)]
    with pytest.raises(ExportError, match="was given up"):
        tagged.exports.undo(2)
    tagged.library.catalog.tags.decide([Decision(number, ("tag 1",), "rejected")])
    tagged.exports.run()
    assert ("tag 1",) not in tags(beside)
    tagged.exports.undo(5)
    assert ("tag 1",) in tags(beside)
    tagged.exports.undo(4)
    assert {("tag 2",), SEA} <= tags(beside)
    assert ("tag 3",) not in tags(beside)


@pytest.mark.parametrize("end", [lambda exports: exports.forget(3), lambda exports: exports.run()])
def test_a_forgetting_that_was_killed_says_as_much_and_is_brought_to_its_end(world, tagged, beside, monkeypatch, end):  # noqa: F811
    number, journal = photo_id(tagged, "red.png"), tagged.library.catalog.exports
    for count in range(4):
        tagged.library.catalog.tags.decide([Decision(number, (f"tag {count}",), "accepted")])
        tagged.exports.run()
    before, ours = counted(tagged), journal.written_beside({number: str(beside)})
    monkeypatch.setattr(letting_go, "AT_A_TIME", 1)
    writing, begun, kills = letting_go.writing, list[int](), 0

    def killed_in_the_third(engine):
        begun.append(1)
        if len(begun) == 3:
            raise KeyboardInterrupt
        return writing(engine)

    monkeypatch.setattr(letting_go, "writing", killed_in_the_third)
    ended = False
    while not ended:
        begun.clear()
        try:
            if kills == 0:
                tagged.exports.forget(3)
            end(tagged.exports)
            ended = True
        except KeyboardInterrupt:
            kills += 1
        assert (counted(tagged), journal.written_beside({number: str(beside)})) == (before, ours)
        assert [export.forgotten for export in tagged.exports.history()] == [False, True, True, True]
        assert (4, "done") in kept(world)
        if not ended:
            with pytest.raises(ExportError, match="was given up"):
                tagged.exports.undo(2)
    assert kills >= 3
    assert [entry[:2] for entry in entries(world)] == [(1, "blue.png.xmp"), (3, "red.png.xmp"), (4, "red.png.xmp")]
    assert kept(world) == [(4, "done")]
    assert journal.held() < journal.size()[1]
    monkeypatch.setattr(letting_go, "writing", writing)
    assert tagged.exports.undo(4).written == 1


def test_of_what_is_gone_without_a_way_back_no_entry_stays(world, tagged, beside):  # noqa: F811
    tagged.exports.run()
    (world.photos / "blue.png").unlink()
    for path in (SEA, DOG):
        tagged.library.catalog.tags.decide([Decision(photo_id(tagged, "red.png"), path, "rejected")])
    tagged.exports.run()
    world.index()
    assert entries(world)[0][:2] == (1, "blue.png.xmp")
    tagged.exports.forget(2)
    assert entries(world) == [], "the one photo is gone, and what was written for the other is taken out again"
    assert counted(tagged) == [(1, 0), (2, 0)]


def test_what_the_journal_takes_is_said(run, world, beside, monkeypatch):  # noqa: F811
    run()
    assert "the journal has 2 entries of files" in run("--history")[2]
    assert "way back from exports takes" not in run()[2]
    monkeypatch.setattr(exporting, "LARGE_JOURNAL", 100)
    assert "the way back from exports takes" in run()[2]
    run("--forget", 1)
    assert "the journal has 2 entries of files" in run("--history")[2]
    assert "way back from exports takes" not in run()[2], "no forgetting would make it less"


def test_what_the_way_back_takes_is_counted_once(world, tagged, beside):  # noqa: F811
    journal = tagged.library.catalog.exports
    world.write("gr\u00fcn.png", "green")
    world.index()
    tagged.library.catalog.tags.decide([Decision(photo_id(tagged, "gr\u00fcn.png"), SEA, "accepted")])
    assert journal.held() == 0
    tagged.exports.run()
    with closing(sqlite3.connect(world.settings.library / "catalog.db")) as database:
        rows = database.execute("SELECT path, written, coalesce(before, x'') FROM export_steps").fetchall()
        assert journal.size()[1] == sum(
            ROW_BYTES + len(path.encode() + said.encode() + old) for path, said, old in rows
        )
        assert 0 < journal.held() == sum(len(old) for _, _, old in rows), "no entry of a new file, which stays"
        database.execute("UPDATE export_steps SET before = zeroblob(1000000) WHERE number = 1")
        database.commit()
    assert journal.size()[1] > 1_000_000 > journal.held(), "what was counted is not read again"
    tagged.library.catalog.tags.decide([Decision(photo_id(tagged, "red.png"), ("new",), "accepted")])
    before = journal.held()
    tagged.exports.run()
    assert before < journal.held() < before + 10_000
    tagged.exports.undo(2)
    assert journal.held() > 1_000_000, "where entries have gone it is counted anew"
    tagged.exports.forget(1)
    assert journal.held() == 0 < journal.size()[1]


def test_what_the_way_back_takes_is_counted_anew_after_a_kill_and_damage(world, tagged, beside, monkeypatch):  # noqa: F811
    journal, keep = tagged.library.catalog.exports, export_store.keep_held
    tagged.exports.run()
    assert journal.held() > 0

    def killed(engine):
        raise KeyboardInterrupt

    monkeypatch.setattr(export_store, "keep_held", killed)
    with pytest.raises(KeyboardInterrupt):
        tagged.exports.undo(1)
    assert journal.held() == 0
    monkeypatch.setattr(export_store, "keep_held", keep)
    tagged.exports.run()
    taken = journal.held()
    for damage in ("{broken", "[]", "[[1, 2], null]", "7"):
        with closing(sqlite3.connect(world.settings.library / "catalog.db")) as database:
            assert database.execute("UPDATE settings SET value = ? WHERE key = ?", (damage, export_store.HELD)).rowcount
            database.commit()
        assert journal.held() == taken > 0


def test_what_is_put_back_takes_no_room(world, tagged, beside):  # noqa: F811
    before = files(world)
    tagged.exports.run()
    assert kept(world) == [(1, "done")]
    assert tagged.exports.history()[0].kept_bytes > 0
    tagged.exports.undo(1)
    assert kept(world) == []
    assert (tagged.exports.history()[0].files, tagged.exports.history()[0].put_back) == (2, 2)
    assert files(world) == before


def test_what_was_never_written_takes_no_room(world, tagged, beside):  # noqa: F811
    kill_in_the_middle(world, "before")
    states = dict(kept(world))
    assert set(states.values()) <= {"planned"}
    tagged.exports.run()
    assert "planned" not in dict(kept(world)).values()
    assert "failed" not in dict(kept(world)).values()


def test_several_exports_are_undone_one_after_the_other(world, tagged, beside):  # noqa: F811
    before = files(world)
    tagged.exports.run()
    tagged.library.catalog.tags.decide([Decision(photo_id(tagged, "red.png"), ("new",), "accepted")])
    tagged.exports.run()
    assert [number for number, _ in kept(world)] == [1, 2]
    tagged.exports.undo(2)
    assert [number for number, _ in kept(world)] == [1]
    tagged.exports.undo(1)
    assert files(world) == before


def test_a_way_back_is_given_up_with_all_before_it_and_later_ones_stay(world, tagged, beside):  # noqa: F811
    number = photo_id(tagged, "red.png")
    for name in ("one", "two", "three"):
        tagged.library.catalog.tags.decide([Decision(number, (name,), "accepted")])
        tagged.exports.run()
    assert [export.id for export in tagged.exports.forget(2)] == [2, 1]
    assert [number for number, _ in kept(world)] == [3]
    assert [export.forgotten for export in tagged.exports.history()] == [False, True, True]
    assert tagged.exports.undo(3).written == 1
    after = files(world)
    for export in (1, 2):
        with pytest.raises(ExportError, match="was given up"):
            tagged.exports.undo(export)
    assert files(world) == after, "a sidecar that was new is not deleted for want of old bytes"
    assert tagged.exports.forget(2) == []
    with pytest.raises(ExportError, match="there is no export 9"):
        tagged.exports.forget(9)


def test_which_tags_exports_wrote_stays_known(world, tagged, beside):  # noqa: F811
    tagged.exports.run()
    tagged.exports.forget(1)
    tagged.library.catalog.tags.decide([Decision(photo_id(tagged, "red.png"), DOG, "rejected")])
    tagged.exports.run()
    assert DOG not in tags(beside)
    assert SEA in tags(beside)


def test_an_export_whose_drive_is_away_keeps_its_way_back(world, tagged, beside):  # noqa: F811
    before = files(world)
    kill_in_the_middle(world, "before")
    away = world.photos.rename(world.photos.with_name("away"))
    with pytest.raises(ExportError, match="Bring them back"):
        tagged.exports.forget(1)
    away.rename(world.photos)
    tagged.exports.undo(1)
    assert files(world) == before


def test_an_undo_that_was_killed_keeps_its_way_back(world, tagged, beside, monkeypatch):  # noqa: F811
    before = files(world)
    tagged.exports.run()
    away = world.photos.with_name("away")

    def killed(step, place):
        world.photos.rename(away)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(way_back, "restore", killed)
        with pytest.raises(KeyboardInterrupt):
            tagged.exports.undo(1)
    with pytest.raises(ExportError, match="Bring them back"):
        tagged.exports.forget(1)
    away.rename(world.photos)
    tagged.exports.undo(1)
    assert files(world) == before


def test_the_command_says_what_a_way_back_takes_and_gives_it_up(run, world, beside):  # noqa: F811
    run()
    assert "2 files  done, way back" in run("--history")[1]
    status, _, err = run("--forget", 1)
    assert (status, "1 export cannot be undone any more" in err) == (0, True)
    assert "2 files  done, no way back" in run("--history")[1]
    [entry] = json.loads(run("--history", "--json")[1])
    assert (entry["forgotten"], entry["kept_bytes"]) == (True, 0)
    status, _, err = run("--undo", 1)
    assert (status, "was given up" in err) == (1, True)
    assert run("--forget", 1, "--undo", 1)[0] == 2
    assert run("--forget", 1, "--into-files")[0] == 2
    assert run("--forget", 7)[0] == 1
