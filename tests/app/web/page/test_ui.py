"""The page's layout and its callbacks, without a browser."""

import gradio as gr
import pytest

from app.web.page import browsing
from app.web.page.ui import Actions, build_ui, explained, lay_out
from indexer.errors import QueryError
from tests.app.colours import World
from tests.app.serving import in_loop, photo_id, picture


def make_actions(services):
    with gr.Blocks(analytics_enabled=False):
        return Actions(services, lay_out())


@pytest.fixture
def actions(services):
    return in_loop(make_actions, services)


def event(number):
    return gr.EventData(None, {"photo_id": number})


def test_building_the_page_connects_every_action(services):
    page = in_loop(build_ui, services)
    connected = {function.fn.__name__ for function in page.fns.values() if function.fn}
    assert connected == {"start", "search", "drop", "clear", "like", "more", "enlarge", "now"}
    assert all(function.api_visibility == "private" for function in page.fns.values())


def test_a_search_changes_the_named_components(actions):
    parts = actions.parts
    changed = actions.search("blue", None, None, None, None, None)
    assert "blue.png" in changed[parts.grid]
    assert "Searched 5 photos" in changed[parts.summary]
    assert changed[parts.asked] == ""
    assert changed[parts.more] == gr.update(visible=False)


def test_words_after_a_dropped_picture_mix_with_it_until_it_is_taken_away(actions, services):
    parts = actions.parts
    token = browsing.take_in(services, picture("green"))
    dropped = actions.drop("", None, None, None, None, gr.EventData(None, {"token": token}))
    assert "Photos like your picture" in dropped[parts.asked]
    mixed = actions.search("red", None, None, None, None, dropped[parts.shown])
    assert "mixed with your words" in mixed[parts.asked]
    cleared = actions.clear("red", None, None, None, None)
    assert (cleared[parts.asked], cleared[parts.shown].sample) == ("", None)
    assert actions.clear(" ", None, None, None, None)[parts.shown] is None


@pytest.mark.parametrize(
    "data", [{}, {"token": None}, {"token": "made up"}, {"token": ["a"]}, {"token": {"path": "/a"}}]
)
def test_a_token_that_a_client_made_up_finds_no_picture(actions, data):
    with pytest.raises(gr.Error) as shown:
        actions.drop("red", None, None, None, None, gr.EventData(None, data))
    assert "Add it again" in shown.value.message


def test_a_picture_that_is_not_kept_any_more_is_asked_for_again_and_can_be_taken_away(actions, services):
    parts = actions.parts
    token = browsing.take_in(services, picture("green"))
    shown = actions.drop("", None, None, None, None, gr.EventData(None, {"token": token}))[parts.shown]
    services.dropped.close()
    for again in (lambda: actions.search("red", None, None, None, None, shown), lambda: actions.more(shown)):
        with pytest.raises(gr.Error) as told:
            again()
        assert "Your picture is kept for an hour only" in told.value.message
    assert "red.png" in actions.clear("red", None, None, None, None)[parts.grid]


def test_more_of_a_search_that_is_gone_says_so(actions):
    with pytest.raises(gr.Error, match=r"^'This search is too old; search again\.'$"):
        actions.more(None)


def test_likes_replace_words_and_picture(actions, services):
    parts = actions.parts
    changed = actions.like(None, None, None, None, event(photo_id(services, "blue.png")))
    assert changed[parts.words] == ""
    assert "Photos like blue.png" in changed[parts.asked]
    after = actions.search("red", None, None, None, None, changed[parts.shown])
    assert after[parts.asked] == ""


def test_a_photo_opens(actions, services):
    assert 'aria-label="yellow.jpg"' in actions.enlarge(None, event(photo_id(services, "yellow.jpg")))


@pytest.mark.parametrize("number", [999, -1, 2**70, "1", None, 1.5, {"a": 1}])
def test_an_id_that_a_client_made_up_opens_nothing(actions, number):
    with pytest.raises(gr.Error):
        actions.enlarge(None, event(number))


@pytest.mark.parametrize(
    ("words", "said"),
    [("", "The query is empty"), ("x" * 100_000, "100,000 characters"), ("red after:x", "after: wants a year")],
)
def test_what_cannot_be_searched_for_is_a_sentence(actions, words, said):
    with pytest.raises(gr.Error) as shown:
        actions.search(words, None, None, None, None, None)
    assert said in shown.value.message


def test_a_message_is_never_markup():
    @explained
    def fail():
        raise QueryError("<img src=x onerror=alert(1)> is no date")

    with pytest.raises(gr.Error) as shown:
        fail()
    assert "<img" not in shown.value.message


def test_an_empty_library_says_what_to_do(tmp_path):
    actions = in_loop(make_actions, World(tmp_path).services())
    greeting = actions.start()[actions.parts.grid]
    assert "picsift index" in greeting
    assert "empty" in greeting
