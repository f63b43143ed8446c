"""Values that belong to the library itself, by name. What a person or a machine prefers is kept elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from indexer.catalog.tables.photo_tables import SettingRow

if TYPE_CHECKING:
    from sqlalchemy import Connection


def setting(connection: Connection, key: str) -> str | None:
    """Give a value, or None."""
    return connection.execute(select(SettingRow.value).where(SettingRow.key == key)).scalar()


def set_setting(connection: Connection, key: str, value: str) -> None:
    """Keep a value, in place of an earlier one."""
    connection.execute(delete(SettingRow).where(SettingRow.key == key))
    connection.execute(insert(SettingRow).values(key=key, value=value))
