"""The catalog: every read and write of photos, roots, models and embeddings, each write one transaction.

The one class that others use; the work is in the stores, a noun each. Every method may raise LibraryError.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from indexer.catalog.model_catalog import ModelCatalog
from indexer.catalog.records import RootPath, Sampled
from indexer.catalog.stores import (
    companion_store,
    description_store,
    mount_store,
    photo_moves,
    photo_queries,
    photo_store,
    root_joining,
    root_store,
)
from indexer.catalog.stores.root_joining import Reaches, everywhere
from indexer.catalog.word_catalog import with_sound_words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from indexer.catalog.photo_filter import PhotoFilter
    from indexer.catalog.records import (
        CopiedPhoto,
        Counts,
        DescribedPhoto,
        FailedPhoto,
        FoundFile,
        KnownPhoto,
        Move,
        NewPhoto,
        PhotoRecord,
        Root,
    )
    from indexer.catalog.stamps import Restamp
    from indexer.metadata.shots import Shot

_NOTHING: Mapping[tuple[str, str], str | None] = {}


class Catalog(ModelCatalog):
    """The truth about a library. Methods may be called from several threads; a path in a root is relative and posix."""

    def add_root(self, folder: Path, reaches: Reaches = everywhere) -> tuple[Root, str]:
        """Give the root that a folder belongs to, made if need be, and where the folder lies below it ("" at its top).

        A new root that holds known ones takes them over, photos and all, where a scan of it `reaches` them; one inside
        a root that does not reach it takes its photos out of that. The caller holds the library's writer lock.
        RootError where the folder's links go round.
        """
        root_id, below = self._write(root_joining.add_root, root_store.real(folder), reaches, datetime.now(UTC))
        return next(root for root in self.roots() if root.id == root_id), below

    def places(self, folders: Sequence[Path], reaches: Reaches = everywhere) -> list[tuple[int, str]]:
        """Give the number of each folder's root, and where below it, making roots as `add_root` does."""
        real = [root_store.real(folder) for folder in folders]
        return self._write(root_joining.places, real, reaches, datetime.now(UTC))

    def roots(self) -> list[Root]:
        """Give every root, in the order of their paths."""
        return self._read(root_store.roots)

    def rename_root(self, root_id: int, folder: Path) -> None:
        """Note that a root's folder has another path now, its photos with it."""
        self._write(root_store.rename_root, root_id, folder)

    def forget(self, root_id: int) -> tuple[int, list[str]]:
        """Drop a root with its photos and what is kept of gone ones; gives how many, and the hashes that are unused."""
        return self._write(photo_store.forget, root_id)

    def root_paths(self) -> list[RootPath]:
        """Give the roots without their photos' number, which is quick; in the order of their paths."""
        found = self._read(root_store.root_paths)
        return sorted((RootPath(*item) for item in found.items()), key=lambda root: root.path)

    def mounts(self, root_id: int) -> set[str]:
        """Give the folders of a root that were drives or shares when it was last looked at."""
        return self._read(mount_store.mounts, root_id)

    def mount_points(self) -> list[str]:
        """Give the folders of all roots that were drives or shares when they were last looked at, as absolute paths."""
        return self._read(mount_store.everywhere)

    def keep_mounts(self, root_id: int, folders: Collection[str]) -> None:
        """Note which folders of a root are drives or shares, those that are away among them."""
        self._write(mount_store.keep, root_id, folders)

    def has_at_least(self, root_id: int, count: int) -> bool:
        """Say whether a root has so many photos, which is quick where that is few."""
        return self._read(root_store.has_at_least, root_id, count)

    def sample(self, root_id: int, below: str, passed: Callable[[str], bool], most: int) -> list[Sampled]:
        """Give path and stamp of photos that were there, from all folders but those `passed` over."""
        return self._read(root_store.sample, root_id, below, passed, most)

    def note_scan(self, root_id: int, problem: str | None) -> None:
        """Keep that a root was looked at now, and what was wrong with it."""
        self._write(root_store.note_scan, root_id, problem, datetime.now(UTC))

    def known(self, root_id: int, subfolder: str = "", *, model_id: int, deep: bool = True) -> dict[str, KnownPhoto]:
        """Give every photo of a root or subfolder by its path in the root, those further below it too if `deep`."""
        return self._read(photo_queries.known, root_id, subfolder, model_id, deep)

    def by_content(self, hashes: Iterable[str], *, model_id: int) -> dict[str, int]:
        """Give the id of a sound photo, embedded by the model, for each content hash that has one."""
        return self._read(photo_queries.by_content, hashes, model_id)

    def known_sizes(self, among: Collection[int] | None = None) -> set[int]:
        """Give the sizes in bytes, of these or of all, that photos have: only a file of such a size can be a copy."""
        return self._read(photo_queries.known_sizes, among)

    def agreements(self, photo_ids: Sequence[int]) -> dict[tuple[int, str], str | None]:
        """Give what was kept of how photos were compared with the files beside them, by photo and name."""
        return self._read(companion_store.agreements, photo_ids)

    def shots(self, photo_ids: Sequence[int]) -> dict[int, Shot]:
        """Give when and with which cameras photos were taken."""
        return self._read(photo_queries.shots, photo_ids)

    def store(
        self,
        root_id: int,
        photos: Sequence[NewPhoto],
        model_id: int,
        embeddings: NDArray[np.float16],
        frames: Mapping[str, NDArray[np.float16]] | None = None,
    ) -> list[int]:
        """Insert or update photos by their path, with (n, dim) unit float16 embeddings; gives their ids.

        A photo whose content is another one loses the embeddings of other models. `frames` holds those of the moments
        (f, dim) of each video among the photos, by its path.

        Raises:
            ValueError: embeddings of a wrong shape, type or length, or a path that occurs twice.
        """
        return self._write(photo_store.store, root_id, photos, model_id, embeddings, datetime.now(UTC), frames or {})

    def store_copies(self, root_id: int, copies: Sequence[CopiedPhoto]) -> list[int]:
        """Insert or update photos that have another photo's bytes: its metadata and all its embeddings are theirs."""
        return self._write(photo_store.store_copies, root_id, copies, datetime.now(UTC))

    def fail(self, root_id: int, failures: Sequence[FailedPhoto]) -> list[int]:
        """Insert or update files that are no photos, with the reason; their embeddings go."""
        return self._write(photo_store.fail, root_id, failures, datetime.now(UTC))

    def describe(self, photos: Sequence[DescribedPhoto]) -> set[int]:
        """Write the metadata and stamps of photos whose pictures are the same; gives those that say something new."""
        return self._write(description_store.describe, photos)

    def restamp(self, stamps: Sequence[Restamp]) -> None:
        """Write what else is known now of the stamps of photos that are as they were."""
        self._write(description_store.restamp, stamps)

    def void_stamps(self, photo_ids: Sequence[int]) -> None:
        """Note that other files lie where photos were: until they are read none is the one that a photo was made of."""
        if photo_ids:
            self._write(description_store.void_stamps, photo_ids)

    def move(self, moves: Sequence[Move]) -> list[str]:
        """Give photos new paths, embeddings and all; what sat there before is removed, unless it moves too.

        Returns:
            The content hashes that no photo has any more.
        """
        return self._write(photo_moves.move, moves, datetime.now(UTC))

    def keep_companions(
        self,
        root_id: int,
        seen: Container[str],
        companions: Mapping[str, Sequence[FoundFile]],
        agreed: Mapping[tuple[str, str], str | None] = _NOTHING,
        below: Sequence[tuple[str, bool]] = (("", True),),
    ) -> None:
        """Note which RAWs lie beside the photos at the paths `seen`, and what to keep of how they were compared.

        All that was seen lies in the folders `below`, with what is below them or not.
        """
        self._write(companion_store.keep, root_id, seen, companions, agreed, below)

    def remove(self, photo_ids: Sequence[int]) -> list[str]:
        """Delete photos, keeping what was decided in case they are put back; gives the hashes that no photo has."""
        return self._write(photo_store.remove, photo_ids, datetime.now(UTC))

    def mark_missing(self, photo_ids: Sequence[int], now: datetime) -> None:
        """Note that photos are not in their folder, since `now` (aware) if they were there before."""
        self._write(description_store.mark, photo_ids, now)

    def mark_found(self, photo_ids: Sequence[int]) -> None:
        """Note that photos are in their folder."""
        self._write(description_store.mark, photo_ids, None)

    def unused(self, hashes: Iterable[str]) -> list[str]:
        """Give those content hashes that no photo has: their thumbnails can go."""
        return self._read(photo_store.unused, hashes)

    def photo(self, photo_id: int) -> PhotoRecord | None:
        """Give one photo, or None."""
        return next(iter(self.photos([photo_id])), None)

    def photos(self, ids: Sequence[int]) -> list[PhotoRecord]:
        """Give photos in the order asked for; unknown ids are left out."""
        return self._read(photo_queries.photos, ids)

    def contents(self, ids: Collection[int]) -> dict[int, str]:
        """Give the content hashes of photos by their ids, of those that have one; `photos` costs ten times as much."""
        return self._read(photo_queries.contents, ids)

    def photo_at(self, path: Path) -> PhotoRecord | None:
        """Give the photo that lies at a path, as it is written or where its links lead."""
        written, real = Path(os.path.abspath(path)), Path(os.path.realpath(path))  # noqa: PTH100
        return self._read(photo_queries.photo_at, written) or self._read(photo_queries.photo_at, real)

    def allowed_ids(self, model_id: int, wanted: PhotoFilter) -> NDArray[np.int64]:
        """Give the ids (n,) of the photos that a model has embedded and that pass the filter, sorted."""
        from indexer.catalog.filters import passing  # a search without filters does without

        return with_sound_words(self.engine, lambda: self._read(passing.allowed_ids, model_id, wanted))

    def newest(self, ids: NDArray[np.int64] | None, *, limit: int, offset: int = 0) -> list[int]:
        """Give some of these ids (n,), or of all photos, of the newest first and of those without a date last."""
        return self._read(photo_queries.newest, ids, limit, offset)

    def folders(self) -> list[tuple[str, str]]:
        """Give all folders that photos lie in: a root, and the path below it."""
        return self._read(photo_queries.folders)

    def copies_of(self, photo_id: int) -> list[PhotoRecord]:
        """Give the other photos that show the very same picture, whatever their metadata, by path."""
        return self._read(photo_queries.copies_of, photo_id)

    def failures(self, limit: int | None = None) -> list[PhotoRecord]:
        """Give the photos that failed, the latest first."""
        return self._read(photo_queries.failures, limit)

    def counts(self) -> Counts:
        """Count the photos that are searchable, failed, missing."""
        return self._read(photo_queries.counts)
