import copy
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from clip_model.checkpoint import load_model
from clip_model.checkpoints.open_clip import read_config
from clip_model.checkpoints.sources import HUGGING_FACE, OPEN_CLIP, find_source
from clip_model.numpy_text.text_encoder import open_text_encoder
from clip_model.preprocessing.tokenizer import Tokenizer
from clip_model.registry import resolve
from tests.clip_model.checkpoints.openai_files import plain, save_archive
from tests.clip_model.checkpoints.reference_models import RESNET, SAID, TEXT, VIT, assert_same_features, model_of

WIDE = {**VIT, "width": 52, "head_width": 26, "mlp_ratio": 4.9231}  # as bigG: 1664 channels in 104s, 8192 inside
KINDS = {
    "gelu": {"vision_cfg": VIT, "text_cfg": TEXT},
    "quick": {"vision_cfg": VIT, "text_cfg": TEXT, "quick_gelu": True},
    "bigG": {"vision_cfg": WIDE, "text_cfg": {**TEXT, "heads": 4, "mlp_ratio": 3.5}},
    "resnet": {"vision_cfg": RESNET, "text_cfg": {**TEXT, "context_length": 40}},
    "custom": {"vision_cfg": VIT, "text_cfg": TEXT, "custom_text": True},
    "unmasked": {"vision_cfg": VIT, "text_cfg": {**TEXT, "no_causal_mask": True}},
    "rest": {"vision_cfg": {**VIT, "image_size": 38}, "text_cfg": TEXT},  # which no patch has
}
WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")


def save(folder, model, said, weights=WEIGHTS[0], **beside):
    folder.mkdir(exist_ok=True)
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": {"embed_dim": 24, **said}, **beside}))
    (save_file if weights.endswith("tensors") else torch.save)(model.state_dict(), folder / weights)
    return folder


def reference(said):
    others = {name: value for name, value in said.items() if name != "custom_text"}
    kind = "CustomTextCLIP" if "custom_text" in said else "CLIP"
    return model_of(**{"quick_gelu": False, **others}, kind=kind)


@pytest.fixture
def load(tmp_path):
    return lambda path: load_model(resolve(path, models=tmp_path / "models").path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weights", WEIGHTS)
def test_a_folder_gives_the_same_features(tmp_path, load, kind, weights):
    model = reference(KINDS[kind])
    ours = load(save(tmp_path / "folder", model, KINDS[kind], weights))
    assert ours.config.quick_gelu is (kind == "quick")
    assert_same_features(ours, model.encode_image, model.encode_text)


@pytest.mark.parametrize("kind", ["quick", "bigG", "unmasked"])
def test_a_search_needs_no_torch_for_them(tmp_path, kind):
    """A process that asks once has NumPy run the text tower, in whatever width its MLPs have."""
    model = reference(KINDS[kind])
    path = resolve(save(tmp_path / "folder", model, KINDS[kind]), models=tmp_path / "models").path
    with torch.inference_mode():
        expected = model.encode_text(Tokenizer(77)(SAID), normalize=True)
    got = torch.from_numpy(open_text_encoder(path).encode_texts(SAID))
    assert (got - expected).abs().max() <= 1e-4


def test_a_mask_in_a_file_whose_configuration_says_that_there_is_none_is_named(tmp_path, load):
    state = reference(KINDS["unmasked"]).state_dict()
    folder = save(tmp_path / "folder", reference(KINDS["unmasked"]), KINDS["unmasked"])
    save_file({**state, "attn_mask": torch.full((77, 77), float("-inf")).triu(1)}, folder / WEIGHTS[0])
    with pytest.raises(ValueError, match=r"1 unknown \(attn_mask\)"):
        load(folder)


@pytest.mark.parametrize(
    "name",
    ["open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.pth", "model.safetensors", "pytorch_model.bin"],
)
def test_a_folder_may_name_its_weights_as_open_clip_finds_them(tmp_path, name):
    folder = save(tmp_path / "folder", reference(KINDS["gelu"]), KINDS["gelu"], name)
    assert [file.name for file in find_source(folder).weights] == [name]
    if name == "model.safetensors":  # of both
        (folder / "config.json").write_text("{}")
        assert find_source(folder).layout == HUGGING_FACE


@pytest.mark.parametrize("name", ["epoch_3.pt", "mine.bin", "mine.safetensors"])
def test_bare_weights_with_the_configuration_beside_them_do(tmp_path, load, name):
    model = reference(KINDS["gelu"])
    path = save(tmp_path / "folder", model, KINDS["gelu"], name) / name
    assert_same_features(load(path), model.encode_image, model.encode_text)


def test_a_training_checkpoint_is_unwrapped(tmp_path, load):
    model = reference(KINDS["gelu"])
    folder = save(tmp_path / "folder", model, KINDS["gelu"])
    state = {f"module.{name}": value for name, value in model.state_dict().items()}
    torch.save({"epoch": 3, "name": "a run", "state_dict": state, "optimizer": {"state": {}}}, folder / "epoch_3.pt")
    assert_same_features(load(folder / "epoch_3.pt"), model.encode_image, model.encode_text)


@pytest.mark.usefixtures("small_published")
def test_a_file_of_openai_may_have_a_configuration_beside_it(tmp_path, load):
    """Which the refusal of one that OpenAI has not published asks for: sizes and mask are no weights."""
    said = {**KINDS["quick"], "vision_cfg": {**VIT, "layers": 3}}
    model = model_of(said["vision_cfg"])
    folder = save(tmp_path / "folder", model, said)
    torch.save(plain(model), folder / "plain.pt")
    for path in (folder / "plain.pt", save_archive(model, folder / "traced.pt", methods=["encode_text"])):
        assert load(path).config.vision.layers == 3
    torch.save({**plain(model), "vocab_size": torch.tensor(7)}, folder / "plain.pt")
    with pytest.raises(ValueError, match="contradicts itself: vocab_size is 7, its weights have 49408"):
        load(folder / "plain.pt")


def test_a_scale_may_be_a_row_of_one(tmp_path, load):
    """Programs that shard a model save it so; open_clip takes either."""
    model = reference(KINDS["gelu"])
    folder = save(tmp_path / "folder", model, KINDS["gelu"])
    save_file({**model.state_dict(), "logit_scale": torch.tensor([2.5])}, folder / WEIGHTS[0])
    assert load(folder).logit_scale.item() == 2.5


def test_a_link_is_what_its_place_says(tmp_path):
    """The cache of Hugging Face holds links to files without an ending, far from their configuration."""
    folder = save(tmp_path / "folder", reference(KINDS["gelu"]), KINDS["gelu"])
    expected = find_source(folder)
    (folder / WEIGHTS[0]).rename(tmp_path / "0a1b2c")
    (folder / WEIGHTS[0]).symlink_to(tmp_path / "0a1b2c")
    by_link = find_source(folder / WEIGHTS[0])
    assert (by_link.layout, by_link.weights, by_link.configs) == (OPEN_CLIP, expected.weights, expected.configs)
    (tmp_path / "elsewhere.safetensors").symlink_to(folder / WEIGHTS[0])
    assert find_source(tmp_path / "elsewhere.safetensors") is None


@pytest.mark.parametrize("name", ["open_clip_config.json", WEIGHTS[0]])
def test_what_git_lfs_has_not_fetched_is_named(tmp_path, load, name):
    folder = save(tmp_path / "folder", reference(KINDS["gelu"]), KINDS["gelu"])
    (folder / name).write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0a1b\nsize 605157884\n")
    with pytest.raises(
        ValueError, match=rf"{name} holds no data, but what Git LFS puts in its place: run 'git lfs pull'"
    ):
        load(folder)


def test_one_model_has_one_fingerprint_however_it_is_saved(tmp_path):
    model = reference(KINDS["gelu"])
    folders = [save(tmp_path / name, model, KINDS["gelu"], name) for name in WEIGHTS]
    infos = [resolve(folder, models=tmp_path / "models") for folder in folders]
    assert infos[0].fingerprint == infos[1].fingerprint
    assert [info.name for info in infos] == [str(folder) for folder in folders]


def test_colours_are_those_of_the_configuration(tmp_path, load):
    said = {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.5, 0.5], "interpolation": "bicubic", "resize_mode": "shortest"}
    model = reference(KINDS["gelu"])
    vision = load(save(tmp_path / "folder", model, KINDS["gelu"], preprocess_cfg=said)).config.vision
    assert (vision.mean, vision.std, vision.resize) == ((0.5, 0.5, 0.5), (0.25, 0.5, 0.5), "crop")


@pytest.mark.parametrize(
    ("said", "resize"),
    [
        ({"resize_mode": "squash"}, "stretch"),  # as DFN5B's
        ({"resize_mode": "squash", "interpolation": "bilinear"}, "stretch-bilinear"),
        ({"interpolation": "bilinear", "fill_color": 255}, "crop-bilinear"),
        ({"interpolation": "random", "resize_mode": None}, "crop"),
    ],
)
def test_pictures_are_resized_as_the_configuration_says(said, resize):
    values = {"model_cfg": {"embed_dim": 24, **KINDS["gelu"]}, "preprocess_cfg": said}
    assert read_config(values, Path("it")).vision.resize == resize


def test_half_and_bfloat16_weights_keep_their_numbers(tmp_path, load):
    for dtype in (torch.float16, torch.bfloat16):
        model = copy.deepcopy(reference(KINDS["gelu"])).to(dtype)
        folder = save(tmp_path / str(dtype), model, KINDS["gelu"])
        ours, expected = load(folder).state_dict(), model.state_dict()
        assert all(torch.equal(value, expected[name].float()) for name, value in ours.items())
    sizes = [file.stat().st_size for file in sorted((tmp_path / "models").glob("*.safetensors"))]
    assert max(sizes) > 1.9 * min(sizes)


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("vision_cfg", {"timm_model_name": "vit_base"}, "timm_model_name is 'vit_base'; picsift has no network"),
        ("vision_cfg", {"timm_model_name": "vit_base_patch16_siglip_224"}, "is known in Hugging Face's layout, as Goo"),
        ("text_cfg", {"hf_model_name": "google/mt5-base"}, "hf_model_name is 'google/mt5-base'; of Hugging Face's"),
        ("text_cfg", {"hf_model_name": "roberta-base"}, "text_cfg.vocab_size is 49408; picsift does not know what"),
        ("text_cfg", {"hf_tokenizer_name": "bert"}, "text_cfg.hf_tokenizer_name is 'bert'; picsift has no network"),
        ("text_cfg", {"no_causal_mask": "no"}, "text_cfg.no_causal_mask is 'no'; true or false is needed"),
        ("text_cfg", {"use_pad_mask": True}, "text_cfg.use_pad_mask is True; picsift does not know what that means"),
        ("text_cfg", {"pool_type": "last"}, "text_cfg.pool_type is 'last'; picsift has no network"),
        ("vision_cfg", {"no_ln_pre": True}, "vision_cfg.no_ln_pre is True; picsift has no network"),
        ("vision_cfg", {"ls_init_value": 1e-4}, "vision_cfg.ls_init_value is 0.0001; picsift has no network"),
        ("vision_cfg", {"spiral": 3}, "vision_cfg.spiral is 3; picsift does not know what that means"),
        ("vision_cfg", {"layers": 3}, "visual.transformer.resblocks has 2 blocks, that says 3"),
        ("vision_cfg", {"layers": 10**6}, "needs a number of layers from 1 to 100, got 1000000"),
        ("vision_cfg", {"width": 128}, r"\(visual.conv1.weight: expected \(128, 3, 8, 8\), got \(64, 3, 8, 8\)"),
        ("vision_cfg", {"width": 10**9}, "vision_cfg.width is 1000000000; a positive whole number is needed"),
        ("vision_cfg", {"width": "64"}, "vision_cfg.width is '64'; a positive whole number is needed"),
        ("vision_cfg", {"head_width": 48}, "is not divisible by head_width 48"),
        ("vision_cfg", {"image_size": [32, 64]}, r"image_size is \[32, 64\]; a positive whole number is needed"),
        ("vision_cfg", {"mlp_ratio": 3}, "mlp.c_fc"),
        ("text_cfg", {"vocab_size": 32000}, "a vocabulary of 32000, the tokenizer has 49408"),
        ("text_cfg", {"context_length": 64}, r"positional_embedding: expected \(64, 64\), got \(77, 64\)"),
        (None, {"multimodal_cfg": {"width": 3}}, "multimodal_cfg is"),
        (None, {"init_logit_bias": -10}, "init_logit_bias is -10; picsift has no network"),
        (None, {"quick_gelu": "yes"}, "quick_gelu is 'yes'; true or false is needed"),
        (None, {"embed_dim": None}, "embed_dim is None; a positive whole number is needed"),
        (None, {"text_cfg": None}, "has no object 'model_cfg.text_cfg'"),
        (None, {"vision_cfg": 3}, "has no object 'model_cfg.vision_cfg'"),
    ],
)  # fmt: skip
def test_what_it_cannot_be_is_named(tmp_path, load, part, change, message):
    said = json.loads(json.dumps(KINDS["gelu"]))
    (said if part is None else said[part]).update(change)
    folder = save(tmp_path / "folder", reference(KINDS["gelu"]), said)
    with pytest.raises(ValueError, match=message):
        load(folder)
    assert {file.suffix for file in (tmp_path / "models").glob("*")} <= {".lock"}


@pytest.mark.parametrize(
    ("pictures", "message"),
    [
        ({"resize_mode": "longest"}, "preprocess_cfg.resize_mode is 'longest'; 'shortest', 'squash' are known"),
        ({"interpolation": "lanczos"}, "preprocess_cfg.interpolation is 'lanczos'; 'bicubic', 'bilinear', 'random'"),
        ({"interpolation": ["bicubic"]}, "interpolation is"),
        ({"mode": "L"}, "preprocess_cfg.mode is 'L'"),
        ({"size": 224}, "preprocess_cfg.size is 224; the image tower's is 32"),
        ({"mean": [0.5]}, r"preprocess_cfg.mean is \[0.5\]; three numbers are needed"),
        ({"std": [0, 1, 1]}, "std is one number for each of"),
        ({"std": [float("nan"), 1, 1]}, r"preprocess_cfg.std is \[nan, 1, 1\]; three numbers are needed"),
        ({"mean": [0.5, float("inf"), 0.5]}, "three numbers are needed"),
        ({"mean": [0.5, True, 0.5]}, "three numbers are needed"),
    ],
)
def test_another_preparation_of_pictures_is_named(tmp_path, load, pictures, message):
    folder = save(tmp_path / "folder", reference(KINDS["gelu"]), KINDS["gelu"], preprocess_cfg=pictures)
    with pytest.raises(ValueError, match=message):
        load(folder)


def test_weights_that_are_missing_or_damaged_are_named(tmp_path, load):
    folder = save(tmp_path / "folder", reference(KINDS["gelu"]), KINDS["gelu"])
    whole = (folder / WEIGHTS[0]).read_bytes()
    (folder / WEIGHTS[0]).write_bytes(whole[:-10])
    with pytest.raises(ValueError, match=rf"{WEIGHTS[0]} is damaged"):
        load(folder)
    (folder / WEIGHTS[0]).unlink()
    with pytest.raises(
        ValueError, match=r"holds no weights: with open_clip_config.json belongs one of open_clip_model"
    ):
        load(folder)
    (folder / WEIGHTS[0]).write_bytes(whole)
    for wrong in ("", "[]", "{", "[" * 100_000):
        (folder / "open_clip_config.json").write_text(wrong)
        with pytest.raises(ValueError, match="is not a JSON object"):
            load(folder)


def test_a_tower_alone_is_named(tmp_path, load):
    folder = save(tmp_path / "folder", reference(KINDS["gelu"]), KINDS["gelu"])
    state = reference(KINDS["gelu"]).state_dict()
    image = {name: value for name, value in state.items() if name.startswith("visual.")}
    save_file(image, folder / WEIGHTS[0])
    with pytest.raises(ValueError, match="holds a tower for image alone; a search needs the one for text too"):
        load(folder)
    save_file({name: value for name, value in state.items() if name not in image}, folder / WEIGHTS[0])
    with pytest.raises(ValueError, match="holds a tower for text alone; a search needs the one for image too"):
        load(folder)


def test_an_own_model_in_such_a_folder_stays_ours(tmp_path, tiny_model_path):
    folder = save(tmp_path / "folder", reference(KINDS["gelu"]), KINDS["gelu"])
    (folder / "mine.safetensors").write_bytes(tiny_model_path.read_bytes())
    assert resolve(folder / "mine.safetensors").source == "file"
