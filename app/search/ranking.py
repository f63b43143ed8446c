"""Which hits stand on a page: one for each photo, by score with ties by path. Pure.

It is handed the index's candidates and a way to look photos up; it opens neither index nor catalog.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from indexer.catalog.frame_ids import FIRST_FRAME, frame_id, number_of, photo_of
from indexer.catalog.records import PhotoRecord

if TYPE_CHECKING:
    from app.search.paging.asked import Asked

FoundBy = Literal["words", "picture"]
Nearest = Callable[[int], tuple[NDArray[np.int64], NDArray[np.float32]]]
"""k -> the ids and scores of the k nearest in the index, best first; fewer when there are no more."""


class Hit(NamedTuple):
    """One photo found. A tuple: a search makes forty of them.

    Attributes:
        photo: what the catalog knows of it.
        score: cosine with the query, -1 to 1; None where nothing was looked for.
        relevance: calibrated, 0 to 1; None where no calibration exists.
        frame: the number of a video's best frame; 0 for its poster, and for a photo.
        moment_s: when that frame is shown, in seconds from the start; None for a photo.
        found_by: "words" that it carries, its "picture", or both; nothing where nothing was looked for.
        copies: other photos of the same content, which stand behind this one.
    """

    photo: PhotoRecord
    score: float | None
    relevance: float | None = None
    frame: int = 0
    moment_s: float | None = None
    found_by: tuple[FoundBy, ...] = ()
    copies: tuple[PhotoRecord, ...] = ()


@dataclass(frozen=True)
class SearchResult:
    """One page of hits.

    Attributes:
        query: the words looked for; for a picture, its path or "".
        model: name of the model that answered.
        total: photos that the filters allow.
        matches: of these, how many are relevant enough, up to `MOST_MATCHES`; None where that is not known.
        took_ms: wall time of the search in milliseconds.
        hits: best first.
        has_more: whether another page follows.
        hint: where nothing was found, why, or what may have been meant; None where nothing is known.
        following: what the page behind this one is asked by, see `SearchService.go_on`; None where none follows, and
            of a page at an offset.
    """

    query: str
    model: str
    total: int
    took_ms: float
    hits: list[Hit]
    has_more: bool
    hint: str | None = None
    matches: int | None = None
    following: Asked | None = field(default=None, compare=False, repr=False)

    def document(self, hit: Callable[[Hit], dict[str, Any]]) -> dict[str, Any]:
        """What a JSON document says of it, each hit as `hit` has it."""
        return {
            "query": self.query,
            "model": self.model,
            "total": self.total,
            "matches": self.matches,
            "has_more": self.has_more,
            "took_ms": round(self.took_ms, 1),
            "hint": self.hint,
            "hits": [hit(one) for one in self.hits],
        }


def page(
    nearest: Nearest, photos: Callable[[list[int]], Sequence[PhotoRecord]], *, limit: int, offset: int
) -> tuple[list[Hit], bool]:
    """The hits from `offset` on, at most `limit`, and whether more follow."""
    wanted = limit + 1
    while True:
        hits, ended = _by_score(nearest, photos, offset, offset + wanted)
        if ended or len(hits) > limit:
            return hits[:limit], len(hits) > limit
        wanted *= 2  # some were removed meanwhile: those behind them are the page


def _by_score(
    nearest: Nearest, photos: Callable[[list[int]], Sequence[PhotoRecord]], start: int, stop: int
) -> tuple[list[Hit], bool]:
    """Places `start` to `stop` of the order by score, then path, of known photos; whether it ends there."""
    ids, scores = _whole_ties(one_each(nearest), stop)
    if start >= len(ids):
        return [], True
    last = min(stop, len(ids)) - 1
    first = int(np.argmax(scores == scores[start]))  # the tie that `start` stands in begins here
    end = len(scores) - int(np.argmax(scores[::-1] == scores[last]))
    found = zip(ids[first:end].tolist(), scores[first:end].tolist(), strict=True)
    best = {photo_of(index_id): (score, number_of(index_id)) for index_id, score in found}
    hits = [Hit(photo, best[photo.id][0], frame=best[photo.id][1]) for photo in photos(list(best))]
    hits.sort(key=lambda hit: (-best[hit.photo.id][0], str(hit.photo.path)))
    return hits[start - first : stop - first], len(ids) < stop


def with_moments(hits: Sequence[Hit], moments_of: Callable[[Collection[int]], Mapping[int, float]]) -> list[Hit]:
    """The hits, those that are videos with the moment of their frame, which `moments_of` knows by the frames' ids."""
    ids = {hit.photo.id: frame_id(hit.photo.id, hit.frame) for hit in hits if hit.frame}
    moments = moments_of(ids.values()) if ids else {}
    shown = [moments.get(ids[hit.photo.id]) if hit.frame else hit.photo.poster_s for hit in hits]
    return [hit if at is None else hit._replace(moment_s=at) for hit, at in zip(hits, shown, strict=True)]


def one_each(nearest: Nearest) -> Nearest:
    """The same with the best frame alone of each video; fewer than asked for only when there are no more photos."""

    def found(k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        wanted = k
        while True:
            ids, scores = nearest(wanted)
            if np.max(ids, initial=0) < FIRST_FRAME:  # photos alone, each of which is there once
                return ids[:k], scores[:k]
            first = np.sort(np.unique(photo_of(ids), return_index=True)[1])[:k]
            if len(first) == k or len(ids) < wanted:
                return ids[first], scores[first]
            wanted *= 4

    return found


def _whole_ties(nearest: Nearest, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """At least the k best, and everything that ties with the last of them."""
    wanted = k + 16
    while True:
        ids, scores = nearest(wanted)
        if len(ids) < wanted or scores[-1] != scores[k - 1]:
            return ids, scores
        wanted *= 4
