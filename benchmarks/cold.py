"""How long a search takes from the start of its process to its hits, beside torch, ONNX Runtime, and the floor.

    python benchmarks/cold.py                        # 300,000 photos, the built-in model; about 4 minutes
    python benchmarks/cold.py --library DIR          # a library that `search.py`, or picsift, has made
    python benchmarks/cold.py --photos 20000 --runs 5

    python benchmarks/cold.py --before DIR           # and another checkout of picsift, in the same turns

With a running server `picsift search` lets that answer; it is started once, and ended behind the last turn. A machine
that is so busy that the server does not greet in 0.3 s shows the command's own time there: "least" tells that.

Each side is a process of its own; all are started in turns, after one round that is not counted and lets the system
hold their files in memory. Shown are medians, and ratios to the floor of the same runs. The torch side is this picsift
told to embed words with torch. The ONNX side imports onnxruntime and opens a text tower as large as a ViT-B/32's, as
rclip 4 does before each search, and searches nothing.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table
from search import build

from app.running.asking import ask

WORDS = ("two dogs on a beach", "a cyclist at night", "three friends in the snow", "an old man by the lake")
TORCH = (
    "from indexer.embedder import Embedder; Embedder._text_encoder = lambda self: None; "
    "from app.launch import main; main()"
)
ONNX = "import sys, onnxruntime; onnxruntime.InferenceSession(sys.argv[1], providers=['CPUExecutionProvider'])"
FLOOR = "import numpy, faiss"
SHARE_OF_BEFORE, BEFORE_S = 0.25, 2.8  # the goals: of what it took, on the machine that RESULTS.md names
TIMES_FLOOR, PLUS_S = 1.5, 0.2
UP_WITHIN_S = 120


def main() -> None:
    """Make the library and the ONNX model unless they are given, run all sides in turns, print the table."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="picsift-benchmark-") as folder:
        library = (options.library or Path(folder) / "library").absolute()  # sides run in another folder
        if options.library is None:
            build(library, "builtin", options.photos)
        sides = _sides(library, Path(folder), options.before)
        with _serving(library):
            load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
            took = _in_turns(sides, options.runs)
    _show(took, load, options)


def _sides(library: Path, folder: Path, before: Path | None) -> dict[str, list[str]]:
    """What is measured: the command of each side, words come last."""
    python, search = sys.executable, ["search", "--library", str(library)]
    sides = {
        "picsift search": [python, "-m", "app.launch", *search, "--no-server"],
        "the same with a running server": [python, "-m", "app.launch", *search],
        "the same with torch": [python, "-c", TORCH, *search, "--no-server"],
        "import numpy, faiss (the floor)": [python, "-c", FLOOR],
        "import torch": [python, "-c", "import torch"],
        "picsift --version": [python, "-m", "app.launch", "--version"],
    }
    if before is not None:
        code = f"import sys; sys.path.insert(0, {str(before)!r}); from app.launch import main; main()"
        sides["picsift search of before"] = [python, "-c", code, *search, "--no-server"]
    if importlib.util.find_spec("onnx") and importlib.util.find_spec("onnxruntime"):
        sides["onnxruntime opens a text tower"] = [python, "-c", ONNX, str(_exported(folder / "text.onnx"))]
    return sides


@contextmanager
def _serving(library: Path) -> Iterator[None]:
    """A server of the library that answers commands, for as long as the block runs; ends where it answers none."""
    command = [sys.executable, "-m", "app.launch", "serve", "--port", "0", "--library", str(library)]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        last = time.monotonic() + UP_WITHIN_S
        while ask("search", [WORDS[0], "--library", str(library)]) is None:
            if server.poll() is not None or time.monotonic() > last:
                raise SystemExit("the server did not come up, or answers no command: see PICSIFT_ASK_SERVER")
            time.sleep(0.1)
        yield
    finally:
        server.terminate()
        server.wait()


def _exported(path: Path) -> Path:
    """A text tower as large as a ViT-B/32's, random, in float32: 254 MB."""
    import torch

    from clip_model.sizes.presets import PRESETS
    from clip_model.towers.text import TextTransformer

    class Tower(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.text = TextTransformer(PRESETS["ViT-B-32"])

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            return self.text.encode_text(tokens)

    tokens = torch.full((1, 77), 49407)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # that the shape of the example is kept
        torch.onnx.export(Tower().eval(), (tokens,), str(path), opset_version=17, dynamo=False)
    return path


def _in_turns(sides: dict[str, list[str]], runs: int) -> dict[str, list[float]]:
    took: dict[str, list[float]] = {name: [] for name in sides}
    for run in range(runs + 1):
        for name, command in sides.items():
            words = [f"{WORDS[run % len(WORDS)]} {run}"] if "search" in command else []
            seconds = _timed([*command, *words])
            if run:
                took[name].append(seconds)
    return took


def _timed(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, cwd=tempfile.gettempdir())
    return time.perf_counter() - started


def _show(took: dict[str, list[float]], load: float, options: argparse.Namespace) -> None:
    medians = {name: statistics.median(seconds) for name, seconds in took.items()}
    floor = medians["import numpy, faiss (the floor)"]
    where = f"{os.cpu_count()} cores, load {load:.1f} before, {options.runs} runs in turns"
    table = Table("process", "median s", "least s", "most s", "of the floor", title=where)
    for name, seconds in took.items():
        row = (f"{value:.2f}" for value in (medians[name], min(seconds), max(seconds), medians[name] / floor))
        table.add_row(name, *row)
    if "onnxruntime opens a text tower" not in took:
        table.add_row("onnxruntime opens a text tower", "not installed")
    console = Console(width=110)
    console.print(table)
    own, torch = medians["picsift search"], medians["the same with torch"]
    console.print(
        f"of the search with torch: {own / torch:.2f}; goal of {BEFORE_S} s before: {SHARE_OF_BEFORE * BEFORE_S:.2f} s"
    )
    by_floor = TIMES_FLOOR * floor + PLUS_S
    console.print(f"goal by the floor ({TIMES_FLOOR} times it and {PLUS_S} s): {by_floor:.2f} s; took {own:.2f} s")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure a search from a cold start.")
    parser.add_argument("--photos", type=int, default=300_000, help="how many rows the library has (%(default)s)")
    parser.add_argument("--runs", type=int, default=9, help="of each side (%(default)s)")
    parser.add_argument("--before", type=Path, help="another checkout of picsift to measure beside this one")
    parser.add_argument("--library", type=Path, help="a library to search, instead of one made for this")
    return parser.parse_args()


if __name__ == "__main__":
    main()
