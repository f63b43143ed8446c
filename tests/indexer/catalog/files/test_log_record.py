"""The log of a process that was killed: its own file gets it, and no other content that lies at the path by then."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from indexer.catalog.database import open_database
from tests import forked_code
from tests.indexer.catalog.files.test_database_file import ASKING, Kept

pytestmark = pytest.mark.on_disk  # which gives the number of a file that is gone to the next one
WRITING = (
    "import os, sys; from pathlib import Path\n"
    "from indexer.library import open_library\n"
    "from tests.indexer.catalog_samples import new, vectors\n"
    "catalog = open_library(Path(sys.argv[1]), create=False).catalog\n"
    "for name in sys.argv[2:]: catalog.store(1, [new(f'{name}.jpg')], 1, vectors(1))\n"
    "os.kill(os.getpid(), 9)\n"
)
KILLED_AT_A_STEP = (
    "import os, pathlib\n"
    "def stop(*args, **options): os.kill(os.getpid(), 9)\n"
    "def kill_after(name, only):\n"
    "    do = getattr(pathlib.Path, name)\n"
    "    def step(path, *args, **options):\n"
    "        done = do(path, *args, **options)\n"
    "        return stop() if path.name.endswith(only) else done\n"
    "    setattr(pathlib.Path, name, step)\n"
)


@pytest.fixture
def kept(tmp_path):
    """It has many more photos than its backup, all in the file, and nobody at work."""
    kept = Kept(tmp_path)
    kept.store(*(f"more{number}" for number in range(200)))
    kept.catalog.close()
    yield kept
    kept.catalog.close()


def killed(kept, *names):
    """Another process stores photos, whose log it leaves behind."""
    assert forked_code.run(WRITING, kept.folder, *names).returncode == -9
    assert Path(f"{kept.file}-wal").stat().st_size


def copied(kept):
    shutil.copyfile(kept.backup, kept.file)


def removed_and_copied(kept):
    """Until the new file has the number of the old one, where the file system gives numbers again soon."""
    number = kept.file.stat().st_ino
    kept.file.unlink()
    copied(kept)
    for turn in range(100):
        if kept.file.stat().st_ino == number:
            return
        kept.file.rename(kept.backup.with_name(f"other{turn}"))
        copied(kept)


def renamed(kept):
    kept.backup.replace(kept.file)


@pytest.mark.parametrize("restore", [copied, removed_and_copied, renamed])
def test_a_backup_gets_no_log_that_a_kill_left(kept, restore):
    killed(kept, "x", "y")
    restore(kept)
    assert kept.elsewhere() == "['a.jpg', 'b.jpg', 'c.jpg']"
    kept.assert_sound()


def test_a_file_gets_its_log_back(kept):
    killed(kept, "x", "y")
    assert kept.catalog.counts().photos == 209
    kept.assert_sound()


@pytest.mark.parametrize("pages", [1, 3])
def test_a_file_of_which_a_checkpoint_was_killed_gets_its_log_back(kept, pages):
    killed(kept, "x", "y")
    log = Path(f"{kept.file}-wal").read_bytes()
    size = int.from_bytes(log[8:12], "big")
    frames = [log[at : at + 24 + size] for at in range(32, len(log), 24 + size)]
    latest = {int.from_bytes(frame[:4], "big"): frame[24:] for frame in frames if frame[8:16] == log[16:24]}
    with kept.file.open("r+b") as file:
        for number in sorted(latest)[:pages]:
            file.seek((number - 1) * size)
            file.write(latest[number])
    assert kept.catalog.counts().photos == 209
    kept.assert_sound()


@pytest.mark.parametrize(("name", "only"), [("unlink", "-shm"), ("replace", "-wal"), ("unlink", "-wal-of")])
def test_a_kill_at_any_step_of_setting_a_log_aside_mixes_nothing(kept, name, only):
    killed(kept, "x", "y")
    renamed(kept)
    code = f"{KILLED_AT_A_STEP}kill_after({name!r}, {only!r})\n{ASKING}"
    assert forked_code.run(code, kept.folder).returncode == -9
    assert kept.elsewhere() == "['a.jpg', 'b.jpg', 'c.jpg']"
    kept.assert_sound()


def test_a_record_that_cannot_be_written_leaves_the_one_before(kept, monkeypatch):
    record = Path(f"{kept.file}-wal-of")
    before = record.read_text()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    kept.store("x")
    assert record.read_text() == before
    assert [path.name for path in kept.folder.glob("*-wal-of*")] == [record.name]


def test_each_log_that_was_set_aside_is_kept(kept):
    second = shutil.copy(kept.backup, kept.backup.with_name("second.db"))
    killed(kept, "x")
    renamed(kept)
    kept.elsewhere()
    first = Path(f"{kept.file}-wal-of-another").read_bytes()
    killed(kept, "y")
    Path(second).replace(kept.file)
    kept.elsewhere()
    assert Path(f"{kept.file}-wal-of-another").read_bytes() == first
    assert Path(f"{kept.file}-wal-of-another-2").stat().st_size


def test_a_file_that_was_moved_away_without_its_log_can_have_it_again(kept, tmp_path):
    killed(kept, "x", "y")
    away = kept.file.rename(tmp_path / "away.db")
    open_database(kept.folder).dispose()
    Path(f"{kept.file}-wal-of-another").rename(f"{away}-wal")
    with closing(sqlite3.connect(away)) as connection:
        assert connection.execute("SELECT count(*) FROM photos").fetchone() == (209,)
