"""Exports into the photos: read by exiftool and exiv2, pictures unchanged, undone, no news for the indexer."""

import hashlib
import os
import shutil
import signal
import subprocess
import textwrap

import pytest
from PIL import Image
from typer.testing import CliRunner

from app.cli import commands as cli
from app.tagging.export import safe_write
from app.tagging.export.file_plan import PlannedFile
from app.tagging.export.sidecar_plan import Refused
from indexer.catalog.tag_records import Decision, Edit
from indexer.pictures.content.picture_hash import hash_file
from tests import forked_code
from tests.app.colours import World
from tests.app.serving import photo_id
from tests.app.tagging.exiftool.asking import ask, told
from tests.app.tagging.export.test_export_service import files
from tests.indexer.dng_sample import dng
from tests.indexer.heic_sample import HEIC

DOG, SEA = ("animal", "dög"), ("sea",)
FORMATS = ("jpg", "png", "webp", "gif", "tif", "avif", "heic", "jxl", "dng")
WITH_IPTC = ("jpg", "tif", "dng")


@pytest.fixture(autouse=True)
def exiftool():
    if shutil.which("exiftool") is None:
        pytest.skip("needs exiftool, which is not installed")


def write(world, name, **extra):
    path, suffix = world.photos / name, name.rpartition(".")[2]
    if suffix == "heic":
        path.write_bytes(HEIC)
    elif suffix in ("dng", "nef"):
        path.write_bytes(dng(Image.new("RGB", (400, 300), "teal")))
    else:
        if suffix == "jxl":
            import pillow_jxl  # noqa: F401
        Image.effect_noise((64, 48), 90).convert("RGB").save(path, **extra)
    return path


@pytest.fixture
def shelf(tmp_path):
    """A library of one photo in each format, each with two tags."""
    world = World(tmp_path)
    for suffix in FORMATS:
        write(world, f"{suffix}.{suffix}")
    world.index()
    tag(world)
    return world


def tag(world, *paths):
    services = world.services()
    catalog = services.library.catalog
    ids = catalog.exports.exportable() or [catalog.photo_at(path).id for path in world.photos.rglob("*.*")]
    catalog.tags.decide([Decision(number, path, "accepted") for number in ids for path in paths or (DOG, SEA)])
    return services


def said(path, *fields):
    [found] = said_of([path], *fields)
    return found


def said_of(paths, *fields):
    """What exiftool finds in files."""
    return told(paths, *(fields or ("XMP:all", "IPTC:all")))


def one(tmp_path, name="a.jpg", **extra):
    """A library of one photo with two tags."""
    world = World(tmp_path)
    path = write(world, name, **extra)
    world.index()
    return world, path, tag(world)


@pytest.mark.fresh_exiftool
def test_every_format_is_written_read_by_others_and_put_back(shelf):
    services, before = shelf.services(), files(shelf)
    known = {path.name: services.library.catalog.photo_at(path) for path in shelf.photos.iterdir()}
    report = services.exports.run(into_files=True)
    assert (report.refused, report.written, report.shortened) == ([], len(FORMATS), [])
    paths = [shelf.photos / name for name in known]
    for path, found in zip(paths, said_of(paths), strict=True):
        name = path.name
        assert found["SourceFile"] == str(path)
        assert hash_file(path) == known[name].content_hash
        assert found["XMP-dc:Subject"] == ["animal", "dög", "sea"]
        assert found["XMP-lr:HierarchicalSubject"] == ["animal|dög", "sea"]
        assert found["XMP-digiKam:TagsList"] == ["animal/dög", "sea"]
        with_iptc = name.rpartition(".")[2] in WITH_IPTC
        assert found.get("IPTC:Keywords") == (["animal", "dög", "sea"] if with_iptc else None)
        assert found.get("IPTC:CodedCharacterSet") == ("UTF8" if with_iptc else None)
    assert services.exports.run(into_files=True).unchanged == len(FORMATS)
    assert services.exports.undo(report.export).written == len(FORMATS)
    assert files(shelf) == before


def test_the_indexer_knows_what_was_written(shelf):
    services, images = shelf.services(), shelf.embedder.images
    catalog = services.library.catalog
    model = catalog.active_model()
    before = {p.name: catalog.photo_at(p).id for p in shelf.photos.iterdir()}
    generation = catalog.generation(model.id)
    services.exports.run(into_files=True)
    report = shelf.index()
    counts = (report.added, report.updated, report.moved, report.removed, report.failed)
    assert counts == (0, 0, 0, 0, 0)
    assert report.unchanged == len(FORMATS)
    assert (shelf.embedder.images, catalog.generation(model.id)) == (images, generation)
    assert {path.name: catalog.photo_at(path).id for path in shelf.photos.iterdir()} == before
    number = before["png.png"]
    assert {tag.path for tag in catalog.tags.of([number])[number]} == {DOG, SEA}
    assert "sea" in catalog.photo(number).keywords
    services.exports.undo(1)
    report = shelf.index()
    assert (report.updated, report.unchanged) == (0, len(FORMATS))


def test_a_second_reader_finds_the_same(tmp_path):
    if shutil.which("exiv2") is None:
        pytest.skip("needs exiv2, which is not installed")
    _, path, services = one(tmp_path)
    services.exports.run(into_files=True)
    found = subprocess.run(["exiv2", "-PXIkt", "pr", str(path)], capture_output=True, text=True, check=True).stdout
    for expected in ("animal|dög", "animal/dög", "Iptc.Application2.Keywords", "dög", "%G"):
        assert expected in found


def test_foreign_words_stay_and_are_in_both(tmp_path):
    world, path, services = one(tmp_path)
    iptc = ("-IPTC:CodedCharacterSet=UTF8", "-IPTC:Keywords=Köln", "-IPTC:Keywords=sea", "-IPTC:By-line=Zoë")
    ask("-q", "-overwrite_original", *iptc, "-XMP-dc:Creator=Zoë", "-EXIF:Artist=Zoe", path)
    world.index()
    services.exports.run(into_files=True)
    found = said(path, "all")
    assert found["IPTC:Keywords"] == ["Köln", "sea", "animal", "dög"]
    assert set(found["XMP-dc:Subject"]) == {"animal", "dög", "sea", "Köln"}
    assert (found["IPTC:By-line"], found["XMP-dc:Creator"], found["IFD0:Artist"]) == ("Zoë", ["Zoë"], "Zoe")
    number = photo_id(services, "a.jpg")
    services.library.catalog.tags.decide([Decision(number, tag, "rejected") for tag in (DOG, SEA)])
    services.exports.run(into_files=True)
    assert said(path)["IPTC:Keywords"] == ["Köln", "sea"]  # sea was there before


def test_a_tag_that_iptc_has_no_room_for_is_named_and_whole_in_xmp(tmp_path, monkeypatch):
    world, path, _ = one(tmp_path)
    long = "ä" * 33
    tag(world, (long,))
    monkeypatch.setenv("PICSIFT_LIBRARY", str(world.settings.library))
    done = CliRunner().invoke(cli.app, ["export", "--into-files"])
    assert done.exit_code == 0
    assert f"IPTC has no room for all of '{long}'" in done.stderr
    assert long in said(path)["XMP-dc:Subject"]
    assert long not in said(path)["IPTC:Keywords"]


def test_each_change_has_its_reason_also_where_only_lists_are_completed(tmp_path):
    _, path, services = one(tmp_path)

    def exif(*arguments):
        ask("-q", "-overwrite_original", *arguments, path)

    def reasons():
        [planned] = services.exports.preview(into_files=True)
        return planned.added, planned.removed, planned.words, planned.completed

    assert reasons() == ((DOG, SEA), (), (), ())
    services.exports.run(into_files=True)
    whole = path.read_bytes()
    exif("-IPTC:all=")
    assert reasons() == ((), (), (), ("IPTC",))
    path.write_bytes(whole)
    exif("-XMP-lr:HierarchicalSubject=animal|dög")
    assert reasons() == ((), (), (), ("XMP",))
    path.write_bytes(whole)
    exif("-IPTC:Keywords+=Köln", "-XMP-dc:Subject+=Ulm")
    services.library.catalog.tags.edit([Edit(1, "rating", "4", "person")])
    assert reasons() == ((), (), ("rating",), ("XMP", "IPTC"))
    services.library.catalog.tags.decide([Decision(1, ("new",), "accepted")])
    assert reasons() == ((("new",),), (), ("rating",), ("XMP", "IPTC"))
    exif("-XMP:Rating=4", "-XMP-dc:Subject+=Köln", "-IPTC:Keywords+=Ulm")
    assert reasons() == ((("new",),), (), (), ())


def test_words_that_were_given_here_are_written(tmp_path):
    _, path, services = one(tmp_path)
    given = {"rating": "4", "title": "Tür", "description": "Zwei\nZeilen"}
    number = photo_id(services, "a.jpg")
    services.library.catalog.tags.edit([Edit(number, name, value, "person") for name, value in given.items()])
    [planned] = services.exports.preview(into_files=True)
    assert isinstance(planned, PlannedFile)
    assert planned.words == tuple(given)
    services.exports.run(into_files=True)
    found = said(path)
    assert (found["XMP-xmp:Rating"], found["XMP-dc:Title"], found["IPTC:ObjectName"]) == (4, "Tür", "Tür")
    assert found["XMP-dc:Description"] == found["IPTC:Caption-Abstract"] == "Zwei\nZeilen"


@pytest.mark.parametrize(
    "name",
    [b"-all=.jpg", b"a\nb.jpg", b"#[CSTR].jpg", b"%d'\"$(id).jpg", b"caf\xe9.jpg", b" @ .jpg", "名前.jpg".encode()],
)
def test_no_name_is_an_option_to_exiftool(tmp_path, name):
    _, path, services = one(tmp_path, os.fsdecode(name))
    before = path.read_bytes()
    report = services.exports.run(into_files=True)
    assert (report.refused, report.written) == ([], 1)
    copy = tmp_path / "copy.jpg"
    copy.write_bytes(path.read_bytes())
    assert said(copy)["XMP-dc:Subject"] == ["animal", "dög", "sea"]
    services.exports.undo(report.export)
    assert path.read_bytes() == before
    assert [os.fsencode(file.name) for file in path.parent.iterdir()] == [name]


def refusals(services):
    return {outcome.path.name: outcome.reason for outcome in services.exports.preview(into_files=True)}


def test_links_raws_and_what_cannot_be_proved_are_refused(tmp_path):
    world = World(tmp_path)
    write(world, "raw.nef")
    write(world, "flat.bmp")
    (tmp_path / "elsewhere.jpg").write_bytes(write(world, "hard.jpg").read_bytes())
    (world.photos / "link.jpg").symlink_to(tmp_path / "elsewhere.jpg")
    os.link(world.photos / "hard.jpg", tmp_path / "other name.jpg")
    world.index()
    services, before = tag(world), files(world)
    found = refusals(services)
    assert "camera RAWs" in found["raw.nef"]
    assert "cannot be proved" in found["flat.bmp"]
    assert "a link" in found["link.jpg"]
    assert "2 names (hard links)" in found["hard.jpg"]
    assert all("Its tags can go beside it" in reason for reason in found.values())
    report = services.exports.run(into_files=True)
    assert (report.written, report.export, len(report.refused)) == (0, None, 4)
    assert files(world) == before


def test_a_preview_writes_nothing(shelf):
    services, before = shelf.services(), files(shelf)
    outcomes = list(services.exports.preview(into_files=True))
    assert [set(outcome.added) for outcome in outcomes] == [{DOG, SEA}] * len(FORMATS)
    assert files(shelf) == before
    assert services.exports.history() == []
    assert not list(shelf.settings.library.glob(".picsift-export-*"))


def test_another_picture_under_the_name_gets_no_tags(tmp_path):
    world, _, services = one(tmp_path)
    write(world, "a.jpg")
    before = files(world)
    report = services.exports.run(into_files=True)
    assert "changed since it was indexed" in report.refused[0][1]
    assert files(world) == before


def test_what_follows_the_picture_stays(tmp_path):
    more = Image.effect_noise((80, 60), 50).convert("RGB")
    _, path, services = one(tmp_path, "a.jpg", format="MPO", save_all=True, append_images=[more])
    path.write_bytes(path.read_bytes() + b"a film")

    def second():
        return ask("-b", "-MPImage2", path)

    before = second()
    assert len(before) > 1000
    assert services.exports.run(into_files=True).written == 1
    assert second() == before
    assert path.read_bytes().endswith(b"a film")


def test_a_packet_in_several_parts_is_left_alone(tmp_path):
    world, path, services = one(tmp_path)
    depth = tmp_path / "depth.xmp"
    depth.write_bytes(
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description rdf:about="" xmlns:GDepth="http://ns.google.com/photos/1.0/depthmap/" GDepth:Data="'
        + b"QUJD" * 40_000
        + b'"/></rdf:RDF></x:xmpmeta>'
    )
    ask("-q", "-overwrite_original", "-tagsfromfile", depth, "-xmp:all", path)
    world.index()
    before = path.read_bytes()
    [(_, reason)] = services.exports.run(into_files=True).refused
    assert "several parts" in reason
    assert path.read_bytes() == before


def test_undo_leaves_alone_what_was_changed_since(tmp_path):
    _, path, services = one(tmp_path)
    report = services.exports.run(into_files=True)
    path.write_bytes(path.read_bytes() + b"\0")
    [(refused, reason)] = services.exports.undo(report.export).refused
    assert (refused, "changed since" in reason) == (path, True)


def test_the_time_stays_only_where_it_dates_the_photo(tmp_path):
    world = World(tmp_path)
    undated = write(world, "undated.jpg")
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2021:07:04 10:11:12"
    dated = write(world, "dated.jpg", exif=exif)
    for path in (undated, dated):
        os.utime(path, ns=(10**18, 10**18 + 7))
    world.index()
    services = tag(world)
    report = services.exports.run(into_files=True)
    assert undated.stat().st_mtime_ns == 10**18 + 7
    assert dated.stat().st_mtime_ns > 10**18 + 7
    services.exports.undo(report.export)
    assert dated.stat().st_mtime_ns == 10**18 + 7


def test_a_read_only_folder_is_noticed_before_anything_is_written(tmp_path, monkeypatch):
    _, path, services = one(tmp_path)
    before = path.read_bytes()
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    [outcome] = services.exports.preview(into_files=True)
    assert isinstance(outcome, Refused)
    assert "read-only" in outcome.reason
    report = services.exports.run(into_files=True)
    assert (report.written, len(report.refused), path.read_bytes()) == (0, 1, before)


def test_a_full_disk_costs_the_file_and_not_the_run(tmp_path, monkeypatch):
    world = World(tmp_path)
    for name in ("a.jpg", "b.jpg"):
        write(world, name)
    world.index()
    services, before, real = tag(world), files(world), safe_write.replace

    def full(path, content, **kwargs):
        if path.name == "a.jpg":
            raise OSError(28, "No space left on device")
        real(path, content, **kwargs)

    monkeypatch.setattr(safe_write, "replace", full)
    report = services.exports.run(into_files=True)
    assert (report.written, len(report.refused)) == (1, 1)
    assert "No space left" in report.refused[0][1]
    assert (world.photos / "a.jpg").read_bytes() == before[str(world.photos / "a.jpg")][0]
    assert not list(world.photos.rglob(".picsift-*"))


@pytest.mark.parametrize("killed_at", ["before", "between", "after"])
def test_a_kill_in_the_middle_is_settled_and_can_be_undone(tmp_path, killed_at):
    world = World(tmp_path)
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        write(world, name)
    world.index()
    services, before = tag(world), files(world)
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
            Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        real(path, content, **kwargs)
        if len(seen) == 2: os.kill(os.getpid(), signal.SIGKILL)
    safe_write.replace = replace
    ExportService(open_library(Path(sys.argv[1]), create=False)).run(into_files=True)
    """
    assert forked_code.run(textwrap.dedent(code), world.settings.library).returncode == -signal.SIGKILL
    report = services.exports.run(into_files=True)
    assert report.written + report.unchanged == 3
    found = said_of(world.photos.iterdir())
    assert [words["IPTC:Keywords"] for words in found] == [["animal", "dög", "sea"]] * 3
    assert not list(world.photos.rglob(".picsift-*"))
    assert not list(world.settings.library.glob(".picsift-export-*"))
    assert world.index().updated == 0
    for export in services.exports.history():
        services.exports.undo(export.id)
    assert files(world) == before


def test_without_exiftool_one_sentence_says_so(tmp_path, monkeypatch):
    world, path, _ = one(tmp_path)
    before = hashlib.sha256(path.read_bytes()).digest()
    monkeypatch.setenv("PICSIFT_LIBRARY", str(world.settings.library))
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    for arguments in (["--into-files"], ["--into-files", "--dry-run"]):
        done = CliRunner().invoke(cli.app, ["export", *arguments])
        assert (done.exit_code, done.stdout) == (1, "")
        assert "needs ExifTool, which is not installed" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert hashlib.sha256(path.read_bytes()).digest() == before


def test_an_exiftool_that_is_broken_is_said_once_and_not_of_each_photo(tmp_path, monkeypatch):
    world, path, _ = one(tmp_path)
    before, program = path.read_bytes(), tmp_path / "bin" / "exiftool"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 2\n")
    program.chmod(0o755)
    monkeypatch.setenv("PICSIFT_LIBRARY", str(world.settings.library))
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    for arguments in (["--into-files"], ["--into-files", "--dry-run"]):
        done = CliRunner().invoke(cli.app, ["export", *arguments])
        assert (done.exit_code, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
        assert f"{program} does not do it right: ExifTool cannot read it: ExifTool ended early" in done.stderr
    assert path.read_bytes() == before


def test_wishes_that_exclude_each_other_are_wrong_usage():
    for other in (["--undo", "1"], ["--history"], ["--table", "csv"], ["--naming", "photo.xmp"]):
        assert CliRunner().invoke(cli.app, ["export", "--into-files", *other]).exit_code == 2
