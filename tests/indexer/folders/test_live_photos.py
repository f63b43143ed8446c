"""Which videos are the moving part of a still of their name, and which only have its name: nobody's film is hidden."""

import pytest
from sqlalchemy import update

from indexer.catalog.database import writing
from indexer.catalog.tables.photo_tables import CompanionRow
from indexer.catalog.tag_records import Decision
from indexer.errors import UnreadableError
from indexer.folders import agreement
from indexer.workers.isolation import WorkerPool
from tests.indexer.folders.test_agreement import companions, jpeg, photos
from tests.indexer.videos import BLUE, draw_video

STILL = "2021:07:04 12:11:12"
ZONE = {"x9011": "+02:00"}
APPLE = "com.apple.quicktime."
RUN = WorkerPool.run
DATED = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:exif="http://ns.adobe.com/exif/1.0/" exif:DateTimeOriginal="2015-01-02T03:04:05"/></rdf:RDF>
</x:xmpmeta>"""


def said(moment, **more):
    return {f"{APPLE}creationdate": moment} | more


TOGETHER = {
    "the same second": (jpeg(1, STILL, **ZONE), said("2021-07-04T12:11:12+0200")),
    "three seconds before": (jpeg(1, STILL, **ZONE), said("2021-07-04T12:11:09+0200")),
    "a still without a zone": (jpeg(1, STILL), said("2021-07-04T12:11:11+0200")),
    "another zone's clock": (jpeg(1, STILL, **ZONE), said("2021-07-04T10:11:12+0000")),
    "the container's time": (jpeg(1, STILL, **ZONE), {"creation_time": "2021-07-04T10:11:10Z"}),
    "the container's time, of a clock without a zone": (jpeg(1, STILL), {"creation_time": "2021-07-04T12:11:10Z"}),
    "the container's time, in a zone of half hours": (jpeg(1, STILL), {"creation_time": "2021-07-04T06:41:15Z"}),
    "the still says nothing": (jpeg(1), said("2021-07-04T12:11:12+0200")),
    "the video says nothing": (jpeg(1, STILL), {}),
    "the still was edited": (jpeg(1, x0132="2024:01:01 09:00:00"), said("2021-07-04T12:11:12+0200")),
    "one camera": (jpeg(1, STILL, "iPhone 12"), said("2021-07-04T12:11:12+0200", **{f"{APPLE}model": "iPhone 12"})),
}
APART = {
    "another year": (jpeg(1, "2015:01:02 03:04:05"), said("2021-07-04T12:11:12+0200")),
    "a minute later": (jpeg(1, STILL, **ZONE), said("2021-07-04T12:12:12+0200")),
    "a camera's film of another hour": (jpeg(1, STILL), {"creation_time": "2021-07-04T08:04:10Z"}),
    "a camera's film of another day": (jpeg(1, STILL), {"creation_time": "2021-07-06T12:11:10Z"}),
    "an older film": (jpeg(1, STILL), {"creation_time": "2020-07-04T12:11:10Z"}),
    "another camera": (jpeg(1, STILL, "Acme"), said("2021-07-04T12:11:12+0200", **{f"{APPLE}model": "iPhone 12"})),
    "filmed after the still was changed": (jpeg(1, x0132="2019:01:01 09:00:00"), said("2021-07-04T12:11:12+0200")),
}


def film(world, name, header=None, seconds=1):
    world.photos.mkdir(parents=True, exist_ok=True)
    draw_video(world.photos / name, [BLUE] * seconds, header=header, options={"movflags": "use_metadata_tags"})


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


@pytest.mark.parametrize("still", [TOGETHER["the same second"][0], TOGETHER["the still says nothing"][0]])
@pytest.mark.parametrize("order", [["JPG", "MOV"], ["MOV", "JPG"]])
def test_a_long_film_is_no_live_photos(world, still, order):
    for kind in order:
        if kind == "JPG":
            world.write("x.JPG", still)
        else:
            film(world, "x.MOV", TOGETHER["the same second"][1], seconds=12)
        world.sync(videos=True)
    assert stills(world) == {"x.JPG": [], "x.MOV": []}


def test_a_film_that_is_a_photo_of_its_own_stays_one_when_its_still_falls_silent(world):
    world.write("x.jpg", APART["another year"][0])
    film(world, "x.mov", APART["another year"][1])
    world.sync(videos=True)
    found = photos(world)
    world.library.catalog.tags.decide([Decision(found["x.mov"][0], ("mine",), "accepted")])
    world.write("x.jpg", TOGETHER["the still says nothing"][0])
    world.sync(videos=True)
    assert photos(world) == found
    assert world.sync(videos=True).unchanged == 6


def test_what_a_name_or_a_sidecar_says_is_no_matter(world):
    for order in ("at once", "still first"):
        name = f"IMG_20150102_030405_{order[:2]}"  # a name that dates the still, and a sidecar that dates another
        world.write(f"{name}.jpg", TOGETHER["the still says nothing"][0])
        world.write(f"b{order[:2]}.jpg", TOGETHER["the still says nothing"][0])
        world.write(f"b{order[:2]}.jpg.xmp", DATED)
        if order == "still first":
            world.sync(videos=True)
        film(world, f"{name}.mov", said("2021-07-04T12:11:12+0200"))
        film(world, f"b{order[:2]}.mov", said("2021-07-04T12:11:12+0200"))
        world.sync(videos=True)
    assert all(len(names) == 1 for names in stills(world).values())
    assert len(stills(world)) == 4


def test_without_a_reader_of_videos_the_question_stays_open(world, monkeypatch):
    still, header = APART["another year"]
    world.write("x.jpg", still)
    film(world, "x.mov", header)

    def missing(pool, function, path):
        raise UnreadableError("videos need PyAV")

    with monkeypatch.context() as patched:
        patched.setattr(WorkerPool, "run", lambda self, function, *rest, **more: missing(self, function, rest)
                        if function is agreement.read_head else RUN(self, function, *rest, **more))  # fmt: skip
        world.sync(videos=True)
    assert stills(world) == {"x.jpg": ["x.mov"]}
    world.sync(videos=True)
    assert stills(world) == {"x.jpg": [], "x.mov": []}


def test_where_videos_are_left_out_none_is_opened_and_they_are_asked_later(world, monkeypatch):
    still, header = APART["another year"]
    world.write("x.jpg", still)
    film(world, "x.mov", header)
    with monkeypatch.context() as patched:
        patched.setattr(
            agreement.Heads, "__call__", lambda _, root, files: {} if not list(files) else pytest.fail("opened")
        )
        world.sync()
        world.sync()
    world.sync(videos=True)
    assert stills(world) == {"x.jpg": [], "x.mov": []}


def test_a_pair_never_compared_is_compared_before_a_film_takes_a_lost_stills_photo(world):
    still, header = APART["another year"]
    world.write("x.jpg", still)
    film(world, "x.mov", header)
    world.sync()  # without videos: a pair by its name
    number = photos(world)["x.jpg"][0]
    (world.photos / "x.jpg").unlink()
    world.sync(videos=True)
    assert photos(world)["x.mov"][0] != number


def test_when_its_still_goes_the_film_of_another_day_does_not_take_its_photo(world):
    world.write("x.jpg", APART["another year"][0])
    world.sync()
    number = photos(world)["x.jpg"][0]
    (world.photos / "x.jpg").unlink()
    film(world, "x.mov", APART["another year"][1])
    report = world.sync(videos=True)
    assert (report.added, report.removed) == (1, 1)
    assert photos(world)["x.mov"][0] != number
