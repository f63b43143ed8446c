"""What killed previews left in a place that many share: one's own goes, and nothing else."""

import os
import subprocess
import sys
import tempfile

import pytest

from app.tagging.exiftool import working_folder


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def left(place):
    """A folder whose process is no more, with a copy of a photo in it."""
    code = "from app.tagging.exiftool import working_folder as w; print(w.made(None))"
    environment = os.environ | {"TMPDIR": str(place), "PYTHONPATH": os.pathsep.join(sys.path)}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    folder = place / told.stdout.strip()
    (folder / "photo.jpg").write_bytes(b"a copy")
    return folder


def test_what_a_killed_preview_left_goes_with_the_next_one(place):
    folder = left(place)
    made = working_folder.made(None)
    assert list(place.iterdir()) == [made]
    assert working_folder.made(None).is_dir()
    assert made.is_dir(), "one of a process that lives"
    assert not folder.exists()


def test_other_users_folders_stay_and_so_does_what_is_not_of_ours(place, monkeypatch):
    folder = left(place)
    other = os.geteuid() + 1
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: other)
        working_folder.made(None)
    assert (folder / "photo.jpg").exists()
    (folder / "letter.txt").write_text("somebody's")
    (place / f"{working_folder.PREFIX}unmarked").mkdir()
    working_folder.made(None)
    assert (folder / "letter.txt").exists()
    assert (place / f"{working_folder.PREFIX}unmarked").exists()
