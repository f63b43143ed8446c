"""The folder in which ExifTool works: made here, known again by a mark, and removed name by name.

It lies in the library, which may hold anything of anyone's: nothing is deleted that is not called as our copies are.
"""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path

PREFIX = ".picsift-export-"
_MARK = "made by picsift export"
_OURS = re.compile(r"(photo\.[a-z]{3,4}(_exiftool_tmp)?|packet|block|read\d+)")


def made(parent: Path | None) -> Path:
    """A new folder in `parent`, None for the system's place for such. OSError where there can be none.

    It says whose it is: in the system's place those go whose process is no more.
    """
    if parent is None:
        _sweep(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    (folder / _MARK).write_text(f"{os.getpid()}")
    return folder


def emptied(folder: Path) -> None:
    """Delete what was worked on."""
    for file in list(folder.iterdir()):
        if _OURS.fullmatch(file.name) and not (file.is_dir() and not file.is_symlink()):
            file.unlink()


def removed(folder: Path) -> None:
    """Remove a folder of ours; where it holds anything else, that stays."""
    with suppress(OSError):
        emptied(folder)
        if [file.name for file in folder.iterdir()] == [_MARK]:
            (folder / _MARK).unlink()
        folder.rmdir()


def remove_leftovers(parent: Path) -> None:
    """Remove what a kill left in a library, whose writer lock the caller holds."""
    for folder in list(parent.glob(f"{PREFIX}*")):
        if (folder / _MARK).is_file() and not folder.is_symlink():
            removed(folder)


def _sweep(parent: Path) -> None:
    """Remove what kills left in a place that many share: this user's own alone, of processes that are gone."""
    if os.name != "posix":
        return
    for folder in list(parent.glob(f"{PREFIX}*")):
        with suppress(OSError, ValueError):
            if folder.lstat().st_uid != os.geteuid() or folder.is_symlink() or (folder / _MARK).is_symlink():
                continue
            maker = int((folder / _MARK).read_text())
            try:
                os.kill(maker, 0)  # asks, and sends nothing
            except ProcessLookupError:
                removed(folder)
