"""Where drives and shares were mounted below a root when it was last looked at, as folders relative to it.

Functions on one connection. They are a setting of the library; what comes of a mount that is away is not decided here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from sqlalchemy import select

from indexer.catalog.stores.setting_store import set_setting, setting
from indexer.catalog.tables.photo_tables import RootRow

if TYPE_CHECKING:
    from sqlalchemy import Connection


def mounts(connection: Connection, root_id: int) -> set[str]:
    """Give the mounts that are remembered of a root."""
    return set(json.loads(setting(connection, _key(root_id)) or "[]"))


def everywhere(connection: Connection) -> list[str]:
    """Give the mounts that are remembered of all roots, as absolute paths."""
    tops = connection.execute(select(RootRow.id, RootRow.path))
    return [os.path.join(path, folder) for root_id, path in tops for folder in sorted(mounts(connection, root_id))]  # noqa: PTH118


def keep(connection: Connection, root_id: int, folders: Collection[str]) -> None:
    """Remember these mounts of a root, in place of others."""
    set_setting(connection, _key(root_id), json.dumps(sorted(folders)))


def hand_on(connection: Connection, old: int, new: int, there: Callable[[str], str | None]) -> None:
    """Let a root have those mounts of another that lie in it; `there` gives a folder's path in it, or None."""
    before = mounts(connection, old)
    moved = {folder: path for folder in before if (path := there(folder)) is not None}
    if moved:
        keep(connection, old, before - moved.keys())
        keep(connection, new, mounts(connection, new) | set(moved.values()) - {""})


def _key(root_id: int) -> str:
    return f"mounts {root_id}"
