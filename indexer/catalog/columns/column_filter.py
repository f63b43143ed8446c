"""Which photos pass a filter, by columns: what `filters/passing.py` says in SQL, said with arrays.

The shapes: n photos, failed ones among them; a mask (n,) says which of them pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from indexer.catalog.columns.photo_columns import Mask, Numbers, PhotoColumns, absent
from indexer.catalog.columns.photo_set import PhotoSet
from indexer.catalog.filters import circles
from indexer.catalog.filters.passing import FAVOURITE, wall_clock
from indexer.catalog.photo_filter import Bounds, Near, PhotoFilter
from indexer.catalog.tables.photo_tables import PhotoRow

_CAMERA = (PhotoRow.camera_make, PhotoRow.camera_model)
_LENS = (PhotoRow.lens,)
_NEARLY = 1e-5  # of a chord of the globe of radius 1, 64 m: float32 is off by a hundredth of that


def allowed(columns: PhotoColumns, model_id: int, wanted: PhotoFilter) -> PhotoSet:
    """The photos that the model has embedded and that pass the filter."""
    embedded = columns.embedded(model_id)
    passing = _passing(columns, wanted)
    mask = _without(columns, embedded if passing is None else embedded & passing, wanted)
    ids = columns.ids
    marks = np.zeros(int(ids.max(initial=-1)) + 2, np.bool_)
    marks[ids] = mask
    return PhotoSet(marks)


def _mask(columns: PhotoColumns, wanted: PhotoFilter) -> Mask:
    """The photos, embedded or not, that pass a filter within a filter."""
    passing = _passing(columns, wanted)
    return _without(columns, np.ones(len(columns.ids), np.bool_) if passing is None else passing, wanted)


def _without(columns: PhotoColumns, passing: Mask, wanted: PhotoFilter) -> Mask:
    for rejected in wanted.without:
        passing = passing & ~_mask(columns, rejected)
    return _one_each(columns, passing) if wanted.copies is False else passing


def _passing(columns: PhotoColumns, wanted: PhotoFilter) -> Mask | None:
    """The photos for which everything holds but `without`; None for all."""
    masks = [
        *_taken(columns, wanted),
        *_shaped(columns, wanted),
        *_named(columns, wanted),
        *_known(columns, wanted),
        *(_any_of(columns, (_mask(columns, one) for one in group)) for group in wanted.either),
    ]
    return reduce(np.logical_and, masks) if masks else None


def _any_of(columns: PhotoColumns, masks: Iterable[Mask]) -> Mask:
    return reduce(np.logical_or, masks, np.zeros(len(columns.ids), np.bool_))


def _taken(columns: PhotoColumns, wanted: PhotoFilter) -> Iterator[Mask]:
    if wanted.after is not None:
        yield columns.taken() >= np.datetime64(wall_clock(wanted.after), "us")
    if wanted.before is not None:
        yield columns.taken() < np.datetime64(wall_clock(wanted.before), "us")
    if wanted.month is not None:
        yield columns.month() == wanted.month
    if wanted.near:
        yield _near(columns, wanted.near)


def _shaped(columns: PhotoColumns, wanted: PhotoFilter) -> Iterator[Mask]:
    for column, bounds in ((PhotoRow.width, wanted.width), (PhotoRow.height, wanted.height)):
        if bounds is not None:
            yield _within(columns.numbers(column), bounds)
    if wanted.orientation:
        width, height = columns.numbers(PhotoRow.width), columns.numbers(PhotoRow.height)
        known = (width != absent(width)) & (height != absent(height))
        compared = {"square": np.equal, "portrait": np.less, "landscape": np.greater}[wanted.orientation]
        yield known & compared(width, height)
    kind = (wanted.kind or "").casefold()
    if kind in ("photo", "video"):
        moving = columns.has(PhotoRow.duration_s)
        yield moving if kind == "video" else ~moving
    elif kind:
        codes, formats = columns.said(PhotoRow.format)
        meant = [at for at, name in enumerate(formats.names) if at and _lower(name) == kind]
        yield _among(codes, meant, len(formats))


def _lower(text: str) -> str:
    """As SQLite does it: the letters of ASCII alone."""
    return text.translate({letter: letter + 32 for letter in range(ord("A"), ord("Z") + 1)})


def _named(columns: PhotoColumns, wanted: PhotoFilter) -> Iterator[Mask]:
    if wanted.folder:
        yield _with_ids(columns.numbers(PhotoRow.folder_id), columns.folder_names().matching(wanted.folder))
    if wanted.place:
        yield _with_ids(columns.numbers(PhotoRow.place_id), columns.place_names().matching(wanted.place))
    for texts, words in ((_CAMERA, wanted.camera), (_LENS, wanted.lens)):
        if words:
            codes, names = columns.said(*texts)
            yield _among(codes, [at for at in names.saying(words) if at], len(names))
    if wanted.name:
        yield columns.names().matching(wanted.name)
    yield from map(columns.saying, wanted.texts)
    for path in wanted.tags:
        tags, where, held = columns.tags()
        meant = tags.meant(path)
        yield _marked(columns, where[_with_ids(held, meant)])
    for keyword in wanted.keywords:
        words_said, where, codes = columns.keywords()
        yield _marked(columns, where[_among(codes, words_said.saying(keyword), len(words_said))])


def _known(columns: PhotoColumns, wanted: PhotoFilter) -> Iterator[Mask]:
    if wanted.rating is not None:
        yield _within(columns.numbers(PhotoRow.rating), wanted.rating)
    if wanted.favourite:
        yield columns.numbers(PhotoRow.rating) == FAVOURITE
    for what in (*wanted.has, *(("copies",) if wanted.copies else ())):
        yield _has(columns, what)


def _has(columns: PhotoColumns, what: str) -> Mask:
    plain = {"gps": PhotoRow.latitude, "title": PhotoRow.title, "description": PhotoRow.description}
    if what in plain:
        return columns.has(plain[what])
    if what == "date":
        return ~np.isnat(columns.taken())
    if what in ("camera", "lens"):
        said: Mask = columns.said(*(_CAMERA if what == "camera" else _LENS))[0] != 0
        return said
    if what == "copies":
        where, _, sound, good = columns.copies()
        return _marked(columns, where[sound - good > 0])
    if what in ("keywords", "tags"):
        return _marked(columns, (columns.keywords() if what == "keywords" else columns.tags())[1])
    numbers = columns.numbers({"rating": PhotoRow.rating, "place": PhotoRow.place_id}[what])
    known: Mask = numbers != absent(numbers)
    return known & (numbers != 0) if what == "rating" else known


def _within(numbers: Numbers, bounds: Bounds) -> Mask:
    mask: Mask = numbers != absent(numbers)
    if bounds.low is not None:
        mask &= numbers >= np.float64(bounds.low)
    if bounds.high is not None:
        mask &= numbers <= np.float64(bounds.high)
    return mask


def _among(codes: Numbers, meant: Iterable[int], count: int) -> Mask:
    """Which of the codes, all below `count`, are meant."""
    table = np.zeros(count, np.bool_)
    table[np.fromiter(meant, np.int64)] = True
    among: Mask = table[codes]
    return among


def _with_ids(numbers: Numbers, meant: Iterable[int]) -> Mask:
    """Which of the ids, from 1 on, or `absent`, are meant."""
    ids = np.fromiter(meant, np.int64)
    table = np.zeros(int(ids.max(initial=0)) + 2, np.bool_)
    table[ids] = True
    return np.take(table, numbers, mode="clip")


def _marked(columns: PhotoColumns, where: Numbers) -> Mask:
    mask = np.zeros(len(columns.ids), np.bool_)
    mask[where] = True
    return mask


def _near(columns: PhotoColumns, circle: Near) -> Mask:
    """By the straight way through the globe, and by the haversine formula where that is about the circle's radius."""
    degrees, points = columns.positions()
    south, north = circles.band(circle)
    banded = (degrees[0] >= south) & (degrees[0] <= north)
    at, along = np.radians((circle.latitude, circle.longitude))
    centre = np.array([np.cos(at) * np.cos(along), np.cos(at) * np.sin(along), np.sin(at)], np.float32)
    chord = np.sqrt(sum((points[axis] - centre[axis]) ** 2 for axis in range(3)))
    reach = 2 * np.sin(min(circle.km / (2 * circles.EARTH_KM), np.pi / 2))
    inside: Mask = chord < np.float32(reach - _NEARLY)
    close = np.flatnonzero(~inside & (chord < np.float32(reach + _NEARLY)))
    inside &= banded
    inside[close] = banded[close] & circles.within(degrees[0, close], degrees[1, close], circle)
    return inside


def _one_each(columns: PhotoColumns, passing: Mask) -> Mask:
    """Of photos with the same picture that pass, the first to be indexed alone."""
    where, pictures, sound, _ = columns.copies()
    several = (sound > 1) & passing[where]
    where, pictures = where[several], pictures[several]
    first: NDArray[np.int64] = np.unique(pictures, return_index=True)[1]
    kept = passing.copy()
    kept[where] = False
    kept[where[first]] = True
    return kept
