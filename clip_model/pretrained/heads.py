"""The heads that bring a frozen image tower and a frozen sentence encoder into one space, trained on features on disk.

`clip_model.head_run` is the command. With a rate for it the image tower's last block learns too; batch norms stay
as they are. It reads no files.

Legend: n photos, b batch, c channels, g side of the grid.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from clip_model.config import CLIPConfig, TextConfig
from clip_model.evaluation.evaluate import Photos, Towers, evaluate_source
from clip_model.model import CLIP
from clip_model.preprocessing.wordpiece import VOCABULARY_SIZE
from clip_model.pretrained.features import vision_config
from clip_model.pretrained.telling import Drawing, Told, class_texts, draw
from clip_model.towers.efficientnet import EfficientNetLite
from clip_model.training.loss import clip_loss, soft_cross_entropy
from clip_model.training.schedule import learning_rate
from clip_model.training.teacher import CONTEXT, DIM, HEADS, LAYERS, SentenceVectors

MAX_SCALE = 100.0
AT_ONCE = 512


@dataclass(frozen=True)
class Settings(Drawing):
    """The numbers of a run; see the command line's help."""

    steps: int = 400
    lr: float = 1e-3
    top_lr: float = 0.0
    weight_decay: float = 0.2
    class_weight: float = 1.0


@dataclass(frozen=True)
class Shown(Told):
    """Features of photos and what may be said about them.

    Attributes:
        grid: (n, c, g, g) float16, several views of a photo being several rows; or (n, 1280), pooled already.
    """

    grid: Tensor


def new_model(variant: str, size: int, *, pooling: str, hidden: int, embed_dim: int = 256) -> CLIP:
    """Both towers, with random weights."""
    text = TextConfig(CONTEXT, VOCABULARY_SIZE, DIM, HEADS, LAYERS, kind="sentence", hidden=hidden)
    vision = vision_config(variant, size, pooling=pooling, hidden=hidden)
    return CLIP(CLIPConfig(embed_dim, vision, text, quick_gelu=False))


def pooled(visual: EfficientNetLite, grid: Tensor) -> Tensor:
    """(n, c, g, g) features -> (n, 1280), as they are now and without a gradient; what is pooled already stays."""
    if grid.ndim == 2:
        return grid
    with torch.no_grad():
        return torch.cat([visual.pooled(visual.top(part.float())) for part in torch.split(grid, AT_ONCE)])


def classify(visual: EfficientNetLite, grid: Tensor, classifier: tuple[Tensor, Tensor]) -> Tensor:
    """The published classifier's probabilities for (n, c, g, g) features or (n, 1280) means: (n, 1000) float16."""
    with torch.no_grad():
        parts = torch.split(grid, AT_ONCE)
        means = (part if part.ndim == 2 else visual.top(part.float()).mean(dim=(2, 3)) for part in parts)
        return torch.cat([F.linear(features, *classifier).softmax(dim=1).half() for features in means])


def standardize(model: CLIP, grid: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each pooled channel over features, the head being made for such."""
    features = pooled(_visual(model), grid)
    return features.mean(dim=0), features.std(dim=0).clamp(min=1e-3)


def fold(model: CLIP, mean: Tensor, std: Tensor) -> None:
    """Put the standardisation into the head's first layers, so that the tower computes the same without it."""
    head = _visual(model).head
    with torch.no_grad():
        for layer in (head.linear, head.hidden) if head.has_hidden else (head.linear,):
            layer.weight.div_(std)
            layer.bias.sub_(layer.weight @ mean)


def train(
    model: CLIP, shown: Shown, vectors: SentenceVectors, settings: Settings, norm: tuple[Tensor, Tensor]
) -> Iterator[tuple[int, float]]:
    """Move the heads, and the last block where it has a rate; gives step and loss after each step.

    Raises:
        FloatingPointError: when the loss is not finite, naming the step.
    """
    visual, text = _visual(model), model.text
    if text is None:
        raise ValueError("heads are trained over a bidirectional text tower; this model has a causal one")
    tops = [*visual.blocks[-1].parameters(), *visual.conv_head.parameters()] if settings.top_lr else []
    heads = [*visual.head.parameters(), *text.head.parameters(), model.logit_scale]
    heads += [] if visual.pool is None else list(visual.pool.parameters())
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    for parameter in [*heads, *tops]:
        parameter.requires_grad_(True)
    groups = [
        {"params": [p for p in heads if p.ndim > 1], "peak": settings.lr, "weight_decay": settings.weight_decay},
        {"params": [p for p in heads if p.ndim < 2], "peak": settings.lr, "weight_decay": 0.0},
        {"params": tops, "peak": settings.top_lr, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW([g for g in groups if g["params"]], lr=settings.lr, betas=(0.9, 0.98), eps=1e-6)
    model.eval()  # batch norms stay as they are; only the heads' dropout is of training
    known = pooled(visual, shown.grid) if visual.pool is None and not tops else None  # else it changes by the step
    visual.head.train()
    text.head.train()
    for step in range(settings.steps):
        chosen, texts, same = draw(shown, settings, step)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, peak=group["peak"], warmup=20, steps=settings.steps)
        features = visual.pooled(visual.top(shown.grid[chosen].float())) if known is None else known[chosen]
        image = F.normalize(visual.head((features - norm[0]) / norm[1]), dim=-1)
        words = F.normalize(text.head(vectors(texts)), dim=-1)
        scale = model.logit_scale.exp().clamp(max=MAX_SCALE)
        loss = clip_loss(image, words, scale, same)
        if settings.class_weight:  # what the classifier knows of each photo, in the names of its classes
            classes = F.normalize(text.head(vectors(class_texts(shown, settings.seed, step))), dim=-1)
            chances = shown.chances[chosen].float()
            loss = loss + settings.class_weight * soft_cross_entropy(scale * image @ classes.T, chances)
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss.item()} at step {step}; try a smaller learning rate")
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        yield step + 1, loss.item()
    model.eval()


def measure(
    model: CLIP,
    grid: Tensor,
    sources: Sequence[Photos],
    places: Sequence[NDArray[np.int64]],
    vectors: SentenceVectors,
    norm: tuple[Tensor, Tensor],
) -> dict[str, float]:
    """The figures of `clip_model.evaluate` on features; `places` are each source's rows in `grid`.

    Raises:
        ValueError: if a tower is of another kind.
    """
    visual, text = _visual(model), model.text
    if text is None:
        raise ValueError("heads are measured over a bidirectional text tower; this model has a causal one")
    heads = (visual.head, text.head)
    for head in heads:
        head.eval()
    with torch.inference_mode():
        images = F.normalize(visual.head((pooled(visual, grid) - norm[0]) / norm[1]), dim=-1).numpy()
        towers = Towers(lambda _: [], lambda texts: text.head(vectors(texts)).numpy())
        figures: dict[str, float] = {}
        for photos, rows in zip(sources, places, strict=True):
            measured = evaluate_source(towers, images[rows], photos)
            figures |= {f"{photos.source}.{name}": value for name, value in measured.items()}
    for head in heads:
        head.train()
    return figures


def _visual(model: CLIP) -> EfficientNetLite:
    if not isinstance(model.visual, EfficientNetLite):
        raise ValueError(f"heads are trained over an EfficientNetLite, not over a {type(model.visual).__name__}")
    return model.visual
