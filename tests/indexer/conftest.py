"""The world that the pipeline's tests work on."""

from functools import partial

import pytest

from indexer.embedder import Embedder
from indexer.pictures import images
from indexer.workers.isolation import WorkerPool
from tests.indexer.worlds import World, another_model


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
    return another_model(tmp_path / "other.safetensors")


@pytest.fixture(scope="module")
def apart():
    """Decodes in a worker, as a run does: the libraries below Pillow may crash on what nobody ever wrote."""
    with WorkerPool() as pool:
        yield partial(pool.run, partial(images.decode, min_side=64, max_pixels=1_000_000))
