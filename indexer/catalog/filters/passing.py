"""From a filter to the ids of the photos that pass it: what SQL can say in SQL, names and shapes in Python.

Functions on one connection. Each condition gives sorted ids, and sets of ids are joined as the filter says. A condition
that no photo can meet gives none; nothing is raised for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import ColumnElement, and_, extract, func, literal, or_, select

from indexer.catalog.database import IN_LIMIT, fetch_ids, in_chunks
from indexer.catalog.filters import circles, folder_filter, place_filter
from indexer.catalog.filters.known_tags import KnownTags
from indexer.catalog.filters.names import matches
from indexer.catalog.filters.words import says, spoken
from indexer.catalog.photo_filter import Bounds, Near, PhotoFilter
from indexer.catalog.stores import suggestion_store
from indexer.catalog.stores.embedding_store import photo_ids
from indexer.catalog.tables.photo_tables import EmbeddingRow, FolderRow, KeywordRow, PhotoRow, PlaceRow, RootRow
from indexer.catalog.tables.tag_tables import PhotoTagRow
from indexer.catalog.words.word_index import saying

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray
    from sqlalchemy import Connection

    Ids = NDArray[np.int64]

FAVOURITE = 5  # stars
IN_ONE = 200  # names of cameras that one statement asks for: SQLite takes no deeper expressions than 1,000
_Condition = ColumnElement[bool]


def allowed_ids(connection: Connection, model_id: int, wanted: PhotoFilter) -> Ids:
    """Give the ids of the photos that the model has embedded and that pass the filter: (n,) int64, sorted."""
    if not wanted:
        return photo_ids(connection, model_id)
    passing = _passing(connection, wanted)
    # Only sound photos have embeddings, so that their state need not be asked.
    if passing is None or len(passing) > IN_LIMIT:
        embedded = photo_ids(connection, model_id)
        passing = embedded if passing is None else _both(passing, embedded)
    else:
        held = select(EmbeddingRow.photo_id).where(EmbeddingRow.model_id == model_id)
        passing = fetch_ids(connection, held.where(EmbeddingRow.photo_id.in_(passing.tolist())))
    return _without(connection, passing, wanted)


def _sets(connection: Connection, wanted: PhotoFilter) -> Ids:
    """The photos, embedded or not, that pass a filter within a filter."""
    passing = _passing(connection, wanted)
    passing = fetch_ids(connection, select(PhotoRow.id)) if passing is None else passing
    return _without(connection, passing, wanted)


def _without(connection: Connection, passing: Ids, wanted: PhotoFilter) -> Ids:
    """Those of the photos that no filter of `without` passes, one of each picture where that is asked for."""
    for rejected in wanted.without:
        passing = np.setdiff1d(passing, _sets(connection, rejected), assume_unique=True)
    return _one_each(connection, passing) if wanted.copies is False else passing


def _passing(connection: Connection, wanted: PhotoFilter) -> Ids | None:
    """The photos for which everything holds but `without`; None for all."""
    sets = [
        *_by_columns(connection, wanted),
        *_by_tags(connection, wanted),
        *([_near(connection, wanted.near)] if wanted.near else []),
        *([_named(connection, wanted.name)] if wanted.name else []),
        *(saying(connection, text) for text in wanted.texts),
        *(_any_of(_sets(connection, one) for one in group) for group in wanted.either),
    ]
    return reduce(_both, sets) if sets else None


def _both(first: Ids, second: Ids) -> Ids:
    return np.intersect1d(first, second, assume_unique=True)


def _any_of(sets: Iterable[Ids]) -> Ids:
    return np.unique(np.concatenate([np.empty(0, dtype=np.int64), *sets]))


def _by_columns(connection: Connection, wanted: PhotoFilter) -> list[Ids]:
    """What can be said of a photo's own columns, in one query where it can be."""
    conditions = [*_taken(wanted), *_shaped(wanted), *_known(wanted)]
    narrow: list[list[_Condition]] = []  # of each list one condition must hold; they are as many as statements need
    if wanted.folder:
        rows = connection.execute(select(FolderRow.id, RootRow.path, FolderRow.path).join(RootRow))
        found = list(folder_filter.matching(wanted.folder, rows))
        narrow.append([PhotoRow.folder_id.in_(chunk) for chunk in in_chunks(found)])
    if wanted.place:
        places = connection.execute(select(PlaceRow.id, PlaceRow.city, PlaceRow.region, PlaceRow.country))
        here = list(place_filter.matching(wanted.place, places))
        narrow.append([PhotoRow.place_id.in_(chunk) for chunk in in_chunks(here)])
    if wanted.camera:
        narrow.append(_saying(connection, _CAMERA, wanted.camera))
    if wanted.lens:
        narrow.append(_saying(connection, _LENS, wanted.lens))
    if not conditions and not narrow:
        return []
    parts = [fetch_ids(connection, select(PhotoRow.id).where(*conditions, *chosen)) for chosen in _combinations(narrow)]
    return [_any_of(parts)]


def _combinations(narrow: Sequence[Sequence[_Condition]]) -> Iterator[tuple[_Condition, ...]]:
    if not narrow:
        yield ()
        return
    for condition in narrow[0]:
        for rest in _combinations(narrow[1:]):
            yield (condition, *rest)


def _taken(wanted: PhotoFilter) -> Iterator[_Condition]:
    if wanted.after is not None:
        yield PhotoRow.taken_at >= wall_clock(wanted.after)
    if wanted.before is not None:
        yield PhotoRow.taken_at < wall_clock(wanted.before)
    if wanted.month is not None:
        yield extract("month", PhotoRow.taken_at) == wanted.month


def wall_clock(moment: datetime) -> datetime:
    """Give a moment of a camera's clock; raises ValueError where it has a zone, which such a clock has not."""
    if moment.tzinfo is not None:
        raise ValueError(f"a photo's date is its camera's wall clock, without a zone, and {moment!r} has one")
    return moment


def _shaped(wanted: PhotoFilter) -> Iterator[_Condition]:
    for column, bounds in ((PhotoRow.width, wanted.width), (PhotoRow.height, wanted.height)):
        yield from _within(column, bounds)
    if wanted.orientation == "square":
        yield PhotoRow.width == PhotoRow.height
    elif wanted.orientation:
        upright = wanted.orientation == "portrait"
        yield PhotoRow.height > PhotoRow.width if upright else PhotoRow.width > PhotoRow.height
    kind = (wanted.kind or "").casefold()
    if kind in ("photo", "video"):
        yield PhotoRow.duration_s.is_(None) if kind == "photo" else PhotoRow.duration_s.is_not(None)
    elif kind:
        yield func.lower(PhotoRow.format) == kind


def _known(wanted: PhotoFilter) -> Iterator[_Condition]:
    yield from _within(PhotoRow.rating, wanted.rating)
    if wanted.favourite:
        yield PhotoRow.rating == FAVOURITE
    for what in (*wanted.has, *(("copies",) if wanted.copies else ())):
        yield _HAS[what]


def _within(column: Any, bounds: Bounds | None) -> Iterator[_Condition]:
    if bounds is not None:
        yield column.is_not(None)
        if bounds.low is not None:
            yield column >= bounds.low
        if bounds.high is not None:
            yield column <= bounds.high


_CAMERA = (PhotoRow.camera_make, PhotoRow.camera_model)
_LENS = (PhotoRow.lens,)
_TAGGED = select(literal(1)).where(PhotoTagRow.photo_id == PhotoRow.id, PhotoTagRow.state != "rejected")
_TWIN = PhotoRow.__table__.alias("twin")
_HAS: dict[str, _Condition] = {
    "gps": PhotoRow.latitude.is_not(None),
    "date": PhotoRow.taken_at.is_not(None),
    "camera": or_(*(column.is_not(None) for column in _CAMERA)),
    "lens": PhotoRow.lens.is_not(None),
    "rating": PhotoRow.rating != 0,
    "title": PhotoRow.title.is_not(None),
    "description": PhotoRow.description.is_not(None),
    "keywords": select(literal(1)).where(KeywordRow.photo_id == PhotoRow.id).exists(),
    "tags": _TAGGED.exists(),
    "place": PhotoRow.place_id.is_not(None),
    "copies": select(literal(1))
    .where(_TWIN.c.content_hash == PhotoRow.content_hash, _TWIN.c.id != PhotoRow.id, _TWIN.c.state == "ok")
    .exists(),
}


def _saying(connection: Connection, columns: Sequence[Any], wanted: str) -> list[_Condition]:
    """Conditions, one of which holds where columns, read one after the other, say the wanted words."""
    rows = connection.execute(select(*columns).distinct().where(or_(*(column.is_not(None) for column in columns))))
    said = [_equal(columns, row) for row in rows if any(says(name, wanted) for name in spoken(*row))]
    return [or_(*chunk) for chunk in in_chunks(said, IN_ONE)]


def _equal(columns: Sequence[Any], row: Sequence[str | None]) -> _Condition:
    return and_(*(column.is_not_distinct_from(value) for column, value in zip(columns, row, strict=True)))


def _by_tags(connection: Connection, wanted: PhotoFilter) -> Iterator[Ids]:
    if wanted.tags:
        tags = KnownTags.of(connection)
        for path in wanted.tags:
            yield suggestion_store.photos_with(connection, tags.meant(path))
    if wanted.keywords:
        known = list(connection.execute(select(KeywordRow.keyword).distinct()).scalars())
        for keyword in wanted.keywords:
            meant = [other for other in known if says(other, keyword)]
            held = select(KeywordRow.photo_id).distinct()
            yield _any_of(fetch_ids(connection, held.where(KeywordRow.keyword.in_(part))) for part in in_chunks(meant))


def _named(connection: Connection, wanted: str) -> Ids:
    rows = connection.execute(select(PhotoRow.id, PhotoRow.name))
    return np.sort(np.array([number for number, name in rows if matches(name, wanted)], dtype=np.int64))


def _near(connection: Connection, circle: Near) -> Ids:
    there = PhotoRow.latitude.is_not(None) & PhotoRow.longitude.is_not(None)
    query = select(PhotoRow.id, PhotoRow.latitude, PhotoRow.longitude).where(there)
    rows = connection.execute(query.where(PhotoRow.latitude.between(*circles.band(circle)))).all()
    ids = np.array([row[0] for row in rows], dtype=np.int64)
    positions = np.array([row[1:] for row in rows], dtype=np.float64).reshape(-1, 2)
    return np.sort(ids[circles.within(positions[:, 0], positions[:, 1], circle)])


def _one_each(connection: Connection, passing: Ids) -> Ids:
    """Of photos with the same picture that pass, the first to be indexed alone."""
    twice = select(PhotoRow.content_hash).where(PhotoRow.state == "ok").group_by(PhotoRow.content_hash)
    several = twice.having(func.count() > 1).subquery()
    query = select(PhotoRow.id, PhotoRow.content_hash).join(several, several.c.content_hash == PhotoRow.content_hash)
    allowed, seen, extra = set(passing.tolist()), set[str | None](), list[int]()
    for number, content in connection.execute(query.order_by(PhotoRow.id)):
        if number in allowed and content in seen:
            extra.append(number)
        elif number in allowed:
            seen.add(content)
    return np.setdiff1d(passing, np.array(extra, dtype=np.int64), assume_unique=True)
