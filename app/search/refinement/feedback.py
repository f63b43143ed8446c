"""What a query looks for once hits were marked right and wrong. It asks the index for the marked photos' vectors alone.

The query's vector is drawn towards the photos that are right, and away from those that are wrong:

    refined = query + RIGHT * mean of the right ones - WRONG * mean of the wrong ones, then of unit length

    Source: Rocchio 1971, "Relevance feedback in information retrieval".

The constants are the best of a grid on one half of the names of a labelled set (`benchmarks/feedback.py`, which reports
the other half). Taking the library's mean away from the photos first, and a logistic model that starts from the query's
direction, were tried and are no better.

Relevance stays what it was over the library: the refined cosines are read so that their log odds have the mean and the
deviation that those of the query had. Then the marks are taken at their word. Where a right one lies below what a match
has, 0.5 or more if that is asked for, all is raised until it does not. Else, where a wrong one lies above 0.5, all is
lowered by LOWERED of the way that would put it there, but no right one below that; wrong ones are no hits in any case.

Legend: n, m photos marked right and wrong, d dimension of the embeddings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, sqrt

import numpy as np
from numpy.typing import NDArray

from app.search.background import Background, Calibration, Sought
from app.search.index_pass import Look, nearest_of
from app.search.query import Query
from indexer.catalog.columns.photo_set import PhotoSet
from indexer.errors import QueryError
from indexer.vectors.index import VectorIndex

RIGHT, WRONG = 0.5, 0.15
LOWERED = 0.5
JUST = 1e-3  # log odds above those of a match
SURE = 1 - 1e-6  # relevance that a match may need to have, for marks to raise it: at 1 nothing is one

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Marks:
    """The vectors of photos that were marked: right (n, d), wrong (m, d), each of unit length."""

    right: Floats
    wrong: Floats


def with_marks(
    query: Query,
    sought: Sought,
    calibration: Calibration | None,
    background: Background | None,
    index: VectorIndex,
    photos: PhotoSet,
) -> tuple[Sought, Calibration | None]:
    """What a query looks for by its marks, and how that is read; as it was where it has none.

    Args:
        query: whose marks count.
        sought: what it looks for without them.
        calibration: of that; None where nothing is known of relevance.
        background: of the library; None likewise.
        index: where the marked photos' vectors are.
        photos: that are in it.

    Raises:
        QueryError: as `marked` and `refined`.
    """
    if not (query.right or query.wrong):
        return sought, calibration
    marks = marked(query.right, query.wrong, index, photos, sought)
    drawn = refined(sought, marks)
    if background and calibration:
        calibration = recalibrated(calibration, background, sought, drawn, marks, query.min_relevance)
    return drawn, calibration


def marked(right: Sequence[int], wrong: Sequence[int], index: VectorIndex, photos: PhotoSet, sought: Sought) -> Marks:
    """The vectors of photos that were marked; of a video that of the frame that is nearest to what was looked for.

    Args:
        right: ids of photos.
        wrong: likewise.
        index: where their vectors are.
        photos: that are in it.
        sought: what was looked for.

    Raises:
        QueryError: one of them is not in the index.
    """

    def vectors(photo_ids: Sequence[int]) -> Floats:
        ids = np.array(list(dict.fromkeys(photo_ids)), np.int64)
        if len(gone := np.setdiff1d(ids, photos.among(ids))):
            raise QueryError(
                f"photo {gone[0]} is marked, and cannot be compared with: the library has no such photo, or could not "
                "read it. Take its mark away."
            )
        looks = [Look(index, sought.vector, 1, PhotoSet.of(ids[at : at + 1])) for at in range(len(ids))]
        return index.vectors([int(nearest_of(look, 1)[0][0]) for look in looks]).astype(np.float32)

    return Marks(vectors(right), vectors(wrong))


def refined(sought: Sought, marks: Marks) -> Sought:
    """What is looked for, drawn by the marks.

    Raises:
        QueryError: nothing is left of the query.
    """
    vector = sought.vector.copy()
    if len(marks.right):
        vector += np.float32(RIGHT) * marks.right.mean(axis=0)
    if len(marks.wrong):
        vector -= np.float32(WRONG) * marks.wrong.mean(axis=0)
    length = float(np.linalg.norm(vector))
    if length < 1e-6:
        raise QueryError("the marks cancel out what is looked for. Take one of them away.")
    return Sought(vector / np.float32(length), sought.length, sought.parts)


def recalibrated(
    calibration: Calibration, background: Background, sought: Sought, drawn: Sought, marks: Marks, least: float = 0.5
) -> Calibration:
    """How the cosines of a refined query are read.

    Args:
        calibration: of the query as it was.
        background: of the library.
        sought: the query as it was.
        drawn: what `refined` made of it.
        marks: with which.
        least: the relevance of a match.
    """
    mean, deviation = _lie(background, sought.vector)
    other_mean, other_deviation = _lie(background, drawn.vector)
    slope = calibration.slope * deviation / other_deviation
    offset = calibration.slope * mean + calibration.offset - slope * other_mean
    right = slope * (marks.right @ drawn.vector) + offset  # [n]
    wrong = slope * (marks.wrong @ drawn.vector) + offset  # [m]
    lowest, highest = float(right.min(initial=np.inf)), float(wrong.max(initial=-np.inf))
    match = max(0.5, min(least, SURE))
    enough = log(match / (1 - match)) + JUST
    if lowest < enough:
        offset += enough - lowest
    elif highest > 0:
        offset -= min(LOWERED * highest, lowest - enough)
    return Calibration(slope, offset)


def _lie(background: Background, vector: Floats) -> tuple[float, float]:
    """Mean and deviation of a vector's cosines over the library."""
    mean = float(vector @ background.mean)
    return mean, sqrt(max(float(vector @ background.moments @ vector) - mean**2, 1e-8))
