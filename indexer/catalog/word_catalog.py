"""The part of the catalog that knows the words that photos carry; the work is in `words/`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from indexer.catalog.database import reading, writing
from indexer.catalog.filters import known_names
from indexer.catalog.stores import photo_queries
from indexer.catalog.words import settling, word_index
from indexer.errors import LibraryError, WordIndexError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from sqlalchemy import Engine

    from indexer.catalog.filters.known_names import Kind
    from indexer.catalog.words.tokens import Phrase


_T = TypeVar("_T")
_mending = threading.Lock()


def with_sound_words(engine: Engine, ask: Callable[[], _T]) -> _T:
    """Ask what needs the index of words; where that is damaged it is made anew first.

    Raises:
        WordIndexError: it cannot be made anew, since the library cannot be written or SQLite has no FTS5.
    """
    try:
        return ask()
    except WordIndexError:
        pass
    with _mending:
        try:
            return ask()  # another thread was faster
        except WordIndexError as error:
            _make_anew(engine, error)
        return ask()


def _make_anew(engine: Engine, cause: WordIndexError) -> None:
    with reading(engine) as connection:
        able = settling.has_fts5(connection)
    if not able:
        raise WordIndexError(
            "photos cannot be found by their words here: the SQLite of this Python is built without FTS5."
        ) from cause
    try:
        with writing(engine) as connection:
            settling.make_anew(connection, cause)
    except WordIndexError:
        raise
    except LibraryError as error:
        raise WordIndexError(f"{cause} It cannot be made anew: {error}") from error


class WordCatalog:
    """Which photos say what. Every method may raise LibraryError."""

    def __init__(self, engine: Engine) -> None:
        """Work on an open database."""
        self._engine = engine

    def photos_saying(self, phrases: Sequence[Phrase]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Give the photos (n,) whose words have each of these phrases, and those (m,) of which names are not needed.

        Titles, descriptions, keywords and accepted tags are a photo's own words; names are those of its file and
        folders. Both are sorted; photos that failed, or are not embedded yet, are among them.
        """

        def ask() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
            with reading(self._engine) as connection:
                return word_index.saying_all(connection, phrases)

        return with_sound_words(self._engine, ask)

    def is_said(self, phrase: Phrase) -> bool:
        """Tell whether any photo's words may have this phrase; False is certain."""

        def ask() -> bool:
            with reading(self._engine) as connection:
                return word_index.is_said(connection, phrase)

        return with_sound_words(self._engine, ask)

    def names(self, kind: Kind) -> list[str]:
        """Give the names that photos have of what one filter asks for, each once, sorted."""
        with reading(self._engine) as connection:
            return known_names.names(connection, kind)

    def file_names(self, photo_ids: Sequence[int]) -> dict[int, str]:
        """Give the names of photos' files, without their folders."""
        with reading(self._engine) as connection:
            return photo_queries.file_names(connection, photo_ids)
