"""Words and pictures in one answer: the whole service over real files, with a model that knows colours alone."""

from dataclasses import replace

import numpy as np
import pytest

from app.search.language.parsing import parse
from app.search.query import Query
from app.search.words import word_search
from app.tag_path import parse_path
from indexer.catalog.records import FailedPhoto, Move
from indexer.catalog.tag_records import Decision, Edit
from indexer.errors import QueryError
from tests.app.colours import NAMES, World, names

pytestmark = pytest.mark.relevance
EVERY = ["one.png", "two.png", "three.png", "four.jpg", "five.jpg"]


@pytest.fixture
def search(tmp_path, monkeypatch):
    world = World(tmp_path)
    for name, colour in zip(EVERY, ["red", "green", "blue", "yellow", "purple"], strict=True):
        world.write(f"a/{name}", colour)
    world.write("Trip to Wien/six.jpg", "red")
    world.index()
    services = world.services()
    monkeypatch.setattr(services.search._background, "_names", lambda: list(NAMES))
    return services.search


def id_of(search, name):
    return search.search(parse(f"name:{name}")).hits[0].photo.id


def title(search, name, words):
    search._library.catalog.tags.edit([Edit(id_of(search, name), "title", words, "test")])


def found(search, typed, **asked):
    return search.search(replace(parse(typed), **{"min_relevance": 0.5, **asked}))


def test_a_photo_whose_words_say_it_comes_first_although_it_looks_otherwise(search):
    assert names(found(search, "thompson springs").hits) == []
    catalog = search._library.catalog
    catalog.tags.decide([Decision(id_of(search, "three.png"), parse_path("thompson springs"), "accepted")])
    answer = found(search, "Thompson springs")
    assert names(answer.hits) == ["three.png"]
    assert (answer.hits[0].found_by, answer.matches, answer.total, answer.hint) == (("words",), 1, 6, None)
    assert answer.hits[0].relevance < 0.5
    assert names(found(search, "a photo of the Thompson springs", limit=1).hits) == ["three.png"]
    assert found(search, "thompson").matches == 1
    assert found(search, "thompson bridge").matches == 0
    assert found(search, "thompson springs", min_relevance=1).matches == 1


def test_both_find_what_they_find(search):
    title(search, "three.png", "A green hill")
    answer = found(search, "green")
    assert [(hit.photo.path.name, hit.found_by) for hit in answer.hits] == [
        ("three.png", ("words",)),
        ("two.png", ("picture",)),
    ]
    title(search, "two.png", "green")
    assert [(hit.photo.path.name, hit.found_by) for hit in found(search, "green").hits] == [
        ("two.png", ("words", "picture")),
        ("three.png", ("words",)),
    ]
    assert [len(found(search, "green", limit=1, offset=at).hits) for at in (0, 1, 2)] == [1, 1, 0]


def test_a_folders_name_brings_no_photo_before_those_that_look_like_it(search):
    catalog = search._library.catalog
    root = catalog.roots()[0].id
    catalog.move([Move(id_of(search, name), root, f"green/{name}", 1, 1) for name in ("one.png", "three.png")])
    answer = found(search, "green")
    assert [(hit.photo.path.name, hit.found_by) for hit in answer.hits] == [
        ("two.png", ("picture",)),
        *[(name, ("words",)) for name in names(answer.hits)[1:]],
    ]
    assert (set(names(answer.hits)), answer.matches) == ({"one.png", "two.png", "three.png"}, 3)
    assert names(found(search, "green", min_relevance=0).hits)[:3] == names(answer.hits)
    more = answer.hits[0].relevance - 0.001
    assert more > 0.5
    assert names(found(search, "green", min_relevance=more).hits) == ["two.png"]
    assert names(found(search, "green", min_relevance=0.5, sort="date").hits) != ["two.png"]
    assert names(found(search, "green", min_relevance=more, sort="date").hits) == ["two.png"]
    catalog.move([Move(id_of(search, "four.jpg"), root, "thompson springs/four.jpg", 1, 1)])
    assert names(found(search, "thompson springs").hits) == ["four.jpg"], "what nothing looks like is found by its name"


@pytest.mark.parametrize("typed", ["green", "GREEN", "the green", "green.png", "a picture of green"])
def test_a_file_of_just_that_name_is_found_as_by_its_own_words(search, typed):
    catalog = search._library.catalog
    catalog.move([Move(id_of(search, "one.png"), catalog.roots()[0].id, "b/green.png", 1, 1)])
    catalog.move([Move(id_of(search, "four.jpg"), catalog.roots()[0].id, "b/green 2.png", 1, 1)])
    answer = found(search, typed)
    assert answer.hits[0].photo.path.name == "green.png"
    assert found(search, typed, min_relevance=1).hits[0].photo.path.name == "green.png"
    assert "green 2.png" not in names(found(search, typed, min_relevance=0.6).hits)
    assert found(search, "green 2").hits[0].photo.path.name == "green 2.png"


def test_where_no_words_say_it_the_answer_is_that_of_pictures(search, monkeypatch):
    answers = [found(search, "blue", min_relevance=least) for least in (0, 0.5)]
    monkeypatch.setattr("app.search.paging.pages.worded", lambda *_: None)
    for before, least in zip(answers, (0, 0.5), strict=True):
        alone = found(search, "blue", min_relevance=least)
        assert replace(before, took_ms=0) == replace(alone, took_ms=0)


def test_common_words_and_folders_called_like_them_bring_nothing_in(search):
    answer = found(search, "a blue dog on a beach", min_relevance=0, all_copies=True)
    assert [hit.found_by for hit in answer.hits] == [("picture",)] * 6
    assert found(search, "a").matches == 0


def test_names_that_most_of_the_library_has_tell_nothing(search, monkeypatch):
    assert found(search, "png").matches == 3, "few photos are always told apart"
    monkeypatch.setattr(word_search, "FEW", 2)
    assert found(search, "png").matches == 3, "half of the library at most"
    assert found(search, "png folder:a").matches == 0, "half of what the filters allow"
    title(search, "four.jpg", "Not a png")
    assert names(found(search, "png folder:a").hits) == ["four.jpg"], "own words count"
    assert names(found(search, "png three folder:a").hits) == ["three.png"]
    assert found(search, 'wien folder:"Trip to Wien"').matches == 1
    monkeypatch.setattr(word_search, "FEW", 0)
    assert found(search, 'wien folder:"Trip to Wien"').matches == 0
    assert found(search, "text:png folder:a").total == 4


def test_a_photos_own_words_count_however_many_carry_them(search, monkeypatch):
    monkeypatch.setattr(word_search, "FEW", 2)
    for name in EVERY:
        title(search, name, "holidays")
    assert found(search, "holidays").matches == 5
    assert names(found(search, "NOT holidays").hits) == ["six.jpg"]
    title(search, "six.jpg", "blue holidays")
    assert names(found(search, "blue - holidays", min_relevance=1).hits) == []
    monkeypatch.setattr(word_search, "FEW", 0)
    assert found(search, "NOT png folder:a").total == 2, "names too are left out however many have them"


def test_photos_that_are_not_in_the_index_do_not_count_as_carriers(search, monkeypatch):
    monkeypatch.setattr(word_search, "FEW", 0)
    catalog = search._library.catalog
    failed = [FailedPhoto(f"zebra/{at}.png", 1, 1, "broken") for at in range(9)]
    catalog.fail(catalog.roots()[0].id, failed)
    catalog.move([Move(id_of(search, "two.png"), catalog.roots()[0].id, "zebra/two.png", 1, 1)])
    assert names(found(search, "zebra").hits) == ["two.png"]
    assert found(search, "NOT zebra").total == 5


def test_words_hold_within_filters_and_text_is_one(search):
    title(search, "three.png", "Anna's wedding")
    title(search, "six.jpg", "Anna's wedding")
    assert names(found(search, 'text:"Anna\'s wedding" -folder:"Trip to Wien"').hits) == ["three.png"]
    assert names(found(search, 'wedding folder:"Trip to Wien"').hits) == ["six.jpg"]
    assert found(search, 'wedding folder:"Trip to Wien" name:one').total == 0
    assert set(names(found(search, "text:one OR text:wien").hits)) == {"one.png", "six.jpg"}
    assert set(names(found(search, "NOT (text:anna OR text:a)").hits)) == set()
    assert names(found(search, "text:anna text:wien").hits) == ["six.jpg"]
    alone = found(search, "text:anna")
    assert (alone.total, alone.hits[0].score, alone.hits[0].found_by) == (2, None, ())
    with pytest.raises(QueryError, match="did you mean text:"):
        parse("texts:anna")
    with pytest.raises(QueryError, match="text: needs a name right behind it"):
        parse('text:""')


def test_a_minus_lowers_and_not_leaves_out_what_words_find(search):
    title(search, "three.png", "Hill in red")
    title(search, "five.jpg", "Hill")
    assert set(names(found(search, "hill").hits)) == {"three.png", "five.jpg"}
    assert names(found(search, "hill - red", min_relevance=1).hits) == ["five.jpg"]
    assert names(found(search, "hill NOT red").hits) == ["five.jpg"]
    assert "three.png" not in names(found(search, "NOT red").hits)
    assert set(names(found(search, "hill NOT green").hits)) == {"three.png", "five.jpg"}


def test_by_date_come_all_that_words_and_pictures_find(search):
    title(search, "three.png", "green")
    answer = found(search, "green", sort="date")
    assert {hit.photo.path.name: hit.found_by for hit in answer.hits} == {
        "three.png": ("words",),
        "two.png": ("picture",),
    }
    assert answer.matches == 2


def test_photos_like_one_are_found_by_no_words(search):
    title(search, "three.png", "green")
    answer = search.similar(id_of(search, "two.png"), Query(text="green", min_relevance=0))
    assert {hit.found_by for hit in answer.hits} == {("picture",)}


def test_pages_do_not_move_while_photos_without_the_words_come_in(search):
    for name in EVERY:
        title(search, name, "sea view")
    page = {"min_relevance": 0, "limit": 3, "all_copies": True}
    first = names(found(search, "sea", **page).hits)
    catalog = search._library.catalog
    index = search.live.index(search.live.model())
    catalog.tags.decide([Decision(id_of(search, "six.jpg"), ("other",), "accepted")])
    assert len(index) == 6
    rest = names(found(search, "sea", offset=3, **page).hits)
    assert sorted(first + rest) == sorted([*EVERY, "six.jpg"])


@pytest.mark.parametrize(
    "typed", ['"', "*", "NEAR(a b)", "own:", "\0", "\ud800 x", "x" * 9_000, "a " * 4_000, "東" * 9_000]
)
def test_any_text_is_answered(search, typed):
    try:
        query = parse(typed)
    except QueryError:
        return
    for wanted in (query, replace(query, text=typed)):
        assert np.isfinite(search.search(wanted).took_ms)
    with pytest.raises(QueryError, match="no filter is called"):
        parse("own:x")
