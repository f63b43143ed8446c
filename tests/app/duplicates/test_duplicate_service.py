"""Duplicates of a real library: groups, the best of each, filters, and that no photo is opened."""

import shutil

import pytest
from PIL import ImageFilter

from app.duplicates.kinds import Kind
from app.search.live_index import EmptyLibraryError
from indexer.catalog.photo_filter import PhotoFilter
from tests.app.colours import World
from tests.app.duplicates.pictures import scene


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    (world.photos / "sent").mkdir()
    scene(1).save(world.photos / "a.png")
    shutil.copyfile(world.photos / "a.png", world.photos / "sent" / "a (1).png")
    scene(1).save(world.photos / "sent" / "a.jpg", quality=60)
    scene(1).resize((160, 120)).save(world.photos / "sent" / "small.jpg")
    for second in (0, 4):
        image = scene(2).filter(ImageFilter.BoxBlur(second)).crop((8 * second, 0, 280 + 8 * second, 240))
        exif = image.getexif()
        exif.get_ifd(0x8769)[0x9003] = f"2021:07:04 10:11:{second:02}"
        image.save(world.photos / f"burst{second}.jpg", exif=exif)
    scene(3).save(world.photos / "alone.png")
    world.index()
    return world


def told(found):
    return {
        group.best.path.name: {one.photo.path.name: one.kind.value for one in group.others} for group in found.groups
    }


SENT = {"a (1).png": "exact", "a.jpg": "near", "small.jpg": "near"}


def test_groups_with_the_best_of_each(world):
    found = world.services().duplicates.find()
    assert told(found) == {"a.png": SENT, "burst0.jpg": {"burst4.jpg": "burst"}}
    assert (found.photos, found.by_vector, found.blank) == (7, 0, 0)
    assert all(one.of == group.best for group in found.groups for one in group.others)


def test_kinds_and_filters_narrow_it_down(world):
    service = world.services().duplicates
    assert told(service.find([Kind.exact])) == {"a.png": {"a (1).png": "exact"}}
    assert told(service.find([Kind.near])) == {"a.png": {"a.jpg": "near", "small.jpg": "near"}}
    assert told(service.find([Kind.burst])) == {"burst0.jpg": {"burst4.jpg": "burst"}}
    found = service.find(filter=PhotoFilter(folder="sent"))
    assert (told(found), found.photos) == ({"a (1).png": {"a.jpg": "near", "small.jpg": "near"}}, 3)
    assert service.find(filter=PhotoFilter(folder="nowhere")).groups == []


def test_no_photo_is_opened(world):
    for path in list(world.photos.rglob("*.*")):
        path.unlink()
    assert told(world.services().duplicates.find())["a.png"] == SENT


def test_without_thumbnails_vectors_alone_tell(world):
    shutil.rmtree(world.settings.library / "thumbnails")
    found = world.services().duplicates.find([Kind.exact, Kind.near])
    assert found.by_vector == 7
    assert told(found)["a.png"].items() >= SENT.items()


def test_a_bond_that_leads_past_the_best_says_of_what(world):
    shutil.copyfile(world.photos / "burst4.jpg", world.photos / "again.jpg")
    world.index()
    (group,) = [group for group in world.services().duplicates.find().groups if group.best.path.name == "burst0.jpg"]
    (copy,) = [one for one in group.others if one.kind is Kind.exact]
    assert {copy.photo.path.name, copy.of.path.name} == {"again.jpg", "burst4.jpg"}


def test_a_kind_that_is_not_asked_for_joins_no_group(world):
    """Else an exact copy of one that is nearly the best would stand below the best, as a copy of it."""
    shutil.copyfile(world.photos / "sent" / "small.jpg", world.photos / "sent" / "small (1).jpg")
    world.index()
    found = world.services().duplicates.find([Kind.exact, Kind.burst])
    copies = {"a.png": {"a (1).png": "exact"}, "small.jpg": {"small (1).jpg": "exact"}}
    assert told(found) == {**copies, "burst0.jpg": {"burst4.jpg": "burst"}}
    assert all(one.of == group.best for group in found.groups for one in group.others)


def test_an_empty_library_is_said(tmp_path):
    with pytest.raises(EmptyLibraryError, match="picsift index"):
        World(tmp_path).services().duplicates.find()
