"""Tokenizers that a model's file carries: those that fail, or have ids that the tower has not, are refused at once."""

import copy

import pytest
import tokenizers

from clip_model.preprocessing.pieces import WHITESPACE, PieceTokenizer, envelope, token_id

SOUND = {
    "version": "1.0",
    "added_tokens": [],
    "normalizer": None,
    "pre_tokenizer": None,
    "post_processor": None,
    "decoder": None,
    "model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", -1.0], ["a", -2.0], ["dog", -3.0]]},
}


def changed(**change):
    return {**copy.deepcopy(SOUND), **change}


def words(unknown, **vocabulary):
    return changed(model={"type": "WordLevel", "vocab": {"<unk>": 0, **vocabulary}, "unk_token": unknown})


def charsmap(said):
    return changed(normalizer={"type": "Precompiled", "precompiled_charsmap": said})


def made(tokenizer, vocabulary_size=400):
    return PieceTokenizer(envelope(tokenizer, clean=WHITESPACE, pad=1, end=2, start=0), 16, vocabulary_size)


def test_the_sound_one_is_taken():
    assert made(SOUND).ids(["a"])[0, :4].tolist() == [0, 1, 2, 1]
    assert made(words("<unk>", dog=399)).encode("dog") == [399]


def test_it_is_the_largest_id_that_counts_and_not_how_many_there_are():
    with pytest.raises(ValueError, match="the model has a vocabulary of 400, its tokenizer has 400000"):
        made(words("<unk>", dog=399_999))
    with pytest.raises(ValueError, match="the model has a vocabulary of 2, its tokenizer has 3"):
        made(SOUND, 2)


@pytest.mark.parametrize("said", ["//////8/////", "AAEAAP////8="])
def test_a_panic_while_it_is_read_is_an_error_of_the_model(said):
    with pytest.raises(ValueError, match="cannot be read by the library tokenizers: Precompiled"):
        made(charsmap(said))
    with pytest.raises(ValueError, match="cannot be read by the library tokenizers: Precompiled"):
        token_id(charsmap(said), "a")


@pytest.mark.parametrize(
    "tokenizer", [charsmap("AAAAAAAA"), charsmap("BAAAAP////8="), words("[UNK]", dog=1)], ids=["none", "short", "unk"]
)
def test_one_that_fails_on_texts_is_refused_before_any_is_asked(tokenizer):
    with pytest.raises(ValueError, match="its tokenizer cannot encode a text: "):
        made(tokenizer)


def test_who_ends_the_program_is_not_kept_from_it(monkeypatch):
    def ended(said):
        raise KeyboardInterrupt

    class Ending:
        from_str = staticmethod(ended)

    monkeypatch.setattr(tokenizers, "Tokenizer", Ending)
    with pytest.raises(KeyboardInterrupt):
        token_id(SOUND, "a")
