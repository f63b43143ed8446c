"""The short number formats on real photos: nearly the embeddings of float32."""

import copy
from dataclasses import replace

import pytest
import torch
from PIL import Image
from torch.nn.functional import cosine_similarity

from clip_model.checkpoint import load_model
from clip_model.config import PROBE, CLIPConfig, VisionConfig
from clip_model.inference import Encoder
from clip_model.preprocessing.transforms import ImageTransform
from clip_model.registry import resolve
from clip_model.towers.folding import made_ready
from tests.clip_model.tiny_models import MOBILE, TEXT, random_clip

PHOTOS = ("astronaut", "coffee", "chelsea", "rocket", "page")  # those that come with scikit-image
TEXTS = ["a woman in a space suit", "a cup of coffee", "a cat", "a rocket at its start", "a page of a book"]


@pytest.fixture(scope="module")
def model():
    return load_model(resolve("builtin").path)


@pytest.fixture(scope="module")
def photos():
    data = pytest.importorskip("skimage.data")
    return [Image.fromarray(getattr(data, name)()).convert("RGB") for name in PHOTOS]


def test_bfloat16_stays_near(model, photos):
    exact, short = (Encoder(model, device="cpu", precision=precision) for precision in ("fp32", "bf16"))
    pictures = (exact.encode_images(photos) * short.encode_images(photos)).sum(axis=1)
    texts = (exact.encode_texts(TEXTS) * short.encode_texts(TEXTS)).sum(axis=1)
    assert min(pictures.min(), texts.min()) >= 0.999


def test_float16_stays_near(model):
    """Texts alone: a CPU takes seconds for a picture, since its convolutions have no such numbers."""
    exact, short = (Encoder(model, device="cpu", precision=precision) for precision in ("fp32", "fp16"))
    assert (exact.encode_texts(TEXTS[:2]) * short.encode_texts(TEXTS[:2])).sum(axis=1).min() >= 0.999


@pytest.mark.parametrize("pooling", ["mean", PROBE])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_transformers_over_patches_stay_near(photos, pooling, dtype):
    """A ViT's tower and a SigLIP's of six layers and fifty positions, which attend otherwise in bfloat16."""
    vision = VisionConfig(112, layers=6, width=192, patch_size=16, pooling=pooling)
    text = replace(TEXT, kind="siglip", vocab_size=50) if pooling == PROBE else TEXT
    assert least_cosine(CLIPConfig(192, vision, text), photos, dtype) >= 0.999


@pytest.mark.usefixtures("one_core")
@pytest.mark.parametrize("kind", MOBILE)
def test_towers_of_mobile_clip_stay_near(photos, kind):
    """Small ones, in bfloat16: a CPU takes seconds for a picture of float16's convolutions."""
    assert least_cosine(MOBILE[kind], photos, torch.bfloat16) >= 0.999


def least_cosine(config, photos, dtype):
    """Of a random model's features of photos in a number format with those in float32."""
    model, vision = random_clip(config), config.vision
    prepared = ImageTransform(vision.image_size, vision.mean, vision.std, vision.resize)
    pixels = torch.stack([prepared(photo) for photo in photos])
    short = copy.deepcopy(model)
    layout = made_ready(short, short.visual, torch.device("cpu"), dtype)
    with torch.inference_mode():
        features = short.encode_image(pixels.to(dtype).contiguous(memory_format=layout)).float()
        return cosine_similarity(features, model.encode_image(pixels)).min()
