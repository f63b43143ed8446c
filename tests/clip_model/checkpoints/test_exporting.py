"""Exported folders are loaded by open_clip and transformers, with the same features; here they are the same model."""

import errno
from dataclasses import replace

import pytest
import torch
from PIL import Image
from safetensors import SafetensorError

from clip_model.checkpoint import load_model, save_model
from clip_model.checkpoints import exporting
from clip_model.checkpoints.exporting import export
from clip_model.config import CLIPConfig, TextConfig, VisionConfig
from clip_model.header import read_header
from clip_model.preprocessing.squares import CenterSquare
from clip_model.preprocessing.tokenizer import EOT, Tokenizer
from clip_model.registry import resolve
from tests.clip_model.checkpoints.reference_models import assert_same_features
from tests.clip_model.checkpoints.siglip_folders import save_siglip, save_siglip2
from tests.clip_model.checkpoints.test_hugging_face import features
from tests.clip_model.open_clip_reference import open_clip, transformers
from tests.clip_model.tiny_models import OURS, random_clip

VIT = VisionConfig(32, 2, 32, 8, 16, mean=(0.5, 0.4, 0.3), std=(0.25, 0.5, 0.5))
MODELS = {
    "vit": CLIPConfig(24, VIT, TextConfig(width=16, heads=2, layers=2)),
    "wide": CLIPConfig(
        24, VisionConfig(32, 1, 32, 8, 16, mlp_width=100), TextConfig(width=16, heads=2, layers=1, mlp_width=50),
        quick_gelu=False,
    ),
    "resnet": CLIPConfig(24, VisionConfig(64, (1, 2, 1, 1), 8, None, 32), TextConfig(width=16, heads=2, layers=1)),
}  # fmt: skip


@pytest.fixture
def saved(tmp_path):
    def save(config):
        model = random_clip(config)
        save_model(model, tmp_path / "ours.safetensors")
        return model, tmp_path / "ours.safetensors"

    return save


@pytest.mark.parametrize("kind", MODELS)
def test_open_clip_gives_the_same_features(saved, tmp_path, kind):
    model, path = saved(MODELS[kind])
    export(path, tmp_path / "out", "openclip")
    theirs, preprocess = open_clip().create_model_from_pretrained(f"local-dir:{tmp_path / 'out'}")
    assert_same_features(model, theirs.eval().encode_image, theirs.encode_text)
    assert tuple(preprocess.transforms[-1].mean) == model.config.vision.mean
    assert resolve(tmp_path / "out", models=tmp_path / "models").fingerprint == resolve(path).fingerprint


@pytest.mark.parametrize("kind", ["vit", "wide"])
def test_transformers_gives_the_same_features(saved, tmp_path, kind):
    model, path = saved(MODELS[kind])
    export(path, tmp_path / "out", "huggingface")
    theirs = transformers().CLIPModel.from_pretrained(tmp_path / "out").eval()
    assert_same_features(model, *features(theirs))
    processor = transformers().CLIPImageProcessor.from_pretrained(tmp_path / "out")
    assert tuple(processor.image_mean) == model.config.vision.mean
    again = resolve(tmp_path / "out", models=tmp_path / "models")
    assert again.fingerprint == resolve(path).fingerprint
    assert load_model(again.path).config == model.config


def test_transformers_finds_clips_tokenizer_in_the_export(saved, tmp_path):
    _, path = saved(replace(MODELS["vit"], text=replace(MODELS["vit"].text, context_length=20)))
    export(path, tmp_path / "out", "huggingface")
    theirs = transformers().CLIPProcessor.from_pretrained(tmp_path / "out").tokenizer
    texts = ["Two  dogs on a BEACH, №5 写真", "", "word " * 40, "it's <x> & 3.5"]
    ids = theirs(texts, padding="max_length", truncation=True).input_ids
    for mine, row in zip(Tokenizer(20).ids(texts).tolist(), ids, strict=True):
        end = mine.index(EOT) + 1
        assert row == [*mine[:end], *[EOT] * (20 - end)]


@pytest.mark.parametrize("name", ["siglip", "siglip2"])
def test_a_siglip_is_the_same_model_again(tmp_path, name):
    folder = {"siglip": save_siglip, "siglip2": save_siglip2}[name](tmp_path / "folder")
    info = resolve(folder, models=tmp_path / "models")
    export(info.path, tmp_path / "out", "huggingface")
    again = resolve(tmp_path / "out", models=tmp_path / "models")
    assert again.fingerprint == info.fingerprint
    theirs, expected = (
        transformers().SiglipModel.from_pretrained(one).state_dict() for one in (tmp_path / "out", folder)
    )
    assert all(torch.equal(value, theirs[key]) for key, value in expected.items())
    kind = transformers().SiglipImageProcessor
    processors = [kind.from_pretrained(one) for one in (tmp_path / "out", folder)]
    assert len({(str(one.size), one.resample, str(one.image_mean)) for one in processors}) == 1
    if name == "siglip2":  # the other's wants sentencepiece
        tokenizers = [transformers().Siglip2Tokenizer.from_pretrained(one) for one in (tmp_path / "out", folder)]
        ids = [one("Two dogs on", padding="max_length", truncation=True, max_length=16).input_ids for one in tokenizers]
        assert ids[0] == ids[1]
    with pytest.raises(ValueError, match="the layout 'openclip' has no place for a text tower of the kind 'siglip'"):
        export(info.path, tmp_path / "other", "openclip")


@pytest.mark.parametrize("resize", ["crop-bilinear", "squash", "squash-bilinear", "stretch"])
def test_the_export_says_how_pictures_are_resized(saved, tmp_path, resize):
    _, path = saved(replace(MODELS["vit"], vision=replace(MODELS["vit"].vision, resize=resize)))
    for layout, wanted in (("openclip", "stretch"), ("huggingface", "squash")):
        said = export(path, tmp_path / layout, layout)
        config = read_header(resolve(tmp_path / layout, models=tmp_path / "models").path).config
        assert config.vision.resize == resize.replace("squash", wanted).replace("stretch", wanted)
        early = resize.startswith("squash")  # RGB is what it becomes first
        assert ("palette or transparency has other features there" in said) is (early != (layout == "huggingface"))
        if said:
            assert ("RGB before" in said) is (layout == "huggingface")


def test_pictures_of_other_colours_are_what_the_sentence_says():
    noise = Image.effect_noise((60, 40), 90).convert("RGB")
    noise.putalpha(noise.getchannel(0).point(lambda value: 255 * (value > 128)))
    for mode in ("RGB", "L", "P", "RGBA", "LA"):
        early, late = (CenterSquare(32, how)(noise.convert(mode)).astype(int) for how in ("squash", "stretch"))
        assert (int(abs(early - late).max()) > 20) is (mode in ("P", "RGBA", "LA")), mode


@pytest.mark.parametrize(
    ("config", "layout", "message"),
    [
        (MODELS["resnet"], "huggingface", "no place for a ResNet"),
        (OURS["efficientnet"], "huggingface", "no place for a text tower of the kind 'sentence'"),
        (MODELS["vit"], "onnx", "unknown layout 'onnx'"),
    ],
)
def test_what_a_layout_has_no_place_for_is_refused(saved, tmp_path, config, layout, message):
    _, path = saved(config)
    with pytest.raises(ValueError, match=message):
        export(path, tmp_path / "out", layout)
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_over(saved, tmp_path):
    _, path = saved(MODELS["vit"])
    (tmp_path / "out").mkdir()
    (tmp_path / "out/precious").write_text("mine")
    with pytest.raises(FileExistsError, match="holds something"):
        export(path, tmp_path / "out", "openclip")
    assert (tmp_path / "out/precious").read_text() == "mine"


def failing(error, meanwhile=lambda: None):
    """A `replacing` that lets the weights be written, and nothing else."""
    real, calls = exporting.replacing, []

    def replacing(path):
        calls.append(path)
        if len(calls) == 2:
            meanwhile()
            raise error
        return real(path)

    return replacing


@pytest.mark.parametrize("late", [False, True], ids=["weights", "configuration"])
def test_a_full_disk_is_told_as_one_and_the_next_call_begins_anew(saved, tmp_path, monkeypatch, late):
    def full(*_):
        raise SafetensorError("No space left on device")

    _, path = saved(MODELS["vit"])
    with monkeypatch.context() as patched:
        if late:
            patched.setattr(exporting, "replacing", failing(OSError(errno.ENOSPC, "No space left on device")))
        else:
            patched.setattr(exporting, "save_file", full)
        with pytest.raises(
            OSError, match=r"out cannot be written \(.*No space left on device\); nothing that this export wrote"
        ):
            export(path, tmp_path / "out", "huggingface")
    assert not list((tmp_path / "out").iterdir())
    export(path, tmp_path / "out", "huggingface")


def test_an_interrupted_export_leaves_nothing(saved, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "replacing", failing(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        export(saved(MODELS["vit"])[1], tmp_path / "out", "openclip")
    assert not list((tmp_path / "out").iterdir())


def test_an_export_that_fails_deletes_nothing_that_another_has_put_there(saved, tmp_path, monkeypatch):
    """Both began while the folder was empty, and the other one has ended well."""
    _, path = saved(MODELS["vit"])
    export(path, tmp_path / "other", "openclip")
    theirs, out = {file.name: file.read_bytes() for file in (tmp_path / "other").iterdir()}, tmp_path / "out"

    def other():
        for file in (tmp_path / "other").iterdir():
            file.replace(out / file.name)

    monkeypatch.setattr(exporting, "replacing", failing(OSError(errno.ENOSPC, "No space left on device"), other))
    with pytest.raises(OSError, match="No space left on device"):
        export(path, out, "openclip")
    assert {file.name: file.read_bytes() for file in out.iterdir()} == theirs
