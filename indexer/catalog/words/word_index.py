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

from indexer.catalog.words.documents import documents
from indexer.catalog.words.tokens import Phrase, expression, tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import Connection

    Ids = NDArray[np.int64]

AT_ONCE = 5_000  # photos that are read and written together
QUIET_S = 2.0  # a change that takes longer is told

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
    if not phrase:
        return np.empty(0, dtype=np.int64)
    return _matching(connection, expression([phrase], begins=_BEGINS.search(text) is not None), -1)


def saying_all(connection: Connection, phrases: Sequence[Phrase], most: int) -> tuple[Ids, Ids]:
    """Give the photos whose words have each of these phrases, and those of them whose own words have: (n,), (m,).

    Both are sorted. Where there are more than `most`, both are empty.
    """
    wanted, nothing = expression(phrases), np.empty(0, dtype=np.int64)
    found = _matching(connection, wanted, most + 1)
    if not len(found) or len(found) > most:
        return nothing, nothing
    return found, _matching(connection, f"own : ({wanted})", -1)


def _matching(connection: Connection, wanted: str, most: int) -> Ids:
    # As one text: a row for each of many ids takes ten times as long.
    query = "SELECT group_concat(id) FROM (SELECT rowid AS id FROM photo_words WHERE photo_words MATCH ? LIMIT ?)"
    numbers = connection.exec_driver_sql(query, (wanted, most)).scalar()
    return np.sort(np.fromstring(numbers or "", dtype=np.int64, sep=","))
