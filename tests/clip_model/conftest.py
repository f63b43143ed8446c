"""Small models for the tests of the network."""

import pytest
from tiny_models import CONFIGS, randomize

from clip_model.model import CLIP


@pytest.fixture(params=CONFIGS)
def config(request):
    return CONFIGS[request.param]


@pytest.fixture
def model(config):
    return randomize(CLIP(config))
