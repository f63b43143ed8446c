"""Reviewing suggested tags in a real browser: keys, buttons, the way back, two tabs, an answer that never comes."""

import threading

import pytest

from app.tagging.tagging_service import TaggingReport
from indexer.catalog.tag_records import Decision, Suggestion
from tests.app.serving import photo_id
from tests.app.web.page.browsers import fits, in_a_browser, shoot

pytestmark = in_a_browser
TAG, OTHER = ("colour", "a\\b <i>/c"), ("plain",)
SURE = {"plain00.png": 0.52, "plain01.png": 0.6, "plain02.png": 0.65, "plain03.png": 0.9}
desktop = pytest.mark.parametrize("size", ["desktop"], indirect=True)
phone = pytest.mark.parametrize("size", ["phone"], indirect=True)


@pytest.fixture
def suggested(library):
    """A tag that is suggested for four photos, and another one for the first of them."""
    catalog = library.library.catalog
    tags, numbers = catalog.tags, catalog.tags.make([TAG, OTHER])
    photos = {name: photo_id(library, name) for name in SURE}
    found = [Suggestion(photos[name], numbers[TAG], 0.2, sure) for name, sure in SURE.items()]
    found.append(Suggestion(photos["plain00.png"], numbers[OTHER], 0.2, 0.8))
    catalog.tags.suggest(catalog.active_model().id, list(photos.values()), list(numbers.values()), found)
    yield lambda name, path=TAG: {tag.path: tag.state for tag in tags.of([photos[name]])[photos[name]]}.get(path)
    for path in (TAG[:1], OTHER):
        tags.remove(path)
    tags.forget_changes()


def begin(page):
    page.click("[data-tool=review]")
    shows(page, "plain00.png")


def shows(page, name, tag=TAG):
    page.wait_for_function(
        "([name, tag]) => document.querySelector('#review .about')?.textContent.endsWith(name)"
        " && document.querySelector('#review .what').textContent.endsWith(`${tag}?`)"
        " && document.querySelector('#review figure img')?.naturalWidth > 0",
        arg=[name, tag[-1]],
    )


def left(page, number):
    page.wait_for_function("left => document.querySelector('#review .left').textContent === left", arg=f"{number} left")


def becomes(page, state, name, wanted):
    """Wait until what was sent has arrived."""
    page.wait_for_function("picsift.sending.open() === 0")
    assert state(name) == wanted


@desktop
def test_one_key_decides_and_the_next_photo_is_there(page, suggested, request):
    begin(page)
    left(page, 5)
    assert page.inner_text("#review .about") == "52% sure · plain00.png"
    shoot(page, request, "20-review")
    page.keyboard.press("a")
    shows(page, "plain01.png")
    page.keyboard.press("R")
    shows(page, "plain02.png")
    page.keyboard.press("s")
    shows(page, "plain00.png", OTHER)
    left(page, 3)
    becomes(page, suggested, "plain00.png", "accepted")
    assert [suggested(name) for name in ("plain01.png", "plain02.png")] == ["rejected", "suggested"]
    for key, name in (("u", "plain02.png"), ("z", "plain01.png"), ("u", "plain00.png")):
        page.keyboard.press(key)
        shows(page, name)
    left(page, 5)
    becomes(page, suggested, "plain00.png", "suggested")
    assert suggested("plain01.png") == "suggested"
    page.keyboard.press("u")  # there is nothing more to take back
    assert page.is_disabled("[data-word=undo]")
    page.keyboard.press("Control+a")
    page.focus("#review [name=tag]")
    page.keyboard.press("a")  # in a field it is a letter
    shows(page, "plain00.png")
    page.select_option("#review [name=tag]", "plain")
    shows(page, "plain00.png", OTHER)
    left(page, 1)
    page.keyboard.press("r")
    page.wait_for_selector("text=Done: nothing here is left to decide.")
    becomes(page, suggested, "plain00.png", "suggested")
    assert suggested("plain00.png", OTHER) == "rejected"


@pytest.fixture
def held(library, monkeypatch):
    """A run of tagging that suggests one tag, once it is let go, or stopped."""
    catalog, going = library.library.catalog, threading.Event()

    def run(*, on_progress, stop, **_):
        on_progress(20, 60)
        while not (going.wait(0.01) or stop()):
            pass
        number, tag = photo_id(library, "plain00.png"), catalog.tags.make([TAG])[TAG]
        catalog.tags.suggest(catalog.active_model().id, [number], [tag], [Suggestion(number, tag, 0.2, 0.7)])
        return TaggingReport("tiny", "words", 1, 20, 1, {}, 0.1, not stop())

    monkeypatch.setattr(library.tagging, "run", run)
    yield going
    going.set()
    catalog.tags.remove(TAG[:1])
    catalog.tags.forget_changes()


def test_who_has_no_suggestion_begins_a_run_and_decides_on_what_it_finds(page, held, request):
    page.click("[data-tool=review]")
    suggest = page.locator("#review figure").get_by_role("button", name="Suggest tags")
    suggest.wait_for()
    shoot(page, request, "22-nothing-suggested")
    suggest.click()
    page.wait_for_function("document.querySelector('#review progress').value === 20")
    assert page.get_attribute("#review progress", "max") == "60"
    assert fits(page)
    shoot(page, request, "23-suggesting")
    assert page.locator("#review [data-suggest]:enabled").count() == 0
    page.keyboard.press("Escape")
    page.wait_for_selector("#review[open]", state="detached")
    page.click("[data-tool=review]")  # it goes on, and is there again
    page.wait_for_function("document.querySelector('#review progress').value === 20")
    held.set()
    shows(page, "plain00.png")
    how = page.locator("#review .how", has_text="Done: 1 suggestion for 20 photos.")
    how.wait_for()  # the photo may be there first
    shoot(page, request, "24-suggested")


@desktop
def test_a_run_can_be_stopped_and_a_refusal_is_told(page, held, library):
    page.click("[data-tool=review]")
    page.locator("#review figure").get_by_role("button", name="Suggest tags").click()
    page.get_by_role("button", name="Stop").click()
    page.wait_for_selector("text=Stopped: 1 suggestion for 20 photos.")
    shows(page, "plain00.png")
    page.evaluate(  # a refusal of the server's would stand in the console as an error
        """() => {
            const fetched = window.fetch;
            window.fetch = async (address, options) => {
                if (options?.method !== "POST") return fetched(address, options);
                return new Response(JSON.stringify({detail: "another picsift is writing."}), {status: 409});
            };
        }"""
    )
    page.locator("#review header").get_by_role("button", name="Suggest tags").click()
    page.wait_for_selector("text=Another picsift is writing.")
    shows(page, "plain00.png")
    assert page.locator("#review header [data-suggest]").is_enabled()


@desktop
def test_a_look_that_fails_takes_no_way_to_stop_a_run_away(page, held):
    page.click("[data-tool=review]")
    page.locator("#review figure").get_by_role("button", name="Suggest tags").click()
    page.wait_for_function("document.querySelector('#review progress').value === 20")
    page.evaluate(
        """() => {
            window.was = window.fetch;
            window.fetch = async (address, options) =>
                options?.method === "DELETE" ? window.was(address, options)
                : new Response(JSON.stringify({detail: "it is busy."}), {status: 503});
        }"""
    )
    page.wait_for_selector("text=It is busy.")
    page.get_by_role("button", name="Stop").click()
    page.evaluate("() => { window.fetch = window.was; }")
    page.wait_for_selector("text=Stopped: 1 suggestion for 20 photos.")


@desktop
def test_the_address_keeps_it_open_and_back_closes_it(page, suggested):
    begin(page)
    page.reload()
    shows(page, "plain00.png")
    page.keyboard.press("Escape")
    page.wait_for_selector("#review[open]", state="detached")
    page.wait_for_function("!location.hash")
    begin(page)
    page.go_back()
    page.wait_for_selector("#review[open]", state="detached")
    page.keyboard.press("a")  # on the page it is no answer
    assert suggested("plain00.png") == "suggested"
    names = page.eval_on_selector_all(
        "#review button, #review select", "all => all.map(one => one.ariaLabel || (one.labels?.[0] || one).textContent)"
    )
    assert all(name.strip() for name in names)


@desktop
def test_of_two_tabs_the_first_word_stands(page, suggested, size, address, start):
    other = size.new_page()
    try:
        other.goto(f"{address}{start}#review")
        shows(other, "plain00.png")
        begin(page)
        page.keyboard.press("a")
        becomes(page, suggested, "plain00.png", "accepted")
        other.keyboard.press("r")
        other.wait_for_selector("text=was accepted for that photo before, and stays so")
        shows(other, "plain01.png")
        other.keyboard.press("u")
        other.wait_for_selector("text=That was decided elsewhere, and stays so.")
        shows(other, "plain01.png")
        assert suggested("plain00.png") == "accepted"
    finally:
        other.close()


@desktop
def test_a_word_that_does_not_arrive_is_asked_for_again(page, suggested):
    begin(page)
    page.evaluate(
        """() => {
            const fetched = window.fetch;
            window.fetch = async (address, options) => {
                if (options?.method !== "POST" || !String(address).includes("review")) return fetched(address, options);
                window.fetch = fetched;
                throw new TypeError("no network");
            };
        }"""
    )
    page.keyboard.press("a")
    page.wait_for_selector("text=No answer came from picsift. Is it still running?")
    shows(page, "plain00.png")
    left(page, 5)
    page.keyboard.press("a")
    shows(page, "plain01.png")
    becomes(page, suggested, "plain00.png", "accepted")


@desktop
def test_a_held_key_and_a_double_click_decide_once(page, suggested):
    begin(page)
    page.focus("[data-word=accept]")
    for _ in range(3):
        page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    shows(page, "plain01.png")
    page.dblclick("[data-word=reject]")
    shows(page, "plain02.png")
    left(page, 3)
    becomes(page, suggested, "plain02.png", "suggested")


def hold(page):
    """Have the first word that goes get no answer before `window.go()`; it does not arrive before."""
    page.evaluate(
        """() => {
            const fetched = window.fetch;
            const going = new Promise((resolve) => (window.go = resolve));
            window.fetch = async (address, options) => {
                if (options?.method !== "POST" || !String(address).includes("review")) return fetched(address, options);
                window.fetch = fetched;
                await going;
                return fetched(address, options);
            };
        }"""
    )


@desktop
def test_what_waits_is_sent_when_the_page_goes_and_the_browser_asks(page, suggested, address):
    begin(page)
    hold(page)
    for key, following in (("a", "plain01.png"), ("r", "plain02.png"), ("a", "plain00.png")):
        page.keyboard.press(key)
        page.wait_for_function(
            "name => document.querySelector('#review .about').textContent.endsWith(name)", arg=following
        )
    asked = []
    page.once("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.goto(address)
    page.wait_for_function("fetch('api/v1/review').then((told) => told.json()).then(({ left }) => left === 3)")
    assert asked == ["beforeunload"]
    states = [suggested(name) for name in ("plain00.png", "plain01.png", "plain02.png")]
    assert states == ["suggested", "rejected", "accepted"]


@desktop
def test_another_word_after_an_undo_comes_after_it(page, suggested):
    begin(page)
    hold(page)
    for key, following in (("a", "plain01.png"), ("u", "plain00.png"), ("r", "plain01.png"), ("a", "plain02.png")):
        page.keyboard.press(key)
        shows(page, following)
    page.evaluate("window.go()")
    becomes(page, suggested, "plain00.png", "rejected")
    assert suggested("plain01.png") == "accepted"
    assert page.inner_text("#review .note") == ""


@desktop
def test_an_undo_leaves_what_was_decided_otherwise_since(page, suggested, library):
    begin(page)
    page.keyboard.press("a")
    shows(page, "plain01.png")
    becomes(page, suggested, "plain00.png", "accepted")
    library.library.catalog.tags.decide([Decision(photo_id(library, "plain00.png"), TAG, "rejected")])
    page.keyboard.press("u")
    page.wait_for_selector("text=That was decided elsewhere, and stays so.")
    shows(page, "plain01.png")
    left(page, 4)
    assert suggested("plain00.png") == "rejected"


@desktop
def test_what_comes_meanwhile_is_asked_about_and_names_turn_nothing_around(page, suggested, library):
    catalog = library.library.catalog
    turning, number = ("plain", "cat\u202egnp.exe"), photo_id(library, "plain01.png")
    begin(page)
    page.select_option("#review [name=tag]", "plain")
    shows(page, "plain00.png", OTHER)
    tag = catalog.tags.make([turning])[turning]
    catalog.tags.suggest(catalog.active_model().id, [number], [tag], [Suggestion(number, tag, 0.2, 0.7)])
    page.keyboard.press("r")
    shows(page, "plain01.png", ("cat\\u202egnp.exe",))
    assert page.locator("#review bdi").all_inner_texts() == ["plain", "cat\\u202egnp.exe", "plain01.png"]
    left(page, 1)


@phone
def test_on_a_phone_fingers_decide(page, suggested, request, library):
    number = photo_id(library, "plain03.png")
    library.library.catalog.tags.decide([Decision(number, OTHER, "rejected")])
    page.tap("[data-tool=review]")
    shows(page, "plain00.png")
    assert fits(page)
    sizes = page.eval_on_selector_all("#review [data-word]", "all => all.map(one => one.offsetHeight)")
    assert min(sizes) >= 44
    assert page.evaluate("document.querySelector('#review figure').offsetHeight > innerHeight / 2")
    shoot(page, request, "21-review")
    page.tap("[data-word=accept]")
    shows(page, "plain01.png")
    page.tap("[data-word=skip]")
    shows(page, "plain02.png")
    page.tap("[data-word=undo]")
    shows(page, "plain01.png")
    page.tap("[data-word=reject]")
    shows(page, "plain02.png")
    becomes(page, suggested, "plain00.png", "accepted")
    assert suggested("plain01.png") == "rejected"
    page.select_option("#review [name=order]", "frequent")
    shows(page, "plain03.png")  # the surest of the tag with most
