"""The world that the pipeline's tests work on."""

from functools import partial

import pytest

from clip_model.checkpoint import save_model
from clip_model.config import CLIPConfig, TextConfig, VisionConfig
from clip_model.model import CLIP
from indexer.embedder import Embedder
from indexer.pictures import images
from indexer.workers.isolation import WorkerPool
from tests.indexer.worlds import World


@pytest.fixture
def world(tmp_path, tiny_model_path):
    return World(tmp_path, tiny_model_path)


@pytest.fixture
def idle(world, monkeypatch):
    """An embedder that must not embed."""
    embedder = Embedder(str(world.model), device="cpu", precision="fp32")
    asked = []
    monkeypatch.setattr(embedder, "embed_prepared", lambda pixels: asked.append(len(pixels)))
    yield embedder
    assert asked == []


@pytest.fixture
def other_model(tmp_path):
    path = tmp_path / "other.safetensors"
    config = CLIPConfig(
        embed_dim=24,
        vision=VisionConfig(image_size=32, layers=1, width=32, patch_size=16, head_width=16),
        text=TextConfig(width=16, heads=2, layers=1),
    )
    save_model(CLIP(config), path)
    return Embedder(str(path), device="cpu", precision="fp32")


@pytest.fixture(scope="module")
def apart():
    """Decodes in a worker, as a run does: the libraries below Pillow may crash on what nobody ever wrote."""
    with WorkerPool() as pool:
        yield partial(pool.run, partial(images.decode, min_side=64, max_pixels=1_000_000))
