"""Companions: the RAWs beside photos, and what sidecars are called. On one connection, in the caller's transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, tuple_

from indexer.catalog.database import in_chunks
from indexer.catalog.stamps import storable_ns
from indexer.catalog.stores.photo_store import locate, split
from indexer.catalog.stores.root_store import folders_below
from indexer.catalog.tables.by_id import ById
from indexer.catalog.tables.photo_tables import CompanionRow, FolderRow, PhotoRow
from indexer.metadata.sidecar import SUFFIX, name_in

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select

    from indexer.catalog.records import FoundFile

_PAIR_LIMIT = 5_000  # two parameters for each


def keep(
    connection: Connection,
    root_id: int,
    seen: Container[str],
    companions: Mapping[str, Sequence[FoundFile]],
    agreed: Mapping[tuple[str, str], str | None],
    below: Sequence[tuple[str, bool]],
) -> None:
    """Write which companions the photos of a root have.

    Args:
        connection: in a transaction.
        root_id: the photos' root.
        seen: paths of photos that were found now; what is known of others stays.
        companions: by the path of their photo.
        agreed: by the paths of a photo and a companion, what to keep of how they were compared, if anything.
        below: the folders that were looked at, and whether with those below them; all that was seen lies there.
    """
    present = {path: row.id for path, row in locate(connection, root_id, list(companions)).items()}
    wanted = {
        (present[path], split(file.path)[1]): (file.size, storable_ns(file.mtime_ns), agreed.get((path, file.path)))
        for path, files in companions.items()
        if path in present
        for file in files
    }
    known = _known(connection, root_id, seen, below)
    outdated = [key for key, stamp in known.items() if wanted.get(key) != stamp]
    for chunk in in_chunks(outdated, _PAIR_LIMIT):
        gone = tuple_(CompanionRow.photo_id, CompanionRow.name).in_(chunk)
        connection.execute(delete(CompanionRow).where(gone))
    rows = [
        {"photo_id": photo_id, "name": name, "size": size, "mtime_ns": mtime_ns, "agreed": compared}
        for (photo_id, name), (size, mtime_ns, compared) in wanted.items()
        if known.get((photo_id, name)) != (size, mtime_ns, compared)
    ]
    if rows:
        connection.execute(insert(CompanionRow), rows)


def names(connection: Connection, photo_ids: Sequence[int]) -> dict[int, list[str]]:
    """Give the names of the files beside photos, for those that have any."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    for chunk in in_chunks(photo_ids):
        for photo_id, name in _NAMES.rows(connection, chunk):
            found[photo_id].append(name)
    return found


def _names_query() -> Select[int, str]:
    return select(CompanionRow.photo_id, CompanionRow.name).order_by(CompanionRow.name)


_NAMES = ById(_names_query, CompanionRow.photo_id)


def agreements(connection: Connection, photo_ids: Sequence[int]) -> dict[tuple[int, str], str | None]:
    """Give what was kept of how photos were compared with their companions, by photo and companion's name."""
    found: dict[tuple[int, str], str | None] = {}
    for chunk in in_chunks(photo_ids):
        query = select(CompanionRow.photo_id, CompanionRow.name, CompanionRow.agreed)
        rows = connection.execute(query.where(CompanionRow.photo_id.in_(chunk)))
        found.update(((photo_id, name), agreed) for photo_id, name, agreed in rows)
    return found


def _known(
    connection: Connection, root_id: int, seen: Container[str], below: Sequence[tuple[str, bool]]
) -> dict[tuple[int, str], tuple[int, int, str | None]]:
    stamp = (CompanionRow.size, CompanionRow.mtime_ns, CompanionRow.agreed)
    columns = (CompanionRow.photo_id, CompanionRow.name, *stamp, FolderRow.path, PhotoRow.name)
    placed = select(*columns).join(PhotoRow, CompanionRow.photo_id == PhotoRow.id).join(FolderRow)
    if ("", True) in below:
        queries = [placed.where(FolderRow.root_id == root_id)]
    else:  # by the photos of these folders: a look at few of them reads the companions of few
        folders = {number for one, deep in below for number in folders_below(connection, root_id, one, deep=deep)}
        in_these = (select(PhotoRow.id).where(PhotoRow.folder_id.in_(chunk)) for chunk in in_chunks(sorted(folders)))
        queries = [placed.where(CompanionRow.photo_id.in_(photos)) for photos in in_these]
    return {
        (photo_id, name): (size, mtime_ns, agreed)
        for query in queries
        for photo_id, name, size, mtime_ns, agreed, folder, photo in connection.execute(query)
        if (f"{folder}/{photo}" if folder else photo) in seen
    }


def sidecar_kinds(connection: Connection) -> dict[str, int]:
    """Count the sidecars that are called as the photo with its suffix, "full", and without it, "short"."""
    kinds = {"full": 0, "short": 0}
    for name, stamp in connection.execute(select(PhotoRow.name, PhotoRow.sidecar).where(PhotoRow.sidecar != "")):
        kinds["full" if name_in(stamp or "").lower() == f"{name.lower()}{SUFFIX}" else "short"] += 1
    return kinds
