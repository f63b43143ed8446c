"""An order of hits without the photos that earlier pages handed out. Pure.

The order is that of the whole query, and what was handed out is passed over in it: ranks, cuts and counts stay what
they are, and a page costs what one at an offset of as many hits does. A place in the order, or the score of the last
hit, would not do instead: fused ranks, and the order of alike ones, move when photos come and go.

Copies are put together among the other photos alone. So no photo that was not handed out stands behind one that was,
where nobody would see it, and none that was is shown again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from app.search.ranking import Hit, Nearest
from app.search.refinement.copies import Contents
from indexer.catalog.frame_ids import photo_of

Ids = NDArray[np.int64]
NOBODY: Ids = np.empty(0, np.int64)


def with_hits(handed_out: Ids, hits: Sequence[Hit]) -> Ids:
    """The photos (n,) that were handed out, sorted, with these hits and the copies behind them."""
    shown = [photo.id for hit in hits for photo in (hit.photo, *hit.copies)]
    both = np.sort(np.concatenate([handed_out, np.array(shown, np.int64)]))
    is_first = np.ones(len(both), np.bool_)
    np.not_equal(both[1:], both[:-1], out=is_first[1:])
    return both[is_first]  # np.union1d imports NumPy's masked arrays


def unseen(order: Nearest, handed_out: Ids) -> Nearest:
    """An order without the photos (n,) that were handed out, sorted; fewer than asked for only at its end."""
    if not len(handed_out):
        return order

    def found(k: int) -> tuple[Ids, NDArray[np.float32]]:
        wanted = k + len(handed_out)
        while True:
            ids, scores = order(wanted)
            left = np.flatnonzero(~are_among(photo_of(ids), handed_out))[:k]
            if len(left) == k or len(ids) < wanted:
                return ids[left], scores[left]
            wanted *= 2  # several frames of a video were passed over

    return found


def unseen_newest(newest: Callable[..., list[int]], handed_out: Ids) -> Callable[..., list[int]]:
    """An order by date, limit=, offset= -> ids, without the photos (n,) that were handed out, sorted."""
    if not len(handed_out):
        return newest

    def found(*, limit: int, offset: int) -> list[int]:
        ids = np.array(newest(limit=offset + limit + len(handed_out), offset=0), np.int64)
        left: list[int] = ids[~are_among(ids, handed_out)][offset : offset + limit].tolist()
        return left

    return found


def unseen_contents(contents: Contents, handed_out: Ids) -> Contents:
    """What makes copies of photos, those apart that were handed out (n,), sorted: each of these is none of any."""
    if not len(handed_out):
        return contents

    def found(ids: list[int]) -> Mapping[int, str | None]:
        seen = are_among(np.array(ids, np.int64), handed_out).tolist()
        return contents([number for number, was_seen in zip(ids, seen, strict=True) if not was_seen])

    return found


def are_among(ids: Ids, some: Ids) -> NDArray[np.bool_]:
    """Which of the ids (m,) are among some (n,), sorted, of which there is one at least."""
    at = np.minimum(np.searchsorted(some, ids), len(some) - 1)
    found: NDArray[np.bool_] = some[at] == ids
    return found
