"""What the standard streams of a command do with names that are no text, and where nobody reads them."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[4]
WRITE = "from app.cli.terminal.streams import write; write('x' * 100_000, '')"


def written_to(stdout, code=WRITE):
    return subprocess.run([sys.executable, "-c", code], stdout=stdout, stderr=subprocess.PIPE, cwd=ROOT, check=False)


def test_a_reader_that_has_enough_is_no_trouble():
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as nobody:
        done = written_to(nobody)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_full_disk_is_a_sentence():
    with Path("/dev/full").open("w") as full:
        done = written_to(full)
    assert done.returncode
    assert done.stderr.startswith(b"picsift: No space left on device.")


def test_nothing_fits_on_a_full_disk():
    with Path("/dev/full").open("w") as full:
        done = written_to(full, WRITE.replace("'x' * 100_000, ''", "'', 'no photo'"))
    assert (done.returncode, done.stderr) == (0, b"no photo")
