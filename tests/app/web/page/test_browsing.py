"""What the page shows, over a real library: words, pictures, likes, and pages that follow one another."""

import pytest

from app.web.page import browsing
from app.web.page.browsing import Fields
from indexer.errors import PicsiftError, QueryError
from tests.app.colours import World, names
from tests.app.serving import photo_id, picture


def test_words_and_fields_filter_together(services):
    shown = browsing.ask(services, Fields("red after:2018", None, " 2020 ", ""))
    assert names(shown.hits) == ["purple.jpg"]


def test_a_dropped_picture_is_searched_by_and_kept_for_the_next_words(services):
    shown = browsing.ask_with(services, Fields(), browsing.take_in(services, picture("green")))
    assert names(shown.hits)[0] == "green.png"
    mixed = browsing.ask(services, Fields("red"), shown.sample)
    assert names(mixed.hits)[0] == "yellow.jpg"


def test_a_file_that_is_no_picture_says_what_to_do(services):
    with pytest.raises(QueryError, match=r"cannot be searched by.*Take a photo"):
        browsing.take_in(services, b"hello")


def test_likes_keep_to_the_filters(services):
    number = photo_id(services, "red.png")
    assert set(names(browsing.ask_like(services, Fields(after="2018"), number).hits)) == {"yellow.jpg", "purple.jpg"}
    with pytest.raises(QueryError, match="no longer"):
        browsing.ask_like(services, Fields(), 999)


@pytest.mark.parametrize("by_photo", [False, True])
def test_more_adds_what_follows_until_there_is_no_more(tmp_path, monkeypatch, by_photo):
    monkeypatch.setattr(browsing, "PAGE_SIZE", 4)
    world = World(tmp_path)
    for number in range(11):
        world.write(f"{number:02}.png", (20 * number, 0, 10))
    world.index()
    services = world.services()
    shown = browsing.ask_like(services, Fields(), 1) if by_photo else browsing.ask(services, Fields("red"))
    counts = [len(shown.hits)]
    while shown.has_more:
        shown = browsing.ask_more(services, shown)
        counts.append(len(shown.hits))
    assert counts == ([4, 8, 10] if by_photo else [4, 8, 11])
    assert len({hit.photo.id for hit in shown.hits}) == counts[-1]


def test_nothing_to_look_for_is_an_error_a_person_understands(services, tmp_path):
    with pytest.raises(QueryError, match="empty"):
        browsing.ask(services, Fields())
    (tmp_path / "other").mkdir()
    with pytest.raises(PicsiftError, match="picsift index"):
        browsing.ask(World(tmp_path / "other").services(), Fields("red"))
