"""Takes a folder out of a library for good: its photos, their embeddings and thumbnails. No file of it is touched."""

from __future__ import annotations

from pathlib import Path

from indexer.catalog.records import Root
from indexer.errors import RootError
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
    for root in roots:
        if root.path in (folder, folder.resolve()):
            return root
    known = ", ".join(str(root.path) for root in roots) or "none"
    raise RootError(f"{folder} is not a folder that this library follows. It follows: {known}.")
