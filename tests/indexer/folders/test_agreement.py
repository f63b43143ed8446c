"""RAWs and pictures of one name: which are one shot, by all that two files may say, and which only have one name."""

import io
import os

import pytest
from PIL import Image
from sqlalchemy import update

from indexer.catalog.database import writing
from indexer.catalog.tables.photo_tables import CompanionRow
from indexer.folders import agreement
from tests.indexer.dng_sample import dng
from tests.indexer.worlds import draw

DATE = "2021:07:04 10:11:12"  # what the sample says, on the clock of +02:00
OTHER = "2020:03:01 08:00:00"


def jpeg(seed, date=None, camera=None, **other):
    """A JPEG with what it says of its shot; further fields by number, of the Exif directory from 0x9000 on."""
    exif, content = Image.Exif(), io.BytesIO()
    fields = {0x9003: date, 0x010F: camera and "Acme", 0x0110: camera} | {int(k[1:], 16): v for k, v in other.items()}
    for tag, value in fields.items():
        if value is not None:
            (exif.get_ifd(0x8769) if tag >= 0x9000 else exif)[tag] = value
    draw(seed).save(content, "JPEG", quality=90, exif=exif)
    return content.getvalue()


def raw(seed, date=DATE, **options):
    return dng(draw(seed), **options).replace(DATE.encode(), date.encode())


def photos(world):
    """Path below the photos' folder -> id and companions' names."""
    catalog = world.library.catalog
    known = [catalog.known(root.id, model_id=world.active.id).values() for root in catalog.roots()]
    found = catalog.photos([photo.id for group in known for photo in group])
    return {str(p.path.relative_to(world.photos)): (p.id, [path.name for path in p.companions]) for p in found}


def companions(world):
    return {path: names for path, (_, names) in photos(world).items()}


@pytest.fixture(autouse=True)
def others(world):
    """A loss of one photo is then no mass removal."""
    for seed in range(20, 24):
        world.write(f"other/{seed}.png", seed)


def without_others(found):
    return {path: what for path, what in found.items() if not path.startswith("other/")}


TOGETHER = {
    "both say the same": jpeg(1, DATE, "Acme One"),
    "the picture says nothing": jpeg(1),
    "it says when alone": jpeg(1, DATE),
    "it says with what alone": jpeg(1, None, "Acme One"),
    "another change": jpeg(1, DATE, "Acme One", x0132="2024:01:01 09:00:00"),
    "a change is all it says": jpeg(1, x0132="2024:01:01 09:00:00"),
    "fractions": jpeg(1, DATE, "Acme One", x9291="25"),
    "the other zone": jpeg(1, "2021:07:04 08:11:12", "Acme One", x9011="+00:00"),
    "the same zone": jpeg(1, DATE, "Acme One", x9011="+02:00"),
}
APART = {
    "another year": jpeg(1, "2022:07:04 10:11:12", "Acme One"),
    "another camera": jpeg(1, DATE, "iPhone 12"),
    "another camera and no date": jpeg(1, None, "iPhone 12"),
    "the next second": jpeg(1, "2021:07:04 10:11:13", "Acme One"),
    "changed before it was taken": jpeg(1, x0132="2019:01:01 09:00:00"),
}


@pytest.mark.parametrize("order", ["at once", "RAW first", "picture first"])
def test_what_agrees_is_one_photo_whichever_comes_first(world, order):
    bring(world, TOGETHER, order)
    assert without_others(companions(world)) == {f"{i}.JPG": [f"{i}.DNG"] for i in range(len(TOGETHER))}
    assert world.sync().unchanged == len(TOGETHER) + 4
    world.assert_agreement()


@pytest.mark.parametrize("order", ["at once", "RAW first", "picture first"])
def test_what_disagrees_is_two_photos_whichever_comes_first(world, order):
    ids = bring(world, APART, order)
    found = photos(world)
    assert without_others(companions(world)) == {f"{i}.{end}": [] for i in range(len(APART)) for end in ("JPG", "DNG")}
    assert all(found[path][0] == number for path, (number, _) in ids.items())  # nothing was absorbed or taken over
    assert (world.sync().unchanged, photos(world)) == (2 * len(APART) + 4, found)
    world.assert_agreement()


def bring(world, pictures, order):
    """Pictures with a RAW of their name; gives the photos that there were before the last came."""
    kinds = {"RAW first": ["DNG", "JPG"], "picture first": ["JPG", "DNG"]}.get(order, [])
    before = {}
    for kind in kinds or [("DNG", "JPG")]:
        before = photos(world) if world.active else {}
        for i, content in enumerate(pictures.values()):
            if "JPG" in kind:
                world.write(f"{i}.JPG", content)
            if "DNG" in kind:
                world.write(f"{i}.DNG", raw(i + 100))
        world.sync()
    return before


def test_of_several_pictures_the_one_that_agrees(world):
    world.write("x.jpg", APART["another year"])
    world.write("x.tif", 3)
    world.write("x.dng", raw(1))
    world.sync()
    assert without_others(companions(world)) == {"x.jpg": [], "x.tif": ["x.dng"]}


def test_two_raws_of_two_cameras_and_the_picture_of_one(world):
    world.write("x.jpg", TOGETHER["both say the same"])
    world.write("x.dng", raw(1))
    world.write("x.nef", raw(2, OTHER))
    world.sync()
    assert without_others(companions(world)) == {"x.jpg": ["x.dng"], "x.nef": []}


def test_a_raw_without_a_word_belongs_to_the_picture(world):
    world.write("x.jpg", jpeg(1, DATE))
    world.write("x.dng", raw(2, named=False))
    world.write("y.jpg", jpeg(3, DATE))
    world.write("y.dng", b"damaged")
    world.sync()
    assert without_others(companions(world)) == {"x.jpg": ["x.dng"], "y.jpg": ["y.dng"]}


def test_a_pair_that_an_older_picsift_made_is_looked_at_once(world, monkeypatch):
    world.write("x.jpg", TOGETHER["both say the same"])
    world.write("x.dng", raw(1))
    world.write("y.jpg", APART["another year"])
    world.write("y.dng", raw(2))
    monkeypatch.setattr(agreement, "agree", lambda one, other: True)
    world.sync()
    monkeypatch.undo()
    with writing(world.library.catalog.engine) as connection:
        connection.execute(update(CompanionRow).values(agreed=None))
    before = photos(world)
    assert companions(world)["y.jpg"] == ["y.dng"]
    report = world.sync()
    assert (report.added, report.removed, report.updated) == (1, 0, 0)
    assert without_others(companions(world)) == {"x.jpg": ["x.dng"], "y.jpg": [], "y.dng": []}
    assert photos(world)["y.jpg"][0] == before["y.jpg"][0]
    opened(world, monkeypatch, [])


def opened(world, monkeypatch, expected):
    """Which files a run reads for what they say of their shots."""
    asked, read = [], agreement.Heads._read
    monkeypatch.setattr(agreement.Heads, "_read", lambda heads, one: asked.append(one[0].name) or read(heads, one))
    world.sync()
    assert sorted(asked) == expected


def test_what_is_as_it_was_is_compared_once(world, monkeypatch):
    for i, content in enumerate([*TOGETHER.values(), *APART.values()]):
        world.write(f"{i}.JPG", content)
        world.write(f"{i}.DNG", raw(i + 100))
    world.sync()
    opened(world, monkeypatch, [])


def test_a_picture_that_another_shot_replaces_gives_its_raw_back(world):
    world.write("x.jpg", TOGETHER["both say the same"])
    world.write("x.dng", raw(1))
    world.sync()
    number, _ = photos(world)["x.jpg"]
    world.write("x.jpg", jpeg(5, OTHER, "Acme One"))
    world.sync()
    assert without_others(companions(world)) == {"x.jpg": [], "x.dng": []}
    assert photos(world)["x.jpg"][0] == number
    world.write("x.jpg", jpeg(6, DATE, "Acme One"))
    world.sync()
    assert without_others(photos(world)) == {"x.jpg": (number, ["x.dng"])}
    world.assert_agreement()


def test_a_run_that_ends_between_the_two_leaves_what_the_next_one_mends(world, monkeypatch):
    """The picture is stored with its other shot; nobody came to write that the RAW is none of its files any more."""
    world.write("x.jpg", TOGETHER["both say the same"])
    world.write("x.dng", raw(1))
    world.sync()
    world.write("x.jpg", jpeg(5, OTHER, "Acme One"))
    monkeypatch.setattr("indexer.finishing.keep_companions", lambda *_: None)
    stored = []
    with monkeypatch.context() as patched:
        patched.setattr("indexer.folders.agreement.Agreement.among", lambda s, r, k, f, couples: dict.fromkeys(couples))
        stored.append(world.sync().updated)
    monkeypatch.undo()
    world.sync()
    assert stored == [1]
    assert without_others(companions(world)) == {"x.jpg": [], "x.dng": []}


@pytest.mark.parametrize("gone", ["x.jpg", "x.dng"])
def test_a_photo_whose_file_is_gone_takes_no_other_shot_of_its_name(world, gone):
    """Its tags would stand at another picture."""
    files = {"x.jpg": jpeg(1, OTHER, "Acme One"), "x.dng": raw(2)}
    new = next(name for name in files if name != gone)
    world.write(gone, files[gone])
    world.sync()
    before = photos(world)
    (world.photos / gone).unlink()
    world.write(new, files[new])
    report = world.sync()
    assert (report.added, report.removed) == (1, 1)
    assert photos(world)[new][0] != before[gone][0]


@pytest.mark.parametrize("gone", ["x.jpg", "x.dng"])
def test_a_photo_whose_file_is_gone_takes_the_other_file_of_its_shot(world, gone):
    files = {"x.jpg": jpeg(1, DATE, "Acme One"), "x.dng": raw(2)}
    new = next(name for name in files if name != gone)
    world.write(gone, files[gone])
    world.sync()
    before = photos(world)
    (world.photos / gone).unlink()
    world.write(new, files[new])
    world.sync()
    assert without_others(photos(world)) == {new: (before[gone][0], [])}


def test_half_of_a_pair_that_gets_another_ones_name(world):
    for name, date in (("x", DATE), ("y", OTHER)):
        world.write(f"{name}.jpg", jpeg(ord(name), date, "Acme One"))
        world.write(f"{name}.dng", raw(ord(name), date))
    world.sync()
    before = photos(world)
    (world.photos / "x.dng").rename(world.photos / "z.dng")
    (world.photos / "y.dng").rename(world.photos / "x.dng")
    world.sync()
    assert without_others(companions(world)) == {"x.jpg": [], "x.dng": [], "y.jpg": [], "z.dng": []}
    assert {name: photos(world)[name][0] for name in ("x.jpg", "y.jpg")} == {
        name: before[name][0] for name in ("x.jpg", "y.jpg")
    }


def test_beside_a_picture_that_is_being_written_a_raw_stays_what_it_is(world):
    """Half of it says nothing yet; to be absorbed by it would lose the RAW's photo, and it does not come back."""
    world.write("x.dng", raw(1))
    world.sync()
    before = photos(world)
    whole = APART["another year"]
    world.write("x.jpg", whole[:200])
    world.sync(leave=lambda path: path.endswith("x.jpg"))
    assert photos(world) == before
    world.write("x.jpg", whole)
    world.sync()
    assert photos(world)["x.dng"] == before["x.dng"]
    assert without_others(companions(world)) == {"x.jpg": [], "x.dng": []}


def test_what_cannot_be_read_for_the_moment_stays_as_it_was(world, monkeypatch):
    world.write("x.jpg", TOGETHER["both say the same"])
    world.write("x.dng", raw(1))
    world.write("y.jpg", APART["another year"])
    world.write("y.dng", raw(2))
    world.sync()
    before = photos(world)
    for name in ("x.dng", "y.dng"):
        os.utime(world.photos / name, (1, 1))
    with monkeypatch.context() as patched:
        patched.setattr(agreement.Heads, "_read", lambda heads, one: None)
        world.sync()
        assert photos(world) == before
    world.sync()
    assert photos(world) == before


def die(path):
    os._exit(9)


def test_a_decoder_that_dies_of_a_head_costs_the_run_nothing(world, monkeypatch):
    world.write("x.jpg", jpeg(1, DATE))
    world.write("x.dng", raw(1))
    monkeypatch.setattr(agreement, "read_head", die)
    world.sync()
    assert without_others(companions(world)) == {"x.jpg": ["x.dng"]}
