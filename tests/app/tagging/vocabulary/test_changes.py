"""A vocabulary as a person changed it: paths move with what lies under them, and nothing is suggested twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tagging.vocabulary.changes import changed
from app.tagging.vocabulary.vocabulary import Tag, Vocabulary, VocabularyError

LEVELS = st.sampled_from("abc")
PATHS = st.lists(LEVELS, min_size=1, max_size=3).map(tuple)
CHANGES = st.lists(st.tuples(PATHS, st.none() | PATHS), max_size=5)


def vocabulary(*paths, exclusive=()):
    tags = tuple(Tag(path, (), ("a photo of " + " ".join(path),)) for path in paths)
    return Vocabulary("words", tags, frozenset(exclusive))


def paths(words):
    return [tag.path for tag in words.tags]


WORDS = vocabulary(("food",), ("food", "fruit"), ("food", "fruit", "fig"), ("sea",), exclusive=[("food",)])


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ([], paths(WORDS)),
        ([(("gone",), None)], paths(WORDS)),
        ([(("food", "fruit"), ("fruit",))], [("food",), ("sea",), ("fruit",), ("fruit", "fig")]),
        ([(("food", "fruit"), None)], [("food",), ("sea",)]),
        ([(("food", "fruit"), ("sea",))], [("food",), ("sea",), ("sea", "fig")]),  # merged: the sea is the sea's
        ([(("food",), None), (("food", "fruit"), ("fruit",))], [("fruit",), ("fruit", "fig"), ("sea",)]),
    ],
)
def test_where_tags_stand_then(changes, left):
    found = changed(WORDS, changes)
    assert sorted(paths(found)) == sorted(left)
    sentences = {tag.path: tag.prompts for tag in found.tags}
    assert sentences[("sea",)] == ("a photo of sea",)


def test_a_tag_keeps_its_sentences_and_a_group_its_tags():
    found = changed(WORDS, [(("food",), ("meal",))])
    assert {tag.path: tag.prompts for tag in found.tags}[("meal", "fruit")] == ("a photo of food fruit",)
    assert found.exclusive == {("meal",)}


def test_where_every_tag_is_deleted_that_is_said():
    with pytest.raises(VocabularyError, match="every tag of words was deleted"):
        changed(vocabulary(("sea",)), [(("sea",), None)])


@given(st.lists(PATHS, min_size=1, max_size=8, unique=True), CHANGES)
def test_no_path_comes_twice_and_parents_come_first(names, changes):
    try:
        found = paths(changed(vocabulary(*sorted(names, key=len)), changes))
    except VocabularyError:
        return
    assert len(set(found)) == len(found) <= len(names)
    above = {path: [path[:k] for k in range(1, len(path)) if path[:k] in found] for path in found}
    assert all(found.index(parent) < found.index(path) for path, parents in above.items() for parent in parents)
