"""Goes through an open video from moment to moment: by seeking where key frames are near, else picture by picture.

What a frame is made into is video_frames.py's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

CheckSize = Callable[[int, int], None]
MOST_DECODED = 20_000
"""Pictures decoded on the way from key frames; beyond them key frames alone are taken."""
_BACK_S = 10.0  # further than key frames of cameras lie apart
_LONGEST_S = 366 * 86_400.0
"""A header that says more was damaged."""


def duration_s(container: Any, stream: Any) -> float:
    """How long a video is, in seconds; 0 where its header does not say, or says what cannot be."""
    track = float(stream.duration * stream.time_base) if stream.duration else 0.0
    whole = float(container.duration or 0) / 1_000_000
    return next((length for length in (track, whole) if 0 < length <= _LONGEST_S), 0.0)


class Reader:
    """Reads one video, forwards."""

    def __init__(self, container: Any, stream: Any, broken: type[Exception], check_size: CheckSize) -> None:
        """Read nothing yet.

        Args:
            container: PyAV's, open.
            stream: of its pictures.
            broken: what is raised at damage.
            check_size: raises where a frame is too large; each may have a size of its own.
        """
        self._container, self._stream, self._broken, self._check = container, stream, broken, check_size
        self._start_s = float((stream.start_time or 0) * stream.time_base)
        self._pictures: Iterator[Any] | None = None
        self.known_length = duration_s(container, stream) > 0
        self._decoded = 0
        self._sparse = not self.known_length  # key frames lie further apart than the moments
        self._over = False  # nothing follows, wherever one seeks
        self._last: Any = None

    def time(self, frame: Any) -> float:
        """When a frame is shown, in seconds from the start."""
        return max(0.0, (frame.time or 0.0) - self._start_s)

    def at(self, moment_s: float, reach_s: float) -> Any:
        """A frame near a moment; the last before it where none follows, None where the video is known to be over.

        Of the frames from `reach_s` before the moment on, a key frame where seeking finds one, else the first.
        """
        earliest = moment_s - reach_s
        if self._last is not None and self.time(self._last) >= earliest:
            return self._last
        sought = self._pictures is None or not self._sparse or self._decoded > MOST_DECODED
        if sought:
            self._seek(moment_s)
        found = self._until(earliest, sought=sought)
        if sought and not self._over and (found is None or self.time(found) > moment_s + reach_s):
            found = self._from_further_back(moment_s, earliest, found)
        if found is None and not self.known_length:
            return None
        self._last = found or self._last
        return self._last

    def _from_further_back(self, moment_s: float, earliest: float, beyond: Any) -> Any:
        """Where seeking leads behind the moment, as it does without an index, or to nothing: from before it on."""
        if self._decoded > MOST_DECODED:
            return beyond
        self._seek(moment_s - _BACK_S)
        found = self._until(earliest, sought=False)
        self._over = found is None or (self._last is not None and self.time(found) <= self.time(self._last))
        return beyond if self._over else found

    def _until(self, earliest: float, *, sought: bool) -> Any:
        """The first frame from a time on, else the last one before it; None where nothing follows."""
        found = None
        for frame in self._decode():
            if found is None and sought and self._last is not None and self.time(frame) <= self.time(self._last):
                self._sparse = True  # to go on from there would have been shorter
            found = frame
            if self.time(frame) >= earliest or self._decoded > MOST_DECODED:
                return frame
        return found if self.known_length else None

    def _seek(self, moment_s: float) -> None:
        """To the last key frame before a moment, or to the beginning, where the container can."""
        try:
            if moment_s > 0:
                self._container.seek(int((self._start_s + moment_s) / self._stream.time_base), stream=self._stream)
            else:
                self._container.seek(0)
        except self._broken:
            self._sparse = True
            if self._pictures is not None:
                return
        self._pictures = self._container.decode(self._stream)

    def _decode(self) -> Iterator[Any]:
        assert self._pictures is not None
        while True:
            try:
                frame = next(self._pictures)
            except StopIteration:
                return
            except self._broken:  # damage: what was decoded before it, and what follows, is shown
                self._sparse = False
                return
            self._check(frame.width, frame.height)
            self._decoded += 1
            yield frame
