"""Which schema a database has, and what is said of one that is not this code's. It changes none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from indexer.catalog.files.written_by import newer_message
from indexer.errors import LibraryError, NewerLibraryError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

SCHEMA_VERSION = 11
"""The schema that this code reads and writes: the number of the last file in `migrations/versions`."""


def schema_version(connection: Connection) -> int:
    """Read the schema's number; 0 is an empty database. LibraryError where it is somebody else's."""
    tables = {row[0] for row in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return 0
    if {"alembic_version", "photos"} <= tables:
        version = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        if isinstance(version, str) and version.isdecimal():
            return int(version)
    raise LibraryError(
        f"{connection.engine.url.database} is a database, but not a picsift library. "
        "Name another folder with --library, or move that file away."
    )


def require_own(engine: Engine, found: int) -> None:
    """See that a library that was of this schema when it was opened still is.

    Raises:
        NewerLibraryError: a newer picsift has upgraded it.
        LibraryError: it is an older one now, or none.
    """
    file = Path(engine.url.database or "")
    if found > SCHEMA_VERSION:
        raise NewerLibraryError(newer_message(engine, file.parent, found, SCHEMA_VERSION))
    if not found:
        raise LibraryError(f"{file} is empty, and was a library a moment ago. Put a backup in its place.")
    if found < SCHEMA_VERSION:
        older = f"{file} is of an older picsift (schema {found}) than it was a moment ago: start this again."
        raise LibraryError(older)
