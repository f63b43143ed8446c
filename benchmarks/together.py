"""What a query costs the index of a server, alone and with others: picsift's pass beside FAISS's own search, in turns.

    python benchmarks/together.py                    # 100,000 vectors of 256 dimensions; about a minute
    python benchmarks/together.py --rows 400000 --share 0.1

CPU of the whole process and time, of a process that has torch, as a server has. Tenth percentile of the turns, since
whatever else the machine does makes a turn longer and none shorter. Both give the same, to the bit, which is checked.
"""

from __future__ import annotations

import argparse
import os
import time

import numpy as np
import torch  # noqa: F401  # first, as in a server: FAISS's threads are then torch's

from indexer.vectors.faiss_module import load_faiss
from indexer.vectors.rows import VectorRows
from indexer.vectors.scanning import Floats, Found, Ids, best


def main() -> None:
    """Measure each number of queries, and print a table."""
    options = _options()
    numbers = np.random.default_rng(0)
    rows = _rows(numbers, options.rows, options.dim)
    within = None if options.share is None else np.flatnonzero(numbers.random(options.rows) < options.share)
    wanted = max(20, (options.rows if within is None else len(within)) // 64)  # as a server's first look
    print(f"{options.rows:,} x {options.dim}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    print("| queries | hits | FAISS: CPU ms a query | ms | picsift: CPU ms | ms | CPU of FAISS's |")
    print("|---|---|---|---|---|---|---|")
    for k in (20, wanted):
        for count in (1, 2, 4, 8, 16, 32):
            one, other = _in_turns(rows, within, numbers, count, k, options.turns)
            cells = [f"{cpu / count:.2f} | {wall / count:.2f}" for cpu, wall in (one, other)]
            print(f"| {count} | {k} | {' | '.join(cells)} | {other[0] / one[0]:.2f} |", flush=True)


def _in_turns(
    rows: VectorRows, within: Ids | None, numbers: np.random.Generator, count: int, k: int, turns: int
) -> list[tuple[float, float]]:
    """CPU and wall of one call in ms, of FAISS's own search and of ours."""
    took: tuple[list[tuple[float, float]], ...] = ([], [])
    for _ in range(turns):
        queries = _unit(numbers.standard_normal((count, rows.dim), dtype=np.float32))
        found = []
        for search, times in zip((_by_faiss, VectorRows.search), took, strict=True):
            time.sleep(0.02)  # until threads that the other woke have done with it
            cpu, wall = time.process_time(), time.perf_counter()
            found.append(search(rows, queries, k, within))
            time.sleep(0.01)  # what its threads do behind it is its own
            times.append(((time.process_time() - cpu) * 1000, (time.perf_counter() - wall - 0.01) * 1000))
        for one, other in zip(*found, strict=True):
            assert all(np.array_equal(*parts) for parts in zip(one, other, strict=True)), "they differ"
    return [tuple(np.percentile(times, 10, axis=0).tolist()) for times in took]


def _by_faiss(rows: VectorRows, queries: Floats, k: int, within: Ids | None) -> list[Found]:
    parameters = None
    if within is not None:
        mask = np.zeros(len(rows), np.bool_)
        mask[within] = True
        selected = load_faiss().IDSelectorBitmap(np.packbits(mask, bitorder="little"))
        parameters = load_faiss().SearchParameters(sel=selected)
    scores, at = rows._store.search(queries, k + 8, params=parameters)
    return [best(rows.table.by_row[places], each, k) for places, each in zip(at, scores, strict=True)]


def _rows(numbers: np.random.Generator, count: int, dim: int) -> VectorRows:
    rows, centres = VectorRows(dim), numbers.standard_normal((2000, dim), dtype=np.float32)
    for start in range(0, count, 10_000):
        ids = np.arange(start, min(count, start + 10_000))
        noise = 0.7 * numbers.standard_normal((len(ids), dim), dtype=np.float32)
        rows.put(ids, _unit(centres[numbers.integers(0, 2000, len(ids))] + noise).astype(np.float16))
    return rows


def _unit(vectors: Floats) -> Floats:
    unit: Floats = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000, help="(%(default)s)")
    parser.add_argument("--dim", type=int, default=256, help="of a vector: the built-in model's (%(default)s)")
    parser.add_argument("--share", type=float, help="of the rows that a filter lets pass (all)")
    parser.add_argument("--turns", type=int, default=20, help="(%(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
