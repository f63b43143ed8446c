"""Heads on features on disk: what is kept and drawn, that they learn, and that what was measured is saved."""

import json

import numpy as np
import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet
from safetensors import safe_open
from torch.nn import functional as F

from clip_model.checkpoint import load_model
from clip_model.pretrained import features, head_run
from clip_model.pretrained.features import extract, is_chosen, read_features, view
from clip_model.pretrained.heads import fold, new_model, standardize
from clip_model.pretrained.telling import Drawing, Told, draw, with_labels
from clip_model.training.data import Label, read_texts
from clip_model.training.teacher import SentenceVectors
from tests.clip_model import training_data
from tests.clip_model.tiny_models import randomize

SIZE = 64


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two shards, published weights (random ones), and the features of both."""
    folder = tmp_path_factory.mktemp("heads")
    training_data.write(folder / "photos-00.parquet", 48)
    training_data.write(folder / "val.parquet", 24, seed=1)
    torch.save(randomize(EfficientNet.from_name("efficientnet-lite0")).state_dict(), folder / "lite0.pth")
    for shard in ("photos-00", "val"):
        run_features(folder, shard)
    return folder


def run_features(folder, shard, *more):
    features.main(
        ["--variant", "lite0", "--weights", str(folder / "lite0.pth"), "--size", str(SIZE),
         "--data", str(folder / f"{shard}.parquet"), "--out", str(folder / "features"), *more]
    )  # fmt: skip


def test_features_are_computed_once(folder):
    chunks = {chunk.shard: chunk for chunk in read_features(folder / "features")}
    assert chunks["photos-00"].grid.shape == (48, 192, 2, 2)
    assert chunks["val"].rows.tolist() == list(range(24))
    before = {path.name: path.stat().st_mtime_ns for path in (folder / "features").iterdir()}
    run_features(folder, "val")
    assert {path.name: path.stat().st_mtime_ns for path in (folder / "features").iterdir()} == before


def test_a_share_takes_some_photos_of_a_source_and_a_larger_one_the_same_and_more(folder, tmp_path):
    tower = features.EfficientNetLite("lite0", 1).eval()
    count = extract(tower, folder / "photos-00.parquet", tmp_path, size=32, number=0, shares={"labelled": 0.0})
    assert count == 16  # the captioned ones
    keys = [f"k/{i}" for i in range(1000)]
    few, many = ({key for key in keys if is_chosen(key, share)} for share in (0.2, 0.5))
    assert few < many
    assert 150 < len(few) < 250


def test_random_views_differ_and_are_equal_for_equal_seeds():
    rng = np.random.default_rng(0)
    from PIL import Image

    image = Image.fromarray(rng.integers(0, 255, (60, 80, 3)).astype(np.uint8))
    first, again, other = (view(image, 32, number, (5,)) for number in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).mean() > 0.5
    assert (view(image, 32, 0, (5,)) == view(image, 32, 0, (6,))).all()


def test_a_guess_is_a_further_name_and_no_negative(folder):
    pairs = with_labels(read_texts([folder / "photos-00.parquet"]), [Label("tench", (), ("fish",))])
    tench = len(pairs.labels) - 1
    assert tench == len(read_texts([folder / "photos-00.parquet"]).labels)
    chances = torch.full((48, 1), 0.3)  # of the only class
    chances[:24] = 0.9
    told = Told(np.arange(48), chances, pairs)
    chosen, texts, same = draw(told, Drawing(batch_size=200, guess_share=0.5), 0)
    fish = [i for i, text in enumerate(texts) if text.endswith(("tench", "fish"))]
    assert 20 < len(fish) < 90
    assert (chosen[fish] < 24).all()
    for i in fish:
        np.testing.assert_array_equal(same[:, i].numpy(), chosen < 24)
    assert same.diagonal().all()


def test_folding_the_standardisation_changes_no_feature():
    model = new_model("lite0", SIZE, pooling="mean", hidden=16, embed_dim=8).eval()
    randomize(model.visual)
    pixels = torch.randn(12, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    visual = model.visual
    with torch.no_grad():
        grid = visual.trunk(pixels)
        mean, std = standardize(model, grid)
        expected = visual.head((visual.pooled(visual.top(grid)) - mean) / std)
        fold(model, mean, std)
        torch.testing.assert_close(visual(pixels), expected, atol=1e-3, rtol=1e-3)


def test_the_command_learns_measures_and_writes_what_it_measured(folder, tmp_path, monkeypatch):
    def by_hash(self, texts, path):
        rows = [np.random.default_rng(sum(text.encode())).normal(size=384) for text in texts]
        return np.array([row / np.linalg.norm(row) for row in rows], dtype=np.float16)

    monkeypatch.setattr(SentenceVectors, "_compute", by_hash)
    read = []
    monkeypatch.setattr(head_run, "load_sentence_weights", lambda tower, path: read.append(path))
    monkeypatch.setattr(head_run, "sentence_weights", lambda: folder / "none")
    monkeypatch.setattr(head_run, "imagenet_labels", lambda wordnet: [Label("tench", (), ("fish",))] * 1000)
    command = [
        "--features", str(folder / "features"), "--weights", str(folder / "lite0.pth"), "--variant", "lite0",
        "--size", str(SIZE), "--data", str(folder / "photos-*.parquet"), "--val", str(folder / "val.parquet"),
        "--out", str(tmp_path), "--steps", "30", "--batch-size", "48", "--hidden", "16",
        "--guess-share", "0", "--class-weight", "0.5",
    ]  # fmt: skip
    head_run.main(command)
    line = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert line["step"] == 30
    assert line["labelled.top1"] > 0.5, "four colours are told apart"
    model = load_model(tmp_path / "model.safetensors")
    assert model.config.vision.variant == "lite0"
    assert read == [folder / "none"]
    with safe_open(tmp_path / "model.safetensors", "pt") as file:
        notes = file.metadata()
    assert notes["data"] == str(folder / "photos-*.parquet")
    assert "--steps 30" in notes["command"]
    published = torch.load(folder / "lite0.pth", weights_only=True)
    torch.testing.assert_close(model.visual.conv_head.weight, published["_conv_head.weight"], atol=1e-3, rtol=1e-3)
    with pytest.raises(ValueError, match="never trained on"):
        head_run.main([*command, "--data", str(folder / "*.parquet")])
    assert F.normalize(model.encode_image(torch.zeros(1, 3, SIZE, SIZE)), dim=1).isfinite().all()
