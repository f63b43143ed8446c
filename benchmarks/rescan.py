"""How long the second `picsift index` takes over a library in which nothing changed, start of the process included.

    .venv/bin/python benchmarks/rescan.py [--photos 20000]

The photos are tiny files in folders of a hundred, indexed once with the built-in model. The goal is 2 s for 20,000.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

GOAL_S = 2.0


def write_photos(folder: Path, number: int) -> None:
    """Write small JPEGs, no two alike."""
    rng = np.random.default_rng(0)
    for i in range(number):
        buffer = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(buffer, "JPEG")
        path = folder / f"{i // 100:04}" / f"{i:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(buffer.getvalue())


def index(folder: Path, library: Path) -> tuple[float, dict[str, object]]:
    """Run the command; seconds of wall time and its report."""
    command = [sys.executable, "-m", "app.cli", "index", str(folder), "--library", str(library), "--json"]
    begun = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return time.perf_counter() - begun, json.loads(done.stdout)


def main() -> None:
    """Index once, then five times more, and print what those took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=20_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="picsift-benchmark-") as name:
        photos, library = Path(name) / "photos", Path(name) / "library"
        write_photos(photos, args.photos)
        first, report = index(photos, library)
        assert report["added"] == args.photos, report
        again = []
        for _ in range(5):
            seconds, report = index(photos, library)
            assert report["unchanged"] == args.photos, report
            again.append(seconds)
    print(f"| run over {args.photos:,} files | seconds |\n|---|---|")
    print(f"| first | {first:.1f} |")
    runs = ", ".join(f"{seconds:.2f}" for seconds in again)
    print(f"| again, nothing changed: median of 5 ({runs}) | {sorted(again)[2]:.2f} |")
    print(f"| goal for 20,000 | {GOAL_S:.1f} |")


if __name__ == "__main__":
    main()
