"""The world that the pipeline's tests work on."""

import pytest
from worlds import World


@pytest.fixture
def world(tmp_path, tiny_model_path):
    return World(tmp_path, tiny_model_path)
