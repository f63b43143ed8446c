"""The short number formats, with a trained model on real photos: nearly the embeddings of float32."""

import pytest
from PIL import Image

from clip_model.checkpoint import load_model
from clip_model.inference import Encoder
from clip_model.registry import resolve

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
