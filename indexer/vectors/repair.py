"""Bring the search index in step with the catalog, from the stored embeddings alone; no photo is opened.

The catalog is the truth. Where the index is merely behind, it takes up what changed; where it is empty, damaged or
at odds with the catalog, it is rebuilt, saved, and a sentence says so.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Protocol

import numpy as np

from indexer.counted import counted
from indexer.errors import LibraryError
from indexer.vectors.index import VectorIndex
from indexer.vectors.rows import Half
from indexer.vectors.scanning import Ids

logger = logging.getLogger(__name__)

_AT_ODDS = "it did not hold the photos that the catalog holds"
_ANOTHER_PAST = "it belongs to another past of the catalog, which was restored from a backup or made anew"
_TRIES = 5  # how often another process may commit while this one reads


class StoredEmbeddings(Protocol):
    """The part of the catalog that this module reads."""

    def generation(self, model_id: int) -> int:
        """Return a number that grows with each change of the model's embeddings."""

    def token(self, model_id: int, number: int) -> str | None:
        """Return what no other generation has, not even one of the same number; None of one that is not known."""

    def embedding_count(self, model_id: int) -> int:
        """Return how many photos have one."""

    def embedding_ids(self, model_id: int) -> Ids:
        """Return the ids of the photos that have one, ascending."""

    def embeddings(self, model_id: int, *, since: int = 0) -> Iterator[tuple[Ids, Half]]:
        """Yield ids (n,) and embeddings (n, d) that were written after generation `since`."""


def refresh(index: VectorIndex, catalog: StoredEmbeddings, model_id: int) -> str | None:
    """Bring the index in step with the catalog.

    Args:
        index: of the model `model_id`.
        catalog: whose embeddings count.
        model_id: in the catalog.

    Returns:
        A sentence for the person if the index had to be rebuilt, None if it was in step or only behind.
    """
    if index.problem is not None or index.generation == 0:
        return _rebuild(index, catalog, model_id, index.problem)
    generation = catalog.generation(model_id)
    if index.generation > generation:
        return _rebuild(index, catalog, model_id, "it was ahead of the catalog")
    if index.token != catalog.token(model_id, index.generation):
        return _rebuild(index, catalog, model_id, _ANOTHER_PAST)
    if index.generation == generation:
        if len(index) == catalog.embedding_count(model_id):
            return None
        if catalog.generation(model_id) == generation:  # else another process has just committed: it is only behind
            return _rebuild(index, catalog, model_id, _AT_ODDS)
    return None if _catch_up(index, catalog, model_id) else _rebuild(index, catalog, model_id, _AT_ODDS)


def _catch_up(index: VectorIndex, catalog: StoredEmbeddings, model_id: int) -> bool:
    """Take up what changed since the index's generation; False if the two disagree although nothing moves."""
    for _ in range(_TRIES):
        generation = catalog.generation(model_id)  # read first: what is committed meanwhile comes next time
        for ids, vectors in catalog.embeddings(model_id, since=index.generation):
            index.add(ids, vectors)
        stored = catalog.embedding_ids(model_id)
        index.remove(np.setdiff1d(index.ids(), stored, assume_unique=True))
        index.stand_for(generation, catalog.token(model_id, generation) or "")
        if len(index) == len(stored):
            return True
        if catalog.generation(model_id) == generation:
            return False
    return True  # a busy writer: everything up to `generation` is there, the rest comes with the next refresh


def _rebuild(index: VectorIndex, catalog: StoredEmbeddings, model_id: int, reason: str | None) -> str | None:
    generation = catalog.generation(model_id)
    was_empty = len(index) == 0
    index.replace_all(catalog.embeddings(model_id))
    index.stand_for(generation, catalog.token(model_id, generation) or "")
    if catalog.generation(model_id) != generation:  # damaged rows were dropped, or another process was at it
        _catch_up(index, catalog, model_id)
    if was_empty and not len(index):
        return None  # a new library: there was nothing to lose, and nothing to say
    try:
        index.save(None if reason == _AT_ODDS else index.generation)  # what is ahead, or of another past, is replaced
    except LibraryError as error:  # a library that is only read: search works, and the next start repairs again
        logger.warning("%s", error)
    why = f": {reason}" if reason else ""
    return f"The search index was rebuilt from {counted(len(index), 'stored embedding')}{why}."
