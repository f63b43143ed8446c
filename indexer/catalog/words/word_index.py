"""The index of words, asked which photos say what; `settling.py` keeps it.

Functions on one connection, which may raise WordIndexError.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from indexer.catalog.database import in_chunks
from indexer.catalog.words.documents import documents
from indexer.catalog.words.settling import of_words
from indexer.catalog.words.tokens import Phrase, expression, tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import Connection

    Ids = NDArray[np.int64]

MOST_DUE = 1_000  # photos that are due whose rows a search reads; of more it takes what the index says
LONGEST = 32  # words of a phrase that FTS5 is asked for

_BEGINS = re.compile(r"\w\*\s*$")


def saying(connection: Connection, text: str) -> Ids:
    """Give the photos (n,), sorted, whose words have those of a text, one after the other; none for a text without.

    A * behind the last word lets it go on: "thomp*".
    """
    phrase = tuple(tokens(text))
    begins = _BEGINS.search(text) is not None
    return _matching(connection, [phrase], begins=begins) if phrase else np.empty(0, dtype=np.int64)


def saying_all(connection: Connection, phrases: Sequence[Phrase]) -> tuple[Ids, Ids]:
    """Give the photos whose words have each of these phrases, and those of them whose own words have: (n,), (m,).

    Both are sorted.
    """
    found = _matching(connection, phrases)
    return found, _matching(connection, phrases, within="own : ") if len(found) else found


def is_said(connection: Connection, phrase: Phrase) -> bool:
    """Tell whether any photo's words may have this phrase; False is certain. What is due may have any."""
    if connection.exec_driver_sql("SELECT 1 FROM words_due LIMIT 1").first() is not None:
        return True
    query = "SELECT 1 FROM photo_words WHERE photo_words MATCH ? LIMIT 1"
    with of_words():
        return connection.exec_driver_sql(query, (f"({expression([phrase[:LONGEST]])})",)).first() is not None


def _matching(connection: Connection, phrases: Sequence[Phrase], *, begins: bool = False, within: str = "") -> Ids:
    """FTS5 takes as many steps as a phrase is long, at each place where it may begin: a long one is read to its end."""
    short = [phrase[:LONGEST] for phrase in phrases]
    wanted = f"{within}({expression(short, begins=begins and len(phrases[-1]) <= LONGEST)})"
    # As one text: a row for each of many ids takes ten times as long.
    query = "SELECT group_concat(id) FROM (SELECT rowid AS id FROM photo_words WHERE photo_words MATCH ?)"
    with of_words():
        numbers = connection.exec_driver_sql(query, (wanted,)).scalar()
    found = np.sort(np.fromstring(numbers or "", dtype=np.int64, sep=","))
    rest = [f" {' '.join(phrase)}{'' if begins else ' '}" for phrase in phrases if len(phrase) > LONGEST]
    found = _with_all(connection, found, rest, "own" if within else "own, named") if rest else found
    return _with_due(connection, found, phrases, begins=begins, own=bool(within))


def _with_due(connection: Connection, found: Ids, phrases: Sequence[Phrase], *, begins: bool, own: bool) -> Ids:
    """The photos found, those that are due as their rows say it now: an older picsift, or a kill, left them."""
    query = f"SELECT photo_id FROM words_due ORDER BY photo_id LIMIT {MOST_DUE}"
    due = [number for (number,) in connection.exec_driver_sql(query)]
    if not due:
        return found
    parts = [f" {' '.join(phrase)} " for phrase in phrases]
    if begins:
        parts[-1] = parts[-1].rstrip()
    now = [
        number
        for number, words in documents(connection, due).items()
        if all(any(part in f" {one} " for one in words[: 1 if own else 2]) for part in parts)
    ]
    return np.union1d(np.setdiff1d(found, due), np.array(now, dtype=np.int64))


def _with_all(connection: Connection, ids: Ids, parts: Sequence[str], columns: str) -> Ids:
    """Those of the photos that have each of these texts in one of the columns."""
    kept: list[int] = []
    for chunk in in_chunks(ids.tolist()):
        these = ", ".join("?" * len(chunk))
        query = f"SELECT rowid, {columns} FROM photo_words WHERE rowid IN ({these})"
        with of_words():
            rows = connection.exec_driver_sql(query, tuple(chunk)).fetchall()
        kept += [number for number, *words in rows if all(any(part in f" {one} " for one in words) for part in parts)]
    return np.array(sorted(kept), dtype=np.int64)
