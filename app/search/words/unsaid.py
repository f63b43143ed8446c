"""Remembers which phrases no photo says, until the catalog changes: most of what people look for stands in no name.

A query all of whose words have to be carried is answered without the catalog once one of them is known to be unsaid.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from indexer.catalog.catalog import Catalog
    from indexer.catalog.words.tokens import Phrase

REMEMBERED = 8_192  # phrases

_NOBODY: NDArray[np.int64] = np.empty(0, dtype=np.int64)


class KnownWords:
    """The catalog's words, asked for less; safe to ask from many threads."""

    def __init__(self, catalog: Catalog) -> None:
        """Know none yet."""
        self._catalog = catalog
        self._lock = threading.Lock()
        self._version: object = None
        self._is_said: dict[Phrase, bool] = {}

    def photos_saying(self, phrases: Sequence[Phrase]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Give what `WordCatalog.photos_saying` gives, and raise what it raises."""
        version = self._catalog.version()  # before what is read: an older one only has it read once too often
        known = self._known(phrases, version)
        if not all(known.get(phrase, True) for phrase in phrases):
            return _NOBODY, _NOBODY
        found = self._catalog.words.photos_saying(phrases)
        if not len(found[0]):
            self._keep(self._learned([phrase for phrase in phrases if phrase not in known]), version)
        return found

    def file_names(self, photo_ids: Sequence[int]) -> dict[int, str]:
        """Give the names of photos' files, without their folders."""
        return self._catalog.words.file_names(photo_ids)

    def _learned(self, phrases: Sequence[Phrase]) -> dict[Phrase, bool]:
        """Whether anybody says them, up to the first that nobody says: that one will answer the next time."""
        learned: dict[Phrase, bool] = {}
        for phrase in phrases:
            learned[phrase] = self._catalog.words.is_said(phrase)
            if not learned[phrase]:
                break
        return learned

    def _known(self, phrases: Sequence[Phrase], version: object) -> dict[Phrase, bool]:
        with self._lock:
            if version != self._version:
                self._is_said.clear()
                self._version = version
            return {phrase: self._is_said[phrase] for phrase in phrases if phrase in self._is_said}

    def _keep(self, learned: dict[Phrase, bool], version: object) -> None:
        with self._lock:
            if version != self._version:
                return
            if len(self._is_said) + len(learned) > REMEMBERED:
                self._is_said.clear()
            self._is_said.update(learned)
