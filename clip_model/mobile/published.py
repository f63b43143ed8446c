"""The image towers that MobileCLIP's and MobileCLIP2's checkpoints have, by the names that timm gives them.

The sizes are those of timm's models, of which open_clip makes the towers; the text towers are open_clip's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clip_model.mobile.kinds import BIASED, DEEP, FAST, STEM


@dataclass(frozen=True)
class Trunk:
    """An image tower; see `VisionConfig` for what both have.

    Attributes:
        variant: one of `kinds.KINDS`.
        layers: blocks.
        width: channels.
        patch_size: in pixels.
        head_width: channels.
        mlp_width: channels.
        pool: how open_clip has timm sum the positions up.
        image_size: in pixels, that timm makes it for whatever open_clip's configuration says; None where it has any.
    """

    variant: str
    layers: int | tuple[int, ...]
    width: int
    patch_size: int | None = None
    head_width: int = 32
    mlp_width: int = 0
    pool: str = "avg"
    image_size: int | None = None


TRUNKS: Mapping[str, Trunk] = {
    "fastvit_mci0": Trunk(FAST, (2, 6, 10, 2), 64, mlp_width=192),
    "fastvit_mci1": Trunk(FAST, (4, 12, 20, 4), 64, mlp_width=192),
    "fastvit_mci2": Trunk(FAST, (4, 12, 24, 4), 80, mlp_width=240),
    "fastvit_mci3": Trunk(DEEP, (2, 12, 24, 4, 2), 96),
    "fastvit_mci4": Trunk(DEEP, (2, 12, 24, 4, 4), 128),
    "vit_base_mci_224": Trunk(STEM, 12, 768, 16, 64, pool="token", image_size=224),
    "vit_large_patch14_clip_224": Trunk(BIASED, 24, 1024, 14, 64, pool="token", image_size=224),
}
