"""When to try again: photos whose failure may pass, and a library that cannot be written. Pure; times are given.

Kept in memory alone: the catalog itself marks what could not be read, and the first run of every start tries it anyway.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

PAUSES_S = (60.0, 600.0, 3600.0)


@dataclass
class Retries:
    """Photos that failed for a reason that may pass: each is tried again once after each of the pauses."""

    pauses_s: Sequence[float] = PAUSES_S
    _tried: dict[str, int] = field(default_factory=dict)
    _due: dict[str, float] = field(default_factory=dict)

    def take_in(self, failed: Collection[str], temporary: Collection[str], now: float) -> None:
        """Take in a run's failures; those that were due and are not among them are forgotten."""
        for path in [path for path, due in self._due.items() if due <= now and path not in failed]:
            self._forget(path)
        for path in set(failed) - set(temporary):
            self._forget(path)
        for path in temporary:
            if self._due.get(path, now) > now:  # a run for another reason came by before its time
                continue
            tried = self._tried.get(path, 0)
            if tried >= len(self.pauses_s):
                self._due.pop(path, None)  # it stays in `_tried`, so that a later run does not start over
                continue
            self._tried[path] = tried + 1
            self._due[path] = now + self.pauses_s[tried]

    def due(self, now: float) -> list[str]:
        """The photos whose time has come."""
        return [path for path, due in self._due.items() if due <= now]

    def _forget(self, path: str) -> None:
        self._tried.pop(path, None)
        self._due.pop(path, None)


@dataclass
class Pauses:
    """Seconds to wait when the library is locked, or cannot be written; they grow while that lasts."""

    first_s: float = 2.0
    longest_locked_s: float = 30.0
    longest_broken_s: float = 600.0
    _next_s: float = 0.0
    _reason: str = ""

    def is_new(self, reason: str) -> bool:
        """Whether work stopped for another reason, or went on since: who waits says so once."""
        known, self._reason = self._reason, reason
        return known != reason

    def locked(self) -> float:
        """Another process has it."""
        return self._grow(self.longest_locked_s)

    def broken(self) -> float:
        """The disk is full, or worse."""
        return self._grow(self.longest_broken_s)

    def over(self) -> None:
        """It works again."""
        self._next_s, self._reason = 0.0, ""

    def _grow(self, longest_s: float) -> float:
        self._next_s = min(max(2 * self._next_s, self.first_s), longest_s)
        return self._next_s
