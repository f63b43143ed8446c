"""Which rows lie near each other: lists of rows around centroids, of which a search looks into the nearest alone (IVF).

The rows of a list stand together in the store, so that the lists are an order of the rows and hold no copy of them.
What was added or replaced since they were trained are strays: their places, by list. The lists may be thrown away at
any time: the rows are the truth, and the exact search needs no lists. The shapes: n rows, d dimensions, l lists.

    Source: Sivic, Zisserman 2003, "Video Google"; Jegou, Douze, Schmid 2011, "Product quantization for nearest neighbor
    search", section IV, of which the inverted lists alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from indexer.vectors.faiss_module import load_faiss
from indexer.vectors.scanning import Floats, Ids

DEPTHS = (32, 128, 1024)  # hits, for each of which it is measured how many lists have to be looked into
_GONE = 0.25  # share of the trained rows from whose removal nothing measured holds any more
_GROWN = 0.25  # share of strays from which the lists are trained anew
_SOME = 0.02  # and from which their distance says that the library has moved
_FARTHER = 0.05  # cosine to the centroids that is lost then
_CHUNK = 16_384


@dataclass
class NearLists:
    """The lists of one store's rows, kept in step with it by whoever changes the store.

    Attributes:
        centroids: (l, d) of unit length.
        starts: (l + 1,); the rows of list i are `starts[i]` to `starts[i + 1]`, and strays alone come after the last.
        probes: for each of DEPTHS how many lists find 0.99 of the exact hits, as measured; 0: too many, look at all.
        recall: for each of DEPTHS the share that those lists found.
        likeness: mean cosine of a row with its centroid when they were trained.
        strays: rows (m,) that were put since, ascending.
        stray_lists: (m,) their nearest lists.
        stray_likeness: (m,) their cosines with those lists' centroids.
        trained: how many rows they were trained on; 0: those that they hold.
    """

    centroids: Floats
    starts: Ids
    probes: tuple[int, ...]
    recall: tuple[float, ...]
    likeness: float
    strays: Ids = field(default_factory=lambda: np.empty(0, np.int64))
    stray_lists: Ids = field(default_factory=lambda: np.empty(0, np.int64))
    stray_likeness: Floats = field(default_factory=lambda: np.empty(0, np.float32))
    trained: int = 0

    def __post_init__(self) -> None:
        self.trained = self.trained or int(self.starts[-1])

    @property
    def nbytes(self) -> int:
        """Bytes of memory in use."""
        return sum(part.nbytes for part in (self.centroids, self.starts, self.strays, self.stray_lists))

    @property
    def are_thin(self) -> bool:
        """Whether so much went since they were trained that the same lists no longer hold the share measured."""
        return self.trained - int(self.starts[-1]) > _GONE * self.trained

    @property
    def are_worn(self) -> bool:
        """Whether so much came or went since the training, or lies so far from all lists, that another is due."""
        trained, strays = max(1, int(self.starts[-1])), len(self.strays)
        if strays > _GROWN * trained or self.are_thin:
            return True
        return strays > _SOME * trained and float(self.stray_likeness.mean()) < self.likeness - _FARTHER

    def probes_for(self, k: int) -> int:
        """Return how many lists to look into for k hits; 0: look at all rows."""
        return next((number for depth, number in zip(DEPTHS, self.probes, strict=True) if k <= depth), 0)

    def put(self, rows: Ids, nearest: tuple[Ids, Floats]) -> None:
        """Take note of rows (m,) that were written or appended, with what `nearest_lists` says of them."""
        near, likeness = nearest
        kept = ~np.isin(self.strays, rows)
        is_away = self.homes(rows) != near
        strays = np.concatenate([self.strays[kept], rows[is_away]])
        order = np.argsort(strays, kind="stable")
        self.strays = strays[order]
        self.stray_lists = np.concatenate([self.stray_lists[kept], near[is_away]])[order]
        self.stray_likeness = np.concatenate([self.stray_likeness[kept], likeness[is_away]])[order]

    def remove(self, rows: Ids) -> None:
        """Take note of ascending rows (m,) that were removed, over which the later ones moved up."""
        self.starts = self.starts - np.searchsorted(rows, self.starts)
        kept = ~np.isin(self.strays, rows)
        self.stray_lists, self.stray_likeness = self.stray_lists[kept], self.stray_likeness[kept]
        self.strays = self.strays[kept] - np.searchsorted(rows, self.strays[kept])

    def homes(self, rows: Ids) -> Ids:
        """Return the list among whose rows each row stands, l for those after the last list."""
        return np.searchsorted(self.starts, rows, side="right") - 1

    def choose(self, query: Floats, probes: int) -> tuple[tuple[Ids, Ids], Ids]:
        """Choose what is looked at for a query (d,).

        Args:
            query: of any length, contiguous.
            probes: how many lists, the nearest.

        Returns:
            where the rows of the lists begin and end (m,), those of lists that stand together as one, and strays that
            belong to these lists and stand elsewhere (s,).
        """
        cosines = np.empty(len(self.centroids), np.float32)
        faiss = load_faiss()
        faiss.fvec_inner_products_ny(  # by one thread: those of NumPy's product wait for each other on a busy machine
            *map(faiss.swig_ptr, (cosines, query, self.centroids)), len(query), len(cosines)
        )
        lists = np.sort(np.argsort(-cosines, kind="stable")[:probes])
        chosen = np.zeros(len(cosines) + 1, np.bool_)
        chosen[lists] = True
        picked = chosen[self.stray_lists] & ~chosen[self.homes(self.strays)]
        begins, ends = self.starts[lists], self.starts[lists + 1]
        is_first = np.append(True, begins[1:] != ends[:-1])
        return (begins[is_first], ends[np.append(is_first[1:], True)]), self.strays[picked]


def nearest_lists(centroids: Floats, rows: NDArray[np.float16] | Floats) -> tuple[Ids, Floats]:
    """Return the list (n,) whose centroid is nearest to each of rows (n, d), and the cosine with it (n,)."""
    nearest = load_faiss().IndexFlatIP(centroids.shape[1])
    nearest.add(centroids)
    lists, likeness = np.empty(len(rows), np.int64), np.empty(len(rows), np.float32)
    for start in range(0, len(rows), _CHUNK):
        part = slice(start, start + _CHUNK)
        cosines, found = nearest.search(np.ascontiguousarray(rows[part], np.float32), 1)
        lists[part], likeness[part] = found[:, 0], cosines[:, 0]
    return lists, likeness
