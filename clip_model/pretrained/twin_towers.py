"""What an image tower and a sentence tower compute on a device, and how good that is on the validation photos.

Legend: n photos, b batch, s positions, c channels, d dimension of sentence vectors, k classes of a classifier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from clip_model.evaluation.evaluate import Photos, Towers, evaluate_source
from clip_model.model import CLIP
from clip_model.preprocessing.wordpiece import WordPiece
from clip_model.pretrained.canvas import Canvas, middles
from clip_model.towers.efficientnet import EfficientNetLite
from clip_model.towers.sentence import SentenceTower

AT_ONCE = 512


@dataclass(frozen=True)
class Published:
    """The tower as it was published, for what is to be kept of it.

    Attributes:
        tower: with its own weights.
        weight: (k, c) of the classifier on its features.
        bias: (k,).
    """

    tower: EfficientNetLite
    weight: Tensor
    bias: Tensor


def towers(model: CLIP) -> tuple[EfficientNetLite, SentenceTower]:
    """The two towers.

    Raises:
        ValueError: if they are of another kind.
    """
    if not isinstance(model.visual, EfficientNetLite) or not isinstance(model.text, SentenceTower):
        raise ValueError(f"only an EfficientNetLite and a sentence tower learn together here, not {model.config}")
    return model.visual, model.text


def normalized(pixels: Tensor, model: CLIP) -> Tensor:
    """(b, 3, h, w) in [0, 1] -> what the image tower takes, channels last."""
    mean, std = (
        torch.tensor(c).to(pixels).view(1, 3, 1, 1) for c in (model.config.vision.mean, model.config.vision.std)
    )
    return ((pixels - mean) / std).contiguous(memory_format=torch.channels_last)


def features_of(visual: EfficientNetLite, x: Tensor) -> Tensor:
    """(b, 3, h, w) -> (b, c) float32: what the head sees; in bf16 on a GPU."""
    with torch.autocast(x.device.type, torch.bfloat16, enabled=x.is_cuda):
        return visual.pooled(visual.top(visual.trunk(x))).float()


def vectors_of(text: SentenceTower, tokens: Tensor, device: torch.device) -> Tensor:
    """(b, s) -> (b, d) float32, unit length, the sentence vectors; in bf16 on a GPU."""
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        return text.vectors(tokens.to(device)).float()


def chances(published: Published, model: CLIP, canvas: Canvas) -> Tensor:
    """(n, k) float16 on the CPU: the published classifier's probabilities for the middle of each photo."""
    numbers = np.arange(len(canvas.pixels))
    parts = []
    with torch.no_grad():
        for start in range(0, len(numbers), AT_ONCE):
            x = normalized(middles(canvas, numbers[start : start + AT_ONCE], model.config.vision.image_size), model)
            seen = features_of(published.tower, x)
            parts.append(F.linear(seen, published.weight, published.bias).softmax(dim=1).half().cpu())
    return torch.cat(parts)


class Texts:
    """Token ids of texts, each computed once; batches as long as their longest text, to a multiple of eight."""

    def __init__(self, context: int) -> None:
        """`context` positions at most."""
        self._tokenize = WordPiece(context)
        self._known: dict[str, Tensor] = {}

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """(b, s) int64."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known |= dict(zip(new, self._tokenize(new), strict=True))
        tokens = torch.stack([self._known[text] for text in texts])
        length = int(WordPiece.lengths(tokens).max())
        return tokens[:, : min(tokens.shape[1], -(-length // 8) * 8)]


def measure(model: CLIP, sources: Sequence[Photos], squares: Sequence[Tensor]) -> dict[str, float]:
    """The figures of `clip_model.evaluate`.

    Args:
        model: in evaluation mode.
        sources: the photos.
        squares: of each source (n, 3, t, t) uint8, as the model is shown photos, on its device.
    """
    visual, text = towers(model)
    texts_of, device = Texts(model.config.text.context_length), model.logit_scale.device
    figures: dict[str, float] = {}
    visual.head.eval()
    text.head.eval()

    def encode(texts: list[str]) -> NDArray[np.float32]:
        parts = (vectors_of(text, texts_of(texts[i : i + AT_ONCE]), device) for i in range(0, len(texts), AT_ONCE))
        features: NDArray[np.float32] = text.head(torch.cat(list(parts))).cpu().numpy()
        return features

    with torch.inference_mode():
        for photos, pixels in zip(sources, squares, strict=True):
            parts = (
                features_of(visual, normalized(part.float() / 255, model)) for part in torch.split(pixels, AT_ONCE)
            )
            images = F.normalize(visual.head(torch.cat(list(parts))), dim=-1).cpu().numpy()
            measured = evaluate_source(Towers(lambda _: [], encode), images, photos)
            figures |= {f"{photos.source}.{name}": value for name, value in measured.items()}
    return figures
