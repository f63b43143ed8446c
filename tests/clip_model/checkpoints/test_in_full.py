"""Networks of transformers at the sizes that are published, with random weights; RN50 and ViT-B-32 of open_clip stand
in test_model.py. Both networks hold the same tensors."""

from pathlib import Path

import torch

from clip_model.checkpoints import hugging_face, siglip
from clip_model.checkpoints.said import Said
from clip_model.model import CLIP
from clip_model.sizes.presets import PRESETS
from tests.clip_model.open_clip_reference import transformers
from tests.clip_model.tiny_models import Noise


def drawn(kind, config):
    """A network of transformers with weights that a trained one could have.

    To draw 200 million numbers takes longer than all else here. Positions that count are set as the network sets them.
    """
    with torch.device("meta"):
        model = getattr(transformers(), kind)(config)
    model.to_empty(device="cpu")
    for name, counted in model.named_buffers():
        assert name.endswith("position_ids")
        counted.copy_(torch.arange(counted.numel()).view(counted.shape))
    noise = Noise(0)
    for name, value in model.state_dict().items():
        if value.dim() < 2:
            noise.into(value, 0.1).add_(name.endswith("weight") or name == "logit_scale")
        else:
            noise.into(value, 1 / value[0].numel() ** 0.5)
    return model.eval()


def ours_of(config, state):
    with torch.device("meta"):
        model = CLIP(config)
    model.load_state_dict(state, strict=True, assign=True)
    return model.eval()


def assert_close(got, expected):
    assert got.shape == expected.shape
    assert (got - expected).abs().max() <= 1e-4 * expected.abs().max()


def test_siglip_b_16():
    theirs = drawn("SiglipModel", transformers().SiglipConfig())
    config = siglip.read_config(Said({"vision_config": {}, "text_config": {}}, Path("config.json")), [])
    assert (config.embed_dim, config.vision.image_size, config.vision.patch_size) == (768, 224, 16)
    ours = ours_of(config, siglip.renamed(theirs.state_dict(), "SigLIP-B/16"))
    generator = torch.Generator().manual_seed(3)
    pixels = torch.randn(1, 3, 224, 224, generator=generator)
    with torch.inference_mode():
        assert_close(ours.encode_image(pixels), theirs.get_image_features(pixel_values=pixels).pooler_output)
        for length in (64, 7):
            tokens = torch.randint(0, 32000, (1, length), generator=generator)
            assert_close(ours.encode_text(tokens), theirs.get_text_features(input_ids=tokens).pooler_output)


def test_vit_b_32():
    theirs = drawn("CLIPModel", transformers().CLIPConfig())
    ours = ours_of(PRESETS["ViT-B-32"], hugging_face.renamed(theirs.state_dict(), "ViT-B/32"))
    generator = torch.Generator().manual_seed(3)
    pixels = torch.randn(1, 3, 224, 224, generator=generator)
    with torch.inference_mode():
        assert_close(ours.encode_image(pixels), theirs.get_image_features(pixel_values=pixels).pooler_output)
        for length in (77, 5):
            tokens = torch.randint(1, 49406, (1, length), generator=generator)
            tokens[:, -1] = 49407
            assert_close(ours.encode_text(tokens), theirs.get_text_features(input_ids=tokens).pooler_output)
