import json

import pytest

from clip_model.config import CLIPConfig, TextConfig, VisionConfig
from clip_model.sizes.presets import PRESETS


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_survives_json(name):
    text = json.dumps(PRESETS[name].to_dict())
    assert CLIPConfig.from_dict(json.loads(text)) == PRESETS[name]


def test_the_papers_heads():
    assert PRESETS["ViT-B-32"].vision.heads == 12
    assert PRESETS["RN50"].vision.heads == 32


def test_missing_and_unknown_fields_are_named():
    values = PRESETS["RN50"].to_dict()
    del values["embed_dim"]
    values["size"] = 1
    with pytest.raises(ValueError, match=r"missing fields \['embed_dim'\], unknown fields \['size'\]"):
        CLIPConfig.from_dict(values)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"image_size": 20, "patch_size": 32}, "image_size 20 has no room for a whole patch_size, got 32"),
        ({"patch_size": None, "layers": 12}, "four stage depths"),
        ({"patch_size": None, "layers": (1, 1, 1, 1), "image_size": 100}, "divisible by 32, got 100"),
        ({"layers": (1, 1, 1, 1)}, "number of layers"),
        ({"layers": 0}, "from 1 to 100, got 0"),
        ({"width": 100}, "head_width 64"),
    ],
)
def test_an_image_tower_that_cannot_be_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        VisionConfig(**fields)


def test_a_text_width_that_its_heads_do_not_divide_is_refused():
    with pytest.raises(ValueError, match="width 30 is not divisible by its 4 heads"):
        TextConfig(width=30, heads=4)
