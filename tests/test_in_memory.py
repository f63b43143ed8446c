"""The folder in memory that `make test` writes to: there for one run, and gone after it, killed or not."""

import os
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import forked_code, in_memory

ROOT = Path(__file__).parents[1]
RUN = """
import sys, pytest
from pathlib import Path
from tests import in_memory

in_memory.MEMORY, in_memory.has_room = Path(sys.argv[1]), lambda folder: True
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "-p", "tests.in_memory", "-s", *sys.argv[2:]]))
"""
TEST = """
import os, signal, tempfile

def test_it(tmp_path):
    (tmp_path / "written").touch()
    print(f"<{tempfile.gettempdir()}|{os.environ['PICSIFT_TESTS_DISK']}|{tmp_path}>", flush=True)
    if os.environ.get("KILLED"):
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def memory(tmp_path):
    (tmp_path / "memory").mkdir()
    return tmp_path / "memory"


def test_a_run_writes_there_and_leaves_nothing_and_takes_what_a_killed_one_left(tmp_path, memory):
    (tmp_path / "test_it.py").write_text(TEST)
    env = {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "TMPDIR": str(tmp_path)}

    def run(**more):
        done = forked_code.run(RUN, memory, tmp_path / "test_it.py", cwd=tmp_path, env=env | more)
        temporary, disk, own = done.stdout.split("<")[1].split(">")[0].split("|")
        assert disk == str(tmp_path)
        assert Path(temporary).parent == memory and Path(own).is_relative_to(temporary)
        return done.returncode, Path(temporary)

    status, left = run(KILLED="1")
    assert (status, list(memory.iterdir())) == (-9, [left])
    assert run()[0] == 0
    assert list(memory.iterdir()) == []


def test_a_sweep_leaves_what_is_in_use_and_what_others_called_otherwise(memory):
    (memory / "picsift-test").mkdir()
    (memory / "picsift-tests-link").symlink_to(memory / "picsift-test")
    folder, lock = in_memory.made(memory)
    try:
        in_memory.sweep(memory)
        assert folder.is_dir()
    finally:
        os.close(lock)
    in_memory.sweep(memory)
    assert not folder.exists()
    assert {path.name for path in memory.iterdir()} == {"picsift-test", "picsift-tests-link"}


def test_a_folder_that_a_sweep_took_before_it_was_locked_is_made_again(memory, monkeypatch):
    make, taken = tempfile.mkdtemp, []

    def mkdtemp(**how):
        made = make(**how)
        if not taken:
            taken.append(made)
            in_memory.sweep(memory)
        return made

    monkeypatch.setattr(tempfile, "mkdtemp", mkdtemp)
    folder, lock = in_memory.made(memory)
    os.close(lock)
    assert folder.is_dir() and str(folder) not in taken


def test_only_a_file_system_in_memory_with_room_is_taken(tmp_path, monkeypatch):
    assert not in_memory.has_room(tmp_path)  # where none is mounted
    assert not in_memory.has_room(tmp_path / "nowhere")
    monkeypatch.setattr(in_memory, "ROOM", 1 << 60)
    assert not in_memory.has_room(in_memory.MEMORY)


def test_a_worker_has_the_folder_of_its_controller(monkeypatch):
    monkeypatch.setattr(in_memory, "has_room", lambda folder: pytest.fail("it looks for itself"))
    in_memory.pytest_configure(SimpleNamespace(workerinput={}))


@pytest.mark.on_disk
def test_what_is_about_a_disk_lies_on_it(tmp_path):
    assert tmp_path.is_relative_to(os.environ.get(in_memory.DISK, tempfile.gettempdir()))
    assert in_memory.DISK not in os.environ or not tmp_path.is_relative_to(tempfile.gettempdir())
