"""Tags as vectors: the mean of their sentences' embeddings under a model, kept in the catalog once made."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from json import dumps

import numpy as np
from numpy.typing import NDArray

from app.tagging.shipped_vectors import shipped
from app.tagging.vocabulary.vocabulary import Tag
from indexer.catalog.records import ModelRecord
from indexer.catalog.tag_catalog import TagCatalog
from indexer.embedder import Embedder
from indexer.errors import ModelError

TAGS_AT_A_TIME = 64  # between two looks at whether to stop, and two commits


def tag_vectors(
    tags: Sequence[Tag],
    model: ModelRecord,
    catalog: TagCatalog,
    embedder: Callable[[], Embedder],
    stopped: Callable[[], bool] = lambda: False,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> NDArray[np.float32] | None:
    """The vector of each tag, (t, d) float32, unit length; None where `stopped` said so before all were made.

    The ensembling of section 3.1.4 of the paper: the unit embeddings of a tag's sentences are averaged. The first of
    them, its plain name, counts as much as all together: that ranks the photos of `benchmarks/tagging.py` better.

    Raises:
        ModelError: the model cannot be loaded, or gives a tag no direction.
    """
    keys = [key_of(tag.prompts) for tag in tags]
    known = catalog.prompt_vectors(model.id, keys)
    known |= shipped(model.fingerprint, model.dim, [key for key in keys if key not in known])
    new = {key: tag for key, tag in zip(keys, tags, strict=True) if key not in known}
    for start in range(0, len(new), TAGS_AT_A_TIME):
        if stopped():
            return None
        on_progress(start, len(new))
        part = dict(list(new.items())[start : start + TAGS_AT_A_TIME])
        made = dict(zip(part, encoded([tag.prompts for tag in part.values()], embedder()), strict=True))
        catalog.put_prompt_vectors(model.id, made)
        known |= made
    return np.stack([known[key] for key in keys]) if keys else np.empty((0, model.dim), dtype=np.float32)


def key_of(prompts: Sequence[str]) -> str:
    """What a set of sentences is kept by: the SHA-256 of all of them, in order."""
    return hashlib.sha256(dumps(list(prompts)).encode()).hexdigest()


def encoded(prompts: Sequence[Sequence[str]], embedder: Embedder) -> list[NDArray[np.float32]]:
    """The vector of each set of sentences (d,), unit length; ModelError where the model gives one no direction."""
    try:
        embeddings = embedder.embed_texts([sentence for sentences in prompts for sentence in sentences])
    except ValueError as error:
        raise ModelError(f"the model {embedder.name!r} cannot embed the tags' sentences: {error}") from error
    ends = np.cumsum([len(sentences) for sentences in prompts])
    parts = np.split(embeddings, ends[:-1])
    return [_unit(_unit(part.mean(axis=0)) + part[0]) for part in parts]


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = vector / max(float(np.linalg.norm(vector)), 1e-6)
    return unit
