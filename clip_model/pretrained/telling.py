"""What a batch of photos is told: which photos are drawn, a text for each, and which texts are true of which.

A batch is a pure function of seed and step. It reads no files and knows no network.

Legend: n photos or views of them, b batch, k classes of a published classifier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clip_model.training.data import TEMPLATES, Label, Pairs, positives

SURE = 0.35  # probability from which the classifier's guess is a name of the photo


@dataclass(frozen=True)
class Drawing:
    """How photos and texts are drawn.

    Attributes:
        batch_size: photos a step.
        caption_weight: how many times as often a captioned photo is drawn as a labelled one.
        guess_share: how often a photo of which the classifier is sure is called by one of its names instead.
        name_weights: how often a labelled photo is named by its label, by a synonym, by a kind of thing that it is.
        seed: of the run.
    """

    batch_size: int = 1024
    caption_weight: float = 3.0
    guess_share: float = 0.3
    name_weights: tuple[float, float, float] = (0.7, 0.12, 0.18)
    seed: int = 0


@dataclass(frozen=True)
class Told:
    """What may be said about photos.

    Attributes:
        rows: (n,) the photo's row in `pairs`.
        chances: (n, k) float16, the published classifier's probabilities of its classes.
        pairs: the texts; the classes are its last k labels.
    """

    rows: NDArray[np.int64]
    chances: Tensor
    pairs: Pairs

    @cached_property
    def guesses(self) -> NDArray[np.int64]:
        """(n,) the label in `pairs` that the classifier is sure of, -1 where it is not."""
        best, number = self.chances.float().max(dim=1)
        first = len(self.pairs.labels) - self.chances.shape[1]
        return torch.where(best > SURE, number + first, -1).numpy()


def with_labels(pairs: Pairs, more: Sequence[Label]) -> Pairs:
    """The same photos with further labels behind those that they have, for guesses to point at."""
    labels = [*pairs.labels, *more]
    names = {name: i for i, name in enumerate(dict.fromkeys(name for label in labels for name in label.names))}
    truths = np.zeros((len(labels), len(names)), dtype=bool)
    for i, label in enumerate(labels):
        truths[i, [names[name] for name in label.names]] = True
    return replace(pairs, labels=labels, names=names, truths=truths)


def draw(
    told: Told, drawing: Drawing, step: int, shares: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.int64], list[str], Tensor]:
    """The batch of a step.

    Args:
        told: what may be said.
        drawing: how to draw.
        step: of the run, from 0.
        shares: (n,) how often each is drawn, beside the weight of captions; all alike if not given.

    Returns:
        (b,) which of the n are drawn, a text for each, and (b, b) bool, [i, j] True where text j is true of photo i.
    """
    rng, pairs = np.random.default_rng((drawing.seed, step)), told.pairs
    weights = np.where(pairs.label_of[told.rows] < 0, drawing.caption_weight, 1.0)
    weights = (weights if shares is None else weights * shares).cumsum()
    chosen = np.searchsorted(weights, rng.random(drawing.batch_size) * weights[-1], side="right")
    texts, names = [], []
    for row, guess in zip(told.rows[chosen], told.guesses[chosen], strict=True):
        own = int(pairs.label_of[row])
        label = int(guess) if guess >= 0 and rng.random() < drawing.guess_share else own
        if label < 0:
            texts.append(pairs.captions[row][rng.integers(len(pairs.captions[row]))])
            names.append(-1)
            continue
        groups = ((pairs.labels[label].name,), pairs.labels[label].synonyms, pairs.labels[label].hypernyms)
        group = groups[rng.choice(3, p=drawing.name_weights)] or groups[0]
        name = group[rng.integers(len(group))]
        texts.append(TEMPLATES[rng.integers(len(TEMPLATES))].format(name))
        names.append(pairs.names[name])
    columns, rows = np.array(names), told.rows[chosen]
    same = positives(pairs, rows, columns, texts)
    guessed = np.full(len(pairs), -1)
    guessed[rows] = told.guesses[chosen]
    same |= positives(replace(pairs, label_of=guessed), rows, columns, texts)
    return chosen, texts, torch.from_numpy(same)


def class_texts(told: Told, seed: int, step: int) -> list[str]:
    """A sentence for each of the classifier's classes, by its name or a synonym."""
    rng = np.random.default_rng((seed, step, 1))
    texts = []
    for label in told.pairs.labels[len(told.pairs.labels) - told.chances.shape[1] :]:
        names = (label.name, label.name, *label.synonyms)
        texts.append(TEMPLATES[rng.integers(len(TEMPLATES))].format(names[rng.integers(len(names))]))
    return texts
