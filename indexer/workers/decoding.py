"""Many photos decoded side by side in worker processes, in order, a bounded number at a time.

Each is read once: hashed, decoded, its thumbnail made and its pixels prepared for the network, so that no full picture
leaves its worker. A photo that fails, or takes its worker with it, is a result like any other.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.catalog.records import CopiedPhoto, DescribedPhoto, FailedPhoto, FoundFile, NewPhoto
from indexer.catalog.stamps import NEVER, changed_ns, inode_of, storable_ns
from indexer.errors import DecoderLostError, ImageError, TooLargeError, UnreadableError
from indexer.metadata.sidecar import kept, name_in
from indexer.pictures import images
from indexer.pictures.videos import is_video_name
from indexer.workers.isolation import WorkerPool
from indexer.workers.recipe import Recipe

JOBS_A_WORKER = 4  # a process starts in a tenth of a second of computing, in which it decodes this many photos


@dataclass(frozen=True, slots=True)  # there is one for each photo of a first run
class Job:
    """A file to make a photo of.

    Attributes:
        root_id: in the catalog.
        root: its folder.
        file: in that folder.
        known: whether the catalog has a photo at this path.
        same: whether that photo has the content of the file, and lacks only the model's embedding.
        describe: its id, where it has that too, and only its metadata is to be read again; 0 otherwise.
        content: its content hash, where that is the content of the file.
        replaces: its content hash, where that is not; "" where there is no photo, or it had none.
        moved: whether it is counted as moved, and so not as updated or unchanged.
    """

    root_id: int
    root: Path
    file: FoundFile
    known: bool
    same: bool = False
    describe: int = 0
    content: str | None = None
    replaces: str = ""
    moved: bool = False


@dataclass(frozen=True)
class Result:
    """What became of a job: a photo with its pixels and thumbnails, a copy of a known one, metadata, or a failure.

    `pixels` are (f, s, s, 3): of a photo one picture, of a video its poster and then its other frames.
    `unread` says of a failure that the file could not be read, or changed meanwhile: nothing is known of its content.
    `temporary` says that it may pass by itself: that, or memory that ran out elsewhere.
    """

    job: Job
    photo: NewPhoto | CopiedPhoto | DescribedPhoto | FailedPhoto
    pixels: NDArray[np.uint8] | None = None
    thumbnails: tuple[bytes, ...] = ()
    unread: bool = False
    temporary: bool = False


@dataclass(frozen=True)
class Decoder:
    """Makes a photo of a file; called from several threads.

    Attributes:
        recipe: done in a worker.
        pool: the workers.
        copy_of: content hash -> id of a photo with these bytes that is embedded already, or None.
        sizes: sizes in bytes of such photos; only files of these sizes are looked up before they are decoded.
        warm: called when there will be something to embed, so that the model loads meanwhile.
    """

    recipe: Recipe
    pool: WorkerPool
    copy_of: Callable[[str], int | None]
    sizes: frozenset[int]
    warm: Callable[[], None] = lambda: None

    def __call__(self, job: Job) -> Result:
        """Read, hash, decode and prepare one file."""
        path = job.root / job.file.path
        try:
            if job.describe:
                return Result(job, self._described(job, path))
            copy = self._copy(path, job.file, known=job.known)
            return Result(job, copy) if copy else self._new(job, path)
        except ImageError as error:
            unread = bool(job.describe) or isinstance(error, UnreadableError) or not _is_as_found(path, job.file)
            temporary = unread or (isinstance(error, DecoderLostError) and error.temporary)
            failed = failure_of(job.file, str(error))
            if temporary or isinstance(error, TooLargeError):
                failed = replace(failed, mtime_ns=NEVER)  # it may not fail the next time: every run tries it again
            return Result(job, failed, unread=unread, temporary=temporary)

    def _copy(self, path: Path, file: FoundFile, *, known: bool) -> CopiedPhoto | None:
        if known or file.size not in self.sizes:
            return None
        for content in images.hashes_of(path):
            source = self.copy_of(content)
            if source is not None:
                # Only the picture is known to be the same.
                metadata, read = self.pool.run(self.recipe.describe, path, file)
                stamp = kept(file.sidecar, read=read)
                return CopiedPhoto(
                    *(file.path, file.size, file.mtime_ns, content, source, metadata, stamp),
                    ctime_ns=file.ctime_ns,
                    inode=file.inode,
                )
        return None

    def _described(self, job: Job, path: Path) -> DescribedPhoto:
        file = job.file
        metadata, read = self.pool.run(self.recipe.describe, path, file)
        if not read:  # what it said when it was read stays known, and the next run tries again
            raise UnreadableError(f"{name_in(file.sidecar)!r} beside it cannot be read; what it said before is kept")
        stamps = (file.size, file.mtime_ns, kept(file.sidecar, read=True), file.ctime_ns, file.inode)
        return DescribedPhoto(job.describe, metadata, *stamps)

    def _new(self, job: Job, path: Path) -> Result:
        if job.same or not job.known:  # else it may have failed before: no model is loaded to see it fail again
            self.warm()
        made = self.pool.run(self.recipe, path, job.file, job.content)
        self.warm()
        return Result(job, *made)


def failure_of(file: FoundFile, reason: str) -> FailedPhoto:
    """What is kept of a file that cannot be made a photo of; it is tried again when its stamp is another one."""
    return FailedPhoto(file.path, file.size, file.mtime_ns, reason, file.ctime_ns, file.inode)


def _is_as_found(path: Path, file: FoundFile) -> bool:
    """Whether the file is there, may be read, and has the stamp that the scan saw."""
    try:
        status = path.stat()
    except OSError:
        return False
    now = (status.st_size, storable_ns(status.st_mtime_ns), changed_ns(status), inode_of(status) if file.inode else 0)
    return os.access(path, os.R_OK) and now == (file.size, file.mtime_ns, file.ctime_ns, file.inode)


def workers_for(jobs: Sequence[Job], most: int) -> int:
    """How many processes are worth starting."""
    videos = sum(is_video_name(job.file.path) for job in jobs)
    return min(most, videos + -(-(len(jobs) - videos) // JOBS_A_WORKER))


def decode_in_turn(
    jobs: Sequence[Job], decoder: Decoder, *, workers: int, ahead: int, stop: Callable[[], bool] = lambda: False
) -> Iterator[Result]:
    """Results of the photos, in the order of the jobs, then those of the videos; as decode_all().

    A video's frames take a hundred times the memory of a photo, so that no more of them wait than are being decoded.
    """
    videos = [job for job in jobs if is_video_name(job.file.path)]
    photos = [job for job in jobs if not is_video_name(job.file.path)] if videos else jobs
    yield from decode_all(photos, decoder, workers=workers, ahead=ahead, stop=stop)
    if videos and not stop():
        yield from decode_all(videos, decoder, workers=workers, ahead=workers, stop=stop)


def decode_all(
    jobs: Iterable[Job], decoder: Decoder, *, workers: int, ahead: int, stop: Callable[[], bool] = lambda: False
) -> Iterator[Result]:
    """Results in the order of the jobs, at most `ahead` of them waiting.

    Args:
        jobs: what to decode.
        decoder: makes a photo of each; its pool is closed where not all of them are waited for.
        workers: processes.
        ahead: jobs taken up before their turn; bounds the memory.
        stop: asked ten times a second; True ends the results.
    """
    waiting: deque[Future[Result]] = deque()
    decoder.pool.open()
    with ThreadPoolExecutor(workers, thread_name_prefix="decode") as threads:
        try:
            for job in jobs:
                waiting.append(threads.submit(decoder, job))
                if len(waiting) > ahead:
                    if not _is_done(waiting[0], stop):
                        return
                    yield waiting.popleft().result()
            while waiting and _is_done(waiting[0], stop):
                yield waiting.popleft().result()
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
            if not all(future.done() for future in waiting):
                decoder.pool.close()  # nobody waits for what they are at


def _is_done(future: Future[Result], stop: Callable[[], bool]) -> bool:
    """Wait for a result; False where `stop` said so first."""
    while not future.done():
        if stop():
            return False
        wait([future], timeout=0.1)
    return True
