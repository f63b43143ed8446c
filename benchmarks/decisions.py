"""What decisions on tags are worth, and what the photos that nobody decided for keep in place.

    .venv/bin/python benchmarks/decisions.py PHOTOS.parquet [--embedded FILE.npz]

PHOTOS.parquet is as for `tagging.py`; `--embedded` keeps the embeddings for the next time. Half of the photos are a
library that is reviewed, the others are judged by what it taught: the F1 of suggestions at the default threshold, over
all pairs of photo and tag, for tags that hold for at least 8 photos of each half and exclude no other.

*reviewed*: the surest n photos are decided as their labels have it. *accepted*: n photos with the tag are accepted,
the surest or any, and nothing is rejected. `alone` fits decisions alone, as before; the other columns let photos
without a decision count for so many decisions together.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from tagging import average_precision, read

from app.search import relevance
from app.tagging import learning
from app.tagging.learning import Undecided
from app.tagging.scores import Scorer
from app.tagging.tag_fits import MOST_UNDECIDED
from app.tagging.tag_vectors import tag_vectors
from app.tagging.vocabulary.vocabulary import load_vocabulary
from indexer import Embedder, open_library

LEAST = 8
TOTALS = (0.0, 30.0, 100.0, 300.0)
WAYS = [("reviewed", n) for n in (10, 20, 40)] + [("accepted, the surest", n) for n in (1, 5, 20)]
WAYS += [("accepted, any", n) for n in (1, 5, 20)]


def embedded(photos: Path) -> dict[str, np.ndarray]:
    """Vectors of the tags, embeddings of the photos, and which tag holds for which."""
    embedder, words = Embedder("builtin"), load_vocabulary()
    with tempfile.TemporaryDirectory() as folder:
        library = open_library(Path(folder) / "library", create=True)
        model = library.catalog.model(embedder.name, embedder.fingerprint, embedder.dim)
        vectors = tag_vectors(words.tags, model, library.catalog.tags, lambda: embedder)
    assert vectors is not None
    labelled = read(photos, words, embedder)
    return {"vectors": vectors, "emb": labelled.embeddings.astype(np.float32), "truth": labelled.truth}


def decided(way: str, count: int, odds: np.ndarray, truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Places of the photos that are decided."""
    surest = np.argsort(-odds, kind="stable")
    if way == "reviewed":
        return surest[:count]
    if way == "accepted, any":
        return rng.permutation(np.flatnonzero(truth))[:count]
    return surest[truth[surest]][:count]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--embedded", type=Path)
    arguments = parser.parse_args()
    kept = arguments.embedded
    known = dict(np.load(kept)) if kept and kept.exists() else embedded(arguments.photos)
    if kept and not kept.exists():
        np.savez(kept, **known)
    words = load_vocabulary()
    paths, truth, x = [tag.path for tag in words.tags], known["truth"], known["emb"]
    scorer = Scorer(paths, known["vectors"], known["vectors"], relevance.statistics(x), {}, [])
    odds, centred = scorer.zero_shot(x)[1].astype(float), (x - scorer.lie.mean).astype(float)
    order = np.random.default_rng(0).permutation(len(x))
    own, other = order[: len(x) // 2], order[len(x) // 2 :]
    tags = [
        tag
        for tag, path in enumerate(paths)
        if path[:-1] not in words.exclusive and min(truth[own, tag].sum(), truth[other, tag].sum()) >= LEAST
    ]
    print(f"\n{len(own):,} photos reviewed, {len(other):,} judged, {len(tags)} tags\n")
    both = "before | after"
    print(f"| decisions | n | undecided | F1 {both} | suggestions {both} | average precision {both} |")
    print("|---" * 9 + "|")
    for way, count in WAYS:
        for total in TOTALS:
            print(line(way, count, total, (own, other), tags, odds, centred, truth), flush=True)


def line(way, count, total, halves, tags, odds, centred, truth) -> str:  # type: ignore[no-untyped-def]
    """One row of it."""
    learning.UNDECIDED = total
    own, other = halves
    rng, sums, precisions = np.random.default_rng(1), np.zeros(5), []
    for tag in tags:
        chosen = own[decided(way, count, odds[own, tag], truth[own, tag], rng)]
        left = np.setdiff1d(own, chosen)
        left = left[:: -(-len(left) // MOST_UNDECIDED)]
        rest = Undecided(odds[left, tag], centred[left]) if total else None
        fit, direction = learning.learn(odds[chosen, tag], centred[chosen], truth[chosen, tag], rest)
        after = fit.shift + fit.slope * odds[other, tag] + (0 if direction is None else centred[other] @ direction)
        holds = truth[other, tag]
        said = [relevance.probability(one) >= relevance.DEFAULT_THRESHOLD for one in (odds[other, tag], after)]
        sums += [said[0].sum(), said[1].sum(), (said[0] & holds).sum(), (said[1] & holds).sum(), holds.sum()]
        precisions.append([average_precision(one, holds) for one in (odds[other, tag], after)])
    f1 = [2 * sums[2 + k] / (sums[k] + sums[4]) for k in (0, 1)]
    ap = np.mean(precisions, axis=0)
    name = f"{total:.0f}" if total else "none"
    numbers = f"{f1[0]:.3f} | {f1[1]:.3f} | {sums[0]:,.0f} | {sums[1]:,.0f} | {ap[0]:.3f} | {ap[1]:.3f}"
    return f"| {way} | {count} | {name} | {numbers} |"


if __name__ == "__main__":
    main()
