"""The part of the catalog that knows the words that photos carry; the work is in `words/`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from indexer.catalog.database import reading
from indexer.catalog.words import word_index

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from sqlalchemy import Engine

    from indexer.catalog.words.tokens import Phrase


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
        with reading(self._engine) as connection:
            return word_index.saying_all(connection, phrases)
