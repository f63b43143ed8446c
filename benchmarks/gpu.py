"""The search index and the built-in model on an NVIDIA GPU: the same answers as the CPU's, and how fast.

    python benchmarks/gpu.py                         # 1,000,000 x 512; about 4 minutes, 8 GB of memory, 2 GB on the GPU
    python benchmarks/gpu.py --self-test             # the same steps on a small index, a CPU index in place of the GPU

Exit status 1, and a sentence, where no GPU answers or an answer differs. Needs the extra `gpu`; it stands alone
otherwise and writes to a temporary folder only.
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
from rich.console import Console
from rich.table import Table

from indexer.vectors.faiss_module import load_faiss
from indexer.vectors.gpu_mirror import GpuMirror, gpu_count, open_mirror
from indexer.vectors.index import VectorIndex
from indexer.vectors.scanning import Found
from indexer.vectors.torch_flat import driver_present

_FINGERPRINT = "0" * 64
_TOLERANCE = 1e-3  # of a score
_K = 20


def main() -> int:
    """Run every check and measure; give the exit status."""
    options = _options()
    if options.self_test:
        options.rows = min(options.rows, 20_000)
    elif not driver_present() and not gpu_count():
        print("No GPU answers: no NVIDIA driver is there. Try the script itself with --self-test.", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="picsift-gpu-") as folder:
        trial = Trial(Path(folder), options)
        if trial.gpu.device == "cpu":
            print("No GPU answers: the probe search failed, for the reason in the warning above.", file=sys.stderr)
            return 1
        trial.check_all()
        trial.time_all()
    if not options.no_model:
        trial.rows += _model_rows(options)
    _print(trial, options)
    return 1 if trial.differences else 0


class Trial:
    """The same changes to an index on the CPU and to one on the GPU, their answers compared after each."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.options = options
        self.folder = folder
        self.rows: list[tuple[str, str, str]] = []
        self.differences = 0
        self.numbers = np.random.default_rng(0)
        self.centres = self.numbers.standard_normal((max(8, options.rows // 500), options.dim), dtype=np.float32)
        self.cpu = self._open("cpu")
        self.gpu = self._open("gpu")
        self.queries = self.vectors(options.batch).astype(np.float32)

    def vectors(self, count: int) -> np.ndarray:
        """Clustered unit vectors: (count, dim) float16."""
        rows = np.empty((count, self.options.dim), np.float16)
        for start in range(0, count, 65_536):
            size = min(65_536, count - start)
            noise = self.numbers.standard_normal((size, self.options.dim), dtype=np.float32)
            chunk = self.centres[self.numbers.integers(0, len(self.centres), size)] + 0.7 * noise
            rows[start : start + size] = chunk / np.linalg.norm(chunk, axis=1, keepdims=True)
        return rows

    def _open(self, name: str) -> VectorIndex:
        mirror: Callable[[int, str], GpuMirror | None] = open_mirror
        if name == "gpu" and self.options.self_test:

            def mirror(dim: int, device: str) -> GpuMirror | None:
                return open_mirror(dim, device, lambda dim, _: load_faiss().IndexFlatIP(dim))

        return VectorIndex.open(
            self.folder / name,
            dim=self.options.dim,
            fingerprint=_FINGERPRINT,
            device="cuda" if name == "gpu" else "cpu",
            mirror=mirror,
        )

    def check_all(self) -> None:
        """Add, replace, remove, search among allowed ids, save and load: the same on both."""
        count = self.options.rows
        vectors = self.vectors(count)
        self._both("add", lambda index: _add(index, vectors))
        self._compare("add")
        self._compare_raw()
        again = self.numbers.permutation(count)[: count // 20]
        other = self.vectors(len(again))
        self._both("replace 5 %", lambda index: index.add(again, other))
        self._compare("replace")
        gone = self.numbers.permutation(count)[: count // 10]
        self._both("remove 10 %", lambda index: index.remove(gone))
        self._compare("remove")
        for share in (0.0005, 0.01, 0.1, 0.5, 0.99):
            allowed = np.sort(self.numbers.permutation(count)[: int(count * share)])
            self._compare(f"among {share:.2%} allowed", allowed=allowed)
        self._compare("the 1,500 best", k=1500, queries=16)
        self._compare("the 5,000 best", k=5000, queries=4)
        self._both("save", lambda index: index.save(1))
        started = time.perf_counter()
        self.cpu = self._open("cpu")
        middle = time.perf_counter()
        self.gpu = self._open("gpu")
        self.rows.append(("load", _seconds(middle - started), _seconds(time.perf_counter() - middle)))
        self._compare("load")
        if self.gpu.device == "cpu":
            self._say("GPU to the end", "it was given up on the way: see the warning")

    def time_all(self) -> None:
        """Time one query and a batch on both."""
        batch = self.options.batch
        tenth = np.arange(0, self.options.rows, 10)
        for name, queries, allowed in [
            ("one query", 1, None),
            (f"{batch} queries", batch, None),
            ("one query, 10 % allowed", 1, tenth),
        ]:
            took = [_median_ms(index, self.queries[:queries], allowed) for index in (self.cpu, self.gpu)]
            self.rows.append((name, f"{took[0]:.2f} ms", f"{took[1]:.2f} ms ({took[0] / took[1]:.1f} times as fast)"))

    def _both(self, name: str, change: Callable[[VectorIndex], object]) -> None:
        took = []
        for index in (self.cpu, self.gpu):
            started = time.perf_counter()
            change(index)
            took.append(_seconds(time.perf_counter() - started))
        self.rows.append((name, took[0], took[1]))

    def _compare(
        self, name: str, *, k: int = _K, allowed: np.ndarray | None = None, queries: int | None = None
    ) -> None:
        asked = self.queries[:queries]
        ours, theirs = self.gpu.search(asked, k, allowed), self.cpu.search(asked, k, allowed)
        worst = max(float(np.abs(one[1] - other[1]).max(initial=0)) for one, other in zip(ours, theirs, strict=True))
        if not all(_same(one, other) for one, other in zip(ours, theirs, strict=True)):
            self._say(f"same ids after: {name}", "NO")
        elif worst > _TOLERANCE:
            self._say(f"same scores after: {name}", f"NO, {worst:.1e} off")
        else:
            self.rows.append((f"same ids, scores: {name}", "", f"yes, {worst:.0e} off at most"))

    def _compare_raw(self) -> None:
        """Hold what the GPU itself computed, before the CPU's rows settle it, to the CPU's scores."""
        mirror = self.gpu._mirror
        if mirror is None:
            return
        ids, scores = mirror.candidates(self.queries, 100)
        exact = [self.cpu.search(query, 100, named)[0] for query, named in zip(self.queries, ids, strict=True)]
        worst = max(
            float(np.abs(score[np.argsort(named)] - found[1][np.argsort(found[0])]).max())
            for named, score, found in zip(ids, scores, exact, strict=True)
        )
        if worst > _TOLERANCE:
            self._say("the GPU's own scores", f"{worst:.1e} off")
        else:
            self.rows.append(("the GPU's own scores", "", f"{worst:.1e} off at most"))

    def _say(self, name: str, trouble: str) -> None:
        self.differences += 1
        self.rows.append((name, "", trouble))


def _model_rows(options: argparse.Namespace) -> list[tuple[str, str, str]]:
    """Pictures a second of the model, batches of ready pixels in, unit vectors out."""
    from clip_model.inference import load_encoder

    speeds = []
    for device in ("cpu", "cpu" if options.self_test else "cuda"):
        try:
            encoder = load_encoder(options.model, device=device)
        except (ValueError, OSError) as error:
            return [(f"model {options.model}", "", f"not measured: {error}")]
        side, batch = encoder.image_size, 256 if device == "cuda" else 32
        pixels = np.random.default_rng(0).standard_normal((batch, 3, side, side), dtype=np.float32)
        encoder.encode_pixels(list(pixels))
        started, done = time.perf_counter(), 0
        while time.perf_counter() - started < (2 if options.self_test else 8):
            encoder.encode_pixels(list(pixels))  # gives numpy, so the GPU has finished
            done += batch
        speeds.append(f"{done / (time.perf_counter() - started):,.0f} images/s ({encoder.precision}, batch {batch})")
    return [(f"model {options.model}", speeds[0], speeds[1])]


def _same(one: Found, other: Found) -> bool:
    """Equal ids, up to the order and the choice among ties."""
    if len(one[0]) != len(other[0]):
        return False
    differ = one[0] != other[0]
    return bool(np.all(np.abs(one[1][differ] - other[1][differ]) <= 1e-6))


def _add(index: VectorIndex, vectors: np.ndarray) -> None:
    for ids in np.array_split(np.arange(len(vectors)), max(1, len(vectors) // 20_000)):
        index.add(ids, vectors[ids])


def _median_ms(index: VectorIndex, queries: np.ndarray, allowed: np.ndarray | None) -> float:
    index.search(queries, _K, allowed)
    took = []
    for _ in range(10):
        started = time.perf_counter()
        index.search(queries, _K, allowed)
        took.append(time.perf_counter() - started)
    return float(np.median(took)) * 1000


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s"


def _print(trial: Trial, options: argparse.Namespace) -> None:
    second = "stand-in for the GPU" if options.self_test else trial.gpu.device
    table = Table("step", f"CPU, {os.cpu_count()} cores", second, title=f"{options.rows:,} x {options.dim}")
    for row in trial.rows:
        table.add_row(*row)
    Console(width=110).print(table)
    if trial.differences:
        print(f"{trial.differences} answers differ from the CPU's: see the table.", file=sys.stderr)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare the index on the GPU with the CPU's, and time both.")
    parser.add_argument("--rows", type=int, default=1_000_000, help="vectors in the index (%(default)s)")
    parser.add_argument("--dim", type=int, default=512, help="their dimension (%(default)s)")
    parser.add_argument("--batch", type=int, default=256, help="queries in a batch (%(default)s)")
    parser.add_argument("--model", default="builtin", help="the model to time, a name or a path (%(default)s)")
    parser.add_argument("--no-model", action="store_true", help="time no model")
    parser.add_argument("--self-test", action="store_true", help="at most 20,000 rows, a CPU index for the GPU's")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
