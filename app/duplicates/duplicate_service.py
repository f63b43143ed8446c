"""DuplicateService: which photos of a library are one picture, in groups with the best one named. It deletes nothing.

It opens no photo: content hashes and vectors are the catalog's, looks come from thumbnails (`look_cache.py`).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from app.duplicates import grouping
from app.duplicates.candidates import Candidate, candidate
from app.duplicates.kinds import Kind
from app.duplicates.look_cache import LookCache
from app.search.hints import why_none
from indexer.catalog.frame_ids import FIRST_FRAME
from indexer.catalog.photo_filter import PhotoFilter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from app.search.live_index import LiveIndex
    from indexer.catalog.records import ModelRecord, PhotoRecord
    from indexer.library import Library

REMEMBERED = 4  # answers
_AT_ONCE = 2_000  # rows that are read from the catalog


@dataclass(frozen=True)
class Member:
    """A photo of a group that is not its best.

    Attributes:
        photo: it.
        kind: what it is of `of`.
        of: the photo that it was compared with: the best of the group, or one that is itself near to it.
    """

    photo: PhotoRecord
    kind: Kind
    of: PhotoRecord


@dataclass(frozen=True)
class Group:
    """Photos that are one picture.

    Attributes:
        best: the one to keep, by size in pixels, format and size in bytes; of a burst the sharpest of the largest.
        others: the other ones, the strongest kind first, of each kind the better first.
    """

    best: PhotoRecord
    others: tuple[Member, ...]


@dataclass(frozen=True)
class Duplicates:
    """What was found.

    Attributes:
        groups: those with the strongest kind first, then by the path of the best.
        photos: how many photos were compared.
        by_vector: how many of them were held against the others by their vector alone, for want of a thumbnail.
        blank: how many show nearly nothing, and were not held against the others but as copies and in bursts.
        hint: where no photo is compared, why, or what may have been meant; None where nothing is known.
    """

    groups: list[Group]
    photos: int
    by_vector: int = 0
    blank: int = 0
    hint: str | None = None


class DuplicateService:
    """Finds groups in one library with the vectors of its active model."""

    def __init__(self, library: Library, live: LiveIndex) -> None:
        """Read nothing yet; `live` knows which model is active."""
        self._library = library
        self._live = live
        self._cache = LookCache(library.folder, library.thumbnails)
        self._finding = threading.Lock()
        self._found: OrderedDict[tuple[frozenset[Kind], PhotoFilter], tuple[object, Duplicates]] = OrderedDict()

    def remembered(self, kinds: Sequence[Kind] = tuple(Kind), filter: PhotoFilter | None = None) -> Duplicates:
        """As `find`, but what was found last is given again until the library changes: for those who page through it.

        One looks at a time, since many would take as much memory each; safe to ask from many threads.
        """
        asked = frozenset(kinds), filter or PhotoFilter()
        with self._finding:
            version = self._library.catalog.version()  # before the look: an older one only has it done once too often
            known = self._found.get(asked)
            if known is None or known[0] != version:
                known = self._found[asked] = version, self.find(sorted(asked[0], key=list(Kind).index), asked[1])
            self._found.move_to_end(asked)
            while len(self._found) > REMEMBERED:
                self._found.popitem(last=False)
            return known[1]

    def find(
        self,
        kinds: Sequence[Kind] = tuple(Kind),
        filter: PhotoFilter | None = None,
        *,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Duplicates:
        """The groups among the photos that a filter allows.

        Args:
            kinds: what counts; a group shows photos of these kinds beside its best.
            filter: which photos are compared; None for all.
            on_progress: told how many of how many thumbnails were read, then how many of how many photos compared.

        Raises:
            EmptyLibraryError: nothing is indexed.
        """
        model, catalog = self._live.model(), self._library.catalog
        wanted = filter or PhotoFilter()
        photos = self._candidates(catalog.allowed_ids(model.id, wanted))
        vectors = np.zeros((0, model.dim), np.float16)
        by_looks = set(kinds) != {Kind.exact}
        if by_looks:
            contents = [photo.content for photo in photos]
            looks = self._cache.looks(contents, on_progress=on_progress, forget_others=not wanted)
            photos = [replace(photo, look=looks.get(photo.content)) for photo in photos]
        photos = grouping.best_first(photos)
        if by_looks:
            vectors = self._vectors(model, photos)
        bonds = grouping.bonds(photos, vectors, kinds, on_progress)
        bonds = {at: bond for at, bond in bonds.items() if bond[1] in kinds}  # the others join nothing that is shown
        return Duplicates(
            groups=self._groups(photos, bonds),
            photos=len(photos),
            by_vector=sum(photo.look is None for photo in photos) if by_looks else 0,
            blank=sum(map(grouping.is_blank, photos)),
            hint=None if photos else self._why_none(model, wanted),
        )

    def _why_none(self, model: ModelRecord, wanted: PhotoFilter) -> str | None:
        catalog = self._library.catalog
        return why_none(wanted, catalog.counts(), catalog.embedded(model.id), catalog.folders, catalog.words.names)

    def _candidates(self, ids: NDArray[np.int64]) -> list[Candidate]:
        found: list[Candidate] = []
        for start in range(0, len(ids), _AT_ONCE):
            found += map(candidate, self._library.catalog.photos(ids[start : start + _AT_ONCE].tolist()))
        return found

    def _vectors(self, model: ModelRecord, photos: Sequence[Candidate]) -> NDArray[np.float16]:
        """(n, d) in the order of the photos; of one whose vector is damaged zeros, which nothing is like."""
        ids = np.array([photo.id for photo in photos], np.int64)
        order = np.argsort(ids)
        vectors = np.zeros((len(ids), model.dim), np.float16)
        for some, rows in self._library.catalog.embeddings(model.id):
            some, rows = some[some < FIRST_FRAME], rows[some < FIRST_FRAME]
            at = np.minimum(np.searchsorted(ids, some, sorter=order), max(len(ids) - 1, 0))
            known = ids[order[at]] == some if len(ids) else np.zeros(len(some), bool)
            vectors[order[at[known]]] = rows[known]
        return vectors

    def _groups(self, photos: Sequence[Candidate], bonds: dict[int, grouping.Bond]) -> list[Group]:
        shown = grouping.groups(bonds)
        places = {at for best, members in shown.items() for at in (best, *members)}
        places |= {bonds[at][0] for members in shown.values() for at in members}
        records = {record.id: record for record in self._records([photos[at].id for at in sorted(places)])}
        order = list(Kind)

        def member(at: int) -> Member | None:
            of, kind = bonds[at]
            photo, other = records.get(photos[at].id), records.get(photos[of].id)
            return Member(photo, kind, other) if photo and other else None  # else it went meanwhile

        found: list[Group] = []
        for best, members in shown.items():
            others = sorted(filter(None, map(member, members)), key=lambda one: order.index(one.kind))
            if photos[best].id in records and others:
                found.append(Group(records[photos[best].id], tuple(others)))
        return sorted(found, key=lambda group: (order.index(group.others[0].kind), str(group.best.path)))

    def _records(self, ids: Sequence[int]) -> list[PhotoRecord]:
        return self._library.catalog.photos(ids)
