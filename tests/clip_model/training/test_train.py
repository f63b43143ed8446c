"""Training: it learns, resumes where it stopped, and stops rather than learn from nonsense."""

import itertools
import json
import math
from dataclasses import replace

import pytest
import torch

from clip_model.checkpoint import load_model, save_model
from clip_model.config import CLIPConfig, TextConfig, VisionConfig
from clip_model.model import CLIP
from clip_model.training import train as training
from clip_model.training.data import draw_batch, read_pairs
from clip_model.training.recipes import RECIPES, Recipe
from clip_model.training.run import resume, save_checkpoint, start
from clip_model.training.schedule import adamw, learning_rate
from clip_model.training.train import train, train_step
from clip_model.training.validation import validator
from tests.clip_model import training_data
from tests.clip_model.tiny_models import MOBILE

TINY = CLIPConfig(
    embed_dim=16,
    vision=VisionConfig(image_size=32, layers=2, width=32, patch_size=8, head_width=16),
    text=TextConfig(width=16, heads=2, layers=1),  # a vocabulary of 49,408 learns too, and costs the most
)
RECIPE = Recipe(TINY, steps=12, batch_size=24, lr=2e-3, warmup=2, jitter=0.0, log_every=4, save_every=6, eval_every=12)


@pytest.fixture(scope="module")
def shard(tmp_path_factory):
    return training_data.write(tmp_path_factory.mktemp("data") / "train.parquet")


@pytest.fixture(scope="module")
def pairs(shard):
    return read_pairs([shard], side=36)


def begin(recipe=RECIPE, seed=0):
    return start(recipe, seed=seed, device=torch.device("cpu"), vectors=None)


def batch(pairs, step, size=24, caption_weight=3.0):
    return draw_batch(pairs, size=size, image_size=32, seed=0, step=step, caption_weight=caption_weight, jitter=0.0)


def test_it_overfits_one_batch(pairs):
    recipe = replace(RECIPE, steps=60, warmup=5)
    run, one = begin(recipe), batch(pairs, 0, size=12, caption_weight=0.0)
    losses = [train_step(run, one) for _ in range(60)]
    floor = _least_possible(one.same)
    assert losses[0] > floor + 0.5
    assert losses[-1] < floor + 0.15


@pytest.mark.usefixtures("one_core")
@pytest.mark.parametrize("kind", ["fastvit", "vit-stem"])
def test_towers_of_mobile_clip_learn(pairs, kind):
    """Unfolded, with batch norms that see the batch."""
    small = {"layers": (1, 1, 1, 1), "width": 8, "mlp_width": 16} if kind == "fastvit" else {"layers": 1}
    vision = replace(MOBILE[kind].vision, image_size=32, **small)
    run = begin(replace(RECIPE, model=replace(TINY, vision=vision), warmup=1))
    one = batch(pairs, 0, size=6, caption_weight=0.0)
    losses = [train_step(run, one) for _ in range(4)]
    assert losses[-1] < losses[0] - 0.05


def test_a_locked_text_tower_stays_while_the_image_tower_learns(pairs, tmp_path):
    save_model(CLIP(TINY), tmp_path / "init.safetensors")
    recipe = replace(RECIPE, text="locked")
    run = start(recipe, seed=0, device=torch.device("cpu"), vectors=None, init=tmp_path / "init.safetensors")
    before = {name: value.clone() for name, value in run.model.state_dict().items()}
    computed, encode = [], run.model.encode_text
    run.model.encode_text = lambda tokens: computed.append(len(tokens)) or encode(tokens)
    losses = [train_step(run, batch(pairs, 0)) for _ in range(8)]
    changed = {name for name, value in run.model.state_dict().items() if not torch.equal(value, before[name])}
    assert losses[-1] < losses[0]
    assert {name.partition(".")[0] for name in changed} <= {"visual", "logit_scale"}
    assert "visual.proj" in changed
    assert sum(computed) == len(set(batch(pairs, 0).texts))  # each text once, however many steps


def _least_possible(same):
    """Nats of a model that gives each photo's texts, and each text's photos, equal shares of everything."""
    targets = same.double()
    shares = [targets.sum(1), targets.sum(0)]
    return sum(share.log().mean().item() for share in shares) / 2


def test_a_resumed_run_has_the_losses_of_one_that_never_stopped(pairs, tmp_path):
    whole = begin()
    losses = [train_step(whole, batch(pairs, step)) for step in range(8)]
    first = begin()
    for step in range(4):
        train_step(first, batch(pairs, step))
    save_checkpoint(first, tmp_path / "checkpoint.pt", {"top1": 0.5})
    second = begin()
    assert resume(second, tmp_path / "checkpoint.pt") == {"top1": 0.5}
    assert second.step == 4
    again = [train_step(second, batch(pairs, step)) for step in range(4, 8)]
    assert again == pytest.approx(losses[4:], abs=1e-6)


def test_a_checkpoint_of_another_recipe_or_seed_is_refused(pairs, tmp_path):
    save_checkpoint(begin(), tmp_path / "checkpoint.pt", {})
    with pytest.raises(ValueError, match="another recipe or seed"):
        resume(begin(replace(RECIPE, lr=1e-3)), tmp_path / "checkpoint.pt")
    with pytest.raises(ValueError, match="another recipe or seed"):
        resume(begin(seed=1), tmp_path / "checkpoint.pt")


def test_a_loss_that_is_no_number_stops_the_run_at_its_step(pairs):
    run = begin()
    train_step(run, batch(pairs, 0))
    with torch.no_grad():
        run.model.text_projection.fill_(float("nan"))
    before = run.model.visual.proj.clone()
    with pytest.raises(FloatingPointError, match="step 1"):
        train_step(run, batch(pairs, 1))
    torch.testing.assert_close(run.model.visual.proj, before)


def test_the_temperature_is_clamped(pairs):
    run = begin()
    with torch.no_grad():
        run.model.logit_scale.fill_(10.0)
    train_step(run, batch(pairs, 0))
    assert run.model.logit_scale.exp().item() <= 100.0 + 1e-3


def test_gains_biases_and_temperature_do_not_decay():
    run = begin()
    decayed, kept = adamw([run.model], lr=1.0, weight_decay=0.1).param_groups
    assert (decayed["weight_decay"], kept["weight_decay"]) == (0.1, 0.0)
    plain = {id(parameter) for parameter in kept["params"]}
    names = {name for name, parameter in run.model.named_parameters() if id(parameter) in plain}
    assert {"logit_scale", "ln_final.weight", "ln_final.bias", "visual.class_embedding"} <= names
    assert not names & {"text_projection", "token_embedding.weight", "visual.conv1.weight"}


def test_the_rate_rises_and_then_falls_to_nothing():
    rates = [learning_rate(step, peak=1.0, warmup=10, steps=110) for step in range(111)]
    assert rates[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert rates[60] == pytest.approx(0.5)
    assert rates[110] == pytest.approx(0.0)
    assert max(rates) == 1.0
    assert all(a >= b for a, b in itertools.pairwise(rates[10:]))


def test_the_loop_logs_measures_and_saves(pairs, shard, tmp_path):
    run = begin()
    metrics = train(run, pairs, tmp_path, validator(shard, None))
    assert run.step == 12
    assert {"labelled.top1", "captioned.text_to_image.recall@10"} <= metrics.keys()
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [4, 8, 12, 12]
    assert all(math.isfinite(line["loss"]) for line in lines[:3])
    assert (tmp_path / "checkpoint.pt").is_file()
    assert not list(tmp_path.glob("*.partial"))


def test_the_command_trains_resumes_and_leaves_a_model(shard, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "RECIPES", {"small": RECIPE})
    command = [
        "--config",
        "small",
        "--data",
        str(shard),
        "--val",
        str(shard),
        "--out",
        str(tmp_path),
        "--device",
        "cpu",
    ]
    training.main(command)
    model = load_model(tmp_path / "model.safetensors")
    assert model.config == TINY
    log = (tmp_path / "log.jsonl").read_text()
    training.main(command)  # nothing is left to do
    assert (tmp_path / "log.jsonl").read_text() == log
    for name, value in load_model(tmp_path / "model.safetensors").state_dict().items():
        torch.testing.assert_close(value, model.state_dict()[name], rtol=0, atol=0)


def test_it_starts_from_given_weights_of_the_same_architecture_only(shard, tmp_path, tiny_model_path):
    with pytest.raises(ValueError, match="the recipe trains"):
        start(RECIPE, seed=0, device=torch.device("cpu"), vectors=None, init=tiny_model_path)


def test_every_recipe_describes_a_run():
    for recipe in RECIPES.values():
        assert 0 < recipe.warmup < recipe.steps
        assert recipe.lr > 0
