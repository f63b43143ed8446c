"""Exact float16 search on an NVIDIA GPU, as a share of the memory rate measured in the same run.

    python benchmarks/search_gpu.py                   # 1 and 10 million x 512; about 3 minutes, 60 GB of memory
    python benchmarks/search_gpu.py --rows 1000000    # 6 GB of memory, 2 GB on the GPU
    python benchmarks/search_gpu.py --self-test       # the same steps on a small index, on the CPU

One search reads every row once: rows x dim x 2 bytes, over the time it takes, over the rate at which torch reads as
many bytes. The ways: the product's candidates on the GPU alone, its `VectorIndex.search` (candidates, then the exact
scores from the CPU's rows), FAISS's `GpuIndexFlatIP` where faiss-gpu is installed, and bare `torch.mv` or `torch.mm`
with `topk`. Every answer is held against float32 sums of the same rows; exit status 1 where one differs, or
where no GPU answers.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from indexer.vectors.faiss_module import load_faiss
from indexer.vectors.gpu_mirror import flat_on_gpu, gpu_count, open_mirror
from indexer.vectors.index import VectorIndex
from indexer.vectors.torch_flat import TorchFlat

_K = 20
_CHUNK = 262_144  # rows made or checked at once
_TOLERANCE = 1e-3  # of a score: half precision of the query, and of the GPU's own sums


def main() -> int:
    """Measure every size, print a table, give the exit status."""
    options = _options()
    if not options.self_test and not torch.cuda.is_available():
        print("No GPU answers: torch sees none. Try the script itself with --self-test.", file=sys.stderr)
        return 1
    device = "cpu" if options.self_test else "cuda"
    name = "a CPU in its place (self-test)" if options.self_test else torch.cuda.get_device_name()
    print(f"{name}, {os.cpu_count()} cores; FAISS {load_faiss().__version__}, torch {torch.__version__}\n")
    wrong = 0
    for count in options.rows:
        wrong += _measure(count, options, device)
    return 1 if wrong else 0


def _measure(count: int, options: argparse.Namespace, device: str) -> int:
    """Search `count` rows in all ways; return how many answers were wrong."""
    torch.manual_seed(0)
    rows = _rows(count, options.dim, device)  # (n, d) float16 on the device
    queries = torch.nn.functional.normalize(torch.randn(options.batch, options.dim, device=device), dim=1)
    rate = _read_rate(rows)
    print(f"{count:,} x {options.dim}: torch reads {rate / 1e9:,.0f} GB/s", flush=True)
    asked = queries.cpu().numpy()
    truth = _truth(rows, queries)
    lines: list[tuple[str, float, float, int]] = []
    halves = queries.half()
    for number in (1, options.batch):
        mine = halves[:number]
        lines.append(_line(f"torch, {number}", lambda mine=mine: _torch_search(rows, mine), number, truth))
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="picsift-gpu-") as folder:
        index = _filled(Path(folder), rows, options)
        filled = time.perf_counter() - begun
        mirror = index._mirror
        if mirror is None:
            print("  the GPU was given up: see the warning", file=sys.stderr)
            return 1
        for number in (1, options.batch):
            mine_np = asked[:number]
            lines.append(
                _line(f"picsift's candidates, {number}", lambda q=mine_np: mirror.candidates(q, _K), number, truth)
            )
            lines.append(_line(f"picsift's VectorIndex, {number}", lambda q=mine_np: _stacked(index, q), number, truth))
    if gpu_count():
        flat = flat_on_gpu(options.dim, 0)
        for start in range(0, count, _CHUNK):
            flat.add(rows[start : start + _CHUNK].float().cpu().numpy())
        for number in (1, options.batch):
            mine_np = asked[:number]
            lines.append(
                _line(f"FAISS GpuIndexFlatIP, {number}", lambda q=mine_np: flat.search(q, _K)[::-1], number, truth)
            )
    print(f"  filled in {filled:.1f} s, into main memory and onto the GPU")
    print("| search | ms | queries/s | GB/s | of the memory rate | wrong |\n|---|---|---|---|---|---|")
    for name, seconds, number, wrong in ((a, b, int(c), d) for a, b, c, d in lines):
        read = count * options.dim * 2 / seconds
        print(
            f"| {name} | {seconds * 1000:.3f} | {number / seconds:,.0f} | {read / 1e9:,.0f} "
            f"| {read / rate:.0%} | {wrong} |"
        )
    print(flush=True)
    return sum(wrong for *_, wrong in lines)


def _rows(count: int, dim: int, device: str) -> torch.Tensor:
    """Clustered unit vectors: (count, dim) float16 on the device."""
    centres = torch.randn(max(8, count // 500), dim, device=device)
    rows = torch.empty(count, dim, dtype=torch.float16, device=device)
    for start in range(0, count, _CHUNK):
        size = min(_CHUNK, count - start)
        chosen = centres[torch.randint(len(centres), (size,), device=device)]
        noisy = chosen + 0.7 * torch.randn(size, dim, device=device)
        rows[start : start + size] = torch.nn.functional.normalize(noisy, dim=1).half()
    return rows


def _filled(folder: Path, rows: torch.Tensor, options: argparse.Namespace) -> VectorIndex:
    def stand_in(dim: int, device: str):  # type: ignore[no-untyped-def]
        return open_mirror(dim, device, lambda dim, _: TorchFlat(dim, "cpu"))

    index = VectorIndex.open(
        folder,
        dim=options.dim,
        fingerprint="0" * 64,
        device="cuda",
        mirror=stand_in if options.self_test else open_mirror,
    )
    index.add(np.arange(len(rows)), rows.cpu().numpy())
    return index


def _truth(rows: torch.Tensor, queries: torch.Tensor) -> np.ndarray:
    """Return the _K best scores of each query, by float32 sums: (q, k), falling."""
    best = torch.full((len(queries), _K), -2.0, device=rows.device)
    for start in range(0, len(rows), _CHUNK):
        scores = queries @ rows[start : start + _CHUNK].float().T
        best = torch.cat([best, scores.topk(min(_K, scores.shape[1]), dim=1).values], dim=1).topk(_K, dim=1).values
    return best.cpu().numpy()


def _torch_search(rows: torch.Tensor, queries: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    if len(queries) == 1:
        found = torch.mv(rows, queries[0])[None].topk(_K, dim=1)
    else:  # in parts whose scores fit the cache of no GPU, yet its memory
        parts = []
        for start in range(0, len(rows), 2**21):
            part = (queries @ rows[start : start + 2**21].T).topk(_K, dim=1)
            parts.append((part.values, part.indices + start))
        values, ids = (torch.cat(column, dim=1) for column in zip(*parts, strict=True))
        best = values.topk(_K, dim=1)
        return ids.gather(1, best.indices).cpu().numpy(), best.values.float().cpu().numpy()
    return found.indices.cpu().numpy(), found.values.float().cpu().numpy()


def _stacked(index: VectorIndex, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    found = index.search(queries, _K)
    return np.stack([ids for ids, _ in found]), np.stack([scores for _, scores in found])


def _line(
    name: str, search: Callable[[], tuple[np.ndarray, np.ndarray]], number: int, truth: np.ndarray
) -> tuple[str, float, float, int]:
    """Time a search and count the queries whose scores are not the best ones."""
    _, scores = search()
    off = np.abs(scores - truth[: len(scores)]).max(axis=1)
    return name, _median(search), number, int((off > _TOLERANCE).sum())


def _median(step: Callable[[], object]) -> float:
    """Return the median time of a step in seconds; each step's result comes back to main memory, or it synchronises."""
    took: list[float] = []
    while len(took) < 7 or (sum(took) < 1 and len(took) < 200):
        begun = time.perf_counter()
        step()
        took.append(time.perf_counter() - begun)
    return float(np.median(took))


def _read_rate(rows: torch.Tensor) -> float:
    """Return at how many bytes/s the largest of a whole array is found, which reads it once."""
    whole = rows.view(torch.int32)
    int(whole.max())
    return rows.nbytes / _median(lambda: int(whole.max()))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--batch", type=int, default=256, help="queries in a batch (%(default)s)")
    parser.add_argument("--self-test", action="store_true", help="20,000 rows, on the CPU")
    options = parser.parse_args()
    if options.self_test:
        options.rows = [20_000]
    return options


if __name__ == "__main__":
    sys.exit(main())
