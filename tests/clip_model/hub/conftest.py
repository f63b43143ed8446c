import json
from types import SimpleNamespace

import pytest
from safetensors.torch import save as as_safetensors

from clip_model.config import CLIPConfig, TextConfig, VisionConfig
from clip_model.hub import named
from clip_model.hub.named import NamedModel
from clip_model.hub.shelf import Shelf
from tests.clip_model.hub.small_hub import small_hub
from tests.clip_model.tiny_models import random_clip

REPO = "someone/tiny-clip"
CONFIG = CLIPConfig(8, VisionConfig(32, 1, 8, 16, 8), TextConfig(width=8, heads=1, layers=1))


@pytest.fixture
def hub(monkeypatch):
    """A hub with nothing in it, which huggingface-hub asks; it waits for nothing before it tries again."""
    from huggingface_hub import file_download

    monkeypatch.setattr(file_download, "time", SimpleNamespace(sleep=lambda seconds: None))
    with small_hub() as (hub, address):
        monkeypatch.setenv("HF_ENDPOINT", address)
        yield hub


@pytest.fixture(scope="session")
def tiny_model():
    return random_clip(CONFIG)


@pytest.fixture(scope="session")
def tiny_files(tiny_model):
    """The files of a small model in OpenCLIP's layout, as its repository has them."""
    state = as_safetensors({name: value.contiguous() for name, value in tiny_model.state_dict().items()})
    vision = {"image_size": 32, "layers": 1, "width": 8, "patch_size": 16, "head_width": 8}
    text = {"context_length": 77, "vocab_size": 49408, "width": 8, "heads": 1, "layers": 1}
    model = {"embed_dim": 8, "quick_gelu": True, "vision_cfg": vision, "text_cfg": text}
    return {
        "open_clip_config.json": json.dumps({"model_cfg": model}).encode(),
        "open_clip_model.safetensors": state,
        "README.md": b"# a card",
    }


@pytest.fixture
def tiny(monkeypatch, tiny_model):
    """The name that a small model has; what else has a name is not here."""
    count = sum(value.numel() for value in tiny_model.parameters())
    model = NamedModel("tiny", 8, 32, count, "MIT", "English", REPO, "OpenCLIP", quick_gelu=True)
    builtin = {name: known for name, known in named.named_models().items() if not known.repo}
    monkeypatch.setattr(named, "named_models", lambda: {**builtin, "tiny": model})
    return model


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path / "models")
