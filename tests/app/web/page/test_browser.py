"""The page in a real browser: headless Chromium, over a real library embedded by a tiny random CLIP."""

import base64
import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from app.bootstrap import build_services
from app.settings import Settings
from tests.app.serving import running
from tests.app.web.page.browsers import HITS, HOSTILE, PHOTOS, fits, in_a_browser, in_step, search, shoot
from tests.app.web.page.watched import LOOKS, Watched

pytestmark = in_a_browser


@pytest.fixture
def page(kept_page):
    return kept_page


def test_searching_opening_and_finding_more_like_a_photo(new_page, request):
    page = new_page
    assert page.evaluate("document.activeElement.closest('#words') !== null"), "the search box has the focus"
    assert fits(page)
    tools = page.locator("#brand nav").get_by_text("Export").bounding_box()
    assert tools["x"] + tools["width"] <= page.viewport_size["width"], "no tool is cut off"
    assert page.locator(".tile").count() == 48, "the newest photos"
    page.wait_for_function("document.querySelector('.tile img').naturalWidth > 0")
    shoot(page, request, "1-start")
    page.keyboard.type("a wild cat")
    page.keyboard.press("Enter")
    page.wait_for_selector("#summary .summary")
    assert page.title() == "a wild cat – picsift"
    assert page.inner_text("#summary").startswith(f"Searched {PHOTOS} photos, copies counted, in ")
    assert page.locator(".tile").count() == 48
    assert all(alt for alt in page.eval_on_selector_all(".tile img", "all => all.map(one => one.alt)"))
    assert float(page.locator(".tile .score").first.inner_text()) <= 1
    assert fits(page)
    page.wait_for_function("document.querySelector('.tile img').naturalWidth > 0")
    shoot(page, request, "2-results")

    name = page.locator(".tile img").nth(1).get_attribute("alt")
    page.locator(".tile [data-id]").nth(1).click()
    page.wait_for_selector(".viewer")
    assert page.inner_text(".viewer h2") == name
    assert "Taken" in page.inner_text(".viewer dl")
    page.wait_for_function("document.querySelector('.viewer figure img').naturalWidth > 0")
    shoot(page, request, "3-photo")

    page.click("text=More like this")
    page.wait_for_selector(".asked")
    assert page.inner_text(".asked figcaption") == f"Photos like {name}"
    assert page.locator(".viewer").count() == 0
    assert page.input_value("#words input") == ""
    assert name not in page.eval_on_selector_all(".tile img", "all => all.map(one => one.alt)")
    shoot(page, request, "4-more-like-this")
    page.click("[data-clear]")
    page.wait_for_selector(".notice")


@pytest.mark.parametrize("size", ["desktop"], indirect=True)
def test_a_page_is_left_to_the_next_test_as_it_was_loaded_or_not_at_all(size, address):
    watched = Watched(size.new_page(), address)
    watched.load(address)
    search(watched.page, "anything")
    watched.page.locator(".tile [data-id]").first.click()
    watched.page.wait_for_selector(".viewer")
    assert watched.is_as_loaded()
    for change in ("window.more = true", "document.querySelector('#panel button').click()"):
        watched.page.evaluate(change)
        assert not watched.is_as_loaded()
        watched.loaded = watched.page.evaluate(LOOKS)
    watched.page.close()


def test_more_results_follow_until_there_are_none(page):
    search(page, "something blue")
    page.wait_for_selector("#more")
    page.click("#more")
    page.wait_for_function(f"document.querySelectorAll('.tile').length === {HITS}")
    page.wait_for_selector("#more", state="hidden")
    ids = page.eval_on_selector_all("[data-id]", "all => all.map(one => one.dataset.id)")
    assert len(set(ids)) == HITS


def test_a_picture_dropped_anywhere_is_searched_by_and_mixes_with_words(page, request, library):
    picture = library.settings.library.parent / "photos" / "coffee.png"
    page.evaluate(
        """async (text) => {
            const carried = new DataTransfer();
            const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
            carried.items.add(new File([bytes], "coffee.png", {type: "image/png"}));
            for (const kind of ["dragenter", "dragover", "drop"])
                document.body.dispatchEvent(
                    new DragEvent(kind, {dataTransfer: carried, bubbles: true, cancelable: true}));
        }""",
        base64.b64encode(picture.read_bytes()).decode(),
    )
    page.wait_for_selector(".asked")
    assert page.inner_text(".asked figcaption") == "Photos like your picture"
    assert page.locator(".tile img").first.get_attribute("alt") == "coffee.png"
    shoot(page, request, "5-dropped")
    search(page, "in the evening")
    page.wait_for_selector("text=mixed with your words")
    page.click("[data-clear]")
    page.wait_for_selector(".asked", state="detached")
    assert page.locator(".tile").count() == 48


def test_a_picture_that_is_pasted_is_searched_by(page, library):
    picture = library.settings.library.parent / "photos" / "coffee.png"
    page.evaluate(
        """(text) => {
            const carried = new DataTransfer();
            const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
            carried.items.add(new File([bytes], "coffee.png", {type: "image/png"}));
            document.body.dispatchEvent(new ClipboardEvent("paste", {clipboardData: carried, bubbles: true}));
        }""",
        base64.b64encode(picture.read_bytes()).decode(),
    )
    page.wait_for_selector(".asked")
    assert page.locator(".tile img").first.get_attribute("alt") == "coffee.png"
    assert page.evaluate("document.querySelector('.asked img').naturalWidth > 0")


def test_a_picture_is_chosen_by_the_button_and_the_same_one_again(page, library):
    picture = library.settings.library.parent / "photos" / "coffee.png"
    for _ in range(2):
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="Picture").click()
        chooser.value.set_files(picture)
        page.wait_for_selector(".asked")
        page.wait_for_function("document.querySelector('#picture button').ariaBusy === 'false'")
        page.click("[data-clear]")
        page.wait_for_selector(".asked", state="detached")
    page.focus("#words input")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('#picture') !== null"), "the keyboard reaches the button"


def test_a_file_that_is_no_picture_is_told_so(page, request):
    page.set_input_files("#bar input[type=file]", {"name": "a.txt", "mimeType": "text/plain", "buffer": b"hello"})
    told = page.get_by_role("alert").filter(has_text="This file cannot be searched by")
    told.wait_for()
    assert fits(page)
    shoot(page, request, "8-no-picture")
    told.click()
    told.wait_for(state="detached")


def test_a_picture_over_the_bound_is_told_so_before_it_is_sent(page):
    sent = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    page.evaluate(
        """() => {
            const carried = new DataTransfer();
            carried.items.add(new File([new Uint8Array(50 * 2 ** 20 + 1)], "large.png", {type: "image/png"}));
            document.body.dispatchEvent(
                new DragEvent("drop", {dataTransfer: carried, bubbles: true, cancelable: true}));
        }"""
    )
    page.wait_for_selector("text=The picture is larger than 50 MB")
    assert not [url for url in sent if url.endswith("/pictures")]


def test_a_query_of_100_kilobytes_is_told_so(page, request):
    page.fill("#words input", "x" * 100_000)
    page.keyboard.press("Enter")
    page.wait_for_selector("text=100,000 characters")
    shoot(page, request, "6-error")


def test_filters_beside_the_words_and_as_chips(page, request):
    page.click("#panel button")
    page.fill("#after input", "2090")
    search(page, "two -dogs is:photo")
    page.wait_for_selector("text=No photo passes these filters")
    assert page.locator(".chips li").all_inner_texts() == ["two\n×", "-dogs\n×", "type:photo\n×", "after:2090\n×"]
    page.click("#panel button")
    assert not page.is_visible("#after")
    assert page.inner_text("#panel button").startswith("Filters (1)")
    assert fits(page)
    shoot(page, request, "7-filters")
    page.get_by_role("button", name="Leave out after:2090").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".tile")
    assert page.locator(".chips li").all_inner_texts() == ["two\n×", "-dogs\n×", "type:photo\n×"]
    assert (page.input_value("#after input"), page.inner_text("#panel button").strip("▾ ")) == ("", "Filters")
    assert page.evaluate("document.activeElement.ariaLabel") == "Leave out type:photo", "the next chip to the one gone"
    for left in ("-dogs", "two"):
        page.get_by_role("button", name=f"Leave out {left}").click()
        page.get_by_role("button", name=f"Leave out {left}").wait_for(state="detached")
    assert page.input_value("#words input") == "type:photo"  # as the language writes it
    assert page.inner_text("#summary").startswith(f"{PHOTOS} photos, the newest first")
    assert page.locator(".tile .score").count() == 0


def test_the_keyboard_alone_walks_through_the_photos(page):
    search(page, "anything")
    page.locator(".tile [data-id]").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".viewer")
    first = page.inner_text(".viewer h2")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("name => document.querySelector('.viewer h2').innerText !== name", arg=first)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('.viewer') !== null")
    page.keyboard.press("Escape")
    page.wait_for_selector(".viewer", state="detached")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.closest('#words') !== null")
    page.locator(".tile [data-id]").nth(47).click()
    page.wait_for_selector(".viewer")
    last = page.locator(".viewer").get_attribute("data-photo")
    page.keyboard.press("ArrowRight")  # past the last that is there
    page.wait_for_function("last => document.querySelector('.viewer').dataset.photo !== last", arg=last)
    assert page.locator(".tile").count() == HITS
    following = page.locator(".tile [data-id]").nth(48)
    assert page.locator(".viewer").get_attribute("data-photo") == following.get_attribute("data-id")
    page.keyboard.press("Escape")
    page.click("#brand a")
    page.wait_for_selector(".notice.home")
    assert (page.input_value("#words input"), urlsplit(page.url).query) == ("", "")


def test_back_closes_the_photo_and_not_the_page(page):
    search(page, "anything")
    page.locator(".tile [data-id]").first.click()
    page.wait_for_selector(".viewer")
    page.go_back()
    page.wait_for_selector(".viewer", state="detached")
    assert page.locator(".tile").count() == 48


def test_a_copy_is_opened_from_its_original(page):
    search(page, "anything")
    page.click("#more")
    page.wait_for_function(f"document.querySelectorAll('.tile').length === {HITS}")
    first, other = "plain07.png", "another.png"
    if not page.locator(f'[title="{first}"]').count():
        first, other = other, first
    page.locator(f'[title="{first}"]').click()
    page.locator(".viewer .copies button", has_text=other).click()
    page.wait_for_selector(f'.viewer[aria-label="{other}"]')
    page.keyboard.press("Escape")
    page.wait_for_selector(".viewer", state="detached")


@pytest.mark.parametrize("name", [HOSTILE, "turned.tif"])
def test_a_hostile_name_and_a_format_browsers_cannot_show(page, name):
    search(page, "anything")
    page.click("#more")
    page.wait_for_function(f"document.querySelectorAll('.tile').length === {HITS}")
    page.evaluate("name => [...document.querySelectorAll('.tile img')].find(one => one.alt === name).click()", name)
    page.wait_for_selector(".viewer")
    assert page.inner_text(".viewer h2") == name
    page.wait_for_function("document.querySelector('.viewer figure img').naturalWidth > 0")
    width, height = page.evaluate(
        "(({naturalWidth, naturalHeight}) => [naturalWidth, naturalHeight])(document.querySelector('.viewer img'))"
    )
    assert (width > height) == (name == HOSTILE)


def test_the_page_follows_the_library_by_itself(browser, tmp_path, monkeypatch, tiny_model_path):
    settings = Settings(library=tmp_path / "library", model=str(tiny_model_path), device="cpu")
    services = build_services(settings, create=True)

    def index(count):
        in_step(services, tmp_path / "photos", range(count))

    with running(services, monkeypatch, tmp_path) as address:
        page = browser.new_page(viewport={"width": 390, "height": 844})
        page.set_default_timeout(60_000)
        page.goto(address)
        page.wait_for_selector("text=Your library is empty")
        assert "picsift index ~/Pictures" in page.inner_text(".notice pre")
        assert fits(page)
        if folder := os.environ.get("PICSIFT_SCREENSHOTS"):
            page.screenshot(path=Path(folder, "phone-0-empty.png"))
        index(2)
        page.wait_for_selector("text=2 photos are ready")
        assert (page.locator(".tile").count(), page.locator("text=Your library is empty").count()) == (2, 0)
        search(page, "anything")
        assert page.inner_text("#since") == ""
        index(5)
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # as somebody who comes back does
        page.click("#since:has-text('3 more photos since') button")
        page.wait_for_selector("text=Searched 5 photos")
        assert page.inner_text("#since") == ""
        in_step(services, tmp_path / "photos", [1, 2, 3, 4, 7])  # as many came as went
        page.click("#since:has-text('The photos have changed since') button")
        page.wait_for_selector('.tile [alt="7.png"]')
        page.close()


@pytest.mark.parametrize("size", ["phone"], indirect=True)
def test_on_a_phone_arrows_and_swipes_lead_on_and_the_bar_stays(page, request):
    search(page, "anything")
    page.evaluate("window.scrollTo(0, 1500)")
    page.wait_for_function("window.scrollY > 1000")
    assert page.evaluate("document.querySelector('#bar').getBoundingClientRect().top") >= 0
    assert fits(page)
    shoot(page, request, "10-scrolled")
    search(page, "anything else")
    page.wait_for_function("window.scrollY === 0")
    names = page.eval_on_selector_all(".tile img", "all => all.map(one => one.alt)")

    def shows(at):
        page.wait_for_function("name => document.querySelector('.viewer h2')?.innerText === name", arg=names[at])

    touches = page.context.new_cdp_session(page)

    def swipe(*points):
        for kind, at in zip(["touchStart", *["touchMove"] * (len(points) - 1)], points, strict=True):
            touches.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": at[0], "y": at[1]}]})
        touches.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    page.locator(".tile [data-id]").first.click()
    shows(0)
    assert [page.is_visible(f"[data-step='{by}']") for by in (-1, 1)] == [False, True]  # nothing is before the first
    page.click("[data-step='1']")
    shows(1)
    shoot(page, request, "11-arrows")
    swipe((300, 200), (200, 205), (120, 210))
    shows(2)
    swipe((300, 200), (310, 120), (320, 60))  # up, to read on
    swipe((200, 200), (180, 200))  # a finger that trembled
    swipe((100, 200), (220, 205), (280, 210))
    shows(1)
    swipe((100, 200), (220, 205), (280, 210))
    shows(0)
