"""What photos' files say of them, in rows: columns of the photo, its place, its keywords.

Functions on one connection, inside the caller's transaction. No vector depends on any of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, insert, select, tuple_, union, update

from indexer.catalog.database import in_chunks
from indexer.catalog.instants import zone_of
from indexer.catalog.stamps import NEVER, stamp_columns
from indexer.catalog.stores import edit_store
from indexer.catalog.tables.by_id import ById
from indexer.catalog.tables.photo_tables import KeywordRow, PhotoRow, PlaceRow
from indexer.metadata.instants import instant_us
from indexer.metadata.photo_metadata import Keyword, merged

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection, Select

    from indexer.catalog.records import CopiedPhoto, DescribedPhoto, NewPhoto
    from indexer.catalog.stamps import Restamp
    from indexer.metadata.photo_metadata import PhotoMetadata

COLUMNS = (
    *("taken_at", "taken_offset_min", "taken_source", "taken_precision", "latitude", "longitude", "altitude"),
    *("camera_make", "camera_model", "lens", "orientation", "exposure_s", "f_number", "iso", "focal_mm"),
    *("focal_35mm_mm", "rating", "title", "description"),
)
"""The columns of a photo that are fields of its metadata by the same name."""

WRITTEN = (*COLUMNS, "place_id", "taken_instant_us")
"""All that `columns_of` gives: those two are made of other fields."""

# What a sidecar may say, in groups that stand and fall with their first.
_BESIDE = (("rating",), ("title",), ("description",), ("latitude", "longitude", "altitude", "place_id"))
_LOCATE_LIMIT = 5_000  # three parameters for each place

_Names = tuple[str, str, str]


def columns_of(connection: Connection, metadata: Iterable[PhotoMetadata]) -> list[dict[str, Any]]:
    """Give the columns of photos (WRITTEN), their places made if need be."""
    described = list(metadata)
    zone = zone_of(connection)
    places = _place_ids(connection, {names for one in described if any(names := _names(one))})
    instants = [one.taken_at and instant_us(one.taken_at, one.taken_offset_min, zone) for one in described]
    return [
        {name: getattr(one, name) for name in COLUMNS}
        | {"place_id": places.get(_names(one)), "taken_instant_us": instant}
        for one, instant in zip(described, instants, strict=True)
    ]


def put_keywords(
    connection: Connection,
    keywords: Mapping[int, Sequence[Keyword]],
    beside: Mapping[int, Sequence[Keyword]] | None = None,
) -> None:
    """Replace the keywords of photos; those that `keep_unread` gave as `beside` stand before the others."""
    said = {number: merged((*kept, *keywords[number])) for number, kept in (beside or {}).items()}
    for chunk in in_chunks(list(keywords)):
        connection.execute(delete(KeywordRow).where(KeywordRow.photo_id.in_(chunk)))
    rows = [
        {"photo_id": photo_id, "position": position, "keyword": word.text, "source": word.source}
        for photo_id, words in {**keywords, **said}.items()
        for position, word in enumerate(words)
    ]
    if rows:
        connection.execute(insert(KeywordRow), rows)


def keywords_of(connection: Connection, photo_ids: Sequence[int]) -> dict[int, tuple[Keyword, ...]]:
    """Give the keywords of those photos that have any."""
    found: defaultdict[int, list[Keyword]] = defaultdict(list)
    for chunk in in_chunks(photo_ids):
        for photo_id, word, source in _KEYWORDS.rows(connection, chunk):
            found[photo_id].append(Keyword(word, source))
    return {photo_id: tuple(words) for photo_id, words in found.items()}


def keep_unread(
    connection: Connection,
    photos: Iterable[NewPhoto | CopiedPhoto],
    present: Mapping[str, int],
    values: Mapping[str, dict[str, Any]],
) -> dict[int, tuple[Keyword, ...]]:
    """Put what is known from sidecars that could not be read now into the new values of their photos, by path.

    Returns:
        The keywords of those sidecars, to stand before the photos' other ones.
    """
    unread = {present[photo.path]: photo.path for photo in photos if photo.sidecar is None and photo.path in present}
    for chunk in in_chunks(list(unread)):
        columns = [getattr(PhotoRow, name) for group in _BESIDE for name in group]
        for row in connection.execute(select(PhotoRow.id, *columns).where(PhotoRow.id.in_(chunk))).mappings():
            for group in _BESIDE:
                if row[group[0]] is not None:
                    values[unread[row["id"]]].update((name, row[name]) for name in group)
    said = keywords_of(connection, list(unread))
    return {number: tuple(word for word in words if word.source == "sidecar") for number, words in said.items()}


def _keywords_query() -> Select[int, str, str]:
    query = select(KeywordRow.photo_id, KeywordRow.keyword, KeywordRow.source)
    return query.order_by(KeywordRow.photo_id, KeywordRow.position)


_KEYWORDS = ById(_keywords_query, KeywordRow.photo_id)


def with_keywords(connection: Connection) -> list[int]:
    """Give the photos whose files name keywords, or that have a sidecar, sorted."""
    beside = select(PhotoRow.id).where(PhotoRow.sidecar != "")
    found = union(select(KeywordRow.photo_id), beside).subquery()
    return list(connection.execute(select(found.c[0]).order_by(found.c[0])).scalars())


def describe(connection: Connection, photos: Sequence[DescribedPhoto]) -> set[int]:
    """Write the metadata of photos anew, and the stamps of what was read; gives those that say something new."""
    before = _said(connection, [photo.photo_id for photo in photos])
    columns = columns_of(connection, [photo.metadata for photo in photos])
    rows = [{"photo": photo.photo_id, **_stamps(photo), **row} for photo, row in zip(photos, columns, strict=True)]
    if rows:
        connection.execute(update(PhotoRow).where(PhotoRow.id == bindparam("photo")), rows)
    put_keywords(connection, {photo.photo_id: photo.metadata.keywords for photo in photos})
    edit_store.apply(connection, [photo.photo_id for photo in photos])
    after = _said(connection, [photo.photo_id for photo in photos])
    return {number for number, said in after.items() if before[number] != said}


def mark(connection: Connection, photo_ids: Sequence[int], missing_since: datetime | None) -> None:
    """Note since when photos are missing from their folder, or that they are back; a first absence keeps its date."""
    for chunk in in_chunks(photo_ids):
        change = update(PhotoRow).where(PhotoRow.id.in_(chunk))
        if missing_since is not None:
            change = change.where(PhotoRow.missing_since.is_(None))
        connection.execute(change.values(missing_since=missing_since))


def restamp(connection: Connection, stamps: Sequence[Restamp]) -> None:
    """Write what else is known now of the stamps of photos that are as they were."""
    columns: dict[str, Any] = {
        "ctime_ns": bindparam("ctime"),
        "inode": bindparam("number"),
        "sidecar": bindparam("beside"),
    }
    rows = [
        {"photo": one.photo_id, "ctime": one.ctime_ns, "number": one.inode, "beside": one.sidecar} for one in stamps
    ]
    if rows:
        connection.execute(update(PhotoRow).where(PhotoRow.id == bindparam("photo")).values(**columns), rows)


def void_stamps(connection: Connection, photo_ids: Sequence[int]) -> None:
    """Take from photos the time of their files, so that no file has their stamps.

    A run may end before it has read another file that lies under a photo's path. If that is another drive's, and the
    first one is back at the next look, the photo would be as it was: as if it had come back with what is on the other.
    """
    for chunk in in_chunks(photo_ids):
        doubted = update(PhotoRow).where(PhotoRow.id.in_(chunk), PhotoRow.mtime_ns != NEVER)
        connection.execute(doubted.values(mtime_ns=NEVER))


def _stamps(photo: DescribedPhoto) -> dict[str, Any]:
    return stamp_columns(photo) | {"sidecar": photo.sidecar}


def _said(connection: Connection, photo_ids: Sequence[int]) -> dict[int, tuple[Any, ...]]:
    """Give all that photos say of themselves, to be compared."""
    keywords = keywords_of(connection, photo_ids)
    columns = [getattr(PhotoRow, name) for name in (*COLUMNS, "place_id")]
    found: dict[int, tuple[Any, ...]] = {}
    for chunk in in_chunks(photo_ids):
        rows = connection.execute(select(PhotoRow.id, *columns).where(PhotoRow.id.in_(chunk)))
        found.update((number, (*values, keywords.get(number, ()))) for number, *values in rows)
    return found


def _names(metadata: PhotoMetadata) -> _Names:
    return metadata.city or "", metadata.region or "", metadata.country or ""


def _place_ids(connection: Connection, places: set[_Names]) -> dict[_Names, int]:
    """Give the id of each place, made if it is new."""
    columns = (PlaceRow.city, PlaceRow.region, PlaceRow.country)
    found: dict[_Names, int] = {}
    for chunk in in_chunks(sorted(places), _LOCATE_LIMIT):
        for number, *names in connection.execute(select(PlaceRow.id, *columns).where(tuple_(*columns).in_(chunk))):
            found[(names[0], names[1], names[2])] = number
    if new := sorted(places - found.keys()):
        rows = [dict(zip(("city", "region", "country"), names, strict=True)) for names in new]
        made = connection.execute(insert(PlaceRow).returning(PlaceRow.id, sort_by_parameter_order=True), rows)
        found.update(zip(new, made.scalars(), strict=True))
    return found
