"""What the registry says of models is true of the networks, and of the layouts that can be loaded."""

import functools
import json
import re
from pathlib import Path

import pytest
import torch

from clip_model.checkpoints import siglip
from clip_model.checkpoints.open_clip import read_config
from clip_model.checkpoints.said import Said
from clip_model.checkpoints.sources import HUGGING_FACE, OPEN_CLIP
from clip_model.config import OPENAI_MEAN
from clip_model.hub.named import NAME, named_models
from clip_model.hub.repository import written_files
from clip_model.model import CLIP
from clip_model.sizes.presets import PRESETS
from tests.clip_model import open_clip_reference

_TAGS = "-(openai|laion2b|datacomp|laion5b|dfn5b|datacompdr(-lt)?|dfndr2b)$"
FAMILIES = {name: re.sub(_TAGS, "", name) for name in named_models()}


def config_of(name):
    """The configuration that a name's family has in the presets, or among open_clip's."""
    if FAMILIES[name] in PRESETS:
        return PRESETS[FAMILIES[name]]
    if name.startswith("SigLIP"):
        vision = {"patch_size": 32, "image_size": 256} if "B-32" in name else {}
        text = {"vocab_size": 256_000} if "SigLIP2" in name else {}
        if "SO400M" in name:  # as its config.json says
            sizes = {"hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27, "num_attention_heads": 16}
            vision, text = {**sizes, "image_size": 384, "patch_size": 14}, {**text, **sizes}
        return siglip.read_config(Said({"vision_config": vision, "text_config": text}, Path(name)), [])
    import importlib.util

    folder = Path(importlib.util.find_spec("open_clip").submodule_search_locations[0]) / "model_configs"
    return read_config({"model_cfg": json.loads((folder / f"{FAMILIES[name]}.json").read_text())}, folder)


@functools.cache
def parameters_of(config):
    """How many its network has; several names are of one."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in CLIP(config).parameters())


@pytest.mark.parametrize("name", FAMILIES)
def test_sizes_are_those_of_the_network(name):
    known, config = named_models()[name], config_of(name)
    assert (known.dim, known.image_size, known.parameters) == (
        config.embed_dim, config.vision.image_size, parameters_of(config),
    )  # fmt: skip
    assert known.quick_gelu == (name.endswith(("openai", "dfn5b")) or name == "builtin-1")


@pytest.mark.parametrize("name", FAMILIES)
def test_facts_are_whole(name):
    known = named_models()[name]
    assert NAME.fullmatch(name)
    assert known.licence
    assert known.languages
    assert known.revision is None or len(known.revision) == 40
    assert known.zero_shot is None or 30 < known.zero_shot < 100
    if known.repo:
        assert known.layout in (OPEN_CLIP, HUGGING_FACE)
        assert known.repo.count("/") == 1
    else:
        assert name in PRESETS


@pytest.mark.parametrize("name", FAMILIES)
def test_pictures_are_normalised_as_open_clip_does_it(name):
    known = named_models()[name]
    if known.layout == OPEN_CLIP:
        tags = open_clip_reference.open_clip().pretrained._PRETRAINED.values()
        said = [tag for tags_of in tags for tag in tags_of.values() if tag.get("hf_hub", "").strip("/") == known.repo]
        means = {tag.get("mean", OPENAI_MEAN) for tag in said}
        assert {round(mean[0], 3) for mean in means} == {known.mean}
    else:
        assert known.mean == round(config_of(name).vision.mean[0], 3)


@pytest.mark.parametrize("name", [name for name, known in named_models().items() if known.model_cfg])
def test_a_configuration_that_the_hub_lacks_is_open_clips(name):
    written = written_files(named_models()[name].model_cfg, ["open_clip_pytorch_model.bin"])["open_clip_config.json"]
    assert read_config(json.loads(written), Path(name)) == config_of(name)
