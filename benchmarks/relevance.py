"""How good the cut at relevance 0.5 is, beside cuts of the cosine that know the answers.

    PYTHONPATH=. .venv/bin/python benchmarks/relevance.py PHOTOS.parquet [--models builtin PATH ...] [--fit]

PHOTOS.parquet has a labelled photo in each row: `image` (bytes), `label`, `synonyms`, `hypernyms`; rows without a label
are photos like others, but nothing is counted on them. The library is the photos of one half of the labels, and all
without a label; so the names of the other half are queries that nothing answers. Queries are all names that 5 to 400
labelled photos of the library have, alone or with others. Labels name one thing, and photos show several: precision is
a lower bound, for all ways alike.

One flat cut is the cosine with the best F1 over all queries together; the cut of hindsight is another one for each
query, the best that there is: no way of cutting can be better. Two more cuts tell how much of it is chance, and how
much asks for labels: each query's best cosine on one half of the photos, judged on the other, and as many photos as
match, were their number known. `--fit` prints the constants of `app/search/background.py` that the photos ask for,
over all models named.
"""

from __future__ import annotations

import argparse
import io
import platform
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet
from PIL import Image

from app.search import background
from app.search.background import Background, Sought, measure
from app.tagging.vocabulary.vocabulary import plain_names
from indexer import Embedder

LEAST, MOST = 5, 400
DRAWS = 5  # of halves of the photos
NONSENSE = (
    "asdfghjkl", "qwertyuiop", "zxcvbnm", "hgfjdk sdlkfj", "xyzzy plugh", "blorptang", "lorem ipsum dolor",
    "foo bar baz", "next thursday", "tax return", "inflation rate", "justice", "my password", "why", "the", "a b c d",
)  # fmt: skip


@dataclass(frozen=True)
class Trial:
    """One model over the library: cosines (n, q) of labelled photos and queries, and which hold (n, q)."""

    model: str
    back: Background
    cosines: np.ndarray
    queries: np.ndarray
    truth: np.ndarray
    absent: np.ndarray  # vectors of names that no photo has
    nonsense: np.ndarray
    library: np.ndarray  # vectors of all its photos


def trial(name: str, path: Path) -> Trial:
    """Embed everything."""
    embedder = Embedder(name)
    rows = pyarrow.parquet.read_table(path, columns=["image", "label", "synonyms", "hypernyms"]).to_pylist()
    labels = sorted({row["label"] for row in rows if row["label"]})
    left_out = set(np.random.default_rng(0).choice(labels, len(labels) // 2, replace=False).tolist())
    kept = [row for row in rows if row["label"] not in left_out]
    held = np.array([bool(row["label"]) for row in kept])
    named = [{row["label"], *row["synonyms"], *row["hypernyms"]} if row["label"] else set() for row in kept]
    missing = [{row["label"], *row["synonyms"], *row["hypernyms"]} for row in rows if row["label"] in left_out]
    counts: dict[str, int] = {}
    for names in named:
        for word in names:
            counts[word] = counts.get(word, 0) + 1
    queries = sorted(word for word, count in counts.items() if LEAST <= count <= MOST)
    absent = sorted({word for names in missing for word in names} - counts.keys())
    photos = np.concatenate([embedder.embed_images(pictures(kept[i : i + 64])) for i in range(0, len(kept), 64)])
    vectors = texts(embedder, queries)
    truth = np.array([[word in names for word in queries] for names in named])
    back = measure(photos, texts(embedder, plain_names()), len(photos))
    return Trial(embedder.name, back, photos[held] @ vectors.T, vectors, truth[held], texts(embedder, absent),
                 texts(embedder, NONSENSE), photos)  # fmt: skip


def pictures(rows: list[dict[str, bytes]]) -> list[Image.Image]:
    """The rows' pictures."""
    return [Image.open(io.BytesIO(row["image"])).convert("RGB") for row in rows]


def texts(embedder: Embedder, words: list[str] | tuple[str, ...]) -> np.ndarray:
    """Embed words, some at a time."""
    return np.concatenate([embedder.embed_texts(list(words[i : i + 64])) for i in range(0, len(words), 64)])


def relevance(back: Background, vectors: np.ndarray, cosines: np.ndarray) -> np.ndarray:
    """Log odds of relevance (n, q) of cosines (n, q)."""
    found = []
    for vector, column in zip(vectors, cosines.T, strict=True):
        calibration = back.calibration(Sought(vector))
        assert calibration is not None
        found.append(calibration.slope * column + calibration.offset)
    return np.stack(found, axis=1)


def f1(said: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """F1 over all pairs together, and the mean over queries."""
    hits, both = (said & truth).sum(axis=0), said.sum(axis=0) + truth.sum(axis=0)
    return float(2 * hits.sum() / both.sum()), float((2 * hits / np.maximum(1, both)).mean())


def flat(cosines: np.ndarray, truth: np.ndarray) -> float:
    """The cosine with the best F1 over all pairs."""
    cuts = np.quantile(cosines, np.linspace(0.5, 1, 500))
    return float(max(cuts, key=lambda cut: f1(cosines >= cut, truth)[0]))


def best_cuts(cosines: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The cosine with the best F1 for each query (q,), halfway to the next photo's; infinite where none matches."""
    cuts = np.full(truth.shape[1], np.inf)
    for number in np.flatnonzero(truth.any(axis=0)):
        order = np.argsort(-cosines[:, number])
        hits = truth[order, number].cumsum()
        place = int(np.argmax(2 * hits / (np.arange(1, len(hits) + 1) + hits[-1])))
        cuts[number] = cosines[order[place : place + 2], number].mean()
    return cuts


def learned(cosines: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """F1 of each query's best cut on one half of the photos, on the other half: both ways, mean of `DRAWS` draws.

    A query that one half has no match of gets the best flat cut of that half.
    """
    found = []
    for seed in range(DRAWS):
        first = np.random.default_rng(seed).random(len(truth)) < 0.5
        said = np.zeros_like(truth)
        for half in (first, ~first):
            cuts = best_cuts(cosines[half], truth[half])
            said[~half] = cosines[~half] >= np.where(np.isinf(cuts), flat(cosines[half], truth[half]), cuts)
        found.append(f1(said, truth))
    together, mean = np.mean(found, axis=0)
    return float(together), float(mean)


def counted(cosines: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """F1 of listing for each query as many photos as match: over all pairs, and the mean."""
    falling, numbers = -np.sort(-cosines, axis=0), truth.sum(axis=0)
    return f1(cosines >= falling[numbers - 1, np.arange(len(numbers))], truth)


def area(scores: np.ndarray, truth: np.ndarray) -> float:
    """The area under the curve over all pairs together."""
    order = np.argsort(scores.ravel(), kind="stable")
    places = np.flatnonzero(truth.ravel()[order])
    positives, negatives = len(places), truth.size - len(places)
    return float((places.sum() - positives * (positives - 1) / 2) / (positives * negatives))


def show(one: Trial) -> None:
    """Print the table of one model."""
    odds, truth = relevance(one.back, one.queries, one.cosines), one.truth
    cut = flat(one.cosines, truth)
    print(f"\n{one.model}: {len(one.library):,} photos, {len(truth):,} with labels, {truth.shape[1]} queries, "
          f"{len(one.absent)} absent ones\n")  # fmt: skip
    print("| cut | F1, all pairs | F1, mean of queries | area | said of an absent name | of nonsense, mean and most |")
    print("|---|---|---|---|---|---|")
    absent, none = one.library @ one.absent.T, one.library @ one.nonsense.T
    lost = (relevance(one.back, one.absent, absent) >= 0).sum(axis=0)
    silly = (relevance(one.back, one.nonsense, none) >= 0).sum(axis=0)
    row("picsift, relevance 0.5", f1(odds >= 0, truth), area(odds, truth), lost, silly)
    row(f"one flat cosine, {cut:.3f}", f1(one.cosines >= cut, truth), area(one.cosines, truth),
        (absent >= cut).sum(axis=0), (none >= cut).sum(axis=0))  # fmt: skip
    for name, (together, mean) in {
        "hindsight, a cosine for each": f1(one.cosines >= best_cuts(one.cosines, truth), truth),
        "a cosine for each, from the labels of other photos": learned(one.cosines, truth),
        "as many as match, known": counted(one.cosines, truth),
    }.items():
        print(f"| {name} | {together:.3f} | {mean:.3f} | – | – | – |", flush=True)


def row(name: str, both: tuple[float, float], under: float, absent: np.ndarray, nonsense: np.ndarray) -> None:
    """Print one row."""
    print(f"| {name} | {both[0]:.3f} | {both[1]:.3f} | {under:.4f} | {absent.mean():.1f} | {nonsense.mean():.1f}, "
          f"{nonsense.max()} |")  # fmt: skip


def fit(trials: list[Trial]) -> None:
    """Print the constants with the best F1, the two means of all models counting alike."""
    parts = []
    for one in trials:
        background.FIT, background.STANDING, background.SHIFT = 1.0, 0.0, 0.0
        fits = relevance(one.back, one.queries, one.cosines)
        background.FIT, background.STANDING = 0.0, 1.0
        parts.append((fits, relevance(one.back, one.queries, one.cosines), one.truth))
    found = []
    for share in np.arange(0, 0.31, 0.02):  # of a standing in one unit of fit
        scores = [(fits + share * standing, truth) for fits, standing, truth in parts]
        for cut in np.arange(0.5, 2.5, 0.02):
            reached = [f1(score >= cut, truth) for score, truth in scores]
            found.append((float(np.mean(reached)), float(share), float(cut)))
    for reached_, share, cut in sorted(found, reverse=True)[:8]:
        print(f"F1 {reached_:.4f}: STANDING = {share:.2f} FIT, SHIFT = -{cut:.2f} FIT")


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, help="labelled photos")
    parser.add_argument("--models", nargs="+", default=["builtin"], help="names or paths")
    parser.add_argument("--fit", action="store_true", help="look for the constants instead of measuring")
    arguments = parser.parse_args()
    trials = [trial(name, arguments.photos) for name in arguments.models]
    if arguments.fit:
        fit(trials)
        return
    print(f"{platform.machine()}, {arguments.photos.name}")
    for one in trials:
        show(one)


if __name__ == "__main__":
    main()
