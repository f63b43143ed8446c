import json
import shutil
from functools import cache
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from clip_model.checkpoint import load_model
from clip_model.checkpoints import hugging_face, siglip
from clip_model.checkpoints.hugging_face import read_hugging_face
from clip_model.checkpoints.said import Said
from clip_model.checkpoints.sources import find_source
from clip_model.preprocessing.tokenizer import MARKS, vocabulary
from clip_model.preprocessing.transforms import ImageTransform
from clip_model.registry import resolve
from tests.clip_model.checkpoints.reference_models import assert_same_features
from tests.clip_model.open_clip_reference import transformers
from tests.clip_model.tiny_models import Undrawn, randomize

TEXT = {
    "vocab_size": 49408, "hidden_size": 48, "intermediate_size": 192, "num_hidden_layers": 2, "num_attention_heads": 4,
    "max_position_embeddings": 77, "eos_token_id": 49407, "bos_token_id": 49406,
}  # fmt: skip
VISION = {
    "hidden_size": 64, "intermediate_size": 256, "num_hidden_layers": 3, "num_attention_heads": 2, "image_size": 32,
    "patch_size": 8,
}  # fmt: skip
LAYER = "text_model.encoder.layers.1"
KINDS = {
    "quick": {},
    "gelu": {"hidden_act": "gelu"},
    "wide": {"hidden_act": "gelu", "intermediate_size": 100},
    "old end": {"eos_token_id": 2},
}


@cache
def reference(kind="quick"):
    """One for all who ask, which nobody changes."""
    change = KINDS[kind]
    vision = {name: value for name, value in change.items() if name != "eos_token_id"}
    config = transformers().CLIPConfig(
        text_config={**TEXT, **change}, vision_config={**VISION, **vision}, projection_dim=24
    )
    with Undrawn():
        model = transformers().CLIPModel(config)
    return randomize(model)


def features(model):
    """Its features of pixels and of tokens, whatever they are wrapped in."""
    return (
        lambda pixels: tensor_of(model.get_image_features(pixel_values=pixels)),
        lambda tokens: tensor_of(model.get_text_features(input_ids=tokens)),
    )


def tensor_of(out):
    return out if isinstance(out, torch.Tensor) else out.pooler_output


def change_config(folder, change):
    values = json.loads((folder / "config.json").read_text())
    change(values)
    (folder / "config.json").write_text(json.dumps(values))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    reference().save_pretrained(folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "folder")


@pytest.fixture
def load(tmp_path):
    return lambda path: load_model(resolve(path, models=tmp_path / "models").path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_gives_the_same_features(tmp_path, load, kind):
    model = reference(kind)
    model.save_pretrained(tmp_path / "folder")
    ours = load(tmp_path / "folder")
    assert ours.config.quick_gelu is (KINDS[kind].get("hidden_act") is None)
    assert_same_features(ours, *features(model))


def test_shards_and_pickled_weights_give_the_same_model(tmp_path):
    model = reference()
    model.save_pretrained(tmp_path / "one")
    model.save_pretrained(tmp_path / "shards", max_shard_size="1MB")
    assert len(list((tmp_path / "shards").glob("*.safetensors"))) > 1
    (tmp_path / "pickled").mkdir()
    (tmp_path / "pickled/config.json").write_bytes((tmp_path / "one/config.json").read_bytes())
    torch.save(load_file(tmp_path / "one/model.safetensors"), tmp_path / "pickled/pytorch_model.bin")
    infos = [resolve(tmp_path / name, models=tmp_path / "models") for name in ("one", "shards", "pickled")]
    assert len({info.fingerprint for info in infos}) == 1
    by_file = resolve(tmp_path / "one/model.safetensors", models=tmp_path / "models")
    assert (by_file.fingerprint, by_file.path) == (infos[0].fingerprint, infos[0].path)


def test_colours_are_those_of_the_preprocessor(folder, load):
    said = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.5, 0.5], "size": {"shortest_edge": 32},
            "crop_size": {"height": 32, "width": 32}, "resample": 3, "do_resize": True}  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(said))
    assert load(folder).config.vision.std == (0.25, 0.5, 0.5)


@pytest.mark.parametrize(
    ("said", "resize"),
    [
        ({"resample": 2}, "crop-bilinear"),
        ({"do_center_crop": False, "size": {"height": 32, "width": 32}}, "squash"),
        ({"do_center_crop": False, "size": {"height": 32, "width": 32}, "resample": 2}, "squash-bilinear"),
    ],
)
def test_pictures_are_resized_as_the_preprocessor_does_it(folder, resize, said):
    (folder / "preprocessor_config.json").write_text(json.dumps(said))
    config, _ = read_hugging_face(find_source(folder))
    assert config.vision.resize == resize
    processor = transformers().CLIPImageProcessorPil(**{"size": {"shortest_edge": 32}, "crop_size": 32, **said})
    for size in ((40, 61), (300, 33), (1, 50), (32, 32), (7, 9)):
        for mode in ("RGB", "RGBA", "P", "LA"):
            if resize.startswith("crop") and mode != "RGB":  # made RGB last, as by open_clip
                continue
            picture = Image.effect_noise(size, 90).convert("RGB").convert(mode)
            expected = processor(images=picture, return_tensors="pt").pixel_values[0]
            assert torch.allclose(ImageTransform(32, resize=resize)(picture), expected, atol=1e-5), (size, mode)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"resample": 1}, "resample is 1; 2, bilinear, and 3, bicubic, are known"),
        ({"resample": [3]}, r"resample is \[3\]; 2, bilinear"),
        ({"size": {"shortest_edge": 224}}, "the image tower's size"),
        ({"size": {"height": 32, "width": 32}}, "the shorter side becomes 32"),
        ({"do_center_crop": False}, "size is None; what is not cropped becomes 32 high and wide"),
        ({"do_center_crop": "no"}, "do_center_crop is 'no'; true or false is needed"),
        ({"do_resize": False}, "do_resize is False"),
        ({"rescale_factor": 1}, "rescale_factor is 1; 1/255 is known"),
        ({"rescale_factor": [1]}, r"rescale_factor is \[1\]"),
        ({"size": {"shortest_edge": 32, "longest_edge": 64}}, "the shorter side becomes 32"),
        ({"crop_size": {"height": 32, "width": 24}}, "crop_size is .* a square is cut out"),
        ({"crop_size": 24}, "crop_size is 24"),
        ({"do_thumbnail": True}, "do_thumbnail is True; picsift does not know what that means"),
        ({"image_processor_type": "ViTImageProcessor"}, "CLIPImageProcessor is known"),
    ],
)
def test_another_preparation_of_pictures_is_named(folder, load, said, message):
    (folder / "preprocessor_config.json").write_text(json.dumps(said))
    with pytest.raises(ValueError, match=message):
        load(folder)


SQUARE = {"size": {"height": 32, "width": 32}}
WAYS = {"crop": {"size": 32}, "squash": {**SQUARE, "do_center_crop": False}, "siglip": SQUARE}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "change",
    [
        {"rescale_factor": 1 / 127.5}, {"do_resize": False}, {"do_rescale": False}, {"do_normalize": False},
        {"do_convert_rgb": "yes"}, {"do_center_crop": "no"}, {"do_flip_channel_order": True}, {"do_pad": 1},
        {"resample": 1}, {"resample": [3]}, {"image_mean": [0.5]}, {"image_std": 0.5}, {"size": {"longest_edge": 32}},
        {"size": 24}, {"image_processor_type": "BlipImageProcessor"}, {"feature_extractor_type": "Other"},
    ],
    ids=str,
)  # fmt: skip
def test_no_field_is_passed_over_however_pictures_become_squares(way, change):
    read = siglip if way == "siglip" else hugging_face
    known = {"do_convert_rgb": False, "do_pad": False, "resample": 2, "rescale_factor": 1 / 255, **WAYS[way]}
    assert read._pictures(Said(known, Path("known.json")), 32)[2].endswith("-bilinear")
    with pytest.raises(ValueError, match=f"said.json cannot be used: {next(iter(change))} is "):
        read._pictures(Said({**known, **change}, Path("said.json")), 32)


def test_two_files_about_pictures_agree(folder):
    (folder / "preprocessor_config.json").write_text('{"resample": 2}')
    (folder / "processor_config.json").write_text('{"processor_class": "CLIPProcessor"}')
    assert read_hugging_face(find_source(folder))[0].vision.resize == "crop-bilinear"
    (folder / "processor_config.json").write_text('{"image_processor": {"resample": 3}}')
    with pytest.raises(ValueError, match="say different things about how pictures are prepared"):
        read_hugging_face(find_source(folder))


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt"])
def test_a_file_that_git_lfs_has_not_fetched_is_called_one(folder, name):
    (folder / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 3\n")
    with pytest.raises(ValueError, match=f"{name} holds no data, but what Git LFS puts in its place"):
        find_source(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(model_type="siglip2"), "describes a SigLIP 2 for pictures of any shape"),
        (lambda c: c.update(model_type="clip_vision_model"), "the image tower of a CLIP alone; a search needs both"),
        (lambda c: c.update(model_type="bert"), "a model of type 'bert'; of Hugging Face's, 'clip' and 'siglip' are"),
        (lambda c: c.pop("text_config"), "has no object 'text_config'"),
        (lambda c: c["text_config"].update(hidden_act="gelu"), "text_config.hidden_act is 'gelu'"),
        (lambda c: c["text_config"].update(eos_token_id=7), "text_config.eos_token_id is 7"),
        (lambda c: c["text_config"].update(num_hidden_layers=9), "transformer.resblocks has 2 blocks, that says 9"),
        (lambda c: c["text_config"].update(num_attention_heads=7), "width 48 is not divisible by its 7 heads"),
        (lambda c: c["vision_config"].update(num_attention_heads=7), "the width 64 cannot be divided by it"),
        (lambda c: c["vision_config"].update(hidden_size=128), "of the wrong shape"),
        (lambda c: c["vision_config"].update(layer_norm_eps=1e-6), "vision_config.layer_norm_eps is 1e-06"),
        (lambda c: c["vision_config"].update(num_channels=4), "pictures have three"),
        (lambda c: c.update(projection_dim=16), "of the wrong shape"),
        (lambda c: c.update(text_config_dict={"hidden_size": 7}), "text_config says something else"),
        (lambda c: c.update(text_config_dict={"hidden_size": 48}), None),
        (lambda c: c.update(text_config_dict=c.pop("text_config")), None),
        (lambda c: c["text_config"].update(layer_norm_eps="small"), "layer_norm_eps is 'small'; 1e-05 is known"),
        (lambda c: c.update(model_type=["clip"]), "makes no sense"),
    ],
)  # fmt: skip
def test_what_it_cannot_be_is_named(folder, load, change, message):
    change_config(folder, change)
    if message is None:
        assert load(folder).config.text.width == 48
        return
    with pytest.raises(ValueError, match=message):
        load(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("text_model.encoder.layers.1.self_attn.k_proj.bias"), "in_proj_bias lack self_attn.k_proj"),
        (lambda s: s.update({f"{LAYER}.self_attn.{k}_proj.bias": torch.zeros(()) for k in "qkv"}), "differ in shape"),
        (lambda s: s.update(logit_scale=torch.ones(1)), None),
        (lambda s: s.update(logit_scale=torch.ones(2)), r"logit_scale: expected \(\), got \(2,\)"),
        (lambda s: s.pop("visual_projection.weight"), r"1 tensor missing \(visual.proj\)"),
        (lambda s: s.update(spare=torch.zeros(3)), r"1 unknown \(spare\)"),
        (lambda s: s.update({"text_model.embeddings.position_ids": torch.arange(77)[None]}), None),
        (lambda s: s.update({"text_model.embeddings.position_ids": torch.zeros(1, 77)}), r"1 unknown \(text_model"),
        (lambda s: s["logit_scale"].fill_(torch.nan), "logit_scale holds values that are not finite"),
        (lambda s: [s.pop(n) for n in list(s) if n.startswith("vis")], "holds a tower for text alone"),
    ],
)  # fmt: skip
def test_weights_that_do_not_fit_are_named(folder, load, change, message):
    state = load_file(folder / "model.safetensors")
    change(state)
    save_file(state, folder / "model.safetensors")
    if message is None:
        assert load(folder).config.embed_dim == 24
        return
    with pytest.raises(ValueError, match=message):
        load(folder)


def test_another_tokenizer_beside_it_is_refused(tmp_path, folder):
    """Texts are read by CLIP's: one of the same size, in another order, would mean other words."""
    ours = dict(vocabulary())
    (folder / "vocab.json").write_text(json.dumps({word: ours[word] for word in ours if word not in MARKS}))
    read_hugging_face(find_source(folder))
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": {**ours, "dog</w>": 7}}}))
    for vocab in ([["dog", 7]], {}, None):
        with pytest.raises(ValueError, match=r"is another tokenizer than CLIP's, which alone is known"):
            read_hugging_face(find_source(folder))
        (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocab}}))


@pytest.mark.parametrize(("stem", "end"), [("model", "safetensors"), ("pytorch_model", "bin")])
def test_any_file_of_the_weights_names_the_model(tmp_path, stem, end):
    """All shards where one or their index is named, and a variant alone, also beside OpenCLIP's configuration."""
    (tmp_path / "config.json").write_text('{"model_type": "clip"}')
    alone, indexes = f"{stem}.fp16.{end}", {}
    (tmp_path / alone).write_bytes(b"")
    for variant in ("", ".bf16"):
        shards = [f"{stem}{variant}-0000{n}-of-00002.{end}" for n in (1, 2)]
        indexes[f"{stem}.{end}.index{variant}.json"] = shards
        for name in shards:
            (tmp_path / name).write_bytes(b"")
    for index, shards in indexes.items():
        with pytest.raises(ValueError, match=rf"is one of several shards, and {index} is missing beside it"):
            find_source(tmp_path / shards[0])
        (tmp_path / index).write_text(json.dumps({"weight_map": dict(zip("ab", shards, strict=True))}))
    for beside in (False, True):
        if beside:
            (tmp_path / "open_clip_config.json").write_text("{}")
        for index, shards in indexes.items():
            for named in (index, *shards):
                source = find_source(tmp_path / named)
                assert (source.layout, [file.name for file in source.weights]) == ("Hugging Face", shards), named
        source = find_source(tmp_path / alone)
        assert (source.layout, [file.name for file in source.weights]) == ("Hugging Face", [alone])
    assert [file.name for file in find_source(tmp_path).weights] == [f"{stem}-0000{n}-of-00002.{end}" for n in (1, 2)]
    (tmp_path / f"{stem}-00001-of-00003.{end}").write_bytes(b"")
    with pytest.raises(ValueError, match=r"00003.* is none of the shards that .*index.json beside it names"):
        find_source(tmp_path / f"{stem}-00001-of-00003.{end}")


@pytest.mark.parametrize("name", ["ViT-B-32.pt", "clip.bin", "models.bin", "epoch_1.bin"])
def test_a_pickle_of_another_name_is_openais_whatever_config_lies_beside_it(tmp_path, name):
    (tmp_path / "config.json").write_text('{"anything": 1}')
    (tmp_path / name).write_bytes(b"")
    assert find_source(tmp_path / name).layout == "OpenAI"


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ({"weight_map": {"a": "../elsewhere.safetensors"}}, "is no plain name of a file beside it"),
        ({"weight_map": {"a": "gone.safetensors"}}, "is not whole: the shard gone.safetensors is missing"),
        ({"weight_map": {}}, "names no shards"),
        ({}, "names no shards"),
    ],
)
def test_an_index_of_shards_that_misleads_is_refused(folder, load, index, message):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ValueError, match=message):
        load(folder)
