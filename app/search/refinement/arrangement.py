"""How an order of hits is arranged: copies behind the first of them, and alike ones apart; each only if asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.search.ranking import Hit, Nearest
from app.search.refinement.copies import Contents, MayBeCopies, OneOfEach, Photos
from app.search.refinement.diversity import Diverse
from indexer.catalog.frame_ids import frame_id

Ids = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Arrangement:
    """What is asked for.

    Attributes:
        vectors: ids of the index (n,) -> their vectors (n, d), of unit length.
        contents: what makes copies, where they stand as one hit; None: each is one.
        may_be: which may be copies, without a look at all contents.
        diverse: whether alike ones come later.
    """

    vectors: Callable[[Ids], NDArray[np.float16]]
    contents: Contents | None
    may_be: MayBeCopies
    diverse: bool = False


class Arranged:
    """An order, arranged; called as a `Nearest`."""

    def __init__(self, nearest: Nearest, photos: Photos, wanted: Arrangement | None) -> None:
        """Look at nothing yet; None arranges nothing."""
        self._photos = photos
        self._copies: OneOfEach | None = None
        self._diverse: Diverse | None = None
        if wanted and wanted.contents:
            nearest = self._copies = OneOfEach(nearest, photos, wanted.contents, wanted.may_be)
        if wanted and wanted.diverse:
            nearest = self._diverse = Diverse(nearest, wanted.vectors)
        self._nearest = nearest

    @property
    def hides(self) -> bool:
        """Whether photos may stand behind others."""
        return self._copies is not None

    def __call__(self, k: int) -> tuple[Ids, NDArray[np.float32]]:
        """The first k of the order."""
        return self._nearest(k)

    def scored(self, hits: Sequence[Hit]) -> list[Hit]:
        """The hits with the scores of the order that was spread."""
        if self._diverse is None or not hits:
            return list(hits)
        scores = self._diverse.scores_of([frame_id(hit.photo.id, hit.frame) for hit in hits])
        return [hit._replace(score=score) for hit, score in zip(hits, scores, strict=True)]

    def with_copies(self, hits: Sequence[Hit]) -> list[Hit]:
        """The hits with the photos that stand behind them."""
        if self._copies is None:
            return list(hits)
        behind = {hit.photo.id: found for hit in hits if (found := self._copies.behind(hit.photo.id))}
        if not behind:
            return list(hits)
        known = {photo.id: photo for photo in self._photos([one for found in behind.values() for one in found])}
        return [
            hit._replace(copies=tuple(known[one] for one in behind.get(hit.photo.id, ()) if one in known))
            for hit in hits
        ]
