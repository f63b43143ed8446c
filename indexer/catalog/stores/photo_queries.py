"""Reads of photos: what a scan is compared with, what a search may return, and what is shown.

Functions on one connection. Nothing is written here, and no file is opened.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from sqlalchemy import Select, exists, func, literal, literal_column, select

from indexer.catalog.database import IN_LIMIT, in_chunks
from indexer.catalog.records import Counts, KnownPhoto, PhotoRecord
from indexer.catalog.stores import companion_store
from indexer.catalog.stores.description_store import keywords_of
from indexer.catalog.stores.photo_store import locate
from indexer.catalog.stores.root_store import folders_below, root_paths
from indexer.catalog.tables.by_id import ById
from indexer.catalog.tables.photo_tables import EmbeddingRow, FolderRow, PhotoRow, PlaceRow, RootRow
from indexer.metadata.dates import Precision, Taken
from indexer.metadata.shots import Shot

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import ColumnElement, Connection

    from indexer.metadata.photo_metadata import Keyword

_RECORD = (
    *("size", "mtime_ns", "ctime_ns", "inode", "content_hash", "state", "reason", "missing_since"),
    *("width", "height", "format", "orientation", "taken_at", "taken_offset_min", "taken_source"),
    *("taken_precision", "taken_instant_us"),
    *("latitude", "longitude", "altitude", "camera_make", "camera_model", "lens"),
    *("exposure_s", "f_number", "iso", "focal_mm", "focal_35mm_mm", "rating", "title", "description"),
    *("duration_s", "poster_s", "indexed_at"),
)


def known(connection: Connection, root_id: int, subfolder: str, model_id: int, deep: bool) -> dict[str, KnownPhoto]:
    """Give every photo of a root, or of one of its subfolders, by its path; those further below too if `deep`."""
    folders = folders_below(connection, root_id, subfolder, deep=deep)
    prefixes = {number: f"{path}/" if path else "" for number, path in folders.items()}
    embedded = exists().where(EmbeddingRow.photo_id == PhotoRow.id, EmbeddingRow.model_id == model_id)
    query = select(
        *(PhotoRow.folder_id, PhotoRow.name, PhotoRow.id, PhotoRow.size, PhotoRow.mtime_ns),
        *(PhotoRow.content_hash, PhotoRow.state, PhotoRow.missing_since.is_not(None), embedded, PhotoRow.sidecar),
        *(PhotoRow.ctime_ns, PhotoRow.inode, PhotoRow.missing_since),
    )
    found: dict[str, KnownPhoto] = {}
    for chunk in in_chunks(list(prefixes)):
        rows = connection.execute(query.where(PhotoRow.folder_id.in_(chunk)))
        for folder, name, number, *rest in rows:
            path = prefixes[folder] + name
            found[path] = KnownPhoto(number, path, *rest)
    return found


def missing_with(connection: Connection, root_id: int, hashes: Iterable[str]) -> list[KnownPhoto]:
    """Give the sound photos of a root that are missing and have one of these content hashes, as not embedded."""
    query = select(
        *(FolderRow.path, PhotoRow.name, PhotoRow.id, PhotoRow.size, PhotoRow.mtime_ns, PhotoRow.content_hash),
        *(PhotoRow.state, literal(True), literal(False), PhotoRow.sidecar),
        *(PhotoRow.ctime_ns, PhotoRow.inode, PhotoRow.missing_since),
    ).join(FolderRow, PhotoRow.folder_id == FolderRow.id)
    query = query.where(FolderRow.root_id == root_id, PhotoRow.missing_since.is_not(None), PhotoRow.state == "ok")
    found = list[KnownPhoto]()
    for chunk in in_chunks(sorted(set(hashes))):
        rows = connection.execute(query.where(PhotoRow.content_hash.in_(chunk)))
        found += [KnownPhoto(id_, f"{path}/{name}" if path else name, *rest) for path, name, id_, *rest in rows]
    return found


def by_content(connection: Connection, hashes: Iterable[str], model_id: int) -> dict[str, int]:
    """Give, for each of these content hashes that is known, the lowest id of a photo that the model has embedded."""
    found: dict[str, int] = {}
    for chunk in in_chunks(sorted(set(hashes))):
        query = select(PhotoRow.content_hash, func.min(PhotoRow.id)).join(
            EmbeddingRow, (EmbeddingRow.photo_id == PhotoRow.id) & (EmbeddingRow.model_id == model_id)
        )
        sound = query.where(PhotoRow.content_hash.in_(chunk), PhotoRow.state == "ok")
        rows = connection.execute(sound.group_by(PhotoRow.content_hash))
        found.update((content_hash, number) for content_hash, number in rows if content_hash is not None)
    return found


def shots(connection: Connection, photo_ids: Sequence[int]) -> dict[int, Shot]:
    """Give when and with which cameras photos were taken, and how long videos are."""
    found: dict[int, Shot] = {}
    taken = (PhotoRow.taken_at, PhotoRow.taken_offset_min, PhotoRow.taken_source, PhotoRow.taken_precision)
    for chunk in in_chunks(photo_ids):
        columns = (PhotoRow.id, PhotoRow.camera_make, PhotoRow.camera_model, PhotoRow.duration_s, *taken)
        rows = connection.execute(select(*columns).where(PhotoRow.id.in_(chunk)))
        for number, make, model, length, at, offset, source, precision in rows:
            found[number] = Shot(Taken(at, offset, source, cast(Precision | None, precision)), make, model, length)
    return found


def known_sizes(connection: Connection, among: Collection[int] | None) -> set[int]:
    """Give the sizes in bytes, of these or of all, that photos have: a file of another size is no copy of any."""
    if among is None:
        return set(connection.execute(select(PhotoRow.size).distinct()).scalars())
    found: set[int] = set()
    for chunk in in_chunks(sorted(among)):
        found.update(connection.execute(select(PhotoRow.size).distinct().where(PhotoRow.size.in_(chunk))).scalars())
    return found


def photos(connection: Connection, ids: Sequence[int]) -> list[PhotoRecord]:
    """Give photos in the order of `ids`; unknown ones are left out."""
    wanted = [int(number) for number in ids]
    rows = [row for chunk in in_chunks(sorted(set(wanted))) for row in _BY_ID.rows(connection, chunk)]
    known = [row[0] for row in rows]
    words, beside = keywords_of(connection, known), companion_store.names(connection, known)
    found = {row[0]: _record(row, words.get(row[0], ()), beside.get(row[0], ())) for row in rows}
    return [found[number] for number in wanted if number in found]


def contents(connection: Connection, ids: Collection[int]) -> dict[int, str]:
    """Give the content hashes of photos by their ids, of those that have one."""
    return {number: content for number, content in _CONTENTS.rows(connection, map(int, ids)) if content is not None}


def photo_at(connection: Connection, path: Path) -> PhotoRecord | None:
    """Give the photo that lies at an absolute path."""
    for root_id, root in root_paths(connection).items():
        if path.is_relative_to(root):
            below = "/".join(path.relative_to(root).parts)
            for row in locate(connection, root_id, [below]).values():
                return photos(connection, [row.id])[0]
    return None


def copies_of(connection: Connection, photo_id: int) -> list[PhotoRecord]:
    """Give the other sound photos with the content of this one, in the order of their paths."""
    content = select(PhotoRow.content_hash).where(PhotoRow.id == photo_id).scalar_subquery()
    same = (PhotoRow.content_hash == content) & (PhotoRow.state == "ok") & (PhotoRow.id != photo_id)
    ids = connection.execute(select(PhotoRow.id).where(same)).scalars().all()
    return sorted(photos(connection, ids), key=lambda photo: photo.path)


def failures(connection: Connection, limit: int | None) -> list[PhotoRecord]:
    """Give the photos that failed, the latest first, at most `limit`."""
    newest = select(PhotoRow.id).where(PhotoRow.state == "failed").order_by(PhotoRow.indexed_at.desc(), PhotoRow.id)
    return photos(connection, connection.execute(newest.limit(limit)).scalars().all())


def counts(connection: Connection) -> Counts:
    """Count photos by what can be done with them."""
    total, failed, missing = (
        connection.execute(select(func.count()).select_from(PhotoRow).where(*condition)).scalar_one()
        for condition in ((), (PhotoRow.state == "failed",), (PhotoRow.missing_since.is_not(None),))
    )
    return Counts(photos=total - failed, failed=failed, missing=missing)


def newest(connection: Connection, ids: NDArray[np.int64] | None, limit: int, offset: int) -> list[int]:
    """Give the ids `offset` to `offset + limit` of these (None: all sound) photos, the newest first, undated last.

    By the instant, and of one instant the highest id first, so that there is one order, and an index that has it.
    """
    order = (PhotoRow.taken_instant_us.desc().nulls_last(), PhotoRow.id.desc())
    if ids is None:
        every = select(PhotoRow.id).where(PhotoRow.state != "failed").order_by(*order)
        return list(connection.execute(every.limit(limit).offset(offset)).scalars())
    if len(ids) <= IN_LIMIT:
        query = select(PhotoRow.id).where(PhotoRow.id.in_(ids.tolist())).order_by(*order)
        return list(connection.execute(query.limit(limit).offset(offset)).scalars())
    marks = np.zeros(int(ids.max()) + 1, np.bool_)
    marks[ids] = True
    allowed = marks.tobytes()  # a set of a million numbers would take longer than all the rest
    numbers = connection.execute(select(PhotoRow.id).order_by(*order)).scalars()
    found = (number for number in numbers if number < len(allowed) and allowed[number])
    return list(islice(found, offset, offset + limit))


def folders(connection: Connection) -> list[tuple[str, str]]:
    """Give all folders of photos: the root, and the path below it."""
    rows = connection.execute(select(RootRow.path, FolderRow.path).join_from(FolderRow, RootRow))
    return sorted((root, folder) for root, folder in rows)


def _record_query() -> Select[*tuple[Any, ...]]:
    columns = [getattr(PhotoRow, name) for name in _RECORD]
    path = (PhotoRow.id, FolderRow.root_id, RootRow.path, FolderRow.path, PhotoRow.name)
    nothing: ColumnElement[str] = literal_column("''")
    place = (func.nullif(name, nothing) for name in (PlaceRow.city, PlaceRow.region, PlaceRow.country))
    query = select(*path, *columns, *place).join(FolderRow, PhotoRow.folder_id == FolderRow.id).join(RootRow)
    return query.outerjoin(PlaceRow, PhotoRow.place_id == PlaceRow.id)


@lru_cache(maxsize=1024)  # to take a path apart costs as much as to read a photo
def _folder(root: str, below: str) -> Path:
    return Path(root, below)


def _record(row: Sequence[Any], words: Sequence[Keyword], beside: Sequence[str]) -> PhotoRecord:
    number, root_id, root, folder, name, *rest = row
    lies_in = _folder(root, folder)
    companions = tuple(lies_in / other for other in beside)
    keywords = tuple(word.text for word in words)
    return PhotoRecord(*(number, root_id, lies_in / name, *rest, keywords, companions))


_BY_ID = ById(_record_query, PhotoRow.id)
_CONTENTS = ById(lambda: select(PhotoRow.id, PhotoRow.content_hash), PhotoRow.id, at_once=True)


def file_names(connection: Connection, photo_ids: Sequence[int]) -> dict[int, str]:
    """Give the names of photos' files, without their folders."""
    found: dict[int, str] = {}
    for chunk in in_chunks(photo_ids):
        rows = connection.execute(select(PhotoRow.id, PhotoRow.name).where(PhotoRow.id.in_(chunk)))
        found |= {row[0]: row[1] for row in rows}
    return found
