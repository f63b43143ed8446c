"""In a real browser: a photo that is left goes with its question, and the keyboard finds its way out of one."""

import pytest

from tests.app.web.page.browsers import in_a_browser, search, slow_down

pytestmark = [*in_a_browser, pytest.mark.parametrize("size", ["desktop"], indirect=True)]


def test_a_photo_that_is_waited_for_opens_over_no_other_answer(page):
    search(page, "anything")
    search(page, "something else")
    slow_down(page, "name === 'enlarge' ? 1500 : 0")
    page.locator(".tile [data-id]").first.click()
    page.go_back()
    page.wait_for_function("document.title.startsWith('anything')")
    page.wait_for_function("window.came === 2")
    assert ("photo=" in page.url, page.locator(".viewer").count()) == (False, 0)
    page.locator(".tile [data-id]").first.click()
    search(page, "a third thing")
    page.wait_for_function("window.came === 4")
    assert ("photo=" in page.url, page.locator(".viewer").count()) == (False, 0)


def test_a_photo_in_an_address_opens_over_no_question_that_came_meanwhile(page):
    search(page, "anything")
    page.locator(".tile [data-id]").first.click()
    page.wait_for_selector(".viewer")
    search_from_a_photo = page.url
    assert "photo=" in search_from_a_photo
    page.keyboard.press("Escape")
    page.wait_for_selector(".viewer", state="detached")
    search(page, "something else")
    page.evaluate("address => history.replaceState(null, '', address)", search_from_a_photo)
    slow_down(page, "sent.question?.q === 'anything' ? 1500 : 0")
    page.evaluate("window.dispatchEvent(new PopStateEvent('popstate'))")  # as Back would have it
    page.wait_for_function("document.querySelector('#words input').value === 'anything'")
    search(page, "a third thing")
    page.wait_for_function("window.came === 2")
    assert ("photo=" in page.url, page.locator(".viewer").count()) == (False, 0)


def test_tab_goes_round_in_a_large_photo_that_was_not_looked_for(page):
    page.locator(".tile [data-id]").first.click()
    page.wait_for_selector(".viewer")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.innerText") == "Original file"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.ariaLabel") == "Close"
    name = page.inner_text(".viewer h2")
    page.evaluate(
        "document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight', altKey: true, bubbles: true }))"
    )
    page.keyboard.press("Escape")
    page.wait_for_selector(".viewer", state="detached")
    assert page.evaluate("document.activeElement.title") == name, "no step was taken"
