"""The folders in memory and on a disk that `make test` writes to: there for a run, and gone after it, killed or not."""

import os
import re
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
in_memory.lies_in_memory = lambda folder: folder == in_memory.MEMORY
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "-p", "tests.in_memory", "-s", *sys.argv[2:]]))
"""
TEST = """
import os, signal, tempfile

def test_it(tmp_path):
    (tmp_path / "written").touch()
    disk = os.environ["PICSIFT_TESTS_DISK"]
    print(f"<{tempfile.gettempdir()}|{disk}|{tmp_path}|{os.listdir(os.path.dirname(disk))}>", flush=True)
    if os.environ.get("KILLED"):
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def memory(tmp_path):
    (tmp_path / "memory").mkdir()
    return tmp_path / "memory"


def test_a_run_writes_there_and_leaves_nothing_and_takes_what_a_killed_one_left(tmp_path, memory):
    (tmp_path / "test_it.py").write_text(TEST)
    on_disk = tmp_path / "disk"
    on_disk.mkdir()
    env = {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "TMPDIR": str(on_disk)}

    def run(**more):
        done = forked_code.run(RUN, memory, tmp_path / "test_it.py", cwd=tmp_path, env=env | more)
        temporary, disk, own, all_on_disk = done.stdout.split("<")[1].split(">")[0].split("|")
        assert Path(temporary).parent == memory and Path(own).is_relative_to(temporary)
        assert Path(disk).parent == on_disk and all_on_disk == str([Path(disk).name])
        return done.returncode, [Path(temporary), Path(disk)]

    status, left = run(KILLED="1")
    assert (status, [*memory.iterdir(), *on_disk.iterdir()]) == (-9, left)
    assert run()[0] == 0
    assert [*memory.iterdir(), *on_disk.iterdir()] == []


def test_a_sweep_leaves_what_is_in_use_and_what_others_called_otherwise(memory):
    (memory / "picsift-test").mkdir()
    (memory / f"{in_memory.PREFIX}link").symlink_to(memory / "picsift-test")
    folder, lock = in_memory.made(memory)
    try:
        in_memory.sweep(memory)
        assert folder.is_dir()
    finally:
        os.close(lock)
    in_memory.sweep(memory)
    assert not folder.exists()
    assert {path.name for path in memory.iterdir()} == {"picsift-test", f"{in_memory.PREFIX}link"}


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
    assert not in_memory.has_room(Path("/proc"))
    assert not in_memory.has_room(tmp_path / "nowhere")
    monkeypatch.setattr(in_memory, "ROOM", 1 << 60)
    assert not in_memory.has_room(in_memory.MEMORY)


def test_what_a_container_may_have_no_more_is_no_room(tmp_path, monkeypatch):
    monkeypatch.setattr(in_memory, "lies_in_memory", lambda folder: True)
    monkeypatch.setattr(in_memory, "ROOM", 2)
    for left, is_room in ((2, True), (1, False), (None, False)):
        monkeypatch.setattr(in_memory, "memory_left", lambda left=left: left)
        assert in_memory.has_room(tmp_path) == is_room


def test_a_file_system_in_memory_is_told_from_others():
    lines = Path("/proc/mounts").read_text().splitlines()
    mounted = {Path(place): kind for _device, place, kind, *_how in map(str.split, lines)}
    for place in {Path("/proc"), in_memory.MEMORY} & mounted.keys():
        assert in_memory.lies_in_memory(place) == (mounted[place] == "tmpfs")


def test_where_temporary_files_lie_in_memory_a_disk_is_another_of_the_systems_folders(tmp_path, memory, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(memory))
    monkeypatch.setattr(in_memory, "DISKS", (tmp_path / "nowhere", tmp_path))
    monkeypatch.setattr(in_memory, "lies_in_memory", lambda folder: folder == memory)
    assert in_memory.place_on_disk() == tmp_path
    monkeypatch.setattr(in_memory, "lies_in_memory", lambda folder: True)
    assert in_memory.place_on_disk() == memory
    monkeypatch.setattr(in_memory, "lies_in_memory", lambda folder: False)
    assert in_memory.place_on_disk() == memory


def test_room_is_looked_for_after_what_was_left_is_gone(memory, monkeypatch):
    (memory / f"{in_memory.PREFIX}left").mkdir()
    monkeypatch.setattr(in_memory, "MEMORY", memory)
    monkeypatch.setattr(in_memory, "has_room", lambda folder: bool(list(folder.iterdir())))
    in_memory.pytest_configure(SimpleNamespace())
    assert list(memory.iterdir()) == []


def test_a_worker_has_the_folder_of_its_controller(monkeypatch):
    monkeypatch.setattr(in_memory, "has_room", lambda folder: pytest.fail("it looks for itself"))
    in_memory.pytest_configure(SimpleNamespace(workerinput={}))


@pytest.mark.on_disk
def test_what_is_about_a_disk_lies_on_it_and_no_other_run_takes_it_away(tmp_path):
    assert in_memory.DISK not in os.environ or not tmp_path.is_relative_to(tempfile.gettempdir())
    assert tmp_path.parent.name.startswith(in_memory.PREFIX)
    in_memory.sweep(tmp_path.parents[1])
    assert tmp_path.is_dir()


def test_the_gate_repeats_tests_where_they_were_run():
    first = re.findall(r"-m pytest.* -p (tests\.\S+)", (ROOT / "Makefile").read_text())
    assert first == re.findall(r"-m pytest.* -p (tests\.\S+)", (ROOT / ".ci" / "run").read_text()) != []
