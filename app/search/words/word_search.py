"""The photos whose words a query names: asked of the catalog, and passed over where they say nothing.

It ranks none; `hybrid.py` does.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from app.search.index_pass import Look, nearest_of
from app.search.ranking import Nearest
from app.search.words.hybrid import Worded
from app.search.words.query_words import subtracted, wanted
from indexer.catalog.columns.photo_set import PhotoSet

if TYPE_CHECKING:
    from app.search.query import Query
    from indexer.catalog.word_catalog import WordCatalog

FEW = 50  # photos that words always tell apart
SHARE = 2  # words that more than one in so many photos carries tell nothing: BM25 gives those no weight either


def worded(words: WordCatalog, query: Query, photos: int, allowed: PhotoSet | None = None) -> Worded | None:
    """The photos that carry all words of a query, a name that all the library has aside; None where there is none.

    Args:
        words: the catalog's.
        query: what is looked for.
        photos: how many the library has.
        allowed: by the filters; None: all.
    """
    phrases = wanted(query)
    if not phrases:
        return None
    found, own = words.photos_saying(phrases, max(FEW, photos // SHARE))
    for others in subtracted(query) if len(found) else ():
        found = np.setdiff1d(found, words.photos_saying(others, photos)[0], assume_unique=True)
    if allowed is not None:
        found = allowed.among(found)
    return Worded(found, np.isin(found, own, assume_unique=True)) if len(found) else None


def with_nearest(found: Worded | None, look: Look) -> tuple[Worded, Nearest] | None:
    """The photos that words found, and the nearest of them."""
    return None if found is None else (found, partial(nearest_of, replace(look, within=PhotoSet.of(found.ids))))
