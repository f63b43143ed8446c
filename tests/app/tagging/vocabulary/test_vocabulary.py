"""Vocabularies: the built-in one is sound, own ones are read in every format, and hostile files are explained."""

import re
from types import SimpleNamespace
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import tag_path
from app.tag_path import parse_path, path_text
from app.tagging.vocabulary.vocabulary import VocabularyError, article, load_vocabulary

BUILT_IN = load_vocabulary()
DOG = ("animal", "mammal", "dog")


def written(tmp_path, name, content):
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def by_path(vocabulary):
    return {tag.path: tag for tag in vocabulary.tags}


# The built-in vocabulary


def test_a_path_that_is_far_too_long_is_refused_before_it_is_put_together(monkeypatch):
    """To compose n accents in a row takes n squared, while all else waits: minutes for what a request may hold."""
    never = SimpleNamespace(normalize=lambda form, text: pytest.fail("it was put together"), category=category)
    monkeypatch.setattr(tag_path, "unicodedata", never)
    for text in ("a" + "\u0301\u0316" * 200_000, "a/" * 200_000, "\\/" * 200_000, "a" * 200_000):
        for read in (tag_path.parse_path, tag_path.clean_name):
            with pytest.raises(ValueError, match="characters: shorten it to 200"):
                read(text)


def test_the_built_in_vocabulary_is_large_and_in_order():
    paths = [tag.path for tag in BUILT_IN.tags]
    assert len(paths) == len(set(paths)) >= 450
    seen = set(BUILT_IN.categories)
    for path in paths:
        assert len(path) == 1 or path[:-1] in seen, path
        seen.add(path)
    assert max(map(len, paths)) <= 4


def test_every_built_in_sentence_can_be_read():
    for tag in BUILT_IN.tags:
        assert tag.prompts
        for prompt in tag.prompts:
            assert "{" not in prompt
            assert len(prompt) < 200
            assert prompt == " ".join(prompt.split())
            assert not re.search(r"\ba [aeio]", prompt), prompt


def test_no_two_built_in_tags_say_the_same_to_the_model():
    assert len({tag.prompts for tag in BUILT_IN.tags}) == len(BUILT_IN.tags)


@pytest.mark.parametrize(
    "path",
    [DOG, ("weather",), ("season", "summer"), ("setting", "indoor"), ("food",), ("kind of picture", "screenshot")],
)
def test_what_everybody_looks_for_is_there(path):
    assert path[-1] in {tag.label for tag in BUILT_IN.tags} | {path[-1] for path in BUILT_IN.categories}


@pytest.mark.parametrize("word", ["crane", "mouse", "bat", "seal", "turkey"])
def test_words_that_mean_two_things_are_told_apart(word):
    for tag in BUILT_IN.find(word):
        if tag.label == word:
            assert word not in tag.prompts
            assert f"a photo of a {word}" not in tag.prompts


def test_groups_that_exclude_each_other_have_members():
    assert {("setting",), ("season",)} <= BUILT_IN.exclusive
    for group in BUILT_IN.exclusive:
        assert sum(tag.path[:-1] == group for tag in BUILT_IN.tags) >= 2


@pytest.mark.parametrize("word", ["dog", "DOG", "Hund", "chien", "puppy", "animal/mammal/dog"])
def test_a_tag_is_found_by_path_label_synonym_and_other_languages(word):
    assert DOG in [tag.path for tag in BUILT_IN.find(word)]


def test_what_is_no_word_is_not_found():
    assert BUILT_IN.find("qwertz") == BUILT_IN.find("/") == BUILT_IN.find("") == []


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        ("umbrella", "an"),
        ("unicorn", "a"),
        ("hour", "an"),
        ("house", "a"),
        ("SUV", "an"),
        ("x-ray", "an"),
        ("egg", "an"),
    ],
)
def test_the_article_is_the_one_that_is_heard(word, wanted):
    assert article(word) == wanted


# Own vocabularies


def test_a_list_of_words_nests_by_tabs_and_slashes(tmp_path):
    words = load_vocabulary(
        written(tmp_path, "w.txt", "# mine\npets\n\trex\n\t\t{Rexi}\n[people]\n\tanna\nboats/dinghy\n")
    )
    tags = by_path(words)
    assert set(tags) == {("pets",), ("pets", "rex"), ("people", "anna"), ("boats",), ("boats", "dinghy")}
    assert tags[("pets", "rex")].synonyms == ("Rexi",)
    assert [tag.path for tag in words.find("rexi")] == [("pets", "rex")]


@pytest.mark.parametrize(
    "content",
    [
        "tag,synonyms,prompts,label:de\nanimal/dog,puppy;hound,a photo of my dog,Hund\n",
        "\ufefftag;synonyms;label:de\nanimal/dog;puppy;Hund\n",
        "path\tsynonyms\tlabel:de\nanimal/dog\tpuppy\tHund\n",
    ],
)
def test_a_table_is_read_whatever_parts_its_cells(tmp_path, content):
    words = load_vocabulary(written(tmp_path, "w.csv", content))
    tag = by_path(words)[("animal", "dog")]
    assert tag.synonyms[0] == "puppy"
    assert tag.labels["de"] == "Hund"


def test_an_own_file_in_the_built_in_format_may_use_its_sentences(tmp_path):
    content = (
        'name = "mine"\n[templates]\nown = ["my {} at home"]\n[tags]\n"pet" = {templates = "own"}\n"pet/cat" = {}\n'
    )
    words = load_vocabulary(written(tmp_path, "w.toml", content + '"car" = {templates = "thing"}\n'))
    assert words.name == "mine"
    assert "my cat at home" in by_path(words)[("pet", "cat")].prompts
    assert "a photo of a car" in by_path(words)[("car",)].prompts


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("w.toml", '[tags]\n"a" = {prompt = ["x"]}', "prompt"),
        ("w.toml", '[tags]\n"a" = {templates = "none"}', "none"),
        ("w.toml", '[templates]\nt = ["no gap"]\n[tags]\n"a" = {templates = "t"}', "no gap"),
        ("w.toml", '[tags]\n"a" = ', "w.toml"),
        ("w.toml", "", "w.toml"),
        ("w.txt", "\n# nothing\n", "w.txt"),
        ("w.txt", "a\na\n", "twice"),
        ("w.csv", "tag\na,b\n", "2 cells for 1 column: quote"),
        ("w.csv", "colour,size\nred,1\n", "w.csv"),
        ("w.txt", b"\xff\xfe\xfa", "w.txt"),
        ("w.txt", b"\x00" * 100, "w.txt"),
        ("w.pdf", "a", "w.pdf"),
        ("w.txt", "\n".join(f"word {n}" for n in range(20_001)), "20,000"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_what_is_wrong(tmp_path, name, content, said):
    with pytest.raises(VocabularyError, match=re.escape(said)):
        load_vocabulary(written(tmp_path, name, content))


def test_a_file_that_is_not_there_is_said_so(tmp_path):
    with pytest.raises(VocabularyError, match=r"gone\.txt"):
        load_vocabulary(tmp_path / "gone.txt")


@given(st.binary(max_size=200), st.sampled_from(["w.txt", "w.csv", "w.toml"]))
def test_no_file_breaks_anything_but_itself(tmp_path_factory, content, name):
    file = written(tmp_path_factory.mktemp("words"), name, content)
    try:
        words = load_vocabulary(file)
    except VocabularyError as error:
        assert name in str(error)
    else:
        assert all(tag.prompts for tag in words.tags)


# Paths


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("dog", ("dog",)),
        (" animal /  big   dog ", ("animal", "big dog")),
        (r"AC\/DC", ("AC/DC",)),
        ("a\\\\/b", ("a\\", "b")),
    ],
)
def test_a_path_is_read_as_it_is_meant(text, path):
    assert parse_path(text) == path


@pytest.mark.parametrize("text", ["", " ", "/", "a//b", "a/", "a\x00b", "/".join("abcdefghi"), "x" * 201])
def test_what_is_no_path_is_refused(text):
    with pytest.raises(ValueError, match=r"\w"):
        parse_path(text)


@given(st.text(max_size=30))
def test_a_path_is_written_as_it_is_read(text):
    try:
        path = parse_path(text)
    except ValueError:
        return
    assert parse_path(path_text(path)) == path
