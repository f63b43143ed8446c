"""Decoded photos, embedded in batches and committed every few hundred photos or few seconds."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from indexer.decoding import Job, Result
from indexer.embedder import Embedder
from indexer.library import Library
from indexer.records import CopiedPhoto, FailedPhoto, ModelRecord, NewPhoto

COMMIT_PHOTOS = 256
COMMIT_SECONDS = 5.0

_T = TypeVar("_T")


class Storing:
    """Takes results as they come and keeps count of what became of them.

    Attributes:
        added: photos stored that the catalog did not have.
        updated: photos stored that it had.
        failures: absolute path and reason of each file that failed.
        temporary: paths of those whose failure may pass.
        again: copies whose original changed before they were written; they have to be decoded after all.
    """

    def __init__(self, library: Library, embedder: Embedder, model: ModelRecord, *, batch_size: int) -> None:
        """Write to `library`, whose writer lock the caller holds."""
        self.added = self.updated = 0
        self.failures: list[tuple[str, str]] = []
        self.temporary: list[str] = []
        self.again: list[Job] = []
        self._library, self._embedder, self._model, self._batch_size = library, embedder, model, batch_size
        self._waiting: list[Result] = []  # decoded, to be embedded
        self._embedded: list[tuple[Result, NewPhoto, NDArray[np.float16]]] = []
        self._copies: list[tuple[Job, CopiedPhoto]] = []
        self._failed: list[tuple[Job, FailedPhoto]] = []
        self._last_commit = time.monotonic()

    def take(self, result: Result) -> None:
        """Take one result; embeds and commits when enough have come."""
        match result.photo:
            case FailedPhoto() as photo:
                self._fail(result.job, photo, keep=result.unread)
                if result.unread or "memory" in photo.reason:
                    self.temporary.append(str(result.job.root / photo.path))
            case CopiedPhoto() as photo:
                self._copies.append((result.job, photo))
            case NewPhoto():
                self._waiting.append(result)
        if len(self._waiting) >= self._batch_size:
            self._embed()
        held = len(self._embedded) + len(self._copies) + len(self._failed)
        if held >= COMMIT_PHOTOS or (held and time.monotonic() - self._last_commit >= COMMIT_SECONDS):
            self._write()

    def commit(self) -> None:
        """Embed and commit everything taken so far."""
        self._embed()
        self._write()

    def _fail(self, job: Job, photo: FailedPhoto, *, keep: bool) -> None:
        """Note a failure; with `keep`, what the catalog knows of the photo stays, for the next run to settle."""
        if not (keep and job.known):
            self._failed.append((job, photo))
        self.failures.append((str(job.root / photo.path), photo.reason))

    def _embed(self) -> None:
        batch, self._waiting = self._waiting, []
        if not batch:
            return
        try:
            self._keep(batch, self._vectors(batch))
        except ValueError:  # one of them has no direction: find out which
            for result in batch:
                self._embed_one(result)

    def _embed_one(self, result: Result) -> None:
        try:
            self._keep([result], self._vectors([result]))
        except ValueError:
            file = result.job.file
            reason = "the model finds nothing in this picture: its features are zero or not finite"
            self._fail(result.job, FailedPhoto(file.path, file.size, file.mtime_ns, reason), keep=result.job.same)

    def _vectors(self, batch: list[Result]) -> NDArray[np.float16]:
        return self._embedder.embed_prepared([result.pixels for result in batch if result.pixels is not None])

    def _keep(self, batch: list[Result], vectors: NDArray[np.float16]) -> None:
        for result, vector in zip(batch, vectors, strict=True):
            if isinstance(result.photo, NewPhoto):
                self._embedded.append((replace(result, pixels=None), result.photo, vector))

    def _write(self) -> None:
        catalog = self._library.catalog
        for root_id, copies in _by_root([(job, (job, copy)) for job, copy in self._copies]).items():
            self._write_copies(root_id, copies)  # first: what is stored next may be their originals
        for root_id, stored in _by_root([(r.job, (photo, vector)) for r, photo, vector in self._embedded]).items():
            vectors = np.stack([vector for _, vector in stored])
            catalog.store(root_id, [photo for photo, _ in stored], self._model.id, vectors)
        for root_id, failed in _by_root(self._failed).items():
            catalog.fail(root_id, failed)
        for (
            result,
            photo,
            _,
        ) in self._embedded:  # after the commit: a kill in between costs a thumbnail, and leaves none
            if result.thumbnail:
                self._library.thumbnails.keep(photo.content_hash, result.thumbnail)
        for job in [result.job for result, *_ in self._embedded]:
            self.updated += job.known
            self.added += not job.known
        self._embedded, self._copies, self._failed = [], [], []
        self._last_commit = time.monotonic()

    def _write_copies(self, root_id: int, copies: list[tuple[Job, CopiedPhoto]]) -> None:
        """Store the copies whose original is still what it was when they were compared; the others go to `again`."""
        contents = {copy.content_hash for _, copy in copies}
        sources = self._library.catalog.by_content(contents, model_id=self._model.id)
        self.again += [job for job, copy in copies if copy.content_hash not in sources]
        true = [(job, copy) for job, copy in copies if copy.content_hash in sources]
        self._library.catalog.store_copies(
            root_id, [replace(copy, source_id=sources[copy.content_hash]) for _, copy in true]
        )
        self.updated += sum(job.known for job, _ in true)
        self.added += sum(not job.known for job, _ in true)


def _by_root(items: list[tuple[Job, _T]]) -> dict[int, list[_T]]:
    groups: dict[int, list[_T]] = defaultdict(list)
    for job, item in items:
        groups[job.root_id].append(item)
    return groups
