"""The contrastive loss on matrices that can be checked by hand."""

import math

import pytest
import torch
from torch.nn import functional as F

from clip_model.training.loss import clip_loss, soft_cross_entropy


def unit(rows):
    return F.normalize(torch.tensor(rows, dtype=torch.float64), dim=1)


def test_soft_cross_entropy_of_one_hot_targets_is_cross_entropy():
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.5, 0.5, 3.0]])
    targets = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    torch.testing.assert_close(soft_cross_entropy(logits, targets), F.cross_entropy(logits, torch.tensor([1, 2])))


def test_without_equal_texts_it_is_the_loss_of_the_paper():
    generator = torch.Generator().manual_seed(0)
    image, text = (F.normalize(torch.randn(5, 8, generator=generator), dim=1) for _ in range(2))
    scale = torch.tensor(7.0)
    logits, own = scale * image @ text.T, torch.arange(5)
    expected = (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2  # figure 3
    torch.testing.assert_close(clip_loss(image, text, scale, torch.eye(5, dtype=torch.bool)), expected)


def test_equal_pairs_are_no_negatives_of_each_other():
    image = text = unit([[1, 0], [1, 0], [0, 1]])
    same = torch.tensor([[1, 1, 0], [1, 1, 0], [0, 0, 1]], dtype=torch.bool)
    sharp = torch.tensor(100.0, dtype=torch.float64)
    # The two equal pairs share their probability: ln 2 each, in both directions; the third has all of its own.
    assert clip_loss(image, text, sharp, same).item() == pytest.approx(2 / 3 * math.log(2))


def test_a_kind_of_thing_is_true_of_several_photos_but_not_the_other_way_round():
    # Text 0 is 'a dog', true of both photos; text 1 is 'a husky', true of photo 1 only.
    image, text = unit([[1, 0], [1, 1]]), unit([[1, 0.5], [0, 1]])
    same = torch.tensor([[True, False], [True, True]])
    scale = torch.tensor(3.0, dtype=torch.float64)
    logits = scale * image @ text.T
    to_text = -(F.log_softmax(logits[0], 0)[0] + F.log_softmax(logits[1], 0).mean()) / 2
    to_image = -(F.log_softmax(logits[:, 0], 0).mean() + F.log_softmax(logits[:, 1], 0)[1]) / 2
    torch.testing.assert_close(clip_loss(image, text, scale, same), (to_text + to_image) / 2)


def test_it_falls_when_pairs_come_together():
    image = unit([[1, 0], [0, 1]])
    same, scale = torch.eye(2, dtype=torch.bool), torch.tensor(10.0, dtype=torch.float64)
    assert clip_loss(image, image, scale, same) < clip_loss(image, image.flip(0), scale, same)
