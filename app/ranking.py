"""Which hits stand on a page: by score with ties by path, or by date among the best. Pure.

It is handed the index's candidates and a way to look photos up; it opens neither index nor catalog.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from indexer.records import PhotoRecord

DATE_POOL = 200  # best matches among which `sort="date"` orders; beyond them a photo no longer matches the words

Nearest = Callable[[int], tuple[NDArray[np.int64], NDArray[np.float32]]]
"""k -> the ids and scores of the k nearest photos, best first; fewer when there are no more."""


@dataclass(frozen=True)
class Hit:
    """One photo found.

    Attributes:
        photo: what the catalog knows of it.
        score: cosine with the query, -1 to 1.
        relevance: calibrated, 0 to 1; None where no calibration exists.
    """

    photo: PhotoRecord
    score: float
    relevance: float | None = None


def page(
    nearest: Nearest,
    photos: Callable[[list[int]], Sequence[PhotoRecord]],
    *,
    limit: int,
    offset: int,
    sort: Literal["relevance", "date"],
) -> tuple[list[Hit], bool]:
    """The hits from `offset` on, at most `limit`, and whether more follow."""
    if sort == "date":
        best = _by_score(nearest, photos, 0, DATE_POOL)
        best.sort(key=lambda hit: (hit.photo.taken_at or datetime.min, hit.score), reverse=True)
        return best[offset : offset + limit], len(best) > offset + limit
    hits = _by_score(nearest, photos, offset, offset + limit + 1)
    return hits[:limit], len(hits) > limit


def _by_score(
    nearest: Nearest, photos: Callable[[list[int]], Sequence[PhotoRecord]], start: int, stop: int
) -> list[Hit]:
    """Places `start` to `stop` of the order by score, then path."""
    ids, scores = _whole_ties(nearest, stop)
    if start >= len(ids):
        return []
    last = min(stop, len(ids)) - 1
    first = int(np.argmax(scores == scores[start]))  # the tie that `start` stands in begins here
    end = len(scores) - int(np.argmax(scores[::-1] == scores[last]))
    score_of = dict(zip(ids[first:end].tolist(), scores[first:end].tolist(), strict=True))
    hits = [Hit(photo, score_of[photo.id]) for photo in photos(list(score_of))]
    hits.sort(key=lambda hit: (-hit.score, str(hit.photo.path)))
    return hits[start - first : stop - first]


def _whole_ties(nearest: Nearest, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """At least the k best, and everything that ties with the last of them."""
    wanted = k + 16
    while True:
        ids, scores = nearest(wanted)
        if len(ids) < wanted or scores[-1] != scores[k - 1]:
            return ids, scores
        wanted *= 4
