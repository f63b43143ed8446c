"""What a CLIP looks like: frozen dataclasses that one `CLIP(config)` is built from.

Knows shapes only; it reads no weights and imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from clip_model.mobile.kinds import KINDS, STAGES, misfit

OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
"""Mean of red, green, blue over the training pictures of OpenAI's CLIP, in [0, 1]."""
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)
"""Their standard deviation."""
VARIANTS: Mapping[str, tuple[float, float]] = {"lite0": (1.0, 1.0), "lite1": (1.0, 1.1), "lite2": (1.1, 1.2)}
"""EfficientNet-Lite's multipliers of width and depth, as its authors published them."""
POOLINGS = ("mean", "attention")
PROBE = "probe"
"""Pooling of a SigLIP's image tower, by attention of a learned probe."""
RESIZES = tuple(f"{how}{by}" for how in ("crop", "squash", "stretch") for by in ("", "-bilinear"))
LARGEST, MOST_BLOCKS = 1_000_000, 100
"""No size of any model comes near the first; bigG has 48 blocks in a tower."""
_LARGEST_SIDE = 4096  # pixels
ROBERTA_CONTEXT = 512
"""The longest text of every published RoBERTa."""
_LARGEST_COLOR = 1e6  # which pixels in [0, 1] are shifted by or divided by, or its inverse
CLIP_TEXTS = ("causal", "unmasked")
"""Kinds of text towers that read CLIP's vocabulary."""
TEXT_KINDS = (*CLIP_TEXTS, "sentence", "siglip", "roberta-mean", "roberta-dense", "roberta-first")


class ConfigError(ValueError):
    """No tower is like that; the message names the field and no file."""


@dataclass(frozen=True)
class VisionConfig:
    """Image tower: with `patch_size` a VisionTransformer, else a ModifiedResNet, or what `variant` says.

    Attributes:
        image_size: side of the square input in pixels.
        layers: number of blocks of the transformer, or the stage depths of the ResNet (four) or FastViT.
        width: channels of the transformer, or of the ResNet's or FastViT's stem.
        patch_size: side of a patch in pixels; None without any. Right and bottom pixels that fill none are not seen.
        head_width: channels of one attention head.
        variant: of an EfficientNetLite, such as "lite2"; it fixes depths and widths, so `layers`, `width` and
            `head_width` are 0 then, and `patch_size` is None. Or a tower of MobileCLIP's, see `mobile/kinds.py`.
        pooling: "mean" or "attention", how an EfficientNetLite sums its grid up; "probe" makes a vision transformer
            SigLIP's, without a class token.
        hidden: channels inside the head of an EfficientNetLite; 0 is a linear head.
        mean: of red, green and blue in [0, 1]; what pixels are shifted by before the tower sees them.
        std: what they are divided by then.
        mlp_width: channels inside the MLP of a transformer's block, or of a FastViT's first; 0 is four times the width.
        resize: how a picture becomes a square, bicubic or "-bilinear": "crop" scales the shorter side and cuts the
            middle out; "squash" scales both sides of its RGB, "stretch" both sides in the colours that it has.
    """

    image_size: int = 224
    layers: int | tuple[int, ...] = 12
    width: int = 768
    patch_size: int | None = 32
    head_width: int = 64
    variant: str | None = None
    pooling: str = "mean"
    hidden: int = 0
    mean: tuple[float, float, float] = OPENAI_MEAN
    std: tuple[float, float, float] = OPENAI_STD
    mlp_width: int = 0
    resize: str = "crop"

    def __post_init__(self) -> None:
        """Refuse shapes that no tower can have, by a ValueError with the field and what was expected and given."""
        _check_colors(self.mean, self.std)
        if self.resize not in RESIZES:
            raise ConfigError(f"unknown resize {self.resize!r:.80}; known are: {', '.join(RESIZES)}")
        _check_sizes(self, {"image_size": _LARGEST_SIDE}, {"hidden": LARGEST, "mlp_width": LARGEST})
        if self.variant not in (None, *KINDS):
            self._check_variant()
            return
        _check_sizes(self, dict.fromkeys(("width", "head_width"), LARGEST))
        if self.variant is not None and (problem := misfit(self.variant, self, MOST_BLOCKS)):
            raise ConfigError(problem)
        if self.variant in STAGES:
            return
        if self.patch_size is None:
            depths = self.layers
            if not isinstance(depths, tuple) or len(depths) != 4 or not all(_is_size(d, MOST_BLOCKS) for d in depths):
                raise ConfigError(f"a ResNet tower needs four stage depths from 1 to {MOST_BLOCKS}, got {depths!r:.80}")
            if self.image_size % 32:
                raise ConfigError(f"a ResNet tower needs an image_size divisible by 32, got {self.image_size}")
        elif not _is_size(self.layers, MOST_BLOCKS):
            raise ConfigError(
                f"a vision transformer needs a number of layers from 1 to {MOST_BLOCKS}, got {self.layers!r:.80}"
            )
        elif not _is_size(self.patch_size, self.image_size):
            patch = f"{self.patch_size!r:.80}"
            raise ConfigError(f"image_size {self.image_size} has no room for a whole patch_size, got {patch}")
        if self.pooling == PROBE and self.patch_size is None:
            raise ConfigError("a SigLIP's image tower is a transformer over patches, got patch_size=None")
        channels = self.width if self.patch_size else self.width * 32
        if channels % self.head_width:
            raise ConfigError(f"attention over {channels} channels is not divisible by head_width {self.head_width}")

    def _check_variant(self) -> None:
        if self.variant not in tuple(VARIANTS):
            raise ConfigError(f"unknown variant {self.variant!r:.80}; known are: {', '.join((*VARIANTS, *KINDS))}")
        if (self.layers, self.width, self.head_width, self.patch_size) != (0, 0, 0, None):
            raise ConfigError(
                f"{self.variant} fixes depths and widths: layers, width and head_width are 0 and patch_size is None, "
                f"got {(self.layers, self.width, self.head_width, self.patch_size)!r:.80}"
            )
        if self.pooling not in POOLINGS:
            raise ConfigError(f"unknown pooling {self.pooling!r:.80}; known are: {', '.join(POOLINGS)}")
        if self.image_size < 32 or self.hidden < 0:
            raise ConfigError(
                f"{self.variant} needs an image_size of at least 32 and hidden channels of at least 0, "
                f"got {self.image_size} and {self.hidden}"
            )

    @property
    def heads(self) -> int:
        """Attention heads of the transformer, or of the ResNet's attention pooling."""
        return (self.width if self.patch_size else self.width * 32) // self.head_width


@dataclass(frozen=True)
class TextConfig:
    """Text transformer. No file has more than LARGEST of anything, or MOST_BLOCKS blocks.

    Attributes:
        context_length: positions, start and end of text included.
        vocab_size: entries of the token embedding.
        width: channels.
        heads: attention heads.
        layers: number of blocks.
        kind: "causal" is the paper's, over CLIP's vocabulary; "unmasked" the same where each position sees all, also
            those after the text; "sentence" a bidirectional one over BERT's, whose mean of positions goes through a
            head; "siglip" SigLIP's, over the vocabulary that its file carries, and so are "roberta-mean",
            "roberta-dense" and "roberta-first", which `towers/roberta.py` tells apart.
        hidden: channels inside that head, or RoBERTa's projection; 0 is a linear one, and the causal tower has none.
        mlp_width: channels inside the MLP of a block of the causal tower; 0 is four times the width.
    """

    context_length: int = 77
    vocab_size: int = 49408
    width: int = 512
    heads: int = 8
    layers: int = 12
    kind: str = "causal"
    hidden: int = 0
    mlp_width: int = 0

    def __post_init__(self) -> None:
        """Refuse, by a ValueError, a width that the heads do not divide, and a kind that no tower is of."""
        if self.kind not in TEXT_KINDS:
            raise ConfigError(f"unknown kind of text tower {self.kind!r:.80}; known are: {', '.join(TEXT_KINDS)}")
        sizes = dict.fromkeys(("context_length", "vocab_size", "width", "heads"), LARGEST)
        _check_sizes(self, {**sizes, "layers": MOST_BLOCKS}, {"hidden": LARGEST, "mlp_width": LARGEST})
        if self.kind.startswith("roberta") and self.context_length > ROBERTA_CONTEXT:
            raise ConfigError(
                f"a RoBERTa has {ROBERTA_CONTEXT} positions, and the context length is {self.context_length}"
            )
        if self.width % self.heads:
            raise ConfigError(f"text width {self.width} is not divisible by its {self.heads} heads")


@dataclass(frozen=True)
class CLIPConfig:
    """A whole model: two towers and the space they share.

    Attributes:
        embed_dim: dimension of the shared space.
        vision: the image tower.
        text: the text tower.
        quick_gelu: x * sigmoid(1.702 x) as in OpenAI's weights instead of the exact GELU.
    """

    embed_dim: int
    vision: VisionConfig
    text: TextConfig
    quick_gelu: bool = True

    def __post_init__(self) -> None:
        """Refuse a dimension that no space has."""
        _check_sizes(self, {"embed_dim": LARGEST})
        if type(self.quick_gelu) is not bool:
            raise ConfigError(f"quick_gelu is true or false, got {self.quick_gelu!r:.80}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold; what most models have in common is left out, as in files of before."""
        values = asdict(self)
        for name, default in _LEFT_OUT.items():
            if values["vision"][name] == default:
                del values["vision"][name]
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> CLIPConfig:
        """The inverse of `to_dict`.

        Raises:
            ValueError: naming a missing or unknown field.
        """
        _check_fields(cls, values)
        vision, text = dict(values["vision"]), dict(values["text"])
        _check_fields(VisionConfig, vision)
        _check_fields(TextConfig, text)
        for name in ("layers", "mean", "std"):  # JSON has no tuples
            if isinstance(vision.get(name), list):
                vision[name] = tuple(vision[name])
        return cls(values["embed_dim"], VisionConfig(**vision), TextConfig(**text), values["quick_gelu"])


def _is_size(value: object, most: int, least: int = 1) -> bool:
    return type(value) is int and least <= value <= most


def _check_sizes(config: object, sizes: Mapping[str, int], with_zero: Mapping[str, int] | None = None) -> None:
    """See that fields are whole numbers up to a bound, from 1 on, or from 0 on."""
    for least, bounds in ((1, sizes), (0, with_zero or {})):
        for name, most in bounds.items():
            if not _is_size(value := getattr(config, name), most, least):
                raise ConfigError(f"{name} is a whole number from {least} to {most:,}, got {value!r:.80}")


def _check_colors(mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    for name, values, least in (("mean", mean, -_LARGEST_COLOR), ("std", std, 1 / _LARGEST_COLOR)):
        if len(values) != 3 or not all(type(v) in (int, float) and least <= v <= _LARGEST_COLOR for v in values):
            raise ConfigError(
                f"{name} is one number for each of red, green and blue, from {least:g} to {_LARGEST_COLOR:g}, "
                f"got {values!r:.80}"
            )


# Files of earlier versions lack these, and mean the defaults.
_ADDED_LATER = frozenset({"variant", "pooling", "hidden", "mean", "std", "kind", "mlp_width", "resize"})
_LEFT_OUT = {"resize": "crop"}  # else files of the same models would have other bytes, and so be other models


def _check_fields(cls: type[CLIPConfig] | type[VisionConfig] | type[TextConfig], values: Mapping[str, Any]) -> None:
    known, got = {field.name for field in fields(cls)}, set(values)
    missing, unknown = sorted(known - got - _ADDED_LATER), sorted(got - known)
    if missing or unknown:
        raise ConfigError(f"{cls.__name__}: missing fields {missing}, unknown fields {unknown!s:.200}")
