"""Examples to embeddings and words: decoded in threads while the network embeds those before, then let go.

Legend: n pictures, d dimension, s side of the square that the network sees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from clip_model.evaluation.readers.data_sets import DataSet
from clip_model.evaluation.readers.examples import Example, Item, Unreadable

AT_ONCE = 64  # pictures decoded ahead of the network, and as many in it
BYTES_AT_ONCE = 128 << 20  # of their files; the last one may go beyond that

Square = NDArray[np.uint8]
Decode = Callable[[Example], Square]
"""An example's picture to (s, s, 3) bytes; a ValueError says why it cannot be."""
EmbedSquares = Callable[[Sequence[Square]], NDArray[np.float32]]


@dataclass
class Group:
    """What was embedded of one source: row i of `embeddings` belongs to label i and captions i."""

    source: str
    labels: list[str] = field(default_factory=list)
    captions: list[tuple[str, ...]] = field(default_factory=list)
    parts: list[NDArray[np.float32]] = field(default_factory=list)

    @property
    def embeddings(self) -> NDArray[np.float32]:
        """(n, d), unit length."""
        return np.concatenate(self.parts)


@dataclass
class Collected:
    """A data set, embedded: its sources in the order of their names, and what could not be read."""

    groups: list[Group]
    unreadable: list[Unreadable]


def collect(
    data: DataSet,
    decode: Decode,
    embed_squares: EmbedSquares,
    *,
    threads: int,
    limit: int | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Collected:
    """Embed a data set.

    Args:
        data: as `open_data_set` gives it.
        decode: called in `threads` threads.
        embed_squares: squares -> (n, d), unit length.
        threads: that decode.
        limit: at most so many pictures of each source; None is all.
        on_progress: told how many pictures are done; of how many is not known (0).
    """
    groups: dict[str, Group] = {}
    unreadable: list[Unreadable] = []
    done = 0
    pool = ThreadPoolExecutor(threads)
    try:
        for batch in _ahead(pool, _limited(data, limit), decode):
            ready: list[tuple[Example, Square]] = []
            for item, job in batch:
                if isinstance(item, Unreadable):
                    unreadable.append(item)
                    continue
                try:
                    ready.append((item, job.result()))
                except ValueError as error:
                    unreadable.append(Unreadable(item.name, str(error)))
            if ready:
                _take_in(groups, ready, embed_squares([square for _, square in ready]))
            done += len(batch)
            on_progress(done, 0)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # an error or Ctrl-C waits for no picture
    return Collected([groups[name] for name in sorted(groups)], unreadable)


def _take_in(groups: dict[str, Group], ready: list[tuple[Example, Square]], embeddings: NDArray[np.float32]) -> None:
    for (example, _), embedding in zip(ready, embeddings, strict=True):
        group = groups.setdefault(example.source, Group(example.source))
        group.labels.append(example.label)
        group.captions.append(example.captions)
        group.parts.append(embedding[None])


def _limited(data: DataSet, limit: int | None) -> Iterator[Item]:
    """The first items of each source; where there is one alone, no more than these are read."""
    if limit is None:
        yield from data.items
        return
    taken: dict[str, int] = {}
    for item in data.items:
        if isinstance(item, Unreadable):
            yield item
            continue
        taken[item.source] = taken.get(item.source, 0) + 1
        if taken[item.source] <= limit:
            yield item
        if data.one_source and taken[item.source] >= limit:
            return


_Batch = list[tuple[Item, Future[Square]]]


def _ahead(pool: ThreadPoolExecutor, items: Iterator[Item], decode: Decode) -> Iterator[_Batch]:
    """Batches whose pictures are being decoded, each handed out when the next one has begun."""
    waiting: _Batch = []
    while chunk := _chunk(items):  # of what is unreadable nothing is ever asked
        begun = [(item, pool.submit(decode, item) if isinstance(item, Example) else Future[Square]()) for item in chunk]
        if waiting:
            yield waiting
        waiting = begun
    if waiting:
        yield waiting


def _chunk(items: Iterator[Item]) -> list[Item]:
    """The next items, fewer where their pictures are large."""
    chunk: list[Item] = []
    held = 0
    for item in items:
        chunk.append(item)
        held += len(item.picture) if isinstance(item, Example) else 0
        if len(chunk) == AT_ONCE or held >= BYTES_AT_ONCE:
            break
    return chunk
