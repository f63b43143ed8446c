"""Moves of photos to new paths, also in circles and onto paths that other photos had.

Functions on one connection, inside the caller's transaction. Which file moved where is not found out here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select, update

from indexer.catalog.database import in_chunks
from indexer.catalog.records import Move
from indexer.catalog.stamps import stamp_columns
from indexer.catalog.stores.photo_store import locate, remove, split
from indexer.catalog.stores.root_store import made_folder_ids, prune_folders
from indexer.catalog.tables.photo_tables import PhotoRow

if TYPE_CHECKING:
    from sqlalchemy import Connection


def move(connection: Connection, moves: Sequence[Move], now: datetime) -> list[str]:
    """Move photos; one that sat at a target and does not move itself is removed. Gives the hashes that are unused now.

    What was decided of those that are removed is kept since `now`.

    Raises:
        ValueError: a photo, or a target, occurs twice.
    """
    if len({item.photo_id for item in moves}) < len(moves) or len({(m.root_id, m.path) for m in moves}) < len(moves):
        raise ValueError("a photo can move to one path, and a path can take one photo")
    if not moves:
        return []
    left = _park(connection, [item.photo_id for item in moves])
    groups = _by_root(moves)
    taken = [locate(connection, root_id, [item.path for item in group]) for root_id, group in groups.items()]
    unused = remove(connection, [row.id for occupants in taken for row in occupants.values()], now)
    for root_id, group in groups.items():
        _settle(connection, root_id, group)
    prune_folders(connection, left)
    return unused


def _by_root(moves: Sequence[Move]) -> dict[int, list[Move]]:
    groups: defaultdict[int, list[Move]] = defaultdict(list)
    for item in moves:
        groups[item.root_id].append(item)
    return groups


def _park(connection: Connection, photo_ids: Sequence[int]) -> set[int]:
    """Take photos off their names, so that two can swap; gives the folders that they leave."""
    folders: set[int] = set()
    for chunk in in_chunks(photo_ids):
        folders.update(connection.execute(select(PhotoRow.folder_id).where(PhotoRow.id.in_(chunk))).scalars())
    # No file has a slash in its name.
    parked = [{"photo": photo_id, "parked": f"moving/{photo_id}"} for photo_id in photo_ids]
    named = update(PhotoRow).where(PhotoRow.id == bindparam("photo")).values(name=bindparam("parked"))
    connection.execute(named, parked)
    return folders


def _settle(connection: Connection, root_id: int, moves: Sequence[Move]) -> None:
    folders = made_folder_ids(connection, root_id, {split(item.path)[0] for item in moves})
    rows = [
        {
            "photo": item.photo_id,
            "folder_id": folders[split(item.path)[0]],
            "name": split(item.path)[1],
            "missing_since": None,
        }
        | stamp_columns(item)
        for item in moves
    ]
    connection.execute(update(PhotoRow).where(PhotoRow.id == bindparam("photo")), rows)
    for chunk in in_chunks([item.photo_id for item in moves if item.renamed]):
        connection.execute(update(PhotoRow).where(PhotoRow.id.in_(chunk)).values(sidecar=None))
