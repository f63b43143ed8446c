"""How soon `picsift watch` ends after SIGTERM, at rest and in the middle of indexing: the goal is two seconds.

    .venv/bin/python benchmarks/stopping.py [--photos 400] [--runs 5] [--model PATH]

Beside each figure stands the time that `picsift --version` takes on the same machine, as a measure of how busy it is.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rescan import write_photos

PICSIFT = [sys.executable, "-m", "app.launch"]


def main() -> None:
    """Stop it a few times at each moment, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=400)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--model", help="a checkpoint; a tiny one makes the runs short")
    args = parser.parse_args()
    print("| stopped | seconds, median | worst | --version |\n|---|---|---|---|")
    for moment in ("at rest", "at work"):
        took, usual = [], []
        for _ in range(args.runs):
            with tempfile.TemporaryDirectory(prefix="picsift-benchmark-") as name:
                write_photos(Path(name) / "photos", args.photos)
                took.append(stop(Path(name), moment, args.model))
            usual.append(seconds_of([*PICSIFT, "--version"]))
        print(f"| {moment} | {statistics.median(took):.2f} | {max(took):.2f} | {statistics.median(usual):.2f} |")


def stop(folder: Path, moment: str, model: str | None) -> float:
    """Start the daemon, wait for the moment, and give the seconds from the signal to the end."""
    environment = {**os.environ, "PICSIFT_LIBRARY": str(folder / "library")}
    environment |= {"PICSIFT_MODEL": model} if model else {}
    command = [*PICSIFT, "watch", str(folder / "photos"), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment) as process:
        assert process.stdout is not None
        if moment == "at rest":
            assert json.loads(process.stdout.readline())["added"]
        else:
            while not any((folder / "library").glob("thumbnails/*/*")):
                time.sleep(0.01)
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        return time.monotonic() - begun


def seconds_of(command: list[str]) -> float:
    """How long a command takes."""
    begun = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begun


if __name__ == "__main__":
    main()
