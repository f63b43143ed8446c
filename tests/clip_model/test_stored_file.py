import hashlib
import os

import pytest

from clip_model import stored_file
from clip_model.stored_file import sha256, write_atomically


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file"


def test_a_crash_while_writing_leaves_the_old_file(path, monkeypatch):
    path.write_bytes(b"old")

    def crash(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(stored_file.os, "fsync", crash)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]


def test_a_written_file_can_be_read_by_others(path):
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("length", [0, 99, 100, 101, 1000])
def test_a_file_of_any_number_of_pieces_is_hashed_whole(tmp_path, monkeypatch, length):
    monkeypatch.setattr(stored_file, "_CHUNK_BYTES", 100)
    (tmp_path / "file").write_bytes(bytes(range(250)) * 4)
    os.truncate(tmp_path / "file", length)
    assert sha256(tmp_path / "file") == hashlib.sha256((bytes(range(250)) * 4)[:length]).hexdigest()
