"""Small models for the tests of the network."""

import pytest

from clip_model.model import CLIP
from tests.clip_model.tiny_models import CONFIGS, randomize


@pytest.fixture(params=CONFIGS)
def config(request):
    return CONFIGS[request.param]


@pytest.fixture
def model(config):
    return randomize(CLIP(config))
