"""Photos in the order of the instants at which they were taken, out of the order of their cameras' clocks. Pure.

A clock tells the hour of its place. Where its zone is known the instant is, too. Where nobody recorded one, a photo
counts as taken in the zone of the one before it by the clock, if that lies within a week: a camera without a zone keeps
its place among the photos of a phone. With none it is taken for UTC, as are all around it: their order is the clock's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from heapq import heappop, heappush

_MINUTE_MS = 60_000
_WEST_MS = 12 * 60 * _MINUTE_MS
"""How much later than its clock, read as UTC, an instant can be at most: no zone is further behind UTC."""
_WEEK_MS = 7 * 24 * 60 * _MINUTE_MS

Clocked = tuple[int, int | None, int | None]
"""A photo's id, the milliseconds on its camera's clock (None: no date), minutes of that ahead of UTC, if known."""


def by_instant(photos: Iterable[Clocked]) -> Iterator[int]:
    """The ids, the latest instant first, those without a date last; as they come where instants are equal.

    It reads as far ahead as a zone can move what it gives next, and is done with a photo once it has given it.

    Args:
        photos: the latest on its clock first, those without a date last.
    """
    ready: list[tuple[int, int, int]] = []  # a heap of (-instant, place, id)
    waiting: deque[tuple[int, int, int]] = deque()  # (clock, place, id), until the one before them is known
    undated: list[int] = []
    for place, (number, clock, ahead) in enumerate(photos):
        if clock is None:
            undated.append(number)
            continue
        while waiting and waiting[0][0] > clock + _WEEK_MS:
            _settle(ready, waiting.popleft(), 0)
        waiting.append((clock, place, number))
        if ahead is not None:
            while waiting:
                _settle(ready, waiting.popleft(), ahead)
        latest = (waiting[0][0] if waiting else clock) + _WEST_MS
        while ready and -ready[0][0] > latest:
            yield heappop(ready)[2]
    while waiting:
        _settle(ready, waiting.popleft(), 0)
    while ready:
        yield heappop(ready)[2]
    yield from undated


def _settle(ready: list[tuple[int, int, int]], photo: tuple[int, int, int], ahead: int) -> None:
    clock, place, number = photo
    heappush(ready, (-(clock - ahead * _MINUTE_MS), place, number))
