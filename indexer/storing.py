"""Decoded photos, embedded in batches and committed every few hundred photos or few seconds."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from indexer.catalog.records import CopiedPhoto, DescribedPhoto, FailedPhoto, ModelRecord, NewPhoto
from indexer.embedder import Embedder
from indexer.library import Library
from indexer.metadata.places import placed
from indexer.workers.decoding import Job, Result, failure_of

COMMIT_PHOTOS = 256
COMMIT_SECONDS = 5.0
RETIRED = 4096  # vectors of pictures that were replaced in this run, kept in case they turn up elsewhere

Vectors = NDArray[np.float16]
_T = TypeVar("_T")


class Storing:
    """Takes results as they come and keeps count of what became of them.

    Attributes:
        added: photos stored that the catalog did not have.
        updated: photos stored that it had, those among them of which only the metadata is new.
        unchanged: photos whose metadata was read again and is the same.
        failures: absolute path and reason of each file that failed.
        temporary: paths of those whose failure may pass, or that are known and only lack the model's embedding.
        again: copies whose original changed before they were written; they have to be decoded after all.
    """

    def __init__(
        self,
        library: Library,
        embedder: Embedder,
        model: ModelRecord,
        *,
        batch_size: int,
        stop: Callable[[], bool] = lambda: False,
        loaded: Callable[[], None] = lambda: None,
    ) -> None:
        """Write to `library`, whose writer lock the caller holds.

        `stop` is asked while the model loads; `loaded` is called before each batch, once it is.
        """
        self.added = self.updated = self.unchanged = 0
        self.failures: list[tuple[str, str]] = []
        self.temporary: list[str] = []
        self.again: list[Job] = []
        self._library, self._embedder, self._model, self._batch_size = library, embedder, model, batch_size
        self._stop, self._loaded = stop, loaded
        self._waiting: list[Result] = []  # decoded, to be embedded
        self._embedded: list[tuple[Result, NewPhoto, Vectors]] = []
        self._copies: list[tuple[Job, CopiedPhoto]] = []
        self._failed: list[tuple[Job, FailedPhoto]] = []
        self._lacking: list[tuple[Job, FailedPhoto]] = []  # known photos that this model cannot be given
        self._described: list[tuple[Job, DescribedPhoto]] = []
        self._retired: dict[str, Vectors] = {}
        self._last_commit = time.monotonic()

    def take(self, result: Result) -> None:
        """Take one result; embeds and commits when enough have come."""
        match result.photo:
            case FailedPhoto() as photo:
                self._fail(result.job, photo, keep=result.unread)
                if result.temporary or result.job.same:
                    self.temporary.append(str(result.job.root / photo.path))
            case CopiedPhoto(metadata=metadata) as photo:
                own = metadata and placed(metadata)
                self._copies.append((result.job, replace(photo, metadata=own)))
            case DescribedPhoto(metadata=metadata) as photo:
                self._described.append((result.job, replace(photo, metadata=placed(metadata))))
            case NewPhoto(metadata=metadata) as photo:
                self._waiting.append(replace(result, photo=replace(photo, metadata=placed(metadata))))
        if sum(map(_pictures, self._waiting)) >= self._batch_size:
            self._embed()
        held = len(self._embedded) + len(self._copies) + len(self._failed) + len(self._described)
        held += len(self._lacking)
        if held >= COMMIT_PHOTOS or (held and time.monotonic() - self._last_commit >= COMMIT_SECONDS):
            self._write()

    def commit(self) -> None:
        """Embed and commit everything taken so far; without a model, what waits for it is left to the next run."""
        self._embed()
        self._write()

    def _fail(self, job: Job, photo: FailedPhoto, *, keep: bool) -> None:
        """Note a failure; with `keep`, what the catalog knows of the photo stays, for the next run to settle.

        So it does where the file is the one that was embedded before: it is this model alone that lacks it.
        """
        if job.same and not job.describe:
            self._lacking.append((job, photo))
        elif not (keep and job.known):
            self._failed.append((job, photo))
        self.failures.append((str(job.root / photo.path), photo.reason))

    def _embed(self) -> None:
        if not self._waiting or not self._embedder.load(self._stop):
            return
        self._loaded()
        batch = [result for result in self._waiting if _pictures(result) == 1]
        videos = [result for result in self._waiting if _pictures(result) > 1]
        self._waiting = []
        for result in videos:
            self._embed_video(result)
        known = self._known_vectors(batch)
        new = {result.photo.content_hash: result for result in batch if isinstance(result.photo, NewPhoto)}
        fresh = [result for content, result in new.items() if content not in known]
        if fresh:
            try:
                self._keep(fresh, self._vectors(fresh))
            except ValueError:  # one of them has no direction: find out which
                for result in fresh:
                    self._embed_one(result)
        taken = {id(result) for result in fresh}
        self._keep_copies([result for result in batch if id(result) not in taken])

    def _known_vectors(self, batch: list[Result]) -> dict[str, Vectors]:
        """The vectors of those pictures that the model has embedded already, whatever the metadata beside them."""
        contents = {result.photo.content_hash for result in batch if isinstance(result.photo, NewPhoto)}
        known = {content: vector for content, vector in self._retired.items() if content in contents}
        known |= {photo.content_hash: made[0] for _, photo, made in self._embedded if photo.content_hash in contents}
        catalog = self._library.catalog
        for content, photo_id in catalog.by_content(contents - known.keys(), model_id=self._model.id).items():
            if (vector := catalog.embedding_of(photo_id, self._model.id)) is not None:
                known[content] = vector
        return known

    def _keep_copies(self, copies: list[Result]) -> None:
        """Give pictures that are there already, or came earlier in the batch, the vector of the first."""
        known = self._known_vectors(copies) if copies else {}
        for result in copies:
            if isinstance(result.photo, NewPhoto) and result.photo.content_hash in known:
                self._keep([result], known[result.photo.content_hash][None])
            else:  # the first of them had none
                self._embed_one(result)

    def _embed_one(self, result: Result) -> None:
        try:
            self._keep([result], self._vectors([result]))
        except ValueError:
            self._nothing_found(result)

    def _nothing_found(self, result: Result) -> None:
        reason = "the model finds nothing in this picture: its features are zero or not finite"
        self._fail(result.job, failure_of(result.job.file, reason), keep=False)

    def _embed_video(self, result: Result) -> None:
        """Embed the poster and the other frames, unless another file has the same ones."""
        assert isinstance(result.photo, NewPhoto) and result.pixels is not None
        photo, content = result.photo, result.photo.content_hash
        source = self._library.catalog.by_content([content], model_id=self._model.id).get(content)
        if source is not None:
            said = (photo.path, photo.size, photo.mtime_ns, content, source, photo.metadata, photo.sidecar)
            self._copies.append((result.job, CopiedPhoto(*said, photo.ctime_ns, photo.inode)))
            return
        made = next((made for _, other, made in self._embedded if other.content_hash == content), None)
        try:
            made = self._frames(result.pixels) if made is None else made
        except ValueError:
            self._nothing_found(result)
        else:
            self._embedded.append((replace(result, pixels=None), photo, made))

    def _frames(self, pixels: NDArray[np.uint8]) -> Vectors:
        starts = range(0, len(pixels), self._batch_size)
        return np.concatenate([self._embedder.embed_prepared([*pixels[i : i + self._batch_size]]) for i in starts])

    def _vectors(self, batch: list[Result]) -> Vectors:
        return self._embedder.embed_prepared([result.pixels[0] for result in batch if result.pixels is not None])

    def _keep(self, batch: list[Result], vectors: Vectors) -> None:
        for result, vector in zip(batch, vectors, strict=True):
            if isinstance(result.photo, NewPhoto):
                self._embedded.append((replace(result, pixels=None), result.photo, vector[None]))

    def _write(self) -> None:
        catalog = self._library.catalog
        self._retire()
        for root_id, copies in _by_root([(job, (job, copy)) for job, copy in self._copies]).items():
            self._write_copies(root_id, copies)  # first: what is stored next may be their originals
        for root_id, stored in _by_root([(r.job, (photo, made)) for r, photo, made in self._embedded]).items():
            vectors = np.stack([made[0] for _, made in stored])
            frames = {photo.path: made[1:] for photo, made in stored if photo.duration_s is not None}
            catalog.store(root_id, [photo for photo, _ in stored], self._model.id, vectors, frames)
        for root_id, failed in _by_root(self._failed).items():
            catalog.fail(root_id, failed)
        for root_id, failed in _by_root(self._lacking).items():
            catalog.note_failures(root_id, self._model.id, failed)
        if self._described:
            new = catalog.describe([photo for _, photo in self._described])
            counted = [photo.photo_id in new for job, photo in self._described if not job.moved]
            self.updated += sum(counted)
            self.unchanged += len(counted) - sum(counted)
        for result, photo, _ in self._embedded:  # after the commit: a kill in between costs a thumbnail, leaves none
            for frame, thumbnail in enumerate(result.thumbnails):
                if thumbnail:
                    self._library.thumbnails.keep(photo.content_hash, thumbnail, frame)
        for job in [result.job for result, *_ in self._embedded]:
            self.updated += job.known
            self.added += not job.known
        self._embedded, self._copies, self._failed, self._lacking, self._described = [], [], [], [], []
        self._last_commit = time.monotonic()

    def _retire(self) -> None:
        """Remember the vectors that the next commit drops: of two files that changed places, one comes second."""
        catalog = self._library.catalog
        replaced = {result.job.replaces for result, *_ in self._embedded if result.job.replaces}
        held = catalog.by_content(replaced, model_id=self._model.id) if replaced else {}
        for content, photo_id in held.items():
            if (vector := catalog.embedding_of(photo_id, self._model.id)) is not None:
                self._retired[content] = vector
        while len(self._retired) > RETIRED:
            del self._retired[next(iter(self._retired))]

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


def _pictures(result: Result) -> int:
    """How many the network has to see: one of a photo, of a video its poster and its other frames."""
    return 0 if result.pixels is None else len(result.pixels)


def _by_root(items: list[tuple[Job, _T]]) -> dict[int, list[_T]]:
    groups: dict[int, list[_T]] = defaultdict(list)
    for job, item in items:
        groups[job.root_id].append(item)
    return groups
