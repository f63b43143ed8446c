"""Both towers of a model learn together, from heads that fit: the image tower from the top down, the words with it.

`clip_model.joint_run` is the command, `rates.py` has the numbers. Batch norms keep their statistics, and what the
published classifier knew is kept by distillation: on each crop the features are to give the published tower's
probabilities (learning without forgetting, arXiv 1606.09282). What is measured and saved is the moving average of the
weights. It reads no files.

Legend: n photos, b batch, t side of a crop in pixels, k classes of the classifier, e dimension of the shared space.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from clip_model.model import CLIP
from clip_model.pretrained.canvas import Canvas, Changes, crops
from clip_model.pretrained.rates import JointSettings, parameter_groups
from clip_model.pretrained.telling import Told, class_texts, draw
from clip_model.pretrained.twin_towers import Published, Texts, features_of, normalized, towers, vectors_of
from clip_model.training.loss import clip_loss, soft_cross_entropy
from clip_model.training.schedule import learning_rate

MAX_SCALE = 100.0
WARMUP = 50
MOST_GRADIENT = 1.0  # length of all gradients together
Features = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Batch:
    """What a step takes, on the CPU but for the pixels.

    Attributes:
        pixels: (b, 3, t, t) normalised, on the device.
        tokens: (b, s) int64, a text for each.
        names: (k, s) int64, the classifier's classes by name.
        same: (b, b) bool, [i, j] True where text j is true of photo i.
    """

    pixels: Tensor
    tokens: Tensor
    names: Tensor
    same: Tensor


def train(
    model: CLIP,
    canvas: Canvas,
    told: Told,
    shares: NDArray[np.float64],
    published: Published,
    settings: JointSettings,
    *,
    compiled: bool = False,
) -> Iterator[tuple[int, float, CLIP]]:
    """Move the weights; gives step, loss and the model of averaged weights after each step.

    Args:
        model: on the canvas's device.
        canvas: the photos.
        told: what may be said of them, row i being that of photo i.
        shares: (n,) how often each photo is drawn, see `draw`.
        published: what is to be kept, on the same device.
        settings: the numbers.
        compiled: let `torch.compile` make the image towers faster.

    Raises:
        FloatingPointError: when the loss is not finite, naming the step.
        ValueError: if a tower is of another kind.
    """
    visual, text = towers(model)
    optimizer = torch.optim.AdamW(parameter_groups(model, settings), betas=(0.9, 0.98), eps=1e-6)
    moved = list(chain.from_iterable(group["params"] for group in optimizer.param_groups))
    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(settings.average))  # type: ignore[no-untyped-call]
    model.eval()  # batch norms keep their statistics; only the heads' dropout is of training
    visual.head.train()
    text.head.train()
    seen: Features = partial(features_of, visual)
    kept: Features = partial(features_of, published.tower)
    if compiled:
        seen, kept = torch.compile(seen), torch.compile(kept)
    texts_of, shares = Texts(model.config.text.context_length), shares * canvas.decoded

    def prepare(step: int) -> tuple[NDArray[np.int64], Tensor, Tensor, Tensor]:
        chosen, texts, same = draw(told, settings, step, shares)
        return chosen, texts_of(texts), texts_of(class_texts(told, settings.seed, step)), same

    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(prepare, 0)
        for step in range(settings.steps):
            chosen, *texts = ahead.result()
            ahead = pool.submit(prepare, step + 1)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, peak=group["peak"], warmup=WARMUP, steps=settings.steps)
            loss = loss_of(model, Batch(_pixels(model, canvas, chosen, settings, step), *texts), published, settings,
                           seen, kept)  # fmt: skip
            if not torch.isfinite(loss):
                raise FloatingPointError(f"the loss is {loss.item()} at step {step}; try smaller rates")
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(moved, MOST_GRADIENT)
            optimizer.step()
            averaged.update_parameters(model)
            yield step + 1, loss.item(), cast(CLIP, averaged.module)
    model.eval()


def _pixels(model: CLIP, canvas: Canvas, chosen: NDArray[np.int64], settings: JointSettings, step: int) -> Tensor:
    late = step >= settings.steps * (1 - settings.late_share)
    side = model.config.vision.image_size if late else settings.size
    changes = Changes(settings.smallest_area, settings.jitter, settings.gray)
    return normalized(crops(canvas, chosen, side, changes, np.random.default_rng((settings.seed, step, 2))), model)


def loss_of(
    model: CLIP, batch: Batch, published: Published, settings: JointSettings, seen: Features, kept: Features
) -> Tensor:
    """() the loss of a batch in nats; `seen` and `kept` give the features of the model's tower and the published."""
    visual, text = towers(model)
    features = seen(batch.pixels)  # [b, c]
    image = F.normalize(visual.head(features), dim=-1)
    words = F.normalize(text.head(vectors_of(text, batch.tokens, image.device)), dim=-1)
    scale = model.logit_scale.exp().clamp(max=MAX_SCALE)
    loss = clip_loss(image, words, scale, batch.same.to(image.device))
    with torch.no_grad():
        known = F.linear(kept(batch.pixels), published.weight, published.bias).softmax(dim=1)  # [b, k]
    loss = loss + settings.keep_weight * soft_cross_entropy(F.linear(features, published.weight, published.bias), known)
    names = F.normalize(text.head(vectors_of(text, batch.names, image.device)), dim=-1)  # [k, e]
    return loss + settings.class_weight * soft_cross_entropy(scale * image @ names.T, known)
