"""A library folder, opened: its catalog, its thumbnails, where the search indexes lie, and who may write.

It reads no photo and loads no model.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from indexer.catalog.catalog import Catalog
from indexer.catalog.database import check_schema, file_of, open_database
from indexer.catalog.files.database_file import keeping
from indexer.catalog.records import ModelRecord
from indexer.errors import LibraryError, LibraryLockedError
from indexer.pictures.thumbnails import ThumbnailStore

CATALOG = "catalog.db"
WRITER_LOCK = "writer.lock"  # made by the first run, and only ever by picsift


@dataclass(frozen=True)
class Library:
    """Everything that picsift keeps about a person's photos, in one folder."""

    folder: Path
    catalog: Catalog
    thumbnails: ThumbnailStore

    def index_folder(self, model: ModelRecord) -> Path:
        """Where the search index of a model lies; every model has its own."""
        return self.index_folder_of(model.fingerprint)

    def index_folder_of(self, fingerprint: str) -> Path:
        """The same, by the model's fingerprint."""
        return self.folder / "index" / fingerprint[:16]

    @contextmanager
    def writer_lock(self) -> Iterator[None]:
        """Hold the right to change the library.

        The system gives it back when the process ends, however it ends.

        Raises:
            LibraryLockedError: another process holds it.
            NewerLibraryError: a newer picsift has upgraded the library meanwhile.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self.folder / WRITER_LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise LibraryLockedError(
                f"another picsift is writing to the library at {self.folder}. Wait for it to end, then try again."
            ) from error
        except OSError as error:
            raise LibraryError(f"the library at {self.folder} cannot be written: {error.strerror}.") from error
        try:
            with keeping(file_of(self.catalog.engine)):  # ids and numbers of a run are of one database
                check_schema(self.catalog.engine)  # another picsift may have upgraded it since this one opened it
                yield
        finally:
            lock.release()


def open_library(folder: Path, *, create: bool) -> Library:
    """Open the library in a folder.

    Args:
        folder: of the library.
        create: make it when it is not there; else that is an error.

    Raises:
        LibraryError: there is none, it cannot be made or read, or the folder holds something else.
        NewerLibraryError: a newer picsift wrote it.
    """
    folder = Path(os.path.abspath(os.path.expanduser(folder)))  # noqa: PTH100, PTH111  links stay as the person wrote them
    try:
        _require(folder, create)
    except OSError as error:
        raise LibraryError(f"the library folder {folder} cannot be used: {error.strerror}.") from error
    return Library(folder, Catalog(open_database(folder)), ThumbnailStore(folder / "thumbnails"))


def _require(folder: Path, create: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise LibraryError(f"{folder} is a file, not a library folder. Name another with --library.")
    catalog = folder / CATALOG
    if catalog.exists():
        if catalog.stat().st_size == 0 and ((folder / "thumbnails").exists() or (folder / "index").exists()):
            raise LibraryError(
                f"{catalog} is empty, but the library is not: it was damaged. Put a backup in its "
                "place, or move it away and index again."
            )
        return
    if not create:
        raise LibraryError(f"there is no library at {folder} yet. Make one: picsift index FOLDER")
    if folder.is_dir() and any(folder.iterdir()) and not _is_ours(folder):
        raise LibraryError(f"{folder} is not empty and holds no library. Name an empty or new folder with --library.")
    folder.mkdir(parents=True, exist_ok=True)


def _is_ours(folder: Path) -> bool:
    """Whether what was seen in a folder is a library whose database was moved away, as a message advises.

    Or one that another process makes at this moment: asked after the look, since the database is the first thing there.
    """
    return (folder / WRITER_LOCK).is_file() or (folder / CATALOG).exists()
