"""The instants of photos, by which they are put in order, beside the wall clocks that are shown and filtered.

Where no offset is known, a clock counts as in the library's zone: that of the computer that made or upgraded it, kept
with it, so that photos of one camera stay in order wherever the library is opened next.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, tzinfo
from functools import partial
from typing import TYPE_CHECKING, cast

from indexer.catalog.stores.setting_store import setting
from indexer.errors import LibraryError
from indexer.metadata.instants import instant_us, zone_named

if TYPE_CHECKING:
    from sqlalchemy import Connection

ZONE = "time_zone"
"""The setting that names the library's zone."""

MANY = 100_000
"""Photos of which it is told beforehand that they are given their instants."""

A_SECOND = 150_000  # photos that are given them, and indexed, meanwhile
_LACKING = "taken_at IS NOT NULL AND taken_instant_us IS NULL"
_PAST_ALL = 2**63  # SQLite's integers are less
_NO_DATE = -_PAST_ALL  # of a text or an offset that is none, which only a damaged catalog holds: the oldest of all

_log = logging.getLogger(__name__)


def zone_of(connection: Connection) -> tzinfo:
    """The library's zone; UTC where this computer does not know it."""
    return zone_named(setting(connection, ZONE))


def is_due(connection: Connection) -> bool:
    """Whether photos with a date lack their instant: a picsift that knows none wrote them. Schemas before 10 have none.

    Every transaction that writes asks: this is some 10 us.
    """
    driver = _driver(connection)
    if not driver.execute("SELECT 1 FROM sqlite_master WHERE name = 'ix_photos_instant_due'").fetchone():
        return False
    # By name: among a million photos without a date SQLite would look through those that have no instant.
    first = f"SELECT 1 FROM photos INDEXED BY ix_photos_instant_due WHERE {_LACKING} LIMIT 1"
    return driver.execute(first).fetchone() is not None


def settle(connection: Connection) -> None:
    """Give their instants to the photos that are due, if any, in a transaction that writes."""
    if is_due(connection):
        settle_all(connection)


def settle_rest(begin: Callable[[], AbstractContextManager[Connection]]) -> None:
    """Give their instants to the photos that are due as a library is opened.

    What another process or the disk does not allow is left due: such photos are listed last, and nothing else is wrong.

    Args:
        begin: begins a transaction that writes.
    """
    try:
        with begin() as connection:
            settle(connection)
    except LibraryError as error:
        _log.info("photos are left to be put in order of date: %s", error)


def settle_all(connection: Connection) -> None:
    """Give their instants to all photos that have a date and lack it, also before there is an index of them."""
    many = connection.exec_driver_sql(f"SELECT count(*) FROM photos WHERE {_LACKING}").scalar_one()
    if many >= MANY:
        _log.warning("putting %s photos in order of date, once: about %d seconds", f"{many:,}", 1 + many // A_SECOND)
    of_row = partial(_of_row, zone_of(connection))
    _driver(connection).create_function("picsift_instant_us", 2, of_row, deterministic=True)
    found = "picsift_instant_us(taken_at, taken_offset_min)"
    connection.exec_driver_sql(f"UPDATE photos SET taken_instant_us = {found} WHERE {_LACKING}")


def _driver(connection: Connection) -> sqlite3.Connection:
    return cast(sqlite3.Connection, connection.connection.driver_connection)


def _of_row(zone: tzinfo, taken_at: str, offset_min: int | None) -> int:
    try:
        instant = instant_us(datetime.fromisoformat(taken_at), offset_min, zone)
    except (TypeError, ValueError, OverflowError):
        return _NO_DATE
    return instant if -_PAST_ALL <= instant < _PAST_ALL else _NO_DATE
