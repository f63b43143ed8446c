"""Statements that are asked for some rows by their ids, many times a second: made once, and read past SQLAlchemy.

What SQLAlchemy does around a statement takes several times as long as SQLite's answer: it looks up what was compiled,
writes a parameter for each id, and makes an object of each row. Here the ids are one parameter, in JSON, and a column
is read by its type's own function. What is asked, and how columns are read, is still SQLAlchemy's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, SQLColumnExpression, bindparam, func, select
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

if TYPE_CHECKING:
    from sqlalchemy import Connection

_Read = Callable[[Any], Any]


class ById:
    """One such statement; safe to use from many threads."""

    def __init__(
        self, query: Callable[[], Select[*tuple[Any, ...]]], by: SQLColumnExpression[int], *, at_once: bool = False
    ) -> None:
        """Make nothing yet.

        Args:
            query: what is asked of all rows, made when it is first needed; it has no parameters.
            by: the column that holds the ids.
            at_once: have SQLite join all rows into one, in any order: of whole numbers and sound text alone. Before
                each row a thread lets go of the interpreter, and waits for it where many threads search.
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
        assert driver is not None, "a connection that is closed reads nothing"
        found: list[tuple[Any, ...]] = driver.execute(text, (json.dumps(list(ids)),)).fetchall()
        if self._at_once:
            found = list(zip(*map(json.loads, found[0]), strict=True))
        return [_read(row, reads) for row in found] if reads else found

    @cached_property
    def _made(self) -> tuple[str, list[tuple[int, _Read]]]:
        """The statement as text, and the columns that are not what SQLite gives, with how to read them."""
        dialect = SQLiteDialect_pysqlite(paramstyle="qmark")
        given = func.json_each(bindparam("ids")).table_valued("value")
        query = self._query().where(self._by.in_(select(given.c.value)))
        reads = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in query.selected_columns]
        if self._at_once:
            query = select(*map(func.json_group_array, query.subquery().c))
        text = str(query.compile(dialect=dialect))
        return text, [(at, read) for at, read in enumerate(reads) if read is not None]


def _read(row: Sequence[Any], reads: Sequence[tuple[int, _Read]]) -> list[Any]:
    values = list(row)
    for at, read in reads:
        if values[at] is not None:
            values[at] = read(values[at])
    return values
