"""Class folders: DATA/NAME OF THE CLASS/picture.jpg, as ImageNet is laid out.

Pictures come from the classes in turn, so that the first few hundred are of all of them.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import NoReturn

from clip_model.evaluation.readers.examples import Item, Unreadable, file_example

_SPLITS = frozenset(("train", "val", "valid", "validation", "test"))
_LINK = "a link to a folder is not followed"


def read_folders(folder: Path, suffixes: Collection[str]) -> Iterator[Item]:
    """Read a folder of class folders; pictures lie at any depth in them.

    Args:
        folder: the data set.
        suffixes: of names of pictures, in lower case; other files in class folders are told as unreadable; hidden ones,
            and those beside the class folders, are passed over.

    Raises:
        ValueError: there is no folder in it, or they are splits; while it is read, a folder that cannot be listed.
    """
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    classes = [entry for entry in entries if entry.is_dir() and not entry.is_symlink()]
    loose = [entry for entry in entries if entry.is_symlink() or not entry.is_dir()]
    if not classes:
        raise ValueError(
            f"{folder} holds no class folders. Expected one folder for each class, or shards (.tar), or .parquet files"
        )
    if {one.name.lower() for one in classes} <= _SPLITS:
        raise ValueError(f"{folder} holds splits, not classes. Name one of them: {classes[0]}")
    return _in_turn(folder, classes, loose, suffixes)


def _in_turn(folder: Path, classes: list[Path], loose: list[Path], suffixes: Collection[str]) -> Iterator[Item]:
    for path in loose:
        if path.is_dir():
            yield Unreadable(path.name, _LINK)
        elif path.suffix.lower() in suffixes:  # else a README, a licence, a list of labels
            yield Unreadable(path.name, "it lies in no class folder")
    for row in zip_longest(*(_files(one) for one in classes)):
        for one, found in zip(classes, row, strict=True):
            if found is None:
                continue
            path, is_link = found
            name = str(path.relative_to(folder))
            if is_link:
                yield Unreadable(name, _LINK)
            elif path.suffix.lower() in suffixes:
                yield file_example(path, name, label=one.name)
            else:
                yield Unreadable(name, "it is not named like a picture")


def _files(folder: Path) -> Iterator[tuple[Path, bool]]:
    """The files below a folder in the order of their names, and links to folders, of which it says so."""
    for top, below, names in os.walk(folder, onerror=_refuse):
        below[:] = sorted(name for name in below if not name.startswith("."))
        at = Path(top)
        yield from ((at / name, False) for name in sorted(names) if not name.startswith("."))
        yield from ((at / name, True) for name in below if (at / name).is_symlink())


def _refuse(error: OSError) -> NoReturn:
    """A class that is left out would flatter the figures."""
    raise ValueError(f"{error.filename} cannot be listed: {error.strerror}") from error
