import functools
import random
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from unittest.mock import patch

import ftfy
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clip_model.preprocessing.tokenizer import (
    EOT,
    MARKS,
    SOT,
    VOCABULARY_SIZE,
    Tokenizer,
    clean,
    default_tokenizer,
    merge,
    vocabulary,
)
from tests.clip_model.open_clip_reference import open_clip
from tests.counting import calls_of
from tests.fuzzing import examples


@functools.cache
def reference():
    return open_clip().tokenizer.SimpleTokenizer()


SNIPPETS = [
    "a photo of a dog", "it's", "they'LL", "'ſ", "ſ'S", "<start_of_text>", "<END_OF_TEXT>", "<|endoftext|>", "&amp;lt;",
    "&amp;amp;", "&#x200b;", "&nbsp;", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪", "שלום", "مرحبا بالعالم",
    "\u202eabc\u202c", "日本語の写真", "한국어",
    "ÃƒÂ©", "schÃ¶n", "ﬁne", "e\u0301", "İstanbul", "ẞ", "\x00", "\x07", "\x1b[31m", "\ufeff", "\ud800",
    "\u2028", "\u00a0", "\u3000",
    "  ", "\t\n", "1234567890", "½", "٣", "!!!", "...", "—", "</w>", "Ġ", "x" * 40, "²", "ǅ", "\U0010ffff",
]  # fmt: skip

strings = st.one_of(
    st.text(),
    st.text(alphabet=st.characters(codec=None, exclude_categories=())),  # lone surrogates and controls too
    st.lists(st.sampled_from(SNIPPETS), max_size=12).map("".join),
    st.lists(st.one_of(st.sampled_from(SNIPPETS), st.text(max_size=8)), max_size=40).map(" ".join),
)


@settings(max_examples=examples(400))
@given(st.lists(strings, min_size=15, max_size=20))  # many in one example: hypothesis takes longer than the tokenizers
@example(["", "<start_of_text>", "a" * 10_000, "the cat sat " * 900])
def test_ids_equal_open_clips(texts):
    with patch.object(ftfy, "fix_text", functools.cache(ftfy.fix_text)):  # all four ask the same of it
        assert [default_tokenizer().encode(text) for text in texts] == [reference().encode(text) for text in texts]
        assert torch.equal(default_tokenizer()(texts), reference()(texts))


def test_texts_of_ten_thousand_characters_equal_open_clips():
    draw = random.Random(0)
    blocks = [(0x20, 0x250), (0x5D0, 0x5EB), (0x4E00, 0x4E80), (0x1F600, 0x1F640)]
    letters = [chr(letter) for block in blocks for letter in range(*block)]
    for _ in range(10):
        text = "".join(draw.choices(letters, k=10_000))
        assert default_tokenizer().encode(text) == reference().encode(text)


@pytest.mark.parametrize("context_length", [2, 3, 16, 77])
def test_a_text_that_is_too_long_is_cut_as_open_clip_cuts_it(context_length):
    texts = ["one two three four " * repeat for repeat in (0, 1, 3, 4, 5, 18, 19, 20, 100)]
    ours, theirs = Tokenizer(context_length)(texts), reference()(texts, context_length=context_length)
    assert ours.dtype == torch.int64
    assert torch.equal(ours, theirs)


def test_a_sentence_has_the_ids_of_the_papers_vocabulary():
    rows = default_tokenizer()("A diagram  of\n a DOG")
    assert rows.shape == (1, 77)
    assert rows[0, :7].tolist() == [SOT, 320, 22697, 539, 320, 1929, EOT]
    assert not rows[0, 7:].any()


def test_no_text_gives_no_rows():
    assert default_tokenizer()([]).shape == (0, 77)
    assert default_tokenizer()([""])[0, :3].tolist() == [SOT, EOT, 0]


def test_the_vocabulary_is_written_as_open_clip_has_it():
    marks = dict(zip(MARKS, ("<start_of_text>", "<end_of_text>"), strict=True))
    assert {marks.get(token, token): number for token, number in vocabulary().items()} == reference().encoder


def test_the_vocabulary_is_complete():
    merges = default_tokenizer()._merges
    ids = {merges.symbol(i): i for i in range(SOT)}
    assert len(ids) == SOT == VOCABULARY_SIZE - 2
    pairs = [tuple(ids[symbol] for symbol in line.split(" ")) for line in merges.lines]
    assert [merges.get(pair) for pair in pairs] == list(range(512, SOT))
    # What lets one pass over a heap equal a rescan after each merge: a symbol is older than every pair it is part of.
    assert all(left < merged and right < merged for merged, (left, right) in enumerate(pairs, start=512))


def rescan(ids, merges):
    """The definition, slowly: the oldest pair anywhere, all its places from left to right, again."""
    ids = list(ids)
    while candidates := [merges[pair] for pair in pairwise(ids) if pair in merges]:
        oldest, joined, i = min(candidates), [], 0
        while i < len(ids):
            if i + 1 < len(ids) and merges.get((ids[i], ids[i + 1])) == oldest:
                joined.append(oldest)
                i += 2
            else:
                joined.append(ids[i])
                i += 1
        ids = joined
    return ids


@settings(max_examples=examples(250))
@given(st.data())
def test_merging_by_heap_equals_rescanning(data):
    merges = {}
    for merged in range(3, 3 + data.draw(st.integers(0, 12))):
        pair = data.draw(st.tuples(st.integers(0, merged - 1), st.integers(0, merged - 1)))
        merges.setdefault(pair, merged)
    word = data.draw(st.lists(st.integers(0, 2), max_size=60))
    assert merge(word, merges) == rescan(word, merges)


@pytest.mark.parametrize("part", ["a", "ab", "photograph", "é"])
def test_a_word_of_a_hundred_kilobytes_takes_no_quadratic_time(part):
    """To count calls takes longer than to make them: a quarter of it tells, as the bound is four times as near to 2."""
    tokenizer, number = Tokenizer(), 12_500 // len(part)
    tokenizer.encode(part)
    once = calls_of(tokenizer.encode, part * number)
    assert calls_of(tokenizer.encode, part * (2 * number)) < 2.05 * once


def test_only_the_beginning_of_an_endless_text_is_merged():
    tokenizer = Tokenizer()
    rows = tokenizer("word" + " photograph" * 5 + " unseen" * 200)
    assert rows[0, -1] == EOT
    assert tokenizer._cached_word.cache_info().misses == 3


def test_many_different_words_do_not_fill_the_memory():
    tokenizer = Tokenizer()
    tokenizer.encode("y" * 1000)
    assert tokenizer._cached_word.cache_info().currsize == 0
    assert tokenizer._cached_word.cache_info().maxsize is not None


def test_eight_threads_share_one_tokenizer():
    texts = [f"photo {i} of {chr(97 + i % 26) * 5}" for i in range(200)]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(Tokenizer(), [texts] * 8))
    assert all(torch.equal(rows, reference()(texts)) for rows in results)


def test_cleaning_repairs_unescapes_and_squeezes():
    assert clean("  SchÃ¶n &amp;amp;\u3000Gut\n") == "schön & gut"


def test_a_context_without_room_is_refused():
    with pytest.raises(ValueError, match=r"at least 2 .* got 1"):
        Tokenizer(1)
