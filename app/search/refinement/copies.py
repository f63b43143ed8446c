"""Copies as one: of photos that are one picture the first of an order stands in it, and the others behind it.

Two are one picture where their vectors nearly agree. How nearly, the model's own level of unrelated photos tells; where
that is not known, they have to be the same, and the content too. `picsift duplicates` looks closer, and takes longer.

The order is walked in blocks of BLOCK places, and a photo stands behind one of its own block alone: whatever page
is asked for, each photo is in the order or behind one of it, once. Copies have nearly the same score, and are rarely in
two blocks. Beyond MOST places each photo stands for itself, since all before a page has to be walked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.search.background import SAME, Background
from app.search.ranking import Nearest, one_each
from indexer.catalog.frame_ids import photo_of
from indexer.catalog.records import PhotoRecord

BLOCK = 256  # places
MOST = 4_096  # places that are walked
IDENTICAL = 0.9999  # cosine of float16 vectors that are the same
NEARLY = 0.95  # of the way from the cosine of unrelated photos to that of the same

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]
Photos = Callable[[list[int]], Sequence[PhotoRecord]]


@dataclass(frozen=True)
class Likeness:
    """When two photos are one picture.

    Attributes:
        least: cosine of their vectors.
        same_content: whether their content has to be the same, too.
    """

    least: float
    same_content: bool = False

    @classmethod
    def against(cls, background: Background | None) -> Likeness:
        """Likeness in a library, whose background is not always known."""
        if background is None:
            return cls(IDENTICAL, same_content=True)
        unrelated = background.pictures.unrelated
        return cls(min(max(SAME, unrelated + NEARLY * (1 - unrelated)), IDENTICAL))


@dataclass
class _Walk:
    """What the blocks so far gave: ids of the index that stand for themselves, their scores, and how far that is."""

    ids: list[Ids] = field(default_factory=list)
    scores: list[Floats] = field(default_factory=list)
    places: int = 0
    ended: bool = False


class OneOfEach:
    """An order without the copies; called as a `Nearest`, with the scores that it was given."""

    def __init__(
        self, nearest: Nearest, vectors: Callable[[Ids], NDArray[np.float16]], photos: Photos, likeness: Likeness
    ) -> None:
        """Walk nothing yet.

        Args:
            nearest: the order.
            vectors: ids of the index (n,) -> their vectors (n, d), of unit length.
            photos: ids of photos -> what the catalog knows of them.
            likeness: when two are one picture.
        """
        self._nearest = one_each(nearest)
        self._vectors, self._photos, self._likeness = vectors, photos, likeness
        self._walk = _Walk()
        self._behind: dict[int, list[int]] = {}

    def __call__(self, k: int) -> tuple[Ids, Floats]:
        """The first k that stand for themselves, or all there are."""
        walk = self._walk
        while sum(map(len, walk.ids)) < k and not walk.ended and walk.places < MOST:
            self._step()
        ids, scores = np.concatenate([_NO_IDS, *walk.ids]), np.concatenate([_NO_SCORES, *walk.scores])
        if len(ids) < k and not walk.ended:
            more, their = self._nearest(walk.places + k - len(ids))
            ids, scores = np.concatenate([ids, more[walk.places :]]), np.concatenate([scores, their[walk.places :]])
        return ids[:k], scores[:k]

    def behind(self, photo_id: int) -> list[int]:
        """The photos that stand behind one of those that were given, in their order."""
        return self._behind.get(photo_id, [])

    def all_behind(self) -> Ids:
        """All photos (n,) that stand behind another one, as far as the order is walked."""
        self(MOST)
        return np.array(sorted(photo for photos in self._behind.values() for photo in photos), np.int64)

    def _step(self) -> None:
        walk = self._walk
        ids, scores = self._nearest(walk.places + BLOCK)
        ids, scores = ids[walk.places :], scores[walk.places :]
        walk.ended = len(ids) < BLOCK
        walk.places += len(ids)
        first = self._first(ids) if len(ids) else np.empty(0, np.int64)
        alone = first == np.arange(len(ids))
        walk.ids.append(ids[alone])
        walk.scores.append(scores[alone])
        for at in np.flatnonzero(~alone):
            self._behind.setdefault(int(photo_of(ids[first[at]])), []).append(int(photo_of(ids[at])))

    def _first(self, ids: Ids) -> Ids:
        """For each of a block the place of the first one that it is a copy of, or its own."""
        first = followed(self._vectors(ids).astype(np.float32), self._likeness.least)
        behind = np.flatnonzero(first != np.arange(len(ids)))
        if self._likeness.same_content and len(behind):
            asked = np.unique(photo_of(ids[np.concatenate([behind, first[behind]])])).tolist()
            contents = {photo.id: photo.content_hash for photo in self._photos(asked)}
            for at in behind:
                one, other = (contents.get(int(photo_of(ids[place]))) for place in (at, first[at]))
                if one is None or one != other:
                    first[at] = at
        return first


_NO_IDS, _NO_SCORES = np.empty(0, np.int64), np.empty(0, np.float32)


def followed(vectors: Floats, least: float) -> Ids:
    """For each vector the place of the first that follows none and is so near to it; its own where there is none.

    Args:
        vectors: (n, d) of nearly unit length, as float16 leaves them; zeros are near to nothing.
        least: cosine.

    Returns:
        (n,) places.
    """
    first = np.arange(len(vectors))
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.float32(1e-6))
    near = np.tril(vectors @ vectors.T >= np.float32(least), -1)
    for at in np.flatnonzero(near.any(axis=1)):
        leading = np.flatnonzero(near[at] & (first == np.arange(len(first))))
        if len(leading):
            first[at] = leading[0]
    return first


def by_content(
    newest: Callable[..., list[int]], photos: Photos, *, limit: int, offset: int
) -> tuple[list[tuple[PhotoRecord, tuple[PhotoRecord, ...]]], bool]:
    """A page of an order by date, of equal content the first alone with the others behind it; whether more follow.

    Args:
        newest: limit=, offset= -> ids of photos in that order.
        photos: ids of photos -> what the catalog knows of them.
        limit: photos wanted.
        offset: photos before them that stand for themselves.
    """
    found: list[list[PhotoRecord]] = []
    places, ended, wanted = 0, False, offset + limit + 1
    while len(found) < wanted and not ended and places < MOST:
        ids = newest(limit=BLOCK, offset=places)
        places, ended = places + len(ids), len(ids) < BLOCK
        block: dict[object, list[PhotoRecord]] = {}
        for photo in photos(ids):
            block.setdefault(photo.content_hash or photo.id, []).append(photo)
        found += block.values()
    lacking = wanted - max(len(found), offset)
    shown = found[offset:]
    if lacking > 0 and not ended:
        ids = newest(limit=lacking, offset=places + max(0, offset - len(found)))
        shown += [[photo] for photo in photos(ids)]
    return [(first, tuple(others)) for first, *others in shown[:limit]], len(shown) > limit
