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
from sqlalchemy import String, func, select, type_coerce

from indexer.catalog.columns.name_column import NameColumn
from indexer.catalog.database import fetch_ids
from indexer.catalog.filters.folder_filter import FolderNames
from indexer.catalog.filters.place_filter import PlaceNames
from indexer.catalog.filters.words import SaidNames
from indexer.catalog.stores import tag_store
from indexer.catalog.stores.embedding_store import photo_ids
from indexer.catalog.tables.photo_tables import FolderRow, KeywordRow, PhotoRow, PlaceRow, RootRow
from indexer.catalog.tables.tag_tables import PhotoTagRow

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from indexer.catalog.tag_records import TagPath

Mask = NDArray[np.bool_]
Numbers = NDArray[np.signedinteger[Any]]
_T = TypeVar("_T")
_SMALL = np.iinfo(np.int32)


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
        return self._once("taken", lambda connection: _moments(self._read(connection, PhotoRow.taken_at)))

    def month(self) -> Numbers:
        """The months of that, 1 to 12; 0 where it is not known."""

        def months(_: Connection) -> Numbers:
            counted = self.taken().astype("datetime64[M]").astype(np.int64) % 12 + 1
            return np.where(np.isnat(self.taken()), 0, counted).astype(np.int8)

        return self._once("month", months)

    def numbers(self, column: Any) -> Numbers:
        """A column of whole numbers; `absent` where there is none."""
        return self._once(column.key, lambda connection: _whole(self._read(connection, column)))

    def has(self, column: Any) -> Mask:
        """Whether a column holds anything."""

        def held(connection: Connection) -> Mask:
            return self._at(fetch_ids(connection, select(PhotoRow.id).where(column.is_not(None))))

        return self._once(("has", column.key), held)

    def said(self, *columns: Any) -> tuple[Numbers, SaidNames]:
        """Texts of columns read one after the other, as codes and what they stand for; 0 where there are none."""

        def coded(connection: Connection) -> tuple[Numbers, SaidNames]:
            known: dict[tuple[str | None, ...], int] = {(None,) * len(columns): 0}
            codes = [known.setdefault(tuple(row), len(known)) for row in self._rows(connection, *columns)]
            names = SaidNames(" ".join(part for part in row if part) for row in known)
            return _packed(codes, len(known)), names

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
            degrees = np.array(self._rows(connection, PhotoRow.latitude, PhotoRow.longitude), dtype=np.float64)
            degrees = np.ascontiguousarray(degrees.reshape(-1, 2).T)
            north, east = np.radians(degrees)
            points = np.stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)])
            return degrees, points.astype(np.float32)

        return self._once("positions", globe)

    def tags(self) -> tuple[dict[int, TagPath], Numbers, Numbers]:
        """All tags; and of each tag of a photo, unless it was rejected, where the photo stands, and the tag's id."""
        held = select(PhotoTagRow.photo_id, PhotoTagRow.tag_id).where(PhotoTagRow.state != "rejected")

        def tagged(connection: Connection) -> tuple[dict[int, TagPath], Numbers, Numbers]:
            pairs = np.array(connection.execute(held).all(), dtype=np.int64).reshape(-1, 2)
            where = np.searchsorted(self.ids, pairs[:, 0]).astype(np.int32)
            return tag_store.paths(connection), where, pairs[:, 1].astype(np.int32)

        return self._once("tags", tagged)

    def keywords(self) -> tuple[SaidNames, Numbers, Numbers]:
        """All keywords; and of each keyword of a photo where the photo stands, and the keyword's place in the first."""

        def worded(connection: Connection) -> tuple[SaidNames, Numbers, Numbers]:
            rows = connection.execute(select(KeywordRow.photo_id, KeywordRow.keyword)).all()
            known: dict[str, int] = {}
            codes = [known.setdefault(word, len(known)) for _, word in rows]
            where = np.searchsorted(self.ids, np.array([number for number, _ in rows], dtype=np.int64))
            return SaidNames(known), where.astype(np.int32), _packed(codes, len(known))

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

    def _once(self, key: object, read: Callable[[Connection], _T]) -> _T:
        if key not in self._kept:
            with self._reading() as connection:
                connection.execute(select(RootRow.id).limit(1)).all()  # from here on the connection sees one state
                if not self._same():
                    raise CatalogChangedError
                self._kept[key] = read(connection)
        kept: _T = self._kept[key]
        return kept

    def _rows(self, connection: Connection, *columns: Any) -> Sequence[Any]:
        return connection.execute(select(*columns).select_from(PhotoRow).order_by(PhotoRow.id)).all()

    def _read(self, connection: Connection, column: Any) -> list[Any]:
        if column is PhotoRow.taken_at:
            column = type_coerce(column, String)  # a datetime for each would take three times as long
        return [value for (value,) in self._rows(connection, column)]

    def _at(self, ids: NDArray[np.int64]) -> Mask:
        """Where photos of these ids stand, as a mask."""
        mask = np.zeros(len(self.ids), np.bool_)
        mask[np.searchsorted(self.ids, ids)] = True
        return mask


def absent(numbers: Numbers) -> int:
    """What stands in a column where there is no number."""
    return int(np.iinfo(numbers.dtype).min)


def _moments(written: list[str | None]) -> NDArray[np.datetime64]:
    return np.array([moment or "NaT" for moment in written], dtype="datetime64[us]")


def _whole(values: list[int | None]) -> Numbers:
    known = [value for value in values if value is not None]
    small = not known or (_SMALL.min < min(known) and max(known) <= _SMALL.max)
    kind = np.int32 if small else np.int64
    none = int(np.iinfo(kind).min)
    return np.array([none if value is None else value for value in values], dtype=kind)


def _packed(codes: list[int], count: int) -> Numbers:
    return np.array(codes, dtype=np.int16 if count <= np.iinfo(np.int16).max else np.int32)
