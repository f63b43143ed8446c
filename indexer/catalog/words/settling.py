"""Keeps the index of words in step with the rows that changed, in short steps, and makes it anew where it is damaged.

Triggers (`tables/word_tables.py`) note each photo whose words may have changed, whoever changes them and how. What a
transaction changed is indexed at its end; what is more than one step takes is left due, and follows in transactions of
their own, so that nobody waits for it. A kill leaves photos due, and the next who opens or writes goes on.

The index is derived: whatever is wrong with its own tables costs their content, and no write fails for it.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from indexer.catalog.tables.word_tables import INDEX
from indexer.catalog.words.documents import documents
from indexer.errors import LibraryError, WordIndexError

if TYPE_CHECKING:
    from sqlalchemy import Connection

AT_ONCE = 4_000  # photos that are indexed in one transaction: less than a second
QUIET_S = 2.0  # what takes longer is told

_DUE = "SELECT photo_id FROM words_due ORDER BY photo_id LIMIT ?"
_PARTS = ("data", "idx", "content", "docsize", "config")
# What says nothing of the index, but of the disk, of rights or of other processes.
_OTHERS = frozenset(
    {
        *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_READONLY),
        *(sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_INTERRUPT),
        *(sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_NOTADB),
    }
)
_log = logging.getLogger(__name__)


@contextmanager
def of_words() -> Iterator[None]:
    """Run statements on the index alone: what SQLite finds wrong with it is a WordIndexError."""
    try:
        yield
    except DBAPIError as error:
        if int(getattr(error.orig, "sqlite_errorcode", 0)) & 0xFF in _OTHERS:
            raise
        raise WordIndexError(f"the index of photos' words cannot be used ({error.orig}).") from error


def has_fts5(connection: Connection) -> bool:
    """Whether this SQLite can keep an index of words."""
    return connection.exec_driver_sql("SELECT 1 FROM pragma_module_list WHERE name = 'fts5'").scalar() is not None


def is_due(connection: Connection) -> bool:
    """Whether any photo's words have to be indexed; schemas before 9 know none."""
    tables = "SELECT count(*) FROM sqlite_master WHERE name IN ('words_due', 'photo_words')"
    count = connection.exec_driver_sql(tables).scalar_one()
    if count < 2 and not (count and has_fts5(connection)):
        return False
    return count < 2 or connection.exec_driver_sql("SELECT 1 FROM words_due LIMIT 1").scalar() is not None


def settle(connection: Connection) -> bool:
    """Index the words of the first photos that are due, in a transaction that writes; gives whether there are more.

    A photo whose words are as they were is only crossed off. Where the index is damaged it is made anew, and all photos
    are due; where that cannot be done either they stay due.
    """
    try:
        return _step(connection)
    except WordIndexError as error:
        if not _made_anew(connection, error):
            return False
    with suppress(WordIndexError):
        return _step(connection)
    return False


def settle_rest(begin: Callable[[], AbstractContextManager[Connection]]) -> None:
    """Index all photos that are due, in a transaction for each step, and tell how far it is.

    What another process or the disk does not allow is left due.

    Args:
        begin: begins a transaction that writes.
    """
    begun = told = time.monotonic()
    done, more = 0, True
    while more:
        try:
            with begin() as connection:
                more = settle(connection)
                done += AT_ONCE
                now = time.monotonic()
                if more and now - told >= QUIET_S:
                    told = now
                    left = connection.exec_driver_sql("SELECT count(*) FROM words_due").scalar_one()
                    _log.warning(
                        "taking in titles, keywords and names, to be searched by: %s of %s photos, %.0f seconds more",
                        *(f"{done:,}", f"{done + left:,}", (now - begun) / done * left),
                    )
        except LibraryError as error:
            _log.debug("words are left to be indexed: %s", error)
            return


def make_anew(connection: Connection, cause: WordIndexError) -> None:
    """Drop the index and let all photos be due, in a transaction that writes.

    Raises:
        WordIndexError: that cannot be done.
    """
    if not _made_anew(connection, cause):
        raise cause


def _step(connection: Connection) -> bool:
    with of_words():
        connection.exec_driver_sql("SELECT 1 FROM photo_words LIMIT 1")
    with connection.begin_nested():
        due = [number for (number,) in connection.exec_driver_sql(_DUE, (AT_ONCE + 1,))]
        if due:
            _index(connection, due[:AT_ONCE])
            within = (due[0], due[:AT_ONCE][-1])
            connection.exec_driver_sql("DELETE FROM words_due WHERE photo_id BETWEEN ? AND ?", within)
        with of_words(), connection.begin_nested():
            pass  # FTS5 writes what it holds in memory, so that the commit has nothing to fail at
    return len(due) > AT_ONCE


def _index(connection: Connection, due: Sequence[int]) -> None:
    these = ", ".join("?" * len(due))
    known_of = f"SELECT rowid, own, named FROM photo_words WHERE rowid IN ({these})"
    with of_words():
        known = {number: (own, named) for number, own, named in connection.exec_driver_sql(known_of, tuple(due))}
        indexed = f"SELECT count(*) FROM photo_words_docsize WHERE id IN ({these})"
        if connection.exec_driver_sql(indexed, tuple(due)).scalar() != len(known):
            raise WordIndexError("the index of photos' words has lost what it was made of.")
    now = documents(connection, due)
    gone = [(number,) for number in known if known[number] != now.get(number)]
    new = [(number, *words) for number, words in now.items() if words != known.get(number)]
    with of_words():
        if gone:
            connection.exec_driver_sql("DELETE FROM photo_words WHERE rowid = ?", gone)
        if new:
            connection.exec_driver_sql("INSERT INTO photo_words (rowid, own, named) VALUES (?, ?, ?)", new)


def _made_anew(connection: Connection, cause: WordIndexError) -> bool:
    if not has_fts5(connection):
        return False
    try:
        with of_words(), connection.begin_nested():
            _drop(connection)
            connection.exec_driver_sql(INDEX)
            missing = "WHERE id NOT IN (SELECT photo_id FROM words_due)"
            connection.exec_driver_sql(f"INSERT INTO words_due SELECT id FROM photos {missing}")
    except WordIndexError as error:
        _log.warning("%s It could not be made anew either; photos are found by what they show alone.", error)
        return False
    _log.warning("%s It is made anew of titles, keywords and names; nothing is lost.", cause)
    return True


def _drop(connection: Connection) -> None:
    try:
        with connection.begin_nested():
            connection.exec_driver_sql("DROP TABLE IF EXISTS photo_words")
    except DBAPIError:  # FTS5 does not even know it for its own any more
        connection.exec_driver_sql("PRAGMA writable_schema = ON")
        try:
            connection.exec_driver_sql("DELETE FROM sqlite_master WHERE name = 'photo_words'")
        finally:
            connection.exec_driver_sql("PRAGMA writable_schema = RESET")
        for part in _PARTS:
            connection.exec_driver_sql(f"DROP TABLE IF EXISTS photo_words_{part}")
