from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from indexer.errors import LibraryError, LibraryLockedError
from indexer.vectors import data_file
from indexer.vectors import file as vector_file
from indexer.vectors.file import UnusableFileError
from tests import forked_code
from tests.indexer.unit_vectors import DIM, unit

MODEL = "f" * 64


def rows(count: int, seed: int = 0) -> np.ndarray:
    return unit(count, seed=seed).astype(np.float16)


def save(folder: Path, generation: int, count: int = 50) -> None:
    """Ids and rows that tell their generation."""
    vector_file.save(
        folder, np.arange(count) + generation, rows(count, generation), fingerprint=MODEL, generation=generation
    )


def load(folder: Path, **changed):
    kept = []

    def allocate(count):
        kept.append(np.empty((count, changed.get("dim", DIM)), np.float16))
        return kept[-1]

    ids, generation, _ = vector_file.load(folder, **{"dim": DIM, "fingerprint": MODEL, "allocate": allocate, **changed})
    return ids, kept[-1] if kept else None, generation


def assert_is_generation(folder: Path, generation: int, count: int = 50) -> None:
    ids, found, said = load(folder)
    assert said == generation
    assert ids.tolist() == list(range(generation, generation + count))
    np.testing.assert_array_equal(found, rows(count, generation))


def data_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("vectors-*"))


@pytest.mark.parametrize("count", [0, 5, 50])
def test_rows_are_mapped_where_somebody_holds_them(tmp_path, count):
    save(tmp_path, 3, count)
    held = []

    def allocate(number):
        assert number == 0, "memory for a copy"
        return np.empty((0, DIM), np.float16)

    ids, *_ = vector_file.load(tmp_path, dim=DIM, fingerprint=MODEL, allocate=allocate, hold=held.append)
    assert ids.tolist() == list(range(3, count + 3))
    assert len(held) == bool(count)
    for found in held:
        np.testing.assert_array_equal(found, rows(count, 3))
        with pytest.raises(ValueError, match="read-only"):
            found[0] = 0


@pytest.mark.parametrize("error", [OSError(errno.ENODEV, "No such device"), OSError(errno.ENOMEM, "no memory")])
def test_rows_that_cannot_be_mapped_are_read(tmp_path, monkeypatch, error):
    def refuse(*args, **options):
        raise error

    save(tmp_path, 3)
    monkeypatch.setattr(data_file.np, "memmap", refuse)

    ids, found, said = load(tmp_path, hold=lambda rows: pytest.fail("held"))

    assert (ids.tolist(), said) == (list(range(3, 53)), 3)
    np.testing.assert_array_equal(found, rows(50, 3))


def test_damaged_rows_are_held_by_nobody(tmp_path, monkeypatch):
    monkeypatch.setattr(data_file, "_CHUNK_BYTES", 1000)
    save(tmp_path, 3)
    (data,) = data_files(tmp_path)
    sound = data.read_bytes()
    data.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    with pytest.raises(UnusableFileError, match="checksum"):
        load(tmp_path, hold=lambda rows: pytest.fail("held"))
    data.write_bytes(sound)
    load(tmp_path, allocate=None, hold=lambda found: np.testing.assert_array_equal(found, rows(50, 3)))


def test_what_was_saved_is_loaded_and_replaces_what_was_there(tmp_path):
    folder = tmp_path / "not" / "there"
    for generation in (1, 7):
        save(folder, generation)
        assert_is_generation(folder, generation)
        assert len(data_files(folder)) == 1
    assert {file.suffix for file in folder.iterdir()} <= {".json", ".bin", ".lock"}


def test_rows_longer_than_a_chunk_are_saved_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(data_file, "_CHUNK_BYTES", 100)
    save(tmp_path, 3)
    assert_is_generation(tmp_path, 3)


def test_no_rows_are_saved_and_loaded(tmp_path):
    save(tmp_path, 2, count=0)
    assert_is_generation(tmp_path, 2, count=0)


@pytest.mark.parametrize("missing", [vector_file.POINTER, "vectors-*.bin"])
def test_a_missing_file_is_named(tmp_path, missing):
    save(tmp_path, 1)
    (file,) = tmp_path.glob(missing)
    file.unlink()
    with pytest.raises(UnusableFileError, match=f"{file.name} is missing"):
        load(tmp_path)


def test_a_folder_that_is_not_there_holds_nothing(tmp_path):
    with pytest.raises(UnusableFileError, match=r"index\.json is missing"):
        load(tmp_path / "none")


@pytest.mark.parametrize("keep", [0, 1, 100, -1])
def test_truncated_data_is_noticed(tmp_path, keep):
    save(tmp_path, 1)
    (data,) = data_files(tmp_path)
    data.write_bytes(data.read_bytes()[:keep])
    with pytest.raises(UnusableFileError, match="bytes instead of"):
        load(tmp_path)


def test_data_with_something_after_it_is_noticed(tmp_path):
    save(tmp_path, 1)
    (data,) = data_files(tmp_path)
    data.write_bytes(data.read_bytes() + b"\0")
    with pytest.raises(UnusableFileError, match="bytes instead of"):
        load(tmp_path)


def test_any_flipped_bit_of_the_data_is_noticed(tmp_path):
    save(tmp_path, 1, count=3)
    (data,) = data_files(tmp_path)
    raw = data.read_bytes()
    for bit in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        data.write_bytes(flipped)
        with pytest.raises(UnusableFileError, match="checksum"):
            load(tmp_path)


def test_any_flipped_bit_of_the_pointer_is_noticed_or_means_the_same(tmp_path):
    save(tmp_path, 1, count=3)
    pointer = tmp_path / vector_file.POINTER
    raw = pointer.read_bytes()
    refused = 0
    for bit in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        pointer.write_bytes(flipped)
        try:
            assert_is_generation(tmp_path, 1, count=3)  # such as one white space for another
        except UnusableFileError:
            refused += 1
    assert refused > 0.9 * len(raw) * 8


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"{}",
        b"12",
        b'{"seal": 1}',
        b'"text"',
        b"\xff\xfe\0",
        b"[" * 100_000,
        os.urandom(300),
    ],
)
def test_a_pointer_that_is_garbage_is_noticed(tmp_path, garbage):
    save(tmp_path, 1)
    (tmp_path / vector_file.POINTER).write_bytes(garbage)
    with pytest.raises(UnusableFileError, match=r"index\.json is damaged"):
        load(tmp_path)


def test_a_pointer_names_no_file_elsewhere(tmp_path):
    save(tmp_path / "index", 1)
    save(tmp_path / "other", 1)
    (other,) = data_files(tmp_path / "other")
    pointer = vector_file.read_pointer(tmp_path / "index")
    moved = vector_file.Pointer(**{**vars(pointer), "file": f"../other/{other.name}"})
    (tmp_path / "index" / vector_file.POINTER).write_text(json.dumps({**vars(moved), "seal": moved.seal()}))
    with pytest.raises(UnusableFileError, match="damaged"):
        load(tmp_path / "index")


def test_a_later_format_is_named(tmp_path):
    save(tmp_path, 1)
    pointer = tmp_path / vector_file.POINTER
    pointer.write_text(json.dumps({**json.loads(pointer.read_text()), "format": 3, "more": 1}))
    with pytest.raises(UnusableFileError, match="format is 3, and this picsift reads 2"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"fingerprint": "e" * 64}, "another model"), ({"dim": DIM * 2}, "16 dimensions, and the model's 32")],
)
def test_vectors_of_another_model_are_refused(tmp_path, changed, message):
    save(tmp_path, 1)
    with pytest.raises(UnusableFileError, match=message):
        load(tmp_path, **changed)


def test_a_file_in_place_of_the_folder_is_an_error_with_a_reason(tmp_path):
    (tmp_path / "index").write_text("not a folder")
    with pytest.raises(LibraryError, match=r"cannot be saved in .*index: "):
        save(tmp_path / "index", 1)
    with pytest.raises(UnusableFileError, match="cannot be read"):
        load(tmp_path / "index")


class Disk:
    """Fails the n-th call that reaches the disk, as a full one would."""

    def __init__(self, monkeypatch, fail_at: int):
        self.calls, self.fail_at = 0, fail_at
        for name in ("fsync", "replace", "open"):
            monkeypatch.setattr(os, name, self.wrapped(getattr(os, name)))
        opened = Path.open

        def open_and_count(path, mode="r", *rest, **named):
            if "w" in mode:
                self.step()
            file = opened(path, mode, *rest, **named)
            return _Counted(file, self) if "w" in mode else file

        monkeypatch.setattr(Path, "open", open_and_count)

    def wrapped(self, call):
        def counted(*arguments, **named):
            self.step()
            return call(*arguments, **named)

        return counted

    def step(self):
        self.calls += 1
        if self.calls == self.fail_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class _Counted:
    def __init__(self, file, disk):
        self.file, self.disk = file, disk

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def write(self, chunk):
        self.disk.step()
        return self.file.write(chunk)

    def flush(self):
        self.disk.step()
        self.file.flush()

    def fileno(self):
        return self.file.fileno()


def test_a_full_disk_at_any_step_keeps_the_old_file_and_leaves_nothing(tmp_path):
    save(tmp_path, 1)
    for fail_at in range(1, 100):
        with pytest.MonkeyPatch.context() as patch:
            disk = Disk(patch, fail_at)
            try:
                save(tmp_path, 2)
            except LibraryError as error:
                assert "No space left" in str(error)
                assert "nothing is lost" in str(error)
            else:
                assert disk.calls < fail_at
                break
        now = load(tmp_path)[2]
        assert len(data_files(tmp_path)) == 1 or now == 2  # past the swap, the old file may be left for the next save
        assert_is_generation(tmp_path, now)
        assert not list(tmp_path.glob("*.tmp"))
    else:
        pytest.fail("the save never got through")
    assert fail_at > 10
    assert_is_generation(tmp_path, 2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX resource limits")
def test_a_file_size_limit_of_the_system_keeps_the_old_file(tmp_path):
    """The kernel itself refuses the write here, not a stand-in."""
    save(tmp_path, 1)
    code = (
        "import resource, sys, numpy as np; from pathlib import Path; from indexer.vectors import file as vector_file\n"
        "from indexer.errors import LibraryError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "rows = np.ones((9000, 16), np.float16)\n"
        "try: vector_file.save(Path(sys.argv[1]), np.arange(9000), rows, fingerprint='f', generation=2)\n"
        "except LibraryError as error: print(error)\n"
    )
    done = forked_code.run(code, tmp_path)
    assert done.returncode == 0
    assert "File too large" in done.stdout
    assert_is_generation(tmp_path, 1)
    assert len(data_files(tmp_path)) == 1


KILLED_AT_EACH_LINE = """
import os, signal, sys
import filelock, numpy as np  # here, not in each of them
from pathlib import Path
from indexer.vectors import data_file
from indexer.vectors import file as vector_file

vector_file._CHUNK_BYTES = 1000
folder, file = Path(sys.argv[1]), vector_file.__file__

def save_until(line_number):
    seen = 0
    def trace(frame, event, argument):
        nonlocal seen
        if frame.f_code.co_filename != file:
            return None
        if event == "line":
            seen += 1
            if seen == line_number:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace
    sys.settrace(trace)
    vector_file.save(folder / "index", ids, rows, fingerprint="f" * 64, generation=2)

ids, rows = np.load(folder / "ids.npy"), np.load(folder / "rows.npy")
for line_number in range(1, 1000):
    child = os.fork()
    if child == 0:
        save_until(line_number)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    print(line_number, "killed" if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status), flush=True)
    sys.stdin.readline()  # the test looks at the folder, and says when it has
    if not os.WIFSIGNALED(status):
        break
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_a_kill_at_any_line_of_a_save_leaves_the_old_or_the_new_whole(tmp_path):
    folder, seen = tmp_path / "index", []
    np.save(tmp_path / "ids.npy", np.arange(50) + 2)
    np.save(tmp_path / "rows.npy", rows(50, 2))
    save(folder, 1)
    with subprocess.Popen(
        [sys.executable, "-c", KILLED_AT_EACH_LINE, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        for line in child.stdout:
            assert_is_generation(folder, load(folder)[2])
            seen.append((load(folder)[2], len(list(folder.iterdir())), line.split()[1]))
            save(folder, 1)  # cleans up after the killed one
            assert_is_generation(folder, 1)
            assert len(data_files(folder)) == 1
            assert not list(folder.glob("*.tmp"))
            child.stdin.write("\n")
            child.stdin.flush()
    assert child.returncode == 0
    assert seen[-1][0] == 2
    assert seen[-1][2] == "0"  # the last one got through
    assert {how for _, _, how in seen[:-1]} == {"killed"}
    generations = [generation for generation, _, _ in seen]
    assert generations == sorted(generations)  # one instant at which the old becomes the new
    assert generations.count(1) > 20
    assert generations.count(2) > 5
    assert max(files for _, files, _ in seen) >= 4  # some were killed with a half-written file beside the old one


def test_an_interrupt_just_after_the_swap_keeps_the_file_that_is_now_current(tmp_path, monkeypatch):
    save(tmp_path, 1)
    swap = os.replace

    def swap_and_interrupt(*arguments, **named):
        swap(*arguments, **named)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", swap_and_interrupt)
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path, 2)
    assert_is_generation(tmp_path, 2)


def test_a_reader_follows_when_a_save_takes_the_file_from_under_it(tmp_path, monkeypatch):
    save(tmp_path, 1)
    believed = vector_file.read_pointer
    answers = []

    def slow_reader(folder):
        answers.append(believed(folder))
        if len(answers) == 1:
            monkeypatch.setattr(vector_file, "read_pointer", believed)
            save(folder, 2)
            monkeypatch.setattr(vector_file, "read_pointer", slow_reader)
        return answers[-1]

    monkeypatch.setattr(vector_file, "read_pointer", slow_reader)
    assert load(tmp_path)[2] == 2
    assert len(answers) == 2


def test_readers_beside_a_saver_always_find_a_whole_index(tmp_path):
    save(tmp_path, 1)
    stop = threading.Event()
    seen, wrong = set(), []

    def read():
        while not stop.is_set():
            try:
                ids, found, generation = load(tmp_path)
                assert ids[0] == generation
                np.testing.assert_array_equal(found, rows(50, generation))
                seen.add(generation)
            except Exception as error:
                wrong.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for generation in range(2, 60):
        save(tmp_path, generation)
    stop.set()
    reader.join()
    assert len(seen) > 1
    # a reader may lose the race twice running; then it says that the file is missing, and never gives a mixture
    assert all(isinstance(error, UnusableFileError) and "missing" in str(error) for error in wrong)


def test_a_saver_waits_for_another_and_says_so_in_the_end(tmp_path, monkeypatch):
    save(tmp_path, 1)
    monkeypatch.setattr(vector_file, "_LOCK_SECONDS", 0.05)
    with FileLock(tmp_path / "save.lock"), pytest.raises(LibraryLockedError, match="another process"):
        save(tmp_path, 2)
    assert_is_generation(tmp_path, 1)
    save(tmp_path, 2)
    assert_is_generation(tmp_path, 2)


def test_files_of_others_in_the_folder_are_left_alone(tmp_path):
    (tmp_path / "vectors-notes.txt").write_text("mine")
    save(tmp_path, 1)
    save(tmp_path, 2)
    assert (tmp_path / "vectors-notes.txt").read_text() == "mine"


@pytest.mark.parametrize("pointer", ["sound", "damaged", "missing"])
def test_what_killed_saves_left_is_gone_before_the_next_one_writes(tmp_path, monkeypatch, pointer):
    """They could have filled the disk, and every later save with it."""
    vector_file.save(tmp_path, np.array([1]), unit(1).astype(np.float16), fingerprint=MODEL, generation=1)
    (current,) = tmp_path.glob("*.bin")
    for number in range(3):
        (tmp_path / f"vectors-{number}-{number:08x}.bin").write_bytes(b"left" * 1000)
    if pointer != "sound":
        (tmp_path / "index.json").write_text("{")
    if pointer == "missing":
        (tmp_path / "index.json").unlink()
    seen = []
    write = vector_file._write_data

    def noted(path, *rest):
        seen.extend(file.name for file in tmp_path.glob("*.bin"))
        return write(path, *rest)

    monkeypatch.setattr(vector_file, "_write_data", noted)
    vector_file.save(tmp_path, np.array([1]), unit(1).astype(np.float16), fingerprint=MODEL, generation=2)
    assert seen == ([current.name] if pointer == "sound" else [])


def test_leftovers_stay_while_somebody_saves_or_the_pointer_cannot_be_read(tmp_path, monkeypatch):
    vector_file.save(tmp_path, np.array([1]), unit(1).astype(np.float16), fingerprint=MODEL, generation=1)
    left = tmp_path / "vectors-7-00000000.bin"
    left.write_bytes(b"being written")
    with FileLock(tmp_path / "save.lock"):
        vector_file.remove_leftovers(tmp_path)
    assert left.exists()
    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", lambda _: (_ for _ in ()).throw(OSError(5, "Input/output error")))
        vector_file.remove_leftovers(tmp_path)
    assert left.exists()
    vector_file.remove_leftovers(tmp_path)
    assert [file.name for file in tmp_path.glob("*.bin")] != [left.name]
    assert not left.exists()
    assert vector_file.read_pointer(tmp_path).generation == 1
