"""What a run of the tests means for a landing: `verdict.py OUTCOMES PYTEST...` reads what `tests/outcomes.py` wrote.

A test that failed is run again, by itself, twice. Passing both times makes it FLAKY: a defect that is told, but stops
nothing. Failing once more stops the landing, and so does a test that was skipped for a reason that is not listed here.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ALONE = 2  # runs of a test that failed
MANY = 10  # failures that are no accident: nothing is run again
ALLOWED_SKIPS = [
    r"no GPU that FAISS can use",
    r"needs an NVIDIA GPU",
    r"this FAISS knows GPUs",
    r"this machine has a GPU",
    r"root may (read|write) everywhere|root may read everything",
    r"needs systemd-analyze",
    r"this exiftool does not write",
    r"no namespaces here",
]
PHOTOS = Path(__file__).parents[2] / "shared" / "photos"
if not PHOTOS.is_dir():  # they are not part of the project
    ALLOWED_SKIPS.append(r"the real (files|photos) are not at|needs the photos at")


def main(outcomes: Path, pytest: list[str]) -> int:
    """The exit status of the gate."""
    lines = [json.loads(line) for line in outcomes.read_text().splitlines()]
    if not lines or lines[-1]["outcome"] != "ended" or lines[-1]["status"] not in (0, 1):
        print("the tests did not come to their end")
        return 1
    skipped = [line for line in lines if line["outcome"] == "skipped"]
    silent = [line for line in skipped if not any(re.search(allowed, line["text"]) for allowed in ALLOWED_SKIPS)]
    for line in silent:
        print(f"SKIPPED for a reason that .ci/verdict.py does not list: {line['test']}: {line['text']}")
    first = {line["test"]: line["text"] for line in reversed(lines) if line["outcome"] == "failed"}
    if len(first) > MANY:
        print(f"{len(first)} tests failed: too many to be accidents")
        return 1
    broken = [test for test in first if not passes_alone(test, pytest)]
    for test in first.keys() - set(broken):
        print(f"FLAKY: {test}\n{first[test]}\n(end of FLAKY: {test})")
    for test in broken:
        print(f"BROKEN: {test} failed again when it was run by itself")
    if lines[-1]["status"] and not first:
        print("the tests failed, and none of them said why")
        return 1
    return int(bool(silent or broken))


def passes_alone(test: str, pytest: list[str]) -> bool:
    """Whether a test passes every time that it is run by itself."""
    return all(subprocess.run([*pytest, test], check=False).returncode == 0 for _ in range(ALONE))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
