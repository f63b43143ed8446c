"""How long the second `picsift index` takes over a library in which nothing changed, start of the process included.

    .venv/bin/python benchmarks/rescan.py [--photos 200000] [--model PATH]

The photos are tiny files in folders of a hundred, indexed once; beside it, a walk that lists and stats the same files
and does nothing else. Goals: 2 s for 20,000 files; 4 s and 300 MB for 200,000.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image


def write_photos(folder: Path, number: int) -> None:
    """Write small JPEGs, no two alike."""
    rng = np.random.default_rng(0)
    for i in range(number):
        buffer = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(buffer, "JPEG")
        path = folder / f"{i // 100:04}" / f"{i:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(buffer.getvalue())


def index(folder: Path, library: Path, model: str | None = None) -> tuple[float, int, dict[str, object]]:
    """Run the command; seconds of wall time, peak of its memory in MB (workers are processes of their own), report."""
    command = [sys.executable, "-m", "app.launch", "index", str(folder), "--library", str(library), "--json"]
    command += ["--model", model] if model else []
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        told = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, told
    return time.perf_counter() - begun, used.ru_maxrss // 1024, json.loads(told)


def walk(folder: Path) -> float:
    """Seconds to list and stat every file."""
    begun = time.perf_counter()
    for path, _, names in os.walk(folder):
        for name in names:
            os.stat(f"{path}/{name}")  # noqa: PTH116  (a Path for each would cost more than the call)
    return time.perf_counter() - begun


def main() -> None:
    """Index once, then five times more, and print what those took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=20_000)
    parser.add_argument("--model", help="a checkpoint; a tiny one makes the first run short")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="picsift-benchmark-") as name:
        photos, library = Path(name) / "photos", Path(name) / "library"
        write_photos(photos, args.photos)
        first, first_mb, report = index(photos, library, args.model)
        assert report["added"] == args.photos, report
        again = []
        for _ in range(5):
            seconds, memory_mb, report = index(photos, library)
            assert report["unchanged"] == args.photos, report
            again.append((seconds, memory_mb))
        walked = sorted(walk(photos) for _ in range(5))[2]
    seconds, memory_mb = sorted(again)[2][0], max(memory for _, memory in again)
    folders = -(-args.photos // 100)
    print(f"| run over {args.photos:,} files in {folders:,} folders | seconds | peak MB |\n|---|---|---|")
    print(f"| first | {first:.1f} | {first_mb} |")
    runs = ", ".join(f"{one:.2f}" for one, _ in again)
    print(f"| again, nothing changed: median of 5 ({runs}) | {seconds:.2f} | {memory_mb} |")
    print(f"| os.walk and os.stat of the same files alone, median of 5 | {walked:.2f} | |")
    print(f"| ratio | {seconds / walked:.1f} | |")


if __name__ == "__main__":
    main()
