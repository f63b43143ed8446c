"""Which photos pass a filter: SQL against the same in Python, over photos of every kind."""

import itertools
import math
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from indexer.catalog.catalog import Catalog
from indexer.catalog.database import open_database
from indexer.catalog.filters import passing
from indexer.catalog.filters.circles import EARTH_KM
from indexer.catalog.photo_filter import HAS, Bounds, Near, PhotoFilter
from indexer.catalog.tag_records import Decision
from indexer.metadata.photo_metadata import Keyword, PhotoMetadata
from tests.fuzzing import examples
from tests.indexer.catalog_samples import DIM, new, vectors

F = PhotoFilter
CAMERAS = [("Canon", "EOS R5"), ("NIKON CORPORATION", "D850"), ("Canon", None), (None, None)]
LENSES = ["EF50mm f/1.8 STM", None]
PLACES = [(38.71, -9.14), (-38.0, 179.99), (-38.0, -179.99), (89.9, 10.0), (None, None)]
SIZES = [(40, 30), (30, 40), (50, 50)]
FORMATS = [("JPEG", None), ("HEIF", None), ("MP4", 3.0), ("RAW", None)]


def sample(number):
    """A photo whose traits come from its number, so that every pair of them occurs."""
    make, camera = CAMERAS[number % 4]
    latitude, longitude = PLACES[number % 5]
    width, height = SIZES[number % 3]
    format, duration = FORMATS[number // 4 % 4]
    rating = [None, 0, 3, 5, -1, 4, None][number % 7]
    taken = None if number % 11 == 0 else datetime(2019, 1, 1) + timedelta(days=37 * number)
    metadata = PhotoMetadata(
        taken_at=taken,
        taken_source=None if taken is None else "original",
        latitude=latitude,
        longitude=longitude,
        camera_make=make,
        camera_model=camera,
        lens=LENSES[number % 2],
        rating=rating,
        title="A title" if number % 6 == 0 else None,
        description="Words" if number % 9 == 0 else None,
        keywords=(Keyword("red rock", "xmp"), Keyword("Düne", "iptc"))[: number % 3],
        country="Portugal" if number % 5 == 0 else None,
    )
    name = f"{'Trip' if number % 2 else 'Home'}/IMG_{number:03}.jpg"
    plain = new(name, f"content {number // 2}" if number % 10 < 2 else "")
    return replace(plain, width=width, height=height, format=format, duration_s=duration, metadata=metadata)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("passing")
    catalog = Catalog(open_database(folder / "library"))
    model = catalog.model("tiny", "f1", DIM).id
    root = catalog.add_root(folder / "photos")[0]
    samples = [sample(number) for number in range(60)]
    ids = catalog.store(root.id, samples, model, vectors(len(samples)))
    catalog.tags.decide([Decision(number, ("animal", "dog"), "accepted") for number in ids[::4]])
    catalog.tags.decide([Decision(number, ("screen",), "rejected") for number in ids[::3]])
    yield catalog, model, dict(zip(ids, catalog.photos(ids), strict=True)), set(ids[::4])
    catalog.close()


def words(text):
    return (text or "").casefold()


def passes(wanted, number, photos, tagged):
    """The filter's meaning, said in Python."""
    photo = photos[number]
    twins = [other for other, one in photos.items() if one.content_hash == photo.content_hash]
    inside = {
        "gps": photo.latitude is not None,
        "date": photo.taken_at is not None,
        "camera": photo.camera_make is not None or photo.camera_model is not None,
        "lens": photo.lens is not None,
        "rating": bool(photo.rating),
        "title": photo.title is not None,
        "description": photo.description is not None,
        "keywords": bool(photo.keywords),
        "tags": number in tagged,
        "place": photo.country is not None,
        "copies": len(twins) > 1,
    }
    checks = {
        "after": lambda value: photo.taken_at is not None and photo.taken_at >= value,
        "before": lambda value: photo.taken_at is not None and photo.taken_at < value,
        "month": lambda value: photo.taken_at is not None and photo.taken_at.month == value,
        "folder": lambda value: value.casefold() in [part.casefold() for part in photo.path.parts[:-1]],
        "place": lambda value: words(photo.country) == value,
        "near": lambda value: photo.latitude is not None and distance(photo, value) <= value.km,
        "camera": lambda value: any(
            value in words(f"{make} {photo.camera_model or ''}")
            for make in (photo.camera_make or "", (photo.camera_make or "").partition(" ")[0])
        ),
        "lens": lambda value: value in words(photo.lens).replace("/", " "),
        "name": lambda value: value.casefold() in photo.path.name.casefold(),
        "kind": lambda value: {
            "photo": photo.duration_s is None,
            "video": photo.duration_s is not None,
        }.get(value, photo.format.casefold() == value),
        "tags": lambda value: number in tagged,
        "keywords": lambda value: all(
            word in [words(one).replace("ü", "u") for one in photo.keywords] for word in value
        ),
        "rating": lambda value: within(photo.rating, value),
        "width": lambda value: within(photo.width, value),
        "height": lambda value: within(photo.height, value),
        "orientation": lambda value: (
            value
            == ("square" if photo.width == photo.height else "portrait" if photo.height > photo.width else "landscape")
        ),
        "favourite": lambda value: photo.rating == 5,
        "has": lambda value: all(inside[name] for name in value),
        "copies": lambda value: not value or inside["copies"],
        "either": lambda value: all(any(passes(one, number, photos, tagged) for one in group) for group in value),
        "without": lambda value: not any(passes(one, number, photos, tagged) for one in value),
    }
    given = {name: getattr(wanted, name) for name in checks if getattr(wanted, name) != getattr(F(), name)}
    return all(checks[name](value) for name, value in given.items())


def within(value, bounds):
    low, high = (bounds.low, bounds.high)
    return value is not None and (low is None or value >= low) and (high is None or value <= high)


def distance(photo, circle):
    """By unit vectors, which is another way than the product's."""
    one, other = (
        np.array([math.cos(a) * math.cos(b), math.cos(a) * math.sin(b), math.sin(a)])
        for a, b in (
            (math.radians(photo.latitude), math.radians(photo.longitude)),
            (math.radians(circle.latitude), math.radians(circle.longitude)),
        )
    )
    return EARTH_KM * math.atan2(float(np.linalg.norm(np.cross(one, other))), float(one @ other))


SINGLE = [
    F(after=datetime(2021, 1, 1)),
    F(before=datetime(2021, 1, 1)),
    F(month=6),
    F(folder="trip"),
    F(folder="Garden"),
    F(place="portugal"),
    F(near=Near(38.7, -9.1, 10)),
    F(near=Near(-38.0, 180.0, 5)),
    F(near=Near(90.0, 0.0, 50)),
    F(near=Near(0.0, 0.0, 20_100)),
    F(camera="canon"),
    F(camera="canon eos"),
    F(camera="nikon d850"),
    F(camera="nikon corporation d850"),
    F(camera="eos r5"),
    F(lens="stm"),
    F(name="img_01"),
    F(kind="photo"),
    F(kind="video"),
    F(kind="jpeg"),
    F(kind="raw"),
    F(tags=(("dog",),)),
    F(keywords=("dune",)),
    F(keywords=("red rock", "dune")),
    F(rating=Bounds(3, None)),
    F(rating=Bounds(None, 0)),
    F(width=Bounds(40, 50)),
    F(height=Bounds(31, None)),
    F(orientation="portrait"),
    F(orientation="landscape"),
    F(orientation="square"),
    F(favourite=True),
    F(copies=True),
    *(F(has=(name,)) for name in HAS),
]


@pytest.mark.parametrize("wanted", SINGLE, ids=str)
def test_each_condition_means_what_it_says(library, wanted):
    catalog, model, photos, tagged = library
    expected = [number for number in sorted(photos) if passes(wanted, number, photos, tagged)]
    assert catalog.allowed_ids(model, wanted).tolist() == expected
    assert len(expected) < len(photos) or wanted.near
    assert expected or wanted == F(folder="Garden")


def joined(inner):
    groups = st.lists(st.lists(inner, min_size=1, max_size=3).map(tuple), max_size=2).map(tuple)
    return st.builds(
        lambda one, either, without: replace(one, either=either, without=without),
        st.sampled_from(SINGLE),
        groups,
        st.lists(inner, max_size=2).map(tuple),
    )


@settings(max_examples=examples(30))
@given(st.recursive(st.sampled_from([F(), *SINGLE]), joined, max_leaves=6))
def test_joined_conditions_mean_what_they_say(library, wanted):
    catalog, model, photos, tagged = library
    expected = [number for number in sorted(photos) if passes(wanted, number, photos, tagged)]
    assert catalog.allowed_ids(model, wanted).tolist() == expected


def test_of_copies_the_first_that_passes_stays(library):
    catalog, model, photos, _ = library
    one_each = catalog.allowed_ids(model, F(copies=False)).tolist()
    groups = [list(group) for _, group in itertools.groupby(photos.values(), key=lambda photo: photo.content_hash)]
    assert one_each == sorted(min(photo.id for photo in group) for group in groups)
    assert len(one_each) < len(photos)
    later = max(next(group for group in groups if len(group) > 1), key=lambda photo: photo.id)
    found = catalog.allowed_ids(model, F(copies=False, folder=later.path.parent.name))
    assert later.id in found  # the earlier copy lies in the other folder


def test_the_newest_come_first_and_those_without_a_date_last(library, monkeypatch):
    catalog, _, photos, _ = library
    ids = np.array(sorted(photos)[:40], dtype=np.int64)
    order = sorted(ids.tolist(), key=lambda number: (photos[number].taken_at or datetime.min, number), reverse=True)
    for limit in (passing.IN_LIMIT, 5):
        monkeypatch.setattr("indexer.catalog.stores.photo_queries.IN_LIMIT", limit)
        assert catalog.newest(ids, limit=40) == order
        assert catalog.newest(ids, limit=7, offset=11) == order[11:18]


def test_folders_are_named_with_their_root(library):
    catalog, _, photos, _ = library
    root = str(next(iter(photos.values())).path.parents[1])
    assert catalog.folders() == [(root, "Home"), (root, "Trip")]


def test_many_cameras_of_one_make_are_asked_for_in_few_statements(tmp_path):
    catalog = Catalog(open_database(tmp_path / "library"))
    model = catalog.model("tiny", "f1", DIM).id
    root = catalog.add_root(tmp_path / "photos")[0]
    cameras = [
        replace(new(f"{number}.jpg"), metadata=PhotoMetadata(camera_make="Canon", camera_model=f"M {number}"))
        for number in range(2_500)
    ]
    catalog.store(root.id, cameras, model, vectors(len(cameras)))
    asked = []
    event.listen(catalog.engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    assert len(catalog.allowed_ids(model, F(camera="canon"))) == 2_500
    assert len(asked) < 20
    catalog.close()
