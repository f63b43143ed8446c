import pytest

from clip_model import stored_file
from clip_model.stored_file import write_atomically


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
