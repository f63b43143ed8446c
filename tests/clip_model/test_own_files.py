"""A file in picsift's own layout that does not hold what it says is refused: at once by its header, or when loaded."""

import json
import shutil

import pytest
import torch

from clip_model.checkpoint import load_model, save_model
from clip_model.checkpoints.exporting import export
from clip_model.config import CLIPConfig, TextConfig, VisionConfig
from clip_model.header import read_header
from clip_model.inference import load_encoder
from clip_model.model import CLIP
from clip_model.numpy_text.text_encoder import open_text_encoder
from clip_model.registry import resolve
from clip_model.sizes.presets import PRESETS
from clip_model.sizes.shapes import shapes_of
from tests.clip_model.checkpoints.siglip_folders import save_siglip
from tests.clip_model.own_files import reheaded, rewritten
from tests.clip_model.tiny_models import CONFIGS, MOBILE, OURS, random_clip

PROBED = VisionConfig(48, 2, 32, 16, 16, pooling="probe", mlp_width=40)
OTHERS = {
    "siglip": CLIPConfig(32, PROBED, TextConfig(16, 90, 32, 4, 2, kind="siglip", mlp_width=48)),
    "pooled": CLIPConfig(
        24, VisionConfig(48, 0, 0, None, 0, "lite1", "attention"), TextConfig(16, 90, 24, 2, 1, "sentence")
    ),
    **{
        f"{kind} {hidden}": CLIPConfig(24, VisionConfig(layers=1), TextConfig(16, 90, 32, 4, 2, kind, hidden, 40))
        for kind in ("roberta-mean", "roberta-dense", "roberta-first")
        for hidden in (0, 12)
    },
}
LOADERS = (read_header, resolve, open_text_encoder, load_model, load_encoder)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("own") / "own.safetensors"
    save_model(random_clip(CONFIGS["vit-gelu"]), path, dtype=torch.float16)
    return path


@pytest.fixture
def path(saved, tmp_path):
    return shutil.copy(saved, tmp_path / "own.safetensors")


@pytest.mark.parametrize("name", [*CONFIGS, *MOBILE, *OURS, *PRESETS, *OTHERS])
def test_the_shapes_that_are_said_are_those_of_the_network(name):
    config = {**CONFIGS, **MOBILE, **OURS, **PRESETS, **OTHERS}[name]
    with torch.device("meta"):
        expected = {name: tuple(value.shape) for name, value in CLIP(config).state_dict().items()}
    assert shapes_of(config) == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"text.layers": 10**9}, r"layers is a whole number from 1 to 100, got 1000000000"),
        ({"text.layers": 3}, r"12 tensors missing"),
        ({"vision.layers": 10**9}, "number of layers from 1 to 100"),
        ({"vision.layers": 99}, "does not fit its configuration"),
        ({"vision.width": -64}, "width is a whole number"),
        ({"vision.head_width": 0}, "head_width is a whole number"),
        ({"vision.patch_size": 0}, "has no room for a whole patch_size, got 0"),
        ({"vision.image_size": 10**6}, "image_size is a whole number from 1 to 4,096"),
        ({"vision.image_size": 4096}, r"visual.positional_embedding: expected \(65537, 64\)"),
        ({"text.width": 10**9}, "width is a whole number"),
        ({"text.width": 64.0}, "width is a whole number"),
        ({"text.vocab_size": 10**12}, "vocab_size is a whole number"),
        ({"text.context_length": 10**11}, "context_length is a whole number"),
        ({"text.context_length": 10**6}, r"positional_embedding: expected \(1000000, 32\)"),
        ({"text.heads": True}, "heads is a whole number"),
        ({"embed_dim": "24"}, "embed_dim is a whole number"),
        ({"quick_gelu": 1}, "quick_gelu is true or false"),
        ({"vision.std": [1e-320, 1, 1]}, "std is one number for each of"),
        ({"vision.std": [float("inf"), 1, 1]}, "std is one number for each of"),
        ({"vision.mean": [float("nan"), 1, 1]}, "mean is one number for each of"),
        ({"vision.mean": [None, 1, 1]}, "mean is one number for each of"),
    ],
)
def test_a_configuration_that_the_tensors_are_not_of_is_refused_by_every_reader(path, changes, message):
    reheaded(path, **changes)
    for load in LOADERS:
        with pytest.raises(ValueError, match=message) as refused:
            load(path)
        assert str(path) in str(refused.value)


@pytest.mark.parametrize("field", ["shape", "data_offsets"])
@pytest.mark.parametrize("numbers", [[float("inf"), 24], [-1, 24], [2.5, 24], ["2", "4"], [True, 4], 3, None])
def test_places_that_are_no_whole_numbers_are_refused_by_every_reader(path, field, numbers):
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header["visual.proj"][field] = numbers
    changed = json.dumps(header).encode()
    path.write_bytes(len(changed).to_bytes(8, "little") + changed + data[8 + length :])
    for load in LOADERS:
        with pytest.raises(ValueError, match=r"no shape or place for the tensor 'visual\.proj'") as refused:
            load(path)
        assert str(path) in str(refused.value)


@pytest.mark.parametrize(
    "changes", [{"text.kind": "x" * 10**6}, {"vision.resize": "x" * 10**6}, {"vision.patch_size": [1] * 10**6}]
)
def test_a_message_is_short_whatever_the_file_says(path, changes):
    with pytest.raises(ValueError, match=r"own\.safetensors") as refused:
        read_header(reheaded(path, **changes))
    assert len(str(refused.value)) < len(str(path)) + 500


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("visual.proj"), r"1 tensor missing \(visual.proj\)"),
        (
            lambda state: state.update({"ln_final.bias": torch.zeros(32, dtype=torch.int64)}),
            "ln_final.bias is of type I64",
        ),
        (
            lambda state: state.update({"ln_final.bias": torch.zeros(32, dtype=torch.float64)}),
            "ln_final.bias is of type F64",
        ),
        (lambda state: state.update(tokenizer=torch.zeros(3, dtype=torch.uint8)), r"1 unknown \(tokenizer\)"),
    ],
)
def test_tensors_that_the_configuration_does_not_ask_for_are_refused_by_every_reader(path, tmp_path, change, message):
    rewritten(path, change)
    for load in (*LOADERS, lambda path: export(path, tmp_path / "out", "openclip")):
        with pytest.raises(ValueError, match=message) as refused:
            load(path)
        assert str(path) in str(refused.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["visual.proj", "logit_scale"])
def test_numbers_that_are_not_finite_are_neither_loaded_nor_exported(path, tmp_path, name, value):
    rewritten(path, lambda state: state[name].view(-1)[:1].fill_(value))
    for load in (load_model, load_encoder, lambda path: export(path, tmp_path / "out", "openclip")):
        with pytest.raises(ValueError, match=f"{path}: the tensor {name} holds values that are not finite"):
            load(path)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["resnet", "fastvit", "vit-stem"])
def test_a_batch_norm_of_negative_variance_is_neither_loaded_nor_exported(tmp_path, kind):
    path = tmp_path / "own.safetensors"
    save_model(random_clip({**CONFIGS, **MOBILE}[kind]), path)
    name = next(name for name in read_header(path).tensors if name.endswith("running_var"))
    rewritten(path, lambda state: state[name][-1:].fill_(-0.5))
    exported = () if kind in MOBILE else (lambda path: export(path, tmp_path / "out", "openclip"),)  # of timm's sizes
    for load in (load_model, load_encoder, *exported):
        with pytest.raises(ValueError, match=f"{path}: the tensor {name} holds variances that are negative"):
            load(path)
    assert not (tmp_path / "out").exists()


def test_finite_numbers_whose_sum_is_not_are_loaded(tmp_path):
    model = random_clip(CONFIGS["vit"])
    with torch.no_grad():
        model.visual.proj[:] = 3e38
    save_model(model, tmp_path / "large.safetensors")
    assert load_model(tmp_path / "large.safetensors").visual.proj.max() == torch.tensor(3e38)


@pytest.fixture(scope="module")
def siglip(tmp_path_factory):
    folder = save_siglip(tmp_path_factory.mktemp("siglip"))
    return resolve(folder, models=tmp_path_factory.mktemp("models")).path


@pytest.mark.parametrize(
    "data", [b'{"tokenizer": ' + b"[" * 100_000, b"", b"nonsense", b'{"clean": 1, "pad": 1e999}', None, 0.5]
)
def test_a_damaged_tokenizer_is_told_with_its_file(siglip, tmp_path, data):
    path = shutil.copy(siglip, tmp_path / "own.safetensors")

    def change(state):
        del state["tokenizer"]
        if data is not None:
            state["tokenizer"] = torch.ones(3) if data == 0.5 else torch.tensor(list(data), dtype=torch.uint8)

    rewritten(path, change)
    for load in (load_encoder, lambda path: export(path, tmp_path / "out", "huggingface")):
        with pytest.raises(ValueError, match="tokenizer") as refused:
            load(path)
        assert str(path) in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_an_export_onto_a_file_is_refused_with_its_name(path, tmp_path):
    for folder in (path, path / "below"):
        with pytest.raises(FileExistsError, match=f"{folder} is no folder and cannot become one") as refused:
            export(path, folder, "openclip")
        assert "Errno" not in str(refused.value)
