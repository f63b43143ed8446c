"""Training batches: what is read, what is drawn, and which texts are true of which photos."""

import numpy as np
import pytest
import torch
from pyarrow import parquet

from clip_model.preprocessing.transforms import MEAN, STD
from clip_model.training.augmentation import augment
from clip_model.training.data import TEMPLATES, draw_batch, positives, read_pairs
from tests.clip_model import training_data


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return read_pairs([training_data.write(tmp_path_factory.mktemp("data") / "train.parquet")], side=36)


def draw(pairs, step=0, size=32, **changes):
    options = {"size": size, "image_size": 32, "seed": 5, "step": step, "caption_weight": 3.0, "jitter": 0.2}
    return draw_batch(pairs, **(options | changes))


def test_photos_and_their_texts_are_read(pairs):
    assert pairs.pixels.shape == (60, 36, 36, 3)
    assert sorted(label.name for label in pairs.labels) == sorted(training_data.COLOURS)
    assert pairs.captions[0] == ("a square of crimson colour", "crimson all over")
    assert (pairs.label_of >= 0).sum() == 40
    mean = pairs.pixels[0].reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(mean, training_data.COLOURS["crimson"], atol=20)
    assert len(set(pairs.texts())) == len(pairs.texts()) == 8 + 12 * len(TEMPLATES)


def test_broken_pictures_are_left_out_and_too_many_stop_the_run(tmp_path, caplog):
    path = training_data.write(tmp_path / "some.parquet", damaged=[7])
    pairs = read_pairs([path], side=36)
    assert len(pairs) == 59
    assert "drawn/7" in caplog.text or "left out 7" in caplog.text
    with pytest.raises(ValueError, match="10 of 60 pictures"):
        read_pairs([training_data.write(tmp_path / "many.parquet", damaged=range(10))], side=36)


def test_a_missing_column_is_named(tmp_path):
    path = tmp_path / "wrong.parquet"
    parquet.write_table(parquet.read_table(training_data.write(tmp_path / "right.parquet")).drop(["synonyms"]), path)
    with pytest.raises(ValueError, match="synonyms"):
        read_pairs([path], side=36)
    with pytest.raises(FileNotFoundError):
        read_pairs([], side=36)


def test_a_batch_is_a_function_of_seed_and_step(pairs):
    first, again, next_one, other = draw(pairs), draw(pairs), draw(pairs, step=1), draw(pairs, seed=6)
    assert first.texts == again.texts
    torch.testing.assert_close(first.pixels, again.pixels, rtol=0, atol=0)
    assert first.texts != next_one.texts
    assert first.texts != other.texts


def test_a_batch_has_the_shape_that_the_network_takes(pairs):
    batch = draw(pairs)
    assert batch.pixels.shape == (32, 3, 32, 32)
    assert batch.pixels.dtype == torch.float32
    assert batch.pixels.is_contiguous(memory_format=torch.channels_last)
    assert batch.same.shape == (32, 32)
    assert batch.same.diagonal().all()


def test_captioned_photos_are_drawn_as_often_as_asked(pairs):
    captions = {caption for row in pairs.captions for caption in row}
    share = np.mean([text in captions for step in range(20) for text in draw(pairs, step, size=100).texts])
    assert share == pytest.approx(20 * 3 / (20 * 3 + 40), abs=0.05)


def test_which_texts_are_true_of_which_photos(pairs):
    name_of = [pairs.labels[i].name if i >= 0 else "" for i in pairs.label_of]
    crimson = [i for i, name in enumerate(name_of) if name == "crimson"][:2]
    navy = name_of.index("navy")
    rows = np.array([crimson[0], crimson[1], navy, 0, 0])
    texts = ["a crimson", "a photo of a red", "navy colour", *pairs.captions[0]]
    names = np.array([pairs.names["crimson"], pairs.names["red"], pairs.names["navy colour"], -1, -1])
    expected = np.zeros((5, 5), dtype=bool)
    expected[:2, :2] = True  # both are crimson, and red, whatever the text calls them
    expected[2, 2] = True
    expected[3:, 3:] = True  # two captions of one photo
    np.testing.assert_array_equal(positives(pairs, rows, names, texts), expected)


def test_a_kind_is_true_of_its_members_only(pairs):
    red, label = pairs.names["red"], [label.name for label in pairs.labels]
    assert pairs.truths[label.index("crimson"), red]
    assert not pairs.truths[label.index("navy"), red]


def test_augmentation_keeps_colours_and_normalises(pairs):
    chosen = np.arange(12)
    out = augment(pairs.pixels, chosen, 32, np.random.default_rng(0), jitter=0.0, smallest_crop=0.75)
    pixels = out * torch.tensor(STD).view(1, 3, 1, 1) + torch.tensor(MEAN).view(1, 3, 1, 1)
    expected = torch.from_numpy(pairs.pixels[chosen].reshape(12, -1, 3).mean(axis=1) / 255).float()
    torch.testing.assert_close(pixels.mean(dim=(2, 3)), expected, atol=0.02, rtol=0)
