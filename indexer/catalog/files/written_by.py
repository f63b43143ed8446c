"""Which picsift runs, and which one wrote a library."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from sqlalchemy import Engine


def own_version() -> str:
    """The version of the picsift that runs."""
    try:
        return importlib.metadata.version("picsift")
    except importlib.metadata.PackageNotFoundError:
        return "an uninstalled picsift"


def newer_message(engine: Engine, library: Path, found: int, own: int) -> str:
    """What is said of a library of schema `found`, which is newer than ours, `own`."""
    try:
        with engine.connect() as connection:
            row = connection.exec_driver_sql("SELECT value FROM settings WHERE key = 'written_by'").scalar()
    except DBAPIError:
        row = None
    writer = f"picsift {row}" if row else "a newer picsift"
    return (
        f"the library at {library} was written by {writer} (schema {found}), "
        f"and this is {own_version()} (schema {own}). "
        "Upgrade picsift, or name another library with --library."
    )
