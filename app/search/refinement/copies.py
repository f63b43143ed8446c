"""Copies as one: of photos of the same content one stands in an order, and the others behind it.

The same content alone: what merely looks alike to the model may be another page of the same form. Near copies are for
`picsift duplicates`, which compares how pictures look, too, and says which is which.

The order is walked in blocks of BLOCK places, and a photo stands behind one of its own block alone: whatever page
is asked for, each photo is in the order or behind one of it, once. Copies have nearly the same score, and are rarely in
two blocks. Beyond MOST places each photo stands for itself, since all before a page has to be walked.

Of a block's copies one that can be reached stands before one that cannot, then the better one, then that whose path is
first. It has the place of the best of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.search.ranking import Nearest, one_each
from indexer.catalog.frame_ids import photo_of
from indexer.catalog.records import PhotoRecord

BLOCK = 256  # places
MOST = 4_096  # places that are walked

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]
Photos = Callable[[list[int]], Sequence[PhotoRecord]]
Contents = Callable[[list[int]], Mapping[int, str | None]]
"""Ids of photos -> the hashes of their contents, as far as they have one."""
MayBeCopies = Callable[[Ids], NDArray[np.bool_]]
"""Ids of photos (n,) -> which of them may have the content of another one of these; all others have not."""


@dataclass
class _Walk:
    """What the blocks so far gave: ids of the index that stand for themselves, their scores, and how far that is."""

    ids: list[Ids] = field(default_factory=list)
    scores: list[Floats] = field(default_factory=list)
    places: int = 0
    ended: bool = False


class OneOfEach:
    """An order without the copies; called as a `Nearest`, with the scores that it was given."""

    def __init__(self, nearest: Nearest, photos: Photos, contents: Contents, may_be: MayBeCopies) -> None:
        """Walk nothing yet.

        Args:
            nearest: the order.
            photos: ids of photos -> what the catalog knows of them; asked of copies alone.
            contents: what makes copies of them; asked of those alone that may be some.
            may_be: which those are.
        """
        self._nearest = one_each(nearest)
        self._photos = photos
        self._contents = contents
        self._may_be = may_be
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

    def _step(self) -> None:
        walk = self._walk
        ids, scores = self._nearest(walk.places + BLOCK)
        ids, scores = ids[walk.places :], scores[walk.places :]
        walk.ended = len(ids) < BLOCK
        walk.places += len(ids)
        photo_ids = photo_of(ids)
        doubtful = np.flatnonzero(self._may_be(photo_ids))
        if len(doubtful):
            stands = self._standing(photo_ids.tolist(), doubtful.tolist(), scores)
            ids, scores = ids[list(stands.values())], scores[list(stands)]
        walk.ids.append(ids)
        walk.scores.append(scores)

    def _standing(self, photo_ids: list[int], doubtful: list[int], scores: Floats) -> dict[int, int]:
        """For each place of a block that is kept the place of the photo that stands in it; some may have copies."""
        contents = self._contents([photo_ids[at] for at in doubtful])
        groups: dict[object, list[int]] = {}
        for at, photo_id in enumerate(photo_ids):
            groups.setdefault(contents.get(photo_id) or photo_id, []).append(at)
        copies = [photo_ids[at] for places in groups.values() if len(places) > 1 for at in places]
        known = {photo.id: photo for photo in self._photos(copies)} if copies else {}

        def rank(at: int) -> tuple[bool, float, str]:
            photo = known[photo_ids[at]]
            return photo.missing_since is not None, -float(scores[at]), str(photo.path)

        stands = {}
        for first, *others in groups.values():
            leader = first
            if others:
                leader, *others = sorted((at for at in (first, *others) if photo_ids[at] in known), key=rank) or [first]
                self._behind[photo_ids[leader]] = [photo_ids[at] for at in others]
            stands[first] = leader
        return stands


_NO_IDS, _NO_SCORES = np.empty(0, np.int64), np.empty(0, np.float32)


def by_date(
    newest: Callable[..., list[int]], photos: Photos, limit: int, offset: int, *, as_one: bool
) -> tuple[list[tuple[PhotoRecord, tuple[PhotoRecord, ...]]], bool]:
    """A page of an order by date, as `by_content` or each photo by itself; whether more follow.

    Args:
        newest: limit=, offset= -> ids of photos in that order.
        photos: ids of photos -> what the catalog knows of them.
        limit: hits wanted.
        offset: hits before them.
        as_one: whether copies stand as one.
    """
    if as_one:
        return by_content(newest, photos, limit=limit, offset=offset)
    ids = newest(limit=limit + 1, offset=offset)
    return [(photo, ()) for photo in photos(ids[:limit])], len(ids) > limit


def by_content(
    newest: Callable[..., list[int]], photos: Photos, *, limit: int, offset: int
) -> tuple[list[tuple[PhotoRecord, tuple[PhotoRecord, ...]]], bool]:
    """A page of an order by date, of equal content one alone with the others behind it; whether more follow.

    The first that can be reached stands, in the place of the first.

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
        found += [sorted(copies, key=lambda photo: photo.missing_since is not None) for copies in block.values()]
    lacking = wanted - max(len(found), offset)
    shown = found[offset:]
    if lacking > 0 and not ended:
        ids = newest(limit=lacking, offset=places + max(0, offset - len(found)))
        shown += [[photo] for photo in photos(ids)]
    return [(first, tuple(others)) for first, *others in shown[:limit]], len(shown) > limit
