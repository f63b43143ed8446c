"""Roots and the folders below them: which root a folder belongs to, and the numbers of its folders.

Functions on one connection, inside the caller's transaction. Photos are not touched here, and no folder is listed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Set
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import LargeBinary, String, delete, exists, func, insert, literal, select, type_coerce, update

from indexer.catalog.database import in_chunks
from indexer.catalog.records import Root, Sampled
from indexer.catalog.stores import mount_store
from indexer.catalog.tables.photo_tables import FolderRow, PhotoRow, RootRow
from indexer.errors import RootError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select


def roots(connection: Connection) -> list[Root]:
    """Give every root in the order of its path, with the number of its photos that are searchable."""
    # Two counts over indexes: asking each photo row for its state would read the whole table.
    photos, failed = (_photos_by_root(connection, only_failed) for only_failed in (False, True))
    rows = connection.execute(select(RootRow.id, RootRow.path, RootRow.last_scan_at, RootRow.problem))
    found = [
        Root(row.id, Path(row.path), photos.get(row.id, 0) - failed.get(row.id, 0), row.last_scan_at, row.problem)
        for row in rows
    ]
    return sorted(found, key=lambda root: root.path)


def _photos_by_root(connection: Connection, only_failed: bool) -> dict[int, int]:
    query = select(FolderRow.root_id, func.count()).join(PhotoRow, PhotoRow.folder_id == FolderRow.id)
    if only_failed:
        query = query.where(PhotoRow.state == "failed")
    return dict(connection.execute(query.group_by(FolderRow.root_id)).all())


def count_present(connection: Connection, root_id: int) -> int:
    """Count the photos of a root that are not missing, whatever their state."""
    present = _of_root(root_id).where(PhotoRow.missing_since.is_(None))
    return connection.execute(select(func.count()).select_from(present.subquery())).scalar_one()


def has_at_least(connection: Connection, root_id: int, count: int) -> bool:
    """Say whether a root has so many photos, whatever their state; no more are looked at."""
    return count <= 0 or _counted(connection, _of_root(root_id), count, frozenset()) >= count


def _of_root(root_id: int) -> Select[int]:
    """The ids of a root's photos."""
    of_folder = select(PhotoRow.id).join(FolderRow, PhotoRow.folder_id == FolderRow.id)
    return of_folder.where(FolderRow.root_id == root_id)


def _counted(connection: Connection, query: Select[int], count: int, passed: Set[int]) -> int:
    """Count the ids that a query gives, but for the `passed` ones, as far as `count`."""
    if not passed:
        return connection.execute(select(func.count()).select_from(query.limit(count).subquery())).scalar_one()
    return sum(number not in passed for number in connection.execute(query.limit(count + len(passed))).scalars())


def has_present(
    connection: Connection,
    root_id: int,
    subfolder: str,
    without: Collection[str],
    count: int,
    passed: Set[int],
) -> bool:
    """Say whether so many photos below a folder of a root were there when they were last looked for.

    Those below the folders `without` do not count, nor the ids `passed`.
    """
    if not subfolder and not without:  # without a look at each of its folders
        present = _of_root(root_id).where(PhotoRow.missing_since.is_(None))
        return count <= 0 or _counted(connection, present, count, passed) >= count
    outside = tuple(f"{folder}/" for folder in without)
    folders = folders_below(connection, root_id, subfolder).items()
    numbers = [number for number, path in folders if not f"{path}/".startswith(outside)] if outside else dict(folders)
    there = select(PhotoRow.id).where(PhotoRow.missing_since.is_(None))
    for some in in_chunks(list(numbers)):
        if count <= 0:
            break
        count -= _counted(connection, there.where(PhotoRow.folder_id.in_(some)), count, passed)
    return count <= 0


def sample(
    connection: Connection, root_id: int, subfolder: str, passed: Callable[[str], bool], most: int
) -> list[Sampled]:
    """Give path and stamp of at most so many photos that were there, from folders far and wide.

    Args:
        connection: reads.
        root_id: the root.
        subfolder: where in it they lie.
        passed: folders that are passed over.
        most: how many.
    """
    folders = [item for item in folders_below(connection, root_id, subfolder).items() if not passed(item[1])]
    folders = folders[:: -(-len(folders) // most) or 1]
    found: list[Sampled] = []
    for number, path in folders:
        there = select(PhotoRow.name, PhotoRow.size, PhotoRow.mtime_ns, PhotoRow.ctime_ns, PhotoRow.inode)
        there = there.where(PhotoRow.folder_id == number, PhotoRow.missing_since.is_(None))
        rows = connection.execute(there.limit(-(-most // len(folders))))
        below = f"{path}/" if path else ""
        found += [Sampled(below + name, size, changed, ctime, inode) for name, size, changed, ctime, inode in rows]
    return found


def folders_below(connection: Connection, root_id: int, subfolder: str, *, deep: bool = True) -> dict[int, str]:
    """Give the paths of a root's folders by their numbers: of all, or of a folder and, if `deep`, those below it.

    Names that are no UTF-8 are stored as bytes, and compare as such.
    """
    if not deep:
        return {number: path for path, number in folder_ids(connection, root_id, {subfolder}).items()}
    query = select(FolderRow.id, FolderRow.path).where(FolderRow.root_id == root_id)
    if not subfolder:
        return {row.id: row.path for row in connection.execute(query)}
    found = {row.id: row.path for row in connection.execute(query.where(FolderRow.path == subfolder))}
    first, behind = f"{subfolder}/", f"{subfolder}0"  # the character behind the slash
    for start, end in ((first, behind), (os.fsencode(first), os.fsencode(behind))):
        bounds = [literal(bound, String() if isinstance(bound, str) else LargeBinary()) for bound in (start, end)]
        if isinstance(start, str) and not _is_text(start):
            continue
        path = type_coerce(FolderRow.path, bounds[0].type)
        rows = connection.execute(query.where(path >= bounds[0], path < bounds[1]))
        found.update((row.id, row.path) for row in rows)
    return found


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def root_paths(connection: Connection) -> dict[int, Path]:
    """Give each root's folder by its number."""
    return {number: Path(path) for number, path in connection.execute(_paths_query())}


@cache
def _paths_query() -> Select[int, str]:
    return select(RootRow.id, RootRow.path)


def real(folder: Path) -> Path:
    """Give the folder without links. RootError where they go round."""
    found = Path(os.path.realpath(folder))
    if any(map(os.path.islink, (found, *found.parents))):  # a link that could not be followed
        raise RootError(f"{folder} cannot be indexed: its links lead in a circle. Name the real folder.")
    return found


def rename_root(connection: Connection, root_id: int, folder: Path) -> None:
    """Let a root be another folder, with the same photos below it."""
    connection.execute(update(RootRow).where(RootRow.id == root_id).values(path=str(folder), problem=None))


def remove_root(connection: Connection, root_id: int) -> None:
    """Forget a root, its folders and its mounts; no photo may lie there any more."""
    mount_store.keep(connection, root_id, ())
    connection.execute(delete(FolderRow).where(FolderRow.root_id == root_id))
    connection.execute(delete(RootRow).where(RootRow.id == root_id))


def note_scan(connection: Connection, root_id: int, problem: str | None, now: datetime) -> None:
    """Keep when a root was last looked at, and what was wrong with it."""
    connection.execute(update(RootRow).where(RootRow.id == root_id).values(last_scan_at=now, problem=problem))


def folder_ids(connection: Connection, root_id: int, paths: Collection[str]) -> dict[str, int]:
    """Give the numbers of those folders of a root that have one."""
    found: dict[str, int] = {}
    for chunk in in_chunks(sorted(paths)):
        query = select(FolderRow.path, FolderRow.id).where(FolderRow.root_id == root_id, FolderRow.path.in_(chunk))
        found.update((path, number) for path, number in connection.execute(query))
    return found


def made_folder_ids(connection: Connection, root_id: int, paths: Collection[str]) -> dict[str, int]:
    """Give the numbers of folders of a root, making those that are new."""
    found = folder_ids(connection, root_id, paths)
    if new := sorted(set(paths) - found.keys()):
        connection.execute(insert(FolderRow), [{"root_id": root_id, "path": path} for path in new])
        found.update(folder_ids(connection, root_id, new))
    return found


def prune_folders(connection: Connection, numbers: Iterable[int]) -> None:
    """Forget those of these folders that hold no photo any more."""
    for chunk in in_chunks(sorted(set(numbers))):
        kept = exists().where(PhotoRow.folder_id == FolderRow.id)
        connection.execute(delete(FolderRow).where(FolderRow.id.in_(chunk), ~kept))
