"""What each filter costs at each share of the photos that it allows, beside the same search without a filter.

    python benchmarks/search.py --filters                    # 300,000 photos of 512 dimensions; about 6 minutes
    python benchmarks/search.py --filters --photos 1000000   # about 20

Photos are made so that a filter of every kind allows 100 %, 50 %, 10 %, 1 % and 0.01 % of them, where its values can:
months are a twelfth of the photos each. Every search has words that were not asked before, and searches with and
without the filter take turns. 'first' is the filter's first search after the catalog has changed, and 'second' the
next one, which reads the columns that it needs. Recall is that of the first hits against NumPy's product with all the
vectors that the filter allows, which is asked of SQL.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from math import asin, atan2, cos, degrees, gcd, pi, sin
from typing import NamedTuple

import numpy as np
from rich.table import Table

from app.search.query import Query
from app.search.search_service import SearchService
from indexer.catalog.photo_filter import Bounds, Near, PhotoFilter
from indexer.catalog.records import NewPhoto
from indexer.catalog.stores import suggestion_store, tag_store
from indexer.catalog.tag_records import Suggestion
from indexer.library import Library
from indexer.metadata.photo_metadata import Keyword, PhotoMetadata

Embed = Callable[[str], np.ndarray]
"""A text -> its vector (d,)."""

SHARES = (1.0, 0.5, 0.1, 0.01, 0.0001)
WORDS = ("pine", "quartz", "river", "saffron", "topaz")  # a photo has the first so many of them
TIMES_UNFILTERED = 1.5  # the goal
_FIRST_DAY, _DAYS = datetime(2010, 1, 1), 15 * 365
_HALF_ROUND_KM = pi * 6371.0088


class Case(NamedTuple):
    """A filter: what it is called, which share it should allow, and how it is asked the nth time."""

    name: str
    share: float
    asked: Callable[[int], PhotoFilter]


def photo(number: int, count: int) -> NewPhoto:
    """One of `count` photos, whose traits have ranks that are independent of each other and of its number."""

    def rank(trait: int) -> float:
        return (number * _step(trait, count) + trait * 7919) % count / count

    def words(trait: int) -> str:
        return " ".join(WORDS[: level(rank(trait))])

    taken = _FIRST_DAY + timedelta(days=_DAYS * rank(1))
    latitude, longitude = _at(pi * rank(2), 2 * pi * rank(3))
    width = 1000 + int(5000 * rank(4))
    metadata = PhotoMetadata(
        taken_at=taken,
        taken_source="original",
        latitude=latitude,
        longitude=longitude,
        camera_make="Canon",
        camera_model=words(5),
        lens=words(6),
        rating=level(rank(7)),
        title="A title" if rank(8) < SHARES[1] else None,
        description="Some words" if rank(9) < SHARES[2] else None,
        city=f"{words(10)} {number % 5000}",
        region=f"Region {number % 50}",
        country="Portugal",
        keywords=tuple(Keyword(word, "xmp") for word in words(11).split()),
    )
    folder = f"{words(12).replace(' ', '/')}/{taken:%Y-%m}"
    name = f"IMG_{words(13).replace(' ', '_')}_{number:07d}.jpg"
    kind = ("PNG", "JPEG", "HEIF", "WEBP", "AVIF", "TIFF")[level(rank(14))]
    content = f"{number - number % 2 if rank(15) < SHARES[2] else number:032x}"
    return NewPhoto(f"{folder}/{name}", 3_000_000 + number, number, content, width, 3000, kind, metadata)


@cache
def _step(trait: int, count: int) -> int:
    """A number whose multiples visit each rank once, another one for each trait."""
    step = int(count * 0.618 * 0.97**trait) + 1
    while gcd(step, count) > 1:
        step += 1
    return step


def level(rank: float) -> int:
    """How many of the shares a rank lies within, 1 to 5."""
    return sum(rank < share for share in SHARES)


def _at(distance: float, bearing: float) -> tuple[float, float]:
    """The latitude and longitude in degrees, so many radians from where both are 0."""
    return degrees(asin(sin(distance) * cos(bearing))), degrees(atan2(sin(bearing) * sin(distance), cos(distance)))


def tag(library: Library, count: int) -> None:
    """Give the photos tags, as a run of `picsift tag` does."""
    now = datetime.now(UTC)
    model = library.catalog.active_model()
    assert model is not None
    with library.catalog.engine.begin() as connection:
        ids = tag_store.made_ids(connection, [(word,) for word in WORDS])
    levels = np.array([level(number * _step(20, count) % count / count) for number in range(count)])
    for place, word in enumerate(WORDS):
        photos = (np.flatnonzero(levels > place) + 1).tolist()
        found = [Suggestion(one, ids[(word,)], 0.3, 0.5) for one in photos]
        with library.catalog.engine.begin() as connection:
            suggestion_store.replace(connection, model.id, [], [], found, now)


def cases() -> Iterator[Case]:
    """Every filter at every share that it can have."""
    for word, share in zip(WORDS, SHARES, strict=True):
        yield Case("after", share, lambda n, at=1 - share: PhotoFilter(after=_moment(at, n)))
        yield Case("before", share, lambda n, at=share: PhotoFilter(before=_moment(at, n)))
        yield Case("place", share, lambda n, said=word: PhotoFilter(place=_cased(said, n)))
        yield Case("near", share, lambda n, at=share: PhotoFilter(near=Near(0, 0, _HALF_ROUND_KM * at + 1e-9 * n)))
        yield Case("camera", share, lambda n, said=word: PhotoFilter(camera=_cased(said, n)))
        yield Case("lens", share, lambda n, said=word: PhotoFilter(lens=_cased(said, n)))
        yield Case("folder", share, lambda n, said=word: PhotoFilter(folder=_cased(said, n)))
        yield Case("name", share, lambda n, said=word: PhotoFilter(name=_part(said, n)))
        yield Case("tag", share, lambda n, said=word: PhotoFilter(tags=((_cased(said, n),),)))
        yield Case("keyword", share, lambda n, said=word: PhotoFilter(keywords=(_cased(said, n),)))
        yield Case("width", share, lambda n, at=share: PhotoFilter(width=Bounds(None, 999 + 5000 * at + 1e-6 * n)))
    for stars, share in zip(range(1, 6), SHARES, strict=True):
        yield Case("rating", share, lambda n, least=stars: PhotoFilter(rating=Bounds(least - 1e-6 * n)))
    yield Case("is:favourite", SHARES[4], lambda _: PhotoFilter(favourite=True))
    kinds = (("photo", 1.0), ("jpeg", 0.5), ("heif", 0.4), ("webp", 0.09), ("avif", 0.0099), ("tiff", 0.0001))
    for kind, share in kinds:
        yield Case(f"type:{kind}", share, lambda n, said=kind: PhotoFilter(kind=_cased(said, n)))
    for year in (1, 5):
        name = "year" if year == 1 else "five years"
        yield Case(
            name,
            year / 15,
            lambda n, years=year: PhotoFilter(after=_moment(0.3, n), before=_moment(0.3 + years / 15, n)),
        )
    yield Case("on", 1 / _DAYS, lambda n: PhotoFilter(after=_moment(0.5, n), before=_moment(0.5 + 1 / _DAYS, n)))
    yield Case("month", 1 / 12, lambda n: PhotoFilter(month=n % 12 + 1))
    for shape, share in (("landscape", 0.6), ("portrait", 0.4), ("square", 0.0002)):
        yield Case(f"orientation:{shape}", share, lambda _, said=shape: PhotoFilter(orientation=said))
    for what, share in (
        ("gps", 1.0),
        ("keywords", 1.0),
        ("tags", 1.0),
        ("title", 0.5),
        ("description", 0.1),
        ("copies", 0.1),
    ):
        yield Case(f"has:{what}", share, lambda _, said=what: PhotoFilter(has=(said,)))
    yield Case("duplicate:no", 0.95, lambda _: PhotoFilter(copies=False))
    yield Case("NOT tag", 0.5, lambda n: PhotoFilter(without=(PhotoFilter(tags=((_cased(WORDS[1], n),),)),)))


def _moment(share: float, number: int) -> datetime:
    """So far into the years, and `number` microseconds more."""
    return _FIRST_DAY + timedelta(days=_DAYS * share, microseconds=number)


def _part(word: str, number: int) -> str:
    """A part of the names that have the word, another one each time for ten times."""
    whole = f"img_{'_'.join(WORDS)}"
    end = whole.index(word) + len(word)
    return whole[max(0, whole.index(word) - number % 5) : end - number // 5 % 2]


def _cased(word: str, number: int) -> str:
    """The same word, written another way each time."""
    return "".join(letter.upper() if number >> place & 1 else letter for place, letter in enumerate(word))


def measure(
    service: SearchService,
    library: Library,
    embed: Embed,
    texts: list[str],
    queries: int,
    names: Collection[str],
) -> Table:
    """Search with each filter, or those of some names, in turn with none."""
    model = service.live.model()
    batches = list(library.catalog.embeddings(model.id))
    truth = np.concatenate([ids for ids, _ in batches]), np.concatenate([vectors for _, vectors in batches])
    where = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before"
    title = f"{len(truth[0]):,} photos of {model.dim} dimensions, {where}, {queries} searches of each"
    table = Table("filter", "allowed", "ms p50", "without", "ratio", "first", "second", "recall", title=title)
    ratios = []
    for case in (case for case in cases() if not names or case.name in names):
        first = _timed(service, Query(text=texts.pop(), filter=case.asked(0)))
        second = _timed(service, Query(text=texts.pop(), filter=case.asked(1)))
        took = []
        for number in range(2, queries + 2):
            own = _timed(service, Query(text=texts.pop(), filter=case.asked(number)))
            took.append((own, _timed(service, Query(text=texts.pop()))))
        own, plain = np.median(np.array(took), axis=0)
        ratios.append(own / plain)
        wanted = case.asked(queries + 2)
        allowed = library.catalog.allowed_ids(model.id, wanted)
        asked = [Query(text=texts.pop(), filter=wanted) for _ in range(3)]
        recall = np.mean([_recall(service, query, embed(query.text), truth, allowed) for query in asked])
        numbers = (f"{own:.1f}", f"{plain:.1f}", f"{ratios[-1]:.2f}", f"{first:.0f}", f"{second:.0f}", f"{recall:.3f}")
        table.add_row(case.name, f"{len(allowed) / len(truth[0]):.2%}", *numbers)
        _dirty(library)
    over = sum(ratio > TIMES_UNFILTERED for ratio in ratios)
    table.add_row("the worst", "", "", "", f"{max(ratios):.2f}", "", "", "")
    table.add_row(f"above the goal of {TIMES_UNFILTERED}", "", "", "", f"{over} of {len(ratios)}", "", "", "")
    return table


def _timed(service: SearchService, query: Query) -> float:
    started = time.perf_counter()
    service.search(query)
    return (time.perf_counter() - started) * 1000


def _dirty(library: Library) -> None:
    """Change the catalog, so that the next filter finds nothing prepared."""
    library.catalog.set_setting("benchmark", str(time.time_ns()))


def _recall(
    service: SearchService,
    query: Query,
    vector: np.ndarray,
    truth: tuple[np.ndarray, np.ndarray],
    allowed: np.ndarray,
) -> float:
    """The share of the best of all that is allowed that is found; equal scores are equal, and 1 where there is none."""
    found = service.search(query)
    if found.total != len(allowed):
        return 0.0
    rows = np.searchsorted(truth[0], allowed)
    parts = np.array_split(rows, 1 + len(rows) // 50_000)
    scores = np.concatenate([truth[1][part].astype(np.float32) @ vector for part in parts])
    k = min(query.limit, len(scores))
    if not k:
        return float(not found.hits)
    right = set(allowed[scores >= np.sort(scores)[-k] - 1e-5].tolist())
    return len({hit.photo.id for hit in found.hits} & right) / k
