"""A training run: what changes while it goes, how it starts, and how it is kept on disk and taken up again.

The step itself and the loop are in `clip_model.train`.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from clip_model.checkpoint import load_model
from clip_model.model import CLIP
from clip_model.precision import AUTO, choose_precision
from clip_model.preprocessing.tokenizers import tokenizer_of
from clip_model.stored_file import write_atomically
from clip_model.training.recipes import Recipe
from clip_model.training.schedule import adamw
from clip_model.training.teacher import SentenceVectors, TextHead

TEXTS_AT_ONCE = 128

EncodeTexts = Callable[[list[str]], Tensor]


@dataclass
class Run:
    """What changes while training: the weights, the optimizer and the step; and where it all came from.

    `origin` is written into checkpoints and not compared: the model that was begun with, the data, the command.
    """

    recipe: Recipe
    model: CLIP
    head: TextHead | None
    encode_texts: EncodeTexts
    optimizer: torch.optim.AdamW
    scaler: torch.amp.GradScaler
    device: torch.device
    precision: torch.dtype
    seed: int
    step: int = 0
    origin: Mapping[str, str] = field(default_factory=dict)

    def use_text_tower(self) -> None:
        """From now on texts go through the model's own tower, not through a teacher."""
        self.encode_texts = _tower_texts(self.model, self.device)


def start(
    recipe: Recipe, *, seed: int, device: torch.device, vectors: SentenceVectors | None, init: Path | None = None
) -> Run:
    """A run at step 0, with random weights or those of `init`.

    Raises:
        ValueError: when `init` holds another architecture than the recipe's, or the recipe needs weights or sentence
            vectors and there are none.
    """
    if recipe.text == "teacher" and vectors is None:
        raise ValueError("this recipe trains against sentence vectors, and none are given")
    if (recipe.needs_init or recipe.text == "locked") and init is None:
        raise ValueError("this recipe goes on from trained weights; name them with --init")
    torch.manual_seed(seed)
    model = load_model(init) if init else CLIP(recipe.model)
    if model.config != recipe.model:
        raise ValueError(f"{init} holds {model.config}, but the recipe trains {recipe.model}")
    model.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    head = TextHead(recipe.model.embed_dim).to(device) if recipe.text == "teacher" else None
    encode_texts = _teacher_texts(head, vectors, device) if head and vectors else _tower_texts(model, device)
    if recipe.text == "locked":
        encode_texts = _kept(encode_texts, device)
    if recipe.text != "tower":  # the model's text tower takes no part, or stays as it is
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name.startswith("visual.") or name == "logit_scale")
    optimizer = adamw([model, head] if head else [model], lr=recipe.lr, weight_decay=recipe.weight_decay)
    precision = choose_precision(AUTO, device)
    scaler = torch.amp.GradScaler(device.type, enabled=precision == torch.float16)
    return Run(recipe, model, head, encode_texts, optimizer, scaler, device, precision, seed)


def encode_by_length(model: CLIP, tokens: Tensor) -> Tensor:
    """`model.encode_text`, with short texts together: none is computed to the length of the longest of all.

    Args:
        model: whose text tower is used.
        tokens: (n, s) int64.

    Returns:
        (n, e) float, raw features, row i for text i.
    """
    order = tokenizer_of(model.config.text).lengths(tokens).argsort()
    parts = [model.encode_text(tokens[rows]) for rows in torch.split(order, TEXTS_AT_ONCE)]
    return torch.cat(parts)[order.argsort()]


def _teacher_texts(head: TextHead, vectors: SentenceVectors, device: torch.device) -> EncodeTexts:
    def encode(texts: list[str]) -> Tensor:
        return head(vectors(texts).to(device))  # type: ignore[no-any-return]

    return encode


def _tower_texts(model: CLIP, device: torch.device) -> EncodeTexts:
    tokenizer = tokenizer_of(model.config.text)

    def encode(texts: list[str]) -> Tensor:
        unique = list(dict.fromkeys(texts))
        row = {text: i for i, text in enumerate(unique)}
        features = encode_by_length(model, tokenizer(unique).to(device))
        return features[[row[text] for text in texts]]

    return encode


def _kept(encode_texts: EncodeTexts, device: torch.device) -> EncodeTexts:
    """`encode_texts` for a tower that does not change: each text is computed once, and no gradient flows."""
    rows: dict[str, Tensor] = {}

    def encode(texts: list[str]) -> Tensor:
        new = [text for text in dict.fromkeys(texts) if text not in rows]
        if new:
            with torch.inference_mode(False), torch.no_grad():  # not inference: training steps use them too
                rows.update(zip(new, encode_texts(new).cpu(), strict=True))
        return torch.stack([rows[text] for text in texts]).to(device)

    return encode


def save_checkpoint(run: Run, path: Path, metrics: dict[str, float]) -> None:
    """Write everything that resuming needs, atomically."""
    buffer = io.BytesIO()
    torch.save(
        {
            "model": run.model.state_dict(),
            "head": run.head.state_dict() if run.head else None,
            "optimizer": run.optimizer.state_dict(),
            "scaler": run.scaler.state_dict(),
            "step": run.step,
            "seed": run.seed,
            "recipe": json.dumps(asdict(run.recipe)),
            "metrics": metrics,
            "origin": dict(run.origin),
        },
        buffer,
    )
    write_atomically(path, buffer.getvalue())


def resume(run: Run, path: Path) -> dict[str, float]:
    """Bring a fresh run to where `save_checkpoint` left another; the metrics of that time.

    Raises:
        ValueError: when the checkpoint is of another recipe or seed.
    """
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    if json.loads(state["recipe"]) != json.loads(json.dumps(asdict(run.recipe))) or state["seed"] != run.seed:
        raise ValueError(f"{path} belongs to another recipe or seed; name another --out, or delete it")
    run.model.load_state_dict(state["model"])
    if run.head:
        run.head.load_state_dict(state["head"])
    run.optimizer.load_state_dict(state["optimizer"])
    run.scaler.load_state_dict(state["scaler"])
    run.step = int(state["step"])
    return dict(state["metrics"])
