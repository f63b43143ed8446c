"""Which tests a worker process takes together: those of a file, and those of files that share what takes long to start.

A worker that comes to one of these comes to all: the others need start no browser with its server and library, of six
seconds of computing until its first page is there, and no process to fork from, of three.
"""

from functools import cache
from pathlib import Path

from xdist.scheduler import LoadFileScheduling

SHARED = ("in_a_browser", "forked_code")
"""Words that stand in such files, and nowhere else: a file with one of them is of its group."""


class FilesThatShare(LoadFileScheduling):
    """Gives a worker that is free the tests of a file, or of a group of them."""

    def _split_scope(self, nodeid):
        file = super()._split_scope(nodeid)
        return group_of(self.config.rootpath / file) or file


@cache
def group_of(file: Path):
    """The word of `SHARED` that a file has; None of any other, and of what is no file."""
    text = file.read_text() if file.is_file() else ""
    return next((word for word in SHARED if word in text), None)
