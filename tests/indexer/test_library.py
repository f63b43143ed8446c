"""Opening a library folder, and who may write to it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from indexer.catalog.database import writing
from indexer.errors import LibraryError, LibraryLockedError, NewerLibraryError
from indexer.library import open_library

HOLD = """
import sys
from pathlib import Path
from indexer.library import open_library
with open_library(Path(sys.argv[1]), create=False).writer_lock():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_library_is_made_only_when_asked_for(tmp_path):
    folder = tmp_path / "new" / "library"
    with pytest.raises(LibraryError, match="picsift index FOLDER"):
        open_library(folder, create=False)
    assert not folder.exists()
    open_library(folder, create=True)
    assert open_library(folder, create=False).folder == folder


def test_a_folder_of_something_else_is_not_made_a_library(tmp_path):
    (tmp_path / "letter.txt").write_text("dear diary")
    with pytest.raises(LibraryError, match="holds no library"):
        open_library(tmp_path, create=True)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_file_is_no_library(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LibraryError, match="is a file"):
        open_library(tmp_path / "file", create=True)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LibraryError, match="file/library"):
        open_library(tmp_path / "file" / "library", create=True)


def test_two_processes_do_not_write_at_once_and_a_killed_one_gives_the_lock_back(tmp_path):
    library = open_library(tmp_path / "library", create=True)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(library.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env=os.environ,
    )
    with holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(LibraryLockedError, match="another picsift"), library.writer_lock():
            pass
        holder.kill()
    with library.writer_lock():
        pass


def test_each_model_has_its_own_index_folder(tmp_path):
    library = open_library(tmp_path / "library", create=True)
    one, other = (library.catalog.model(name, name * 32, 8) for name in ("ab", "cd"))
    assert library.index_folder(one) != library.index_folder(other)


def test_an_emptied_catalog_is_not_taken_for_a_new_library(tmp_path):
    library = open_library(tmp_path / "library", create=True)
    library.catalog.close()
    (library.folder / "thumbnails").mkdir(exist_ok=True)
    (library.folder / "catalog.db").write_bytes(b"")
    with pytest.raises(LibraryError, match="damaged"):
        open_library(library.folder, create=True)


def test_a_run_frees_what_killed_saves_of_any_model_left(world):
    left = world.library.folder / "index" / "another" / "vectors-1-0123abcd.bin"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"left")
    world.write("a.png", 1)
    world.sync()
    assert not left.exists()


@pytest.mark.parametrize(("version", "error"), [("0099", NewerLibraryError), ("0001", LibraryError)])
def test_every_run_sees_that_the_schema_is_another_one_now(world, version, error):
    """A newer picsift has upgraded the library, or an old backup was put in its place, while this one was open."""
    world.write("a.png", 1)
    world.sync()
    with writing(world.library.catalog.engine) as connection:
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{version}'")
    with pytest.raises(error, match="picsift"):
        world.sync()


def test_a_library_that_another_process_makes_during_the_look_is_one(tmp_path, monkeypatch):
    folder, look = tmp_path / "library", Path.iterdir

    def made_meanwhile(self):
        if self == folder:
            monkeypatch.setattr(Path, "iterdir", look)
            open_library(folder, create=True).catalog.close()
        return look(self)

    folder.mkdir()
    monkeypatch.setattr(Path, "iterdir", made_meanwhile)
    open_library(folder, create=True).catalog.close()
    assert Path.iterdir is look
