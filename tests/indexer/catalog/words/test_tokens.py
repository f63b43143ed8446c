"""Text cut into the words by which it is found."""

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.catalog.words.tokens import APART, expression, joined, tokens

TOKYO = ["東", "京", "タ", "ワ", "ー"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("Anna's wedding", ["anna", "s", "wedding"]),
        ("Anna’s wedding", ["anna", "s", "wedding"]),
        ("IMG_1234.JPG", ["img", "1234", "jpg"]),
        ("München", ["munchen"]),
        ("Mu\u0308nchen", ["munchen"]),
        ("ŁÓDŹ, Straße, København", ["lodz", "strasse", "kobenhavn"]),
        ("東京タワー", TOKYO),
        ("東京タワー.jpg", [*TOKYO, "jpg"]),
        ("tokyo東京2021", ["tokyo", "東", "京", "2021"]),
        ("서울에서", ["서", "울", "에", "서"]),
        ("Привет, МИР", ["привет", "мир"]),
        ("\0a\x1fb\ud800c", ["a", "b", "c"]),
        ("🐕 !?*\"'()", []),
    ],
)
def test_words_are_folded_and_cut(text, words):
    assert tokens(text) == words


def test_texts_stand_apart():
    assert joined(["red rock", "", "!", "Canyon"]) == f"red rock {APART} canyon"
    assert tokens(APART) == []


@given(st.text(max_size=30))
def test_folding_again_changes_nothing(text):
    assert tokens(" ".join(tokens(text))) == tokens(text)


@given(st.lists(st.text(max_size=20), min_size=1, max_size=4), st.booleans())
def test_fts5_cuts_what_is_written_as_it_was_cut_and_no_text_is_syntax(texts, begins):
    index = sqlite3.connect(":memory:")
    index.execute("CREATE VIRTUAL TABLE photo_words USING fts5(own, named, tokenize = 'ascii')")
    index.execute("INSERT INTO photo_words (rowid, own, named) VALUES (1, ?, '')", (joined(texts),))
    index.execute("CREATE VIRTUAL TABLE cut USING fts5vocab(photo_words, instance)")
    held = [term for (term,) in index.execute("SELECT term FROM cut ORDER BY offset")]
    assert [term for term in held if term != APART] == [token for text in texts for token in tokens(text)]
    for text in texts:
        if tokens(text):
            query = expression([tuple(tokens(text))], begins=begins)
            assert index.execute("SELECT rowid FROM photo_words WHERE photo_words MATCH ?", (query,)).fetchall()
    index.close()
