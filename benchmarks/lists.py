"""The search index in lists (IVF) at a million photos, beside FAISS alone, NumPy, usearch, hnswlib and sqlite-vec.

    python benchmarks/lists.py                          # 1,000,000 x 512; half an hour, most of it others' indexes
    python benchmarks/lists.py --photos 200000 --without hnswlib usearch   # what is not installed is left out
    python benchmarks/lists.py --kept /tmp/index        # keeps the vectors there for another run, which trains anew

Vectors are drawn to lie as CLIP's do: a common direction (mean cosine of two photos 0.44), 400 topics of very different
sizes, one scene for 50 photos, and what a photo has of its own, each with a spectrum that falls as 1/i. Queries are
other photos of the same scenes, and 'texts': what is particular to a photo at a cosine of 0.35, the rest at random.
FAISS alone is `IndexIVFScalarQuantizer` with the very same centroids, rows and number of lists looked into, one
thread, as its default is for one query. CPU time is shown beside wall time, for a machine that has other work. Every
search takes one query at a time, and 20 hits where no other number is said. No search has a filter: with one all is
looked at exactly, which search.py measures.
"""

from __future__ import annotations

import argparse
import gc
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from indexer.vectors.faiss_module import load_faiss
from indexer.vectors.index import VectorIndex

DIM, HITS, FIRST_LOOK = 512, 20, 513
Search = Callable[[np.ndarray], np.ndarray]
"""A query (d,) -> the ids of its hits."""


class Drawn:
    """Vectors like CLIP's."""

    def __init__(self, count: int, seed: int = 0) -> None:
        self.numbers = np.random.default_rng(seed)
        scale = (np.arange(1, DIM + 1) ** -0.5).astype(np.float32)
        self.scale = scale / np.linalg.norm(scale)
        self.turned = np.linalg.qr(self.numbers.standard_normal((DIM, DIM)))[0].astype(np.float32)
        self.common = 1.2 * unit(self.numbers.standard_normal(DIM).astype(np.float32))
        self.scenes = 0.7 * self._part(max(1, count // 50))
        self.scenes += self._part(400)[(self.numbers.zipf(1.3, len(self.scenes)) - 1) % 400]

    def photos(self, count: int) -> np.ndarray:
        """(count, d) float16 of unit length."""
        at = (self.numbers.random(count) ** 1.5 * len(self.scenes)).astype(np.int64)
        rows = (self.scenes[at] + 0.7 * self._part(count)) @ self.turned + self.common
        return unit(rows).astype(np.float16)

    def texts(self, count: int) -> np.ndarray:
        """(count, d) float32 of unit length."""
        own = unit(self.photos(count).astype(np.float32) - unit(self.common) * 0.67)
        noise = unit(self.numbers.standard_normal(own.shape).astype(np.float32))
        return unit(0.35 * own + (1 - 0.35**2) ** 0.5 * noise)

    def _part(self, count: int) -> np.ndarray:
        return self.numbers.standard_normal((count, DIM), dtype=np.float32) * self.scale


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows of unit length."""
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def main() -> None:
    """Draw, train, search, print the table."""
    options = _options()
    drawn = Drawn(options.photos)
    with tempfile.TemporaryDirectory(prefix="picsift-benchmark-") as folder:
        before = resident()
        index, said = _index(options.kept or Path(folder), drawn, options.photos)
        gc.collect()
        lists = index.lists
        assert lists is not None
        codes = len(index) * DIM * 2
        said["resident for the index, times its codes"] = f"{(resident() - before) / codes:.3f}"
        said["lists, looked into for 32, 128, 1,024 hits"] = f"{len(lists.centroids)}, {lists.probes}"
        said["recall measured by the index itself"] = str(tuple(round(one, 4) for one in lists.recall))
        kinds = {"photos": drawn.photos(options.queries).astype(np.float32), "texts": drawn.texts(options.queries)}
        for name, value in said.items():
            print(f"{name}: {value}", flush=True)
        table = Table(
            "search, one query", "kind", "median ms", "99 % ms", "CPU ms", "recall", title=_title(options.photos)
        )
        looked = {
            kind: [index.search(one, FIRST_LOOK, exact=True)[0][0] for one in queries[: options.exact]]
            for kind, queries in kinds.items()
        }
        for names in GROUPS:  # those of one group take turns, query by query: the machine may have other work
            made = {}
            for name in names:
                if name.split()[0] in options.without:
                    continue
                try:
                    made[name] = SEARCHES[name](index, Path(folder))
                except ImportError as error:
                    print(f"{name}: left out, {error}")
            for kind, queries in kinds.items():
                for name, figures in _in_turns(made, queries, looked[kind]).items():
                    table.add_row(name, kind, *figures)
            made.clear()
            gc.collect()
            Console(width=110).print(table)  # as far as it is: the rest may take long
        index.close()


def _index(folder: Path, drawn: Drawn, count: int) -> tuple[VectorIndex, dict[str, str]]:
    """The trained index, and what it took."""
    index = VectorIndex.open(folder, dim=DIM, fingerprint="drawn", device="cpu", exact_up_to=0)
    said: dict[str, str] = {}
    if not len(index):
        started = time.perf_counter()
        for start in range(0, count, 16_384):
            size = min(16_384, count - start)
            index.add(np.arange(start, start + size), drawn.photos(size))
        said["drawn and added"] = f"{time.perf_counter() - started:.0f} s"
        index.save(1)
    started, slowest, searches = time.perf_counter(), 0.0, 0
    index.tend()
    while index._training._thread is not None and index._training._thread.is_alive():
        asked = time.perf_counter()
        index.search(index.sample(1)[0].astype(np.float32), HITS)
        slowest, searches = max(slowest, time.perf_counter() - asked), searches + 1
        index._training.wait(0.5)
    said["trained in the background"] = f"{time.perf_counter() - started:.0f} s"
    said["searches meanwhile, the slowest"] = f"{searches}, {slowest * 1000:.0f} ms"
    started = time.perf_counter()
    index.add(np.arange(count, count + 100), drawn.photos(100))
    said["100 added"] = f"{(time.perf_counter() - started) * 1000:.0f} ms"
    started = time.perf_counter()
    index.remove(np.arange(count, count + 100))
    said["100 removed"] = f"{(time.perf_counter() - started) * 1000:.0f} ms"
    return index, said


def _picsift(hits: int) -> Callable[[VectorIndex, Path], tuple[Search, int]]:
    return lambda index, _: (lambda query: index.search(query, hits)[0][0], hits)


def _exact(index: VectorIndex, _: Path) -> tuple[Search, int]:
    return lambda query: index.search(query, HITS, exact=True)[0][0], HITS


def _faiss(hits: int) -> Callable[[VectorIndex, Path], tuple[Search, int]]:
    """The same lists in FAISS's own index, alone."""

    def make(index: VectorIndex, _: Path) -> tuple[Search, int]:
        faiss, lists, rows = load_faiss(), index.lists, index._rows
        assert lists is not None
        coarse = faiss.IndexFlatIP(DIM)
        coarse.add(lists.centroids)
        half = faiss.ScalarQuantizer.QT_fp16
        alone = faiss.IndexIVFScalarQuantizer(
            coarse, DIM, len(lists.centroids), half, faiss.METRIC_INNER_PRODUCT, False
        )
        alone.is_trained = True
        halves, ids = rows.halves().view(np.uint8), rows.table.by_row
        for at, (start, end) in enumerate(zip(lists.starts[:-1], lists.starts[1:], strict=True)):
            codes, numbers = np.ascontiguousarray(halves[start:end]), np.ascontiguousarray(ids[start:end])
            if len(numbers):
                alone.invlists.add_entries(at, len(numbers), faiss.swig_ptr(numbers), faiss.swig_ptr(codes))
        alone.ntotal = len(ids)
        alone.nprobe = lists.probes_for(hits) or len(lists.centroids)
        alone.referenced_objects = [coarse]
        return lambda query: alone.search(query[None], hits)[1][0], hits

    return make


def _numpy(index: VectorIndex, _: Path) -> tuple[Search, int]:
    rows, ids = index._rows.halves().astype(np.float32), index._rows.table.by_row

    def search(query: np.ndarray) -> np.ndarray:
        scores = rows @ query
        best = np.argpartition(-scores, HITS)[:HITS]
        return ids[best[np.argsort(-scores[best])]]

    return search, HITS


def _usearch(index: VectorIndex, _: Path) -> tuple[Search, int]:
    from usearch.index import Index

    other = Index(ndim=DIM, metric="ip", dtype="f16", expansion_add=64, expansion_search=128)
    other.add(index._rows.table.by_row.astype(np.uint64), index._rows.halves(), threads=os.cpu_count() or 1)
    return lambda query: other.search(query.astype(np.float16), HITS, threads=1).keys.astype(np.int64), HITS


def _hnswlib(index: VectorIndex, _: Path) -> tuple[Search, int]:
    import hnswlib

    other = hnswlib.Index(space="ip", dim=DIM)
    other.init_index(max_elements=len(index), ef_construction=100, M=16)
    for start in range(0, len(index), 16_384):
        part = slice(start, start + 16_384)
        other.add_items(index._rows.halves()[part].astype(np.float32), index._rows.table.by_row[part])
    other.set_ef(128)
    other.set_num_threads(1)
    return lambda query: other.knn_query(query[None], HITS)[0][0].astype(np.int64), HITS


def _sqlite_vec(index: VectorIndex, folder: Path) -> tuple[Search, int]:
    import apsw  # many a Python's own sqlite3 loads no extensions
    import sqlite_vec

    base = apsw.Connection(str(folder / "vec.db"))
    base.enable_load_extension(True)
    base.load_extension(sqlite_vec.loadable_path())
    base.execute(f"CREATE VIRTUAL TABLE v USING vec0(e float[{DIM}] distance_metric=cosine)")
    halves, ids = index._rows.halves(), index._rows.table.by_row.tolist()
    with base:
        for start in range(0, len(ids), 16_384):
            rows = halves[start : start + 16_384].astype(np.float32)
            numbered = zip(ids[start : start + 16_384], rows, strict=True)
            base.executemany("INSERT INTO v(rowid, e) VALUES (?, ?)", ((at, row.tobytes()) for at, row in numbered))
    asked = "SELECT rowid FROM v WHERE e MATCH ? AND k = ? ORDER BY distance"
    return lambda query: np.array([row[0] for row in base.execute(asked, (query.tobytes(), HITS))]), HITS


SEARCHES: dict[str, Callable[[VectorIndex, Path], tuple[Search, int]]] = {
    "picsift": _picsift(HITS),
    "faiss alone": _faiss(HITS),
    "picsift, 513 hits": _picsift(FIRST_LOOK),
    "faiss alone, 513 hits": _faiss(FIRST_LOOK),
    "picsift, exact": _exact,
    "numpy": _numpy,
    "sqlite-vec": _sqlite_vec,
    "usearch": _usearch,
    "hnswlib": _hnswlib,
}

GROUPS = (
    ("picsift", "faiss alone", "picsift, 513 hits", "faiss alone, 513 hits", "picsift, exact"),
    ("numpy",),  # alone: its threads go on spinning for a while after each product
    ("sqlite-vec",),
    ("usearch",),
    ("hnswlib",),
)


def _in_turns(
    searches: dict[str, tuple[Search, int]], queries: np.ndarray, exact: list[np.ndarray]
) -> dict[str, tuple[str, str, str, str]]:
    """Of each search median and 99th percentile of wall time, median of CPU time, and recall."""
    took, used, found = ({name: [] for name in searches} for _ in range(3))
    for query in queries:
        for name, (search, _) in searches.items():
            if sum(took[name]) > 30_000:
                continue
            started, cpu = time.perf_counter(), time.process_time()
            found[name].append(search(query))
            used[name].append((time.process_time() - cpu) * 1000)
            took[name].append((time.perf_counter() - started) * 1000)
    figures = {}
    for name, (_, hits) in searches.items():
        pairs = [(ours, theirs[:hits]) for ours, theirs in zip(found[name], exact, strict=False)]
        recall = sum(len(np.intersect1d(*pair)) for pair in pairs) / sum(len(theirs) for _, theirs in pairs)
        times = np.median(took[name]), np.percentile(took[name], 99), np.median(used[name])
        figures[name] = (*(f"{one:.1f}" for one in times), f"{recall:.4f}")
    return figures


def resident() -> int:
    """Bytes of resident memory, 0 where the system does not say."""
    with suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _title(photos: int) -> str:
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return f"{photos:,} x {DIM}, {HITS} hits, {os.cpu_count()} cores, load {load:.1f}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the search index in lists.")
    parser.add_argument("--photos", type=int, default=1_000_000, help="how many (%(default)s)")
    parser.add_argument("--queries", type=int, default=200, help="of each kind (%(default)s)")
    parser.add_argument("--exact", type=int, default=100, help="of them whose recall is measured (%(default)s)")
    parser.add_argument("--without", nargs="*", default=[], help="first words of the searches to leave out")
    parser.add_argument("--kept", type=Path, help="where the vectors are kept for another run, which trains anew")
    return parser.parse_args()


if __name__ == "__main__":
    main()
