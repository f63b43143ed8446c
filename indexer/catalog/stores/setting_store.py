"""Values that belong to the library itself, by name. What a person or a machine prefers is kept elsewhere."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, insert, select

from indexer.catalog.tables.photo_tables import SettingRow

if TYPE_CHECKING:
    from sqlalchemy import Connection, Delete, Select


def setting(connection: Connection, key: str) -> str | None:
    """Give a value, or None."""
    return connection.execute(_value_query(), {"name": key}).scalar()


@cache
def _value_query() -> Select[str]:
    """Made once: every run asks for many, and SQLAlchemy needs longer to make it than SQLite to answer."""
    return select(SettingRow.value).where(SettingRow.key == bindparam("name"))


def set_setting(connection: Connection, key: str, value: str) -> None:
    """Keep a value, in place of an earlier one."""
    connection.execute(_deletion(), {"name": key})
    connection.execute(insert(SettingRow), {"key": key, "value": value})


@cache
def _deletion() -> Delete:
    return delete(SettingRow).where(SettingRow.key == bindparam("name"))
