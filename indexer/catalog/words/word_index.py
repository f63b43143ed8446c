"""The index of words: brought in step with the rows that changed, and asked which photos say what.

Triggers (`tables/word_tables.py`) note each photo whose words may have changed, whoever changes them and how; every
transaction that writes ends by indexing those anew, so that no reader ever sees the one without the other.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from indexer.catalog.database import in_chunks
from indexer.catalog.words.documents import documents
from indexer.catalog.words.tokens import Phrase, expression, tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import Connection

    Ids = NDArray[np.int64]

AT_ONCE = 5_000  # photos that are read and written together
QUIET_S = 2.0  # a change that takes longer is told
LONGEST = 32  # words of a phrase that FTS5 is asked for

_DUE = "SELECT photo_id FROM words_due ORDER BY photo_id LIMIT ?"
_BEGINS = re.compile(r"\w\*\s*$")
_log = logging.getLogger(__name__)


def settle(connection: Connection) -> None:
    """Index the words of all photos that are due; one whose words are as they were is only crossed off."""
    begun = told = time.monotonic()
    done = 0
    while due := [number for (number,) in connection.exec_driver_sql(_DUE, (AT_ONCE,))]:
        _index(connection, due)
        connection.exec_driver_sql("DELETE FROM words_due WHERE photo_id BETWEEN ? AND ?", (due[0], due[-1]))
        done += len(due)
        now = time.monotonic()
        if now - told >= QUIET_S:
            told = now
            left = connection.exec_driver_sql("SELECT count(*) FROM words_due").scalar_one()
            if left:
                _log.warning(
                    "taking in titles, keywords and names, to be searched by: %s of %s photos, %.0f seconds more",
                    *(f"{done:,}", f"{done + left:,}", (now - begun) / done * left),
                )


def _index(connection: Connection, due: Sequence[int]) -> None:
    these = ", ".join("?" * len(due))
    rows = connection.exec_driver_sql(f"SELECT rowid, own, named FROM photo_words WHERE rowid IN ({these})", tuple(due))
    known = {number: (own, named) for number, own, named in rows}
    now = documents(connection, due)
    gone = [(number,) for number in known if known[number] != now.get(number)]
    new = [(number, *words) for number, words in now.items() if words != known.get(number)]
    if gone:
        connection.exec_driver_sql("DELETE FROM photo_words WHERE rowid = ?", gone)
    if new:
        connection.exec_driver_sql("INSERT INTO photo_words (rowid, own, named) VALUES (?, ?, ?)", new)


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


def _matching(connection: Connection, phrases: Sequence[Phrase], *, begins: bool = False, within: str = "") -> Ids:
    """FTS5 takes as many steps as a phrase is long, at each place where it may begin: a long one is read to its end."""
    short = [phrase[:LONGEST] for phrase in phrases]
    wanted = f"{within}({expression(short, begins=begins and len(phrases[-1]) <= LONGEST)})"
    # As one text: a row for each of many ids takes ten times as long.
    query = "SELECT group_concat(id) FROM (SELECT rowid AS id FROM photo_words WHERE photo_words MATCH ?)"
    numbers = connection.exec_driver_sql(query, (wanted,)).scalar()
    found = np.sort(np.fromstring(numbers or "", dtype=np.int64, sep=","))
    rest = [f" {' '.join(phrase)}{'' if begins else ' '}" for phrase in phrases if len(phrase) > LONGEST]
    return _with_all(connection, found, rest, "own" if within else "own, named") if rest else found


def _with_all(connection: Connection, ids: Ids, parts: Sequence[str], columns: str) -> Ids:
    """Those of the photos that have each of these texts in one of the columns."""
    kept: list[int] = []
    for chunk in in_chunks(ids.tolist()):
        these = ", ".join("?" * len(chunk))
        rows = connection.exec_driver_sql(
            f"SELECT rowid, {columns} FROM photo_words WHERE rowid IN ({these})", tuple(chunk)
        )
        kept += [number for number, *words in rows if all(any(part in f" {one} " for one in words) for part in parts)]
    return np.array(sorted(kept), dtype=np.int64)
