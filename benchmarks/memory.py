"""Whether memory stays flat: peak of the main process over 5,000 photos and over 50,000, each in a process of its own.

    .venv/bin/python benchmarks/memory.py [--photos 50000] [--model PATH]

The goal is a peak within 10 % of that at a tenth of the photos. Photos are tiny, so that their number is what counts.
The workers that decode hold one photo at a time each, and are not in the figures.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from rescan import index, write_photos


def main() -> None:
    """Index both folders, and print the peaks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=50_000)
    parser.add_argument("--model", help="a checkpoint; a tiny one makes the runs short")
    args = parser.parse_args()
    peaks = []
    print("| photos | peak MB | photos/s |\n|---|---|---|")
    for number in (args.photos // 10, args.photos):
        with tempfile.TemporaryDirectory(prefix="picsift-benchmark-") as name:
            photos, library = Path(name) / "photos", Path(name) / "library"
            write_photos(photos, number)
            seconds, memory_mb, report = index(photos, library, args.model)
            assert report["added"] == number, report
        peaks.append(memory_mb)
        print(f"| {number:,} | {memory_mb} | {number / seconds:.0f} |")
    print(f"| ratio | {peaks[1] / peaks[0]:.2f} | |")


if __name__ == "__main__":
    main()
