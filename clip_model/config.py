"""What a CLIP looks like: frozen dataclasses that one `CLIP(config)` is built from, and the presets.

Knows shapes only; it reads no weights and imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

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
TEXT_KINDS = ("causal", "sentence", "siglip", "roberta-mean", "roberta-dense", "roberta-first")


@dataclass(frozen=True)
class VisionConfig:
    """Image tower: with `variant` an EfficientNetLite, with `patch_size` a VisionTransformer, else a ModifiedResNet.

    Attributes:
        image_size: side of the square input in pixels.
        layers: number of blocks of the transformer, or the four stage depths of the ResNet.
        width: channels of the transformer, or of the ResNet's stem.
        patch_size: side of a patch in pixels; None for a ResNet. Right and bottom pixels that fill none are not seen.
        head_width: channels of one attention head.
        variant: of an EfficientNetLite, such as "lite2"; it fixes depths and widths, so `layers`, `width` and
            `head_width` are 0 then, and `patch_size` is None.
        pooling: "mean" or "attention", how an EfficientNetLite sums its grid up; "probe" makes a vision transformer
            SigLIP's, without a class token.
        hidden: channels inside the head of an EfficientNetLite; 0 is a linear head.
        mean: of red, green and blue in [0, 1]; what pixels are shifted by before the tower sees them.
        std: what they are divided by then.
        mlp_width: channels inside the MLP of a transformer's block; 0 is four times the width.
        resize: how a picture becomes a square, bicubic or "-bilinear": "crop" scales the shorter side and cuts the
            middle out; "squash" scales both sides of its RGB, "stretch" both sides in the colours that it has.
    """

    image_size: int = 224
    layers: int | tuple[int, int, int, int] = 12
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
        """Refuse shapes that no tower can have.

        Raises:
            ValueError: naming the field, what was expected and what was given.
        """
        for name in ("mean", "std"):
            if len(getattr(self, name)) != 3:
                raise ValueError(f"{name} is one number for each of red, green and blue, got {getattr(self, name)!r}")
        if self.resize not in RESIZES:
            raise ValueError(f"unknown resize {self.resize!r}; known are: {', '.join(RESIZES)}")
        if min(self.std) <= 0:
            raise ValueError(f"std divides the pixels and must be positive, got {self.std!r}")
        if self.variant is not None:
            self._check_variant()
            return
        if self.patch_size is None:
            if not isinstance(self.layers, tuple) or len(self.layers) != 4 or min(self.layers) < 1:
                raise ValueError(f"a ResNet tower needs four stage depths of at least 1, got layers={self.layers!r}")
            if self.image_size % 32:
                raise ValueError(f"a ResNet tower needs an image_size divisible by 32, got {self.image_size}")
        elif not isinstance(self.layers, int) or self.layers < 1:
            raise ValueError(f"a vision transformer needs a number of layers of at least 1, got {self.layers!r}")
        elif self.image_size < self.patch_size:
            raise ValueError(f"image_size {self.image_size} has no room for a patch of patch_size {self.patch_size}")
        channels = self.width if self.patch_size else self.width * 32
        if channels % self.head_width:
            raise ValueError(f"attention over {channels} channels is not divisible by head_width {self.head_width}")

    def _check_variant(self) -> None:
        if self.variant not in VARIANTS:
            raise ValueError(f"unknown EfficientNetLite {self.variant!r}; known are: {', '.join(VARIANTS)}")
        if (self.layers, self.width, self.head_width, self.patch_size) != (0, 0, 0, None):
            raise ValueError(
                f"{self.variant} fixes depths and widths: layers, width and head_width are 0 and patch_size is None, "
                f"got {self.layers!r}, {self.width!r}, {self.head_width!r} and {self.patch_size!r}"
            )
        if self.pooling not in POOLINGS:
            raise ValueError(f"unknown pooling {self.pooling!r}; known are: {', '.join(POOLINGS)}")
        if self.image_size < 32 or self.hidden < 0:
            raise ValueError(
                f"{self.variant} needs an image_size of at least 32 and hidden channels of at least 0, "
                f"got {self.image_size} and {self.hidden}"
            )

    @property
    def heads(self) -> int:
        """Attention heads of the transformer, or of the ResNet's attention pooling."""
        return (self.width if self.patch_size else self.width * 32) // self.head_width


@dataclass(frozen=True)
class TextConfig:
    """Text transformer.

    Attributes:
        context_length: positions, start and end of text included.
        vocab_size: entries of the token embedding.
        width: channels.
        heads: attention heads.
        layers: number of blocks.
        kind: "causal" is the paper's, over CLIP's vocabulary; "sentence" a bidirectional one over BERT's, whose mean
            of positions goes through a head; "siglip" SigLIP's, over the vocabulary that its file carries, and so are
            "roberta-mean", "roberta-dense" and "roberta-first", which `towers/roberta.py` tells apart.
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
        """Refuse a width that the heads do not divide, and a kind that no tower is of.

        Raises:
            ValueError: naming what was given.
        """
        if self.kind not in TEXT_KINDS:
            raise ValueError(f"unknown kind of text tower {self.kind!r}; known are: {', '.join(TEXT_KINDS)}")
        if self.width % self.heads:
            raise ValueError(f"text width {self.width} is not divisible by its {self.heads} heads")


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


# Files of earlier versions lack these, and mean the defaults.
_ADDED_LATER = frozenset({"variant", "pooling", "hidden", "mean", "std", "kind", "mlp_width", "resize"})
_LEFT_OUT = {"resize": "crop"}  # else files of the same models would have other bytes, and so be other models


def _check_fields(cls: type[CLIPConfig] | type[VisionConfig] | type[TextConfig], values: Mapping[str, Any]) -> None:
    known, got = {field.name for field in fields(cls)}, set(values)
    missing, unknown = sorted(known - got - _ADDED_LATER), sorted(got - known)
    if missing or unknown:
        raise ValueError(f"{cls.__name__}: missing fields {missing}, unknown fields {unknown}")


def _vit(embed_dim: int, patch: int, width: int, layers: int, size: int = 224, text: int = 512) -> CLIPConfig:
    return CLIPConfig(
        embed_dim,
        VisionConfig(image_size=size, layers=layers, width=width, patch_size=patch),
        TextConfig(width=text, heads=text // 64),
    )


def _resnet(embed_dim: int, layers: tuple[int, int, int, int], width: int, size: int, text: int) -> CLIPConfig:
    return CLIPConfig(
        embed_dim,
        VisionConfig(image_size=size, layers=layers, width=width, patch_size=None),
        TextConfig(width=text, heads=text // 64),
    )


# The paper's models (Radford et al. 2021, tables 19 and 20), the small one that ships, and the one that did before.
PRESETS: Mapping[str, CLIPConfig] = {
    "RN50": _resnet(1024, (3, 4, 6, 3), 64, 224, 512),
    "RN101": _resnet(512, (3, 4, 23, 3), 64, 224, 512),
    "RN50x4": _resnet(640, (4, 6, 10, 6), 80, 288, 640),
    "RN50x16": _resnet(768, (6, 8, 18, 8), 96, 384, 768),
    "RN50x64": _resnet(1024, (3, 15, 36, 10), 128, 448, 1024),
    "ViT-B-32": _vit(512, 32, 768, 12),
    "ViT-B-16": _vit(512, 16, 768, 12),
    "ViT-L-14": _vit(768, 14, 1024, 24, text=768),
    "ViT-L-14-336": _vit(768, 14, 1024, 24, size=336, text=768),
    "builtin": CLIPConfig(
        embed_dim=256,
        vision=VisionConfig(
            image_size=176,
            layers=0,
            width=0,
            patch_size=None,
            head_width=0,
            variant="lite2",
            hidden=1024,
            mean=(127 / 255, 127 / 255, 127 / 255),
            std=(128 / 255, 128 / 255, 128 / 255),
        ),
        text=TextConfig(128, 30522, 384, 12, 6, kind="sentence", hidden=1024),
        quick_gelu=False,
    ),
    "builtin-1": CLIPConfig(
        embed_dim=256,
        vision=VisionConfig(image_size=64, layers=(2, 2, 2, 2), width=32, patch_size=None),
        text=TextConfig(width=256, heads=4, layers=4),
    ),
}
