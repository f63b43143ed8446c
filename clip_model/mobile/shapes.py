"""The name and the shape of each tensor of a FastViT, without torch: what `fastvit.py` builds, said once more.

Legend: c channels, k kernel.
"""

from __future__ import annotations

from collections.abc import Iterator

from clip_model.mobile.kinds import DEEP, FIRST_ATTENTION, FIRST_SQUEEZE, squeezed

Shapes = Iterator[tuple[str, tuple[int, ...]]]
COUNTER = "num_batches_tracked"


def fastvit(kind: str, depths: tuple[int, ...], width: int, embed_dim: int, inner: int) -> Shapes:
    """Of the whole tower; see `FastViT`."""
    deep, inner = kind == DEEP, inner or 4 * width
    yield from _branched("stem.0", width, 3, 3, scales=not deep)
    yield from _branched("stem.1", width, 1, 3, scales=not deep)
    yield from _branched("stem.2", width, width, 1, keeps=True)
    channels = width
    for i, depth in enumerate(depths):
        name, channels = f"stages.{i}", width * 2**i
        if i:
            yield from _downsampling(f"{name}.downsample.proj", channels, i >= FIRST_SQUEEZE and not deep)
        if i >= FIRST_ATTENTION:
            yield from _convolution(f"{name}.pos_emb.pos_enc", channels, 1, 7)
        for j in range(depth):
            block = _attending if i >= FIRST_ATTENTION else _mixing
            yield from block(f"{name}.blocks.{j}", channels, inner * 2**i, deep)
    yield from _branched("final_conv", 2 * channels, 1, 3)
    yield from _squeeze("final_conv.se", 2 * channels, squeezed(2 * channels, 16, 1))
    yield from (("head.fc.weight", (embed_dim, 2 * channels)), ("head.fc.bias", (embed_dim,)))


def stem(width: int) -> Shapes:
    """Of the convolutional stem of a ViT; see `ConvStem`."""
    inside = width // 4
    yield from (("conv1.weight", (inside, 3, 4, 4)), *_norm("bn1", inside))
    yield from (("conv2.weight", (inside, inside, 2, 2)), *_norm("bn2", inside))
    yield from _convolution("conv3", width, inside, 2)


def _branched(name: str, c: int, inside: int, k: int, *, scales: bool = True, keeps: bool = False) -> Shapes:
    if keeps:
        yield from _norm(f"{name}.identity", c)
    yield from _branch(f"{name}.conv_kxk.0", c, inside, k)
    if scales and k > 1:
        yield from _branch(f"{name}.conv_scale", c, inside, 1)


def _downsampling(name: str, c: int, squeezes: bool) -> Shapes:
    yield from (*_branch(f"{name}.0.large_conv", c, 1, 7), *_branch(f"{name}.0.small_conv", c, 1, 3))
    if squeezes:
        yield from _squeeze(f"{name}.0.se", c, squeezed(c, 4, 8))
    yield from _branched(f"{name}.1", c, c, 1, keeps=True)


def _mixing(name: str, c: int, inner: int, _deep: bool) -> Shapes:
    yield from _norm(f"{name}.token_mixer.norm.identity", c)
    yield from _branched(f"{name}.token_mixer.mixer", c, 1, 3, keeps=True)
    yield f"{name}.token_mixer.layer_scale.gamma", (c, 1, 1)
    yield from _mlp(f"{name}.mlp", c, inner)
    yield f"{name}.layer_scale.gamma", (c, 1, 1)


def _attending(name: str, c: int, inner: int, deep: bool) -> Shapes:
    yield from _both(f"{name}.norm", c) if deep else _norm(f"{name}.norm", c)
    yield f"{name}.token_mixer.qkv.weight", (3 * c, c)
    yield from ((f"{name}.token_mixer.proj.weight", (c, c)), (f"{name}.token_mixer.proj.bias", (c,)))
    yield from _mlp(f"{name}.mlp", c, inner)
    yield from ((f"{name}.layer_scale_{number}.gamma", (c, 1, 1)) for number in (1, 2))


def _mlp(name: str, c: int, inner: int) -> Shapes:
    yield from _branch(f"{name}.conv", c, 1, 7)
    yield from (*_convolution(f"{name}.fc1", inner, c, 1), *_convolution(f"{name}.fc2", c, inner, 1))


def _squeeze(name: str, c: int, inside: int) -> Shapes:
    yield from (*_convolution(f"{name}.fc1", inside, c, 1), *_convolution(f"{name}.fc2", c, inside, 1))


def _branch(name: str, c: int, inside: int, k: int) -> Shapes:
    yield from ((f"{name}.conv.weight", (c, inside, k, k)), *_norm(f"{name}.bn", c))


def _convolution(name: str, c: int, inside: int, k: int) -> Shapes:
    yield from ((f"{name}.weight", (c, inside, k, k)), (f"{name}.bias", (c,)))


def _norm(name: str, c: int) -> Shapes:
    yield from _both(name, c)
    yield from ((f"{name}.running_mean", (c,)), (f"{name}.running_var", (c,)), (f"{name}.{COUNTER}", ()))


def _both(name: str, c: int) -> Shapes:
    yield from ((f"{name}.weight", (c,)), (f"{name}.bias", (c,)))
