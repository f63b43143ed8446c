"""Whose write-ahead log lies beside a database: written down, so that the log of another content is never laid over it.

A number of a file alone tells little: `cp` keeps it, and a new file may get that of one that was removed. So the record
has the salts of the log and the state of the file too. A checkpoint changes the file as well, and a kill comes between
that and the record; then the pages tell, since a checkpoint copies those of the log in order, the lowest first. A file
is read here only where this process has no connection to it: closing it would end all locks of SQLite on it.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

try:
    import fcntl
except ImportError:  # Windows, where a file that is in use cannot be replaced
    fcntl = None  # type: ignore[assignment]

LOG_HEADER, FRAME_HEADER = 32, 24  # bytes: https://www.sqlite.org/fileformat2.html, 4.1

_lock = threading.RLock()  # a connection that nobody closed may end while it is held
_in_use: Counter[tuple[int, int]] = Counter()  # connections of this process, by device and number of their files


class Recorded(NamedTuple):
    """A file and its log, as far as they tell one from another."""

    file: int  # the number of the file
    log: int  # and of the log
    salts: str  # of the log, hexadecimal; "-" where it is empty
    size: int  # of the file, in bytes
    mtime_ns: int


class LogRecord:
    """The record beside a database file; safe to use from many threads and processes."""

    def __init__(self, file: Path) -> None:
        """Read nothing yet."""
        self._file = file
        self._log = file.with_name(f"{file.name}-wal")
        self._shared = file.with_name(f"{file.name}-shm")
        self._record = file.with_name(f"{file.name}-wal-of")
        self._noted: tuple[int, ...] | None = None

    def note(self, file: os.stat_result, log: os.stat_result) -> None:
        """Write down what was seen to lie there, where that is something else than at the last call. Raises OSError."""
        state = (file.st_ino, log.st_ino, file.st_size, file.st_mtime_ns, log.st_size, log.st_mtime_ns)
        if state == self._noted:
            return
        now = Recorded(file.st_ino, log.st_ino, self._salts(), file.st_size, file.st_mtime_ns)
        if now != self._recorded():
            self._write(now)
        self._noted = state

    def set_aside_log_of_another(self) -> Path | None:
        """Leave no log there that is of another content than the file; gives where it lies now, if it had anything.

        Where no file is, it is that of one which was moved away: SQLite would delete it. Raises OSError.
        """
        if not self._is_of_another():
            return None
        with _only(self._file.parent):  # another process may have done it by now, and be at work with its own log
            if not self._is_of_another():
                return None
            self._shared.unlink(missing_ok=True)  # first: those who hold it would share the log before with others
            aside = self._log.replace(self._free()) if self._log.exists() else None
            self._record.unlink(missing_ok=True)  # last: whoever comes after a kill begins again
            if aside is not None and not aside.stat().st_size:
                aside.unlink()  # after the record: its number may be another file's as soon as it is free
                return None
            return aside

    def _is_of_another(self) -> bool:
        """Whether the log, or the record, is not the file's; a log without a record, or with a copied one, is."""
        recorded, file, log = self._recorded(), status_of(self._file), status_of(self._log)
        if file is None or not file.st_size:
            return log is not None and log.st_size > 0
        if recorded is None:
            return False
        if recorded.file != file.st_ino:
            return log is None or log.st_ino == recorded.log  # None: the record is of another too
        if log is None or (recorded.size, recorded.mtime_ns) == (file.st_size, file.st_mtime_ns):
            return False
        if recorded.salts == "-" or self._salts() != recorded.salts:
            return False  # another log than the recorded one
        with _lock:
            if _in_use[file.st_dev, file.st_ino]:
                return False
            return not self._is_of_checkpoint() and self._salts() == recorded.salts

    def _is_of_checkpoint(self) -> bool:
        """Whether the file is what a checkpoint made of it, or began to: the pages of the log stand in it.

        A kill leaves the lowest one at least; a loss of power may leave any, so half of them do as well.
        """
        versions: defaultdict[int, set[bytes]] = defaultdict(set)
        with self._log.open("rb") as log:
            header = log.read(LOG_HEADER)
            salts, size = header[16:24], int.from_bytes(header[8:12], "big")
            while len(frame := log.read(FRAME_HEADER)) == FRAME_HEADER and frame[8:16] == salts:
                versions[int.from_bytes(frame[:4], "big")].add(sha256(log.read(size)).digest())
        if not versions:
            return True
        same = set[int]()
        with self._file.open("rb") as file:
            for number, contents in versions.items():
                file.seek((number - 1) * size)
                if sha256(file.read(size)).digest() in contents:
                    same.add(number)
        return min(versions) in same or 2 * len(same) >= len(versions)

    def _salts(self) -> str:
        with self._log.open("rb") as log:
            return log.read(LOG_HEADER)[16:24].hex() or "-"

    def _recorded(self) -> Recorded | None:
        """What was written down; None where that was elsewhere, or not at all."""
        try:
            with self._record.open() as file:
                number, log, salts, size, mtime_ns, own = file.read(300).split()
                if int(own) != os.fstat(file.fileno()).st_ino:
                    return None
                return Recorded(int(number), int(log), salts, int(size), int(mtime_ns))
        except (OSError, ValueError):
            return None

    def _write(self, now: Recorded) -> None:
        """Put another record in the place of the one before: a kill or a full disk leaves one of the two whole."""
        new = self._record.with_name(f"{self._record.name}-{secrets.token_hex(4)}")
        try:
            with new.open("x") as file:
                own = os.fstat(file.fileno()).st_ino
                file.write(f"{' '.join(map(str, now))} {own}\n")
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._record)
        except OSError:
            with suppress(OSError):
                new.unlink(missing_ok=True)
            raise

    def _free(self) -> Path:
        """A name that nothing has yet: each log that was set aside may have commits that are nowhere else."""
        path, number = self._log.with_name(f"{self._log.name}-of-another"), 1
        while os.path.lexists(path):
            number += 1
            path = self._log.with_name(f"{self._log.name}-of-another-{number}")
        return path


def count_in(which: tuple[int, int]) -> None:
    """Take in that this process has a connection to a file, or is about to."""
    with _lock:
        _in_use[which] += 1


def count_out(which: tuple[int, int]) -> None:
    """Take in that a connection is closed."""
    with _lock:
        _in_use[which] -= 1
        if _in_use[which] <= 0:
            del _in_use[which]


def status_of(path: Path) -> os.stat_result | None:
    """What lies at a path; None where nothing does. Raises OSError where that cannot be told."""
    try:
        return os.stat(path)  # noqa: PTH116  (asked for every transaction)
    except FileNotFoundError:
        return None


@contextmanager
def _only(folder: Path) -> Iterator[None]:
    """Have no other process do the same in this folder, where its file system has locks."""
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
