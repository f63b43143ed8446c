"""How fast each part of a model learns when both towers do: heads first, the image tower's stages less and less.

Each stage of the image tower has a smaller rate than the one above it (layer-wise rates, as in BEiT, arXiv 2106.08254).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from clip_model.model import CLIP
from clip_model.pretrained.telling import Drawing
from clip_model.pretrained.twin_towers import towers
from clip_model.sizes.efficientnet_lite import STAGES
from clip_model.towers.efficientnet import EfficientNetLite


@dataclass(frozen=True)
class JointSettings(Drawing):
    """The numbers of a run.

    Attributes:
        steps: of the run.
        size: side of the crops in pixels, until the last `late_share` of the steps.
        late_share: of the steps, with crops of the model's own size.
        lr: peak rate of the heads.
        tower_lr: peak rate of the image tower's last stage.
        stage_decay: the rate of a stage as a share of the one above it.
        text_lr: peak rate of the text tower; at 0 it stays as it is.
        weight_decay: of the heads' matrices.
        tower_decay: of the towers' matrices.
        class_weight: how much the classifier's probabilities count, met by cosines with its classes' names.
        keep_weight: how much they count, met by the classifier over the tower's own features.
        average: how much of the moving average stays at each step.
        smallest_area: see `Changes`.
        jitter: see `Changes`.
        gray: see `Changes`.
    """

    steps: int = 1500
    size: int = 160
    late_share: float = 0.25
    lr: float = 3e-4
    tower_lr: float = 3e-4
    stage_decay: float = 0.75
    text_lr: float = 2e-5
    weight_decay: float = 0.2
    tower_decay: float = 0.05
    class_weight: float = 0.03
    keep_weight: float = 0.5
    average: float = 0.995
    smallest_area: float = 0.35
    jitter: float = 0.3
    gray: float = 0.1


def parameter_groups(model: CLIP, settings: JointSettings) -> list[dict[str, object]]:
    """Parameters with their peak rates and decays: heads, stages of the image tower from the top, the text tower."""
    visual, text = towers(model)
    blocks = iter(visual.blocks)
    depths = stage_depths(visual)
    stages: list[list[nn.Module]] = [[visual.conv_stem, visual.bn0]]
    stages += [[next(blocks) for _ in range(depth)] for depth in depths]
    stages[-1] += [visual.conv_head, visual.bn1]
    heads = [*visual.head.parameters(), *text.head.parameters(), model.logit_scale]
    heads += [] if visual.pool is None else list(visual.pool.parameters())
    parts = [(heads, settings.lr, settings.weight_decay)]
    for below, modules in enumerate(reversed(stages)):
        rate = settings.tower_lr * settings.stage_decay**below
        parts.append(([p for module in modules for p in module.parameters()], rate, settings.tower_decay))
    inner = [
        p for name, p in text.named_parameters() if not name.startswith(("head.", "token_embedding", "positional"))
    ]
    parts.append((inner, settings.text_lr, settings.tower_decay))
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    groups: list[dict[str, object]] = []
    for parameters, rate, decay in parts:
        if not rate:
            continue
        for parameter in parameters:
            parameter.requires_grad_(True)
        groups.append({"params": [p for p in parameters if p.ndim > 1], "peak": rate, "weight_decay": decay})
        groups.append({"params": [p for p in parameters if p.ndim < 2], "peak": rate, "weight_decay": 0.0})
    return [group for group in groups if group["params"]]


def stage_depths(visual: EfficientNetLite) -> list[int]:
    """How many blocks each stage of the tower has."""
    depths: list[int] = []
    for block in visual.blocks:
        if block.adds and depths:  # the first block of a stage changes channels or stride
            depths[-1] += 1
        else:
            depths.append(1)
    if len(depths) != len(STAGES):
        raise ValueError(f"a tower of {len(depths)} stages, where {len(STAGES)} were expected")
    return depths
