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
def shared_pool(kept_workers):
    """One pool for all tests of a file, whose processes then are there for those of the next one."""
    with WorkerPool() as pool:
        yield pool
        kept_workers.rest(pool)


@pytest.fixture
def apart(shared_pool):
    """Decodes in a worker, as a run does: the libraries below Pillow may crash on what nobody ever wrote."""
    return partial(shared_pool.run, partial(images.decode, min_side=64, max_pixels=1_000_000))
