"""A model on a data set: what is named is read, embedded, and measured, each source alone. It prints nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from clip_model.evaluation.collecting import Collected, Decode, EmbedSquares, Group, collect
from clip_model.evaluation.figures import Words, figures
from clip_model.evaluation.readers.data_sets import DataSet, open_data_set
from clip_model.evaluation.word_files import read_class_names, read_templates
from clip_model.evaluation.zero_shot import TEMPLATES


class Wanted(TypedDict):
    """How to measure.

    Attributes:
        decode: an example's picture to the square that the network sees; a ValueError says why it cannot be.
        suffixes: of names of pictures, for class folders.
        train: a data set to fit the linear probe on, as `open_data_set` takes it; none: half of the measured one.
        templates: a file of sentences with a gap; None: the built-in ones.
        class_names: a file of what labels are called; None: as they are spelt.
        limit: at most so many pictures of each source; None: all.
        probe: whether to fit a linear classifier.
        on_progress: told how many pictures are done.
    """

    decode: Decode
    suffixes: Collection[str]
    train: Sequence[str]
    templates: Path | None
    class_names: Path | None
    limit: int | None
    probe: bool
    on_progress: Callable[[int, int], None]


def measure(
    embed_squares: EmbedSquares,
    embed_texts: Callable[[Sequence[str]], NDArray[np.float32]],
    data: Sequence[str],
    wanted: Wanted,
) -> dict[str, Any]:
    """Measure a model on a data set.

    Args:
        embed_squares: squares -> (n, d), unit length.
        embed_texts: sentences -> (n, d), unit length.
        data: as `open_data_set` takes it.
        wanted: how.

    Returns:
        "sources", as `figures` gives each, and "unreadable", what took no part, with reasons.

    Raises:
        ValueError, OSError, ImportError: a file cannot be used, or no picture of it; the message says why.
    """
    templates = read_templates(wanted["templates"]) if wanted["templates"] else TEMPLATES
    words = Words(templates, read_class_names(wanted["class_names"]) if wanted["class_names"] else None)
    measured, fitting = open_data_set(data, wanted["suffixes"]), None
    if wanted["train"]:
        if not wanted["probe"]:
            raise ValueError("a data set to fit the linear probe on, and no probe, are asked for: choose one")
        fitting = open_data_set(wanted["train"], wanted["suffixes"])
    held = _collected(replace(measured, items=map(words.require, measured.items)), data, embed_squares, wanted)
    train, unreadable = None, held.unreadable
    if fitting is not None:
        apart = _collected(fitting, wanted["train"], embed_squares, wanted)
        train, unreadable = _together(apart.groups), [*unreadable, *apart.unreadable]
    sources = [
        figures(group, words, lambda texts: embed_texts(texts), train, probe=wanted["probe"]) for group in held.groups
    ]
    return {
        "sources": sources,
        "templates": len(templates),
        "unreadable": [{"name": one.name, "reason": one.reason} for one in unreadable],
    }


def _collected(opened: DataSet, data: Sequence[str], embed_squares: EmbedSquares, wanted: Wanted) -> Collected:
    held = collect(
        opened,
        wanted["decode"],
        embed_squares,
        threads=os.cpu_count() or 1,
        limit=wanted["limit"],
        on_progress=wanted["on_progress"],
    )
    if not held.groups:
        first = f": {held.unreadable[0].name}: {held.unreadable[0].reason}" if held.unreadable else ""
        raise ValueError(f"{data[0]} holds no picture that can be read{first}")
    return held


def _together(groups: Sequence[Group]) -> Group:
    whole = Group("")
    for group in groups:
        whole.labels += group.labels
        whole.captions += group.captions
        whole.parts += group.parts
    return whole
