"""A world whose runs share the processes that decode: these tests run often, and decode little."""

from dataclasses import replace

import pytest

from indexer.folders import looking, renaming
from tests.indexer.worlds import World


@pytest.fixture
def pool(shared_pool):
    return shared_pool


@pytest.fixture
def world(tmp_path, tiny_model_path, pool, monkeypatch):
    made = World(tmp_path, tiny_model_path)
    sync = made.sync
    monkeypatch.setattr(made, "sync", lambda *folders, **how: sync(*folders, **{"workers": 1, "pool": pool, **how}))
    return made


@pytest.fixture
def bay(world, monkeypatch):
    """Twelve photos on the disk, and a place for drives: what lies in the folder is what is plugged in."""
    real = looking.scan

    def scanning(root, *below, **options):
        mounted = world.plugged and (root / "usb").exists()
        return replace(real(root, *below, **options), mounts=("usb",) if mounted else ())

    world.plugged = True

    monkeypatch.setattr(looking, "scan", scanning)
    for seed in range(12):
        world.write(f"disk/{seed}.png", seed)
    return world


@pytest.fixture(params=["below the root", "the root", "around the root", "around the root, without numbers"])
def place(request, monkeypatch):
    """Where the drives are mounted."""
    if request.param == "below the root":
        return request.getfixturevalue("bay"), "usb"
    world = request.getfixturevalue("world")
    if request.param == "the root":
        monkeypatch.setattr(renaming, "is_mount", lambda folder: folder == world.photos)
    if request.param.endswith("without numbers"):
        monkeypatch.setattr(renaming, "_number", lambda folder: "1 1" if folder.is_dir() else "")
    return world, ""
