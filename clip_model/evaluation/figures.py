"""The figures of one source of a data set: zero-shot accuracy, recall both ways, a linear probe; or why there are none.

What says nothing (a label alone, ten of ten) is left out with its reason rather than given as 100 %.
Legend: n pictures, c classes, d dimension.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip_model.evaluation.collecting import Group
from clip_model.evaluation.evaluate import RECALLS, TOPS, evaluate_retrieval, halves
from clip_model.evaluation.metrics import best_penalty, linear_probe, top_k_accuracy
from clip_model.evaluation.readers.examples import Example, Item
from clip_model.evaluation.zero_shot import classifier_weights, unit_rows

Floats = NDArray[np.float32]
EmbedTexts = Callable[[list[str]], Floats]
NUMBERS = "the labels are numbers: say what they are called with --class-names FILE"


@dataclass(frozen=True)
class Words:
    """What makes labels sentences.

    Attributes:
        templates: sentences with a gap.
        class_names: names by label, all of which are candidates; None: the labels that occur, as they are spelt.
    """

    templates: tuple[str, ...]
    class_names: dict[str, str] | None = None

    def classes(self, labels: Sequence[str]) -> tuple[list[str], list[str]]:
        """The labels of all candidates and what each is called."""
        if self.class_names is None:
            known = sorted({label for label in labels if label})
            return known, [label.replace("_", " ") for label in known]
        return list(self.class_names), list(self.class_names.values())

    def require(self, item: Item) -> Item:
        """The same example.

        Raises:
            ValueError: its label has no name in the file.
        """
        label = item.label if isinstance(item, Example) else ""
        if label and self.class_names is not None and self.key(label) not in self.class_names:
            raise ValueError(f"{item.name}: the file of class names has none for the label {label[:80]!r}")
        return item

    def key(self, label: str) -> str:
        """A label as the file of names has it: a number without leading zeros, unless it is written so there."""
        if self.class_names is None or label in self.class_names:
            return label
        return label.lstrip("0") or "0" if label.isascii() and label.isdigit() else label


def figures(group: Group, words: Words, embed_texts: EmbedTexts, train: Group | None, *, probe: bool) -> dict[str, Any]:
    """Measure one source.

    Args:
        group: at least one picture.
        words: templates and names.
        embed_texts: sentences -> (n, d), unit length.
        train: labelled pictures to fit the probe on; None: every other one of the group's own.
        probe: whether to fit it.

    Returns:
        Counts, "zero_shot", "text_to_image", "image_to_text" and "linear_probe" with shares in [0, 1], each None where
        it cannot be, and "left_out", the reasons by name. docs/evaluation.md lists the keys.
    """
    left_out: dict[str, str] = {}
    labelled = np.array([bool(label) for label in group.labels])
    known, called = words.classes(group.labels)
    place = {label: number for number, label in enumerate(known)}
    own = [words.key(label) for label in group.labels if label]
    found: dict[str, Any] = {
        "source": group.source,
        "photos": len(group.labels),
        "labelled": len(own),
        "classes": len(known) if own else 0,
        "captioned": sum(map(bool, group.captions)),
        "captions": sum(map(len, group.captions)),
    }
    problem = _no_classes(own, known, called, words)
    embeddings = group.embeddings
    zero_shot = None
    if problem is None:
        labels = np.array([place[label] for label in own], dtype=np.int64)
        zero_shot = _zero_shot(embeddings[labelled], labels, called, words, embed_texts, left_out)
    else:
        left_out["zero_shot"] = problem
    retrieval = _retrieval(embeddings, group.captions, embed_texts, left_out)
    found |= {"zero_shot": zero_shot, **retrieval, "linear_probe": None}
    if probe:
        try:
            found["linear_probe"] = _probe(embeddings[labelled], own, train, words, left_out)
        except _Without as reason:
            left_out["linear_probe"] = str(reason)
    else:
        left_out["linear_probe"] = "not asked for"
    return found | {"left_out": left_out}


class _Without(Exception):  # noqa: N818 - a reason, not an error
    """Why there is no probe."""


def _no_classes(own: list[str], known: list[str], called: list[str], words: Words) -> str | None:
    if not own:
        return "no picture has a label"
    if len(known) < 2:
        return f"all pictures have one label, {known[0][:80]!r}; at least two are needed"
    if words.class_names is None and all(label.isascii() and label.isdigit() for label in known):
        return NUMBERS
    label_of: dict[str, str] = {}
    for label, name in zip(known, called, strict=True):
        if (other := label_of.setdefault(name, label)) != label:
            return (
                f"two labels, {other[:80]!r} and {label[:80]!r}, are both called {name[:80]!r}: use --class-names FILE"
            )
    return None


def _zero_shot(
    images: Floats,
    labels: NDArray[np.int64],
    called: list[str],
    words: Words,
    embed: EmbedTexts,
    left_out: dict[str, str],
) -> dict[str, float]:
    scores = images @ classifier_weights(embed, called, words.templates).T  # [n, c]
    for k in TOPS:
        if k >= len(called):
            left_out[f"zero_shot.top{k}"] = f"among {len(called)} classes it is always 100 %"
    return {f"top{k}": top_k_accuracy(scores, labels, k) for k in TOPS if k < len(called)}


def _retrieval(
    images: Floats, captions: Sequence[tuple[str, ...]], embed: EmbedTexts, left_out: dict[str, str]
) -> dict[str, dict[str, float] | None]:
    counts = [len(texts) for texts in captions]
    pictures, sentences = sum(map(bool, counts)), sum(counts)
    if pictures < 2:
        why = "no picture has a caption" if not pictures else "one picture alone has a caption; at least two are needed"
        left_out["retrieval"] = why
        return {"text_to_image": None, "image_to_text": None}
    owners = np.repeat(np.arange(len(images)), counts)
    texts = unit_rows(embed([text for one in captions for text in one]))
    rows, numbers = np.unique(owners, return_inverse=True)
    measured = evaluate_retrieval(images[rows], texts, numbers.astype(np.int64))
    answer: dict[str, dict[str, float] | None] = {}
    for way, count, what in (("text_to_image", pictures, "pictures"), ("image_to_text", sentences, "captions")):
        answer[way] = {f"recall@{k}": measured[f"{way}.recall@{k}"] for k in RECALLS if k < count}
        for k in RECALLS:
            if k >= count:
                left_out[f"{way}.recall@{k}"] = f"of {count} {what} it is always 100 %"
    return answer


def _probe(
    images: Floats, own: list[str], train: Group | None, words: Words, left_out: dict[str, str]
) -> dict[str, float | int]:
    fitted = own if train is None else [words.key(label) for label in train.labels if label]
    known = sorted({*own, *fitted})
    if not own or not fitted:
        raise _Without(f"no picture {'to fit on ' if own else ''}has a label")
    if len(set(fitted)) < 2:
        raise _Without(f"all pictures to fit on have one label, {fitted[0][:80]!r}; at least two are needed")
    if missing := sorted(set(own) - set(fitted)):
        raise _Without(f"no picture to fit on has the label {missing[0][:80]!r}")
    place = {label: number for number, label in enumerate(known)}
    labels = np.array([place[label] for label in own], dtype=np.int64)
    if train is None:
        several = np.bincount(labels)[labels] > 1
        if alone := int(np.count_nonzero(~several)):
            have = "has" if alone == 1 else "have"
            left_out["linear_probe.singles"] = (
                f"{alone:,} of {len(known):,} labels {have} one picture each: none is left to measure on"
            )
        images, labels = images[several], np.unique(labels[several], return_inverse=True)[1].astype(np.int64)
        fit = halves(labels)
        rows = (images[fit], labels[fit], images[~fit], labels[~fit])
    else:
        there = np.array([bool(label) for label in train.labels])
        rows = (train.embeddings[there], np.array([place[label] for label in fitted], dtype=np.int64), images, labels)
    if len(np.unique(rows[1])) < 2 or not len(rows[2]):
        left_out.pop("linear_probe.singles", None)
        raise _Without("too few pictures: half of them are to fit on, and half to measure on, of two labels or more")
    penalty = best_penalty(rows[0], rows[1])
    return {
        "accuracy": linear_probe(*rows, penalty=penalty),
        "penalty": penalty,
        "fitted_on": len(rows[0]),
        "measured_on": len(rows[2]),
    }
