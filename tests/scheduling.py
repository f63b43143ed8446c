"""Which tests a worker process takes together: those of a file, and those of files that share what takes long to start.

A worker that comes to one of these comes to all, so that no other has to start a browser with its server and library
(six seconds of computing until its first page is there), a process to fork from, or the packages that ours is compared
with (three each).
"""

from functools import cache
from pathlib import Path

from xdist.scheduler import LoadFileScheduling

SHARED = {
    "the page in a browser": ("in_a_browser",),
    "a process to fork from": ("forked_code",),
    "open_clip and transformers": (
        *("open_clip_models", "open_clip_reference", "reference_models"),
        *("openai_files", "roberta_folders", "siglip_folders"),
    ),
}
"""Groups of files, and words of which at least one stands in each file of a group, and in no other test."""


class FilesThatShare(LoadFileScheduling):
    """Gives a worker that is free the tests of a file, or of a group of them."""

    def _split_scope(self, nodeid):
        file = super()._split_scope(nodeid)
        return group_of(self.config.rootpath / file) or file


@cache
def group_of(file: Path):
    """The group that a file is of by its words; None of any other, and of what is no file."""
    text = file.read_text() if file.is_file() else ""
    return next((group for group, words in SHARED.items() if any(word in text for word in words)), None)
