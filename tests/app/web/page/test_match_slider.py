"""The page where relevance is known: matches are counted, and the person says how sure they must be."""

import pytest

from app.search.library_background import FILE
from app.tagging.vocabulary.vocabulary import plain_names
from tests.app.web.page.browsers import PHOTOS, in_a_browser, search, shoot

pytestmark = [*in_a_browser, pytest.mark.relevance, pytest.mark.parametrize("size", ["desktop"], indirect=True)]


@pytest.fixture(autouse=True)
def relevance(library, monkeypatch):
    """Known in these tests, and in none that comes after them."""
    background = library.search._background
    monkeypatch.setattr(background, "_names", lambda: plain_names()[:40])
    yield
    background._known = background._vectors = None
    (library.library.index_folder(library.search.live.model()) / FILE).unlink(missing_ok=True)


def set_least(page, value):
    page.eval_on_selector(
        "#least input",
        """(input, value) => {
            input.value = value;
            for (const name of ["input", "change"]) input.dispatchEvent(new Event(name, { bubbles: true }));
        }""",
        value,
    )


def test_the_slider_decides_what_matches_and_the_address_keeps_it(page, request):
    assert not page.is_visible("#least"), "before anything is asked there is nothing to match"
    search(page, "a boat")
    page.wait_for_selector(f"text=among {PHOTOS} photos")
    assert page.input_value("#least input") == "0.5"

    set_least(page, "1")
    page.wait_for_selector("text=No matches")
    assert page.inner_text("#least output") == "100%"
    assert page.inner_text("#summary").startswith("0 matches")
    page.wait_for_function("location.search.includes('least=1')")
    shoot(page, request, "no-match")

    page.click("[data-least]")
    page.wait_for_selector(".tile")
    assert page.inner_text("#summary").startswith(f"{PHOTOS} matches")
    assert page.inner_text(".tile .score >> nth=0").endswith("%")
    shoot(page, request, "all-match")
    page.go_back()
    page.wait_for_selector("text=No matches")
    page.reload()
    page.wait_for_selector("text=No matches")
    assert page.input_value("#words input") == "a boat"


def test_what_is_nearest_is_shown_for_one_question_and_the_slider_holds_for_the_next(page):
    search(page, "a boat")
    set_least(page, "1")
    page.wait_for_selector("text=No matches")
    page.click("[data-least]")
    page.wait_for_selector(".tile")
    page.reload()
    page.wait_for_selector(".tile")
    page.wait_for_selector("#summary .summary")
    assert page.input_value("#least input") == "0"
    search(page, "a red bicycle")
    assert page.input_value("#least input") == "0.5", "as the server is set"
    set_least(page, "0.6")
    page.wait_for_function("location.search.includes('least=0.6')")
    search(page, "a boat")
    assert page.input_value("#least input") == "0.6", "as the person said"
