"""BERT's tokenizer: ids pinned from Hugging Face's `tokenizers`, and what holds for any text."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clip_model.preprocessing.wordpiece import END, PAD, START, UNKNOWN, VOCABULARY_SIZE, WordPiece

TOKENIZER = WordPiece(16)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("two dogs playing on a beach", [2048, 6077, 2652, 2006, 1037, 3509]),
        ("Größe naïve café", [24665, 2080, 17499, 15743, 7668]),
        ("東京タワー", [1879, 1755, 1709, 30262, 30265]),
        ("don't stop-it!! 42%", [2123, 1005, 1056, 2644, 1011, 2009, 999, 999, 4413, 1003]),
        ("a\u200bb\xa0c", [11113, 1039]),
        ("İstanbul ﬁne", [9960, 1984, 2638]),
        ("Привет мир", [1194, 16856, 10325, 25529, 15290, 22919, 1191, 10325, 16856]),
        ("한국어", [1469, 30006, 30021, 29991, 30014, 30020, 29999, 30008]),
        ("Αθήνα ΣΊΣΥΦΟΣ", [1155, 29725, 24824, 16177, 14608, 1173, 18199, 29733, 29735, 29736, 29730, 29733]),
        ("$5.00 <tag> ^ `q`", [1002, 1019, 1012, 4002, 1026, 6415, 1028, 1034, 1036, 1053, 1036]),
        ("\ufffd\x00ctrl\x07", [14931, 12190]),
        ("unbelievably photogenic", [4895, 8671, 2666, 3567, 6321, 6302, 16505]),
        ("   ", []),
    ],
)
def test_ids_equal_the_reference(text, ids):
    assert TOKENIZER.encode(text) == ids


def test_a_mark_in_a_text_is_plain_text():
    assert not {START, END} & set(TOKENIZER.encode("a [SEP] b [CLS]"))


def test_a_word_beyond_all_measure_is_unknown():
    assert TOKENIZER.encode("x" * 101) == [UNKNOWN]
    assert UNKNOWN not in TOKENIZER.encode("x" * 100)


def test_a_long_text_keeps_its_beginning_and_its_end_mark():
    tokens = TOKENIZER(["dog " * 40, "dog", ""])
    assert tokens.shape == (3, 16) and tokens.dtype == torch.int64
    assert tokens[0].tolist() == [START, *[3899] * 14, END]
    assert tokens[1].tolist() == [START, 3899, END, *[PAD] * 13]
    assert WordPiece.lengths(tokens).tolist() == [16, 3, 2]


def test_a_context_without_room_is_refused():
    with pytest.raises(ValueError, match="at least 2"):
        WordPiece(1)


@given(st.text())
def test_any_text_gives_ids_of_the_vocabulary(text):
    assert all(0 < i < VOCABULARY_SIZE and i not in (START, END) for i in TOKENIZER.encode(text))
    assert TOKENIZER.encode(text) == TOKENIZER.encode(f"  {text}\n")
