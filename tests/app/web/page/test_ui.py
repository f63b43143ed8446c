"""The page's layout and what its script calls, without a browser."""

import asyncio

import pytest
from fastapi import FastAPI

from app.web.page import browsing
from app.web.page.following import PhotoCount
from app.web.page.mounting import mount
from app.web.page.ui import GONE, Actions, build_ui, explained, offered
from indexer.catalog.records import CopiedPhoto
from indexer.errors import QueryError
from tests.app.colours import World
from tests.app.serving import in_loop, photo_id, picture


@pytest.fixture
def actions(services):
    return make_actions(services)


def make_actions(services):
    return Actions(services, PhotoCount(services.library.catalog))


def ask(actions, behind=None, **question):
    return actions.ask({"question": question, "next": behind})


def test_the_page_offers_these_functions_and_no_event_of_its_own_runs_python(services):
    page = in_loop(build_ui, services)
    functions = offered(page)
    assert {name for _, name in functions} == {"ask", "enlarge", "look"}
    assert len({number for number, _ in functions}) == 1
    assert [function for function in page.fns.values() if function.fn] == []


def test_a_served_page_looks_for_nothing_while_nobody_asks(services):
    async def tasks():
        mounted = mount(FastAPI(), build_ui(services))
        async with mounted.router.lifespan_context(mounted):
            return {task.get_coro().__qualname__ for task in asyncio.all_tasks() - {asyncio.current_task()}}

    assert asyncio.run(tasks()) <= {"_delete_state"}  # once a second


def test_a_search_is_answered_with_its_parts(actions):
    answer = ask(actions, q="blue")
    assert "blue.png" in answer["grid"]
    assert "Searched 5 photos" in answer["summary"]
    assert (answer["asked"], answer["next"]) == ("", None)


def test_the_page_opens_with_the_newest_photos(actions, services):
    answer = ask(actions)
    assert "5 photos are ready" in answer["grid"]
    assert answer["grid"].count('class="tile"') == 5
    assert answer["grid"].index("yellow.jpg") < answer["grid"].index("purple.jpg")  # of 2021, and of 2019
    assert (answer["summary"], answer["chips"], answer["photos"]) == ("", "", 5)
    seen = {"now": "", "photos": 5, "ready": "5 photos are ready to be searched", "version": answer["version"]}
    assert actions.look(None) == seen
    services.library.catalog.remove([photo_id(services, "blue.png")])
    assert actions.look(None)["version"] != answer["version"]


def test_chips_stand_above_an_error_too(actions):
    answer = ask(actions, q="red", after="nonsense")
    assert "after: wants a year" in answer["trouble"]
    assert "after:nonsense" in answer["chips"]


def test_words_mix_with_a_dropped_picture(actions, services):
    token = browsing.take_in(services, picture("green"))
    assert "Photos like your picture" in ask(actions, picture=token)["asked"]
    assert "mixed with your words" in ask(actions, q="red", picture=token)["asked"]


@pytest.mark.parametrize("token", ["made up", "/etc/passwd"])
def test_a_token_that_a_client_made_up_finds_no_picture(actions, token):
    assert "Add it again" in ask(actions, q="red", picture=token)["trouble"]


def test_a_picture_that_is_not_kept_any_more_is_asked_for_again(actions, services):
    token = browsing.take_in(services, picture("green"))
    services.dropped.close()
    answer = ask(actions, picture=token)
    assert answer["trouble"].startswith("Your picture is kept for an hour only")
    assert "your picture" in answer["chips"]


def test_likes_are_shown_with_what_they_are_like_and_words_do_not_count(actions, services):
    answer = ask(actions, q="red after:x", like=str(photo_id(services, "blue.png")))
    assert "Photos like blue.png" in answer["asked"]
    assert "blue.png" not in answer["grid"]


def test_a_photo_opens(actions, services):
    for number in (photo_id(services, "yellow.jpg"), str(photo_id(services, "yellow.jpg"))):
        assert 'aria-label="yellow.jpg"' in actions.enlarge({"photo": number})["large"]


@pytest.mark.parametrize("number", [999, -1, 2**70, "9" * 30, "²", "", None, True, 1.5, {"a": 1}])
def test_an_id_that_a_client_made_up_opens_nothing(actions, number):
    assert "no longer in the library" in actions.enlarge({"photo": number})["trouble"]


@pytest.mark.parametrize("sent", [None, 7, "red", ["red"], {}, {"question": ["red"]}, {"question": {"q": 1, "x": ""}}])
def test_what_is_no_question_shows_what_the_page_opens_with(actions, sent):
    assert "5 photos are ready" in actions.ask(sent)["grid"]
    assert "trouble" in actions.enlarge(sent)


@pytest.mark.parametrize("cursor", ["", "x", "9", "\ud800", "x" * 100_000, -1, 0, 10**30, True, {"a": 1}, ["x"]])
def test_of_a_cursor_that_is_not_kept_it_is_said_to_search_again(actions, cursor):
    answer = ask(actions, cursor, q="blue")
    assert answer == {"trouble": GONE, "gone": True}
    assert answer["trouble"].endswith("Search again.")


def test_of_a_page_that_was_loaded_from_an_older_picsift_it_is_said_too(actions):
    assert actions.ask({"question": {"q": "blue"}, "offset": 48})["gone"]
    assert "blue.png" in actions.ask({"question": {"q": "blue"}, "offset": 0})["grid"]


def test_pages_go_on_though_the_picture_is_not_kept_any_more(actions, services, monkeypatch):
    monkeypatch.setattr(browsing, "PAGE_SIZE", 3)
    first = ask(actions, picture=browsing.take_in(services, picture("green")))
    services.dropped.close()
    rest = actions.ask({"next": first["next"]})
    assert (first["grid"].count('class="tile"'), rest["grid"].count('class="tile"'), rest["next"]) == (3, 2, None)


def test_a_page_of_which_all_is_gone_is_empty(actions, services, monkeypatch):
    monkeypatch.setattr(browsing, "PAGE_SIZE", 3)
    first = ask(actions)
    services.library.catalog.remove([number for number in range(1, 6) if f'data-id="{number}"' not in first["grid"]])
    assert actions.ask({"next": first["next"]}) == {"grid": '<ul class="tiles"></ul>', "next": None}


def test_what_a_page_has_left_is_not_kept(actions, services, monkeypatch):
    monkeypatch.setattr(browsing, "PAGE_SIZE", 2)
    first, other = ask(actions, q="blue"), ask(actions, q="red")
    second = actions.ask({"next": first["next"]})
    assert len(services.cursors) == 3
    third = actions.ask({"question": {"q": "green"}, "left": [second["next"], "made up", 7, {"a": 1}]})
    assert len(services.cursors) == 2, "that of the other page, and that of what is asked now"
    assert "trouble" not in actions.ask({"next": other["next"]}) | actions.ask({"next": third["next"]})
    for cursor in (first["next"], second["next"]):
        assert actions.ask({"next": cursor})["gone"]


def copied(services, name, *paths):
    """Copies of a photo that come to the library."""
    catalog = services.library.catalog
    photo = catalog.photo(photo_id(services, name))
    copies = [CopiedPhoto(path, photo.size, photo.mtime_ns, photo.content_hash, photo.id) for path in paths]
    catalog.store_copies(photo.root_id, copies)


def test_groups_of_duplicates_go_on_likewise(actions, services, monkeypatch):
    monkeypatch.setattr(browsing, "GROUPS", 2)
    for colour in ("blue", "green", "red"):
        copied(services, f"{colour}.png", f"{colour} 2.png")
    first = ask(actions, show="duplicates")
    shown = [colour for colour in ("blue", "green", "red") if colour in first["grid"]]
    assert shown == ["blue", "green"]
    copied(services, "blue.png", "blue 3.png")
    copied(services, "purple.jpg", "a purple one.jpg")
    services.library.catalog.remove([photo_id(services, "green 2.png")])
    second = ask(actions, first["next"], show="duplicates")
    assert second["grid"].count('class="group"') == 2
    assert ("red 2.png" in second["grid"], "a purple one.jpg" in second["grid"], second["next"]) == (True, True, None)
    assert ask(actions, "made up", show="duplicates") == {"trouble": GONE, "gone": True}
    assert "3 groups" in ask(actions, show="duplicates")["summary"]
    assert "No folder is called &#x27;nowhere&#x27;." in ask(actions, show="duplicates", folder="nowhere")["grid"]
    services.library.catalog.remove([photo_id(services, name) for name in ("red 2.png", "a purple one.jpg")])
    assert ask(actions, first["next"], show="duplicates")["grid"] == "", "of which all is gone"


@pytest.mark.parametrize("left", [None, 7, "x", {"a": 1}, [[]], ["\ud800"]])
def test_what_is_no_list_of_cursors_lets_go_of_nothing(actions, services, monkeypatch, left):
    monkeypatch.setattr(browsing, "PAGE_SIZE", 2)
    ask(actions)
    assert "trouble" not in actions.ask({"left": left})
    assert len(services.cursors) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [("x" * 100_000, "100,000 characters"), ("red after:x", "after: wants a year"), ("camra:x", "No filter is called")],
)
def test_what_cannot_be_searched_for_is_a_sentence(actions, words, said):
    assert said in ask(actions, q=words)["trouble"]


def test_the_part_that_is_wrong_is_told_apart(actions):
    assert ask(actions, q="red after:x <b>")["spot"] == ["red after:", "x", " <b>"]
    for asked in ({"q": "x" * 100_000}, {"q": "red", "after": "x"}):
        assert "spot" not in ask(actions, **asked)


def test_text_that_is_no_unicode_is_searched_for_all_the_same(actions):
    assert "red.png" in ask(actions, q="red \ud800")["grid"]


def test_a_message_is_text_that_steers_nothing():
    @explained
    def fail():
        raise QueryError("<b>\u202e is no date")

    assert fail() == {"trouble": "<b>\\u202e is no date"}  # the script writes it as text


def test_an_empty_library_says_what_to_do(tmp_path):
    greeting = make_actions(World(tmp_path).services()).ask({})["grid"]
    assert "picsift index" in greeting
    assert "empty" in greeting


@pytest.mark.parametrize("question", [{}, {"q": "red"}, {"q": "type:raw"}, {"show": "duplicates"}, {"q": "NOT red"}])
def test_where_no_photo_is_there_that_is_said_whatever_is_asked(tmp_path, question):
    world = World(tmp_path)
    world.index()
    assert "Your library is empty" in ask(make_actions(world.services()), **question)["grid"]
    (world.photos / "broken.jpg").write_bytes(b"no picture")
    world.index()
    assert "1 file was found, and could not be read" in ask(make_actions(world.services()), **question)["grid"]


def test_photos_that_the_model_has_not_embedded_are_not_told_to_be_ready(tmp_path):
    world = World(tmp_path)
    for name in ("red", "green"):
        world.write(f"{name}.png", name)
    world.index()
    services = world.services()
    actions = make_actions(services)
    for left, said in (("1", "1 of 2 photos is ready"), ("0", "0 of 2 photos are ready")):
        with services.library.catalog.engine.begin() as connection:
            connection.exec_driver_sql(f"DELETE FROM embeddings WHERE photo_id > {left}")  # as damaged ones go
        assert said in ask(actions)["grid"]
        assert actions.look({})["ready"].startswith(said)
    told = ask(actions, q="type:photo")["grid"]
    assert ("No photo passes" in told, "2 photos are not embedded" in told) == (False, True)


def test_a_photo_that_could_not_be_read_is_told_so_and_not_shown(tmp_path):
    world = World(tmp_path)
    world.write("red.png", "red")
    (world.photos / "broken.jpg").write_bytes(b"no picture")
    world.index()
    services = world.services()
    actions, broken = make_actions(services), str(photo_id(services, "broken.jpg"))
    answer = actions.enlarge({"photo": broken})
    assert (answer["gone"], "could not be read: " in answer["trouble"]) == (True, True)
    assert "<img" not in ask(actions, q="red", wrong=broken)["chips"]


def test_a_photo_whose_file_went_since_it_was_indexed_says_so(actions, services):
    photo = services.library.catalog.photo(photo_id(services, "blue.png"))
    assert "not where it was indexed" not in actions.enlarge({"photo": photo.id})["large"]
    photo.path.unlink()
    assert "not where it was indexed" in actions.enlarge({"photo": photo.id})["large"]
