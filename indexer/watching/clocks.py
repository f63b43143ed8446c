"""Whether the wall clock was set, or the machine slept: then events may be missing, and times may lie."""

from __future__ import annotations

import time

CLOCK_JUMP_S = 60.0


class Clocks:
    """The wall clock against the one that only goes forward."""

    def __init__(self) -> None:
        """Take how they stand now for right."""
        self._apart = time.time() - time.monotonic()

    def jumped(self) -> bool:
        """Whether they have come apart since the last call."""
        before, self._apart = self._apart, time.time() - time.monotonic()
        return abs(self._apart - before) > CLOCK_JUMP_S
