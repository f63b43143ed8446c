"""The photos whose words a query names: asked of the catalog, and passed over where names say nothing.

It ranks none; `hybrid.py` does.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.search.index_pass import Look, nearest_of
from app.search.ranking import Nearest
from app.search.words.hybrid import Worded
from app.search.words.query_words import subtracted, wanted
from indexer.catalog.columns.photo_set import PhotoSet
from indexer.errors import WordIndexError

if TYPE_CHECKING:
    from app.search.query import Query
    from indexer.catalog.word_catalog import WordCatalog
    from indexer.catalog.words.tokens import Phrase

FEW = 50  # photos that words always tell apart
SHARE = 2  # names that more than one in so many photos carries tell nothing: BM25 gives those no weight either

log = logging.getLogger(__name__)
Ids = NDArray[np.int64]


def worded(words: WordCatalog, query: Query, allowed: PhotoSet) -> Worded | None:
    """The photos that carry all words of a query, names that most photos have aside; None where there is none.

    Args:
        words: the catalog's.
        query: what is looked for.
        allowed: the photos of the index that the filters allow.
    """
    phrases = wanted(query)
    if not phrases:
        return None
    found, own = _said(words, phrases)
    found = allowed.among(found)
    for others in subtracted(query) if len(found) else ():
        found = np.setdiff1d(found, _said(words, others)[0], assume_unique=True)
    said = np.isin(found, own, assume_unique=True)
    if len(found) - np.count_nonzero(said) > max(FEW, len(allowed) // SHARE):
        found, said = found[said], said[said]
    return Worded(found, said) if len(found) else None


def saying(words: WordCatalog, query: Query) -> Ids:
    """All photos (n,) that carry all words of a query, however many they are."""
    phrases = wanted(query)
    return _said(words, phrases)[0] if phrases else np.empty(0, dtype=np.int64)


def _said(words: WordCatalog, phrases: Sequence[Phrase]) -> tuple[Ids, Ids]:
    """As the catalog says; none where it cannot, which is told: pictures answer alone then."""
    try:
        return words.photos_saying(phrases)
    except WordIndexError as error:
        log.warning("only what photos show is looked for: %s", error)
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)


def with_nearest(found: Worded | None, look: Look) -> tuple[Worded, Nearest] | None:
    """The photos that words found, and the nearest of them."""
    return None if found is None else (found, partial(nearest_of, replace(look, within=PhotoSet.of(found.ids))))
