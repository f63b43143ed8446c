import copy

import pytest
import torch

from clip_model.checkpoint import load_model
from clip_model.checkpoints.fitting import fitted
from clip_model.checkpoints.openai import PUBLISHED, infer_config
from clip_model.model import CLIP
from clip_model.registry import resolve
from clip_model.sizes.presets import PRESETS
from tests.clip_model.checkpoints.openai_files import halved, plain, save_archive, sizes_of
from tests.clip_model.checkpoints.reference_models import RESNET, TEXT, VIT, assert_same_features, model_of
from tests.clip_model.open_clip_reference import open_clip

pytestmark = pytest.mark.usefixtures("small_published")
SHOWS_NOT = r"does not tell whether .* quick GELU or the exact one.*: put the open_clip_config.json"


@pytest.fixture(params=[VIT, RESNET], ids=["vit", "resnet"], scope="module")
def model(request):
    return model_of(request.param)


@pytest.fixture
def load(tmp_path):
    return lambda path: load_model(resolve(path, models=tmp_path / "models").path)


def test_an_archive_as_published_gives_the_same_features(model, tmp_path, load):
    reference = copy.deepcopy(halved(model)).float()
    ours = load(save_archive(model, tmp_path / "tiny.pt"))
    assert ours.config.quick_gelu
    assert_same_features(ours, reference.encode_image, reference.encode_text)


def test_a_plain_state_dict_gives_the_same_features(model, tmp_path, load):
    torch.save(plain(model), tmp_path / "plain.pt")
    reference = copy.deepcopy(halved(model)).float()
    assert_same_features(load(tmp_path / "plain.pt"), reference.encode_image, reference.encode_text)


def test_a_file_of_before_torch_1_6_is_read_too(model, tmp_path, load):
    torch.save(plain(model), tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    reference = copy.deepcopy(halved(model)).float()
    assert_same_features(load(tmp_path / "old.pt"), reference.encode_image, reference.encode_text)


def test_archive_and_state_dict_are_one_model(model, tmp_path):
    """Half weights stay half and float ones float, and nothing but the model is in the file: the bytes are equal."""
    torch.save(plain(model), tmp_path / "plain.pt")
    infos = [
        resolve(path, models=tmp_path / "models")
        for path in (save_archive(model, tmp_path / "tiny.pt"), tmp_path / "plain.pt")
    ]
    assert infos[0].fingerprint == infos[1].fingerprint
    assert infos[0].path != infos[1].path
    tokens = model.token_embedding.weight.numel()
    halves = 2 * (infos[0].parameters - tokens) + 4 * tokens  # the embedding of tokens stays float
    assert infos[0].path.stat().st_size < halves * 1.1


@pytest.mark.parametrize("name", ["vit", "resnet"])
def test_the_layout_tells_the_configuration(name):
    """The heads are 64 channels wide there, so the shapes alone are enough."""
    config = {"vit": PRESETS["ViT-B-32"], "resnet": PRESETS["builtin-1"]}[name]
    with torch.device("meta"):
        state = CLIP(config).state_dict()
    assert infer_config(state, "it") == config


def test_sizes_that_differ_from_the_weights_are_refused(tmp_path, load):
    model = model_of()
    path = save_archive(
        model, tmp_path / "tiny.pt", sizes={**sizes_of(model), "input_resolution": 224}, methods=["encode_text"]
    )
    with pytest.raises(ValueError, match=r"contradicts itself: input_resolution is 224, its weights have 32"):
        load(path)


@pytest.mark.parametrize("lacking", ["input_resolution", "context_length", "vocab_size"])
def test_a_state_dict_without_all_of_its_sizes_is_refused(tmp_path, load, lacking):
    state = plain(model_of())
    del state[lacking]
    torch.save(state, tmp_path / "plain.pt")
    with pytest.raises(ValueError, match=SHOWS_NOT):
        load(tmp_path / "plain.pt")


@pytest.mark.parametrize("quick_gelu", [True, False])
def test_half_weights_beside_float_ones_show_nothing(tmp_path, load, quick_gelu):
    """open_clip's precision="fp16" makes them of models with the exact GELU too."""
    torch.save(halved(model_of(quick_gelu=quick_gelu)).state_dict(), tmp_path / "plain.pt")
    with pytest.raises(ValueError, match=SHOWS_NOT):
        load(tmp_path / "plain.pt")
    with pytest.raises(ValueError, match=SHOWS_NOT):
        load(save_archive(model_of(), tmp_path / "traced.pt", sizes={}, methods=["encode_text"]))


@pytest.mark.parametrize(
    ("vision", "text", "embed_dim"),
    [
        ({**VIT, "layers": 3}, TEXT, 24),
        ({**VIT, "patch_size": 16}, TEXT, 24),
        ({**VIT, "width": 128, "head_width": 32}, TEXT, 24),
        (VIT, {**TEXT, "width": 128, "heads": 4}, 24),
        (VIT, {**TEXT, "layers": 1}, 24),
        (VIT, TEXT, 32),
        ({**RESNET, "layers": [1, 1, 1, 1]}, TEXT, 24),
    ],
)
def test_a_model_that_openai_has_not_published_is_refused(tmp_path, load, vision, text, embed_dim):
    """Its heads are not known, whatever its file says of its sizes."""
    model = model_of(vision, text, embed_dim=embed_dim)
    torch.save(plain(model), tmp_path / "plain.pt")
    for path in (tmp_path / "plain.pt", save_archive(model, tmp_path / "traced.pt", methods=["encode_text"])):
        with pytest.raises(ValueError, match=SHOWS_NOT):
            load(path)


def test_the_published_models_are_those_that_open_clip_names():
    """It describes OpenAI's models by files of its own."""
    names = ("RN50", "RN101", "RN50x4", "RN50x16", "RN50x64", "ViT-B-32", "ViT-B-16", "ViT-L-14", "ViT-L-14-336")
    for ours, name in zip(PUBLISHED, names, strict=False):
        said = open_clip().get_model_config(name)
        vision, text, layers = said["vision_cfg"], said["text_cfg"], ours.vision.layers
        assert said["embed_dim"] == ours.embed_dim
        assert (vision["image_size"], vision["width"], vision.get("patch_size")) == (
            ours.vision.image_size, ours.vision.width, ours.vision.patch_size,
        )  # fmt: skip
        assert vision["layers"] == (list(layers) if isinstance(layers, tuple) else layers)
        assert text == {
            "context_length": ours.text.context_length, "vocab_size": ours.text.vocab_size, "width": ours.text.width,
            "heads": ours.text.heads, "layers": ours.text.layers,
        }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("visual.ln_post.bias"), r"1 tensor missing \(visual.ln_post.bias\), 0 unknown"),
        (lambda s: s.pop("ln_final.weight"), "no CLIP in OpenAI's layout: the tensor 'ln_final.weight' is missing"),
        (lambda s: s.update(spare=torch.zeros(3)), r"0 tensors missing \(none\), 1 unknown \(spare\)"),
        (lambda s: s.update(attn_mask=torch.zeros(77, 77)), r"1 unknown \(attn_mask\)"),
        (lambda s: s.update(attn_mask=torch.full((77, 77), -torch.inf).triu(1)), None),
        (lambda s: s.update({"visual.ln_post.bias": torch.zeros(7)}), r"ln_post.bias: expected \(64,\), got \(7,\)"),
        (lambda s: s.update({"visual.proj": torch.zeros(64, 24, dtype=torch.float64)}), "is of type torch.float64"),
        (lambda s: s["visual.proj"].fill_(torch.nan), "visual.proj holds values that are not finite"),
        (lambda s: s["visual.proj"].fill_(torch.inf), "visual.proj holds values that are not finite"),
        (lambda s: s.update({"visual.conv1.weight": torch.zeros(5)}), "no model has its shapes"),
        (lambda s: s.update({"token_embedding.weight": torch.zeros(9, 64)}), "vocab_size is 49408, its weights have 9"),
        (lambda s: [s.pop(n) for n in list(s) if n.startswith("visual.")], "the tensor 'visual.* is missing"),
        (lambda s: [s.pop(n) for n in list(s) if not n.startswith("visual.")], "'ln_final.weight' is missing"),
        (lambda s: [s.update({f"vision_model.{n}": s.pop(n)}) for n in list(s)], "its config.json has to lie beside"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(tmp_path, load, change, message):
    state = plain(model_of())
    change(state)
    torch.save(state, tmp_path / "changed.pt")
    if message is None:
        assert load(tmp_path / "changed.pt").config.embed_dim == 24
        return
    with pytest.raises(ValueError, match=message):
        load(tmp_path / "changed.pt")
    assert {file.suffix for file in (tmp_path / "models").glob("*")} <= {".lock"}


@pytest.mark.parametrize("said", [torch.tensor(32.9), torch.tensor([32, 32])])
def test_a_size_that_is_no_whole_number_is_refused(tmp_path, load, said):
    state = plain(model_of())
    torch.save({**state, "input_resolution": said}, tmp_path / "odd.pt")
    with pytest.raises(ValueError, match="contradicts itself: input_resolution"):
        load(tmp_path / "odd.pt")


def test_no_model_of_a_thousand_blocks_is_built():
    blocks = {f"transformer.resblocks.{i}.ln_1.weight": torch.zeros(0) for i in range(1000)}
    state = {**plain(model_of()), **blocks}
    with pytest.raises(ValueError, match=r"no model has its shapes \(layers is .* from 1 to 100, got 1000\)"):
        fitted(infer_config(state, "deep"), state, "deep")
