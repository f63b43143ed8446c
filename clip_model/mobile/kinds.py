"""Which image towers MobileCLIP and MobileCLIP2 have, in plain numbers, without torch.

Vasu et al. 2023 (FastViT, arXiv 2303.14189), Vasu et al. 2024 (MobileCLIP, arXiv 2311.17049), Faghri et al. 2025
(MobileCLIP2, arXiv 2508.20691). Widths double from stage to stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

FAST, DEEP = "fastvit", "fastvit-deep"
"""Of four stages with batch norms and squeezed downsampling, and of five with layer norms before attention."""
STEM, BIASED = "vit-stem", "vit-biased"
"""A ViT whose patches are three convolutions, and the paper's ViT; the projections of both have a bias."""
STAGES: Mapping[str, int] = {FAST: 4, DEEP: 5}
KINDS = (*STAGES, STEM, BIASED)
STEM_PATCH = 16
"""Pixels that the three convolutions of the stem make one position of: 4 by 4, then twice 2 by 2."""
FIRST_ATTENTION = 3
"""The stage from which on blocks attend, counted from 0; those before it mix by convolutions."""
FIRST_SQUEEZE = 2
"""The stage from which on downsampling squeezes and excites, in a tower of four stages."""
LEAST_SIDE = 32
"""Pixels; below, a grid shrinks to nothing that could be told apart."""


class Sizes(Protocol):
    """What is asked of a configuration, see `VisionConfig`."""

    @property
    def image_size(self) -> int:
        """In pixels."""

    @property
    def layers(self) -> int | tuple[int, ...]:
        """Blocks of each stage, or of the transformer."""

    @property
    def width(self) -> int:
        """Channels of the stem, or of the transformer."""

    @property
    def patch_size(self) -> int | None:
        """In pixels."""

    @property
    def head_width(self) -> int:
        """Channels."""

    @property
    def pooling(self) -> str:
        """How the grid is summed up."""

    @property
    def hidden(self) -> int:
        """Channels inside the head."""


def misfit(kind: str, v: Sizes, most: int) -> str | None:
    """Say why there is no such tower; None where there is.

    Args:
        kind: one of KINDS.
        v: its sizes, of which width and head width are positive.
        most: blocks in a stage or a transformer.
    """
    if (v.pooling, v.hidden) != ("mean", 0):
        return f"{kind} has pooling 'mean' and no hidden channels, got {v.pooling!r:.80} and {v.hidden}"
    if kind not in STAGES:
        if kind == STEM and (v.patch_size != STEM_PATCH or v.width % 4):
            got = f"{v.patch_size!r:.80} and {v.width}"
            return f"{kind} has a patch_size of {STEM_PATCH} and a width divisible by 4, got {got}"
        return f"{kind} is a transformer over patches, got patch_size=None" if v.patch_size is None else None
    depths, stages = v.layers, STAGES[kind]
    whole = isinstance(depths, tuple) and len(depths) == stages
    if not whole or not all(type(depth) is int and 1 <= depth <= most for depth in depths):  # type: ignore[union-attr]
        return f"{kind} needs {stages} stage depths from 1 to {most}, got {depths!r:.80}"
    if v.patch_size is not None or v.image_size < LEAST_SIDE:
        got = f"{v.patch_size!r:.80} and {v.image_size}"
        return f"{kind} has no patches and an image_size of at least {LEAST_SIDE}, got {got}"
    channels = v.width * 2**FIRST_ATTENTION
    if channels % v.head_width:
        return f"attention over {channels} channels is not divisible by head_width {v.head_width}"
    return None


def squeezed(channels: int, share: int, multiple: int) -> int:
    """Channels between the two layers of squeeze and excitation: a share of all, to the nearest multiple."""
    return max(multiple, int(channels / share + multiple / 2) // multiple * multiple)
