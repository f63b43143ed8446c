"""Unit vectors and a slow, obvious search to hold the index to."""

from __future__ import annotations

import numpy as np

DIM = 16


def unit(count: int, *, dim: int = DIM, seed: int = 0) -> np.ndarray:
    """(count, dim) float32 of unit length, at random."""
    rows = np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def assert_nearest(found, stored: dict[int, np.ndarray], query: np.ndarray, k: int, allowed=None) -> None:
    """Hold one query's (ids, scores) to the k best of `stored`, rounded to half as the index stores them."""
    photos = [photo for photo in stored if allowed is None or photo in allowed]
    rows = np.array([stored[photo] for photo in photos]).reshape(-1, len(query))
    exact = dict(zip(photos, (rows.astype(np.float16).astype(np.float64) @ query).tolist(), strict=True))
    ids, scores = found[0].tolist(), found[1].tolist()
    assert len(ids) == len(set(ids)) == len(scores) == min(k, len(exact))
    assert list(zip(ids, scores, strict=True)) == sorted(
        zip(ids, scores, strict=True), key=lambda pair: (-pair[1], pair[0])
    )
    np.testing.assert_allclose(scores, [exact[photo] for photo in ids], atol=2e-6)
    hits = set(ids)
    left_out = [score for photo, score in exact.items() if photo not in hits]
    assert not ids or max(left_out, default=-2.0) <= scores[-1] + 2e-6
