"""Google Takeout: which JSON belongs to which photo, what comes in, and bad files that cost nothing but themselves."""

import json
import os

import pytest
from typer.testing import CliRunner

from app.cli import commands as cli
from app.tagging.tag_import import TableError
from app.tagging.takeout import from_takeout
from indexer.catalog.tag_records import Decision, Edit
from tests.app.colours import World

LONG = "a_photo_with_a_name_that_is_far_longer_than_takeout_likes"


def ignore(done, total):
    pass


def said(**more):
    return json.dumps({"title": "x.jpg", "photoTakenTime": {"timestamp": "1577836800"}, **more})


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def shelf(world, *names):
    for name in names:
        world.write(name, "red")
    world.index()
    return world.services()


def tags(services, world, name):
    number = services.library.catalog.photo_at(world.photos / name).id
    return {tag.path: tag.origin for tag in services.library.catalog.tags.of([number]).get(number, ())}


@pytest.mark.parametrize(
    ("photo", "beside"),
    [
        ("a.jpg", "a.jpg.json"),
        ("a.jpg", "a.jpg.supplemental-metadata.json"),
        ("a.JPG", "a.jpg.supplemental-metadata.json"),
        ("IMG_20200101_123456789.jpg", "IMG_20200101_123456789.jpg.supplemental-metada.json"),
        (f"{LONG[:47]}.jpg", f"{LONG[:46]}.json"),
        ("a(1).jpg", "a.jpg(1).json"),
        ("a(1).jpg", "a.jpg.supplemental-metadata(1).json"),
        ("a(1).jpg", "a(1).jpg.json"),
        ("a-edited.jpg", "a.jpg.json"),
        ("a-edited(2).jpg", "a.jpg.supplemental-metadata(2).json"),
        ("a-bearbeitet.jpg", "a.jpg.json"),
        ("a.jpg", "a.json"),
    ],
)
def test_the_json_of_a_photo_is_found(world, photo, beside):
    services = shelf(world, photo)
    (world.photos / beside).write_text(said(people=[{"name": "Anna"}]))
    report = from_takeout(services.library, world.photos, ignore)
    assert (report.read, report.changed, report.unknown, report.refused) == (1, 1, [], [])
    assert tags(services, world, photo) == {("people", "Anna"): "takeout"}


def test_numbers_are_not_mixed_up(world):
    services = shelf(world, "a.jpg", "a(1).jpg")
    (world.photos / "a.jpg.json").write_text(said(people=[{"name": "Anna"}]))
    (world.photos / "a.jpg(1).json").write_text(said(people=[{"name": "Bo"}]))
    from_takeout(services.library, world.photos, ignore)
    assert set(tags(services, world, "a.jpg")) == {("people", "Anna")}
    assert set(tags(services, world, "a(1).jpg")) == {("people", "Bo")}


def test_albums_favourites_and_descriptions_come_in(world):
    services = shelf(world, "Trip/a.jpg", "Trip/b.jpg", "Photos from 2020/c.jpg")
    (world.photos / "Trip/metadata.json").write_text(
        json.dumps({"title": "Trip to Köln / 2020", "access": "protected"})
    )
    (world.photos / "Photos from 2020/Metadaten.json").write_text(json.dumps({"title": "Photos from 2020"}))
    (world.photos / "Trip/a.jpg.json").write_text(said(favorited=True, description="At the\nquay"))
    (world.photos / "Photos from 2020/c.jpg.json").write_text(said(people=[{"name": "Anna"}, {"name": "Bo/C"}]))
    report = from_takeout(services.library, world.photos, ignore)
    assert report.unknown == report.refused == []
    album = ("album", "Trip to Köln / 2020")
    assert tags(services, world, "Trip/a.jpg") == tags(services, world, "Trip/b.jpg") == {album: "takeout"}
    assert set(tags(services, world, "Photos from 2020/c.jpg")) == {("people", "Anna"), ("people", "Bo/C")}
    photo = services.library.catalog.photo_at(world.photos / "Trip/a.jpg")
    assert (photo.rating, photo.description) == (5, "At the\nquay")
    again = from_takeout(services.library, world.photos, ignore)
    assert (again.read, again.changed) == (report.read, 0)
    world.index()
    assert services.library.catalog.photo(photo.id).rating == 5


def test_what_was_decided_or_given_here_stays(world):
    services = shelf(world, "a.jpg")
    catalog = services.library.catalog
    number = catalog.photo_at(world.photos / "a.jpg").id
    catalog.tags.decide([Decision(number, ("people", "Anna"), "rejected")])
    catalog.tags.edit([Edit(number, "rating", "2", "person")])
    (world.photos / "a.jpg.json").write_text(said(favorited=True, people=[{"name": "Anna"}]))
    assert from_takeout(services.library, world.photos, ignore).changed == 0
    assert catalog.photo(number).rating == 2


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[1]",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b"9" * 10_000,
        b'{"photoTakenTime": "' + b"x" * 2_000_000 + b'"}',
    ],
)
def test_a_bad_file_costs_itself(world, content):
    services = shelf(world, "a.jpg", "b.jpg")
    (world.photos / "a.jpg.json").write_bytes(content)
    (world.photos / "b.jpg.json").write_text(said(people=[{"name": "Anna"}]))
    report = from_takeout(services.library, world.photos, ignore)
    assert ([where for where, _ in report.refused], report.changed) == ([str(world.photos / "a.jpg.json")], 1)
    assert "\n" not in report.refused[0][1]


@pytest.mark.parametrize(
    "more",
    [
        {"people": "Anna"},
        {"people": [1, None, {"name": 7}, {"name": "\ud800"}, {"name": ""}, {}]},
        {"description": {"a": 1}, "favorited": "yes"},
        {"description": " \0 "},
    ],
)
def test_fields_of_another_kind_say_nothing(world, more):
    services = shelf(world, "a.jpg")
    (world.photos / "a.jpg.json").write_text(said(**more))
    report = from_takeout(services.library, world.photos, ignore)
    assert (report.read, report.changed, report.refused) == (0, 0, [])


def test_a_pipe_is_not_waited_for(world):
    services = shelf(world, "a.jpg")
    os.mkfifo(world.photos / "a.jpg.json")
    [(_, reason)] = from_takeout(services.library, world.photos, ignore).refused
    assert "no ordinary file" in reason


def test_a_json_without_its_photo_is_named(world, monkeypatch):
    shelf(world, "a.jpg")
    (world.photos / "gone.jpg.json").write_text(said())
    monkeypatch.setenv("PICSIFT_LIBRARY", str(world.settings.library))
    done = CliRunner().invoke(cli.app, ["import", str(world.photos), "--takeout"])
    assert done.exit_code == 1
    assert "no photo of the library: " in done.stderr
    assert "gone.jpg.json" in done.stderr


def test_a_folder_without_such_files_is_an_error(world, tmp_path):
    services = shelf(world, "a.jpg")
    for folder in (world.photos, tmp_path / "nowhere"):
        with pytest.raises(TableError):
            from_takeout(services.library, folder, ignore)
    assert CliRunner().invoke(cli.app, ["import", "--keywords", "--takeout"]).exit_code == 2
