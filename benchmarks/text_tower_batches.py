"""What a step of `benchmarks/text_towers.py` teaches: photos with texts, nouns with what is true of them, sentences.

A batch is a pure function of the seed and the step, and comes tokenised. See `text_tower_data.py` for the files.

Legend: n photos, v views of them, b batch, m texts, s positions, e dimension of the shared space.
"""

from __future__ import annotations

import gzip
import json
import multiprocessing
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from clip_model.evaluation.evaluate import Photos
from clip_model.evaluation.zero_shot import unit_rows
from clip_model.preprocessing.wordpiece import WordPiece
from clip_model.pretrained.imagenet import _EMPTY as EMPTY
from clip_model.pretrained.telling import Drawing, Told, draw, with_labels
from clip_model.training.corpus import article
from clip_model.training.data import Label, _index

Encode = Callable[[list[str]], NDArray[np.float32]]
CONTEXT = 64
TEMPLATES = ("{}", "a photo of {}", "{a}", "a picture of {a}", "a photo of {a}")
COLOURS = ["red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "gray"]
NUMBERS = ["two", "three", "four", "five", "six"]
DIGITS = dict(zip(NUMBERS, "23456", strict=True))
COLOURED, NUMBERED = (re.compile(rf"\b({'|'.join(words)})\b", re.IGNORECASE) for words in (COLOURS, NUMBERS))
THINGS = [
    "dog",
    "cat",
    "horse",
    "bird",
    "car",
    "bus",
    "truck",
    "bicycle",
    "boat",
    "house",
    "chair",
    "table",
    "bottle",
    "cup",
    "plate",
    "hat",
    "shirt",
    "dress",
    "jacket",
    "bag",
    "ball",
    "flower",
    "apple",
    "umbrella",
    "door",
    "train",
    "airplane",
    "motorcycle",
    "cake",
    "balloon",
    "kite",
    "tent",
    "sofa",
    "bed",
    "vase",
    "book",
    "cow",
    "sheep",
    "duck",
    "boy",
    "girl",
    "child",
    "player",
    "runner",
    "lamp",
    "shoe",
    "backpack",
    "tree",
    "fish",
    "butterfly",
    "phone",
    "candle",
    "guitar",
    "bench",
    "flag",
    "bowl",
    "clock",
]
PLURALS = {"bus": "buses", "sheep": "sheep", "child": "children", "fish": "fish", "butterfly": "butterflies",
           "bench": "benches"}  # fmt: skip
PLACES = ("", "", " on the grass", " in the snow", " on a table", " in the street", " by the water", " in a room",
          " on the beach", " in front of a house")  # fmt: skip
GROUP = 4  # wordings that differ in one word


@dataclass(frozen=True)
class Sizes:
    """Of a batch: photos, altered captions at most, nouns, groups of sentences, sentences at large."""

    photos: int = 1024
    altered: int = 192
    nouns: int = 512
    groups: int = 48
    wide: int = 768


@dataclass(frozen=True)
class Batch:
    """A step. Texts are (m, s) uint16 tokens; `same` and `alike` are packed bits, a row for each photo or left text."""

    views: NDArray[np.int64]
    told: NDArray[np.uint16]
    altered: NDArray[np.uint16]
    left: NDArray[np.uint16]
    right: NDArray[np.uint16]
    wide: NDArray[np.uint16]
    same: NDArray[np.uint8]
    alike: NDArray[np.uint8]


@dataclass(frozen=True)
class Data:
    """Everything read.

    Attributes:
        views: (v, e) float16, embeddings of photos.
        told: what they are told.
        val: (n, e) float32 unit length, of the validation photos.
        rows: what those are told.
        sources: of `val`, each with the rows of its photos.
        nouns: see `text_tower_data.nouns`.
        held: numbers of the nouns that are not taught.
        wide: sentences at large.
    """

    views: NDArray[np.float16]
    told: Told
    val: NDArray[np.float32]
    rows: list[dict[str, Any]]
    sources: list[tuple[Photos, NDArray[np.int64]]]
    nouns: list[dict[str, Any]]
    held: list[int]
    wide: list[str]


def read_data(folder: Path) -> Data:
    """Read `photos.npz` and `texts.json.gz`."""
    texts = json.loads(gzip.decompress((folder / "texts.json.gz").read_bytes()))
    with np.load(folder / "photos.npz") as file:
        views, owners, val = file["views"].astype(np.float32), file["owners"].astype(np.int64), file["val"]
    views /= np.linalg.norm(views, axis=1, keepdims=True)
    pairs = with_labels(_index(texts["photos"], np.empty((len(texts["photos"]), 0, 0, 3), np.uint8)),
                        [Label("thing", (), ())])  # fmt: skip
    told = Told(owners, torch.zeros(len(owners), 1), pairs)  # no classifier guesses here
    rows, sources = texts["val"], []
    for name in sorted({row["source"] for row in rows}):
        mine = np.array([i for i, row in enumerate(rows) if row["source"] == name])
        labels, captions = [rows[i]["label"] or "" for i in mine], [rows[i]["captions"] or [] for i in mine]
        sources.append((Photos(name, [b""] * len(mine), labels, captions), mine))
    return Data(views.astype(np.float16), told, unit_rows(val), rows, sources, texts["nouns"], texts["held"],
                texts["wide"])  # fmt: skip


class Drawer:
    """Batches of some data."""

    def __init__(self, data: Data, sizes: Sizes, seed: int) -> None:
        """What is drawn from is sorted once."""
        self._data, self._sizes, self._seed = data, sizes, seed
        self._ids = WordPiece(CONTEXT).ids
        held = set(data.held)
        self._held = held
        taught = [i for i in range(len(data.nouns)) if i not in held]
        self._often = [i for i in taught if data.nouns[i]["often"]]
        self._seldom = [i for i in taught if not data.nouns[i]["often"]]

    def __call__(self, step: int) -> Batch:
        """The batch of a step."""
        rng, sizes = np.random.default_rng((self._seed, step, 7)), self._sizes
        chosen, texts, same = draw(self._data.told, Drawing(batch_size=sizes.photos, seed=self._seed), step)
        captioned = self._data.told.pairs.label_of[self._data.told.rows[chosen]] < 0
        altered = [other for text, good in zip(texts, captioned, strict=True) if good and (other := alter(text, rng))]
        left, right, alike = self._words(rng)
        wide = self._data.wide
        sentences = [wide[i] for i in rng.choice(len(wide), sizes.wide)]
        parts = (texts, altered[: sizes.altered], left, right, sentences)
        return Batch(chosen, *map(self._tokens, parts), np.packbits(same.numpy(), axis=1), np.packbits(alike, axis=1))

    def _tokens(self, texts: Sequence[str]) -> NDArray[np.uint16]:
        ids = self._ids(texts)
        return ids[:, : max(1, int((ids != 0).sum(axis=1).max(initial=1)))].astype(np.uint16)

    def _words(self, rng: np.random.Generator) -> tuple[list[str], list[str], NDArray[np.bool_]]:
        """Texts, what goes with each, and [i, j] whether the right text j is true of the left text i."""
        nouns, left, right = self._data.nouns, [], []
        owners, truths = [], []
        for kind, number in zip(rng.random(self._sizes.nouns), rng.random((self._sizes.nouns, 2)), strict=True):
            among = self._often if number[0] < 0.6 else self._seldom
            own = among[int(number[1] * len(among))]
            noun = nouns[own]
            above = [i for i in noun["above"][1:] if nouns[i]["says"] and i not in self._held]
            words = list(rng.permutation(noun["words"]))
            true = own
            if kind < 0.3 and above:
                true = above[int(min(rng.geometric(0.4), len(above))) - 1]
                other = frame(nouns[true]["words"][0], rng)
            elif kind < 0.6 and len(words) > 1:
                other = frame(words[1], rng)
            else:
                other = noun["definition"]
            left.append(frame(words[0], rng))
            right.append(other)
            owners.append(set(noun["above"]))
            truths.append(true)
        alike = np.array([[true in own for true in truths] for own in owners])
        more = [one for _ in range(self._sizes.groups) for one in group(rng)]
        meant = np.array([key for *_, key in more])
        whole = np.zeros((len(left) + len(more),) * 2, bool)
        whole[: len(left), : len(left)] = alike
        whole[len(left) :, len(left) :] = meant[:, None] == meant[None]
        return left + [a for a, _, _ in more], right + [b for _, b, _ in more], whole


def frame(word: str, rng: np.random.Generator) -> str:
    """A noun in a template."""
    return TEMPLATES[rng.integers(len(TEMPLATES))].format(word, a=article(word))


def alter(text: str, rng: np.random.Generator) -> str | None:
    """A caption with one colour or number exchanged for another; None where there is none."""
    for pattern, words in ((COLOURED, COLOURS), (NUMBERED, NUMBERS)):
        found = list(pattern.finditer(text))
        if found:
            match = found[rng.integers(len(found))]
            others = [word for word in words if word != match[0].lower()]
            return text[: match.start()] + others[rng.integers(len(others))] + text[match.end() :]
    return None


def group(rng: np.random.Generator) -> list[tuple[str, str, str]]:
    """Two wordings of the same, with what they mean, for some colours or numbers of one thing."""
    thing, place = THINGS[rng.integers(len(THINGS))], PLACES[rng.integers(len(PLACES))]
    many, found = PLURALS.get(thing, f"{thing}s"), []
    if rng.random() < 0.5:
        for colour in rng.choice(COLOURS, GROUP, replace=False):
            ways = [f"{article(f'{colour} {thing}')}{place}", f"a photo of {article(f'{colour} {thing}')}{place}",
                    f"{article(thing)} that is {colour}{place}", f"the {thing} is {colour}", f"{colour} {thing}{place}",
                    f"{colour} colored {thing}{place}"]  # fmt: skip
            found.append((ways, f"{colour} {thing}{place}"))
    else:
        for number in rng.choice(NUMBERS, GROUP, replace=False):
            ways = [f"{number} {many}{place}", f"a photo of {number} {many}{place}", f"{DIGITS[number]} {many}{place}",
                    f"there are {number} {many}{place}", f"a group of {number} {many}{place}"]  # fmt: skip
            found.append((ways, f"{number} {thing}{place}"))
    pairs = [(ways, rng.choice(len(ways), 2, replace=False), key) for ways, key in found]
    return [(ways[a], ways[b], key) for ways, (a, b), key in pairs]


_drawer: Drawer | None = None  # of a worker that was forked


def batches(data: Data, sizes: Sizes, steps: int, *, seed: int, workers: int) -> list[Batch]:
    """The batches of all steps, made in forked processes: call it before CUDA is used."""
    global _drawer
    _drawer = Drawer(data, sizes, seed)
    torch.set_num_threads(1)
    try:
        if workers < 2:
            return [_drawer(step) for step in range(steps)]
        with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("fork")) as pool:
            return list(pool.map(_draw, range(steps), chunksize=4))
    finally:
        torch.set_num_threads(max(1, workers))


def _draw(step: int) -> Batch:
    if _drawer is None:
        raise RuntimeError("a worker draws after it was forked")
    return _drawer(step)


def measured_texts(data: Data, encode: Encode) -> dict[str, float]:
    """What `text_towers` measures beside `clip_model.evaluate`, in [0, 1]."""
    figures = _kinds(data, encode)
    for photos, rows in data.sources:
        if any(photos.labels):
            names, labels = photos.classes()
            best = (data.val[rows] @ unit_rows(encode(names)).T).argmax(axis=1)
            figures[f"{photos.source}.bare-name.top1"] = float((best == labels).mean())
    for name, words in (("colours", COLOURED), ("numbers", NUMBERED)):
        figures[name] = _altered(data, encode, words)
    held, nouns = data.held, data.nouns
    words = unit_rows(encode([nouns[i]["words"][0] for i in held]))
    best = (words @ unit_rows(encode([nouns[i]["definition"] for i in held])).T).argmax(axis=1)
    figures["definitions"] = float((best == np.arange(len(held))).mean())
    nearest = {i: next((k for k in nouns[i]["above"][1:] if nouns[k]["says"]), None) for i in held}
    kinds = sorted({kind for kind in nearest.values() if kind is not None})
    best = (words @ unit_rows(encode([nouns[kind]["words"][0] for kind in kinds])).T).argmax(axis=1)
    right = [kinds[b] in nouns[i]["above"][1:] for b, i in zip(best, held, strict=True) if nearest[i] is not None]
    return figures | {"nouns-kinds": float(np.mean(right))}


def _kinds(data: Data, encode: Encode) -> dict[str, float]:
    labelled = [i for i, row in enumerate(data.rows) if row["label"]]
    truths: dict[str, list[int]] = {}
    for place, i in enumerate(labelled):
        for name in data.rows[i]["hypernyms"]:
            truths.setdefault(name, []).append(place)
    names = sorted(name for name, places in truths.items() if len(places) >= 20 and name not in EMPTY)
    scores = unit_rows(encode(names)) @ data.val[labelled].T
    precisions, first = [], []
    for name, row in zip(names, scores, strict=True):
        right = np.isin(np.argsort(-row, kind="stable"), truths[name])
        precisions.append((np.cumsum(right) / np.arange(1, len(right) + 1))[right].mean())
        first.append(right[:10].mean())
    return {"kinds.mAP": float(np.mean(precisions)), "kinds.P@10": float(np.mean(first))}


def _altered(data: Data, encode: Encode, pattern: re.Pattern[str]) -> float:
    rng, own, other, rows = np.random.default_rng(0), [], [], []
    words = COLOURS if pattern is COLOURED else NUMBERS
    for i, row in enumerate(data.rows):
        for caption in row["captions"] or []:
            match = pattern.search(caption)
            if match:
                wrong = [word for word in words if word != match[0].lower()]
                own.append(caption)
                other.append(caption[: match.start()] + wrong[rng.integers(len(wrong))] + caption[match.end() :])
                rows.append(i)
    right, wrong_scores = ((unit_rows(encode(texts)) * data.val[rows]).sum(axis=1) for texts in (own, other))
    return float((right > wrong_scores).mean())
