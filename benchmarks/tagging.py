"""How good, and how quick, the tags are: calibrated relevance against a plain softmax with a flat threshold.

    .venv/bin/python benchmarks/tagging.py PHOTOS.parquet [--half 2] [--models builtin PATH ...]
    .venv/bin/python benchmarks/tagging.py PHOTOS.parquet --fit --half 1 --models builtin builtin-1
    .venv/bin/python benchmarks/tagging.py [--library 100000] [--tags 1000]

PHOTOS.parquet has a labelled photo in each row: `image` (bytes), `label`, `synonyms` and `hypernyms` (its broader
names). A built-in tag holds for a photo where one of those names is its own, and so do the tags above it; tags that
hold for fewer than 10 photos are left out, and so are photos that no tag holds for. Labels name one thing, and photos
show several: precision is a lower bound, for all ways alike.

The peers' way is a softmax over all tags at CLIP's temperature, of "a photo of a {tag}", with one threshold for all:
the one of the best F1 on these very photos, which is more than a peer could know. Calibration error is the expected
one over ten bins, of pairs of photo and tag with a confidence of at least 0.05: nearly all others are plainly wrong.

`--fit` prints the constants of `app/search/relevance.py` that the photos ask for, over all models named, instead;
`--half` takes one half of the rows, drawn at random, so that constants are judged on photos that they were not fitted
on. The last table is a run of `picsift tag` over a library of random vectors, from SQLite to SQLite: no photo is
opened.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import platform
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet
from PIL import Image

from app.search import relevance
from app.search.live_index import LiveIndex
from app.tagging.logistic import posterior
from app.tagging.scores import Scorer
from app.tagging.tag_vectors import tag_vectors
from app.tagging.tagging_service import TaggingService
from app.tagging.vocabulary.vocabulary import Tag, Vocabulary, load_vocabulary
from indexer import Embedder, open_library
from indexer.catalog.records import NewPhoto
from indexer.metadata.photo_metadata import PhotoMetadata

LEAST_POSITIVES = 10
TEMPERATURE = 100.0
BINS = 10


@dataclass(frozen=True)
class Labelled:
    """Photos (n) with the tags (t) that hold for them."""

    embeddings: np.ndarray
    truth: np.ndarray


def read(path: Path, words: Vocabulary, embedder: Embedder, half: int | None = None) -> Labelled:
    """Embed the photos, or those of the first or second half, and find their tags."""
    rows = pyarrow.parquet.read_table(path, columns=["image", "label", "synonyms", "hypernyms"]).to_pylist()
    if half is not None:
        order = np.random.default_rng(0).permutation(len(rows))
        rows = [rows[at] for at in np.split(order, [len(rows) // 2])[half - 1]]
    place = {tag.path: number for number, tag in enumerate(words.tags)}
    named: dict[str, set[int]] = {}
    kept, truth = [], []
    for row in rows:
        holds: set[int] = set()
        for name in [row["label"], *row["synonyms"], *row["hypernyms"]] if row["label"] else ():
            if name not in named:
                paths = [tag.path for tag in words.find(name)]
                named[name] = {place[p[:k]] for p in paths for k in range(1, len(p) + 1) if p[:k] in place}
            holds |= named[name]
        if holds:
            kept.append(row["image"])
            truth.append([number in holds for number in range(len(words.tags))])
    embeddings = []
    for start in range(0, len(kept), 64):
        pictures = [Image.open(io.BytesIO(image)).convert("RGB") for image in kept[start : start + 64]]
        embeddings.append(embedder.embed_images(pictures))
    return Labelled(np.concatenate(embeddings), np.array(truth))


def average_precision(confidence: np.ndarray, truth: np.ndarray) -> float:
    """The mean of the precisions at each positive, best first."""
    ordered = truth[np.argsort(-confidence, kind="stable")]
    return float((np.cumsum(ordered)[ordered] / (np.flatnonzero(ordered) + 1)).mean())


def calibration_error(confidence: np.ndarray, truth: np.ndarray) -> float:
    """The expected calibration error over BINS, of confidences of at least 0.05."""
    sure = confidence >= 0.05
    bins = np.minimum((confidence[sure] * BINS).astype(int), BINS - 1)
    right, said = truth[sure], confidence[sure]
    gaps = [abs(right[bins == b].mean() - said[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins)]
    return float(np.sum(gaps))


def with_parents(confidence: np.ndarray, words: Vocabulary) -> np.ndarray:
    """A parent is at least as sure as its children."""
    place = {tag.path: number for number, tag in enumerate(words.tags)}
    raised = confidence.copy()
    for number in reversed(range(len(words.tags))):  # children come after their parents
        parent = place.get(words.tags[number].path[:-1])
        if parent is not None:
            raised[:, parent] = np.maximum(raised[:, parent], raised[:, number])
    return raised


def line(name: str, confidence: np.ndarray, truth: np.ndarray, threshold: float) -> str:
    """One row of the table."""
    precisions = [average_precision(confidence[:, tag], truth[:, tag]) for tag in range(truth.shape[1])]
    said = confidence >= threshold
    right = (said & truth).sum()
    return (
        f"| {name} | {threshold:.2f} | {np.mean(precisions):.3f} | {right / max(1, said.sum()):.3f} "
        f"| {right / truth.sum():.3f} | {calibration_error(confidence.ravel(), truth.ravel()):.3f} |"
    )


def best_threshold(confidence: np.ndarray, truth: np.ndarray) -> float:
    """The threshold of the best F1."""
    found = []
    for threshold in np.arange(0.01, 1, 0.01):
        said = confidence >= threshold
        found.append((2 * (said & truth).sum() / max(1, said.sum() + truth.sum()), float(threshold)))
    return max(found)[1]


def quality(photos: Labelled, scorer: Scorer, plain: np.ndarray, words: Vocabulary) -> None:
    """Print the table of both ways."""
    used = photos.truth.sum(axis=0) >= LEAST_POSITIVES
    truth = photos.truth[:, used]
    raised = TEMPERATURE * photos.embeddings @ plain.T
    raised = np.exp(raised - raised.max(axis=1, keepdims=True))
    peers = (raised / raised.sum(axis=1, keepdims=True))[:, used]
    own = with_parents(scorer.confidences(photos.embeddings)[1], words)[:, used]
    print(f"\n{len(truth):,} photos, {used.sum()} tags of {len(words.tags)} with at least {LEAST_POSITIVES} photos\n")
    print("| way | threshold | mean average precision | precision | recall | calibration error |")
    print("|---|---|---|---|---|---|")
    print(line("softmax, its best flat threshold", peers, truth, best_threshold(peers, truth)))
    print(line("softmax, parents raised too", (both := with_parents(_softmax(photos, plain), words)[:, used]), truth,
               best_threshold(both, truth)))  # fmt: skip
    print(line("picsift, its default", own, truth, relevance.DEFAULT_THRESHOLD))
    theirs = (both >= best_threshold(both, truth))[truth].mean()
    print(line("picsift, at softmax with parents' recall", own, truth, float(np.quantile(own[truth], 1 - theirs))))
    recall = (own >= relevance.DEFAULT_THRESHOLD)[truth].mean()
    same = float(np.quantile(both[truth], 1 - recall))
    print(line("softmax with parents, at picsift's recall", both, truth, same))


def _softmax(photos: Labelled, plain: np.ndarray) -> np.ndarray:
    raised = TEMPERATURE * photos.embeddings @ plain.T
    raised = np.exp(raised - raised.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def fit(trials: list[tuple[Labelled, Scorer]]) -> None:
    """Print the constants that these photos ask for, of several models."""
    odds, truth = [], []
    for photos, scorer in trials:
        used = photos.truth.sum(axis=0) >= LEAST_POSITIVES
        odds.append((scorer.log_odds(photos.embeddings)[1][:, used].ravel() - relevance.SHIFT) / relevance.SLOPE)
        truth.append(photos.truth[:, used].ravel().astype(float))
    design = np.stack([np.ones(sum(map(len, odds))), np.concatenate(odds).astype(float)], axis=1)
    weight, start = np.ones(len(design)), np.array([0.0, 1.0])
    shift, slope = posterior(design, np.concatenate(truth), weight, start, np.array([1e6, 1e6]))
    print(f"\nSLOPE, SHIFT = {slope:.3f}, {shift:.3f}")
    print(f"on {len(trials[0][0].embeddings):,} photos and {used.sum()} tags, {len(trials)} models")


def trial(name: str, path: Path, half: int | None, words: Vocabulary) -> tuple[Labelled, Scorer, np.ndarray]:
    """The photos, how they are judged, and the vectors of peers, under one model."""
    embedder = Embedder(name)
    with tempfile.TemporaryDirectory() as folder:
        library = open_library(Path(folder) / "library", create=True)
        model = library.catalog.model(embedder.name, embedder.fingerprint, embedder.dim)
        vectors = tag_vectors(words.tags, model, library.catalog.tags, lambda: embedder)
    assert vectors is not None
    photos = read(path, words, embedder, half)
    paths = [tag.path for tag in words.tags]
    groups = [[n for n, path in enumerate(paths) if path[:-1] == above] for above in sorted(words.exclusive)]
    scorer = Scorer(paths, vectors, vectors, relevance.statistics(photos.embeddings), {}, groups)
    return photos, scorer, embedder.embed_texts([f"a photo of a {tag.path[-1]}" for tag in words.tags])


def speed(photos: int, tags: int, embedder: Embedder) -> None:
    """Print how long a run over a large library takes."""
    rng = np.random.default_rng(0)
    words = load_vocabulary()
    extra = [
        Tag(("extra", f"word {n}"), (), (f"a photo of word {n}",), {}) for n in range(max(0, tags - len(words.tags)))
    ]
    with tempfile.TemporaryDirectory() as folder:
        library = open_library(Path(folder) / "library", create=True)
        catalog = library.catalog
        model = catalog.model(embedder.name, embedder.fingerprint, embedder.dim)
        root, _ = catalog.add_root(Path(folder))
        centre = rng.normal(size=embedder.dim)
        for start in range(0, photos, 5_000):
            rows = [_photo(number) for number in range(start, min(photos, start + 5_000))]
            vectors = rng.normal(size=(len(rows), embedder.dim)) + centre
            unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
            catalog.store(root.id, rows, model.id, unit)
        catalog.activate(model.id)
        service = TaggingService(library, LiveIndex(library), lambda name: embedder)
        service.vocabulary = lambda: replace(words, tags=(*words.tags, *extra)[:tags])  # type: ignore[method-assign]
        print(f"\n| `picsift tag`, {photos:,} photos x {tags:,} tags | seconds | suggestions |\n|---|---|---|")
        for name in ("the words embedded first", "again, all photos"):
            begun = time.perf_counter()
            report = service.run()
            print(f"| {name} | {time.perf_counter() - begun:.1f} | {report.suggestions:,} |", flush=True)


def _photo(number: int) -> NewPhoto:
    name = f"{number:07}.jpg"
    content = hashlib.sha256(name.encode()).hexdigest()
    return NewPhoto(f"{number // 100:05}/{name}", number, 0, content, 40, 30, "JPEG", PhotoMetadata())


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, nargs="?", help="labelled photos; without them only the speed is measured")
    parser.add_argument("--models", nargs="+", default=["builtin"], help="names or paths")
    parser.add_argument("--half", type=int, choices=(1, 2), help="use this half of the photos only")
    parser.add_argument("--fit", action="store_true", help="fit the constants instead of measuring")
    parser.add_argument("--library", type=int, default=100_000, help="photos of the large library; 0: leave it out")
    parser.add_argument("--tags", type=int, default=1_000, help="tags that it is tagged with")
    arguments = parser.parse_args()
    words = load_vocabulary()
    print(f"{platform.machine()}, {len(words.tags)} tags")
    if arguments.photos:
        trials = [trial(name, arguments.photos, arguments.half, words) for name in arguments.models]
        if arguments.fit:
            fit([one[:2] for one in trials])
            return
        for name, (photos, scorer, plain) in zip(arguments.models, trials, strict=True):
            print(f"\nmodel {name}", end="")
            quality(photos, scorer, plain, words)
    if arguments.library:
        speed(arguments.library, arguments.tags, Embedder(arguments.models[0]))


if __name__ == "__main__":
    main()
