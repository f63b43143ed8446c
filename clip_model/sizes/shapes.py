"""The name and the shape of each tensor that a configuration asks for, without torch: a header can be compared at once.

What is said here of the towers, their modules are; the tests compare the two for every kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from clip_model.config import CLIP_TEXTS, PROBE, ROBERTA_CONTEXT, VARIANTS, CLIPConfig, TextConfig, VisionConfig
from clip_model.mobile import shapes as mobile
from clip_model.mobile.kinds import BIASED, STAGES, STEM
from clip_model.sizes.efficientnet_lite import FEATURES, POOLING_HEADS, blocks
from clip_model.sizes.efficientnet_lite import STEM as LITE_STEM

COUNTER = mobile.COUNTER  # of batch norms: the one tensor of whole numbers
POSITIONS = ROBERTA_CONTEXT + 2  # of every published RoBERTa; the first that a token has is the padding's id + 1
Shapes = Iterator[tuple[str, tuple[int, ...]]]
_NAMED = 5  # how many differing tensors a message names


def shapes_of(config: CLIPConfig) -> dict[str, tuple[int, ...]]:
    """The shapes by name, of both towers and the scale."""
    v, t, e = config.vision, config.text, config.embed_dim
    shapes: dict[str, tuple[int, ...]] = {"logit_scale": ()}
    if t.kind == "siglip":
        shapes["logit_bias"] = ()
    if v.variant in VARIANTS:
        image = _lite(v, e)
    elif v.variant in STAGES and isinstance(v.layers, tuple):
        image = mobile.fastvit(str(v.variant), v.layers, v.width, e, v.mlp_width)
    elif v.pooling == PROBE:
        image = _probed(v)
    else:
        image = _transformer(v, e) if isinstance(v.layers, int) else _resnet(v, v.layers, e)
    shapes |= {f"visual.{name}": shape for name, shape in image}
    known = {**dict.fromkeys(CLIP_TEXTS, causal), "sentence": sentence, "siglip": _siglip}
    text = known.get(t.kind, _roberta)
    return shapes | dict(text(t, e))


def check_shapes(expected: Mapping[str, tuple[int, ...]], got: Mapping[str, tuple[int, ...]], source: str) -> None:
    """Compare names and shapes.

    Raises:
        ValueError: naming `source` and the first that differ.
    """
    missing, unknown = sorted(expected.keys() - got.keys()), sorted(got.keys() - expected.keys())
    if missing or unknown:
        tensors = "tensor" if len(missing) == 1 else "tensors"
        raise ValueError(
            f"{source} does not fit its configuration: {len(missing)} {tensors} missing ({some(missing)}), "
            f"{len(unknown)} unknown ({some(unknown)})"
        )
    wrong = [
        f"{name}: expected {shape}, got {tuple(got[name])!s:.80}"
        for name, shape in expected.items()
        if shape != got[name]
    ]
    if wrong:
        raise ValueError(f"{source} does not fit its configuration: {len(wrong)} of the wrong shape ({some(wrong)})")


def some(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    rest, first = len(names) - _NAMED, [f"{name:.200}" for name in names[:_NAMED]]
    return ", ".join(first) + (f" and {rest} more" if rest > 0 else "") if names else "none"


def block(name: str, width: int, inner: int = 0) -> Shapes:
    """One block of attention and MLP, of any tower; `inner` 0 is four times the width."""
    inner = inner or 4 * width
    yield from _attention(f"{name}.attn", width)
    yield from (*_linear(f"{name}.mlp.c_fc", width, inner), *_linear(f"{name}.mlp.c_proj", inner, width))
    yield from (*_both(f"{name}.ln_1", width), *_both(f"{name}.ln_2", width))


def causal(t: TextConfig, e: int) -> Shapes:
    """The paper's text tower."""
    yield from _embeddings(t, "", t.context_length)
    yield "text_projection", (t.width, e)
    yield from _both("ln_final", t.width)
    for i in range(t.layers):
        yield from block(f"transformer.resblocks.{i}", t.width, t.mlp_width)


def sentence(t: TextConfig, e: int) -> Shapes:
    """The bidirectional one and its head."""
    yield from _embeddings(t, "text.", t.context_length)
    yield from _both("text.ln_embedding", t.width)
    for i in range(t.layers):
        yield from block(f"text.blocks.{i}", t.width)
    yield from _head("text.head", t.width, t.hidden, e)


def _siglip(t: TextConfig, e: int) -> Shapes:
    yield from _embeddings(t, "siglip_text.", t.context_length)
    for i in range(t.layers):
        yield from block(f"siglip_text.transformer.resblocks.{i}", t.width, t.mlp_width)
    yield from (*_both("siglip_text.ln_final", t.width), *_linear("siglip_text.proj", t.width, e))


def _roberta(t: TextConfig, e: int) -> Shapes:
    name = "roberta_text"
    yield from _embeddings(t, f"{name}.", POSITIONS)
    yield f"{name}.type_embedding", (t.width,)
    yield from _both(f"{name}.ln_embedding", t.width)
    for i in range(t.layers):
        yield from block(f"{name}.blocks.{i}", t.width, t.mlp_width)
    if t.kind == "roberta-dense":
        yield from _linear(f"{name}.pooler", t.width, t.width)
    if t.hidden:
        yield from ((f"{name}.proj.0.weight", (t.hidden, t.width)), (f"{name}.proj.2.weight", (e, t.hidden)))
    else:
        yield f"{name}.proj.weight", (e, t.width)


def _transformer(v: VisionConfig, e: int) -> Shapes:
    side = v.patch_size or 1
    patches = (v.image_size // side) ** 2
    if v.variant == STEM:
        yield from ((f"conv1.{name}", shape) for name, shape in mobile.stem(v.width))
        yield "positional_embedding", (patches, v.width)
    else:
        yield from (("conv1.weight", (v.width, 3, side, side)), *_both("ln_pre", v.width))
        yield "positional_embedding", (patches + 1, v.width)
    yield "class_embedding", (v.width,)
    yield from (*_both("ln_post", v.width), ("proj", (v.width, e)))
    if v.variant in (STEM, BIASED):
        yield "proj_bias", (e,)
    yield from _stack(v)


def _probed(v: VisionConfig) -> Shapes:
    side = v.patch_size or 1
    yield from (("conv1.weight", (v.width, 3, side, side)), ("conv1.bias", (v.width,)))
    yield "positional_embedding", ((v.image_size // side) ** 2, v.width)
    yield from (*_stack(v), *_both("ln_post", v.width), ("head.probe", (v.width,)))
    inner = v.mlp_width or 4 * v.width
    yield from (*_attention("head.attn", v.width), *_both("head.ln", v.width))
    yield from (*_linear("head.mlp.c_fc", v.width, inner), *_linear("head.mlp.c_proj", inner, v.width))


def _stack(v: VisionConfig) -> Shapes:
    for i in range(v.layers if isinstance(v.layers, int) else 0):
        yield from block(f"transformer.resblocks.{i}", v.width, v.mlp_width)


def _resnet(v: VisionConfig, depths: tuple[int, ...], e: int) -> Shapes:
    w = v.width
    for number, (channels_in, channels) in enumerate(((3, w // 2), (w // 2, w // 2), (w // 2, w)), 1):
        yield from _convolution(f"conv{number}", f"bn{number}", (channels, channels_in, 3, 3))
    channels_in = w
    for stage, depth in enumerate(depths):
        inside = w * 2**stage
        for i in range(depth):
            name, out = f"layer{stage + 1}.{i}", 4 * inside
            kernels = ((inside, channels_in, 1, 1), (inside, inside, 3, 3), (out, inside, 1, 1))
            for number, kernel in enumerate(kernels, 1):
                yield from _convolution(f"{name}.conv{number}", f"{name}.bn{number}", kernel)
            if i == 0 and (stage or channels_in != out):
                yield from _convolution(f"{name}.downsample.0", f"{name}.downsample.1", (out, channels_in, 1, 1))
            channels_in = out
    yield "attnpool.positional_embedding", ((v.image_size // 32) ** 2 + 1, channels_in)
    for layer in ("q_proj", "k_proj", "v_proj"):
        yield from _linear(f"attnpool.{layer}", channels_in, channels_in)
    yield from _linear("attnpool.c_proj", channels_in, e)


def _lite(v: VisionConfig, e: int) -> Shapes:
    yield from _convolution("conv_stem", "bn0", (LITE_STEM, 3, 3, 3))
    last = LITE_STEM
    for i, (channels, out, kernel, _, expansion) in enumerate(blocks(v.variant or "")):
        name, inside, last = f"blocks.{i}", channels * expansion, out
        if expansion > 1:
            yield from _convolution(f"{name}.expand_conv", f"{name}.bn0", (inside, channels, 1, 1))
        yield from _convolution(f"{name}.depthwise_conv", f"{name}.bn1", (inside, 1, kernel, kernel))
        yield from _convolution(f"{name}.project_conv", f"{name}.bn2", (out, inside, 1, 1))
    yield from _convolution("conv_head", "bn1", (FEATURES, last, 1, 1))
    if v.pooling == "attention":
        yield from _linear("pool.score", FEATURES, POOLING_HEADS)
    yield from _head("head", FEATURES, v.hidden, e)


def _embeddings(t: TextConfig, prefix: str, positions: int) -> Shapes:
    yield f"{prefix}token_embedding.weight", (t.vocab_size, t.width)
    yield f"{prefix}positional_embedding", (positions, t.width)


def _attention(name: str, width: int) -> Shapes:
    yield from ((f"{name}.in_proj_weight", (3 * width, width)), (f"{name}.in_proj_bias", (3 * width,)))
    yield from _linear(f"{name}.out_proj", width, width)


def _head(name: str, channels: int, hidden: int, e: int) -> Shapes:
    yield from _linear(f"{name}.linear", channels, e)
    if hidden:
        yield from (*_linear(f"{name}.hidden", channels, hidden), (f"{name}.out.weight", (e, hidden)))


def _linear(name: str, channels: int, out: int) -> Shapes:
    yield from ((f"{name}.weight", (out, channels)), (f"{name}.bias", (out,)))


def _both(name: str, width: int) -> Shapes:
    yield from ((f"{name}.weight", (width,)), (f"{name}.bias", (width,)))


def _convolution(name: str, norm: str, kernel: tuple[int, ...]) -> Shapes:
    yield f"{name}.weight", kernel
    yield from _both(norm, kernel[0])
    yield from ((f"{norm}.running_mean", kernel[:1]), (f"{norm}.running_var", kernel[:1]), (f"{norm}.{COUNTER}", ()))
