"""In a real browser: Back and a reload bring back the pages of hits that were shown, and the place among them."""

from tests.app.web.page.browsers import HITS, NONE_FOUND, in_a_browser, search, slow_down

pytestmark = in_a_browser
ALL_SHOWN = f"document.querySelectorAll('.tile').length === {HITS}"


def shown(page):
    return page.eval_on_selector_all("#grid [data-id]", "all => all.map(one => one.dataset.id)")


def scrolled_down(page):
    """How far down a person is who has scrolled to the end of the second page."""
    page.click("#more")
    page.wait_for_function(ALL_SHOWN)
    page.evaluate("window.scrollTo({ top: document.documentElement.scrollHeight, behavior: 'instant' })")
    page.wait_for_function("history.state?.scrolled > 0 && history.state.scrolled === Math.round(scrollY)")
    return page.evaluate("Math.round(scrollY)")


def is_back(page, place, ids):
    page.wait_for_function(ALL_SHOWN)
    page.wait_for_function("place => Math.abs(scrollY - place) < 3", arg=place)
    assert shown(page) == ids


def test_back_and_a_reload_bring_back_what_was_shown_and_the_place(page):
    search(page, "anything")
    place = scrolled_down(page)
    ids = shown(page)
    page.reload()
    is_back(page, place, ids)
    search(page, "something else")
    page.wait_for_function("scrollY === 0 && document.querySelectorAll('.tile').length === 48")
    page.go_back()
    is_back(page, place, ids)
    page.locator(".tile [data-id]").last.click()
    page.wait_for_selector(".viewer")
    page.reload()
    page.wait_for_selector(".viewer")
    page.keyboard.press("Escape")
    page.wait_for_selector(".viewer", state="detached")
    is_back(page, place, ids)
    page.goto(page.url + "&copied=yes")
    page.wait_for_selector("#summary .summary")
    assert (page.locator(".tile").count(), page.evaluate("scrollY")) == (48, 0), "a link begins at the first page"


def test_pages_that_came_while_a_photo_was_open_are_brought_back_too(page):
    search(page, "anything")
    page.locator(".tile [data-id]").nth(47).click()
    page.wait_for_selector(".viewer")
    page.keyboard.press("ArrowRight")
    page.wait_for_function(ALL_SHOWN)
    page.keyboard.press("Escape")
    page.wait_for_selector(".viewer", state="detached")
    page.wait_for_function("history.state?.pages === 2")
    page.reload()
    page.wait_for_function(ALL_SHOWN)


def test_a_question_that_comes_while_pages_are_brought_back_wins(page, address):
    search(page, "anything")
    scrolled_down(page)
    page.click("#brand a")
    page.wait_for_selector(".notice.home")
    slow_down(page, "sent.next ? 1500 : 0")
    page.go_back()
    page.wait_for_function("document.querySelector('#more').disabled")
    page.fill("#words input", NONE_FOUND.partition("=")[2])
    page.keyboard.press("Enter")
    page.wait_for_selector("text=No photo passes these filters")
    page.wait_for_function("window.came === 3")
    assert page.locator(".tile").count() == 0
    assert page.evaluate("[history.state.pages, scrollY]") == [1, 0]


def test_a_question_without_an_answer_has_no_pages_of_the_one_before(page):
    search(page, "anything")
    scrolled_down(page)
    slow_down(page, "0", lost="sent.question?.q === 'something else'")
    page.fill("#words input", "something else")
    page.keyboard.press("Enter")
    page.wait_for_selector(".trouble button")
    page.evaluate("window.dispatchEvent(new Event('scroll'))")
    page.wait_for_function("history.state?.pages === 1")
    slow_down(page, "0")
    page.click(".trouble button")
    page.wait_for_function("document.querySelectorAll('.tile').length === 48")
    page.wait_for_function("document.querySelector('#more').checkVisibility()")
    assert page.locator(".tile").count() == 48
