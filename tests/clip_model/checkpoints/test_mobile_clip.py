"""MobileCLIP's checkpoints, open_clip's folders and Apple's files: the features of open_clip, or a reason why not."""

import functools
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from clip_model.checkpoint import load_model, save_model
from clip_model.checkpoints.exporting import export
from clip_model.checkpoints.open_clip import read_config
from clip_model.config import CLIPConfig, ConfigError, TextConfig, VisionConfig
from clip_model.inference import load_encoder
from clip_model.mobile import apple_names
from clip_model.numpy_text.text_encoder import open_text_encoder
from clip_model.preprocessing.tokenizer import Tokenizer
from clip_model.preprocessing.transforms import ImageTransform
from clip_model.registry import resolve
from tests.clip_model.checkpoints.reference_models import SAID, TEXT, assert_same_features, model_of
from tests.clip_model.mobile.timm_towers import NAMES, said_of, small_published
from tests.clip_model.open_clip_reference import open_clip
from tests.clip_model.tiny_models import MOBILE, random_clip

pytestmark = pytest.mark.usefixtures("one_core")
WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin", "mobileclip2.pt")
PICTURES = {"mean": [0, 0, 0], "std": [1, 1, 1], "interpolation": "bilinear", "resize_mode": "shortest"}


@pytest.fixture(scope="module", autouse=True)
def small_towers():
    with small_published():
        yield


def reference(kind):
    return model_of(**{"quick_gelu": False, **without(said_of(kind), "custom_text")}, kind="CustomTextCLIP")


def without(values, *names):
    return {name: value for name, value in values.items() if name not in names}


def save(folder, kind, weights=WEIGHTS[0], state=None, **beside):
    folder.mkdir(exist_ok=True)
    values = {"model_cfg": said_of(kind), "preprocess_cfg": PICTURES, **beside}
    (folder / "open_clip_config.json").write_text(json.dumps(values))
    state = reference(kind).state_dict() if state is None else state
    (save_file if weights.endswith("tensors") else torch.save)(state, folder / weights)
    return folder


@pytest.fixture
def load(tmp_path):
    return lambda path: load_model(resolve(path, models=tmp_path / "models").path)


@pytest.mark.parametrize("kind", NAMES)
def test_a_folder_gives_the_same_features_and_pictures(tmp_path, load, kind):
    ours, theirs = load(save(tmp_path / "folder", kind)), reference(kind)
    assert_same_features(ours, theirs.encode_image, theirs.encode_text)
    vision, text = ours.config.vision, ours.config.text
    assert (vision.mean, vision.std, vision.resize) == ((0.0,) * 3, (1.0,) * 3, "crop-bilinear")
    assert (text.kind, text.context_length) == (MOBILE[kind].text.kind, 77)


@pytest.mark.parametrize("weights", WEIGHTS[1:])
def test_its_weights_may_be_a_pickle(tmp_path, load, weights):
    folder = save(tmp_path / "folder", "fastvit", weights)
    path = folder / weights if weights.endswith(".pt") else folder
    assert_same_features(load(path), reference("fastvit").encode_image, reference("fastvit").encode_text)


def test_pictures_are_prepared_as_open_clip_prepares_them(tmp_path, load, photos):
    """Bit by bit: bilinear, cropped, and in [0, 1]."""
    vision = load(save(tmp_path / "folder", "fastvit")).config.vision
    theirs = open_clip().image_transform(
        vision.image_size, is_train=False, mean=(0, 0, 0), std=(1, 1, 1), interpolation="bilinear",
        resize_mode="shortest",
    )  # fmt: skip
    ours = ImageTransform(vision.image_size, vision.mean, vision.std, vision.resize)
    for photo in photos:
        assert (ours(photo) - theirs(photo)).abs().max() <= 1e-6


@pytest.fixture
def photos():
    from PIL import Image

    noise = torch.randint(0, 256, (90, 130, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    whole = Image.fromarray(noise.numpy())
    return [whole, whole.resize((300, 40)), whole.convert("L"), whole.resize((20, 31))]


@pytest.mark.parametrize("kind", ["fastvit", "vit-stem"])
def test_an_encoder_embeds_photos_and_texts_as_open_clip(tmp_path, kind, photos):
    """From files to unit length: prepared, folded, packed and in batches."""
    encoder = load_encoder(save(tmp_path / "folder", kind), device="cpu", precision="fp32", models=tmp_path / "models")
    model = reference(kind)
    prepare = open_clip().image_transform(
        encoder.image_size, is_train=False, mean=(0, 0, 0), std=(1, 1, 1), interpolation="bilinear",
        resize_mode="shortest",
    )  # fmt: skip
    with torch.inference_mode():
        images = model.encode_image(torch.stack([prepare(photo) for photo in photos]), normalize=True)
        texts = model.encode_text(Tokenizer(77)(SAID), normalize=True)
    assert (torch.from_numpy(encoder.encode_images(photos)) - images).abs().max() <= 1e-4
    assert (torch.from_numpy(encoder.encode_texts(SAID)) - texts).abs().max() <= 1e-4


@pytest.mark.parametrize("kind", ["fastvit", "vit-stem"])
def test_a_search_needs_no_torch_for_them(tmp_path, kind):
    path = resolve(save(tmp_path / "folder", kind), models=tmp_path / "models").path
    with torch.inference_mode():
        expected = reference(kind).encode_text(Tokenizer(77)(SAID), normalize=True)
    assert (torch.from_numpy(open_text_encoder(path).encode_texts(SAID)) - expected).abs().max() <= 1e-4


@pytest.mark.parametrize("kind", NAMES)
def test_an_export_is_what_open_clip_had_and_loads_again(tmp_path, load, kind):
    info = resolve(save(tmp_path / "folder", kind), models=tmp_path / "models")
    assert export(info.path, tmp_path / "out", "openclip") == ""
    written, had = load_file(tmp_path / "out" / WEIGHTS[0]), reference(kind).state_dict()
    assert written.keys() == had.keys()
    assert all(torch.equal(value, had[name]) for name, value in written.items())
    model, preprocess = open_clip().create_model_from_pretrained(f"local-dir:{tmp_path / 'out'}")
    ours = load(tmp_path / "out")
    assert_same_features(ours, model.eval().encode_image, model.encode_text)
    assert [list(step.mean) for step in preprocess.transforms if hasattr(step, "mean")] == [[0, 0, 0]]
    assert resolve(tmp_path / "out", models=tmp_path / "models").fingerprint == info.fingerprint
    with pytest.raises(ValueError, match=r"has no place for .*(of a MobileCLIP|'unmasked')"):
        export(info.path, tmp_path / "other", "huggingface")


def test_a_size_that_timm_has_no_name_for_is_not_exported(tmp_path):
    config = replace(MOBILE["fastvit"], vision=replace(MOBILE["fastvit"].vision, layers=(2, 1, 1, 1)))
    save_model(random_clip(config), tmp_path / "own.safetensors")
    assert resolve(tmp_path / "own.safetensors").image_size == 64
    with pytest.raises(ValueError, match="timm has no image tower fastvit of its sizes"):
        export(tmp_path / "own.safetensors", tmp_path / "out", "openclip")


def test_a_transformer_of_another_size_of_pictures_than_timms_is_neither_taken_nor_exported(tmp_path, load):
    """timm makes it for one size whatever the configuration says, so that open_clip could not load the other."""
    said = said_of("vit-stem")
    other = {**said, "vision_cfg": {**said["vision_cfg"], "image_size": 50}}
    with pytest.raises(ValueError, match=r"vision_cfg.image_size is 50; such a tower is known with 48"):
        load(save(tmp_path / "folder", "vit-stem", model_cfg=other))
    config = replace(MOBILE["vit-stem"], vision=replace(MOBILE["vit-stem"].vision, image_size=64))
    save_model(random_clip(config), tmp_path / "own.safetensors")
    with pytest.raises(ValueError, match="timm has no image tower vit-stem of its sizes"):
        export(tmp_path / "own.safetensors", tmp_path / "out", "openclip")


def test_a_tower_whose_branches_were_folded_already_is_refused(tmp_path, load):
    state = reference("fastvit").state_dict()
    folded = {name.replace("conv_kxk.0.conv.", "reparam_conv."): value for name, value in state.items()}
    assert folded.keys() != state.keys()
    with pytest.raises(ValueError, match=r"folder cannot be used: its image tower is reparameterised"):
        load(save(tmp_path / "folder", "fastvit", state=folded))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"timm_pool": "token"}, "vision_cfg.timm_pool is 'token'; such a tower is known with 'avg'"),
        ({"timm_proj": "linear"}, "timm_proj is 'linear'; picsift has no network|timm_proj is 'linear'; such a tower"),
        ({"timm_proj": ...}, "timm_proj is None; such a tower is known with a projection of its own, where null"),
        ({"timm_model_name": "fastvit_mci9"}, "timm_model_name is 'fastvit_mci9'; picsift has no network"),
        ({"timm_model_name": "fastvit_mci3"}, "does not fit its configuration"),
        ({"timm_model_name": "vit_base_mci_224", "timm_pool": "token", "image_size": 48}, "has 0 blocks, that says 2"),
        ({"image_size": 8}, "an image_size of at least 32, got None and 8"),
        ({"spiral": 3}, "vision_cfg.spiral is 3; picsift does not know what that means"),
    ],
)
def test_what_it_cannot_be_is_named(tmp_path, load, change, message):
    said = said_of("fastvit")
    vision = {name: value for name, value in {**said["vision_cfg"], **change}.items() if value is not ...}
    folder = save(tmp_path / "folder", "fastvit", model_cfg={**said, "vision_cfg": vision})
    with pytest.raises(ValueError, match=message):
        load(folder)


def test_tensors_that_are_missing_left_over_or_twice_there_are_named(tmp_path, load):
    state = reference("fastvit").state_dict()
    name = "visual.trunk.stages.0.blocks.0.layer_scale.gamma"
    variance = next(name for name in state if name.endswith("running_var"))
    for changed, message in (
        (without(state, name), r"1 tensor missing \(visual.stages.0.blocks.0.layer_scale.gamma\)"),
        ({**state, f"{name}2": torch.zeros(3)}, "1 unknown"),
        ({**state, name.replace("trunk.", ""): state[name].clone()}, "holds two image towers"),
        ({**state, variance: -state[variance]}, "variances that are negative"),
    ):
        with pytest.raises(ValueError, match=message):
            load(save(tmp_path / "folder", "fastvit", state=changed))


def test_without_its_configuration_a_file_is_not_guessed(tmp_path, load):
    torch.save(reference("fastvit").state_dict(), tmp_path / "mobileclip2_s0.pt")
    with pytest.raises(ValueError, match=r"does not tell which image tower it has: put the open_clip_config.json"):
        load(tmp_path / "mobileclip2_s0.pt")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"layers": (1, 2, 1)}, r"fastvit needs 4 stage depths from 1 to 100, got \(1, 2, 1\)"),
        ({"layers": 3}, "fastvit needs 4 stage depths"),
        ({"layers": (1, 2, 1, 101)}, "fastvit needs 4 stage depths"),
        ({"layers": (1, 2, 1, True)}, "fastvit needs 4 stage depths"),
        ({"patch_size": 16}, "fastvit has no patches"),
        ({"head_width": 48}, "attention over 128 channels is not divisible by head_width 48"),
        ({"width": 0}, "width is a whole number from 1"),
        ({"pooling": "probe"}, "fastvit has pooling 'mean' and no hidden channels"),
        ({"hidden": 5}, "fastvit has pooling 'mean' and no hidden channels"),
        ({"variant": "vit-stem", "layers": 2}, "vit-stem has a patch_size of 16 and a width divisible by 4, got None"),
        ({"variant": "vit-biased", "layers": 2}, "vit-biased is a transformer over patches, got patch_size=None"),
        ({"variant": "vit-stem"}, "vit-stem has a patch_size of 16"),
        ({"variant": ["fastvit"]}, "unknown variant"),
    ],
)
def test_a_tower_that_cannot_be_is_refused(fields, message):
    sound = {"image_size": 64, "layers": (1, 2, 1, 2), "width": 16, "patch_size": None, "head_width": 32}
    VisionConfig(**sound, variant="fastvit")
    with pytest.raises(ConfigError, match=message):
        VisionConfig(**{**sound, "variant": "fastvit", **fields})


def test_a_configuration_comes_back_from_json():
    for config in MOBILE.values():
        assert CLIPConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


APPLES = {"fastvit_mci1": (4, 12, 20, 4), "fastvit_mci2": (4, 12, 24, 4)}


def apples_state(state, kind):
    """A state dict of open_clip's under Apple's names, without the bias that Apple's projections have not."""
    theirs = {"logit_scale": state["logit_scale"]}
    places = {0: (None, 0), 1: (1, 2), 2: (3, 4), 3: (5, 7)}  # of each stage: its downsampling and its blocks
    for name, value in state.items():
        part = name.removeprefix("visual.trunk.")
        if name.startswith("text."):
            part = name.removeprefix("text.")
            part = re.sub(r"resblocks\.", "", part).replace("token_embedding", "embedding_layer")
            part = part.replace("ln_final", "final_layer_norm").replace("text_projection", "projection_layer")
            if part == "positional_embedding":
                part, value = "positional_embedding.pos_embed.pos_embed", value[None, None]
            part = part.replace("attn.in_proj_", "pre_norm_mha.1.qkv_proj.")
            part = part.replace("attn.out_proj", "pre_norm_mha.1.out_proj").replace("ln_1", "pre_norm_mha.0")
            part = part.replace("ln_2", "pre_norm_ffn.0").replace("mlp.c_fc", "pre_norm_ffn.1")
            theirs["text_encoder." + part.replace("mlp.c_proj", "pre_norm_ffn.4")] = value
        elif part in ("head.fc.weight", "head.weight"):
            theirs["image_encoder.model." + ("head.proj" if "fc" in part else "classifier.proj")] = value.T
        elif part != name and part not in ("head.fc.bias", "head.bias"):
            if kind == "fastvit":
                stage = re.match(r"stages\.(\d)\.(downsample|pos_emb\.pos_enc|blocks)\.", part)
                if stage:
                    down, blocks = places[int(stage[1])]
                    at = {"downsample": f"{down}", "blocks": f"{blocks}"}.get(stage[2], f"{blocks - 1}.pe")
                    part = f"network.{at}.{part[stage.end() :]}"
                part = part.replace("stem", "patch_embed").replace("conv_kxk", "rbr_conv").replace("mlp.", "convffn.")
                part = part.replace("conv_scale", "rbr_scale").replace("identity", "rbr_skip").replace(".gamma", "")
                part = part.replace("final_conv", "conv_exp").replace("large_conv", "lkb_origin")
                part = part.replace("se.fc1", "se.reduce").replace("se.fc2", "se.expand")
            else:
                part = part.replace("patch_embed.backbone", "patch_emb").replace(".bn.", ".block.norm.")
                part = re.sub(r"(patch_emb\.\d)\.conv", r"\1.block.conv", part).replace("blocks.", "transformer.")
                part = part.replace("norm1", "pre_norm_mha.0").replace("attn.qkv", "pre_norm_mha.1.qkv_proj")
                part = part.replace("attn.proj", "pre_norm_mha.1.out_proj").replace("norm2", "pre_norm_ffn.0")
                part = part.replace("mlp.fc1", "pre_norm_ffn.1").replace("mlp.fc2", "pre_norm_ffn.4")
                part = re.sub(r"^norm\.", "post_transformer_norm.", part)
                if part == "pos_embed":
                    part, value = "pos_embed.pos_embed.pos_embed", value[None]
            theirs[f"image_encoder.model.{part}"] = value
    return {name: value.clone() for name, value in theirs.items()}


@pytest.mark.parametrize("kind", ["fastvit", "vit-stem"])
def test_apples_names_are_read_as_open_clip_reads_them(kind):
    """open_clip converts such a file to what we make of it: the names of both are the same, and the numbers."""
    from open_clip.convert import convert_state_dict

    had = dict(reference(kind).state_dict())
    bias = "visual.trunk.head.fc.bias" if kind == "fastvit" else "visual.trunk.head.bias"
    had[bias] = torch.zeros_like(had[bias])
    file = apples_state(had, kind)
    for made_of_it in (convert_state_dict(reference(kind), dict(file)), apple_names.renamed(file, "it")):
        assert made_of_it.keys() == had.keys()
        assert all(torch.equal(value, had[name]) for name, value in made_of_it.items())


def test_apples_own_file_gives_the_same_features(tmp_path, load, monkeypatch):
    """All that it does not say is known: the sizes, which are smaller here, and how pictures are prepared."""
    said = {**without(said_of("vit-stem"), "custom_text"), "embed_dim": 512, "quick_gelu": False}
    theirs = model_of(**said, kind="CustomTextCLIP")
    state = {**theirs.state_dict()}
    state["visual.trunk.head.bias"] = torch.zeros(512)
    monkeypatch.setattr(apple_names, "_STEMMED", replace(apple_names._STEMMED, image_size=48))
    monkeypatch.setattr("clip_model.checkpoints.openai.TextConfig", functools.partial(TextConfig, **TEXT))
    torch.save(apples_state(state, "vit-stem"), tmp_path / "mobileclip_b.pt")
    ours = load(tmp_path / "mobileclip_b.pt")
    bias = theirs.state_dict()["visual.trunk.head.bias"]
    assert_same_features(ours, lambda pixels: theirs.encode_image(pixels) - bias, theirs.encode_text)
    assert ours.config.vision.resize == "crop-bilinear"


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("text_encoder.projection_layer", "text_encoder.text_projection"),
        ("image_encoder.model.post_transformer_norm.weight", "image_encoder.model.norm.weight"),
        ("image_encoder.model.classifier.proj", "image_encoder.model.head.bias"),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_of_a_tensor_that_apples_file_names_twice_none_is_taken(tmp_path, load, name, same, first):
    state = apples_state(reference("vit-stem").state_dict(), "vit-stem")
    more = {same: torch.full_like(state[name], 9.0)}
    torch.save({**more, **state} if first else {**state, **more}, tmp_path / "mobileclip_b.pt")
    with pytest.raises(ValueError, match=r"mobileclip_b.pt cannot be used: it holds the tensor .* under two names"):
        load(tmp_path / "mobileclip_b.pt")


@pytest.mark.parametrize("depths", APPLES.values())
def test_apples_models_are_told_by_the_depth_of_their_third_stage(depths):
    names = {f"image_encoder.model.network.4.{i}.convffn.fc1.weight": None for i in range(depths[2])}
    model = apple_names.model_of(names, "it")
    assert (APPLES[model.trunk], model.causal, model.image_size) == (depths, False, 256)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["image_encoder.model.network.4.0.convffn.fc1.weight", "text_encoder.transformer.0.convffn.fc1.weight"],
            "it is a MobileCLIP-S0, whose text tower mixes by convolutions",
        ),
        (["image_encoder.model.network.4.0.convffn.fc1.weight"], "has 1 blocks, and 20, 24 are known"),
        (["image_encoder.model.reparam_conv.weight"], "it is no MobileCLIP that is known"),
    ],
)
def test_apples_files_that_are_none_of_these_are_named(tmp_path, load, names, message):
    torch.save({name: torch.zeros(3) for name in names}, tmp_path / "mobileclip_s0.pt")
    with pytest.raises(ValueError, match=f"mobileclip_s0.pt cannot be used: {message}|{message}"):
        load(tmp_path / "mobileclip_s0.pt")


def test_a_text_of_hugging_face_may_go_with_such_a_tower():
    said = {**said_of("fastvit"), "text_cfg": {"hf_model_name": "roberta-base"}}
    config = read_config({"model_cfg": said}, Path("it"))
    assert (config.vision.variant, config.text.kind) == ("fastvit", "roberta-mean")
