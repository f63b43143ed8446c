"""Many photos decoded side by side, in order, a bounded number at a time.

Each is read once: hashed, decoded, its thumbnail made and its pixels prepared for the network, so that no full picture
leaves its worker. A photo that fails is a result like any other.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexer import images
from indexer.errors import ImageError, TooLargeError
from indexer.exif import PhotoMetadata
from indexer.records import CopiedPhoto, DescribedPhoto, FailedPhoto, NewPhoto, storable_ns
from indexer.rereading import reread
from indexer.scanner import FoundFile
from indexer.thumbnails import ThumbnailStore

NEVER = -1  # a modification time that no file has: what may not fail the next time is tried again by every run


@dataclass(frozen=True)
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
    """

    root_id: int
    root: Path
    file: FoundFile
    known: bool
    same: bool = False
    describe: int = 0
    content: str | None = None


@dataclass(frozen=True)
class Result:
    """What became of a job: a photo with its pixels and thumbnail, a copy of a known one, metadata, or a failure.

    `unread` says of a failure that the file could not be read, or changed meanwhile: nothing is known of its content.
    """

    job: Job
    photo: NewPhoto | CopiedPhoto | DescribedPhoto | FailedPhoto
    pixels: NDArray[np.float32] | None = None
    thumbnail: bytes = b""
    unread: bool = False


@dataclass(frozen=True)
class Decoder:
    """Makes a photo of a file; called from several threads.

    Attributes:
        prepare: picture -> what the network sees of it, (3, s, s).
        thumbnails: makes the small pictures, and knows which are there.
        copy_of: content hash -> id of a photo with these bytes that is embedded already, or None.
        sizes: sizes in bytes of such photos; only files of these sizes are looked up before they are decoded.
        min_side: the short side in pixels that the network scales to.
        max_pixels: a picture with more is refused.
    """

    prepare: Callable[[Image.Image], NDArray[np.float32]]
    thumbnails: ThumbnailStore
    copy_of: Callable[[str], int | None]
    sizes: frozenset[int]
    min_side: int
    max_pixels: int

    def __call__(self, job: Job) -> Result:
        """Read, hash, decode and prepare one file."""
        path = job.root / job.file.path
        try:
            if job.describe:
                file = job.file
                return Result(job, DescribedPhoto(job.describe, self._metadata(path), file.size, file.mtime_ns))
            copy = self._copy(path, job.file, known=job.known)
            return Result(job, copy) if copy else self._new(job, path)
        except ImageError as error:
            unread = bool(job.describe) or not _is_as_found(path, job.file)
            again = unread or isinstance(error, TooLargeError)
            stamp = NEVER if again else job.file.mtime_ns
            return Result(job, FailedPhoto(job.file.path, job.file.size, stamp, str(error)), unread=unread)

    def _copy(self, path: Path, file: FoundFile, *, known: bool) -> CopiedPhoto | None:
        if known or file.size not in self.sizes:
            return None
        for content in images.hashes_of(path):
            source = self.copy_of(content)
            if source is not None:
                metadata = self._metadata(path)  # its own: only the picture is known to be the same
                return CopiedPhoto(file.path, file.size, file.mtime_ns, content, source, metadata)
        return None

    def _metadata(self, path: Path) -> PhotoMetadata:
        return reread(path, max_pixels=self.max_pixels, max_bytes=images.DEFAULT_MAX_BYTES)

    def _new(self, job: Job, path: Path) -> Result:
        like = [job.content] if job.content else []
        loaded = images.load(path, min_side=self.min_side, max_pixels=self.max_pixels, like=like)
        decoded = loaded.decoded
        thumbnail = b"" if self.thumbnails.exists(loaded.content_hash) else self.thumbnails.make(decoded.image)
        photo = NewPhoto(
            path=job.file.path,
            size=loaded.size,
            mtime_ns=loaded.mtime_ns,
            content_hash=loaded.content_hash,
            width=decoded.width,
            height=decoded.height,
            format=decoded.format,
            metadata=decoded.metadata,
        )
        return Result(job, photo, self.prepare(decoded.image), thumbnail)


def _is_as_found(path: Path, file: FoundFile) -> bool:
    """Whether the file is there, may be read, and has the stamp that the scan saw."""
    try:
        status = path.stat()
    except OSError:
        return False
    return os.access(path, os.R_OK) and (status.st_size, storable_ns(status.st_mtime_ns)) == (file.size, file.mtime_ns)


def decode_all(jobs: Iterable[Job], decoder: Decoder, *, workers: int, ahead: int) -> Iterator[Result]:
    """Results in the order of the jobs, at most `ahead` of them waiting.

    Args:
        jobs: what to decode.
        decoder: makes a photo of each.
        workers: threads.
        ahead: jobs taken up before their turn; bounds the memory.
    """
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
        try:
            for job in jobs:
                waiting.append(pool.submit(decoder, job))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
