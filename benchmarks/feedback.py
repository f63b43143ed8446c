"""What marking hits right and wrong gains: the ranking and the cut before and after 1, 3 and 5 marks.

    PYTHONPATH=. .venv/bin/python benchmarks/feedback.py PHOTOS.parquet [--model builtin] [--grid]

PHOTOS.parquet has a labelled photo in each row (`benchmarks/relevance.py` says how). The library is all photos; those
with a label are ranked; queries are the names that 8 to 400 of them have, alone or with others. Somebody marks the
first 1, 3 or 5 hits as the labels say; marked photos are left out of every score, before and after, so that what counts
is what the marks say of the others. Labels name one thing and photos show several: some marks of 'wrong' are untrue.

The names are parted in two halves at random. `--grid` scores the constants of `app/search/refinement/feedback.py` on
one half; without it they are scored on the other one.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet

from app.search.background import Background, Calibration, Sought, measure
from app.search.refinement import feedback
from app.search.refinement.feedback import Marks, recalibrated, refined
from app.tagging.vocabulary.vocabulary import plain_names
from benchmarks.relevance import pictures, texts
from indexer import Embedder

LEAST, MOST = 8, 400
MARKS = (1, 3, 5)
GRID = [(right, wrong) for right in (0.25, 0.35, 0.5, 0.75, 1.0) for wrong in (0.0, 0.1, 0.15, 0.2, 0.3, 0.4)]


@dataclass(frozen=True)
class World:
    """Labelled photos (n, d), names as queries (q, d), which hold (n, q), and the library's background."""

    photos: np.ndarray
    queries: np.ndarray
    truth: np.ndarray
    back: Background


def world(name: str, path: Path, *, tuned: bool) -> World:
    """Embed everything; the half of the names on which constants are chosen, or the other one."""
    embedder = Embedder(name)
    rows = pyarrow.parquet.read_table(path, columns=["image", "label", "synonyms", "hypernyms"]).to_pylist()
    named = [{row["label"], *row["synonyms"], *row["hypernyms"]} if row["label"] else set() for row in rows]
    words = sorted(set().union(*named))
    half = set(np.random.default_rng(0).choice(len(words), len(words) // 2, replace=False).tolist())
    counts = {word: sum(word in names for names in named) for word in words}
    taken = [word for at, word in enumerate(words) if (at in half) == tuned and LEAST <= counts[word] <= MOST]
    photos = np.concatenate([embedder.embed_images(pictures(rows[i : i + 64])) for i in range(0, len(rows), 64)])
    held = np.array([bool(row["label"]) for row in rows])
    truth = np.array([[word in names for word in taken] for names in named])
    back = measure(photos, texts(embedder, plain_names()), len(photos))
    return World(photos[held], texts(embedder, taken), truth[held], back)


@dataclass(frozen=True)
class Score:
    """Means over queries: average precision, precision among the first ten, F1 of the cut at relevance 0.5."""

    precision: float
    first_ten: float
    f1: float


def scores(here: World, marks: int) -> tuple[Score, Score]:
    """Before and after so many marks, over all queries that have a true photo left."""
    before, after = [], []
    for number, query in enumerate(here.queries):
        true, sought = here.truth[:, number], Sought(query)
        calibration = here.back.calibration(sought)
        assert calibration is not None
        cosines = here.photos @ query
        first = np.argsort(-cosines, kind="stable")[:marks]
        rest = np.ones(len(true), bool)
        rest[first] = False
        if not true[rest].any():
            continue
        marked = Marks(here.photos[first[true[first]]], here.photos[first[~true[first]]])
        drawn = refined(sought, marked)
        other = recalibrated(calibration, here.back, sought, drawn, marked)
        before.append(score(cosines[rest], true[rest], calibration))
        after.append(score((here.photos @ drawn.vector)[rest], true[rest], other))
    return Score(*np.mean(before, axis=0)), Score(*np.mean(after, axis=0))


def score(cosines: np.ndarray, true: np.ndarray, calibration: Calibration) -> tuple[float, float, float]:
    """The numbers of one query, as in `Score`."""
    ranked = true[np.argsort(-cosines, kind="stable")]
    precision = ranked.cumsum()[ranked] / (np.flatnonzero(ranked) + 1)
    said = calibration.slope * cosines + calibration.offset >= 0
    f1 = 2 * (said & true).sum() / max(1, said.sum() + true.sum())
    return float(precision.mean()), float(ranked[:10].mean()), float(f1)


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, help="labelled photos")
    parser.add_argument("--model", default="builtin", help="name or path")
    parser.add_argument("--grid", action="store_true", help="score constants on the half that they are chosen on")
    arguments = parser.parse_args()
    here = world(arguments.model, arguments.photos, tuned=arguments.grid)
    print(f"{len(here.photos):,} photos with labels, {len(here.queries)} names")
    for right, wrong in GRID if arguments.grid else [(feedback.RIGHT, feedback.WRONG)]:
        feedback.RIGHT, feedback.WRONG = right, wrong
        for marks in MARKS:
            before, after = scores(here, marks)
            print(f"right {right:.2f} wrong {wrong:.2f}, {marks} marks: average precision {before.precision:.3f} -> "
                  f"{after.precision:.3f}, first ten {before.first_ten:.3f} -> {after.first_ten:.3f}, "
                  f"F1 {before.f1:.3f} -> {after.f1:.3f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
