"""Changes to the training code that pass unseen unless somebody looks: each of these tests looks at one."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from clip_model.checkpoint import load_model, save_model
from clip_model.config import CLIPConfig, TextConfig, VisionConfig
from clip_model.evaluation.evaluate import Photos, Towers, evaluate_labels
from clip_model.model import CLIP
from clip_model.preprocessing.transforms import MEAN, STD
from clip_model.towers.transformer import Transformer
from clip_model.towers.vision import build_visual
from clip_model.training import distill as distilling
from clip_model.training import train as training
from clip_model.training.augmentation import augment
from clip_model.training.data import draw_batch, read_pairs
from clip_model.training.recipes import RECIPES, Recipe
from clip_model.training.run import save_checkpoint, start
from clip_model.training.schedule import adamw
from clip_model.training.teacher import DIM, SentenceVectors
from clip_model.training.train import train_step
from clip_model.training.validation import validator
from tests.clip_model import training_data
from tests.clip_model.tiny_models import CONFIGS, MOBILE, OURS

CPU = torch.device("cpu")
VIT = CLIPConfig(
    16,
    VisionConfig(image_size=32, layers=1, width=32, patch_size=8, head_width=16),
    TextConfig(width=32, heads=2, layers=1),
)
RECIPE = Recipe(VIT, steps=4, batch_size=8, warmup=1)


@pytest.fixture(scope="module")
def shard(tmp_path_factory):
    return training_data.write(tmp_path_factory.mktemp("data") / "train.parquet")


@pytest.fixture(scope="module")
def pairs(shard):
    return read_pairs([shard], side=36)


@pytest.mark.usefixtures("one_core")
@pytest.mark.parametrize("name", ["resnet", "efficientnet", "fastvit", "vit-stem"])
def test_a_validation_neither_depends_on_its_batch_nor_moves_batch_norms(shard, name):
    run = start(Recipe((CONFIGS | MOBILE | OURS)[name], steps=4, warmup=1), seed=0, device=CPU, vectors=None)
    run.model.train()
    norms = {k: v.clone() for k, v in run.model.visual.state_dict().items() if "running" in k}
    modes = []
    encode = run.model.encode_image
    run.model.encode_image = lambda pixels: modes.append(run.model.visual.training) or encode(pixels)
    validator(shard, None)(run)
    assert modes and not any(modes)
    assert norms
    for key, value in norms.items():
        torch.testing.assert_close(run.model.visual.state_dict()[key], value, rtol=0, atol=0)


def test_a_probe_is_measured_on_photos_that_it_was_not_fitted_on():
    # Random embeddings with random labels: a probe knows by heart what it was fitted on, and guesses the rest.
    rng = np.random.default_rng(0)
    images = rng.normal(size=(80, 64)).astype(np.float32)
    photos = Photos("s", [b""] * 80, [f"l{n}" for n in rng.integers(0, 2, 80)], [[]] * 80)
    encoder = Towers(lambda _: [], lambda texts: rng.normal(size=(len(texts), 64)))
    assert evaluate_labels(encoder, images, photos, probe=True)["probe"] < 0.75


def test_the_loss_is_computed_in_full_precision(pairs, monkeypatch):
    run, seen, loss = start(RECIPE, seed=0, device=CPU, vectors=None), [], training.clip_loss
    run.precision = torch.bfloat16
    casting = []

    def watched(*given):
        casting.append(torch.is_autocast_enabled("cpu"))
        seen.extend(given[:3])
        return loss(*given)

    monkeypatch.setattr(training, "clip_loss", watched)
    train_step(run, draw_batch(pairs, size=8, image_size=32, seed=0, step=0))
    assert casting == [False], "what autocast multiplies is rounded, whatever it is given"
    assert [value.dtype for value in seen] == [torch.float32] * 3
    assert not torch.equal(seen[0], seen[0].bfloat16().float()), "rounded before the loss is rounded all the same"


def picture_of(half):
    """Left half dark and right half bright, or the other way round, as a batch of 64 copies."""
    pixels = np.zeros((64, 36, 36, 3), dtype=np.uint8)
    pixels[:, :, slice(18, 36) if half == "right" else slice(0, 18)] = 200
    return pixels


def plain(batch):
    return (batch * torch.tensor(STD).view(1, 3, 1, 1) + torch.tensor(MEAN).view(1, 3, 1, 1)).numpy()


def augmented(pixels, jitter=0.0, smallest_crop=1.0):
    chosen = np.arange(len(pixels))
    rng = np.random.default_rng(3)
    return plain(augment(pixels, chosen, 32, rng, jitter=jitter, smallest_crop=smallest_crop))


def test_about_half_of_a_batch_is_flipped():
    out = augmented(picture_of("right"))
    flipped = out[:, 0, :, :8].mean(axis=(1, 2)) > 0.5
    assert 16 < flipped.sum() < 48


def test_crops_have_places_of_their_own_and_batches_sizes_of_their_own():
    ramp = np.broadcast_to(np.arange(36, dtype=np.uint8)[None, :, None, None] * 6, (64, 36, 36, 3)).copy()
    out = augmented(ramp, smallest_crop=0.5)
    tops = out[:, 0, 0].mean(axis=1)
    assert tops.std() > 0.02
    spans = set()
    for seed in range(8):
        rng = np.random.default_rng(seed)
        batch = plain(augment(ramp[:4], np.arange(4), 32, rng, jitter=0.0, smallest_crop=0.5))
        spans.add(round(float((batch[0, 0, -1] - batch[0, 0, 0]).mean()), 2))
    assert len(spans) > 3


def test_brightness_and_contrast_change():
    grey = np.full((64, 36, 36, 3), 120, dtype=np.uint8)
    assert augmented(grey, jitter=0.3).mean(axis=(1, 2, 3)).std() > 0.04
    assert augmented(grey).mean(axis=(1, 2, 3)).std() < 1e-3
    halves = augmented(picture_of("right"), jitter=0.3)
    assert halves.std(axis=(1, 2, 3)).std() > 0.02


def test_labelled_photos_are_named_as_often_as_asked_by_each_kind_of_name(pairs):
    def shares(weights):
        texts = [
            text
            for step in range(12)
            for text in draw_batch(
                pairs, size=64, image_size=32, seed=1, step=step, caption_weight=0.0, name_weights=weights
            ).texts
        ]
        kinds = [name for names in training_data.KINDS.values() for name in names]
        return np.mean([any(text.endswith(kind) for kind in kinds) for text in texts]), np.mean(
            [text.endswith(" colour") for text in texts]
        )

    assert shares((1.0, 0.0, 0.0)) == (0, 0)
    assert shares((0.0, 1.0, 0.0)) == (0, 1)
    assert shares((0.0, 0.0, 1.0)) == (1, 0)
    assert shares((0.5, 0.2, 0.3)) == pytest.approx((0.3, 0.2), abs=0.06)


def test_each_text_has_its_own_sentence_vector_however_late_it_comes(tmp_path, monkeypatch):
    def by_length(self, texts, path):
        return np.array([np.full(DIM, len(text)) for text in texts], dtype=np.float16)

    monkeypatch.setattr(SentenceVectors, "_compute", by_length)
    vectors = SentenceVectors(tmp_path)
    vectors.add(["a", "bb"])
    vectors.add(["ccc", "bb", "dddd"])
    vectors.add(["eeeee"])
    assert vectors(["eeeee", "a", "dddd", "ccc", "bb"])[:, 0].tolist() == [5, 1, 4, 3, 2]


def test_the_optimizer_is_the_papers():
    # Table 18 gives 0.9 and 0.98 for the vision transformers, with an epsilon of 1e-6.
    for group in adamw([torch.nn.Linear(2, 2)], lr=1.0, weight_decay=0.1).param_groups:
        assert group["betas"] == (0.9, 0.98)
        assert group["eps"] == 1e-6


def test_teaching_a_text_also_tells_it_from_the_others():
    generator = torch.Generator().manual_seed(0)
    teacher = F.normalize(torch.randn(6, 8, generator=generator), dim=1)
    # The same mean cosine to its own, once with all teachers alike and once with all apart.
    alike = teacher[:1].expand(6, -1)
    assert distilling.distill_loss(alike, alike) > distilling.distill_loss(teacher, teacher) + 0.5


def spread(tensor):
    return tensor.detach().std().item()


def test_both_towers_begin_at_the_reference_implementations_scales():
    torch.manual_seed(0)
    text = Transformer(128, layers=4, heads=2, quick_gelu=True)
    for block in text.resblocks:
        assert spread(block.attn.in_proj_weight) == pytest.approx(128**-0.5, rel=0.03)
        assert spread(block.attn.out_proj.weight) == pytest.approx((128 * 8) ** -0.5, rel=0.03)
        assert spread(block.mlp.c_fc.weight) == pytest.approx(256**-0.5, rel=0.03)
        assert spread(block.mlp.c_proj.weight) == pytest.approx((128 * 8) ** -0.5, rel=0.03)
        assert not block.attn.out_proj.bias.any() and not block.attn.in_proj_bias.any()
    config = CLIPConfig(16, VisionConfig(image_size=32, layers=2, width=128, patch_size=8), TextConfig())
    tower = build_visual(config)
    for block in tower.transformer.resblocks:
        theirs = torch.nn.MultiheadAttention(128, 2)
        assert spread(block.attn.in_proj_weight) == pytest.approx(spread(theirs.in_proj_weight), rel=0.03)
        assert spread(block.attn.out_proj.weight) == pytest.approx(spread(theirs.out_proj.weight), rel=0.03)
        assert spread(block.mlp.c_fc.weight) == pytest.approx((3 * 128) ** -0.5, rel=0.03)
        assert not block.attn.out_proj.bias.any()
    model = CLIP(VIT)
    assert spread(model.token_embedding.weight) == pytest.approx(0.02, rel=0.03)
    assert spread(model.positional_embedding) == pytest.approx(0.01, rel=0.05)
    assert spread(model.text_projection) == pytest.approx(32**-0.5, rel=0.1)
    assert model.logit_scale.exp().item() == pytest.approx(1 / 0.07)


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (Recipe(VIT, steps=1, text="teacher"), "sentence vectors"),
        (Recipe(VIT, steps=1, text="locked"), "--init"),
        (Recipe(VIT, steps=1, needs_init=True), "--init"),
    ],
)
def test_a_recipe_that_lacks_what_it_builds_on_is_refused(recipe, message):
    with pytest.raises(ValueError, match=message):
        start(recipe, seed=0, device=CPU, vectors=None)


def test_each_step_of_the_model_of_before_is_refused_without_the_one_before_it():
    for name, message in (("image", "sentence vectors"), ("tune", "--init"), ("polish", "--init"), ("long", "--init")):
        with pytest.raises(ValueError, match=message):
            start(RECIPES[f"builtin-{name}"], seed=0, device=CPU, vectors=None)


def test_the_precision_is_the_one_that_this_machine_is_faster_in(monkeypatch):
    from clip_model.training import run as running

    monkeypatch.setattr(running, "choose_precision", lambda wanted, device: torch.float32)
    assert start(RECIPE, seed=0, device=CPU, vectors=None).precision == torch.float32


def test_photos_are_trained_on_and_validated_upright(tmp_path):
    path = training_data.lying(tmp_path / "lying.parquet")
    pixels = read_pairs([path], side=36).pixels[0].astype(int)
    assert pixels[:12, :, 0].mean() > 200 and pixels[-12:, :, 0].mean() < 60
    run, seen = start(RECIPE, seed=0, device=CPU, vectors=None), []
    encode = run.model.encode_image
    run.model.encode_image = lambda pixels: seen.append(pixels) or encode(pixels)
    validator(path, None)(run)
    red = plain(seen[0])[0, 0]
    assert red[:12].mean() > 0.8 and red[-12:].mean() < 0.2


def test_a_checkpoint_says_what_it_was_made_of_and_is_on_the_disk_before_it_has_its_name(shard, tmp_path, monkeypatch):
    import os

    order, sync, replace = [], os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda descriptor: order.append("sync") or sync(descriptor))
    monkeypatch.setattr(os, "replace", lambda *names, **more: order.append("rename") or replace(*names, **more))
    monkeypatch.setattr(training, "RECIPES", {"small": RECIPE})
    init = tmp_path / "init.safetensors"
    save_model(CLIP(VIT), init)
    out = tmp_path / "run"
    command = ["--config", "small", "--data", str(shard), "--out", str(out), "--device", "cpu", "--init", str(init)]
    training.main(command)
    origin = torch.load(out / "checkpoint.pt", weights_only=True)["origin"]
    assert origin["init"] == str(init) and origin["data"] == str(shard)
    assert "--config small" in origin["command"]
    order.clear()
    save_checkpoint(start(RECIPE, seed=0, device=CPU, vectors=None), out / "checkpoint.pt", {})
    assert order[0] == "sync"
    assert load_model(out / "model.safetensors").config == VIT
    assert math.isfinite(torch.load(out / "checkpoint.pt", weights_only=True)["step"])
