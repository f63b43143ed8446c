"""Where a page begins when the library has changed since the page before: behind what was the last hit of that. Pure.

Photos that come push others down, and those that go pull them up, so that an offset alone repeats hits or misses some.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from indexer.catalog.records import PhotoRecord

REACHES = (512, 8_192)
"""Hits before and behind the offset among which the last one is looked for; it seldom has moved far."""

Listed = Callable[[int, int], Sequence[Collection[int]]]
"""limit, offset -> the photos of each hit of a page: the one that stands, and the copies behind it."""


def start_of(offset: int, behind: int | None, listed: Listed) -> int:
    """The hits that stand before the page.

    Args:
        offset: how many there were when it was asked for.
        behind: the photo of the last of them then; None: the offset decides, as it does where that photo is no hit any
            more, or has moved too far.
        listed: the order as it is now.
    """
    if behind is None:
        return offset
    if offset and any(behind in hit for hit in listed(1, offset - 1)):
        return offset
    for reach in REACHES:
        start = max(0, offset - reach)
        for place, hit in enumerate(listed(offset + reach - start, start), start):
            if behind in hit:
                return place + 1
    return offset


def photos_of(first: PhotoRecord, others: Iterable[PhotoRecord]) -> list[int]:
    """The ids of a hit's photos."""
    return [first.id, *(other.id for other in others)]
