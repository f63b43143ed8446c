import pytest

from clip_model.checkpoints import openai
from clip_model.config import CLIPConfig, TextConfig, VisionConfig

_TEXT = TextConfig(width=64, heads=1, layers=2)
_SMALL = (
    CLIPConfig(24, VisionConfig(32, 2, 64, 8, 64), _TEXT),
    CLIPConfig(16, VisionConfig(32, 2, 64, 8, 64), _TEXT),
    CLIPConfig(24, VisionConfig(64, (1, 2, 1, 1), 8, None, 64), _TEXT),
)


@pytest.fixture
def small_published(monkeypatch):
    """Let the small models of these tests count as published; the rule itself stays."""
    monkeypatch.setattr(openai, "PUBLISHED", openai.PUBLISHED + _SMALL)
