"""The note that a server leaves in its library's folder: where it answers, and the token that proves who it is.

Only the user who wrote it may read it, and nobody believes one that others could have written. It is no proof that the
server still runs: whoever reads it asks for that (`asking.py`).
"""

import json
import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from app.running.sources import program

PREFIX, SUFFIX, PARTIAL = "server-", ".json", ".partial"
HALF_WRITTEN_S = 60
MOST_BYTES = 64 * 1024
MOST_ASKED = 4  # notes; a server that was killed leaves its own


class Note(NamedTuple):
    """Where a server answers, and for whom.

    Attributes:
        address: to connect to.
        port: likewise.
        host: what it is called in a request.
        token: of this run of the server.
        library: the real path of the library's folder.
        identity: device and number of that folder.
        program: see `sources.program`.
        sources: see `sources.digests`.
        machine: whose process `pid` is, see `machine`.
        pid: of the server.
        version: of picsift, for people.
    """

    address: str
    port: int
    host: str
    token: str
    library: str
    identity: list[int]
    program: str
    sources: dict[str, str]
    machine: str
    pid: int
    version: str


def machine() -> str:
    """Where this process's number means something: the machine, and where there are containers, which."""
    try:
        return f"{socket.gethostname()} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115
    except OSError:
        return socket.gethostname()


def identity_of(library: Path) -> list[int]:
    """What tells a folder from a copy of it; raises OSError where it is not there."""
    status = library.stat()
    return [status.st_dev, status.st_ino]


def leave(note: Note, library: Path) -> Path:
    """Write a note, whole or not at all; where it lies.

    Raises:
        OSError: it cannot be written, or not so that its writer alone can read it.
    """
    path = library / f"{PREFIX}{os.urandom(8).hex()}{SUFFIX}"
    partial = path.with_suffix(PARTIAL)
    written = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        with open(written, "wb") as file:  # noqa: PTH123 - of a descriptor
            if not _is_private(os.fstat(written)):
                raise PermissionError(0, "files there can be read by others", str(partial))
            file.write(json.dumps(note._asdict()).encode())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return path


def notes(library: Path) -> Iterator[Note]:
    """The notes in a library's folder that can be believed, the latest first; raises OSError where there is none."""
    with os.scandir(library) as entries:
        found = [entry for entry in entries if entry.name.startswith(PREFIX) and entry.name.endswith(SUFFIX)]
    found.sort(key=lambda entry: -entry.stat(follow_symlinks=False).st_mtime_ns)
    believed = (note for note in (read(Path(entry.path)) for entry in found) if note is not None)
    yield from islice((note for note in believed if _is_of(note, library)), MOST_ASKED)


def read(path: Path) -> Note | None:
    """A note that this user wrote and nobody else can have read or written; None of anything else."""
    try:
        opened = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return None
    with open(opened, "rb") as file:  # noqa: PTH123 - of a descriptor
        status = os.fstat(opened)
        if not _is_private(status) or status.st_size > MOST_BYTES:
            return None
        with suppress(ValueError, TypeError, RecursionError):
            said: dict[str, Any] = json.loads(file.read(MOST_BYTES))
            note = Note(**said)
            sound = all(isinstance(value, type(shape)) for value, shape in zip(note, _SHAPE, strict=True))
            return note if sound and len(note.token) >= len(_SHAPE.token) else None
    return None


def sweep(library: Path) -> None:
    """Remove what servers of this machine left that were killed; half a note once it is a minute old."""
    for partial in library.glob(f"{PREFIX}*{PARTIAL}"):
        with suppress(OSError):
            if time.time() - partial.lstat().st_mtime > HALF_WRITTEN_S:
                partial.unlink()
    for path in library.glob(f"{PREFIX}*{SUFFIX}"):
        note = read(path)
        if note is not None and note.machine == machine() and not _runs(note.pid):
            with suppress(OSError):
                path.unlink()


def _is_of(note: Note, library: Path) -> bool:
    """Whether it was left for this library by a server of this program, and not copied or moved with the folder."""
    real = Path(os.path.realpath(library))
    return str(real) == note.library and identity_of(real) == note.identity and program() == note.program


def _is_private(status: os.stat_result) -> bool:
    own = getattr(os, "getuid", None)  # where users have no numbers, nothing says whose a file is
    return (
        own is not None
        and stat.S_ISREG(status.st_mode)
        and status.st_uid == own()
        and not stat.S_IMODE(status.st_mode) & 0o077
    )


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


_SHAPE = Note("", 0, "", "0" * 64, "", [], "", {}, "", 0, "")
