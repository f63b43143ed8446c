"""What relevance is measured against: made once, kept beside the index, made again when it has to be."""

from dataclasses import replace

import numpy as np
import pytest

from app.search.language.parsing import parse
from app.search.library_background import FILE, LibraryBackground
from app.search.query import Query
from indexer.errors import ModelError, QueryError
from tests.app.colours import ColourEmbedder, names

NAMES = ("red", "green", "blue", "yellow", "purple", "black")


class Place:
    """A library's index and what asks for its background."""

    def __init__(self, services, wanted=NAMES):
        self.services, self.wanted = services, wanted
        self.model = services.search.live.model()
        self.index = services.search.live.index(self.model)
        self.file = services.library.index_folder(self.model) / FILE
        self.embedded = []

    def new(self):
        return LibraryBackground(self.services.library, self._embedder, lambda: self.wanted)

    def of(self, **asked):
        return self.new().of(self.model, self.index, **asked)

    def _embedder(self, model):
        self.embedded.append(model.name)
        return ColourEmbedder()


@pytest.fixture
def place(services):
    return Place(services)


def same(one, other):
    return (one.photos, one.words, one.pictures) == (other.photos, other.words, other.pictures) and np.allclose(
        one.moments, other.moments
    )


def test_it_is_measured_once_and_read_afterwards(place):
    background = place.new()
    first = background.of(place.model, place.index)
    assert background.of(place.model, place.index) is first
    assert same(place.of(), first)
    assert place.embedded == ["colours"], "names are embedded once, whoever asks"
    assert first.photos == 5


@pytest.mark.parametrize(
    "damage", [b"", b"no archive", b"PK\x03\x04" + bytes(40)], ids=["empty", "other", "half an archive"]
)
def test_a_damaged_file_is_made_again(place, damage):
    first = place.of()
    place.file.write_bytes(damage)
    assert same(place.of(), first)
    assert same(place.of(), first)
    assert len(place.embedded) == 2


def test_a_file_of_another_shape_or_with_numbers_that_are_none_is_made_again(place):
    first = place.of()
    with np.load(place.file) as file:
        kept = dict(file)
    for name, value in [("mean", kept["mean"][:3]), ("moments", kept["moments"] * np.nan), ("version", 0)]:
        np.savez(place.file, **{**kept, name: value})
        assert same(place.of(), first), name


def test_a_library_that_cannot_be_written_to_is_measured_all_the_same(place, monkeypatch):
    def refuse(*arguments, **named):
        raise PermissionError("read-only")

    monkeypatch.setattr("app.search.library_background.np.savez", refuse)
    assert place.of().photos == 5
    assert not place.file.exists()
    assert not list(place.file.parent.glob("*.partial"))


def test_a_library_that_has_grown_is_measured_again_without_its_names(place, world):
    place.of()
    world.write("more.png", "black")
    world.index()
    place.index = place.services.search.live.index(place.model)
    assert place.of().photos == 6
    assert place.embedded == ["colours"]


def test_between_pictures_no_model_is_needed(place):
    background = place.of(with_words=False)
    assert background.words is None
    assert background.pictures.matching > background.pictures.unrelated
    assert not place.embedded
    assert place.of().words is not None


def test_without_names_relevance_is_unknown(services):
    assert Place(services, ()).of() is None


@pytest.mark.relevance
def test_a_search_finds_what_is_asked_for_and_nothing_else(services, monkeypatch):
    monkeypatch.setattr(services.search._background, "_names", lambda: NAMES)
    found = services.search.search(Query(text="blue", min_relevance=0.5))
    assert names(found.hits) == ["blue.png"]
    assert (found.matches, found.total) == (1, 5)
    assert found.hits[0].relevance > 0.5
    none = services.search.search(Query(text="black", min_relevance=0.5))
    assert (none.hits, none.matches) == ([], 0)
    assert "nothing here looks like that" in none.hint
    everything = services.search.search(Query(text="black"))
    assert len(everything.hits) == everything.matches == 5
    assert all(hit.relevance < 0.5 for hit in everything.hits)


@pytest.mark.relevance
def test_not_leaves_out_what_matches(services, monkeypatch):
    monkeypatch.setattr(services.search._background, "_names", lambda: NAMES)

    def found(text, **asked):
        result = services.search.search(replace(parse(text), **asked))
        return set(names(result.hits)), result.total

    everything = {"red.png", "green.png", "blue.png", "yellow.jpg", "purple.jpg"}
    assert found("NOT blue") == (everything - {"blue.png"}, 4)
    assert found("purple NOT blue NOT red") == (everything - {"blue.png", "red.png"}, 3)
    assert found("red NOT red", min_relevance=0.5) == (set(), 4)
    assert found("red NOT black") == (everything, 5)
    assert found("NOT yellow folder:trip") == ({"purple.jpg"}, 1)
    assert found("red NOT yellow NOT purple folder:trip") == (set(), 0)


def test_not_says_where_relevance_is_unknown(services):
    with pytest.raises(QueryError, match="cannot tell what does"):
        services.search.search(parse("red NOT blue"))


@pytest.mark.relevance
def test_photos_like_one_are_found_although_the_model_is_gone(services, monkeypatch):
    def gone(model):
        raise ModelError("the file of the model is gone")

    monkeypatch.setattr(services.search._background, "_embedder_for", gone)
    first = services.search.live.index(services.search.live.model()).ids()[0]
    assert services.search.similar(int(first), Query(min_relevance=0.5)).matches is not None
