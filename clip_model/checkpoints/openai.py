"""OpenAI's checkpoints: the TorchScript archives as published, and their state dicts saved by torch.save.

Their shapes tell the configuration (Radford et al. 2021, tables 19 and 20): heads of 64 channels, quick GELU. State
dicts of other programs have the same names, and number formats too, and mean another GELU or other heads: a file has to
show whose it is, and to be one of the nine models that OpenAI published. Apple's files of MobileCLIP, which have no
configuration beside them either, are read here too.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from clip_model.checkpoints.fitting import count_children
from clip_model.checkpoints.sources import Source
from clip_model.checkpoints.torch_files import read_torch_file
from clip_model.config import CLIP_TEXTS, CLIPConfig, TextConfig, VisionConfig
from clip_model.mobile import apple_names, timm_names
from clip_model.mobile.published import TRUNKS

_HEAD_WIDTH = 64  # channels of an attention head in every model of the paper
_SIZES = ("input_resolution", "context_length", "vocab_size")  # that OpenAI saves as if they were weights
_MASK = "attn_mask"  # of causal attention; the same in all models
_ELSEWHERE = ("vision_model.", "text_model.")  # how names begin in Hugging Face's layout
_OF_TIMM = "visual.trunk."  # and in open_clip's, of an image tower that timm has


def _published(embed_dim: int, side: int, layers: int | tuple[int, int, int, int], width: int, patch: int | None,
               text_width: int) -> CLIPConfig:  # fmt: skip
    text = TextConfig(width=text_width, heads=text_width // _HEAD_WIDTH, layers=12)
    return CLIPConfig(embed_dim, VisionConfig(side, layers, width, patch, _HEAD_WIDTH), text, quick_gelu=True)


PUBLISHED = (
    _published(1024, 224, (3, 4, 6, 3), 64, None, 512),  # RN50
    _published(512, 224, (3, 4, 23, 3), 64, None, 512),  # RN101
    _published(640, 288, (4, 6, 10, 6), 80, None, 640),  # RN50x4
    _published(768, 384, (6, 8, 18, 8), 96, None, 768),  # RN50x16
    _published(1024, 448, (3, 15, 36, 10), 128, None, 1024),  # RN50x64
    _published(512, 224, 12, 768, 32, 512),  # ViT-B/32
    _published(512, 224, 12, 768, 16, 512),  # ViT-B/16
    _published(768, 224, 24, 1024, 14, 768),  # ViT-L/14
    _published(768, 336, 24, 1024, 14, 768),  # ViT-L/14@336px
)
"""The paper's models (tables 19 and 20), whose heads are known; shapes alone do not tell them."""


def read_openai(source: Source) -> tuple[CLIPConfig, dict[str, Tensor]]:
    """The configuration and the tensors of a file in OpenAI's layout.

    Raises:
        ValueError: if it is not one, or does not show that it is OpenAI's.
    """
    path = source.weights[0]
    state = read_torch_file(path)
    if any(name.startswith(_ELSEWHERE) for name in state):
        raise ValueError(f"{path} is in Hugging Face's layout: its config.json has to lie beside it, and there is none")
    if any(name.startswith(apple_names.IMAGE) for name in state):
        return _read_apple(state, str(path))
    if any(_OF_TIMM in name for name in state):
        raise ValueError(
            f"{path} does not tell which image tower it has: put the open_clip_config.json of the model beside it"
        )
    weights = weights_alone(state)
    config = infer_config(weights, str(path))
    check_sizes(state, config, str(path))
    lacking = [name for name in _SIZES if name not in state]
    if lacking or config not in PUBLISHED:
        why = f"the tensor {lacking[0]!r} is missing" if lacking else "none that OpenAI published has its sizes"
        raise ValueError(
            f"{path} does not tell whether its model has OpenAI's quick GELU or the exact one, and how many heads "
            f"({why}): put the open_clip_config.json of the model beside it"
        )
    return config, weights


def _read_apple(state: Mapping[str, Tensor], source: str) -> tuple[CLIPConfig, dict[str, Tensor]]:
    """The configuration and the tensors of one of Apple's own files of MobileCLIP."""
    model = apple_names.model_of(state, source)
    trunk = TRUNKS[model.trunk]
    vision = VisionConfig(
        model.image_size, trunk.layers, trunk.width, trunk.patch_size, trunk.head_width, trunk.variant,
        mean=(0.0,) * 3, std=(1.0,) * 3, mlp_width=trunk.mlp_width, resize="crop-bilinear",
    )  # fmt: skip
    config = CLIPConfig(512, vision, TextConfig(kind=CLIP_TEXTS[not model.causal]), quick_gelu=False)
    weights = timm_names.renamed(apple_names.renamed(state, source), trunk.variant, source)
    return config, {name.removeprefix("text."): value for name, value in weights.items()}


def infer_config(state: Mapping[str, Tensor], source: str) -> CLIPConfig:
    """The configuration that explains the shapes of a state dict in OpenAI's layout.

    Args:
        state: the tensors.
        source: what a message calls them.

    Raises:
        ValueError: if a tensor that every such model has is missing, or has a shape that none has.
    """
    try:
        width = state["ln_final.weight"].shape[0]
        text = TextConfig(
            context_length=state["positional_embedding"].shape[0],
            vocab_size=state["token_embedding.weight"].shape[0],
            width=width,
            heads=max(1, width // _HEAD_WIDTH),
            layers=count_children(state, "transformer.resblocks"),
        )
        vision = _transformer(state) if "visual.proj" in state else _resnet(state)
        return CLIPConfig(state["text_projection"].shape[1], vision, text, quick_gelu=True)
    except KeyError as error:
        raise ValueError(f"{source} is no CLIP in OpenAI's layout: the tensor {error} is missing") from error
    except (ValueError, IndexError, ZeroDivisionError) as error:
        raise ValueError(f"{source} is no CLIP in OpenAI's layout: no model has its shapes ({error})") from error


def _transformer(state: Mapping[str, Tensor]) -> VisionConfig:
    width, _, patch, _ = state["visual.conv1.weight"].shape
    grid = round((state["visual.positional_embedding"].shape[0] - 1) ** 0.5)
    layers = count_children(state, "visual.transformer.resblocks")
    return VisionConfig(image_size=grid * patch, layers=layers, width=width, patch_size=patch, head_width=_HEAD_WIDTH)


def _resnet(state: Mapping[str, Tensor]) -> VisionConfig:
    depths = [count_children(state, f"visual.layer{stage}") for stage in (1, 2, 3, 4)]
    grid = round((state["visual.attnpool.positional_embedding"].shape[0] - 1) ** 0.5)
    return VisionConfig(
        image_size=grid * 32,
        layers=(depths[0], depths[1], depths[2], depths[3]),
        width=state["visual.layer1.0.conv1.weight"].shape[0],
        patch_size=None,
        head_width=_HEAD_WIDTH,
    )


def weights_alone(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict without the sizes and the mask that OpenAI saves among its weights."""
    return {name: value for name, value in state.items() if name not in _SIZES and not _is_mask(name, value)}


def _is_mask(name: str, value: Tensor) -> bool:
    """Whether a tensor is the mask that our text tower makes itself; any other value of that name stays a stranger."""
    if name.rpartition(".")[2] != _MASK or value.dim() != 2 or value.shape[0] != value.shape[1]:
        return False
    causal = torch.full(value.shape, float("-inf"), dtype=value.dtype).triu(1)
    return value.is_floating_point() and torch.equal(value, causal)


def check_sizes(sizes: Mapping[str, Tensor], config: CLIPConfig, source: str) -> None:
    """Compare the sizes that a state dict says, if it does, with those that its shapes have.

    Raises:
        ValueError: naming the first that differs.
    """
    shown = (config.vision.image_size, config.text.context_length, config.text.vocab_size)
    for name, of_shapes in zip(_SIZES, shown, strict=True):
        if name in sizes and sizes[name].tolist() not in (of_shapes, [of_shapes]):
            raise ValueError(
                f"{source} contradicts itself: {name} is {sizes[name].tolist()}, its weights have {of_shapes}"
            )
