"""Statements that are asked for some rows by their ids, many times a second: made once, and read past SQLAlchemy.

What SQLAlchemy does around a statement takes several times as long as SQLite's answer: it looks up what was compiled,
writes a parameter for each id, and makes an object of each row. Here the ids are one parameter, in JSON, and a column
is read by its type's own function. What is asked, and how columns are read, is still SQLAlchemy's.

Nor is a row fetched: before each of its columns Python's module lets go of the interpreter, eight hundred times for
twenty photos, and waits for it where many threads search. SQLite calls a function with all columns of a row instead.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, SQLColumnExpression, bindparam, func, select
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from indexer.catalog.files.file_connection import GATHER, FileConnection
from indexer.catalog.tables.photo_tables import ExactText

if TYPE_CHECKING:
    from sqlalchemy import Connection

_Column = tuple[int, Callable[[Any], Any], tuple[type, ...]]
"""Its place, how it is read, and of which types what need not be: names are text, but for those that are no UTF-8."""
_NOTHING = (type(None),)
_TEXT = (str, type(None))


class ById:
    """One such statement; safe to use from many threads."""

    def __init__(
        self, query: Callable[[], Select[*tuple[Any, ...]]], by: SQLColumnExpression[int], *, at_once: bool = False
    ) -> None:
        """Make nothing yet.

        Args:
            query: what is asked of all rows, made when it is first needed; it has no parameters.
            by: the column that holds the ids.
            at_once: have SQLite join all rows into one, in any order: of whole numbers and sound text alone. A call
                for each row waits for the interpreter too.
        """
        self._query = query
        self._by = by
        self._at_once = at_once

    def rows(self, connection: Connection, ids: Iterable[int]) -> Sequence[Sequence[Any]]:
        """The rows with these ids."""
        text, reads = self._made
        if not connection.in_transaction():
            connection.begin()  # as SQLAlchemy does before a statement: what follows sees the same state
        driver = connection.connection.driver_connection
        assert isinstance(driver, FileConnection), "a connection that is closed reads nothing"
        wanted = (json.dumps(list(ids)),)
        if self._at_once:
            found = list(zip(*map(json.loads, driver.execute(text, wanted).fetchone()), strict=True))
        else:
            found = driver.gathered(text, wanted)
        return [_read(row, reads) for row in found] if reads else found

    @cached_property
    def _made(self) -> tuple[str, list[_Column]]:
        """The statement as text, and the columns that are not what SQLite gives, with how to read them."""
        dialect = SQLiteDialect_pysqlite(paramstyle="qmark")
        given = func.json_each(bindparam("ids")).table_valued("value")
        query = self._query().where(self._by.in_(select(given.c.value)))
        columns: list[_Column] = []
        for at, column in enumerate(query.selected_columns):
            if read := column.type.dialect_impl(dialect).result_processor(dialect, None):
                columns.append((at, read, _TEXT if isinstance(column.type, ExactText) else _NOTHING))
        rows = query.subquery().c
        if self._at_once:
            query = select(*map(func.json_group_array, rows))
        else:
            query = select(func.count(getattr(func, GATHER)(*rows)))
        return str(query.compile(dialect=dialect)), columns


def _read(row: Sequence[Any], columns: Sequence[_Column]) -> list[Any]:
    values = list(row)
    for at, read, sound in columns:
        if type(values[at]) not in sound:
            values[at] = read(values[at])
    return values
