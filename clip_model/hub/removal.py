"""Takes fetched and converted files away again: only those that picsift wrote, also where a folder is a link."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from clip_model.checkpoints import converted
from clip_model.checkpoints.sources import find_source

PULLED = "pulled.json"
_COMMIT = re.compile(r"[0-9a-f]{40}")


def commit_folders(home: Path) -> list[Path]:
    """The folders of what was fetched of a model, one for each commit."""
    with suppress(FileNotFoundError, NotADirectoryError):
        return sorted(path for path in home.iterdir() if _COMMIT.fullmatch(path.name) and path.is_dir())
    return []


def bytes_in(folders: Iterable[Path]) -> int:
    """What the files in some folders take."""
    return sum(_size(file) for folder in folders for file in folder.rglob("*"))


def bytes_of_note(home: Path) -> int:
    """What the note of a whole download takes; 0 where there is none."""
    return _size(home / PULLED)


def made_of(folders: Iterable[Path], models: Path) -> list[Path]:
    """The converted weights of fetched folders, with what lies beside them; of what holds no model there are none."""
    found: list[Path] = []
    for folder in folders:
        with suppress(ValueError, OSError):
            if (source := find_source(folder)) is not None:
                found += converted.files_made_of(source, models)
    return found


def delete_files(files: Iterable[Path]) -> int:
    """Delete files that may be gone; the bytes of those that were there."""
    freed = 0
    for file in files:
        with suppress(FileNotFoundError):
            freed += file.stat().st_size
            file.unlink()
    return freed


def delete_folders(folders: Iterable[Path]) -> int:
    """Delete folders of commits; the bytes. Of one that is a link the link goes, and what it leads to stays."""
    freed = 0
    for folder in folders:
        if folder.is_symlink():
            folder.unlink()
            continue
        freed += bytes_in([folder])
        shutil.rmtree(folder)
    return freed


def delete_home(home: Path) -> int:
    """Delete all that was fetched of a model; the bytes. The folder goes, or the link that it is, unless more is there.

    Raises:
        OSError: if something cannot be deleted.
    """
    freed = delete_files([home / PULLED])  # from here on it does not count
    freed += delete_folders(commit_folders(home)) + delete_files(_left_by_kills(home))
    folder = home.resolve()
    with suppress(OSError):  # a person's own files are there too
        folder.rmdir()
    if home.is_symlink():
        home.unlink()
    return freed


def _left_by_kills(home: Path) -> Iterator[Path]:
    return iter(list(home.glob(f".{PULLED}.*.partial")))


def _size(file: Path) -> int:
    with suppress(OSError):
        return file.stat().st_size if file.is_file() else 0
    return 0
