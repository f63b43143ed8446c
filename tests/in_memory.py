"""A pytest plugin for `make test`: what tests write lies in memory, where the system has a file system for that.

`-p tests.in_memory` makes a folder below /dev/shm the one for temporary files, for all processes of the run, and takes
it away when they have ended; what a run left that was killed goes when the next one begins. Where there is no such
file system, where no program may be run from it, or without room, all stays where it was. Tests that are about what a
disk does say `on_disk`.
"""

import fcntl
import os
import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

MEMORY = Path("/dev/shm")
PREFIX = "picsift-tests-"
ROOM = 4 << 30  # bytes
DISK = "PICSIFT_TESTS_DISK"
"""The variable that names the folder for temporary files that there would be without all this."""


def pytest_configure(config):
    if not hasattr(config, "workerinput") and has_room(MEMORY):  # a worker has its controller's surroundings
        config.pluginmanager.register(InMemory(MEMORY), "in-memory")


class InMemory:
    """The folder of a run, which is locked as long as the run lives."""

    def __init__(self, within):
        sweep(within)
        self.folder, self.lock = made(within)
        self.before = os.environ.get("TMPDIR")
        os.environ[DISK], os.environ["TMPDIR"] = tempfile.gettempdir(), str(self.folder)
        tempfile.tempdir = None

    def pytest_unconfigure(self):
        del os.environ["TMPDIR"], os.environ[DISK]
        if self.before is not None:
            os.environ["TMPDIR"] = self.before
        tempfile.tempdir = None
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self.lock)
        sweep(self.folder.parent)  # a process that ended late may have written while it went


def has_room(folder):
    """Whether files may lie there: in memory of which enough is free, and programs among them."""
    try:
        there, known = os.statvfs(folder), Path("/proc/meminfo").read_text()
        mounted = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return False
    available = int(re.findall(r"MemAvailable: +(\d+) kB", known)[0]) << 10
    is_memory = [str(folder), "tmpfs"] in mounted and not there.f_flag & os.ST_NOEXEC and os.access(folder, os.W_OK)
    return is_memory and min(there.f_bavail * there.f_frsize, available) >= ROOM


def made(within):
    """A new folder, and a descriptor that holds a lock on it: no sweep takes it while this process lives."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=within))
        with suppress(OSError):  # a sweep took it before it was locked
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if folder.exists():
                folder.chmod(0o711)  # for tests that go on as another user, who finds what is below by its name alone
                return folder, lock
            os.close(lock)


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
