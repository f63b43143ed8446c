"""Both towers learning together: crops on a device, rates by stage, what is kept, and that the measured is saved."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image

from clip_model.checkpoint import load_model, save_model
from clip_model.evaluation.evaluate import read_photos
from clip_model.model import CLIP
from clip_model.preprocessing.squares import center_square
from clip_model.pretrained import joint_run
from clip_model.pretrained.canvas import Canvas, Changes, crops, middles, read_canvas
from clip_model.pretrained.heads import fold, standardize
from clip_model.pretrained.joint import Batch, loss_of, train
from clip_model.pretrained.rates import JointSettings, parameter_groups, stage_depths
from clip_model.pretrained.telling import Told, with_labels
from clip_model.pretrained.twin_towers import Texts, chances, features_of, measure, normalized, towers
from clip_model.towers.efficientnet import EfficientNetLite, load_pretrained
from clip_model.training.data import Label, read_texts
from tests.clip_model import training_data
from tests.clip_model.tiny_models import CONFIGS, OURS, random_clip, randomize

SIZE = 48
SETTINGS = JointSettings(steps=4, batch_size=12, size=32, average=0.5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A shard, a validation file, published weights (random ones), and a model to begin with."""
    folder = tmp_path_factory.mktemp("joint")
    training_data.write(folder / "photos-00.parquet", 48, damaged=[5])
    training_data.write(folder / "val.parquet", 24, seed=1)
    torch.save(randomize(EfficientNet.from_name("efficientnet-lite0")).state_dict(), folder / "lite0.pth")
    model = random_clip(OURS["efficientnet"])
    load_pretrained(model.visual, folder / "lite0.pth")
    canvas = read_canvas([folder / "photos-00.parquet"], 40)
    with torch.no_grad():
        pixels = normalized(middles(canvas, np.arange(48), SIZE), model)
        fold(model, *standardize(model, model.visual.trunk(pixels)))  # as heads are that were trained
    save_model(model, folder / "heads.safetensors", {})
    return folder


@pytest.fixture
def model(folder):
    return load_model(folder / "heads.safetensors").eval()


@pytest.fixture(scope="module")
def published(folder):
    return joint_run.published_tower(OURS["efficientnet"].vision, folder / "lite0.pth")


@pytest.fixture(scope="module")
def canvas(folder):
    return read_canvas([folder / "photos-00.parquet"], 40)


@pytest.fixture(scope="module")
def known(folder, canvas, published):
    return chances(published, load_model(folder / "heads.safetensors").eval(), canvas)


def told_of(folder, canvas, known):
    pairs = with_labels(read_texts([folder / "photos-00.parquet"]), [Label(f"class {i}", (), ()) for i in range(1000)])
    return Told(np.arange(len(canvas.aspects)), known, pairs)


def ramp(width, height):
    """A photo whose red grows to the right and whose green grows downwards, from 0 to 1."""
    across, down = (np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height
    pixels = np.stack([*np.meshgrid(across, down), np.zeros((height, width))], axis=2)
    return Image.fromarray((255 * pixels).round().astype(np.uint8))


def canvas_of(image, side=96):
    squeezed = np.asarray(image.resize((side, side), Image.Resampling.BICUBIC))
    pixels = torch.from_numpy(squeezed.copy()).permute(2, 0, 1)[None]
    return Canvas(pixels, np.array([image.width / image.height]), np.array([True]))


@pytest.mark.parametrize("size", [(120, 80), (80, 120), (100, 100)])
def test_the_middle_is_the_square_that_the_model_is_shown_later(size):
    image = ramp(*size)
    expected = np.asarray(center_square(image, 48)).transpose(2, 0, 1) / 255
    np.testing.assert_allclose(middles(canvas_of(image), np.array([0]), 48)[0].numpy(), expected, atol=0.02)


def test_a_crop_is_a_part_of_the_photo_of_a_moderate_shape_and_flipped_one_time_in_two():
    canvas, rng = canvas_of(ramp(150, 100)), np.random.default_rng(0)
    plain = Changes(smallest_area=0.3, jitter=0.0, gray=0.0)
    parts = crops(canvas, np.zeros(400, dtype=np.int64), 32, plain, rng).numpy()
    across, down = parts[:, 0, 16, -1] - parts[:, 0, 16, 0], parts[:, 1, -1, 16] - parts[:, 1, 0, 16]
    assert 150 < (across < 0).sum() < 250
    assert (down > 0).all()
    area, aspect = np.abs(across) * down * (32 / 31) ** 2, 1.5 * np.abs(across) / down
    assert 0.25 < area.min() < 0.4
    assert area.max() > 0.85
    assert aspect.min() > 0.7
    assert aspect.max() < 1.45
    np.testing.assert_allclose(parts[:, 0].mean(axis=1).std(axis=1), np.abs(across) / 31 * 32 / 12**0.5, atol=0.02)


def test_colours_change_but_not_without_being_asked_to():
    canvas, numbers = canvas_of(ramp(100, 100)), np.zeros(200, dtype=np.int64)

    def drawn(**changes):
        asked = Changes(**{"smallest_area": 1.0, "jitter": 0.0, "gray": 0.0} | changes)
        return crops(canvas, numbers, 24, asked, np.random.default_rng(3)).numpy()

    plain = drawn()
    np.testing.assert_array_equal(plain[:, 2], 0)
    assert drawn(jitter=0.4).mean(axis=(1, 2, 3)).std() > 0.03
    gray = drawn(gray=0.5)
    colourless = np.ptp(gray, axis=1).max(axis=(1, 2)) < 1e-5
    assert 60 < colourless.sum() < 140
    np.testing.assert_allclose(gray[~colourless], plain[~colourless], atol=1e-6)
    np.testing.assert_array_equal(drawn(jitter=0.4, gray=0.5), drawn(jitter=0.4, gray=0.5))


def test_what_cannot_be_decoded_is_said_and_never_drawn(canvas, folder, model, published, known):
    assert canvas.decoded.tolist() == [i != 5 for i in range(48)]
    told = told_of(folder, canvas, known)
    seen = []

    class Watched(np.ndarray):
        def __getitem__(self, chosen):
            seen.append(np.array(chosen))
            return np.asarray(self)[chosen]

    watched = replace(canvas, aspects=canvas.aspects.view(Watched))
    shares = np.zeros(48)
    shares[[5, 6, 7]] = 1
    list(train(model, watched, told, shares, published, replace(SETTINGS, steps=2)))
    assert set(np.concatenate(seen)) == {6, 7}


def test_a_shard_without_a_picture_is_refused(tmp_path):
    training_data.write(tmp_path / "none.parquet", 3, damaged=[0, 1, 2])
    with pytest.raises(ValueError, match="none of 3 pictures"):
        read_canvas([tmp_path / "none.parquet"], 16)


def test_the_probabilities_are_those_of_the_published_network(folder, canvas, model, known):
    reference = EfficientNet.from_name("efficientnet-lite0").eval()
    reference.load_state_dict(torch.load(folder / "lite0.pth", weights_only=True))
    numbers = np.arange(48)
    with torch.no_grad():
        expected = reference(normalized(middles(canvas, numbers, SIZE), model)).softmax(dim=1)
    torch.testing.assert_close(known.float(), expected, atol=2e-3, rtol=1e-2)


def test_every_stage_learns_more_slowly_than_the_one_above_it(model):
    assert stage_depths(model.visual) == [1, 2, 2, 3, 3, 4, 1]
    settings = replace(SETTINGS, lr=1.0, tower_lr=0.5, stage_decay=0.1, text_lr=0.25)
    peak = {id(p): group["peak"] for group in parameter_groups(model, settings) for p in group["params"]}
    rates = {name: peak.get(id(p), 0.0) for name, p in model.named_parameters()}
    assert rates["visual.head.linear.weight"] == rates["text.head.linear.bias"] == rates["logit_scale"] == 1.0
    assert rates["visual.conv_head.weight"] == rates["visual.blocks.15.bn2.bias"] == 0.5
    assert rates["visual.blocks.14.project_conv.weight"] == pytest.approx(0.05)
    assert rates["visual.blocks.0.depthwise_conv.weight"] == pytest.approx(0.5e-6)
    assert rates["visual.conv_stem.weight"] == pytest.approx(0.5e-7)
    assert rates["text.blocks.0.attn.in_proj_weight"] == 0.25
    assert {name for name, rate in rates.items() if not rate} == {
        "text.token_embedding.weight", "text.positional_embedding",
    } | {name for name, p in model.named_parameters() if not p.requires_grad}  # fmt: skip
    decays = {id(p): group["weight_decay"] for group in parameter_groups(model, settings) for p in group["params"]}
    assert decays[id(model.visual.bn1.weight)] == decays[id(model.logit_scale)] == 0
    assert decays[id(model.visual.conv_head.weight)] == settings.tower_decay
    assert decays[id(model.visual.head.linear.weight)] == settings.weight_decay


def test_a_text_tower_without_a_rate_stays_as_it_is(folder, canvas, model, published, known):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    told = told_of(folder, canvas, known)
    *_, (step, _, averaged) = train(model, canvas, told, np.ones(48), published, replace(SETTINGS, text_lr=0.0))
    assert step == 4
    moved = {name for name, value in averaged.state_dict().items() if not torch.equal(value, before[name])}
    assert not [name for name in moved if name.startswith("text.") and not name.startswith("text.head.")]
    assert {"visual.conv_stem.weight", "visual.blocks.3.bn1.weight", "visual.head.out.weight", "logit_scale"} <= moved
    assert not [name for name in moved if "running" in name], "batch norms keep their statistics"
    last = model.state_dict()
    assert any(not torch.equal(last[name], averaged.state_dict()[name]) for name in moved), "what is given is a mean"


def test_the_published_probabilities_hold_the_features_back(canvas, model, published):
    """Without learning, what is to be kept costs the entropy alone; with features that have moved it costs more."""
    texts = Texts(16)
    pixels = normalized(middles(canvas, np.arange(12), 32), model)
    batch = Batch(pixels, texts(["a"] * 12), texts([f"class {i}" for i in range(1000)]), torch.ones(12, 12).bool())

    def kept(tower, weight):
        settings = replace(SETTINGS, keep_weight=weight, class_weight=0.0)
        model.eval()
        with torch.no_grad():
            return loss_of(model, batch, published, settings, lambda x: features_of(tower, x),
                           lambda x: features_of(published.tower, x))  # fmt: skip

    other = randomize(EfficientNetLite("lite0", 1), seed=5)
    own = kept(model.visual, 1.0) - kept(model.visual, 0.0)
    with torch.no_grad():
        known = (features_of(published.tower, pixels) @ published.weight.T + published.bias).softmax(dim=1)
    torch.testing.assert_close(own, -(known * known.clamp(min=1e-30).log()).sum(dim=1).mean(), atol=1e-3, rtol=1e-3)
    assert kept(other, 1.0) - kept(other, 0.0) > own + 0.01


def test_equal_seeds_draw_and_learn_alike(folder, canvas, published):
    told = told_of(folder, canvas, torch.zeros(48, 1000).half())

    def losses(seed):
        model = load_model(folder / "heads.safetensors")
        settings = replace(SETTINGS, seed=seed, steps=2)
        torch.manual_seed(0)  # of the heads' dropout
        return [loss for _, loss, _ in train(model, canvas, told, np.ones(48), published, settings)]

    assert losses(1) == losses(1) != losses(2)


def test_only_these_two_kinds_of_towers_learn_together():
    with pytest.raises(ValueError, match="only an EfficientNetLite and a sentence tower"):
        towers(CLIP(CONFIGS["vit"]))


def run(folder, out, monkeypatch, *more):
    monkeypatch.setattr(joint_run, "imagenet_labels", lambda wordnet: [Label("tench", (), ("fish",))] * 1000)
    settings = {"steps": 20, "batch_size": 32, "size": SIZE, "lr": 6e-3, "tower_lr": 0, "text_lr": 6e-3, "average": 0.9,
                "keep_weight": 0, "class_weight": 0, "guess_share": 0, "smallest_area": 0.9}  # fmt: skip
    numbers = [text for name, value in settings.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    joint_run.main(["--init", str(folder / "heads.safetensors"), "--weights", str(folder / "lite0.pth"),
                    "--data", str(folder / "photos-*.parquet"), "--val", str(folder / "val.parquet"),
                    "--out", str(out), "--kept-side", "48", "--eval-every", "10", *numbers, *more])  # fmt: skip


def test_the_command_learns_measures_and_writes_what_it_measured(folder, tmp_path, monkeypatch):
    run(folder, tmp_path, monkeypatch)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [0, 10, 20]
    assert lines[-1]["labelled.top1"] > max(0.6, lines[0]["labelled.top1"]), "four colours are told apart"
    saved = load_model(tmp_path / "model.safetensors").float()
    sources = read_photos(folder / "val.parquet")
    squares = [joint_run.squares_of(photos, SIZE) for photos in sources]
    measured = measure(saved, sources, squares)
    assert measured == pytest.approx({name: lines[-1][name] for name in measured}, abs=0.1)  # float16 is on disk
    notes = json.loads(_notes(tmp_path / "model.safetensors"))
    assert asdict(JointSettings()).keys() >= notes["settings"].keys()
    assert notes["init"] == str(folder / "heads.safetensors")
    assert notes["data"] == str(folder / "photos-*.parquet")
    assert "--eval-every 10" in notes["command"]


def _notes(path):
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        return file.metadata()["joint"]


def test_the_validation_file_is_never_trained_on(folder, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="never trained on"):
        run(folder, tmp_path, monkeypatch, "--data", str(folder / "*.parquet"))


def test_a_share_draws_a_source_less_often(folder):
    assert joint_run.sources_of([folder / "photos-00.parquet"])[:3] == ["captioned", "labelled", "labelled"]
