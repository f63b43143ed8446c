"""What the catalog knows of all photos, a column at a time, each read when a filter first asks for it.

All columns stand for one state of the catalog: none is read from another one. Nothing is written. The shapes: n photos,
failed ones among them, in the order of their ids.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, String, cast, func, or_, select, type_coerce

from indexer.catalog.columns.name_column import NameColumn
from indexer.catalog.database import fetch_ids
from indexer.catalog.filters.folder_filter import FolderNames
from indexer.catalog.filters.known_tags import KnownTags
from indexer.catalog.filters.place_filter import PlaceNames
from indexer.catalog.filters.words import SaidNames, spoken
from indexer.catalog.stores.embedding_store import photo_ids
from indexer.catalog.tables.photo_tables import FolderRow, KeywordRow, PhotoRow, PlaceRow, RootRow
from indexer.catalog.tables.tag_tables import PhotoTagRow
from indexer.catalog.words.word_index import saying

if TYPE_CHECKING:
    from sqlalchemy import Connection

Mask = NDArray[np.bool_]
Numbers = NDArray[np.signedinteger[Any]]
_T = TypeVar("_T")
_D = TypeVar("_D", bound=np.generic)
_SMALL = np.iinfo(np.int32)
_ABSENT = int(np.iinfo(np.int64).min)


class CatalogChangedError(Exception):
    """The catalog is not as it was when the columns before were read."""


class PhotoColumns:
    """Columns of one state of the catalog. For one thread at a time; what it gives is not to be changed.

    Every method may raise CatalogChangedError, and LibraryError as the catalog does.
    """

    def __init__(self, reading: Callable[[], AbstractContextManager[Connection]], same: Callable[[], bool]) -> None:
        """Read nothing yet.

        Args:
            reading: opens a connection, for each column.
            same: whether nothing has been committed to the catalog since this was made.
        """
        self._reading = reading
        self._same = same
        self._kept: dict[object, Any] = {}

    @property
    def ids(self) -> NDArray[np.int64]:
        """The photos' ids (n,), ascending."""
        return self._once("ids", lambda connection: fetch_ids(connection, select(PhotoRow.id)))

    def embedded(self, model_id: int) -> Mask:
        """Which photos a model has embedded."""
        return self._once(("embedded", model_id), lambda connection: self._at(photo_ids(connection, model_id)))

    def taken(self) -> NDArray[np.datetime64]:
        """When they were taken, by their cameras' wall clocks; NaT where that is not known."""
        written = func.coalesce(type_coerce(PhotoRow.taken_at, String), "NaT")
        return self._once("taken", lambda connection: self._ordered(connection, written, _moments))

    def month(self) -> Numbers:
        """The months of that, 1 to 12; 0 where it is not known."""

        def months(_: Connection) -> Numbers:
            counted = self.taken().astype("datetime64[M]").astype(np.int64) % 12 + 1
            return np.where(np.isnat(self.taken()), 0, counted).astype(np.int8)

        return self._once("month", months)

    def numbers(self, column: Any) -> Numbers:
        """A column of whole numbers; `absent` where there is none."""

        def whole(connection: Connection) -> Numbers:
            found = self._ordered(connection, func.coalesce(column, _ABSENT), _parsed)
            known = found[found != _ABSENT]
            if _SMALL.min < known.min(initial=0) and known.max(initial=0) <= _SMALL.max:
                return np.where(found == _ABSENT, _SMALL.min, found).astype(np.int32)
            return found

        return self._once(column.key, whole)

    def has(self, column: Any) -> Mask:
        """Whether a column holds anything."""

        def held(connection: Connection) -> Mask:
            return self._at(fetch_ids(connection, select(PhotoRow.id).where(column.is_not(None))))

        return self._once(("has", column.key), held)

    def said(self, *columns: Any) -> tuple[Numbers, SaidNames]:
        """Texts of columns read one after the other, as codes and what they stand for; 0 where there are none."""

        def coded(connection: Connection) -> tuple[Numbers, SaidNames]:
            some = or_(*(column.is_not(None) for column in columns))
            rows = connection.execute(select(*columns, _joined(PhotoRow.id)).where(some).group_by(*columns)).all()
            where, held = self._of_groups([row[-1] for row in rows])
            codes = np.zeros(len(self.ids), _least(len(rows)))
            codes[where] = held + 1
            names = [spoken(*row[:-1]) for row in rows]
            return codes, SaidNames(["", *(one[0] for one in names)], ["", *(one[-1] for one in names)])

        return self._once(("said", *(column.key for column in columns)), coded)

    def names(self) -> NameColumn:
        """The files' names."""
        return self._once("names", lambda connection: NameColumn(self._read(connection, PhotoRow.name)))

    def folder_names(self) -> FolderNames:
        """The folders by their numbers."""
        query = select(FolderRow.id, RootRow.path, FolderRow.path).join(RootRow)
        return self._once("folders", lambda connection: FolderNames(connection.execute(query)))

    def place_names(self) -> PlaceNames:
        """The places by their numbers."""
        query = select(PlaceRow.id, PlaceRow.city, PlaceRow.region, PlaceRow.country)
        return self._once("places", lambda connection: PlaceNames(connection.execute(query)))

    def positions(self) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Latitude and longitude in degrees (2, n), and as points (3, n) of a globe of radius 1; NaN for none."""

        def globe(connection: Connection) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
            columns = (PhotoRow.latitude, PhotoRow.longitude)
            degrees = np.array([self._read(connection, column) for column in columns], dtype=np.float64)
            north, east = np.radians(degrees)
            points = np.stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)])
            return degrees, points.astype(np.float32)

        return self._once("positions", globe)

    def tags(self) -> tuple[KnownTags, Numbers, Numbers]:
        """All tags; and of each tag of a photo, unless it was rejected, where the photo stands, and the tag's id."""
        held = select(PhotoTagRow.tag_id, _joined(PhotoTagRow.photo_id)).where(PhotoTagRow.state != "rejected")

        def tagged(connection: Connection) -> tuple[KnownTags, Numbers, Numbers]:
            rows = connection.execute(held.group_by(PhotoTagRow.tag_id)).all()
            where, at = self._of_groups([ids for _, ids in rows])
            return KnownTags.of(connection), where, np.array([tag for tag, _ in rows], dtype=np.int32)[at]

        return self._once("tags", tagged)

    def keywords(self) -> tuple[SaidNames, Numbers, Numbers]:
        """All keywords; and of each keyword of a photo where the photo stands, and the keyword's place in the first."""

        def worded(connection: Connection) -> tuple[SaidNames, Numbers, Numbers]:
            held = select(KeywordRow.keyword, _joined(KeywordRow.photo_id)).group_by(KeywordRow.keyword)
            rows = connection.execute(held).all()
            return SaidNames(word for word, _ in rows), *self._of_groups([ids for _, ids in rows])

        return self._once("keywords", worded)

    def copies(self) -> tuple[Numbers, Numbers, NDArray[np.int64], Mask]:
        """Photos whose picture at least two sound ones, or one and a failed one, have.

        Returns:
            Where they stand, ascending; of each the number of its picture; how many sound photos have it; whether it is
            one of these.
        """
        several = select(PhotoRow.content_hash).group_by(PhotoRow.content_hash).having(func.count() > 1)
        query = select(PhotoRow.id, PhotoRow.content_hash, PhotoRow.state == "ok")

        def twins(connection: Connection) -> tuple[Numbers, Numbers, NDArray[np.int64], Mask]:
            rows = connection.execute(query.where(PhotoRow.content_hash.in_(several)).order_by(PhotoRow.id)).all()
            known: dict[str | None, int] = {}
            pictures = np.array([known.setdefault(content, len(known)) for _, content, _ in rows], dtype=np.int32)
            where = np.searchsorted(self.ids, np.array([row[0] for row in rows], dtype=np.int64))
            good = np.array([row[2] for row in rows], dtype=np.bool_)
            return where.astype(np.int32), pictures, np.bincount(pictures[good], minlength=len(known))[pictures], good

        return self._once("copies", twins)

    def saying(self, text: str) -> Mask:
        """Which photos' words have those of a text, one after the other; SQLite's index of words is asked each time."""
        return self._now(lambda connection: self._at(saying(connection, text)))

    def _once(self, key: object, read: Callable[[Connection], _T]) -> _T:
        if key not in self._kept:
            self._kept[key] = self._now(read)
        kept: _T = self._kept[key]
        return kept

    def _now(self, read: Callable[[Connection], _T]) -> _T:
        with self._reading() as connection:
            connection.execute(select(RootRow.id).limit(1)).all()  # from here on the connection sees one state
            if not self._same():
                raise CatalogChangedError
            return read(connection)

    def _ordered(self, connection: Connection, column: Any, parsed: Callable[[str | None], NDArray[_D]]) -> NDArray[_D]:
        """What one text of all photos' values says, in the order of ids.

        SQLite joins the ids in the same order. A row for each photo would take several times as long.
        """
        ids, values = connection.execute(select(_joined(PhotoRow.id), _joined(column))).one()
        numbers, found = _parsed(ids), parsed(values)
        return found if np.array_equal(numbers, self.ids) else found[np.argsort(numbers)]

    def _read(self, connection: Connection, column: Any) -> Sequence[Any]:
        return connection.execute(select(column).order_by(PhotoRow.id)).scalars().all()

    def _of_groups(self, groups: Sequence[str]) -> tuple[Numbers, Numbers]:
        """Where the photos of joined ids stand, and of which group each is."""
        ids = [_parsed(group) for group in groups]
        at: Numbers = np.repeat(np.arange(len(ids), dtype=_least(len(ids))), [len(one) for one in ids])
        every = np.concatenate(ids) if ids else np.empty(0, np.int64)
        return np.searchsorted(self.ids, every).astype(np.int32), at

    def _at(self, ids: NDArray[np.int64]) -> Mask:
        """Where photos of these ids stand, as a mask."""
        mask = np.zeros(len(self.ids), np.bool_)
        mask[np.searchsorted(self.ids, ids)] = True
        return mask


def absent(numbers: Numbers) -> int:
    """What stands in a column where there is no number."""
    return int(np.iinfo(numbers.dtype).min)


def _moments(joined: str | None) -> NDArray[np.datetime64]:
    return np.array(joined.split(",") if joined else [], dtype="datetime64[us]")


def _joined(numbers: Any) -> ColumnElement[str]:
    return func.aggregate_strings(cast(numbers, String), ",")


def _parsed(joined: str | None) -> NDArray[np.int64]:
    return np.fromstring(joined or "", dtype=np.int64, sep=",")


def _least(count: int) -> type[np.int16 | np.int32]:
    """The type that numbers up to a count fit in."""
    return np.int16 if count <= np.iinfo(np.int16).max else np.int32
