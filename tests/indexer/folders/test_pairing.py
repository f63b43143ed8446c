"""A RAW with its picture beside it: one photo, whichever of the two comes, goes or fails."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.catalog.records import FoundFile, KnownPhoto
from indexer.folders.comparison import Changes
from indexer.folders.found import Scan
from indexer.folders.pairing import pair, take_over
from tests.indexer.dng_sample import dng
from tests.indexer.worlds import draw


def scan(*paths):
    return Scan({path: FoundFile(path, 1, 1) for path in paths})


def companions(*paths, failed=()):
    found = pair(scan(*paths), failed)
    assert sorted([*found.scan.files, *(f.path for files in found.companions.values() for f in files)]) == sorted(paths)
    return {picture: [file.path for file in files] for picture, files in found.companions.items()}


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["a/IMG_1.CR2", "a/IMG_1.JPG"], {"a/IMG_1.JPG": ["a/IMG_1.CR2"]}),
        (["a/img_1.cr2", "a/IMG_1.JPG"], {"a/IMG_1.JPG": ["a/img_1.cr2"]}),
        (["IMG_1.HEIC", "IMG_1.dng"], {"IMG_1.HEIC": ["IMG_1.dng"]}),
        (["IMG_1.CR2", "IMG_1.CR2.jpg"], {"IMG_1.CR2.jpg": ["IMG_1.CR2"]}),
        (["IMG_1.CR2", "IMG_1.dng", "IMG_1.JPG"], {"IMG_1.JPG": ["IMG_1.CR2", "IMG_1.dng"]}),
        (["x.NEF", "x.heic", "x.jpg", "x.tif"], {"x.jpg": ["x.NEF"]}),
        (["x.NEF", "x.png", "x.tif"], {"x.png": ["x.NEF"]}),
        (
            ["PXL_2021.RAW-01.MP.COVER.jpg", "PXL_2021.RAW-02.ORIGINAL.dng"],
            {"PXL_2021.RAW-01.MP.COVER.jpg": ["PXL_2021.RAW-02.ORIGINAL.dng"]},
        ),
        (["IMG_1.HEIC", "IMG_1.MOV"], {"IMG_1.HEIC": ["IMG_1.MOV"]}),
        (["IMG_1.HEIC", "IMG_1.DNG", "IMG_1.mov"], {"IMG_1.HEIC": ["IMG_1.DNG", "IMG_1.mov"]}),
        (["IMG_1.HEIC", "IMG_1.mp4", "b/IMG_1.mov", "IMG_2.mov"], {}),
        (["IMG_1.png", "IMG_1.mov"], {}),
        (["a/IMG_1.CR2", "b/IMG_1.JPG"], {}),
        (["IMG_1.CR2", "IMG_10.JPG", "IMG_1-edit.JPG"], {}),
        (["IMG_1.CR2", "IMG_1.DNG"], {}),
        (["IMG_1.HEIC", "IMG_1.JPG"], {}),
    ],
)
def test_what_is_a_pair(paths, expected):
    assert companions(*paths) == expected


def test_beside_a_picture_that_cannot_be_read_a_raw_stays_a_photo():
    assert companions("x.NEF", "x.jpg", failed={"x.jpg"}) == {}
    assert companions("x.NEF", "x.jpg", "x.heic", failed={"x.jpg"}) == {"x.heic": ["x.NEF"]}


def test_a_library_without_raws_is_handed_through():
    found = scan("a.jpg", "b.heic")
    assert pair(found).scan is found


@given(st.lists(st.sampled_from(["a.cr2", "a.CR2.jpg", "A.JPG", "a.heic", "b/a.jpg", "b/a.dng", "a.raw-1.dng", "a"])))
def test_every_file_is_in_one_place(paths):
    companions(*set(paths))


def known(path, number=1):
    return KnownPhoto(number, path, 5, 5, "0", "ok", False, True)


def test_a_photo_that_lost_its_file_takes_the_other_of_its_pair():
    for gone, new in (("a/x.jpg", "a/X.NEF"), ("a/x.NEF", "a/x.jpg")):
        changes = Changes(added=[FoundFile(new, 7, 7), FoundFile("a/y.jpg", 1, 1)], missing=[known(gone)])
        assert [(photo.path, file.path) for photo, file in take_over(changes)] == [(gone, new)]
        assert (changes.missing, [file.path for file in changes.added]) == ([], ["a/y.jpg"])
        assert changes.changed[0].known.path == new
    for gone, new in (("a/x.jpg", "a/x.heic"), ("a/x.jpg", "b/x.NEF"), ("a/x.nef", "a/x.dng")):
        changes = Changes(added=[FoundFile(new, 7, 7)], missing=[known(gone)])
        assert take_over(changes) == [] and len(changes.missing) == 1


# on real files


def counts(report):
    return (report.added, report.updated, report.moved, report.removed, report.unchanged, report.failed)


def raw_of(seed):
    return dng(draw(seed, (96, 72)))


def photos(world):
    """Path below the photos' folder -> id and companions' names."""
    catalog = world.library.catalog
    (root,) = catalog.roots()
    ids = [photo.id for photo in catalog.known(root.id, model_id=world.active.id).values()]
    return {
        str(photo.path.relative_to(world.photos)): (photo.id, [path.name for path in photo.companions])
        for photo in catalog.photos(ids)
    }


@pytest.fixture
def pair_of_files(world):
    world.write("other.png", 9)
    world.write("other2.png", 10)
    world.write("x.JPG", 1)
    world.write("x.DNG", raw_of(1))
    assert counts(world.sync()) == (3, 0, 0, 0, 0, 0)
    return world


def test_a_pair_is_one_photo_and_the_picture_is_what_is_embedded(pair_of_files):
    world = pair_of_files
    assert photos(world)["x.JPG"][1] == ["x.DNG"]
    assert world.nearest(1) == "x.JPG"
    assert counts(world.sync()) == (0, 0, 0, 0, 3, 0)
    world.assert_agreement()


def test_when_the_picture_goes_its_raw_is_the_photo(pair_of_files):
    world = pair_of_files
    number, _ = photos(world)["x.JPG"]
    (world.photos / "x.JPG").unlink()
    assert counts(world.sync()) == (0, 1, 0, 0, 2, 0)
    assert photos(world)["x.DNG"] == (number, [])
    assert world.nearest(1) == "x.DNG"
    world.write("x.JPG", 1)
    assert counts(world.sync()) == (0, 1, 0, 0, 2, 0)
    assert photos(world)["x.JPG"] == (number, ["x.DNG"])
    assert world.library.catalog.photo(number).format == "JPEG"
    world.assert_agreement()


def test_when_the_raw_goes_the_picture_is_not_even_opened(pair_of_files, monkeypatch):
    world = pair_of_files
    number, _ = photos(world)["x.JPG"]
    (world.photos / "x.DNG").unlink()
    assert counts(world.sync()) == (0, 0, 0, 0, 3, 0)
    assert photos(world)["x.JPG"] == (number, [])
    world.write("x.ARW", raw_of(1))
    assert counts(world.sync()) == (0, 0, 0, 0, 3, 0)
    assert photos(world)["x.JPG"] == (number, ["x.ARW"])


def test_both_files_move_together(pair_of_files):
    world = pair_of_files
    number, _ = photos(world)["x.JPG"]
    (world.photos / "sub").mkdir()
    for name in ("x.JPG", "x.DNG"):
        (world.photos / name).rename(world.photos / "sub" / name)
    assert counts(world.sync()) == (0, 0, 1, 0, 2, 0)
    assert photos(world)["sub/x.JPG"] == (number, ["x.DNG"])


def test_when_the_picture_alone_moves_it_keeps_its_photo_and_the_raw_is_new(pair_of_files):
    world = pair_of_files
    number, _ = photos(world)["x.JPG"]
    (world.photos / "sub").mkdir()
    (world.photos / "x.JPG").rename(world.photos / "sub" / "x.JPG")
    assert counts(world.sync()) == (1, 0, 1, 0, 2, 0)
    assert photos(world)["sub/x.JPG"] == (number, [])
    assert photos(world)["x.DNG"][1] == []


def test_beside_a_broken_picture_the_raw_is_found_by_the_next_run(world):
    world.write("x.jpg", b"not a picture")
    world.write("x.dng", raw_of(1))
    assert counts(world.sync()) == (0, 0, 0, 0, 0, 1)
    assert counts(world.sync()) == (1, 0, 0, 0, 0, 0)
    assert world.nearest(1) == "x.dng"
    assert counts(world.sync()) == (0, 0, 0, 0, 1, 0)
    world.write("x.jpg", 1)
    world.sync()
    report = world.sync()
    assert "belong to the pictures beside them now (RAWs, live photos' videos): 1." in report.messages[0]
    assert next(iter(photos(world).values()))[1] == ["x.dng"]
    assert counts(world.sync()) == (0, 0, 0, 0, 1, 0)
    world.assert_agreement()


def test_a_pair_that_is_out_of_sight_keeps_both_files(pair_of_files):
    world = pair_of_files
    (world.photos.parent / "away").mkdir()
    for path in list(world.photos.iterdir()):
        path.rename(world.photos.parent / "away" / path.name)
    world.sync()
    assert photos(world)["x.JPG"][1] == ["x.DNG"]


def test_a_run_that_is_stopped_before_the_pair_is_stored_finishes_it_later(world):
    world.write("x.JPG", 1)
    world.write("x.DNG", raw_of(1))
    world.sync(stop=lambda: True)
    world.sync()
    assert photos(world)["x.JPG"][1] == ["x.DNG"]
