"""A copy of the vectors on a GPU that names candidates quickly, and the search that settles them on the CPU's rows.

The copy is held by torch where torch can use the GPU, else by FAISS. FAISS's flat GPU index has neither ids, nor
removal, nor a search within a set, and at most 2,048 results: rows that were replaced or removed stay as dead rows
until a reload, and what 2,048 candidates cannot settle the CPU searches.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np

from indexer.vectors.faiss_module import load_faiss
from indexer.vectors.rows import Half, IdTable, VectorRows
from indexer.vectors.scanning import FEW_ROWS, Floats, Found, Ids
from indexer.vectors.torch_flat import TorchFlat, driver_present

logger = logging.getLogger(__name__)

MAX_FETCH = 2048  # FAISS: "GPU index only supports min/max-K selection up to 2048"
# The GPU rounds the query to half as well, and torch the score too. A half carries 11 bits, so that each moves a score
# by at most 2**-11 (4.9e-4) times the lengths of query and row; the float32 sum adds a few 1e-6. This is three of them.
SCORE_ERROR = 1.5e-3
_TEMPORARY_BYTES = 256 * 1024 * 1024
_ADD_ROWS = 65_536
_DEAD_ROWS_KEPT = 1024

# Takes the dimension and the number of the GPU, gives an empty FAISS inner product index. Tests pass a CPU's.
FlatFactory: TypeAlias = Callable[[int, int], Any]


def flat_on_gpu(dim: int, number: int) -> Any:
    """Make an empty float16 inner product index on GPU `number`, with its own bounded scratch memory."""
    faiss = load_faiss()
    resources = faiss.StandardGpuResources()
    resources.setTempMemory(_TEMPORARY_BYTES)
    config = faiss.GpuIndexFlatConfig()
    config.device = number
    config.useFloat16 = True
    index = faiss.GpuIndexFlatIP(resources, dim, config)
    index.referenced_objects = [resources]  # as FAISS's own wrappers keep what must outlive an index
    return index


def flat_for(dim: int, number: int) -> Any:
    """Make an empty inner product index on GPU `number`: torch's, or FAISS's where torch cannot use it.

    Raises:
        RuntimeError: if neither can.
    """
    reason = "no NVIDIA driver is there"
    if driver_present():
        try:
            return TorchFlat(dim, f"cuda:{number}")
        except (ImportError, RuntimeError, AssertionError) as error:
            reason = first_line(error)
    if number < gpu_count():
        return flat_on_gpu(dim, number)
    raise RuntimeError(f"torch cannot use it ({reason}), and this FAISS sees {gpu_count()} GPUs")


def gpu_count() -> int:
    """Return how many GPUs this FAISS can see, 0 for a FAISS without GPU support."""
    faiss = load_faiss()
    return int(faiss.get_num_gpus()) if hasattr(faiss, "StandardGpuResources") else 0


def open_mirror(dim: int, device: str, factory: FlatFactory | None = None) -> GpuMirror | None:
    """Return an empty mirror on a GPU that has answered a probe, or None, after a warning where one was expected.

    Args:
        dim: of the vectors.
        device: "auto", "cpu", "cuda" or "cuda:N"; another device is none that FAISS knows, and means the CPU.
        factory: makes the index; given one, no GPU is looked for.
    """
    kind, _, number = device.partition(":")
    if kind not in ("auto", "cuda"):
        return None
    wanted = int(number) if number.isdecimal() else 0
    try:
        if factory is None and kind == "auto" and not driver_present() and not gpu_count():
            return None
        flat = (factory or flat_for)(dim, wanted)
        probe(flat, dim)
    except Exception as error:  # SWIG throws several kinds, and whatever the GPU's trouble is, the CPU can answer
        logger.warning("GPU %d does not search, the CPU does instead: %s", wanted, first_line(error))
        return None
    return GpuMirror(flat, dim, f"cuda:{wanted}")


def probe(flat: Any, dim: int) -> None:
    """Search four known rows and compare with the known answer.

    Raises:
        RuntimeError: if the answer is wrong; whatever FAISS raises otherwise.
    """
    rows = np.zeros((4, dim), np.float32)
    rows[np.arange(4), np.arange(4) % dim] = [0.25, 0.5, 0.75, 1.0]
    query = rows.sum(axis=0, keepdims=True)
    expected = np.sort(rows @ query[0])[::-1]
    flat.add(rows)
    scores, _ = flat.search(query, 4)
    flat.reset()
    if not np.allclose(scores[0], expected, atol=SCORE_ERROR * float(np.linalg.norm(query))):
        raise RuntimeError(f"a probe search gave the scores {scores[0].tolist()} instead of {expected.tolist()}")


class GpuMirror:
    """Rows on a GPU, kept in step with those in main memory; an id of -1 marks a dead row."""

    def __init__(self, flat: Any, dim: int, device: str) -> None:
        self.dim = dim
        self.device = device
        self._flat = flat
        self._number = getattr(flat, "number_type", np.float32)  # FAISS takes nothing else
        self._table = IdTable()
        self.dead = 0

    def __len__(self) -> int:
        """Count the rows on the GPU, dead ones too."""
        return len(self._table.by_row)

    @property
    def worn(self) -> bool:
        """Whether dead rows have become so many that a reload pays."""
        return self.dead > max(_DEAD_ROWS_KEPT, len(self) // 4)

    def load(self, ids: Ids, halves: Half) -> None:
        """Start again from these rows."""
        self._flat.reset()
        self._table.assign(np.empty(0, np.int64))
        self.dead = 0
        self._append(ids, halves)

    def put(self, ids: Ids, halves: Half) -> None:
        """Add rows; one whose id is there takes the place of the old."""
        self.remove(ids)
        self._append(ids, halves)

    def remove(self, ids: Ids) -> None:
        """Let no search name these ids again."""
        at = self._table.rows(ids)
        at = at[at >= 0]
        if len(at):
            by_row = self._table.by_row.copy()
            by_row[at] = -1
            self._table.assign(by_row)
            self.dead += len(at)

    def _append(self, ids: Ids, halves: Half) -> None:
        if hasattr(self._flat, "reserve"):
            self._flat.reserve(len(self) + len(ids))
        for start in range(0, len(ids), _ADD_ROWS):
            self._flat.add(np.ascontiguousarray(halves[start : start + _ADD_ROWS], self._number))
        self._table.assign(np.concatenate([self._table.by_row, ids]))

    def candidates(self, queries: Floats, fetch: int) -> tuple[Ids, Floats]:
        """Name the best rows of each query; a score is at most SCORE_ERROR times the query's length off.

        Args:
            queries: (q, d).
            fetch: how many to name, at most MAX_FETCH.

        Returns:
            ids (q, fetch), -1 for a dead row; scores (q, fetch), falling.
        """
        scores, rows = self._flat.search(queries, min(fetch, MAX_FETCH, len(self)))
        return self._table.by_row[rows], scores

    def search(self, rows: VectorRows, queries: Floats, k: int, within: Ids | None) -> list[Found]:
        """Answer as `rows.search` does, and with its scores; `rows` and this hold the same vectors."""
        found: list[Found | None] = [None] * len(queries)
        for fetch in self._widths(len(rows) if within is None else len(within), k, filtered=within is not None):
            at = [place for place, result in enumerate(found) if result is None]
            if not at:
                break
            for place, result in zip(at, self._settle(rows, queries[at], k, within, fetch), strict=True):
                found[place] = result
        rest = [place for place, result in enumerate(found) if result is None]
        for place, result in zip(rest, rows.search(queries[rest], k, within), strict=True):
            found[place] = result
        return [result for result in found if result is not None]

    def _widths(self, total: int, k: int, *, filtered: bool) -> Iterator[int]:
        """Yield how many candidates to ask for, wider and wider; none where the CPU is quicker or alone can do it."""
        if k < 1 or not total or (filtered and total <= FEW_ROWS):
            return
        thinning = len(self) / total  # candidates for one that is neither dead nor filtered out
        fetch = min(MAX_FETCH, int((2 * k + 64) * thinning))
        if k * thinning > 0.8 * MAX_FETCH:
            return
        while fetch < MAX_FETCH:
            yield fetch
            fetch *= 4
        yield MAX_FETCH

    def _settle(
        self, rows: VectorRows, queries: Floats, k: int, within: Ids | None, fetch: int
    ) -> Iterator[Found | None]:
        """Yield, for each query, its k best if they are certainly among `fetch` candidates, and None otherwise."""
        ids, scores = self.candidates(queries, fetch)
        allowed = np.ones(len(rows), np.bool_) if within is None else np.zeros(len(rows), np.bool_)
        if within is not None:
            allowed[within] = True
        for query, named, last in zip(queries, ids, scores[:, -1], strict=True):
            places = rows.table.rows(named[named >= 0])
            places = np.sort(places[allowed[places]])
            result = rows.search(query[None], k, places)[0]
            reach = last + SCORE_ERROR * float(np.linalg.norm(query))  # no row that was not named can score more
            everything = ids.shape[1] == len(self)
            yield result if everything or (len(places) >= k and result[1][-1] > reach) else None


def first_line(error: Exception) -> str:
    """Return what FAISS says, without the C++ stack below it."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
