"""8-bit image towers: proved on pictures before they are kept, and made anew where their file is not as it was."""

import hashlib
import json
import logging
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from clip_model.checkpoint import save_model
from clip_model.config import PROBE, CLIPConfig, VisionConfig
from clip_model.hub.shelf import Shelf
from clip_model.inference import Encoder, load_encoder
from clip_model.int8 import extra, graph, kept, proving
from clip_model.int8.kept import int8_tower
from clip_model.int8.notes import files_made_of
from clip_model.model import CLIP
from indexer.embedder import Embedder
from tests.clip_model.tiny_models import CONFIGS, MOBILE, OURS, TEXT, random_clip

VISION = VisionConfig(image_size=32, layers=2, width=64, patch_size=8, head_width=32)
CONFIG = CLIPConfig(24, VISION, TEXT)
SIGLIP = CLIPConfig(64, replace(VISION, pooling=PROBE, resize="squash"), replace(TEXT, kind="siglip", vocab_size=50))


@pytest.fixture(scope="module")
def model():
    return random_clip(CONFIG)


@pytest.fixture(scope="module")
def made(model, tmp_path_factory):
    """A folder of converted models with the tower in it."""
    folder = tmp_path_factory.mktemp("models")
    int8_tower(model.visual, CONFIG, "of the model", folder)
    return folder


@pytest.fixture
def folder(made, tmp_path):
    """A copy of that, to be changed."""
    (tmp_path / "int8").mkdir()
    for file in (made / "int8").iterdir():
        (tmp_path / "int8" / file.name).write_bytes(file.read_bytes())
    return tmp_path


@pytest.fixture(scope="module")
def graph_of():
    """Makes the graph of each tower once: it's most of what these tests do."""
    graphs = {}

    def make(tower, *given):
        if tower not in graphs:
            graphs[tower] = graph.quantized_graph(tower, *given)
        return graphs[tower]

    return make


@pytest.fixture
def makings(graph_of, monkeypatch):
    """Counts how often a graph is asked for."""
    seen = []
    monkeypatch.setattr(kept, "quantized_graph", lambda *given: seen.append(given) or graph_of(*given))
    return seen


def files(folder):
    return {file.suffix: file for file in (folder / "int8").iterdir() if file.suffix}


def pictures(count):
    draw = np.random.default_rng(1)
    return [Image.fromarray(draw.integers(0, 256, (40, 50, 3), dtype=np.uint8)) for _ in range(count)]


def test_the_encoder_gives_what_it_gives_in_fp32_nearly(model, tmp_path, caplog):
    exact = Encoder(model, device="cpu", precision="fp32")
    short = Encoder(model, device="cpu", precision="int8", models=tmp_path)
    assert short.precision == "int8"
    assert [record.name for record in caplog.records] == ["clip_model.int8.kept"]  # none by the root logger
    for count in (1, 3, 33):
        got, expected = short.encode_images(pictures(count)), exact.encode_images(pictures(count))
        assert got.dtype == np.float32
        assert (got * expected).sum(axis=1).min() > 0.99
        assert not np.array_equal(got, expected)
    texts = ["a dog", "two cats"]
    assert np.array_equal(short.encode_texts(texts), Encoder(model, device="cpu").encode_texts(texts))
    square = np.zeros((32, 32, 3), dtype=np.uint8)
    assert np.array_equal(short.encode_cells(square), Encoder(model, device="cpu").encode_cells(square))


def test_siglips_tower_is_one_of_them(tmp_path):
    tower = random_clip(SIGLIP).visual
    pixels = torch.randn(5, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        assert proving.least_cosine(int8_tower(tower, SIGLIP, "", tmp_path)(pixels), tower(pixels)) > 0.99


def test_it_is_made_once(model, folder, makings):
    first, again = (int8_tower(model.visual, CONFIG, "of the model", folder) for _ in range(2))
    pixels = proving.drawn_pixels(VISION)
    assert torch.equal(first(pixels), again(pixels))
    assert makings == []


def test_another_model_has_another(model, folder, makings):
    int8_tower(model.visual, CONFIG, "of another", folder)
    assert len(makings) == 1
    assert len(list((folder / "int8").glob("*.onnx"))) == 2


def test_other_libraries_make_it_anew(model, folder, makings, monkeypatch):
    monkeypatch.setattr("onnxruntime.__version__", "99")
    int8_tower(model.visual, CONFIG, "of the model", folder)
    assert len(makings) == 1


def test_without_a_fingerprint_the_weights_tell_it(model, tmp_path, makings):
    other = random_clip(CONFIG, seed=5)
    for each in (model, model, other):
        int8_tower(each.visual, CONFIG, "", tmp_path)
    assert len(makings) == 2


def in_note(**change):
    def apply(folder):
        note = files(folder)[".json"]
        note.write_text(json.dumps({**json.loads(note.read_text()), **change}))

    return apply


def swapped(folder):
    """A sound graph of another network, put in the place of this one."""
    other = random_clip(CONFIG, seed=5).visual
    (folder / "other").mkdir()
    files(folder)[".onnx"].write_bytes(graph.quantized_graph(other, 32, folder / "other"))


def of_another_size(folder):
    (folder / "other").mkdir()
    tower = random_clip(CONFIGS["vit-gelu"]).visual
    files(folder)[".onnx"].write_bytes(graph.quantized_graph(tower, 48, folder / "other"))


def swapped_with_its_hash(folder, swap=swapped):
    swap(folder)
    in_note(sha256=hashlib.sha256(files(folder)[".onnx"].read_bytes()).hexdigest())(folder)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: files(folder)[".onnx"].unlink(),
        lambda folder: files(folder)[".json"].unlink(),
        lambda folder: files(folder)[".json"].write_text("[" * 100_000),
        lambda folder: files(folder)[".onnx"].write_bytes(files(folder)[".onnx"].read_bytes()[:-9]),
        swapped,
        swapped_with_its_hash,
        lambda folder: swapped_with_its_hash(folder, of_another_size),
        lambda folder: swapped_with_its_hash(folder, lambda folder: files(folder)[".onnx"].write_bytes(b"no graph")),
        in_note(model="of another"),
        in_note(sha256=None),
    ],
)
def test_what_is_not_as_it_was_made_is_made_anew(model, folder, makings, damage):
    damage(folder)
    with torch.inference_mode():
        pixels = proving.drawn_pixels(VISION)
        got = int8_tower(model.visual, CONFIG, "of the model", folder)(pixels)
        assert proving.least_cosine(got, model.visual(pixels)) > 0.99
    assert len(makings) == 1
    int8_tower(model.visual, CONFIG, "of the model", folder)
    assert len(makings) == 1


def test_what_a_killed_one_left_goes(model, folder, makings):
    key = files(folder)[".onnx"].stem
    (folder / f"int8/making-{key}.abc").mkdir()
    (folder / f"int8/making-{key}.abc/fp32.onnx").write_bytes(b"half")
    (folder / f"int8/.{key}.onnx.abc.partial").write_bytes(b"half")
    files(folder)[".json"].unlink()
    int8_tower(model.visual, CONFIG, "of the model", folder)
    assert sorted(file.name for file in (folder / "int8").iterdir()) == [f"{key}.json", f"{key}.onnx", f"lock-{key}"]


def test_one_that_computes_something_else_is_refused_with_the_number(model, tmp_path, monkeypatch):
    monkeypatch.setattr(proving, "LEAST_COSINE", 0.9999999)
    with pytest.raises(ValueError, match=r"'int8' is refused .* of 0\.99\d\d at least, and 0\.9999999 is needed"):
        int8_tower(model.visual, CONFIG, "of the model", tmp_path)
    assert set(files(tmp_path)) == set()


def test_features_that_are_not_finite_are_refused(model):
    def broken(pixels):
        features = model.visual(pixels)
        features[-1, 2] = torch.nan
        return features

    pixels = proving.drawn_pixels(VISION)
    assert proving.check(model.visual, model.visual, pixels) == pytest.approx(1)
    with pytest.raises(ValueError, match=r"of -1\.0000 at least"):
        proving.check(broken, model.visual, pixels)


def test_a_picture_alone_is_tried_too(model):
    def only_together(pixels):
        return model.visual(pixels) if len(pixels) > 1 else -model.visual(pixels)

    with pytest.raises(ValueError, match=r"of -1\.0000 at least"):
        proving.check(only_together, model.visual, proving.drawn_pixels(VISION))


@pytest.mark.parametrize("kind", ["vit-stem", "vit-biased"])
def test_mobile_clips_transformers_are_taken_with_their_stem(kind, tmp_path):
    tower, vision = random_clip(MOBILE[kind]).visual, MOBILE[kind].vision
    with torch.inference_mode():
        pixels = proving.drawn_pixels(vision)
        made = int8_tower(tower, MOBILE[kind], "", tmp_path)
        assert proving.least_cosine(made(pixels), tower(pixels)) > 0.99


@pytest.mark.parametrize("config", [CONFIGS["resnet"], OURS["efficientnet"], MOBILE["fastvit"]])
def test_convolutions_are_refused_and_run_as_by_auto(config, tmp_path, caplog):
    with pytest.raises(ValueError, match="transformers, and this model's is made of convolutions; let the precision"):
        int8_tower(CLIP(config).visual, config, "", tmp_path)
    encoder = Encoder(CLIP(config).eval(), name=f"{tmp_path}", device="cpu", precision="int8", models=tmp_path)
    assert encoder.precision in ("fp32", "bf16")
    assert [message.partition(": ")[0] for message in caplog.messages] == [
        f"precision 'int8' is set, and {tmp_path} runs as by 'auto'"
    ]


def test_a_tower_that_no_file_holds_is_refused(model, tmp_path, monkeypatch):
    monkeypatch.setattr(extra, "MOST_BYTES", 1000)
    with pytest.raises(ValueError, match=r"at most 0\.0 GB in float32, which an ONNX file holds, and this one has"):
        int8_tower(model.visual, CONFIG, "", tmp_path)


def test_a_folder_that_cannot_be_written_is_named(model, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="the setting 'converted_models' names another"):
        int8_tower(model.visual, CONFIG, "", tmp_path / "file")


def test_a_loaded_model_is_known_by_its_fingerprint(model, tmp_path, caplog):
    save_model(model, tmp_path / "mine.safetensors")
    caplog.set_level(logging.WARNING)
    for _ in range(2):
        encoder = load_encoder(tmp_path / "mine.safetensors", device="cpu", precision="int8", models=tmp_path)
        assert encoder.encode_images(pictures(2)).shape == (2, 24)
    assert len(caplog.records) == 1


def test_indexing_and_searching_run_in_it(model, tmp_path):
    save_model(model, tmp_path / "mine.safetensors")
    chosen = Embedder(str(tmp_path / "mine.safetensors"), device="cpu", precision="int8", converted=tmp_path / "models")
    exact = Embedder(str(tmp_path / "mine.safetensors"), device="cpu", precision="fp32")
    assert chosen.plan() == ("cpu", "int8")
    squares = [chosen.prepare(picture) for picture in pictures(3)]
    got, expected = chosen.embed_squares(squares), exact.embed_squares(squares)
    assert 0.99 < (got * expected).sum(axis=1).min() < 0.9999999
    assert (chosen.plan(), chosen.fingerprint) == (("cpu", "int8"), exact.fingerprint)
    assert len(list((tmp_path / "models/int8").glob("*.onnx"))) == 1


def test_one_that_cannot_run_in_it_runs_as_it_is_planned(tmp_path):
    save_model(random_clip(CONFIGS["resnet"]), tmp_path / "mine.safetensors")
    embedder = Embedder(str(tmp_path / "mine.safetensors"), device="cpu", precision="int8", converted=tmp_path)
    planned = embedder.plan()
    assert planned[1] in ("fp32", "bf16")
    assert embedder.embed_images(pictures(1)).shape == (1, CONFIGS["resnet"].embed_dim)
    assert embedder.plan() == planned


def test_what_was_made_of_a_model_is_counted_and_goes_with_it(model, folder, makings):
    int8_tower(model.visual, CONFIG, "of another", folder)
    int8_tower(model.visual, CONFIG, "", folder)
    (folder / "int8/mine.json").write_text(json.dumps({"model": "of the model", "sha256": ""}))
    shelf, whole = Shelf(folder), set((folder / "int8").iterdir())
    ours = [*files_made_of("of the model", folder)]
    assert {file.suffix for file in ours} == {".onnx", ".json"}
    taken = sum(file.stat().st_size for file in ours)
    assert shelf.converted_bytes("of the model") == taken > 10_000
    assert [*files_made_of("", folder)] == []
    assert shelf.remove("/some/where.pt", "of the model", keep="of another") == taken
    assert set((folder / "int8").iterdir()) == whole - {*ours}
    assert shelf.remove("/some/where.pt", "of another", keep="of another") == 0
