"""What the page shows, over a real library: words, pictures, likes, and pages that follow one another."""

from datetime import datetime

import pytest

from app.web.page import browsing, gallery
from app.web.page.question import Question
from indexer.errors import PicsiftError, QueryError
from tests.app.colours import World, names
from tests.app.serving import photo_id, picture


def rest(services, result):
    """The pages behind an answer, as the page of the browser asks for them."""
    while cursor := browsing.following(services, result):
        result = browsing.go_on(services, cursor)
        yield result


def found(services, **question):
    return names(browsing.ask(services, Question(**question)).result.hits)


def test_words_and_fields_filter_together(services):
    assert found(services, q="red after:2018", before=" 2020 ") == ["purple.jpg"]


def test_a_dropped_picture_is_searched_by_and_mixes_with_words(services):
    token = browsing.take_in(services, picture("green"))
    assert found(services, picture=token)[0] == "green.png"
    assert found(services, q="red", picture=token)[0] == "yellow.jpg"


def test_a_file_that_is_no_picture_says_what_to_do(services):
    with pytest.raises(QueryError, match=r"cannot be searched by.*Take a photo"):
        browsing.take_in(services, b"hello")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"q": "type:png", "right": "1"}, "the marks change nothing"),
        ({"q": "type:png", "right": "1", "diverse": "yes"}, "the marks and keeping alike photos apart change nothing"),
        ({"q": "type:png", "diverse": "yes"}, "keeping alike photos apart change nothing"),
        ({"wrong": "1"}, "the marks change nothing"),
        ({"diverse": "yes"}, ""),
        ({"q": "type:png"}, ""),
        ({"q": "red type:png", "right": "1", "diverse": "yes"}, ""),
    ],
)
def test_what_filters_alone_have_no_use_for_is_said_not_to_count(services, asked, said):
    shown = browsing.ask(services, Question(**asked))
    assert said in shown.unused
    assert bool(shown.unused) is bool(said)
    assert bool(gallery.unused(shown)) is bool(said)


def test_likes_keep_to_the_filters(services):
    number = str(photo_id(services, "red.png"))
    assert set(found(services, after="2018", like=number)) == {"yellow.jpg", "purple.jpg"}
    with pytest.raises(QueryError, match="no longer"):
        found(services, like="999")


@pytest.mark.parametrize(
    ("said", "least"), [("", 0.5), ("0.3", 0.3), ("0", 0), ("1", 1), ("2", 0.5), ("-1", 0.5), ("nan", 0.5), ("x", 0.5)]
)
def test_what_is_no_share_leaves_the_least_relevance_as_it_is_set(said, least):
    assert Question(least=said).least_relevance(0.5) == least
    assert not Question(least=said), "it asks for nothing by itself"


@pytest.mark.parametrize("by_photo", [False, True])
def test_pages_follow_until_there_is_no_more(tmp_path, monkeypatch, by_photo):
    monkeypatch.setattr(browsing, "PAGE_SIZE", 4)
    world = World(tmp_path)
    for number in range(11):
        world.write(f"{number:02}.png", (20 * number, 0, 10))
    world.index()
    services, question = world.services(), Question(like="1") if by_photo else Question(q="red")
    first = browsing.ask(services, question).result
    pages = [names(page.hits) for page in [first, *rest(services, first)]]
    assert [len(page) for page in pages] == ([4, 4, 2] if by_photo else [4, 4, 3])
    assert len({name for page in pages for name in page}) == (10 if by_photo else 11)


@pytest.mark.parametrize("copies", ["", "all"])
@pytest.mark.parametrize("asked", [{}, {"q": "red"}, {"q": "type:png"}, {"q": "red", "diverse": "yes"}, {"like": "1"}])
def test_pages_repeat_nothing_and_leave_nothing_out_while_photos_come_and_go(tmp_path, monkeypatch, asked, copies):
    monkeypatch.setattr(browsing, "PAGE_SIZE", 4)
    world = World(tmp_path)
    for number in range(11):
        world.write(f"{number:02}.png", (20 * number, 0, 10), datetime(2020, 1, 1 + number))
    world.index()
    services, question = world.services(), Question(**asked, copies=copies)
    first = browsing.ask(services, question).result
    for name in names(first.hits)[:3]:
        (world.photos / name).unlink()
    for number in range(2):
        world.write(f"new{number}.png", (230, 0, 20 + number), datetime(2021, 1, 1 + number))
    world.index()
    shown = [name for page in [first, *rest(services, first)] for name in names(page.hits)]
    assert len(shown) == len(set(shown)), "none comes twice"
    own = {services.library.catalog.photo(1).path.name} if "like" in asked else set()
    assert {f"{number:02}.png" for number in range(11)} - own == set(shown) - {"new0.png", "new1.png"}


def test_nothing_to_look_for_is_an_error_a_person_understands(tmp_path):
    with pytest.raises(PicsiftError, match="picsift index"):
        browsing.ask(World(tmp_path).services(), Question(q="red"))
