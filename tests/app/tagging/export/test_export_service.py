"""Exports: previewed, written, undone byte for byte, taken up after a kill, refused where nothing may be written."""

import json
import os
import re
import signal
import textwrap

import pytest
from PIL import Image
from typer.testing import CliRunner

from app.cli import commands as cli
from app.tagging.export import export_service, journal_steps, safe_write
from app.tagging.export.export_service import ExportService
from app.tagging.export.sidecar_plan import Naming, Planned, Refused
from app.tagging.export.way_back import ExportError, ExportReport
from app.tagging.xmp.merge import described
from indexer.catalog.tag_records import Decision, Edit
from indexer.errors import LibraryLockedError
from tests import forked_code
from tests.app.colours import World
from tests.app.serving import photo_id
from tests.app.tagging.xmp.test_merge import LIGHTROOM

DOG, SEA = ("animal", "dog"), ("sea",)


@pytest.fixture
def tagged(services):
    for name, path in (("red.png", DOG), ("red.png", SEA), ("blue.png", SEA)):
        services.library.catalog.tags.decide([Decision(photo_id(services, name), path, "accepted")])
    return services


def tags(path):
    return set(described(path.read_bytes()).tags)


def files(world):
    """Everything in the photos' folder: bytes, permissions and times."""
    return {
        str(path): (path.read_bytes(), path.stat().st_mode, path.stat().st_mtime_ns)
        for path in sorted(world.photos.rglob("*"))
        if path.is_file()
    }


def test_accepted_tags_are_written_beside_their_photos_and_the_photos_stay(world, tagged):
    before = files(world)
    report = tagged.exports.run()
    assert (report.written, report.unchanged, report.refused) == (2, 0, [])
    assert tags(world.photos / "red.png.xmp") == {DOG, SEA}
    assert tags(world.photos / "blue.png.xmp") == {SEA}
    assert {path: kept for path, kept in files(world).items() if not path.endswith(".xmp")} == before


def test_a_preview_writes_nothing_and_says_what_would_be(world, tagged):
    before = files(world)
    outcomes = {outcome.path.name: outcome for outcome in tagged.exports.preview()}
    assert {name: set(outcome.added) for name, outcome in outcomes.items()} == {
        "red.png.xmp": {DOG, SEA},
        "blue.png.xmp": {SEA},
    }
    assert all(isinstance(outcome, Planned) and outcome.before is None for outcome in outcomes.values())
    assert files(world) == before
    assert tagged.exports.history() == []


def test_a_second_export_finds_everything_as_it_should_be(world, tagged):
    tagged.exports.run()
    before = files(world)
    again = tagged.exports.run()
    assert (again.export, again.written, again.unchanged) == (None, 0, 2)
    assert files(world) == before


def test_undo_puts_everything_back_with_its_times(world, tagged):
    sidecar = world.photos / "red.png.xmp"
    sidecar.write_bytes(LIGHTROOM.encode())
    sidecar.chmod(0o640)
    os.utime(sidecar, ns=(10**18, 10**18 + 7))
    before = files(world)
    report = tagged.exports.run()
    assert {DOG, SEA} < tags(sidecar)
    assert sidecar.stat().st_mode & 0o777 == 0o640
    assert tagged.exports.undo(report.export).written == 2
    assert files(world) == before
    with pytest.raises(ExportError, match="there is nothing to put back"):
        tagged.exports.undo(report.export)


def test_undo_says_of_a_drive_that_is_away_that_it_is_and_works_when_it_is_back(world, tagged):
    before = files(world)
    report = tagged.exports.run()
    away = world.photos.rename(world.photos.with_name("away"))
    undone = tagged.exports.undo(report.export)
    assert undone.written == 0
    assert {reason for _, reason in undone.refused} == {journal_steps.GONE}
    assert tagged.exports.history()[0].undone_at is None
    away.rename(world.photos)
    assert tagged.exports.undo(report.export).written == 2
    assert files(world) == before


def test_a_sidecar_that_was_moved_with_its_photo_is_taken_back_where_it_is(world, tagged):
    report = tagged.exports.run()
    (world.photos / "new").mkdir()
    for name in ("red.png", "red.png.xmp"):
        (world.photos / name).rename(world.photos / "new" / name)
    world.index()
    assert tagged.exports.undo(report.export).written == 2
    assert not list(world.photos.rglob("*.xmp"))


def test_a_sidecar_that_was_deleted_beside_its_photo_is_back(world, tagged):
    report = tagged.exports.run()
    (world.photos / "red.png.xmp").unlink()
    assert (tagged.exports.undo(report.export).written, list(world.photos.rglob("*.xmp"))) == (2, [])


def test_undo_leaves_alone_what_was_changed_since(world, tagged):
    report = tagged.exports.run()
    sidecar = world.photos / "red.png.xmp"
    sidecar.write_bytes(sidecar.read_bytes() + b"\n")
    undone = tagged.exports.undo(report.export)
    assert [path for path, _ in undone.refused] == [sidecar]
    assert sidecar.exists()
    assert not (world.photos / "blue.png.xmp").exists()
    with pytest.raises(ExportError, match="there is no export 99"):
        tagged.exports.undo(99)


def test_a_tag_that_was_taken_back_is_taken_out_again_and_a_foreign_one_is_not(world, tagged):
    sidecar = world.photos / "red.png.xmp"
    sidecar.write_bytes(LIGHTROOM.encode())
    tagged.exports.run()
    number = photo_id(tagged, "red.png")
    tagged.library.catalog.tags.decide([Decision(number, DOG, "rejected")])
    [planned] = [outcome for outcome in tagged.exports.preview() if isinstance(outcome, Planned)]
    assert (planned.added, planned.removed) == ((), (DOG,))
    tagged.exports.run()
    assert tags(sidecar) == {SEA, *described(LIGHTROOM.encode()).tags}


def test_suggestions_are_not_written(world, services):
    services.tagging.run(threshold=0.01)
    assert services.exports.run().written == 0


def test_a_damaged_sidecar_is_left_alone_with_a_reason(world, tagged):
    sidecar = world.photos / "red.png.xmp"
    sidecar.write_bytes(b"<x:xmpmeta")
    report = tagged.exports.run()
    assert (report.written, [path for path, _ in report.refused]) == (1, [sidecar])
    assert "damaged" in report.refused[0][1]
    assert sidecar.read_bytes() == b"<x:xmpmeta"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_noticed_before_anything_is_written(world, tagged):
    world.photos.chmod(0o555)
    try:
        outcomes = list(tagged.exports.preview())
    finally:
        world.photos.chmod(0o755)
    assert all(isinstance(outcome, Refused) and "read-only" in outcome.reason for outcome in outcomes)


def test_a_folder_that_may_not_be_written_is_reported(world, tagged, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    report = tagged.exports.run()
    assert report.written == 0
    assert all("read-only" in reason for _, reason in report.refused)
    assert len(report.refused) == 2


def test_a_full_disk_costs_the_file_and_not_the_run(world, tagged, monkeypatch):
    real = safe_write.replace

    def full(path, content, **kwargs):
        if path.name == "red.png.xmp":
            raise OSError(28, "No space left on device")
        real(path, content, **kwargs)

    monkeypatch.setattr(safe_write, "replace", full)
    report = tagged.exports.run()
    assert (report.written, len(report.refused)) == (1, 1)
    assert "No space left" in report.refused[0][1]
    assert not list(world.photos.rglob(".picsift-*"))


@pytest.mark.parametrize("naming", [Naming.full, Naming.short])
def test_sidecars_are_called_as_they_are_wanted(world, tagged, naming):
    tagged.exports.run(naming)
    assert (world.photos / ("red.png.xmp" if naming is Naming.full else "red.xmp")).exists()


def test_the_librarys_habit_names_new_sidecars(world, tagged):
    (world.photos / "green.xmp").write_bytes(LIGHTROOM.encode())
    world.index()
    tagged.exports.run()
    assert (world.photos / "red.xmp").exists()


@pytest.mark.parametrize("together", [500, 1])
def test_two_photos_do_not_share_a_short_name(world, tagged, monkeypatch, together):
    monkeypatch.setattr(export_service, "PHOTOS_AT_A_TIME", together)
    world.write("RED.JPG", "red")
    world.index()
    tagged.library.catalog.tags.decide([Decision(photo_id(tagged, "RED.JPG"), SEA, "accepted")])
    assert tagged.exports.run(Naming.short).written == 3
    assert tags(world.photos / "red.png.xmp") == {DOG, SEA}
    assert tags(world.photos / "RED.JPG.xmp") == {SEA}
    assert tags(world.photos / "blue.xmp") == {SEA}


def test_a_short_name_is_not_taken_where_a_photo_without_tags_would_have_them(world, tagged):
    world.write("red.webp", "green")
    world.index()
    tagged.exports.run(Naming.short)
    world.index()
    assert (world.photos / "red.png.xmp").exists()
    assert not tagged.library.catalog.photo_at(world.photos / "red.webp").keywords


def test_nothing_is_written_into_the_sidecar_of_the_raw_beside(world, tagged):
    raws = LIGHTROOM.replace("<rdf:Description ", '<rdf:Description crs:RawFileName="red.CR2" ', 1)
    for name in ("red.xmp", "blue.png.xmp"):
        (world.photos / name).write_text(raws)
    report = tagged.exports.run(Naming.short)
    assert (world.photos / "red.xmp").read_text() == (world.photos / "blue.png.xmp").read_text() == raws
    assert tags(world.photos / "red.png.xmp") == {DOG, SEA}
    assert ["another file's" in reason for _, reason in report.refused] == [True]


def test_edits_are_written_over_what_a_sidecar_says(world, tagged):
    number = photo_id(tagged, "red.png")
    tagged.library.catalog.tags.edit([Edit(number, "title", "New", "person"), Edit(number, "rating", "2", "person")])
    (world.photos / "red.png.xmp").write_bytes(LIGHTROOM.encode())
    tagged.exports.run()
    said = described((world.photos / "red.png.xmp").read_bytes())
    assert (said.title, said.rating) == ("New", 2)


def test_a_sidecar_that_only_gets_what_it_says_already_is_shown_with_that_reason(world, tagged):
    tagged.exports.run()
    sidecar = world.photos / "red.png.xmp"
    sidecar.write_bytes(re.sub(rb"<digiKam:TagsList>.*</digiKam:TagsList>", b"", sidecar.read_bytes(), flags=re.DOTALL))
    [planned] = [one for one in tagged.exports.preview() if isinstance(one, Planned)]
    assert (planned.added, planned.removed, planned.words, planned.completed) == ((), (), (), ("XMP",))
    tagged.library.catalog.tags.decide([Decision(planned.photo.id, ("new",), "accepted")])
    [planned] = [one for one in tagged.exports.preview() if isinstance(one, Planned)]
    assert (planned.added, planned.completed) == ((("new",),), ())


def describe(path, words):
    with Image.open(path) as image:
        exif = image.getexif()
        exif[0x4746], exif[0x010E] = 4, words
        image.save(path, exif=exif)


def test_words_of_the_file_itself_are_never_copied_so_that_later_ones_count(world, tagged):
    for name in ("worded.jpg", "both.jpg"):
        world.write(name, "red")
        describe(world.photos / name, "first")
    world.index()
    number = photo_id(tagged, "both.jpg")
    tagged.library.catalog.tags.decide([Decision(number, SEA, "accepted")])
    assert tagged.exports.run().written == 3
    assert not (world.photos / "worded.jpg.xmp").exists()
    said = described((world.photos / "both.jpg.xmp").read_bytes())
    assert (said.tags, said.rating, said.description) == ((SEA,), None, None)
    describe(world.photos / "both.jpg", "second")
    os.utime(world.photos / "both.jpg", (2e9, 2e9))
    world.index()
    assert tagged.library.catalog.photo(number).description == "second"


def test_words_that_were_given_here_are_written_without_a_tag_too(world, services):
    number = photo_id(services, "red.png")
    services.library.catalog.tags.edit([Edit(number, "rating", "4", "person")])
    before = files(world)
    [planned] = services.exports.preview()
    assert planned.words == ("rating",)
    assert services.exports.run().written == 1
    said = described((world.photos / "red.png.xmp").read_bytes())
    assert (said.tags, said.rating) == ((), 4)
    assert services.exports.run().export is None
    services.exports.undo(1)
    assert files(world) == before


def test_albums_are_collections_too(world, tagged):
    tagged.library.catalog.tags.decide([Decision(photo_id(tagged, "red.png"), ("album", "Trip"), "accepted")])
    tagged.exports.run()
    assert described((world.photos / "red.png.xmp").read_bytes()).albums == ("Trip",)


@pytest.mark.on_disk  # file systems in memory have no such attributes before Linux 6.6
def test_a_sidecar_keeps_owner_and_attributes_and_gets_them_back(world, tagged):
    sidecar = world.photos / "red.png.xmp"
    sidecar.write_text(LIGHTROOM)
    attribute = "user.from"
    try:
        os.setxattr(sidecar, attribute, b"lightroom")
    except (AttributeError, OSError):
        attribute = ""  # a system or a file system without
    if os.geteuid() == 0:
        os.chown(sidecar, 1234, 4321)
    before = sidecar.stat()

    def kept():
        now = sidecar.stat()
        said = os.getxattr(sidecar, attribute) if attribute else b"lightroom"
        return (now.st_uid, now.st_gid, said) == (before.st_uid, before.st_gid, b"lightroom")

    tagged.exports.run()
    assert DOG in tags(sidecar) and kept()
    tagged.exports.undo(1)
    assert sidecar.read_text() == LIGHTROOM and kept()


def test_a_link_to_a_sidecar_that_is_not_there_stays_one_and_leads_nowhere_again(world, tagged, tmp_path):
    (world.photos / "red.png.xmp").symlink_to(tmp_path / "kept.xmp")
    tagged.exports.run()
    assert tags(tmp_path / "kept.xmp") == {DOG, SEA}
    tagged.exports.undo(1)
    assert (world.photos / "red.png.xmp").is_symlink()
    assert not (tmp_path / "kept.xmp").exists()


def test_two_writers_do_not_meet(tagged):
    with tagged.library.writer_lock(), pytest.raises(LibraryLockedError):
        tagged.exports.run()


def test_what_was_exported_is_read_by_the_next_run_without_embedding_anything(world, tagged):
    tagged.exports.run()
    images = world.embedder.images
    report = world.index()
    assert (report.added, report.failed, world.embedder.images) == (0, 0, images)
    assert set(tagged.library.catalog.photo(photo_id(tagged, "blue.png")).keywords) == {"sea"}


def kill_in_the_middle(world, killed_at):
    """Kill an export at its second file: before it is written, while it is, or after."""
    code = f"""
    import os, signal, sys
    from pathlib import Path
    from app.tagging.export import safe_write
    from app.tagging.export.export_service import ExportService
    from indexer.library import open_library
    real, seen = safe_write.replace, []
    def replace(path, content, **kwargs):
        seen.append(path)
        if len(seen) == 2 and {killed_at!r} == "before": os.kill(os.getpid(), signal.SIGKILL)
        if len(seen) == 2 and {killed_at!r} == "between":
            os.rename = os.replace = None
            Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        real(path, content, **kwargs)
        if len(seen) == 2: os.kill(os.getpid(), signal.SIGKILL)
    safe_write.replace = replace
    ExportService(open_library(Path(sys.argv[1]), create=False)).run()
    """
    assert forked_code.run(textwrap.dedent(code), world.settings.library).returncode == -signal.SIGKILL


def test_a_kill_is_settled_when_its_drive_is_back(world, tagged):
    before = files(world)
    kill_in_the_middle(world, "before")
    away = world.photos.rename(world.photos.with_name("away"))
    tagged.exports.recover()
    [export] = tagged.exports.history()
    assert export.finished_at is None
    away.rename(world.photos)
    assert tagged.exports.undo(export.id).written == 1
    assert files(world) == before


@pytest.mark.parametrize("killed_at", ["before", "between", "after"])
def test_a_kill_in_the_middle_is_settled_and_can_be_undone(world, tagged, killed_at):
    before = files(world)
    kill_in_the_middle(world, killed_at)
    report = tagged.exports.run()
    assert report.written + report.unchanged == 2
    assert tags(world.photos / "red.png.xmp") == {DOG, SEA}
    assert not list(world.photos.rglob(".picsift-*"))
    for export in tagged.exports.history():
        tagged.exports.undo(export.id)
    assert files(world) == before


# The command line


@pytest.fixture
def run(tagged, world, monkeypatch):
    monkeypatch.setenv("PICSIFT_LIBRARY", str(world.settings.library))

    def run(*arguments):
        done = CliRunner().invoke(cli.app, ["export", *map(str, arguments)])
        return done.exit_code, done.stdout, done.stderr

    return run


def test_a_preview_as_json_is_one_list_that_is_printed_as_it_is_made(run, tagged, monkeypatch):
    status, out, _ = run("--dry-run", "--json")
    document = json.loads(out)
    assert (status, out) == (0, json.dumps(document, indent=2) + "\n")
    assert [(one["outcome"], one["added"]) for one in document] == [
        *[("planned", ["sea"]), ("planned", ["animal/dog", "sea"])]
    ]
    printed = []

    def outcomes(self, naming, *, into_files, plain=ExportService.preview):
        for outcome in plain(self, naming, into_files=into_files):
            yield outcome
            printed.append(outcome)
            raise ExportError("the library is gone.")

    monkeypatch.setattr(ExportService, "preview", outcomes)
    status, out, _ = run("--dry-run", "--json")
    assert (status, len(printed)) == (1, 1)
    assert json.loads(out + "]") == document[:1]


def test_the_command_previews_writes_lists_and_undoes(run, world):
    status, out, err = run("--dry-run")
    assert status == 0
    assert "red.png.xmp  +animal/dog, +sea" in out
    assert "nothing was written. 2 new" in err
    status, out, err = run()
    assert (status, out) == (0, "2 files written, 0 unchanged, 0 left alone\n")
    assert "picsift export --undo 1" in err
    assert "2 files  done" in run("--history")[1]
    assert json.loads(run("--undo", 1, "--json")[1])["written"] == 2
    assert "2 files  undone" in run("--history")[1]
    assert not list(world.photos.rglob("*.xmp"))


def test_files_that_are_left_alone_are_named_and_the_status_says_so(run, world):
    (world.photos / "red.png.xmp").write_text("nonsense")
    status, out, err = run()
    assert status == 1
    assert "1 file written, 0 unchanged, 1 left alone" in out
    assert "left alone" in err
    assert "red.png.xmp" in err


def test_two_wishes_at_once_are_wrong_usage(run):
    assert run("--dry-run", "--history")[0] == 2


def test_names_that_are_no_text_are_written_too(tmp_path):
    world = World(tmp_path)
    world.write(os.fsdecode(b"caf\xe9.png"), "red")
    world.index()
    services = world.services()
    services.library.catalog.tags.decide([Decision(1, SEA, "accepted")])
    assert services.exports.run().written == 1
    assert tags(world.photos / os.fsdecode(b"caf\xe9.png.xmp")) == {SEA}


def refusing(monkeypatch, services, state):
    """The journal of exports cannot be told of this state, as on a full disk."""
    journal = type(services.library.catalog.exports)
    settle = journal.settle

    def settled(self, export, numbers, now, *reason, **more):
        if now == state and not reason:
            raise OSError("no space left")
        settle(self, export, numbers, now, *reason, **more)

    monkeypatch.setattr(journal, "settle", settled)


def test_what_was_written_is_counted_though_the_journal_could_not_be_told(world, tagged, monkeypatch):
    report = ExportReport()
    with monkeypatch.context() as patch:
        refusing(patch, tagged, "done")
        with pytest.raises(OSError, match="no space"):
            tagged.exports.run(report=report)
    assert report.written == len([name for name in files(world) if name.endswith(".xmp")]) == 2
    back = ExportReport()
    with monkeypatch.context() as patch:
        refusing(patch, tagged, "undone")
        with pytest.raises(OSError, match="no space"):
            tagged.exports.undo(report.export, report=back)
    assert back.written == 2 - len([name for name in files(world) if name.endswith(".xmp")]) == 1
    tagged.exports.undo(report.export)
    assert [name for name in files(world) if name.endswith(".xmp")] == []


def test_a_stop_behind_the_last_file_of_an_undo_leaves_it_undone(tagged):
    tagged.exports.run()
    looks = iter([False, False])
    assert tagged.exports.undo(1, stop=lambda: next(looks, True)).complete
    assert tagged.exports.history()[0].undone_at is not None


def test_an_undo_that_was_killed_behind_its_last_file_is_told_to_be_done(tagged, monkeypatch):
    tagged.exports.run()
    journal = type(tagged.library.catalog.exports)
    with monkeypatch.context() as patch:
        patch.setattr(journal, "finish", lambda *args, **named: None)
        tagged.exports.undo(1)
    assert tagged.exports.history()[0].undone_at is None
    assert not tagged.exports.history()[0].undoable
    with pytest.raises(ExportError, match="put back already"):
        tagged.exports.undo(1)
    assert tagged.exports.history()[0].undone_at is not None


def test_forgetting_tells_of_exports_alone_that_could_be_undone(tagged, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(export_service, "put", lambda file: "it is left as it is.")
        assert tagged.exports.run().written == 0
    tagged.exports.run()
    assert [one.id for one in tagged.exports.forget(2)] == [2]
