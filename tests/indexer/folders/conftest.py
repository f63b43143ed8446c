"""A world whose runs share the processes that decode: these tests run often, and decode little."""

import pytest

from indexer.workers.isolation import WorkerPool
from tests.indexer.worlds import World


@pytest.fixture(scope="module")
def pool():
    with WorkerPool() as processes:
        yield processes


@pytest.fixture
def world(tmp_path, tiny_model_path, pool, monkeypatch):
    made = World(tmp_path, tiny_model_path)
    sync = made.sync
    monkeypatch.setattr(made, "sync", lambda *folders, **how: sync(*folders, **{"workers": 1, "pool": pool, **how}))
    return made
