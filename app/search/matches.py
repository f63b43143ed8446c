"""Which photos match a query: those that are relevant enough, how many there are, by score or by date.

It looks at the index through a function, and knows no filter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from app.search.background import Calibration
from app.search.paging.handed_out import NOBODY, Ids, unseen, unseen_contents
from app.search.ranking import FoundBy, Hit, Nearest, one_each, page
from app.search.refinement.arrangement import Arranged, Arrangement
from app.search.refinement.copies import by_date
from app.search.words.hybrid import Bounds, Fused, Within, Worded
from indexer.catalog.frame_ids import frame_id, number_of, photo_of
from indexer.catalog.records import PhotoRecord
from indexer.errors import QueryError
from indexer.vectors.scanning import at_least

MOST_MATCHES = 100_000  # that are counted, or put in order of date
LOOKS_LIKE = 0.5  # relevance from which a photo fits a query
FIRST_LOOK = 512  # photos, when all are asked for of a library whose size tells nothing
SHARE_THAT_MATCHES = 1 / 64  # of a library, about: a first look that sees all of them needs no second
FEW_MATCH = 4 * SHARE_THAT_MATCHES  # of a small one, at most: to keep 512 in order takes as long as the rest of a look
SMALLEST_FIRST_LOOK = 128
LARGEST_FIRST_LOOK = 4096  # more would cost each look more, in keeping the best in order, than it saves

Reaching = Callable[[float, int], tuple[NDArray[np.int64], NDArray[np.float32]]]
"""Cosine, k -> as `Nearest`, of those that have at least this cosine."""

Newest = Callable[..., list[int]]
"""Ids (n,), limit=, offset= -> some of them, the newest first."""


@dataclass(frozen=True)
class Matching:
    """A page of matches, whether more follow, and how many there are, up to `MOST_MATCHES`; None: all are."""

    hits: list[Hit]
    has_more: bool
    count: int | None


class Matches:
    """The photos that are at least so relevant; all of them where relevance is unknown.

    Attributes:
        looked_at_all: whether the last look, which tells where the photos end, was sure to miss none.
    """

    def __init__(
        self,
        nearest: Nearest,
        photos: Callable[[list[int]], Sequence[PhotoRecord]],
        calibration: Calibration | None,
        least: float,
        among: tuple[Worded, Within] | None = None,
        arrangement: Arrangement | None = None,
        exactly: Nearest | None = None,
        handed_out: Ids = NOBODY,
        total: int = 0,
        reaching: Reaching | None = None,
    ) -> None:
        """Look at nothing yet.

        Args:
            nearest: of the index, among what the filters allow.
            photos: ids -> what the catalog knows of them.
            calibration: how the query's cosines are read; None where relevance is unknown.
            least: relevance of a match, 0 to 1.
            among: the photos that words found, and the nearest of some of them. They are matches however relevant, but
                for those that names alone found, where more is asked for than that a photo looks like it.
            arrangement: how the order is arranged; None: not at all.
            exactly: as `nearest`, and sure to miss none, for what says that there is no match; None: `nearest` is.
            handed_out: photos (n,), sorted, that earlier pages gave, and no page gives again; they count as matches.
            total: photos that are looked at, about: of more of them more are likely to match; 0 where a larger look is
                another one, as it is into lists.
            reaching: as `nearest`, of what has a cosine of at least so much; None: it is no quicker.
        """
        self._photos = photos
        self._calibration = calibration
        self._is_cut = calibration is not None and least > 0
        self._least_cosine = calibration.least_cosine(least) if calibration and least > 0 else -2.0
        self._first = _first_look(total)
        self.looked_at_all = exactly is None
        nearest = nearest if exactly is None else self._sure(nearest, exactly)
        if reaching and self._is_cut and not among:
            self._all = nearest  # asked for one, of which is said how near it is, where nothing is near enough
            self._cut = _remembered(partial(reaching, self._least_cosine), self._first)
        else:
            nearest = self._all = _remembered(nearest, self._first if self._is_cut else FIRST_LOOK)
            self._cut = _above(nearest, self._least_cosine) if self._is_cut else nearest
        bounds = None
        if calibration:
            self._likely = max(self._least_cosine, calibration.least_cosine(LOOKS_LIKE))
            bounds = Bounds(calibration.least_cosine(LOOKS_LIKE), self._least_cosine if least > LOOKS_LIKE else -2.0)
        self._fused = Fused(*among, nearest, self._cut, bounds) if among else None
        if arrangement and arrangement.contents:
            arrangement = replace(arrangement, contents=unseen_contents(arrangement.contents, handed_out))
        self._handed_out = handed_out
        self._order = Arranged(self._fused or self._cut, self._photos, arrangement)

    def by_score(self, limit: int, offset: int) -> Matching:
        """The most relevant first."""
        hits, has_more = page(unseen(self._order, self._handed_out), self._photos, limit=limit, offset=offset)
        hits = self._order.scored(hits)
        if self._fused is not None:
            cosines = self._fused.cosines_of([frame_id(hit.photo.id, hit.frame) for hit in hits])
            hits = [hit._replace(score=cosine) for hit, cosine in zip(hits, cosines, strict=True)]
        count = None
        if self._is_cut:
            counted = hits and not (has_more or self._order.hides or len(self._handed_out))
            count = offset + len(hits) if counted else len(self._listed(_all_of(self._cut, self._first)[0]))
        return Matching(self._order.with_copies(self._judged(hits)), has_more, count)

    def by_date(self, newest: Newest, limit: int, offset: int) -> Matching:
        """The newest first, of all matches."""
        ids, scores = _all_of(self._cut, self._first)
        listed = self._listed(ids)
        left = np.setdiff1d(listed, self._handed_out, assume_unique=True)
        found, has_more = by_date(partial(newest, left), self._photos, limit, offset, as_one=self._order.hides)
        best = _by_photo(ids, scores)
        if self._fused is not None:
            best |= _by_photo(*self._fused.best_of([photo.id for photo, _ in found if photo.id not in best]))
        hits = [
            Hit(photo, best[photo.id][0], frame=best[photo.id][1], copies=copies)
            for photo, copies in found
            if photo.id in best
        ]
        count = min(len(listed), MOST_MATCHES) if self._is_cut else None
        return Matching(self._judged(hits), has_more, count)

    def _sure(self, nearest: Nearest, exactly: Nearest) -> Nearest:
        """The same, looking exactly where else nothing is near enough; it notes whether the last look was at all."""

        def found(k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
            ids, scores = nearest(k)
            self.looked_at_all = not (len(scores) and scores[0] >= np.float32(self._least_cosine))
            return exactly(k) if self.looked_at_all else (ids, scores)

        return found

    def _listed(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """The photos (n,) that are listed, sorted, when these (m,) index ids are those of all that are near enough."""
        return np.sort(photo_of(ids)) if self._fused is None else self._fused.listed(photo_of(ids))

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
        """The hits with their relevance, and what found them: a picture beside words where it looks like it."""
        judged = []
        for hit in hits:
            cosine = hit.score or 0.0
            relevance = None if self._calibration is None else round(self._calibration.relevance(cosine), 4)
            found_by: tuple[FoundBy, ...] = ("picture",)
            if self._fused is not None and self._fused.said(hit.photo.id):
                looks_like = self._calibration is not None and np.float32(cosine) >= np.float32(self._likely)
                found_by = ("words", "picture") if looks_like else ("words",)
            judged.append(Hit(hit.photo, hit.score, relevance, hit.frame, hit.moment_s, found_by, hit.copies))
        return judged


def _first_look(total: int) -> int:
    """How many photos are looked at first where all that match are asked for."""
    some = max(SMALLEST_FIRST_LOOK, min(FIRST_LOOK, int(total * FEW_MATCH))) if total else FIRST_LOOK
    return min(max(some, int(total * SHARE_THAT_MATCHES)), LARGEST_FIRST_LOOK)


def matching(nearest: Nearest, calibration: Calibration | None) -> NDArray[np.int64]:
    """The ids (n,) of all photos that look like what was looked for.

    Raises:
        QueryError: relevance is unknown.
    """
    if calibration is None:
        if not len(nearest(1)[0]):
            return np.empty(0, np.int64)  # of no photo at all none matches
        raise QueryError(
            "NOT leaves out what matches, and this library's model cannot tell what does. Write - instead."
        )
    ids = _all_of(_above(nearest, calibration.least_cosine(LOOKS_LIKE)), FIRST_LOOK, bounded=False)[0]
    return np.unique(photo_of(ids))


def _by_photo(ids: NDArray[np.int64], scores: NDArray[np.float32]) -> dict[int, tuple[float, int]]:
    """The score and the frame's number of each photo."""
    found = zip(ids.tolist(), scores.tolist(), strict=True)
    return {photo_of(one): (score, number_of(one)) for one, score in found}


def _remembered(nearest: Nearest, first: int) -> Nearest:
    """The same, looking once, for the `first`, for all that a page and the count of matches ask for where it can."""
    looks: list[tuple[int, NDArray[np.int64], NDArray[np.float32]]] = [
        (0, np.empty(0, np.int64), np.empty(0, np.float32))
    ]

    def found(k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        asked, ids, scores = looks[-1]
        if k > asked == len(ids):  # else there are no more
            asked = max(k, first)
            ids, scores = nearest(asked)
            looks[-1] = asked, ids, scores
        return ids[:k], scores[:k]

    return found


def _above(nearest: Nearest, least: float) -> Nearest:
    """The same without what scores less; fewer than asked for when no more score so much."""

    def found(k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        return at_least(*nearest(k), np.float32(least))

    return found


def _all_of(nearest: Nearest, first: int, *, bounded: bool = True) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Every photo's best frame with its score, best first, of which the `first` are looked at before more are.

    `MOST_MATCHES` of them where it is `bounded`, else all.
    """
    single, wanted = one_each(nearest), first
    while True:
        ids, scores = single(wanted)
        if len(ids) < wanted or (bounded and wanted >= MOST_MATCHES):
            return ids, scores
        wanted = min(wanted * 8, MOST_MATCHES) if bounded else wanted * 8
