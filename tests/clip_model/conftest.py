"""Small models for the tests of the network."""

import pytest

from tests.clip_model.tiny_models import CONFIGS, random_clip


@pytest.fixture(params=CONFIGS)
def config(request):
    return CONFIGS[request.param]


@pytest.fixture
def model(config):
    return random_clip(config)
