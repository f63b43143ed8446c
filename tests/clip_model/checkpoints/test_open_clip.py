import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from clip_model.checkpoint import load_model
from clip_model.checkpoints.open_clip import read_config
from clip_model.numpy_text.text_encoder import open_text_encoder
from clip_model.preprocessing.tokenizer import Tokenizer
from clip_model.registry import resolve
from tests.clip_model.checkpoints.reference_models import RESNET, SAID, TEXT, VIT, assert_same_features, model_of
from tests.clip_model.open_clip_reference import open_clip
from tests.clip_model.tiny_models import randomize

WIDE = {**VIT, "width": 52, "head_width": 26, "mlp_ratio": 4.9231}  # as bigG: 1664 channels in 104s, 8192 inside
KINDS = {
    "gelu": {"vision_cfg": VIT, "text_cfg": TEXT},
    "quick": {"vision_cfg": VIT, "text_cfg": TEXT, "quick_gelu": True},
    "bigG": {"vision_cfg": WIDE, "text_cfg": {**TEXT, "heads": 4, "mlp_ratio": 3.5}},
    "resnet": {"vision_cfg": RESNET, "text_cfg": {**TEXT, "context_length": 40}},
    "custom": {"vision_cfg": VIT, "text_cfg": TEXT, "custom_text": True},
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


@pytest.mark.parametrize("kind", ["quick", "bigG"])
def test_a_search_needs_no_torch_for_them(tmp_path, kind):
    """A process that asks once has NumPy run the text tower, in whatever width its MLPs have."""
    model = reference(KINDS[kind])
    path = resolve(save(tmp_path / "folder", model, KINDS[kind]), models=tmp_path / "models").path
    with torch.inference_mode():
        expected = model.encode_text(Tokenizer(77)(SAID), normalize=True)
    got = torch.from_numpy(open_text_encoder(path).encode_texts(SAID))
    assert (got - expected).abs().max() <= 1e-4


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
    assert (vision.mean, vision.std) == ((0.5, 0.5, 0.5), (0.25, 0.5, 0.5))


def test_half_and_bfloat16_weights_keep_their_numbers(tmp_path, load):
    for dtype in (torch.float16, torch.bfloat16):
        model = reference(KINDS["gelu"]).to(dtype)
        folder = save(tmp_path / str(dtype), model, KINDS["gelu"])
        ours, expected = load(folder).state_dict(), model.state_dict()
        assert all(torch.equal(value, expected[name].float()) for name, value in ours.items())
    sizes = [file.stat().st_size for file in sorted((tmp_path / "models").glob("*.safetensors"))]
    assert max(sizes) > 1.9 * min(sizes)


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("vision_cfg", {"timm_model_name": "vit_base"}, "timm_model_name is 'vit_base'; picsift has no network"),
        ("text_cfg", {"hf_model_name": "google/mt5-base"}, "hf_model_name is 'google/mt5-base'; of Hugging Face's"),
        ("text_cfg", {"hf_model_name": "roberta-base"}, "text_cfg.vocab_size is 49408; picsift does not know what"),
        ("text_cfg", {"hf_tokenizer_name": "bert"}, "text_cfg.hf_tokenizer_name is 'bert'; picsift has no network"),
        ("text_cfg", {"pool_type": "last"}, "text_cfg.pool_type is 'last'; picsift has no network"),
        ("vision_cfg", {"no_ln_pre": True}, "vision_cfg.no_ln_pre is True; picsift has no network"),
        ("vision_cfg", {"ls_init_value": 1e-4}, "vision_cfg.ls_init_value is 0.0001; picsift has no network"),
        ("vision_cfg", {"spiral": 3}, "vision_cfg.spiral is 3; picsift does not know what that means"),
        ("vision_cfg", {"layers": 3}, "visual.transformer.resblocks has 2 blocks, that says 3"),
        ("vision_cfg", {"layers": 10**6}, "visual.transformer.resblocks has 2 blocks, that says 1000000"),
        ("vision_cfg", {"width": 128}, r"wrong shapes \(visual.class_embedding: expected \(128,\), got \(64,\)"),
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
        ({"resize_mode": "squash"}, "preprocess_cfg.resize_mode is 'squash'; picsift has no network for that"),
        ({"interpolation": "bilinear"}, "preprocess_cfg.interpolation is 'bilinear'"),
        ({"size": 224}, "preprocess_cfg.size is 224; the image tower's is 32"),
        ({"mean": [0.5]}, r"preprocess_cfg.mean is \[0.5\]; three numbers are needed"),
        ({"std": [0, 1, 1]}, "std divides the pixels"),
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
    state = randomize(reference(KINDS["gelu"])).state_dict()
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


@pytest.mark.parametrize("name", ["S1", "S2", "B"])
def test_mobile_clip_is_refused_by_its_name_and_with_the_reason(tmp_path, load, name):
    said = open_clip().get_model_config(f"MobileCLIP-{name}")
    folder = save(tmp_path / "folder", reference(KINDS["gelu"]), {})
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": said}))
    with pytest.raises(ValueError, match=r"it is a MobileCLIP, whose image tower only the library timm has"):
        load(folder)


def test_every_mobile_clip_of_open_clip_is_told():
    names = [name for name in open_clip().list_models() if name.startswith("MobileCLIP")]
    assert len(names) > 3
    for name in names:
        model, told = open_clip().get_model_config(name), r"it is a MobileCLIP, .* of which no build fits the torch"
        if name == "MobileCLIP2-L-14":  # a plain ViT of timm's
            told = "timm_model_name is 'vit_large_patch14_clip_224'; picsift has no network"
        with pytest.raises(ValueError, match=told):
            read_config({"model_cfg": model}, Path(name))


def test_apples_own_files_of_mobile_clip_are_told(tmp_path, load):
    state = {"image_encoder.model.patch_emb.0.block.conv.weight": torch.zeros(3), "logit_scale": torch.zeros(())}
    torch.save(state, tmp_path / "mobileclip_s0.pt")
    with pytest.raises(ValueError, match=r"mobileclip_s0.pt cannot be used: it is a MobileCLIP, whose image tower"):
        load(tmp_path / "mobileclip_s0.pt")
