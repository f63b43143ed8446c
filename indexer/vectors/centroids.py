"""Centroids of a library's vectors, and how many of their lists hold the nearest ones, as measured on the library.

Source: Dhillon, Modha 2001, "Concept decompositions for large sparse text data using clustering" (spherical k-means)
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from indexer.vectors.near_lists import DEPTHS, nearest_lists
from indexer.vectors.rows import Half, VectorRows
from indexer.vectors.scanning import Floats, Ids

TARGET = 0.99  # share of the exact hits that the lists shall find
_AIMED = 0.993  # on the sample, since another one finds a little more or less
_MOST_OF = 4  # of so many lists one may be looked into: beyond that looking at all rows is no slower
_LISTS = 2.0  # times the square root of the rows: more find quicker and are trained longer
_SAMPLE = 32  # rows for each list that centroids are trained on
_ROUNDS = 6
_QUERIES = 96  # of each of two kinds
_AT_ONCE = 8
_CHUNK = 4096
_FAR = 0.35  # cosine of a text with what a photo has of its own, about what texts have with the photos they name


def trained(
    ids: Ids, vectors: Callable[[Ids], Half], numbers: np.random.Generator, check: Callable[[], None]
) -> Floats:
    """Return centroids (l, d) of unit length, by k-means over a sample of rows.

    Args:
        ids: (n,).
        vectors: ids -> vectors.
        numbers: that choose the sample.
        check: called at each step.
    """
    count = max(1, int(_LISTS * len(ids) ** 0.5))
    chosen = numbers.permutation(len(ids))[: count * _SAMPLE]
    parts = []
    for start in range(0, len(chosen), _CHUNK):
        check()
        parts.append(vectors(ids[chosen[start : start + _CHUNK]]))
    sample = np.concatenate(parts)
    centroids = _unit(sample[:count].astype(np.float32))  # they were drawn at random
    for _ in range(_ROUNDS):
        sums, sizes = np.zeros_like(centroids), np.zeros(count, np.int64)
        for start in range(0, len(sample), _CHUNK):
            check()
            part = sample[start : start + _CHUNK].astype(np.float32)
            near, _ = nearest_lists(centroids, part)
            np.add.at(sums, near, part)
            sizes += np.bincount(near, minlength=count)
        lonely = np.flatnonzero(sizes == 0)
        sums[lonely] = sample[numbers.integers(0, len(sample), len(lonely))]
        centroids = _unit(sums)
    return centroids[neighbours_together(centroids)]


def neighbours_together(rows: Floats) -> Ids:
    """Return an order (n,) in which rows that are near each other often stand together: halved, again and again.

    A search of 2,000 lists that looks into 204 of them passes over 84 ranges of rows rather than 183.
    """
    if len(rows) < 3:
        return np.arange(len(rows))
    away = rows - rows.mean(axis=0)
    direction = away[np.argmax(np.einsum("nd,nd->n", away, away))]
    for _ in range(8):  # towards that in which they differ most
        direction = away.T @ (away @ direction)
        if not (length := np.linalg.norm(direction)):
            break
        direction /= length
    order = np.argsort(away @ direction, kind="stable")
    halves = order[: len(order) // 2], order[len(order) // 2 :]
    return np.concatenate([half[neighbours_together(rows[half])] for half in halves])


def spread(halves: Half, numbers: np.random.Generator) -> Floats:
    """Return queries (q, d): vectors of the library, and others as far from all of them as texts are.

    A text's vector has little in common with any photo's. What it has of a photo it looks for is set to `_FAR`, and
    the rest is drawn at random.
    """
    own = halves[numbers.integers(0, len(halves), _QUERIES)].astype(np.float32)
    mean = halves[:: max(1, len(halves) // 2000)].astype(np.float32).mean(axis=0)
    noise = _unit(numbers.standard_normal(own.shape, dtype=np.float32))
    return np.concatenate([own, _unit(_FAR * _unit(own - mean) + (1 - _FAR**2) ** 0.5 * noise)])


def measured(
    rows: VectorRows, centroids: Floats, starts: Ids, queries: Floats, check: Callable[[], None]
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Measure in how many lists the exact hits of queries stand.

    Args:
        rows: in the order of the lists.
        centroids: (l, d).
        starts: (l + 1,) of the lists.
        queries: (q, d), half of them vectors of the library, which are no hits of their own, and half not.
        check: called at each step.

    Returns:
        For each of DEPTHS: how many lists, the nearest first, hold TARGET of that many hits, of each half; 0 where
        that takes so many that looking at all is no slower. And the share that they hold; 1.0 there.
    """
    depth = DEPTHS[-1] + 1
    needed = np.full((len(queries), depth), len(centroids), np.int64)  # the list in which each hit stands, counted
    for start in range(0, len(queries), _AT_ONCE):
        check()
        asked = queries[start : start + _AT_ONCE]
        order = np.argsort(-(asked @ centroids.T), axis=1, kind="stable")
        for query, (ids, _) in enumerate(rows.search(asked, depth)):
            place = np.empty(len(centroids), np.int64)
            place[order[query]] = np.arange(len(centroids))
            homes = np.searchsorted(starts, rows.table.rows(ids), side="right") - 1
            needed[start + query, : len(ids)] = place[homes]
    found = min(depth, len(rows))
    half = len(queries) // 2
    probes, recall = [], []
    for hits in DEPTHS:
        kinds = needed[:half, 1 : min(hits + 1, found)], needed[half:, : min(hits, found)]
        number = 1 + max(_enough(kind.ravel()) for kind in kinds)
        is_quicker = number * _MOST_OF <= len(centroids)
        probes.append(number if is_quicker else 0)
        recall.append(min(_share(kind, number) for kind in kinds) if is_quicker else 1.0)
    return tuple(probes), tuple(recall)


def _enough(places: Ids) -> int:
    """The least place at or before which enough of them are."""
    return int(np.sort(places)[int(np.ceil(_AIMED * len(places))) - 1]) if len(places) else 0


def _share(places: Ids, number: int) -> float:
    return float(np.mean(places < number)) if places.size else 1.0


def _unit(rows: Floats) -> Floats:
    """Rows of unit length; of those that are zero the first axis, so that there is always a direction."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Floats = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    unit[lengths[:, 0] == 0, 0] = 1
    return unit
