"""The photos whose words a query names: asked of the catalog, and passed over where names say nothing.

It ranks none; `hybrid.py` does.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.search.index_pass import Look, nearest_of
from app.search.words.hybrid import Within, Worded
from app.search.words.query_words import COMMON, subtracted, wanted
from indexer.catalog.columns.photo_set import PhotoSet
from indexer.catalog.words.tokens import tokens
from indexer.errors import WordIndexError

if TYPE_CHECKING:
    from app.search.query import Query
    from app.search.words.unsaid import KnownWords
    from indexer.catalog.words.tokens import Phrase

FEW = 50  # photos that words always tell apart
MOST_NAMES = 4_096  # files' names that are looked at: what more photos share is a folder's
SHARE = 2  # names that more than one in so many photos carries tell nothing: BM25 gives those no weight either

log = logging.getLogger(__name__)
Ids = NDArray[np.int64]


def worded(words: KnownWords, query: Query, allowed: PhotoSet, there: PhotoSet) -> Worded | None:
    """The photos that carry all words of a query, names that most photos have aside; None where there is none.

    Args:
        words: the catalog's, as far as they are not known.
        query: what is looked for.
        allowed: the photos that the filters allow.
        there: the photos of the index; what the catalog alone has yet is no hit, and would leave a gap in a page.
    """
    phrases = wanted(query)
    if not phrases:
        return None
    found, own = _said(words, phrases)
    found = there.among(allowed.among(found))
    if not len(found):  # as for most queries
        return None
    for others in subtracted(query):
        found = np.setdiff1d(found, _said(words, others)[0], assume_unique=True)
    said = np.isin(found, own, assume_unique=True)
    said[~said] = _are_called(words, found[~said], phrases)
    if len(found) - np.count_nonzero(said) > max(FEW, len(allowed) // SHARE):
        found, said = found[said], said[said]
    return Worded(found, said) if len(found) else None


def saying(words: KnownWords, query: Query) -> Ids:
    """All photos (n,) that carry all words of a query, however many they are."""
    phrases = wanted(query)
    return _said(words, phrases)[0] if phrases else np.empty(0, dtype=np.int64)


def _said(words: KnownWords, phrases: Sequence[Phrase]) -> tuple[Ids, Ids]:
    """As the catalog says; none where it cannot, which is told: pictures answer alone then."""
    try:
        return words.photos_saying(phrases)
    except WordIndexError as error:
        log.warning("only what photos show is looked for: %s", error)
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)


def _are_called(words: KnownWords, ids: Ids, phrases: Sequence[Phrase]) -> NDArray[np.bool_]:
    """Which photos' (n,) files have a name of just these words, in any order and with any common ones; of many none."""
    looked_for = frozenset(word for phrase in phrases for word in phrase)
    names = words.file_names(ids.tolist()) if len(ids) <= MOST_NAMES else {}

    def is_so_called(photo_id: int) -> bool:
        name = PurePath(names.get(photo_id, ""))
        return any(frozenset(tokens(part)) - COMMON == looked_for - COMMON for part in (name.stem, name.name))

    return np.array([is_so_called(photo_id) for photo_id in ids.tolist()], dtype=np.bool_)


def with_nearest(found: Worded | None, look: Look) -> tuple[Worded, Within] | None:
    """The photos that words found, and the nearest of some of them."""
    if found is None:
        return None
    return found, lambda ids: partial(nearest_of, replace(look, within=PhotoSet.of(ids)))
