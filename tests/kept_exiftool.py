"""ExifTool that outlives the export that started it: the next export of a test finds it warm.

It starts in a tenth of a second of computing, and takes as long again to load what it needs for a format. It is the
product's process and the product's protocol: put off is its end, and it works in a folder of its own, from which a link
leads to the one of the export. Only the machine's own is kept; one that a test has made runs as it would.
"""

import shutil
import tempfile
import threading
from pathlib import Path

from app.tagging.exiftool import exiftool, working_folder

LINK = "at"


class KeptExifTool:
    """Stands in for how an export starts ExifTool, and for how it ends it."""

    def __init__(self):
        self._start, self._program = exiftool.KeptProcess, shutil.which(exiftool.PROGRAM)
        self._lock, self._idle = threading.Lock(), []

    def install(self, monkeypatch):
        """For one test."""
        monkeypatch.setattr(exiftool, "KeptProcess", self.lend)

    def lend(self, program, folder, stop=lambda: False):
        """One that has nothing to do, or a new one."""
        if program != self._program:
            return self._start(program, folder, stop)
        with self._lock:
            process = self._idle.pop() if self._idle else self._new()
        link = process._folder / LINK
        link.unlink(missing_ok=True)
        link.symlink_to(folder)
        process._stop = stop
        return _Lent(process, self._idle.append)

    def _new(self):
        return self._start(self._program, Path(tempfile.mkdtemp()))

    def close(self):
        """End them all."""
        while self._idle:
            process = self._idle.pop()
            process.close()
            shutil.rmtree(process._folder)


class _Lent:
    """Asked as the process is, of files in the folder of the export."""

    def __init__(self, process, give_back):
        self._process, self._give_back = process, give_back

    def ask(self, command):
        return self._process.ask([_seen_from_outside(argument) for argument in command])

    def close(self):
        process, self._process = self._process, None
        if process is not None:
            self._give_back(process)


def _seen_from_outside(argument):
    option, sign, name = argument.rpartition("<=")
    return f"{option}{sign}{LINK}/{name}" if working_folder._OURS.fullmatch(name) else argument
