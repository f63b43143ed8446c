"""The configurations of the paper's models, and of those that come with picsift."""

from __future__ import annotations

from collections.abc import Mapping

from clip_model.config import CLIPConfig, TextConfig, VisionConfig


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
            mean=(127 / 255,) * 3,
            std=(128 / 255,) * 3,
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
