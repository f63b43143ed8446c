"""What is done about exports that were killed, or failed half way, and files that were moved or written since."""

import errno
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from app.tagging.export import export_service, journal_steps, plan_token, safe_write
from app.tagging.export.export_service import ExportService
from app.tagging.export.sidecar_plan import Naming
from app.tagging.export.way_back import ExportError
from app.tagging.xmp.merge import Wanted, merged
from indexer.catalog.tag_records import Decision
from tests.app.serving import photo_id
from tests.app.tagging.export.test_export_service import DOG, SEA, files, kill_in_the_middle, tagged, tags  # noqa: F401
from tests.app.tagging.xmp.test_merge import LIGHTROOM

NAMES = ("red.png", "blue.png")


@pytest.fixture
def beside(world, tagged):  # noqa: F811
    """Sidecars of another program's beside both photos."""
    for name in NAMES:
        (world.photos / f"{name}.xmp").write_bytes(LIGHTROOM.encode())
    world.index()
    return tagged


def move(world, folder):
    (world.photos / folder).mkdir(exist_ok=True)
    for name in NAMES:
        for end in ("", ".xmp"):
            (world.photos / f"{name}{end}").rename(world.photos / folder / f"new-{name}{end}")
    world.index()


def old(world, folder):
    return [(world.photos / folder / f"new-{name}.xmp").read_bytes() == LIGHTROOM.encode() for name in NAMES]


@pytest.mark.parametrize("folder", [".", "elsewhere"])
@pytest.mark.parametrize("killed_at", ["before", "after"])
def test_sidecars_of_a_killed_export_that_were_moved_with_their_photos_are_put_back(world, beside, folder, killed_at):
    kill_in_the_middle(world, killed_at)
    move(world, folder)
    beside.exports.recover()
    beside.library.catalog.exports.tidy()
    [export] = beside.exports.history()
    assert (export.finished_at is not None, export.files) == (True, 2 if killed_at == "after" else 1)
    assert beside.exports.undo(1).refused == []
    assert old(world, folder) == [True, True]


def test_sidecars_that_cannot_be_read_for_a_while_keep_their_way_back(world, beside, monkeypatch):
    before = files(world)
    kill_in_the_middle(world, "after")

    def unread(path):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(safe_write, "digest", unread)
        beside.exports.recover()
        beside.library.catalog.exports.tidy()
    assert beside.exports.history()[0].finished_at is None
    assert beside.exports.undo(1).written == 2
    assert files(world) == before


def test_what_another_program_wrote_after_a_kill_costs_no_way_back(world, beside):
    kill_in_the_middle(world, "after")
    written = {name: (world.photos / f"{name}.xmp").read_bytes() for name in NAMES}
    for name in NAMES:
        (world.photos / f"{name}.xmp").write_text("somebody else's")
    report = beside.exports.undo(1)
    assert {reason for _, reason in report.refused} == {journal_steps.CHANGED_SINCE}
    assert (report.written, len(report.refused)) == (0, 2)
    assert beside.exports.history()[0].finished_at is not None
    for name, content in written.items():
        (world.photos / f"{name}.xmp").write_bytes(content)
    assert beside.exports.undo(1).written == 2
    assert [(world.photos / f"{name}.xmp").read_text() for name in NAMES] == [LIGHTROOM, LIGHTROOM]


def test_a_file_that_is_in_place_counts_as_written_whatever_failed_after(world, tagged, monkeypatch):  # noqa: F811
    before = files(world)
    unlink = Path.unlink

    def kept(path, *arguments, **named):
        if path.name.startswith(safe_write.PREFIX):
            raise PermissionError(errno.EPERM, "Operation not permitted")
        unlink(path, *arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", kept)
        report = tagged.exports.run()
    assert (report.written, report.refused) == (2, [])
    assert tagged.exports.undo(1).written == 2
    safe_write.remove_leftovers(world.photos)
    assert files(world) == before


@pytest.mark.parametrize("told", [True, False])
def test_an_error_after_the_renaming_is_told_by_the_file(world, beside, monkeypatch, told):
    before = files(world)
    replace, digest = safe_write.replace, safe_write.digest
    broken = []

    def failing(path, content, **named):
        replace(path, content, **named)
        broken.append(path)
        raise OSError(errno.EIO, "Input/output error")

    def unread(path):
        if path in broken:
            raise OSError(errno.EIO, "Input/output error")
        return digest(path)

    with monkeypatch.context() as patch:
        patch.setattr(safe_write, "replace", failing)
        if not told:
            patch.setattr(safe_write, "digest", unread)
        report = beside.exports.run()
    assert report.written == (2 if told else 0)
    assert {reason for _, reason in report.refused} == (set() if told else {journal_steps.UNKNOWN})
    assert beside.exports.undo(1).written == 2
    assert files(world) == before


def test_photos_that_go_between_two_looks_at_a_plan_are_said(world, tagged, monkeypatch):  # noqa: F811
    monkeypatch.setattr(export_service, "PHOTOS_AT_A_TIME", 1)
    token = plan_token.extended(plan_token.START, tagged.exports.preview())
    catalog, tokens = tagged.library.catalog, ExportService._tokens
    last = catalog.exports.exportable()[-1]

    def then(*arguments):
        found = tokens(*arguments)
        for number in catalog.tags.paths():
            catalog.tags.undecide([last], number)
        return found

    monkeypatch.setattr(ExportService, "_tokens", then)
    report = tagged.exports.run(token=token)
    assert (report.written, report.changed, report.complete) == (1, True, False)


def test_no_reader_takes_a_file_for_new_once_its_way_back_is_given_up(world, beside):
    beside.exports.run()
    steps = beside.library.catalog.exports.steps(1, "done")
    beside.exports.forget(1)
    with closing(sqlite3.connect(world.settings.library / "catalog.db")) as database:
        kept = database.execute("SELECT before, sha256_after FROM export_steps").fetchall()
    known = {safe_write.digest(Path(step.path)) for step in steps}
    assert not known & {after for _, after in kept}, "an older picsift's undo deletes what is as written, and was new"
    for step in beside.library.catalog.exports.steps(1, "done"):
        assert journal_steps.restore(step, None) == journal_steps.NO_WAY_BACK
    assert all((world.photos / f"{name}.xmp").exists() for name in NAMES)
    with pytest.raises(ExportError, match="was given up"):
        beside.exports.undo(1)
    assert beside.library.catalog.exports.written_beside(
        {photo_id(beside, "blue.png"): str(world.photos / "blue.png.xmp")}
    )


@pytest.mark.parametrize("new", ["sub/red.png.xmp", "rot.png.xmp", "sub/rot.xmp"])
def test_a_tag_that_is_rejected_is_taken_out_of_a_sidecar_that_was_moved_with_its_photo(world, tagged, new):  # noqa: F811
    old = "red.xmp" if new == "sub/rot.xmp" else "red.png.xmp"
    tagged.exports.run(Naming.short if old == "red.xmp" else Naming.full)
    photo, sidecar = world.photos / "red.png", world.photos / old
    name = new.split("/")[-1].split(".")[0]
    sidecar.parent.joinpath("sub").mkdir()
    photo = photo.rename((world.photos / new).with_name(f"{name}.png"))
    sidecar = sidecar.rename(world.photos / new)
    world.index()
    write_another(world, old)
    tagged.library.catalog.tags.decide([Decision(photo_id(tagged, photo.name), SEA, "rejected")])
    tagged.exports.run()
    assert tags(sidecar) == {DOG}
    assert tags(world.photos / old) == {SEA}


def test_of_a_photo_that_was_moved_without_its_sidecar_nothing_is_taken_out_of_another_one(world, tagged):  # noqa: F811
    tagged.exports.run()
    (world.photos / "sub").mkdir()
    (world.photos / "red.png").rename(world.photos / "sub" / "red.png")
    theirs = world.photos / "sub" / "red.png.xmp"
    theirs.write_bytes(LIGHTROOM.replace("Summer", "sea").encode())
    assert SEA in tags(theirs)
    world.index()
    tagged.library.catalog.tags.decide([Decision(photo_id(tagged, "red.png"), SEA, "rejected")])
    tagged.exports.run()
    assert SEA in tags(theirs)


@pytest.mark.parametrize("ours", ["deleted", "left and written by another program", "deleted, the photo not moved"])
def test_nothing_is_taken_out_of_another_programs_sidecar_whatever_became_of_ours(world, tagged, ours):  # noqa: F811
    tagged.exports.run()
    old = world.photos / "red.png.xmp"
    if ours.startswith("left"):
        old.write_bytes(old.read_bytes() + b"\n")
    else:
        old.unlink()
    theirs = world.photos / "red.xmp"
    if not ours.endswith("not moved"):
        (world.photos / "sub").mkdir()
        (world.photos / "red.png").rename(world.photos / "sub" / "red.png")
        theirs = world.photos / "sub" / "red.png.xmp"
    theirs.write_bytes(LIGHTROOM.replace("Summer", "sea").encode())
    world.index()
    tagged.library.catalog.tags.decide([Decision(photo_id(tagged, "red.png"), SEA, "rejected")])
    tagged.exports.run()
    assert SEA in tags(theirs)


def test_what_was_taken_out_of_a_moved_sidecar_is_not_ours_once_the_ways_back_are_given_up(world, tagged):  # noqa: F811
    tagged.exports.run()
    (world.photos / "sub").mkdir()
    for name in ("red.png", "red.png.xmp"):
        (world.photos / name).rename(world.photos / "sub" / name)
    world.index()
    sidecar, number = world.photos / "sub" / "red.png.xmp", photo_id(tagged, "red.png")
    tagged.library.catalog.tags.decide([Decision(number, SEA, "rejected")])
    tagged.exports.run()
    tagged.exports.forget(2)
    sidecar.write_bytes(merged(sidecar.read_bytes(), Wanted(add=(SEA,))))
    tagged.exports.run()
    assert tags(sidecar) == {DOG, SEA}


def write_another(world, sidecar):
    """Another photo with its own sidecar, where one was that was moved."""
    world.write("red.png", "black")
    (world.photos / sidecar).write_bytes(merged(None, Wanted(add=(SEA,))))
