"""The world that the pipeline's tests work on."""

import pytest
from worlds import World

from indexer.embedder import Embedder


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
