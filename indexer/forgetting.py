"""Takes a folder, or a model, out of a library for good, with all that hangs on it. No photo's file is touched."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from indexer.catalog.records import ModelRecord, Root
from indexer.errors import ModelError, RootError
from indexer.finishing import drop_thumbnails, update_index
from indexer.library import Library


def forget(library: Library, folder: Path) -> int:
    """Drop a root with its photos; returns how many there were.

    Args:
        library: what follows the root.
        folder: the root, which need not be there any more.

    Raises:
        RootError: it is no root.
        LibraryError: the library cannot be written, or another process does.
    """
    with library.writer_lock():
        root = followed(library, folder)
        photos, unused = library.catalog.forget(root.id)
        if (model := library.catalog.active_model()) is not None:
            update_index(library, model)
        drop_thumbnails(library, unused)
    return photos


def followed(library: Library, folder: Path) -> Root:
    """The root that a person means.

    Raises:
        RootError: it is none; the message names those that there are.
    """
    roots = library.catalog.roots()
    real = Path(os.path.realpath(folder))
    for root in roots:
        if root.path in (folder, real):
            return root
    known = ", ".join(str(root.path) for root in roots) or "none"
    raise RootError(f"{folder} is not a folder that this library follows. It follows: {known}.")


def forget_model(library: Library, model: ModelRecord) -> None:
    """Drop a model that does not answer: its vectors and its search index. Tags stay, those that it suggested too.

    Raises:
        ModelError: it answers, by now.
        LibraryError: the library cannot be written, or another process does.
    """
    with library.writer_lock():
        active = library.catalog.active_model()
        if active is not None and active.id == model.id:
            raise ModelError(
                f"the model {model.name!r} answers this library's searches. Let another one take over first: "
                "picsift models use NAME"
            )
        folder = library.index_folder(model)
        if folder.is_dir():  # before the model: a kill between the two leaves one that is still listed
            shutil.rmtree(folder)
        library.catalog.drop_model(model.id)
