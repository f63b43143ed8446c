"""Pictures that are searched by or looked at, decoded in worker processes within the bounds of indexing.

A few at once, so that many uploads cost time and not memory; the others wait for their turn. It embeds nothing.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from indexer.workers.isolation import DEFAULT_MEMORY_MB, DEFAULT_TIMEOUT_S, WorkerPool

if TYPE_CHECKING:
    from PIL import Image

    from indexer.pictures.open_file import OpenFile
    from indexer.pictures.rendering import Box, Prepare
    from indexer.pictures.transit import Pixels

AT_ONCE = 2
MAX_PIXELS = 250_000_000  # where nothing is set
REST_AFTER_S = 60.0

T = TypeVar("T")
Finish: TypeAlias = "Callable[[Image.Image], bytes]"


class PictureDecoder:
    """Decodes for many threads, which wait; its processes end after a while without work, or with `close`."""

    def __init__(
        self,
        *,
        max_pixels: int = MAX_PIXELS,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        memory_mb: int = DEFAULT_MEMORY_MB,
        at_once: int = AT_ONCE,
        rest_after_s: float = REST_AFTER_S,
    ):
        """Start nothing yet.

        Args:
            max_pixels: a larger picture is refused.
            timeout_s: seconds that one picture may take.
            memory_mb: mebibytes that one picture may need.
            at_once: pictures decoded side by side.
            rest_after_s: seconds without work after which the processes end.
        """
        self._pool = WorkerPool(timeout_s=timeout_s, memory_mb=memory_mb)
        self._max_pixels = max_pixels
        self._rest_after_s = rest_after_s
        self._turns = threading.BoundedSemaphore(at_once)
        self._lock = threading.Lock()
        self._resting: threading.Timer | None = None
        self._closed = weakref.finalize(self, self._pool.close)  # also for those who forget to close it

    def square(self, picture: bytes | Path, prepare: Prepare, min_side: int) -> Pixels:
        """What the network sees of a picture, `prepare` of its embedder being what makes it.

        Raises:
            ImageError: the picture cannot be decoded within the bounds.
            DecoderStartError: no process can be started.
        """
        from indexer.pictures import rendering

        return self._run(rendering.square, picture, prepare, min_side, self._max_pixels)

    def square_and_small(self, picture: bytes, prepare: Prepare, min_side: int) -> tuple[Pixels, bytes]:
        """The same, with a small WebP of the picture to show; raises the same."""
        from indexer.pictures import rendering

        return self._run(rendering.square_and_small, picture, prepare, min_side, self._max_pixels)

    def region(self, picture: Path, box: Box, min_side: int) -> bytes:
        """The file of a region of a picture, whose short side is at least twice `min_side` if it has that; likewise."""
        from indexer.pictures import rendering

        return self._run(rendering.region, picture, box, min_side, self._max_pixels)

    def photo(self, file: OpenFile, like: Collection[str], min_side: int, finish: Finish) -> tuple[str, bytes]:
        """The content hash of a photo's file, and what `finish` makes of its picture; raises the same."""
        from indexer.pictures import rendering

        return self._run(rendering.photo, file.path, file.stamp, like, min_side, self._max_pixels, finish)

    def frame(
        self, file: OpenFile, like: Collection[str], moment_s: float, min_side: int, finish: Finish
    ) -> tuple[str, bytes]:
        """Likewise of a video's frame; the hash is "" where `like` is empty."""
        from indexer.pictures import rendering

        return self._run(rendering.frame, file.path, file.stamp, like, moment_s, min_side, self._max_pixels, finish)

    def close(self) -> None:
        """End the processes; what is being decoded fails."""
        with self._lock:
            if self._resting is not None:
                self._resting.cancel()
        self._closed()

    def _run(self, function: Callable[..., T], *arguments: object) -> T:
        with self._turns:
            try:
                return self._pool.run(function, *arguments)
            finally:
                self._rest_later()

    def _rest_later(self) -> None:
        with self._lock:
            if self._resting is not None:
                self._resting.cancel()
            self._resting = threading.Timer(self._rest_after_s, self._pool.rest)
            self._resting.daemon = True
            self._resting.start()
