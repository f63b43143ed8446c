"""What a CLIP looks like: frozen dataclasses that one `CLIP(config)` is built from, and the presets.

Knows shapes only; it reads no weights and imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True)
class VisionConfig:
    """Image tower. `patch_size` given: a VisionTransformer; None: a ModifiedResNet.

    Attributes:
        image_size: side of the square input in pixels.
        layers: number of blocks of the transformer, or the four stage depths of the ResNet.
        width: channels of the transformer, or of the ResNet's stem.
        patch_size: side of a patch in pixels; None for a ResNet.
        head_width: channels of one attention head.
    """

    image_size: int = 224
    layers: int | tuple[int, int, int, int] = 12
    width: int = 768
    patch_size: int | None = 32
    head_width: int = 64

    def __post_init__(self) -> None:
        """Refuse shapes that no tower can have.

        Raises:
            ValueError: naming the field, what was expected and what was given.
        """
        if self.patch_size is None:
            if not isinstance(self.layers, tuple) or len(self.layers) != 4 or min(self.layers) < 1:
                raise ValueError(f"a ResNet tower needs four stage depths of at least 1, got layers={self.layers!r}")
            if self.image_size % 32:
                raise ValueError(f"a ResNet tower needs an image_size divisible by 32, got {self.image_size}")
        elif not isinstance(self.layers, int) or self.layers < 1:
            raise ValueError(f"a vision transformer needs a number of layers of at least 1, got {self.layers!r}")
        elif self.image_size % self.patch_size:
            raise ValueError(f"image_size {self.image_size} is not divisible by patch_size {self.patch_size}")
        channels = self.width if self.patch_size else self.width * 32
        if channels % self.head_width:
            raise ValueError(f"attention over {channels} channels is not divisible by head_width {self.head_width}")

    @property
    def heads(self) -> int:
        """Attention heads of the transformer, or of the ResNet's attention pooling."""
        return (self.width if self.patch_size else self.width * 32) // self.head_width


@dataclass(frozen=True)
class TextConfig:
    """Causal text transformer.

    Attributes:
        context_length: positions, start and end of text included.
        vocab_size: entries of the token embedding.
        width: channels.
        heads: attention heads.
        layers: number of blocks.
    """

    context_length: int = 77
    vocab_size: int = 49408
    width: int = 512
    heads: int = 8
    layers: int = 12

    def __post_init__(self) -> None:
        """Refuse a width that the heads do not divide.

        Raises:
            ValueError: naming both.
        """
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
        """Plain values that JSON can hold."""
        return asdict(self)

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
        if isinstance(vision["layers"], list):
            vision["layers"] = tuple(vision["layers"])
        return cls(values["embed_dim"], VisionConfig(**vision), TextConfig(**text), values["quick_gelu"])


def _check_fields(cls: type[CLIPConfig] | type[VisionConfig] | type[TextConfig], values: Mapping[str, Any]) -> None:
    expected, got = {field.name for field in fields(cls)}, set(values)
    if expected != got:
        missing, unknown = sorted(expected - got), sorted(got - expected)
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


# The paper's models (Radford et al. 2021, tables 19 and 20), and the small one that ships.
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
        vision=VisionConfig(image_size=64, layers=(2, 2, 2, 2), width=32, patch_size=None),
        text=TextConfig(width=256, heads=4, layers=4),
    ),
}
