"""Changes to the training of published towers that pass unseen unless somebody looks: each test looks at some."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from clip_model.evaluation.evaluate import Photos
from clip_model.model import CLIP
from clip_model.pretrained import features, heads, joint, twin_towers
from clip_model.pretrained.canvas import GRAY, Canvas, Changes, _changed_colors, read_canvas
from clip_model.pretrained.features import view
from clip_model.pretrained.heads import Settings, Shown
from clip_model.pretrained.joint import Batch
from clip_model.pretrained.joint_run import squares_of
from clip_model.pretrained.rates import JointSettings, parameter_groups
from clip_model.pretrained.telling import Drawing, Told, class_texts, draw
from clip_model.pretrained.twin_towers import Published
from clip_model.towers.head import Head
from clip_model.training.data import TEMPLATES, Label, Pairs
from clip_model.training.schedule import learning_rate
from tests.clip_model import training_data
from tests.clip_model.tiny_models import OURS, randomize

PLAIN = {"batch_size": 4, "steps": 4}
LABELS = [Label("tench", ("tinca",), ("fish",)), Label("bus", ("coach",), ("vehicle",))]


def pairs_of(captioned=5, labelled=5):
    """Some captioned photos and some labelled ones."""
    names = {name: i for i, name in enumerate(n for label in LABELS for n in label.names)}
    truths = np.array([[name in label.names for name in names] for label in LABELS])
    captions = [(f"caption {i}",) for i in range(captioned)] + [()] * labelled
    label_of = np.array([-1] * captioned + [0] * labelled)
    return Pairs(np.empty((captioned + labelled, 0, 0, 3), np.uint8), captions, label_of, LABELS, truths, names)


def told_of(pairs):
    return Told(np.arange(len(pairs)), torch.zeros(len(pairs), 2), pairs)


@pytest.fixture(scope="module")
def model():
    return randomize(CLIP(OURS["efficientnet"]))


class Watched(torch.optim.AdamW):
    """Keeps the last one that was made."""

    def __init__(self, *given, **more):
        super().__init__(*given, **more)
        Watched.last = self


def test_a_joint_run_takes_the_papers_optimizer_its_rates_and_sizes_and_bounds_its_gradients(model, monkeypatch):
    settings = JointSettings(**PLAIN, size=32, late_share=0.5, tower_lr=1e-4, text_lr=1e-5, keep_weight=0)
    canvas = Canvas(torch.zeros(10, 3, 40, 40, dtype=torch.uint8), np.ones(10), np.ones(10, dtype=bool))
    sides, modes, bounded = [], [], []

    def loss_of(model, batch, *_):
        sides.append(batch.pixels.shape[-1])
        modes.append((model.visual.head.training, model.text.head.training, model.visual.bn1.training))
        return model.logit_scale * 1.0

    monkeypatch.setattr(torch.optim, "AdamW", Watched)
    monkeypatch.setattr(joint, "loss_of", loss_of)
    monkeypatch.setattr(joint.nn.utils, "clip_grad_norm_", lambda moved, most: bounded.append((len(list(moved)), most)))
    peaks = [group["peak"] for group in parameter_groups(model, settings)]
    published = Published(model.visual, torch.zeros(2, 1280), torch.zeros(2))
    for step, _, _ in joint.train(model, canvas, told_of(pairs_of()), np.ones(10), published, settings):
        rates = [group["lr"] for group in Watched.last.param_groups]
        assert rates == [learning_rate(step - 1, peak=peak, warmup=50, steps=4) for peak in peaks]
    assert len(set(peaks)) > 3
    assert sides == [32, 32, 48, 48]
    assert set(modes) == {(True, True, False)}
    assert bounded == [(sum(p.requires_grad for p in model.parameters()), 1.0)] * 4
    for group in Watched.last.param_groups:
        assert (group["betas"], group["eps"]) == ((0.9, 0.98), 1e-6)


def test_a_crop_is_to_be_near_the_names_of_what_the_classifier_takes_it_for(model):
    tokens = torch.tensor([[101, 5, 102], [101, 9, 102], [101, 12, 102]])
    batch = Batch(torch.zeros(3, 3, 32, 32), tokens, tokens[:2], torch.eye(3, dtype=torch.bool))
    published = Published(model.visual, torch.zeros(2, 1280), torch.tensor([2.0, 0.0]))
    seen = torch.randn(3, 1280, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        without, much = (
            joint.loss_of(model, batch, published, JointSettings(class_weight=weight, keep_weight=0.0),
                          lambda _: seen, lambda _: seen)
            for weight in (0.0, 2.0)
        )  # fmt: skip
        image, names = F.normalize(model.visual.head(seen), dim=1), F.normalize(model.encode_text(tokens[:2]), dim=1)
        known = torch.tensor([2.0, 0.0]).softmax(dim=0)
        logits = (model.logit_scale.exp().clamp(max=100) * image @ names.T).log_softmax(dim=1)
    torch.testing.assert_close(much - without, -2 * (known * logits).sum(dim=1).mean(), atol=1e-3, rtol=1e-3)


def test_heads_drop_three_in_ten_of_their_hidden_units_in_training_alone():
    head = Head(4, 64, 64)
    with torch.no_grad():
        for value in head.parameters():
            value.zero_()
        head.hidden.bias.fill_(3)
        head.out.weight.copy_(torch.eye(64))
        dropped = (head.train()(torch.zeros(50, 4)) == 0).float().mean()
        assert 0.25 < dropped < 0.35
        assert (head.eval()(torch.zeros(2, 4)) > 2.9).all()


def test_heads_take_the_papers_optimizer_and_their_decay(model, monkeypatch):
    monkeypatch.setattr(torch.optim, "AdamW", Watched)
    pairs = pairs_of()
    shown = Shown(np.arange(10), torch.zeros(10, 2).half(), pairs, torch.randn(10, 1280))
    generator = torch.Generator().manual_seed(0)
    known = {}

    def vectors(texts):
        return torch.stack(
            [known.setdefault(t, F.normalize(torch.randn(24, generator=generator), dim=0)) for t in texts]
        )

    def first_loss(**changes):
        fresh, settings = randomize(CLIP(OURS["efficientnet"])), Settings(**PLAIN, guess_share=0.0)
        torch.manual_seed(0)
        taught = heads.train(fresh, shown, vectors, replace(settings, **changes), (torch.zeros(1280), torch.ones(1280)))
        return next(taught)[1], fresh

    shown.chances[:, 0] = 1.0
    (without, _), (much, fresh) = first_loss(class_weight=0.0), first_loss(class_weight=5.0)
    assert much > without + 0.5
    assert fresh.visual.head.training and fresh.text.head.training and not fresh.visual.bn1.training
    decays = {id(p): group["weight_decay"] for group in Watched.last.param_groups for p in group["params"]}
    assert decays[id(fresh.visual.head.linear.weight)] == Settings().weight_decay > 0
    assert decays[id(fresh.visual.head.linear.bias)] == decays[id(fresh.logit_scale)] == 0
    for group in Watched.last.param_groups:
        assert (group["betas"], group["eps"]) == ((0.9, 0.98), 1e-6)


def test_no_figure_is_taken_with_dropout(model, monkeypatch):
    modes = []

    def measured(towers, images, photos):
        towers.encode_texts(["a", "b"])
        modes.append((model.visual.head.training, model.text.head.training))
        return {}

    photos, rows = Photos("s", [b""] * 2, ["a", "b"], [[]] * 2), np.arange(2)
    for module in (heads, twin_towers):
        monkeypatch.setattr(module, "evaluate_source", measured)
        model.train()
        if module is heads:
            norm = (torch.zeros(1280), torch.ones(1280))
            heads.measure(model, torch.zeros(2, 1280), [photos], [rows], lambda t: torch.ones(len(t), 24), norm)
        else:
            model.visual.eval(), model.visual.head.train()
            twin_towers.measure(model, [photos], [torch.zeros(2, 3, 32, 32, dtype=torch.uint8)])
    model.eval()
    assert modes == [(False, False)] * 2


def test_brightness_contrast_and_saturation_of_a_crop_change_each_by_itself():
    x = torch.full((200, 3, 8, 8), 0.4)
    x[:, 0, :, 4:] = 0.55  # the right half is reddish, and so brighter
    out = _changed_colors(x, Changes(jitter=0.25, gray=0.0), np.random.default_rng(0))
    luma = (out * torch.tensor(GRAY).view(1, 3, 1, 1)).sum(dim=1)
    contrast = (luma[:, 0, 7] - luma[:, 0, 0]) / (0.15 * GRAY[0])
    saturation = (out[:, 0, 0, 7] - out[:, 2, 0, 7]) / 0.15 / contrast
    brightness = out.mean(dim=(1, 2, 3)) / out.new_tensor(0.425)
    for drawn in (contrast, saturation, brightness):
        assert drawn.std() > 0.08
    assert abs(np.corrcoef(contrast, saturation)[0, 1]) < 0.3


def test_views_are_flipped_and_lit_otherwise():
    from PIL import Image

    ramp = np.zeros((40, 40, 3), dtype=np.uint8)
    ramp[:, 20:] = 160
    views = [view(Image.fromarray(ramp), 32, 1, (seed,)).astype(float) for seed in range(40)]
    turned = [v[:, :4].mean() > v[:, -4:].mean() for v in views if abs(v[:, :4].mean() - v[:, -4:].mean()) > 40]
    assert 0.25 < np.mean(turned) < 0.75
    assert np.std([v.max() - v.min() for v in views]) > 5
    flat = [view(Image.fromarray(np.full_like(ramp, 100)), 32, 1, (seed,)).mean() for seed in range(20)]
    assert np.std(flat) > 5


def test_photos_are_upright_wherever_they_are_read(tmp_path, monkeypatch):
    path = training_data.lying(tmp_path / "lying.parquet")
    data = training_data.parquet.read_table(path)["image"].to_pylist()
    kept = read_canvas([path], 32).pixels[0].numpy()
    square = squares_of(Photos("s", data, [""], [[]]), 32)[0].numpy()
    stored = features._square(data[0], 32, 0, 0).transpose(2, 0, 1)
    for red in (kept[0], square[0], stored[0]):
        assert red[:10].mean() > 200 and red[-10:].mean() < 60


def test_features_are_of_pixels_as_the_published_weights_take_them(monkeypatch):
    taken = []

    class Tower:
        def trunk(self, pixels):
            taken.append(pixels)
            return pixels

    list(features._grids(Tower(), [np.full((4, 4, 3), value, dtype=np.uint8) for value in (0, 255)]))
    torch.testing.assert_close(taken[0][:, 0, 0, 0], torch.tensor([-127 / 128, 1.0]))


def test_texts_and_photos_are_drawn_as_often_as_asked():
    told = told_of(pairs_of())

    def drawn(shares=None, **changes):
        asked = Drawing(**{"batch_size": 400, "caption_weight": 1.0, "guess_share": 0.0} | changes)
        chosen, texts, _ = draw(told, asked, 0, shares)
        names = [text.split()[-1] for text in texts if not text.startswith("caption")]
        return (chosen < 5).mean(), {name: names.count(name) / len(names) for name in names}

    assert drawn()[0] == pytest.approx(0.5, abs=0.08)
    assert drawn(caption_weight=4.0)[0] == pytest.approx(0.8, abs=0.06)
    assert drawn(np.array([0.2] * 5 + [0.8] * 5))[0] == pytest.approx(0.2, abs=0.06)
    assert drawn(name_weights=(0.0, 1.0, 0.0))[1] == {"tinca": 1.0}
    shared = drawn(name_weights=(0.1, 0.3, 0.6))[1]
    assert (shared["tench"], shared["tinca"], shared["fish"]) == pytest.approx((0.1, 0.3, 0.6), abs=0.1)


def test_classes_go_by_their_names_and_synonyms_and_not_by_kinds_that_others_are_too():
    told = told_of(pairs_of())
    called = [text for step in range(30) for text in class_texts(told, 0, step)]
    endings = {text.split()[-1] for text in called}
    assert endings == {"tench", "tinca", "bus", "coach"}
    assert len({text.split()[0] for text in called}) >= len(TEMPLATES) - 1
