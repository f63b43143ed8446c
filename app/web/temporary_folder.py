"""A server's temporary folder: removed when the server ends, or by the next one where it was killed.

A lock that the system gives back with the process tells a folder that is in use from a leftover.
"""

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

PREFIX = "picsift-serve-"
LOCK = "in-use.lock"
_STARTED_S = 3600.0  # a server takes its folder's lock within milliseconds

log = logging.getLogger(__name__)


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A new folder that only this user can look into, for as long as the block runs."""
    sweep()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
        yield folder
    finally:
        lock.release()
        shutil.rmtree(folder, ignore_errors=True)


def sweep() -> None:
    """Remove what servers left that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(PREFIX + "*"):
        with suppress(OSError, Timeout):
            # Before it has one its server is just starting; one that is stopped then may leave a folder without it.
            if _is_own(folder) and ((folder / LOCK).is_file() or time.time() - folder.stat().st_mtime > _STARTED_S):
                with FileLock(folder / LOCK).acquire(timeout=0):
                    pass
                shutil.rmtree(folder, ignore_errors=True)
                log.info("removed %s, which a killed server left", folder)


def _is_own(folder: Path) -> bool:
    """Whether it is a folder of this user's, and no link to another."""
    found = folder.lstat()
    return folder.is_dir() and not folder.is_symlink() and (not hasattr(os, "getuid") or found.st_uid == os.getuid())
