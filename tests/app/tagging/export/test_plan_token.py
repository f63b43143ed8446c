"""Exports that are bound to a preview: what it showed is written, or nothing is."""

import os

import pytest
from PIL import Image

from app.tagging.export import export_service, file_writing, plan_token
from app.tagging.export.sidecar_plan import Folders, Naming
from indexer.catalog.tag_records import Decision
from tests.app.colours import World
from tests.app.serving import photo_id
from tests.app.tagging.exiftool.asking import ask
from tests.app.tagging.export.test_export_service import DOG, SEA, files, tagged  # noqa: F401
from tests.app.tagging.export.test_into_files import exiftool, one  # noqa: F401
from tests.app.tagging.xmp.test_merge import LIGHTROOM


def token_of(services, **how):
    return plan_token.extended(plan_token.START, services.exports.preview(**how))


def test_what_was_shown_is_written(world, tagged):  # noqa: F811
    token = token_of(tagged)
    report = tagged.exports.run(token=token)
    assert (report.written, report.changed, report.complete) == (2, False, True)
    assert token_of(tagged) == plan_token.START
    assert tagged.exports.run(token=plan_token.START).unchanged == 2


def other_tag(world, services):
    services.library.catalog.tags.decide([Decision(photo_id(services, "red.png"), ("new",), "accepted")])


def other_sidecar(world, services):
    (world.photos / "red.png.xmp").write_text("nonsense")


def gone(world, services):
    services.library.catalog.tags.decide([Decision(photo_id(services, "blue.png"), SEA, "rejected")])


@pytest.mark.parametrize("change", [other_tag, other_sidecar, gone])
def test_nothing_is_written_once_it_would_be_something_else(world, tagged, change):  # noqa: F811
    token = token_of(tagged)
    change(world, tagged)
    before = files(world)
    report = tagged.exports.run(token=token)
    assert (report.changed, report.complete, report.written, report.export) == (True, False, 0, None)
    assert files(world) == before
    assert tagged.exports.history() == []


def test_another_choice_is_another_plan(tagged):  # noqa: F811
    assert tagged.exports.run(Naming.short, token=token_of(tagged)).changed
    assert tagged.exports.run(Naming.short, token=token_of(tagged, naming=Naming.short)).written == 2


def test_it_does_not_matter_where_pages_end(tagged, monkeypatch):  # noqa: F811
    token = token_of(tagged)
    monkeypatch.setattr(export_service, "PHOTOS_AT_A_TIME", 1)
    paged, number = plan_token.START, 0
    while True:
        page = tagged.exports.preview_page(number)
        paged, number = plan_token.extended(paged, page.outcomes), number + 1
        if not page.following:
            break
    assert (number, paged) == (2, token)
    assert tagged.exports.run(token=token).written == 2


def test_pages_look_photos_up_once_while_nothing_changes(tagged, monkeypatch):  # noqa: F811
    monkeypatch.setattr(export_service, "PHOTOS_AT_A_TIME", 1)
    looked_up, journal = [], type(tagged.library.catalog.exports)
    for name in ("exportable", "sidecar_kinds"):
        plain = getattr(journal, name)
        monkeypatch.setattr(journal, name, lambda self, name=name, plain=plain: looked_up.append(name) or plain(self))
    assert [tagged.exports.preview_page(number).photos for number in (0, 1, 0)] == [2, 2, 2]
    assert looked_up == ["exportable", "sidecar_kinds"]
    tagged.library.catalog.tags.decide([Decision(photo_id(tagged, "green.png"), ("new",), "accepted")])
    page = tagged.exports.preview_page(1)
    assert (page.photos, page.following, len(looked_up)) == (3, True, 4)


def test_a_folder_is_read_again_only_once_it_has_changed(world, tagged, monkeypatch):  # noqa: F811
    monkeypatch.setattr(export_service, "PHOTOS_AT_A_TIME", 1)
    read = []
    monkeypatch.setattr(os, "listdir", lambda folder, plain=os.listdir: read.append(folder) or plain(folder))

    def looked_at():
        read.clear()
        pages = [tagged.exports.preview_page(number) for number in (0, 1)]
        return len(read), [outcome.path.name for page in pages for outcome in page.outcomes]

    monkeypatch.setattr(Folders, "SETTLED_NS", -1)
    os.utime(world.photos, (1, 1))
    assert looked_at() == (1, ["blue.png.xmp", "red.png.xmp"])
    assert looked_at()[0] == 0
    monkeypatch.setattr(Folders, "SETTLED_NS", 10**18)
    (world.photos / "RED.PNG.XMP").write_text(LIGHTROOM)
    assert looked_at() == (2, ["blue.png.xmp", "RED.PNG.XMP"]), "a change of this moment may hide the next one"
    monkeypatch.setattr(Folders, "SETTLED_NS", -1)
    os.utime(world.photos, (2, 2))
    assert looked_at()[0] == 1
    assert looked_at()[0] == 0
    monkeypatch.setattr(Folders, "SETTLED_NS", 10**18)
    os.utime(world.photos)
    monkeypatch.setattr(export_service, "PHOTOS_AT_A_TIME", 2)
    assert looked_at()[0] == 1, "once for photos that are taken together"


def test_what_changes_while_it_runs_is_not_written(world, tagged, monkeypatch):  # noqa: F811
    monkeypatch.setattr(export_service, "PHOTOS_AT_A_TIME", 1)
    monkeypatch.setattr(export_service, "FILES_AT_A_TIME", 1)
    token, write, order = token_of(tagged), tagged.exports.__class__._write, []

    def changed(self, report, waiting):
        write(self, report, waiting)
        order.extend(file.step.path for file in waiting)
        for name in ("red.png", "blue.png"):
            self._library.catalog.tags.decide([Decision(photo_id(tagged, name), ("new",), "accepted")])

    monkeypatch.setattr(tagged.exports.__class__, "_write", changed)
    report = tagged.exports.run(token=token)
    assert (report.changed, report.complete, report.written) == (True, False, 1)
    assert [str(path) for path in world.photos.glob("*.xmp")] == order
    monkeypatch.undo()
    assert tagged.exports.undo(report.export).written == 1


def test_into_files_the_same_holds(tmp_path):
    _, path, services = one(tmp_path)
    token = token_of(services, into_files=True)
    assert token != token_of(services)
    before = path.read_bytes()
    assert services.exports.run(token=token).changed, "beside them is another plan"
    ask("-q", "-overwrite_original", "-XMP-dc:Subject=theirs", path)
    edited = path.read_bytes()
    assert edited != before
    report = services.exports.run(into_files=True, token=token)
    assert (report.changed, report.written) == (True, 0)
    assert path.read_bytes() == edited
    assert services.exports.run(into_files=True, token=token_of(services, into_files=True)).written == 1


def test_a_file_that_changes_between_plan_and_copy_is_left_as_it_is(tmp_path, monkeypatch):
    _, path, services = one(tmp_path)
    real, edits = file_writing.ready, []

    def edited(planned, tool):
        ask("-q", "-overwrite_original", "-XMP-dc:Subject=theirs", path)
        edits.append(path.read_bytes())
        return real(planned, tool)

    monkeypatch.setattr(file_writing, "ready", edited)
    [(_, reason)] = services.exports.run(into_files=True).refused
    assert "changed while the export ran" in reason
    assert [path.read_bytes()] == edits


def test_an_empty_library_has_a_token(tmp_path):
    world = World(tmp_path)
    Image.new("RGB", (60, 40), "teal").save(world.photos / "a.png")
    world.index()
    services = world.services()
    assert services.exports.run(token=token_of(services)).written == 0
