"""Classifiers out of words: names of classes, put into many sentences, become the weights of a linear layer.

Averaging the sentences' embeddings is the ensembling of section 3.1.4 of the paper. Nothing here is learned.
Legend: n pictures, c classes, d dimension of the shared space.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

TEMPLATES = (
    "{}",
    "a {}",
    "a photo of a {}",
    "a photo of the {}",
    "a picture of a {}",
    "a picture of the {}",
    "a snapshot of one {}",
    "a photo of my {}",
    "a close-up of a {}",
    "a {} seen from afar",
    "a small {} in a picture",
    "a large {} in a picture",
    "a bright photo of a {}",
    "a dark photo of a {}",
    "a blurry photo of a {}",
    "a good photo of a {}",
)
"""Sentences with one gap. They vary what says nothing about the class: distance, size, light, quality."""

EncodeTexts = Callable[[list[str]], ArrayLike]


def prompts(name: str, templates: Sequence[str] = TEMPLATES) -> list[str]:
    """Put a name into every template.

    Raises:
        ValueError: if a template has no gap, or there is none.
    """
    if not templates:
        raise ValueError("expected at least one template, got none")
    for template in templates:
        if "{}" not in template:
            raise ValueError(f"expected a template with a gap {{}}, got {template!r}")
    return [template.replace("{}", name) for template in templates]


def classifier_weights(
    encode_texts: EncodeTexts, names: Sequence[str], templates: Sequence[str] = TEMPLATES
) -> NDArray[np.float32]:
    """Average the unit embeddings of each name's sentences, and scale the average to unit length.

    Args:
        encode_texts: texts -> (n, d), of any length.
        names: the classes, such as "golden retriever".
        templates: sentences with a gap.

    Returns:
        (c, d) float32, unit length.

    Raises:
        ValueError: if there are no names or no templates, or a name's sentences cancel out.
    """
    if not names:
        raise ValueError("expected at least one class, got none")
    sentences = [sentence for name in names for sentence in prompts(name, templates)]
    embeddings = unit_rows(encode_texts(sentences))  # [c * templates, d]
    return unit_rows(embeddings.reshape(len(names), len(templates), -1).mean(axis=1))


def unit_rows(features: ArrayLike) -> NDArray[np.float32]:
    """Scale (n, d) features to unit length.

    Raises:
        ValueError: if a row is zero or not finite, naming the first.
    """
    rows = np.asarray(features, dtype=np.float32)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    sound = (np.isfinite(norms) & (norms > 0)).ravel()
    if not sound.all():
        raise ValueError(f"row {int(np.argmin(sound))} of the features is zero or not finite: it has no direction")
    unit: NDArray[np.float32] = rows / norms
    return unit
