"""A pytest plugin for `make test`: what tests write lies in memory, where the system has a file system for that.

`-p tests.in_memory` makes a folder below /dev/shm the one for temporary files, for all processes of the run, and takes
it away when they have ended; what a run left that was killed, there and on the disk, goes when the next one begins.
Where there is no such file system, where no program may be run from it, or without room, all stays where it was. Tests
that are about what a disk does say `on_disk`: their folder is on one, also where `TMPDIR` names a folder in memory.
"""

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from indexer.memory import memory_left

MEMORY = Path("/dev/shm")
DISKS = Path("/var/tmp"), Path("/tmp")
PREFIX = "picsift-test-run-"  # all of these are locked by those who use them; `picsift-tests-` were not
ROOM = 4 << 30  # bytes
DISK = "PICSIFT_TESTS_DISK"
"""The variable that names the run's folder on a disk."""


def pytest_configure(config):
    if hasattr(config, "workerinput"):  # a worker has its controller's surroundings
        return
    sweep(MEMORY)  # else what was left there may be what takes the room
    if has_room(MEMORY):
        config.pluginmanager.register(InMemory(MEMORY), "in-memory")


class InMemory:
    """The folders of a run, in memory and on a disk, which are locked as long as the run lives."""

    def __init__(self, within):
        self.made = [made(within), made(place_on_disk())]
        self.before = os.environ.get("TMPDIR")
        os.environ["TMPDIR"], os.environ[DISK] = (str(folder) for folder, _lock in self.made)
        tempfile.tempdir = None

    def pytest_unconfigure(self):
        del os.environ["TMPDIR"], os.environ[DISK]
        if self.before is not None:
            os.environ["TMPDIR"] = self.before
        tempfile.tempdir = None
        for folder, lock in self.made:
            take_away(folder, lock)


def has_room(folder):
    """Whether files may lie there: in memory of which enough is free, also for its container, and programs too."""
    if not (lies_in_memory(folder) and os.access(folder, os.W_OK)):
        return False
    there = os.statvfs(folder)
    return not there.f_flag & os.ST_NOEXEC and min(there.f_bavail * there.f_frsize, memory_left() or 0) >= ROOM


def lies_in_memory(folder):
    """Whether it is there, in a file system that lies in memory."""
    with suppress(OSError):
        device = folder.stat().st_dev
        this = f"{os.major(device)}:{os.minor(device)}"
        for line in Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines():
            if line.split()[2] == this:
                return line.split(" - ")[1].split()[0] in ("tmpfs", "ramfs")
    return False


def place_on_disk():
    """The folder for temporary files, or where that lies in memory one of the system's for them that does not."""
    usual = Path(tempfile.gettempdir())
    for place in (usual, *DISKS):
        if os.access(place, os.W_OK | os.X_OK) and not lies_in_memory(place):
            return place
    return usual


def made(within):
    """A new folder, and a descriptor that holds a lock on it: no sweep takes it while this process lives."""
    sweep(within)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=within))
        with suppress(OSError):  # a sweep took it before it was locked
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if folder.exists():
                folder.chmod(0o711)  # for tests that go on as another user, who finds what is below by its name alone
                return folder, lock
            os.close(lock)


def take_away(folder, lock):
    """End what `made` gave."""
    shutil.rmtree(folder, ignore_errors=True)
    os.close(lock)
    sweep(folder.parent)  # a process that ended late may have written while it went


def sweep(within):
    """Take away what runs of this user left that live no more."""
    for folder in within.glob(f"{PREFIX}*"):
        with suppress(OSError):
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if os.fstat(lock).st_uid == os.geteuid():
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)
