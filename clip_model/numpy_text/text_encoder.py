"""TextEncoder: texts in, embeddings of unit length out, within 1e-4 of those that torch computes in float32.

It imports no torch, whose start takes longer than all else that a search from the command line does. Pictures, GPUs and
other number formats are the `Encoder`'s, as are models that this one cannot run: `open_text_encoder` gives None then.

Legend: n items, s positions, d dimension of the shared space.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clip_model.config import CLIP_TEXTS
from clip_model.numpy_text import causal, sentence
from clip_model.numpy_text.mapped_weights import Floats, MappedWeights
from clip_model.preprocessing.tokenizers import tokenizer_of
from clip_model.sizes import shapes

_BATCH = 32
_TOWERS = {
    **dict.fromkeys(CLIP_TEXTS, (shapes.causal, causal.features)),
    "sentence": (shapes.sentence, sentence.features),
}


class TextEncoder:
    """A model's text tower; safe to call from several threads, which take turns."""

    def __init__(self, weights: MappedWeights, source: str = "the model") -> None:
        """Weights whose tensors are those of the tower, see `open_text_encoder`; `source` is what a message calls it.

        Raises:
            ValueError: if the model has another vocabulary than the tokenizer's.
        """
        self._weights = weights
        self.dim = weights.header.config.embed_dim
        self._tokenizer = tokenizer_of(weights.header.config.text, source=source)
        self._features = _TOWERS[weights.header.config.text.kind][1]
        self._turn = threading.Lock()

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """Embed texts; equal ones are computed once.

        Returns:
            (n, d) float32, unit length.

        Raises:
            ValueError: if the network gives no direction for a text, naming which.
        """
        if not texts:
            return np.empty((0, self.dim), dtype=np.float32)
        first = dict(zip(reversed(texts), reversed(range(len(texts))), strict=True))  # where each stands first
        rows = {text: row for row, text in enumerate(first)}
        tokens = self._tokenizer.ids(list(rows))
        order = np.argsort((tokens != 0).sum(axis=1), kind="stable")  # short texts together: less padding
        numbers = np.array([*first.values()])
        unique = np.empty((len(rows), self.dim), dtype=np.float32)
        for start in range(0, len(order), _BATCH):
            some = order[start : start + _BATCH]
            unique[some] = self._embed(tokens[some], numbers[some])
        return unique[[rows[text] for text in texts]]

    def _embed(self, tokens: NDArray[np.int64], numbers: NDArray[np.int64]) -> Floats:
        """(n, s) -> (n, d); `numbers` are what a message calls them."""
        with self._turn:
            features = self._features(self._weights, tokens)
        norms = np.linalg.norm(features, axis=1, keepdims=True)
        sound = (np.isfinite(norms) & (norms > 0))[:, 0]
        if not sound.all():
            number = int(numbers[~sound].min())
            raise ValueError(
                f"the model gives no direction for text number {number}: its features are zero or not finite"
            )
        out: Floats = features / norms
        return out


def open_text_encoder(path: Path) -> TextEncoder | None:
    """The text tower of a weights file; None where it is none that NumPy runs here, as the `Encoder` may.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no model's weights file or is damaged, or has another vocabulary than the tokenizer's.
    """
    weights = MappedWeights(path)
    config = weights.header.config
    asked, _ = _TOWERS.get(config.text.kind, (None, None))
    if asked is None or not all(weights.holds(name, shape) for name, shape in asked(config.text, config.embed_dim)):
        return None
    return TextEncoder(weights, str(path))
