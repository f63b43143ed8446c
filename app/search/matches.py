"""Which photos match a query: those that are relevant enough, how many there are, by score or by date.

It looks at the index through a function, and knows no filter.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.search.background import Calibration
from app.search.ranking import FoundBy, Hit, Nearest, one_each, page
from app.search.words.hybrid import Fused, Worded
from indexer.catalog.frame_ids import frame_id, number_of, photo_of
from indexer.catalog.records import PhotoRecord
from indexer.errors import QueryError

MOST_MATCHES = 100_000  # that are counted, or put in order of date
LOOKS_LIKE = 0.5  # relevance from which a photo fits a query
FIRST_LOOK = 512  # photos, when all are asked for

Newest = Callable[..., list[int]]
"""Ids (n,), limit=, offset= -> some of them, the newest first."""


@dataclass(frozen=True)
class Matching:
    """A page of matches, whether more follow, and how many there are, up to `MOST_MATCHES`; None: all are."""

    hits: list[Hit]
    has_more: bool
    count: int | None


class Matches:
    """The photos that are at least so relevant; all of them where relevance is unknown."""

    def __init__(
        self,
        nearest: Nearest,
        photos: Callable[[list[int]], Sequence[PhotoRecord]],
        calibration: Calibration | None,
        least: float,
        among: tuple[Worded, Nearest] | None = None,
    ) -> None:
        """Look at nothing yet.

        Args:
            nearest: of the index, among what the filters allow.
            photos: ids -> what the catalog knows of them.
            calibration: how the query's cosines are read; None where relevance is unknown.
            least: relevance of a match, 0 to 1.
            among: the photos that words found, which are matches however relevant, and the nearest of them.
        """
        nearest = _remembered(nearest)
        self._all = nearest
        self._photos = photos
        self._calibration = calibration
        self._is_cut = calibration is not None and least > 0
        self._least_cosine = calibration.least_cosine(least) if calibration and least > 0 else -2.0
        self._nearest = _above(nearest, self._least_cosine) if self._is_cut else nearest
        self._fused = Fused(*among, nearest, self._nearest) if among else None
        self._nearest = self._fused or self._nearest

    def by_score(self, limit: int, offset: int) -> Matching:
        """The most relevant first."""
        hits, has_more = page(self._nearest, self._photos, limit=limit, offset=offset)
        count, judged = None, self._judged(hits)
        if self._is_cut:
            count = offset + len(hits) if hits and not has_more else len(_all_of(self._nearest)[0])
        return Matching(judged, has_more, count)

    def by_date(self, newest: Newest, limit: int, offset: int) -> Matching:
        """The newest first, of all matches."""
        ids, scores = _all_of(self._nearest)
        found = zip(ids.tolist(), scores.tolist(), strict=True)
        best = {photo_of(one): (score, number_of(one)) for one, score in found}
        shown = newest(np.sort(np.array(list(best), dtype=np.int64)), limit=limit, offset=offset)
        hits = [Hit(photo, best[photo.id][0], frame=best[photo.id][1]) for photo in self._photos(shown)]
        count = len(best) if self._is_cut else None
        return Matching(self._judged(hits), offset + len(shown) < len(best), count)

    def why_none(self) -> str | None:
        """What is said where there is no match; None where that has another reason than relevance."""
        if self._calibration is None:
            return None
        scores = self._all(1)[1]
        if not len(scores):
            return None
        best = self._calibration.relevance(float(scores[0]))
        what = "nothing here looks like that" if best < LOOKS_LIKE else "no photo fits so well"
        return f"{what}: the nearest has a relevance of {best:.2f}."

    def _judged(self, hits: Sequence[Hit]) -> list[Hit]:
        """The hits with their cosine, their relevance, and what found them."""
        ids = [frame_id(hit.photo.id, hit.frame) for hit in hits]
        cosines = [hit.score or 0.0 for hit in hits] if self._fused is None else self._fused.cosines_of(ids)
        worded = set[int]() if self._fused is None else set(self._fused.ids.tolist())
        judged = []
        for hit, index_id, cosine in zip(hits, ids, cosines, strict=True):
            relevance = None if self._calibration is None else round(self._calibration.relevance(cosine), 4)
            found_by: tuple[FoundBy, ...] = ("picture",)
            if index_id in worded:
                is_match = np.float32(cosine) >= np.float32(self._least_cosine)
                found_by = ("words", "picture") if is_match else ("words",)
            judged.append(replace(hit, score=cosine, relevance=relevance, found_by=found_by))
        return judged


def matching(nearest: Nearest, calibration: Calibration | None) -> NDArray[np.int64]:
    """The ids (n,) of all photos that look like what was looked for.

    Raises:
        QueryError: relevance is unknown.
    """
    if calibration is None:
        raise QueryError(
            "NOT leaves out what matches, and this library's model cannot tell what does. Write - instead."
        )
    ids = _all_of(_above(nearest, calibration.least_cosine(LOOKS_LIKE)), bounded=False)[0]
    return np.unique(photo_of(ids))


def _remembered(nearest: Nearest) -> Nearest:
    """The same, looking once for all that a page and the count of matches ask for, as long as that is little."""
    looks: list[tuple[int, NDArray[np.int64], NDArray[np.float32]]] = [
        (0, np.empty(0, np.int64), np.empty(0, np.float32))
    ]

    def found(k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        asked, ids, scores = looks[-1]
        if k > asked == len(ids):  # else there are no more
            asked = max(k, FIRST_LOOK)
            ids, scores = nearest(asked)
            looks[-1] = asked, ids, scores
        return ids[:k], scores[:k]

    return found


def _above(nearest: Nearest, least: float) -> Nearest:
    """The same without what scores less; fewer than asked for when no more score so much."""

    def found(k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        ids, scores = nearest(k)
        kept = int(np.searchsorted(-scores, -np.float32(least), side="right"))
        return ids[:kept], scores[:kept]

    return found


def _all_of(nearest: Nearest, *, bounded: bool = True) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Every photo's best frame with its score, best first; `MOST_MATCHES` of them, or all."""
    single, wanted = one_each(nearest), FIRST_LOOK
    while True:
        ids, scores = single(wanted)
        if len(ids) < wanted or (bounded and wanted >= MOST_MATCHES):
            return ids, scores
        wanted = min(wanted * 8, MOST_MATCHES) if bounded else wanted * 8
