"""Captioned and labelled photos as training batches: Parquet shards in, pixels, texts and positives out.

Holds the decoded pictures in memory, small (n x side x side x 3 bytes). A batch is a pure function of the seed and
the step, so that a resumed run sees what the uninterrupted one would have seen. It tokenizes nothing.
The columns are: image (bytes), captions, label, synonyms, hypernyms, kind; see `read_pairs`.

Legend: n photos, b batch, s side in pixels.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from clip_model.preprocessing.transforms import MEAN, STD, Color, center_square, upright
from clip_model.training.augmentation import augment

logger = logging.getLogger(__name__)

# How a name becomes a sentence; scenes read well without an article too.
TEMPLATES = ("{}", "a photo of a {}", "a {}", "a picture of the {}")
_COLUMNS = ["image", "captions", "label", "synonyms", "hypernyms"]
_TOO_MANY_BROKEN = 0.05


@dataclass(frozen=True)
class Label:
    """What a labelled photo may be called: its label, other names of the same, and what kind of thing it is."""

    name: str
    synonyms: tuple[str, ...]
    hypernyms: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """All names that are true of the photo."""
        return (self.name, *self.synonyms, *self.hypernyms)


@dataclass(frozen=True)
class Pairs:
    """A data set in memory.

    Attributes:
        pixels: (n, s, s, 3) uint8.
        captions: sentences of each photo; empty where it has a label.
        label_of: (n,) index into `labels`, -1 where there are captions.
        labels: the distinct labels.
        truths: (labels, names) bool, whether a name is true of a label; columns as in `names`.
        names: every name of every label -> its column.
    """

    pixels: NDArray[np.uint8]
    captions: Sequence[tuple[str, ...]]
    label_of: NDArray[np.int64]
    labels: Sequence[Label]
    truths: NDArray[np.bool_]
    names: dict[str, int]

    def __len__(self) -> int:
        """Number of photos."""
        return len(self.pixels)

    def texts(self) -> list[str]:
        """Every text that a batch may hold, each once."""
        labelled = (template.format(name) for name in self.names for template in TEMPLATES)
        return list(dict.fromkeys(chain(chain.from_iterable(self.captions), labelled)))


@dataclass(frozen=True)
class Batch:
    """What a training step takes.

    Attributes:
        pixels: (b, 3, s, s) float32, normalised, channels last.
        texts: one text per photo.
        same: (b, b) bool, [i, j] True where text j is true of photo i.
    """

    pixels: Tensor
    texts: list[str]
    same: Tensor


def read_pairs(paths: Sequence[Path], side: int, workers: int = 2) -> Pairs:
    """Read Parquet shards and decode their pictures to squares.

    Args:
        paths: the shards.
        side: side of the kept squares in pixels.
        workers: decoding threads.

    Raises:
        FileNotFoundError: when there is no shard.
        ValueError: when a shard lacks a column, or more than one picture in twenty cannot be decoded.
    """
    if not paths:
        raise FileNotFoundError("no Parquet file matches --data")
    rows = list(chain.from_iterable(_rows(path) for path in paths))
    pixels = np.empty((len(rows), side, side, 3), dtype=np.uint8)

    def decode(i: int) -> bool:
        try:
            with Image.open(io.BytesIO(rows[i]["image"])) as image:
                pixels[i] = np.asarray(center_square(upright(image).convert("RGB"), side))
        except Exception as error:  # decoders raise whatever they like
            logger.warning("left out %s: %s", rows[i].get("key", i), error)
            return False
        return True

    with ThreadPoolExecutor(workers) as pool:
        kept = np.fromiter(pool.map(decode, range(len(rows))), dtype=bool, count=len(rows))
    if kept.mean() < 1 - _TOO_MANY_BROKEN:
        raise ValueError(f"{int((~kept).sum())} of {len(rows)} pictures cannot be decoded; are these the right files?")
    return _index([row for row, good in zip(rows, kept, strict=True) if good], pixels if kept.all() else pixels[kept])


def read_texts(paths: Sequence[Path]) -> Pairs:
    """What shards say about their photos, in the order of their rows, without the pixels (n, 0, 0, 3).

    Raises:
        FileNotFoundError: when there is no shard.
        ValueError: when a shard lacks a column.
    """
    if not paths:
        raise FileNotFoundError("no Parquet file matches --data")
    rows = list(chain.from_iterable(_rows(path) for path in paths))
    return _index(rows, np.empty((len(rows), 0, 0, 3), dtype=np.uint8))


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    from pyarrow import parquet

    file = parquet.ParquetFile(path)
    missing = sorted(set(_COLUMNS) - set(file.schema_arrow.names))
    if missing:
        raise ValueError(f"{path} lacks the columns {missing}; expected {_COLUMNS}")
    for batch in file.iter_batches(columns=_COLUMNS, batch_size=1024):
        yield from batch.to_pylist()


def _index(rows: Sequence[dict[str, Any]], pixels: NDArray[np.uint8]) -> Pairs:
    labels: dict[str, Label] = {}
    for row in rows:
        if row["label"] and row["label"] not in labels:
            labels[row["label"]] = Label(row["label"], tuple(row["synonyms"]), tuple(row["hypernyms"]))
    number = {name: i for i, name in enumerate(labels)}
    every_name = chain.from_iterable(label.names for label in labels.values())
    names = {name: i for i, name in enumerate(dict.fromkeys(every_name))}
    truths = np.zeros((len(labels), len(names)), dtype=bool)
    for i, label in enumerate(labels.values()):
        truths[i, [names[name] for name in label.names]] = True
    captions = [tuple(row["captions"]) for row in rows]
    label_of = np.array([number[row["label"]] if row["label"] else -1 for row in rows], dtype=np.int64)
    return Pairs(pixels, captions, label_of, list(labels.values()), truths, names)


def draw_batch(
    pairs: Pairs,
    *,
    size: int,
    image_size: int,
    seed: int,
    step: int,
    caption_weight: float = 1.0,
    jitter: float = 0.0,
    smallest_crop: float = 0.75,
    name_weights: tuple[float, float, float] = (0.7, 0.12, 0.18),
    mean: Color = MEAN,
    std: Color = STD,
) -> Batch:
    """The batch of a step, drawn with replacement and augmented.

    Args:
        pairs: the data set.
        size: photos in the batch.
        image_size: side that the network takes, in pixels.
        seed: of the run.
        step: of the run, from 0.
        caption_weight: how many times as often a captioned photo is drawn as a labelled one.
        jitter: largest relative change of brightness and contrast.
        smallest_crop: side of the smallest random crop, as a share of the kept square's.
        name_weights: how often a labelled photo is named by its label, by a synonym, by a kind of thing that it is.
        mean: of red, green, blue in [0, 1], as the model's configuration says.
        std: their deviation.
    """
    rng = np.random.default_rng((seed, step))
    weights = np.where(pairs.label_of < 0, caption_weight, 1.0).cumsum()
    chosen = np.searchsorted(weights, rng.random(size) * weights[-1], side="right")
    texts, names = zip(*(_draw_text(pairs, int(i), name_weights, rng) for i in chosen), strict=True)
    pixels = augment(
        pairs.pixels, chosen, image_size, rng, jitter=jitter, smallest_crop=smallest_crop, mean=mean, std=std
    )
    same = positives(pairs, chosen, np.array(names), texts)
    return Batch(pixels, list(texts), torch.from_numpy(same))


def _draw_text(
    pairs: Pairs, row: int, name_weights: tuple[float, float, float], rng: np.random.Generator
) -> tuple[str, int]:
    if pairs.label_of[row] < 0:
        captions = pairs.captions[row]
        return captions[rng.integers(len(captions))], -1
    label = pairs.labels[pairs.label_of[row]]
    groups = ((label.name,), label.synonyms, label.hypernyms)
    group = groups[rng.choice(3, p=name_weights)] or groups[0]
    name = group[rng.integers(len(group))]
    return TEMPLATES[rng.integers(len(TEMPLATES))].format(name), pairs.names[name]


def positives(
    pairs: Pairs, rows: NDArray[np.int64], names: NDArray[np.int64], texts: Sequence[str]
) -> NDArray[np.bool_]:
    """Which texts are true of which photos.

    Args:
        pairs: the data set.
        rows: (b,) the photos.
        names: (b,) the column of each text's name, -1 for a caption.
        texts: the texts.

    Returns:
        (b, b) bool, [i, j] True where text j is true of photo i: it is the same text, another caption of the same
        photo, or a name of what the photo shows.
    """
    ids = np.unique(np.asarray(texts), return_inverse=True)[1].reshape(-1)
    same: NDArray[np.bool_] = (ids[:, None] == ids[None]) | (rows[:, None] == rows[None])
    labels = pairs.label_of[rows]
    if pairs.labels:
        known = pairs.truths[np.maximum(labels, 0)][:, np.maximum(names, 0)]
        same |= known & (labels >= 0)[:, None] & (names >= 0)[None]
    return same
