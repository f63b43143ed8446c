"""Which videos are the moving part of a still of their name, and which only have its name: nobody's film is hidden."""

import pytest
from sqlalchemy import update

from indexer.catalog.database import writing
from indexer.catalog.tables.photo_tables import CompanionRow
from indexer.folders import agreement
from tests.indexer.folders.test_agreement import companions, jpeg, photos
from tests.indexer.videos import BLUE, draw_video

STILL = "2021:07:04 12:11:12"
ZONE = {"x9011": "+02:00"}
APPLE = "com.apple.quicktime."


def said(moment, **more):
    return {f"{APPLE}creationdate": moment} | more


TOGETHER = {
    "the same second": (jpeg(1, STILL, **ZONE), said("2021-07-04T12:11:12+0200")),
    "three seconds before": (jpeg(1, STILL, **ZONE), said("2021-07-04T12:11:09+0200")),
    "a still without a zone": (jpeg(1, STILL), said("2021-07-04T12:11:11+0200")),
    "another zone's clock": (jpeg(1, STILL, **ZONE), said("2021-07-04T10:11:12+0000")),
    "the container's time": (jpeg(1, STILL, **ZONE), {"creation_time": "2021-07-04T10:11:10Z"}),
    "the container's time, of a clock without a zone": (jpeg(1, STILL), {"creation_time": "2021-07-04T03:11:10Z"}),
    "the still says nothing": (jpeg(1), said("2021-07-04T12:11:12+0200")),
    "the video says nothing": (jpeg(1, STILL), {}),
    "the still was edited": (jpeg(1, x0132="2024:01:01 09:00:00"), said("2021-07-04T12:11:12+0200")),
    "one camera": (jpeg(1, STILL, "iPhone 12"), said("2021-07-04T12:11:12+0200", **{f"{APPLE}model": "iPhone 12"})),
}
APART = {
    "another year": (jpeg(1, "2015:01:02 03:04:05"), said("2021-07-04T12:11:12+0200")),
    "a minute later": (jpeg(1, STILL, **ZONE), said("2021-07-04T12:12:12+0200")),
    "a camera's film of another day": (jpeg(1, STILL), {"creation_time": "2021-07-06T12:11:10Z"}),
    "an older film": (jpeg(1, STILL), {"creation_time": "2020-07-04T12:11:10Z"}),
    "another camera": (jpeg(1, STILL, "Acme"), said("2021-07-04T12:11:12+0200", **{f"{APPLE}model": "iPhone 12"})),
    "filmed after the still was changed": (jpeg(1, x0132="2019:01:01 09:00:00"), said("2021-07-04T12:11:12+0200")),
}


def film(world, name, header=None):
    world.photos.mkdir(parents=True, exist_ok=True)
    draw_video(world.photos / name, [BLUE], header=header, options={"movflags": "use_metadata_tags"})


@pytest.fixture(autouse=True)
def others(world):
    """A loss of one photo is then no mass removal."""
    for seed in range(20, 24):
        world.write(f"other/{seed}.png", seed)


def bring(world, cases, order):
    kinds = {"video first": ["MOV", "JPG"], "still first": ["JPG", "MOV"]}.get(order, [("JPG", "MOV")])
    before = {}
    for kind in kinds:
        before = photos(world) if world.active else {}
        for i, (still, header) in enumerate(cases.values()):
            if "JPG" in kind:
                world.write(f"{i}.JPG", still)
            if "MOV" in kind:
                film(world, f"{i}.MOV", header)
        world.sync(videos=True)
    return before


def stills(world):
    return {path: names for path, names in companions(world).items() if not path.startswith("other/")}


@pytest.mark.parametrize("order", ["at once", "video first", "still first"])
def test_what_agrees_is_one_photo_whichever_comes_first(world, order):
    bring(world, TOGETHER, order)
    assert stills(world) == {f"{i}.JPG": [f"{i}.MOV"] for i in range(len(TOGETHER))}, list(TOGETHER)
    assert world.sync(videos=True).unchanged == len(TOGETHER) + 4
    world.assert_agreement()


@pytest.mark.parametrize("order", ["at once", "video first", "still first"])
def test_what_disagrees_is_a_photo_and_a_video_whichever_comes_first(world, order):
    before = bring(world, APART, order)
    found = photos(world)
    assert stills(world) == {f"{i}.{end}": [] for i in range(len(APART)) for end in ("JPG", "MOV")}, list(APART)
    assert all(found[path][0] == number for path, (number, _) in before.items())  # nothing was absorbed or taken over
    assert (world.sync(videos=True).unchanged, photos(world)) == (2 * len(APART) + 4, found)
    world.assert_agreement()


def test_a_video_that_is_no_video_stays_beside_its_still(world):
    world.write("x.jpg", jpeg(1, STILL))
    (world.photos / "x.mov").write_bytes(b"damaged")
    world.sync(videos=True)
    assert stills(world) == {"x.jpg": ["x.mov"]}


def test_a_pair_that_an_older_picsift_made_is_looked_at_once(world, monkeypatch):
    asked = []
    read = agreement.read_head
    monkeypatch.setattr(agreement, "read_head", read)
    world.write("x.jpg", TOGETHER["the same second"][0])
    film(world, "x.mov", TOGETHER["the same second"][1])
    world.sync(videos=True)
    film(world, "other/20.mov", APART["another year"][1])
    world.write("y.jpg", APART["another year"][0])
    with writing(world.library.catalog.engine) as connection:
        connection.execute(update(CompanionRow).values(agreed=None))
    heads = agreement.Heads.__call__

    def watched(self, root, files):
        files = list(files)
        asked.extend(file.path for file in files)
        return heads(self, root, files)

    monkeypatch.setattr(agreement.Heads, "__call__", watched)
    world.sync(videos=True)
    assert asked == ["x.mov"]
    world.sync(videos=True)
    assert asked == ["x.mov"], "what came out is kept"
    assert stills(world)["x.jpg"] == ["x.mov"]


def test_when_its_still_goes_the_film_of_another_day_does_not_take_its_photo(world):
    world.write("x.jpg", APART["another year"][0])
    world.sync()
    number = photos(world)["x.jpg"][0]
    (world.photos / "x.jpg").unlink()
    film(world, "x.mov", APART["another year"][1])
    report = world.sync(videos=True)
    assert (report.added, report.removed) == (1, 1)
    assert photos(world)["x.mov"][0] != number
