"""Columns give what SQL gives: for filters of every kind, over libraries of every kind."""

import random
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.catalog.catalog import Catalog
from indexer.catalog.columns import column_filter
from indexer.catalog.columns.photo_columns import PhotoColumns
from indexer.catalog.database import open_database, reading
from indexer.catalog.photo_filter import HAS, Bounds, Near, PhotoFilter
from indexer.catalog.records import FailedPhoto
from indexer.catalog.tag_records import Decision
from indexer.metadata.photo_metadata import Keyword, PhotoMetadata
from tests.fuzzing import examples
from tests.indexer.catalog_samples import DIM, new, vectors

MOMENTS = [
    None,
    datetime(2019, 12, 31, 23, 59, 59, 999_999),
    datetime(2020, 1, 1),
    datetime(1969, 2, 28, 5),
    datetime(1, 1, 1),
]
CAMERAS = [
    (None, None),
    ("Canon", None),
    (None, "EOS R5"),
    ("Canon", "EOS R5"),
    ("", ""),
    ("C++", "Ünïcode"),
    ("x\udce9", "y"),
    ("C++ Ünïcode", "EOS R5"),
]
PLACES = [(None, None), (38.71, -9.14), (-38.0, 179.99), (-38.0, -179.99), (89.9, 10.0), (90.0, 0.0), (0.0, 0.0)]
TOWNS = [
    (None, None, None),
    ("Paris", "Île-de-France", "France"),
    ("Paris", "Texas", "United States"),
    ("", "", "Portugal"),
]
WORDS = ["red rock", "Düne", "C++", "RED ROCK", "red"]
NAMES = ["IMG_1", "img_12", "Straße", "cafe\u0301", "caf\u00e9", "a.b", "\udce9", "x*y", "1 red rock"]
FOLDERS = ["", "Trip", "2020/trip", "Trip/Day 1", "Straße", "a/b/c"]
TAGS = [("animal",), ("animal", "dog"), ("screen",), ("!",), ("Düne",)]
ASKED = [*TAGS, ("dog",), ("dune",), ("hound",)]


def made(folder, seed):
    """A library of chance: photos, videos, copies, failures, gaps, two models."""
    chance = random.Random(seed)
    catalog = Catalog(open_database(folder / "library"))
    models = [catalog.model(name, name, DIM).id for name in ("one", "two")]
    root = catalog.add_root(folder / "photos")[0]
    photos = []
    for number in range(chance.choice([0, 1, 40])):
        make, camera = chance.choice(CAMERAS)
        latitude, longitude = chance.choice(PLACES)
        city, region, country = chance.choice(TOWNS)
        metadata = PhotoMetadata(
            taken_at=chance.choice(MOMENTS),
            latitude=latitude,
            longitude=longitude,
            camera_make=make,
            camera_model=camera,
            lens=chance.choice([None, "EF50mm f/1.8", "", "f/1.8"]),
            rating=chance.choice([None, 0, -1, 3, 5]),
            title=chance.choice([None, "A title", ""]),
            description=chance.choice([None, "Words"]),
            city=city,
            region=region,
            country=country,
            keywords=tuple(Keyword(word, "xmp") for word in chance.sample(WORDS, chance.randrange(3))),
        )
        path = "/".join(filter(None, [chance.choice(FOLDERS), f"{chance.choice(NAMES)} {number}.jpg"]))
        width, height = chance.choice([(40, 30), (30, 40), (50, 50), (2**33, 7)])
        kind, length = chance.choice([("JPEG", None), ("MP4", 3.0), ("ÄRW", None), ("raw", None)])
        plain = new(path, chance.choice(["", f"content {chance.randrange(4)}"]))
        photos.append(replace(plain, metadata=metadata, width=width, height=height, format=kind, duration_s=length))
    cut = chance.randrange(len(photos) + 1)
    ids = catalog.store(root.id, photos[:cut], models[0], vectors(cut))
    ids += catalog.store(root.id, photos[cut:], models[1], vectors(len(photos) - cut))
    catalog.fail(root.id, [FailedPhoto(f"bad {number}.jpg", 1, 1, "no picture") for number in range(3)])
    for path in TAGS if ids else []:
        some = chance.sample(ids, chance.randrange(len(ids)))
        catalog.tags.decide([Decision(one, path, chance.choice(["accepted", "rejected"])) for one in some])
    catalog.tags.call({"hound": list(catalog.tags.paths())[1:3]})
    if ids:
        catalog.remove(chance.sample(ids, len(ids) // 5))
    return catalog, models


@pytest.fixture(scope="module")
def libraries(tmp_path_factory):
    """Six of them, by seed; all are asked for each filter, since drawing one takes longer than asking."""
    libraries = [made(tmp_path_factory.mktemp("columns"), seed) for seed in range(6)]
    yield [(catalog, models, columns_of(catalog)) for catalog, models in libraries]
    for catalog, _ in libraries:
        catalog.close()


texts = st.sampled_from(
    [*NAMES, "*.jpg", "IMG_?*", "*", "\0", "e", "paris", "france", "Paris, Texas", "rock", "++", "/", " "]
)
moments = st.sampled_from([moment for moment in MOMENTS if moment]) | st.datetimes()
bounds = st.builds(Bounds, st.none() | st.floats(-2, 60), st.none() | st.floats(-2, 60) | st.just(float("inf")))
circles = st.builds(
    Near,
    st.sampled_from([38.71, -38.0, 90.0, 0.0, -90.0]) | st.floats(-90, 90),
    st.sampled_from([-9.14, 180.0, 0.0]) | st.floats(-180, 180),
    st.sampled_from([0.0, 1e-9, 1.7, 11.12, 20_015.1, 30_000.0]) | st.floats(0, 21_000),
)
plain = st.one_of(
    st.builds(PhotoFilter, after=moments),
    st.builds(PhotoFilter, before=moments),
    st.builds(PhotoFilter, month=st.integers(1, 12)),
    st.builds(PhotoFilter, near=circles),
    *(st.builds(PhotoFilter, **{name: texts}) for name in ("name", "place", "camera", "lens")),
    st.builds(PhotoFilter, folder=st.sampled_from([*FOLDERS, "trip/DAY 1", "photos", "/", "/photos", "c"])),
    *(st.builds(PhotoFilter, **{name: bounds}) for name in ("rating", "width", "height")),
    st.builds(PhotoFilter, kind=st.sampled_from(["photo", "Video", "jpeg", "RAW", "ärw", "ÄRW", "none"])),
    st.builds(PhotoFilter, tags=st.lists(st.sampled_from(ASKED), max_size=2).map(tuple)),
    st.builds(PhotoFilter, keywords=st.lists(st.sampled_from([*WORDS, "dune", "no"]), max_size=2).map(tuple)),
    st.builds(
        PhotoFilter, texts=st.lists(texts | st.sampled_from(["titl*", "dune jpg", "words"]), max_size=2).map(tuple)
    ),
    st.builds(PhotoFilter, orientation=st.sampled_from(["landscape", "portrait", "square"])),
    st.builds(PhotoFilter, has=st.lists(st.sampled_from(HAS), max_size=2).map(tuple)),
    st.builds(PhotoFilter, copies=st.sampled_from([None, True, False]), favourite=st.booleans()),
)


def joined(inner):
    groups = st.lists(st.lists(inner, max_size=3).map(tuple), max_size=2).map(tuple)
    return st.builds(
        lambda one, either, without: replace(one, either=either, without=without),
        *(plain, groups, st.lists(inner, max_size=2).map(tuple)),
    )


def columns_of(catalog):
    return PhotoColumns(lambda: reading(catalog.engine), lambda: True)


def both(catalog, columns, model, wanted):
    found = column_filter.allowed(columns, model, wanted)
    assert len(found) == len(found.ids())
    return found.ids().tolist(), catalog.allowed_ids(model, wanted).tolist()


@settings(max_examples=examples(75))
@given(st.recursive(plain, joined, max_leaves=6), st.integers(0, 1))
def test_columns_let_the_same_photos_pass_as_sql(libraries, wanted, which):
    for seed, (catalog, models, columns) in enumerate(libraries):
        by_columns, by_sql = both(catalog, columns, models[which], wanted)
        assert by_columns == by_sql, seed


def test_a_circle_is_the_same_to_a_millimetre(tmp_path):
    """Photos a millimetre within the radius and a millimetre beyond it, near by, far away and nearly opposite."""
    catalog = Catalog(open_database(tmp_path / "library"))
    model = catalog.model("one", "one", DIM).id
    root = catalog.add_root(tmp_path / "photos")[0]
    degree = 6371.0088 * 3.141592653589793 / 180
    photos = [
        replace(new(f"{km} {side}.jpg"), metadata=PhotoMetadata(latitude=(km + side) / degree, longitude=0.0))
        for km in (0.005, 1.0, 100.0, 10_000.0)
        for side in (-1e-6, 1e-6)
    ]
    catalog.store(root.id, photos, model, vectors(len(photos)))
    for km, count in ((0.005, 1), (1.0, 3), (100.0, 5), (10_000.0, 7), (20_015.2, 8)):
        by_columns, by_sql = both(catalog, columns_of(catalog), model, PhotoFilter(near=Near(0.0, 0.0, km)))
        assert by_columns == by_sql
        assert len(by_sql) == count
    catalog.close()


def test_no_photo_falls_between_the_quick_look_and_the_exact_one(tmp_path):
    """Close to where a straight line through the globe is 1e-5 shorter than its diameter, in steps of 4 m."""
    catalog = Catalog(open_database(tmp_path / "library"))
    model = catalog.model("one", "one", DIM).id
    root = catalog.add_root(tmp_path / "photos")[0]
    photos = [
        replace(new(f"{step}.jpg"), metadata=PhotoMetadata(latitude=0.0, longitude=179.62 + step * 4e-5))
        for step in range(1000)
    ]
    catalog.store(root.id, photos, model, vectors(len(photos)))
    by_columns, by_sql = both(catalog, columns_of(catalog), model, PhotoFilter(near=Near(0.0, 0.0, 20_015.2)))
    assert by_columns == by_sql
    assert len(by_sql) == 1000
    catalog.close()


def test_a_moment_with_a_zone_is_refused(libraries):
    from datetime import UTC

    _, models, columns = libraries[-1]
    with pytest.raises(ValueError, match="without a zone"):
        column_filter.allowed(columns, models[0], PhotoFilter(after=datetime.now(UTC) - timedelta(days=1)))
