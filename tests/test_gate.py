"""The gate: a test that fails now and then is told, one that fails again stops it, and none is skipped in silence."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import forked_code

ROOT = Path(__file__).parents[1]
PYTEST = ["-m", "pytest"]
OPTIONS = ["-q", "-p", "no:cacheprovider"]
RUN = "import sys, pytest; sys.exit(pytest.main(sys.argv[1:]))"
TESTS = """
import os, pytest
from pathlib import Path

def runs(name):
    file = Path(__file__).parent / name
    file.write_text(file.read_text() + "x" if file.exists() else "x")
    return len(file.read_text())

def test_good(): pass

@pytest.mark.parametrize("what", ["a b[c]"])
def test_fails_first(what): assert runs("first") > 1, "only the first time"

def test_fails_second(): assert runs("second") == 2, "every time but one"

def test_fails_once_more(): assert runs("third") not in (1, 3), "the first and the third time"

@pytest.fixture
def breaks(): assert runs("fixture") > 1

def test_breaks_in_its_fixture(breaks): pass

@pytest.mark.skip(reason="needs an NVIDIA GPU")
def test_listed_skip(): pass

@pytest.mark.skip(reason="nobody knows")
def test_silent_skip(): pass

def test_kills(): os.kill(os.getpid(), 9)
"""


@pytest.fixture
def gate(tmp_path):
    """Runs the tests that `-k` selects as .ci/run does; gives the exit status and what was printed."""
    (tmp_path / "test_it.py").write_text(TESTS)

    def run(selected, *how):
        outcomes = tmp_path / "outcomes"
        env = {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # starts are what all of this costs
        env["PYTEST_DEBUG_TEMPROOT"] = str(tmp_path)  # else it ends by clearing away what other runs left
        chosen = ["-p", "tests.outcomes", f"--outcomes={outcomes}", "-k", selected, *how]
        forked_code.run(RUN, *OPTIONS, *chosen, cwd=tmp_path, env=env)
        verdict = [sys.executable, str(ROOT / ".ci" / "verdict.py"), str(outcomes), sys.executable, *PYTEST, *OPTIONS]
        done = subprocess.run(verdict, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout

    return run


@pytest.mark.parametrize(
    ("selected", "status", "words"),
    [
        ("good", 0, []),
        ("good or fails_first", 0, ["FLAKY: test_it.py::test_fails_first[a b[c]]", "only the first time"]),
        ("fails_second", 1, ["BROKEN: test_it.py::test_fails_second"]),
        ("fails_once_more", 1, ["BROKEN: test_it.py::test_fails_once_more"]),
        ("breaks", 0, ["FLAKY: test_it.py::test_breaks_in_its_fixture"]),
        ("listed_skip", 0, []),
        ("silent_skip", 1, ["SKIPPED", "test_it.py::test_silent_skip", "nobody knows"]),
        ("good or kills", 1, ["did not come to their end"]),
        ("nothing_of_this_name", 1, ["did not come to their end"]),
    ],
)
def test_what_stops_the_gate(gate, selected, status, words):
    returned, printed = gate(selected)
    assert returned == status, printed
    assert all(word in printed for word in words), printed
    assert ("FLAKY" in printed) == any("FLAKY" in word for word in words)


@pytest.mark.parametrize(
    ("selected", "status", "lines"),
    [
        ("good or fails_first", 0, ["FLAKY: test_it.py::test_fails_first[a b[c]]"]),
        ("fails_second", 1, ["BROKEN: test_it.py::test_fails_second"]),
        ("good or listed_skip", 0, []),
        ("silent_skip", 1, ["SKIPPED"]),
        ("good or kills", 1, ["BROKEN: test_it.py::test_kills"]),
    ],
)
def test_workers_stop_it_for_the_same(gate, selected, status, lines):
    returned, printed = gate(selected, "-p", "xdist", "-n", "2")
    assert returned == status, printed
    said = [line for line in printed.splitlines() if line.startswith(("FLAKY", "BROKEN", "SKIPPED"))]
    assert len(said) == len(lines) and all(map(str.startswith, said, lines)), printed


def test_many_failures_are_no_accident(gate, tmp_path):
    (tmp_path / "test_it.py").write_text("".join(f"def test_{n}(): assert False\n" for n in range(11)))
    assert gate("test") == (1, "11 tests failed: too many to be accidents\n")


def test_a_module_that_cannot_be_read_stops_the_gate(gate, tmp_path):
    (tmp_path / "test_broken.py").write_text("import nothing_of_this_name\n")
    assert gate("good")[0] == 1
