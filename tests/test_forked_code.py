"""The process that others are forked from is the same one, whichever test is the first to ask for it."""

import os
import subprocess
import sys
from pathlib import Path

from tests import forked_code

PROJECT = Path(__file__).parents[1]

LOADED = """
import os
SEEN = os.environ.get("OF_A_TEST"), os.getcwd()
"""

FIRST_TO_ASK = """
import os, sys, tempfile
from tests import forked_code

forked_code.PRELOADED[:] = ["loaded"]
os.environ |= {"OF_A_TEST": "set", "TMPDIR": sys.argv[1]}
tempfile.tempdir = None
os.chdir(sys.argv[1])
print(forked_code.run("import os, sys; print(*sys.modules['loaded'].SEEN, os.environ['OF_A_TEST'], os.getcwd())"))
"""


def test_it_has_nothing_of_the_test_that_was_the_first(tmp_path):
    folder = tmp_path / ("temporary" * 12)  # longer than the name of a socket may be
    folder.mkdir()
    (tmp_path / "loaded.py").write_text(LOADED)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(PROJECT), *sys.path])}
    command = [sys.executable, "-c", FIRST_TO_ASK, folder]
    first = subprocess.run(command, env=environment, cwd=PROJECT, capture_output=True, text=True, timeout=60)
    said = f"None {PROJECT} set {folder}\n"
    assert first.stdout == f"Ended(returncode=0, stdout={said!r}, stderr='')\n", first.stderr
    assert list(folder.iterdir()) == []


def test_garbage_is_collected_in_what_is_forked():
    assert forked_code.run("import gc; print(gc.isenabled(), gc.get_freeze_count() > 0)").stdout == "True True\n"
