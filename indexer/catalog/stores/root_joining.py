"""Roots that come to lie in one another: the inner one gives its photos to the outer, or takes them from it.

Functions on one connection, inside the caller's transaction. No photo whose file is there loses its row, and with it
its tags. No folder is listed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import bindparam, insert, select, update

from indexer.catalog.stores import kept_store, mount_store
from indexer.catalog.stores.photo_store import remove
from indexer.catalog.stores.root_store import folder_ids, prune_folders, remove_root, root_paths
from indexer.catalog.tables.photo_tables import FolderRow, PhotoRow, RootRow

if TYPE_CHECKING:
    from sqlalchemy import Connection

Reaches = Callable[[Path, str], bool]
"""Whether a scan of a root comes by a folder below it (relative, posix)."""


class _Held(NamedTuple):
    """A photo's row, as far as it matters which of two stands for a file."""

    id: int
    name: str
    content_hash: str | None
    state: str
    missing_since: datetime | None
    indexed_at: datetime


def everywhere(root: Path, folder: str) -> bool:
    """A scan that passes nothing over."""
    return True


def add_root(connection: Connection, folder: Path, reaches: Reaches, now: datetime) -> tuple[int, str]:
    """Give the root that `folder` belongs to, and where below it; a new root takes over those that lie inside it.

    A root is never joined with one that a scan from it would not reach, such as a hidden or ignored folder below it:
    that is a root of its own, and has what is known of its photos. Which those are is the caller's to say.
    """
    known = root_paths(connection)
    if (place := _place(known, folder, reaches)) is not None:
        return place
    new = connection.execute(insert(RootRow).values(path=str(folder)).returning(RootRow.id)).scalar_one()
    mount_store.keep(connection, new, ())  # a root that was forgotten may have had its number
    for root_id, path in known.items():
        if (below := _reached(path, folder, reaches)) is not None:
            _hand_over(connection, root_id, new, now, partial(_under, below))
            remove_root(connection, root_id)
        elif folder.is_relative_to(path):
            _hand_over(connection, root_id, new, now, partial(_inside, "/".join(folder.relative_to(path).parts)))
    return new, ""


def places(connection: Connection, folders: Sequence[Path], reaches: Reaches, now: datetime) -> list[tuple[int, str]]:
    """Give the root of each folder, and where below it, as `add_root` does, when all of them have been added."""
    known = root_paths(connection)
    for folder in folders:
        if _place(known, folder, reaches) is None:
            add_root(connection, folder, reaches, now)
            known = root_paths(connection)
    # One that came later may have taken over the root of one before.
    return [place for folder in folders if (place := _place(known, folder, reaches)) is not None]


def _place(known: Mapping[int, Path], folder: Path, reaches: Reaches) -> tuple[int, str] | None:
    """Give the innermost of these roots that a folder belongs to, and where below it."""
    for root_id, path in sorted(known.items(), key=lambda item: len(item[1].parts), reverse=True):
        if (below := _reached(folder, path, reaches)) is not None:
            return root_id, below
    return None


def _reached(folder: Path, root: Path, reaches: Reaches) -> str | None:
    """Give the path from root to folder, "" for the root itself; None where a scan of the root would not come by."""
    if not folder.is_relative_to(root):
        return None
    below = "/".join(folder.relative_to(root).parts)
    return below if not below or reaches(root, below) else None


def _under(folder: str, path: str) -> str:
    return f"{folder}/{path}" if path else folder


def _inside(folder: str, path: str) -> str | None:
    """Give the path from folder to path; None where it lies elsewhere."""
    if path == folder:
        return ""
    return path.removeprefix(f"{folder}/") if path.startswith(f"{folder}/") else None


def _hand_over(connection: Connection, old: int, new: int, now: datetime, there: Callable[[str], str | None]) -> None:
    """Hang folders of one root, with their photos, below another; `there` gives a folder's path in it, None to stay."""
    rows = connection.execute(select(FolderRow.id, FolderRow.path).where(FolderRow.root_id == old))
    moved = {row.id: path for row in rows if (path := there(row.path)) is not None}
    present = folder_ids(connection, new, set(moved.values()))
    _merge(connection, {number: present[path] for number, path in moved.items() if path in present}, now)
    fresh = [{"folder": number, "to": path} for number, path in moved.items() if path not in present]
    if fresh:
        rewrite = update(FolderRow).where(FolderRow.id == bindparam("folder"))
        connection.execute(rewrite.values(root_id=new, path=bindparam("to")), fresh)
    mount_store.hand_on(connection, old, new, there)
    kept_store.hand_on(connection, old, new, there)


def _merge(connection: Connection, folders: Mapping[int, int], now: datetime) -> None:
    """Put the photos of folders into others that stand for the same folder on disk: folder -> the one that stays.

    Of two photos of one name, the one that was seen last stays, and has what was decided of the other.
    """
    for old, new in folders.items():
        ours, theirs = (_by_name(connection, folder) for folder in (old, new))
        for name in ours.keys() & theirs.keys():
            last, other = sorted((ours[name], theirs[name]), key=_standing, reverse=True)
            if same := last.content_hash == other.content_hash:
                kept_store.pass_on(connection, other.id, last.id)
            remove(connection, [other.id], None if same else now, new)
        connection.execute(update(PhotoRow).where(PhotoRow.folder_id == old).values(folder_id=new))
    prune_folders(connection, folders)


def _by_name(connection: Connection, folder_id: int) -> dict[str, _Held]:
    columns = (PhotoRow.id, PhotoRow.name, PhotoRow.content_hash, PhotoRow.state, PhotoRow.missing_since)
    query = select(*columns, PhotoRow.indexed_at).where(PhotoRow.folder_id == folder_id)
    return {held.name: held for held in (_Held(*row) for row in connection.execute(query))}


def _standing(held: _Held) -> tuple[bool, bool, datetime, int]:
    """What of two rows for one file is the truer one: sound, not missing, the later one."""
    return held.state == "ok", held.missing_since is None, held.indexed_at, held.id
