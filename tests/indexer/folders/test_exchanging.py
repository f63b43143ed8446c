"""Another drive's file at the path of a photo: not that photo, whatever is known of the two."""

import io
from dataclasses import replace
from itertools import pairwise

import pytest
from PIL import Image

from indexer.catalog.tag_records import Decision
from indexer.folders import exchanging, looking, removing
from tests.indexer.worlds import draw

NAMES = tuple(f"usb/DCIM/100CANON/IMG_{number:04}.JPG" for number in range(1, 7))
FIRST = "2020:01:02 10:11:{:02}"  # when the photos of the first drive were taken
_ORIGINAL = 0x9003


def shot(seed, moment=None):
    """A JPEG, with the moment that its camera notes."""
    exif, content = Image.Exif(), io.BytesIO()
    if moment:
        exif.get_ifd(0x8769)[_ORIGINAL] = moment
    draw(seed).save(content, "JPEG", quality=90, exif=exif)
    return content.getvalue()


@pytest.fixture
def bay(world, monkeypatch):
    """A drive of six photos in `usb`, each with a decision, and two photos on the disk."""
    real = looking.scan

    def scanning(root, *below, **options):
        return replace(real(root, *below, **options), mounts=("usb",) if (root / "usb").exists() else ())

    monkeypatch.setattr(looking, "scan", scanning)
    for seed in (90, 91):
        world.write(f"disk/{seed}.png", seed)
    fill(world, 0, FIRST)
    world.sync()
    world.ids = {name: photo_at(world, name).id for name in NAMES}
    world.library.catalog.tags.decide([Decision(number, ("mine",), "accepted") for number in world.ids.values()])
    return world


def fill(world, seed, moment=None, names=NAMES):
    for number, name in enumerate(names):
        world.write(name, shot(seed + number, moment and moment.format(number)))


def photo_at(world, name):
    return world.library.catalog.photo_at(world.photos / name)


def tagged(world):
    return sorted(n for n, tags in world.library.catalog.tags.of(list(world.ids.values())).items() if tags)


def unplug(world, name):
    (world.photos / "usb").rename(world.photos.with_name(name))


def plug(world, name):
    world.photos.with_name(name).rename(world.photos / "usb")


def assert_kept(world):
    """The photos are those that they were, with all that hangs on them."""
    for number, name in enumerate(NAMES):
        photo = photo_at(world, name)
        assert photo.id == world.ids[name]
        assert photo.content_hash == world.contents[number]
    assert tagged(world) == sorted(world.ids.values())


@pytest.fixture
def exchanged(bay):
    bay.contents = [photo_at(bay, name).content_hash for name in NAMES]
    unplug(bay, "first")
    return bay


@pytest.mark.parametrize("moment", [None, "2024:07:04 10:11:{:02}"])
@pytest.mark.parametrize("noticed", [False, True])
def test_another_drives_files_are_no_photos_of_the_first(exchanged, moment, noticed):
    if noticed:
        exchanged.sync()
    fill(exchanged, 50, moment)
    exchanged.write("usb/DCIM/100CANON/IMG_0099.JPG", shot(77))
    for _ in range(3):
        report = exchanged.sync()
        assert report.removed == 0
        assert_kept(exchanged)
        assert all(photo_at(exchanged, name).missing_since for name in NAMES)
        assert "6 files of" in " ".join(report.messages) and "--allow-mass-removal" in " ".join(report.messages)
    assert photo_at(exchanged, "usb/DCIM/100CANON/IMG_0099.JPG").missing_since is None
    unplug(exchanged, "second")
    plug(exchanged, "first")
    exchanged.sync()
    assert_kept(exchanged)
    assert not any(photo_at(exchanged, name).missing_since for name in NAMES)
    assert photo_at(exchanged, "usb/DCIM/100CANON/IMG_0099.JPG").missing_since
    (exchanged.photos.with_name("second") / "DCIM/100CANON/IMG_0099.JPG").rename(exchanged.photos / "usb/late.JPG")
    assert exchanged.sync().moved == 1
    exchanged.assert_agreement(kills=True)


def test_nor_where_the_look_is_at_a_part_of_it(exchanged):
    exchanged.sync()
    fill(exchanged, 50)
    exchanged.sync(exchanged.photos / "usb/DCIM/100CANON")
    assert_kept(exchanged)


def test_nor_where_only_one_of_them_has_a_name_of_the_first(exchanged):
    fill(exchanged, 50, names=NAMES[:1])
    exchanged.sync()
    assert_kept(exchanged)


def test_where_a_person_says_so_they_are_photos_of_their_own(exchanged):
    fill(exchanged, 50)
    exchanged.sync()
    report = exchanged.sync(allow_mass_removal=True)
    assert (report.added, report.removed) == (6, 6)
    assert {photo_at(exchanged, name).id for name in NAMES}.isdisjoint(exchanged.ids.values())
    assert tagged(exchanged) == []
    assert exchanged.sync().messages == []
    exchanged.assert_agreement(kills=True)


def test_a_drive_that_comes_back_edited_is_the_drive_and_nothing_else_is_read(exchanged, monkeypatch):
    exchanged.sync()
    plug(exchanged, "first")
    exchanged.write(NAMES[0], shot(60))
    read = []
    hashed = exchanging.Hashes._hash
    monkeypatch.setattr(exchanging.Hashes, "_hash", lambda self, asked: read.append(asked[0]) or hashed(self, asked))
    report = exchanged.sync()
    assert (report.updated, report.messages, read) == (1, [], [exchanged.photos / NAMES[0]])
    assert photo_at(exchanged, NAMES[0]).id == exchanged.ids[NAMES[0]]
    assert not photo_at(exchanged, NAMES[0]).missing_since


def test_photos_that_keep_their_moment_are_the_same_however_many_are_edited(bay):
    fill(bay, 60, FIRST)
    assert bay.sync().updated == 6
    assert {name: photo_at(bay, name).id for name in NAMES} == bay.ids


def test_files_that_were_seen_to_be_written_to_are_edited(bay):
    fill(bay, 60, names=NAMES[:5])
    assert bay.sync(written=[str(bay.photos / name) for name in NAMES[:5]]).updated == 5
    assert {name: photo_at(bay, name).id for name in NAMES} == bay.ids


def test_but_not_where_nothing_is_as_it_was_or_the_photos_were_away(exchanged):
    fill(exchanged, 50)
    for _ in range(2):
        exchanged.sync(written=[str(exchanged.photos / name) for name in NAMES])
        assert_kept(exchanged)


def test_one_edited_photo_in_a_folder_of_its_own_is_told_by_the_rest_of_the_drive(bay):
    bay.write("usb/own/a.JPG", shot(40))
    bay.sync()
    before = photo_at(bay, "usb/own/a.JPG")
    bay.write("usb/own/a.JPG", shot(41))
    assert bay.sync(bay.photos / "usb/own").updated == 1
    assert bay.sync(shallow=[bay.photos / "usb/own"]).updated == 0
    after = photo_at(bay, "usb/own/a.JPG")
    assert after.id == before.id and after.content_hash != before.content_hash


def test_names_that_went_round_on_a_drive_are_moves(bay):
    first = (bay.photos / NAMES[0]).read_bytes()
    for name, following in pairwise(NAMES):
        (bay.photos / following).replace(bay.photos / name)
    bay.write(NAMES[-1], first)
    report = bay.sync()
    assert (report.removed, report.messages) == (0, [])
    assert not any(photo_at(bay, name).missing_since for name in NAMES)
    bay.assert_agreement(kills=True)


def test_in_a_folder_of_the_disk_a_file_that_changes_stays_its_photo(world, monkeypatch):
    world.write("a.png", 1)
    world.sync()
    before = world.library.catalog.photo_at(world.photos / "a.png").id
    world.write("a.png", 2)
    assert world.sync().updated == 1
    assert world.library.catalog.photo_at(world.photos / "a.png").id == before
    monkeypatch.setattr(removing, "is_mount", lambda folder: folder == world.photos)
    world.write("a.png", 3)
    world.sync()
    assert world.library.catalog.photo_at(world.photos / "a.png").missing_since  # in the place of a drive it may be
