"""The note of a server: who may write one that is believed, and for which library."""

import json
import os
import shutil
import socket

import pytest

from app.running import note as notes_module
from app.running.note import Note, identity_of, leave, notes, read, sweep
from app.running.sources import program


def a_note(library, /, **changes):
    told = {
        "address": "127.0.0.1",
        "port": 7860,
        "host": "127.0.0.1:7860",
        "token": "ab" * 32,
        "library": os.path.realpath(library),
        "identity": identity_of(library),
        "program": program(),
        "sources": {"TZ": "x"},
        "machine": notes_module.machine(),
        "pid": os.getpid(),
        "version": "1",
    }
    return Note(**{**told, **changes})


@pytest.fixture
def library(tmp_path):
    folder = tmp_path / "library"
    folder.mkdir()
    return folder


def test_what_is_left_is_found_and_its_writer_alone_can_read_it(library):
    path = leave(a_note(library), library)
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(notes(library)) == [a_note(library)]
    assert [entry.name for entry in library.iterdir()] == [path.name]


def test_the_latest_comes_first_and_few_are_asked(library):
    for port in range(1, 8):
        path = leave(a_note(library, port=port), library)
        os.utime(path, (port, port))
    assert [note.port for note in notes(library)] == [7, 6, 5, 4]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_one_that_others_can_read_or_write_is_not_believed(library, mode):
    leave(a_note(library), library).chmod(mode)
    assert list(notes(library)) == []


def test_one_of_another_user_is_not_believed(library, monkeypatch):
    path = leave(a_note(library), library)
    own = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: own + 1)
    assert read(path) is None
    monkeypatch.delattr(os, "getuid")
    assert read(path) is None


def test_a_link_to_one_is_not_followed(library, tmp_path):
    path = leave(a_note(library), library)
    moved = path.rename(tmp_path / "elsewhere.json")
    path.symlink_to(moved)
    assert list(notes(library)) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"port": 1}',
        b"[" * 50_000,
        b"\xff",
        b"x" * 100_000,
        json.dumps({**dict.fromkeys(Note._fields, 1)}).encode(),
    ],
)
def test_what_is_no_note_is_none(library, content):
    path = leave(a_note(library), library)
    path.write_bytes(content)
    assert list(notes(library)) == []


def test_a_short_token_is_none(library):
    assert read(leave(a_note(library, token=""), library)) is None


@pytest.mark.parametrize("changes", [{"program": "another"}, {"identity": [1, 2]}, {"library": "/another"}])
def test_one_of_another_program_or_folder_is_not_believed(library, changes):
    leave(a_note(library, **changes), library)
    assert list(notes(library)) == []


def test_a_copy_of_a_library_has_no_server_nor_has_one_that_was_moved(library, tmp_path):
    leave(a_note(library), library)
    shutil.copytree(library, tmp_path / "copy")
    assert list(notes(tmp_path / "copy")) == []
    assert len(list(notes(library))) == 1
    (tmp_path / "link").symlink_to(library)
    assert len(list(notes(tmp_path / "link"))) == 1
    library.rename(tmp_path / "moved")
    assert list(notes(tmp_path / "moved")) == []


def test_what_killed_servers_of_this_machine_left_is_swept(library):
    gone = os.fork()
    if not gone:
        os._exit(0)
    os.waitpid(gone, 0)
    leave(a_note(library, pid=gone), library)
    kept = {leave(a_note(library), library), leave(a_note(library, pid=gone, machine="another"), library)}
    kept.add(leave(a_note(library, pid=gone, machine=f"{socket.gethostname()} pid:[1]"), library))  # a container's
    sweep(library)
    assert set(library.iterdir()) == kept


def test_half_a_note_is_swept_once_nobody_can_be_writing_it(library):
    new, old = library / "server-1.partial", library / "server-2.partial"
    new.touch()
    old.touch()
    os.utime(old, (1, 1))
    sweep(library)
    assert list(library.iterdir()) == [new]


def test_notes_that_cannot_be_believed_hide_none_that_can(library):
    kept = leave(a_note(library), library)
    os.utime(kept, (1, 1))
    for _ in range(notes_module.MOST_ASKED):
        leave(a_note(library, program="another"), library)
    assert list(notes(library)) == [a_note(library)]


def test_where_modes_mean_nothing_no_note_stays(library, monkeypatch):
    monkeypatch.setattr(notes_module, "_is_private", lambda status: False)
    with pytest.raises(PermissionError):
        leave(a_note(library), library)
    assert list(library.iterdir()) == []


def test_another_program_is_told_by_its_files(tmp_path, monkeypatch):
    before = program()
    assert program() == before
    monkeypatch.setattr("app.running.sources.PACKAGES", ("app", "indexer"))
    assert program() != before
