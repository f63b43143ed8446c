"""Teaching a text tower: where the English comes from, and that the tower comes to say what its teacher says."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from clip_model.config import CLIPConfig, TextConfig, VisionConfig
from clip_model.training import corpus
from clip_model.training.distill import Texts, distill, distill_loss
from clip_model.training.recipes import Recipe
from clip_model.training.run import start
from clip_model.training.teacher import DIM, TextHead

NOUNS = """\
  1 This is a line of the licence, which begins with two blanks.
02084071 05 n 03 dog 0 domestic_dog 0 Canis_familiaris 0 001 @ 02083346 n 0000 | a member of the genus Canis; "woof"
09217230 17 n 01 beach 0 001 @ 09287968 n 0000 | an area of sand sloping down to the water of a sea or lake
05770926 09 n 01 thought 0 001 @ 05770664 n 0000 | the process of using your mind
"""
COUNTS = "dog%1:05:00:: 1 42\nbeach%1:17:00:: 1 7\nthought%1:09:00:: 1 99\n"


@pytest.fixture
def wordnet(tmp_path):
    (tmp_path / "data.noun").write_text(NOUNS)
    (tmp_path / "cntlist.rev").write_text(COUNTS)
    return tmp_path


def test_nouns_that_can_be_seen_are_read_the_frequent_first(wordnet):
    nouns = corpus.read_nouns(wordnet)
    assert [(noun.word, noun.count) for noun in nouns] == [
        ("dog", 42),
        ("beach", 7),
        ("Canis familiaris", 0),
        ("domestic dog", 0),
    ]
    assert nouns[0].definition == "a member of the genus Canis"
    assert nouns[1].kind == "object"


def test_phrases_are_made_of_them(wordnet):
    nouns, rng = corpus.read_nouns(wordnet), np.random.default_rng(0)
    phrases = list(corpus.noun_phrases(nouns, rng))
    assert {"dog", "beach", "a member of the genus Canis", "domestic dog"} <= set(phrases)
    assert any(phrase.startswith("a ") and phrase.endswith(" dog") and phrase != "a dog" for phrase in phrases)
    sentences = list(corpus.scene_sentences(nouns, 50, rng))
    assert len(sentences) == 50
    assert all(len(sentence.split()) > 1 and "{}" not in sentence for sentence in sentences)


@pytest.mark.parametrize(
    ("noun", "expected"),
    [("dog", "a dog"), ("apple", "an apple"), ("Rome", "Rome"), ("glasses", "glasses"), ("glass", "a glass")],
)
def test_articles(noun, expected):
    assert corpus.article(noun) == expected


def test_captions_fall_into_clauses():
    parts = list(corpus.caption_parts(["A brown dog runs on the beach while two children watch.", "A dog."]))
    assert parts == ["A brown dog runs", "the beach", "two children watch"]


def test_the_loss_is_least_where_student_and_teacher_agree():
    generator = torch.Generator().manual_seed(0)
    teacher = F.normalize(torch.randn(6, 8, generator=generator), dim=1)
    agreed = distill_loss(teacher, teacher)
    assert agreed < distill_loss(F.normalize(teacher + 0.3, dim=1), teacher)
    assert agreed < distill_loss(teacher.flip(0), teacher)


class FakeVectors:
    """A teacher of three texts."""

    def __init__(self, texts):
        generator = torch.Generator().manual_seed(1)
        self._vectors = {text: F.normalize(torch.randn(DIM, generator=generator), dim=0) for text in texts}

    def __call__(self, texts):
        return torch.stack([self._vectors[text] for text in texts])


def test_a_tower_learns_what_its_teacher_says_and_the_image_tower_stays():
    texts = ["a red square", "a blue circle", "something green", "the night sky"]
    vision = VisionConfig(image_size=32, layers=1, width=32, patch_size=16, head_width=16)
    config = CLIPConfig(16, vision, TextConfig(width=16, heads=2, layers=1))
    recipe = Recipe(config, steps=1, warmup=1, text="teacher")
    run = start(recipe, seed=0, device=torch.device("cpu"), vectors=FakeVectors(texts))
    assert isinstance(run.head, TextHead) and isinstance(run.model, nn.Module)
    before = {name: value.clone() for name, value in run.model.visual.state_dict().items()}
    distill(run, Texts(texts[:2], texts[2:]), steps=150, batch_size=8, lr=3e-3)
    target = F.normalize(run.encode_texts(texts).detach(), dim=1)
    run.use_text_tower()
    with torch.no_grad():
        learned = F.normalize(run.encode_texts(texts), dim=1)
    assert (learned * target).sum(dim=1).min() > 0.95
    for name, value in run.model.visual.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
