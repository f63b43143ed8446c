"""Small models for the tests of the network."""

from contextlib import suppress

import pytest
import torch

from tests.clip_model.tiny_models import CONFIGS, random_clip

LARGE = 1 << 20  # bytes


@pytest.fixture(params=CONFIGS)
def config(request):
    return CONFIGS[request.param]


@pytest.fixture
def model(config):
    return random_clip(config)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item):
    """Take away the large files of a test: checkpoints, of which a run writes gigabytes, and into memory at times."""
    try:
        return (yield)
    finally:
        folder = item.funcargs.get("tmp_path")
        for path in folder.rglob("*") if folder else ():
            with suppress(OSError):
                if path.lstat().st_size >= LARGE:
                    path.unlink()


@pytest.fixture
def one_core():
    """Within it torch computes with one thread: in networks of many small steps a second one is waited for in each."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
