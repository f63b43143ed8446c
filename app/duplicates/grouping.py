"""Groups of photos that are one picture: copies first, then near ones, then bursts, each against a best one. Pure.

Each step leaves fewer photos: of copies the best one goes on to the next, and so on. So each photo follows one other,
by the strongest of what it is, and three steps are the most that lie between it and the best of its group.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from app.duplicates.candidates import BURST_S, Candidate, burst_apart, burst_rank, fraction, rank, same_length
from app.duplicates.kinds import Kind
from app.duplicates.leaders import LEAST_DETAIL, near_leaders

if TYPE_CHECKING:
    from numpy.typing import NDArray

BURST = 0.85
"""Least cosine within a burst. Two views of one photograph, each moved by 4 % and 3 % of the picture, have 0.83 to
0.95 (a quarter of them below 0.93); a stereo pair 0.98; of pairs of different photos 1 in 20,000 has that much."""


MOST_AT_ONCE = 500
"""Photos of BURST_S: more are no burst but files that were all given one moment, by an export or a clock that stood."""

Bond = tuple[int, Kind]
"""The photo that another one follows, by its place, and as what."""


def best_first(photos: Sequence[Candidate]) -> list[Candidate]:
    """The photos in the order in which they lead copies and near ones."""
    return sorted(photos, key=rank)


def is_blank(photo: Candidate) -> bool:
    """Whether nearly nothing can be seen: such pictures are all alike, by hash and by vector, and are not compared."""
    return photo.look is not None and photo.look.detail < LEAST_DETAIL


def bonds(
    photos: Sequence[Candidate],
    vectors: NDArray[np.float16],
    kinds: Sequence[Kind],
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[int, Bond]:
    """Which photo follows which, by their places; those that follow none are left out.

    Args:
        photos: n of them, best first.
        vectors: (n, d) of unit length, in that order; not looked at for exact copies.
        kinds: what is asked for; what is stronger than the weakest of them is found as well.
        on_progress: told how many of how many photos were compared.
    """
    steps = list(Kind)[: max(list(Kind).index(kind) for kind in kinds) + 1]
    found: dict[int, Bond] = {at: (to, Kind.exact) for at, to in _copies(photos).items()}
    if Kind.near in steps:
        found |= {at: (to, Kind.near) for at, to in _near(photos, vectors, found, on_progress).items()}
    if Kind.burst in steps:
        found |= {at: (to, Kind.burst) for at, to in _bursts(photos, vectors, found).items()}
    return found


def groups(found: dict[int, Bond]) -> dict[int, list[int]]:
    """The places of the photos of each group, by its best one."""
    members: dict[int, list[int]] = {}
    for at in sorted(found):
        best = at
        while best in found:
            best = found[best][0]
        members.setdefault(best, []).append(at)
    return members


def _copies(photos: Sequence[Candidate]) -> dict[int, int]:
    first: dict[str, int] = {}
    return {at: to for at, photo in enumerate(photos) if (to := first.setdefault(photo.content, at)) != at}


def _near(
    photos: Sequence[Candidate],
    vectors: NDArray[np.float16],
    known: dict[int, Bond],
    on_progress: Callable[[int, int], None],
) -> dict[int, int]:
    places = [at for at, photo in enumerate(photos) if at not in known and not is_blank(photo)]
    left = [photos[at] for at in places]
    leader = near_leaders(
        np.array([photo.look.bits if photo.look else 0 for photo in left], np.uint64),
        np.array([photo.look is not None for photo in left], bool),
        vectors if len(places) == len(photos) else vectors[places],
        lambda row, to: same_length(left[row], left[to]) and not _two_shots(left[row], left[to]),
        on_progress,
    )
    return {places[row]: places[to] for row, to in enumerate(leader.tolist()) if to != row}


def _two_shots(one: Candidate, other: Candidate) -> bool:
    """Whether the camera says that it was released twice: what is nearly the same is then a burst."""
    apart = burst_apart(one, other)
    if not apart:
        return False
    return apart >= 1 or bool(fraction(one) and fraction(other))  # a copy may have lost its fraction of a second


def _bursts(photos: Sequence[Candidate], vectors: NDArray[np.float16], known: dict[int, Bond]) -> dict[int, int]:
    leaders: dict[int, list[int]] = {}
    found: dict[int, int] = {}
    crowds = Counter(int(photo.taken_s // BURST_S) for photo in photos if photo.taken_s is not None)
    for at in sorted(set(range(len(photos))) - set(known), key=lambda at: burst_rank(photos[at])):
        photo = photos[at]
        if photo.taken_s is None or photo.duration_s is not None:
            continue
        span = int(photo.taken_s // BURST_S)
        if crowds[span] > MOST_AT_ONCE:
            continue
        near = [to for part in (span - 1, span, span + 1) for to in leaders.get(part, ())]
        near = [to for to in near if burst_apart(photo, photos[to]) is not None]
        if near:
            cosines = vectors[near].astype(np.float32) @ vectors[at].astype(np.float32)  # [near]
            if cosines.max() >= BURST:
                found[at] = near[int(np.argmax(cosines))]
                continue
        leaders.setdefault(span, []).append(at)
    return found
