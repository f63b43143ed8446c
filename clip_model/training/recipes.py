"""Training recipes by name: each is a model and the numbers of its run, with the command, time and result to expect.

Knows no paths; `clip_model.train` takes them on its command line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from clip_model.config import CLIPConfig, TextConfig, VisionConfig
from clip_model.sizes.presets import PRESETS


@dataclass(frozen=True)
class Recipe:
    """The numbers of a run.

    Attributes:
        model: what is trained.
        steps: optimizer steps.
        batch_size: pairs a step.
        lr: peak learning rate.
        weight_decay: of matrices.
        warmup: steps of linear warm-up.
        text: "tower" trains the model's own text tower; "locked" leaves it as it is and trains the image tower
            against it; "teacher" trains the image tower against frozen sentence vectors through a learned head.
        needs_init: whether it goes on from trained weights, and is refused without them.
        caption_weight: how many times as often a captioned photo is drawn as a labelled one.
        jitter: largest relative change of brightness and contrast.
        smallest_crop: side of the smallest random crop, as a share of the kept square's.
        name_weights: how often a labelled photo is named by its label, by a synonym, by a kind of thing that it is.
        log_every: steps between lines of the log.
        save_every: steps between checkpoints.
        eval_every: steps between evaluations on the validation file.
    """

    model: CLIPConfig
    steps: int
    batch_size: int = 512
    lr: float = 2e-3
    weight_decay: float = 0.1
    warmup: int = 150
    text: Literal["tower", "locked", "teacher"] = "tower"
    needs_init: bool = False
    caption_weight: float = 3.0
    jitter: float = 0.2
    smallest_crop: float = 0.75
    name_weights: tuple[float, float, float] = (0.7, 0.12, 0.18)
    log_every: int = 20
    save_every: int = 100
    eval_every: int = 500


_TINY = CLIPConfig(
    embed_dim=32,
    vision=VisionConfig(image_size=32, layers=2, width=64, patch_size=8, head_width=32),
    text=TextConfig(width=64, heads=2, layers=2),
)

RECIPES: Mapping[str, Recipe] = {
    # python -m clip_model.train --config tiny --data 'DATA/train-*.parquet' --val DATA/val.parquet --out runs/tiny
    # Two minutes on two cores; shows that everything works, reaches a few percent.
    "tiny": Recipe(_TINY, steps=200, batch_size=128, lr=1e-3, warmup=20, eval_every=100),
    # The built-in model of before (builtin-1), first of six commands: the image tower against sentence vectors.
    # python -m clip_model.train --config builtin-image --data 'DATA/train-*.parquet' --out runs/image
    "builtin-image": Recipe(PRESETS["builtin-1"], steps=2400, text="teacher"),
    # The third command (the second is clip_model.distill): both towers together.
    # python -m clip_model.train --config builtin-tune --init runs/text/model.safetensors \
    #     --data 'DATA/train-*.parquet' --val DATA/val.parquet --out runs/tune
    "builtin-tune": Recipe(
        PRESETS["builtin-1"],
        needs_init=True,
        steps=820,
        lr=8e-4,
        warmup=40,
        caption_weight=2.0,
        smallest_crop=0.85,
        name_weights=(0.9, 0.04, 0.06),
    ),
    # The fourth: once more, nearer to how the model is used: whole pictures, plain names.
    # python -m clip_model.train --config builtin-polish --init runs/tune/model.safetensors \
    #     --data 'DATA/train-*.parquet' --val DATA/val.parquet --out runs/polish
    "builtin-polish": Recipe(
        PRESETS["builtin-1"],
        needs_init=True,
        steps=420,
        lr=1e-3,
        warmup=20,
        caption_weight=0.7,
        jitter=0.1,
        smallest_crop=0.9,
        name_weights=(0.96, 0.02, 0.02),
    ),
    # The fifth: the image tower alone, over many more samples and harder ones, against the text tower as it is. It
    # starts from the mean of the third run and the fourth (clip_model.average). 65 minutes on two cores.
    # python -m clip_model.train --config builtin-long --init runs/mean.safetensors \
    #     --data 'DATA/train-*.parquet' --val DATA/val.parquet --out runs/long
    "builtin-long": Recipe(
        PRESETS["builtin-1"],
        needs_init=True,
        steps=4000,
        lr=1.5e-3,
        weight_decay=0.2,
        warmup=60,
        text="locked",
        caption_weight=2.0,
        jitter=0.3,
        smallest_crop=0.65,
        name_weights=(0.85, 0.06, 0.09),
        eval_every=800,
    ),
    # The paper's recipe for ViT-B/32 on one machine with GPUs, should somebody have the pairs for it.
    "vit-b-32": Recipe(
        PRESETS["ViT-B-32"], steps=400_000, lr=5e-4, weight_decay=0.2, warmup=2000, caption_weight=1.0, jitter=0.0
    ),
}
