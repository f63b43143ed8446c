"""The page in a real browser while answers are slow, come out of order, or never come."""

from urllib.parse import urlsplit

import pytest

from tests.app.web.page.browsers import in_a_browser, look_again, search, shoot, slow_down

pytestmark = [*in_a_browser, pytest.mark.parametrize("size", ["desktop"], indirect=True)]


def ask(page, words):
    page.fill("#words input", words)
    page.keyboard.press("Enter")


def have_come(page, answers):
    page.wait_for_function(f"window.came === {answers}")


def test_the_last_question_wins(page):
    slow_down(page, "sent.question.q === 'after:2090' ? 6000 : 1500")
    ask(page, "after:2090")
    page.wait_for_selector("text=The first search after a start takes longer")
    ask(page, "anything")
    page.wait_for_selector(".tile")
    have_come(page, 2)
    assert page.locator(".tile").count() == 48
    assert page.locator(".notice").count() == 0
    assert "Searched" in page.inner_text("#summary")

    slow_down(page, "1500")
    page.click("#more")
    ask(page, "after:2090")
    page.wait_for_selector("text=No photo passes these filters")
    have_come(page, 2)
    assert page.locator(".tile").count() == 0, "more of the old is not the new question's"
    assert not page.is_visible("#more")


def test_a_late_answer_opens_nothing_that_was_closed(page):
    search(page, "anything")
    tiles = page.locator(".tile [data-id]")
    names = page.eval_on_selector_all(".tile img", "all => all.map(one => one.alt)")
    slow_down(page, "1500")
    tiles.first.click()
    page.keyboard.press("Escape")
    have_come(page, 1)
    assert page.locator(".viewer").count() == 0

    slow_down(page, f"sent.photo === '{tiles.first.get_attribute('data-id')}' ? 0 : 1500")
    leave = (lambda: page.keyboard.press("Escape"), lambda: page.click("[data-close]"), page.go_back)
    for close in leave:
        tiles.first.click()
        page.wait_for_selector(".viewer")
        page.keyboard.press("ArrowRight")
        close()
        page.wait_for_selector(".viewer", state="detached")
    tiles.first.click()
    page.wait_for_selector(".viewer")
    have_come(page, 7)
    assert page.inner_text(".viewer h2") == names[0]
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("name => document.querySelector('.viewer h2').innerText === name", arg=names[2])
    page.keyboard.press("Escape")
    page.wait_for_selector(".viewer", state="detached")
    assert page.evaluate("document.activeElement.dataset.id") == tiles.nth(2).get_attribute("data-id")


def test_an_error_stands_where_the_answer_would_be(page, request):
    search(page, "anything")
    ask(page, "camra:canon")
    page.get_by_role("alert").filter(has_text="did you mean camera:?").wait_for()
    assert (page.locator(".tile").count(), page.is_visible("#more"), page.inner_text("#summary")) == (0, False, "")
    assert (page.inner_text(".notice .spot"), page.inner_text(".notice mark")) == ("camra:canon", "camra")
    shoot(page, request, "9-error")
    search(page, "anything")
    assert (page.locator(".tile").count(), page.get_by_role("alert").count()) == (48, 0)

    slow_down(page, "0", lost="sent.next")
    page.click("#more")
    page.wait_for_selector("#beyond:has-text('No answer came from picsift')")
    assert page.locator(".tile").count() == 48
    slow_down(page, "0")
    page.click("#more")
    page.wait_for_selector("#more", state="hidden")
    assert page.locator(".tile").count() > 48
    assert page.inner_text("#beyond") == ""

    slow_down(page, "0", lost="true")
    page.locator(".tile [data-id]").first.click()
    page.get_by_role("alert").filter(has_text="No answer came").wait_for()
    ask(page, "anything")
    page.get_by_role("alert").filter(has_text="Is it still running?").wait_for()
    assert (page.locator(".tile").count(), page.locator(".told").count()) == (0, 0)
    assert page.locator("#chips button").count() == 1, "what is asked stands there still"
    slow_down(page, "0")
    page.click(".notice button:text-is('Try again')")
    page.wait_for_selector(".tile")

    slow_down(page, "0", lost="true")
    page.evaluate(
        """() => {
            const fetched = window.fetch;
            window.fetch = async (address, options) =>
                String(address).endsWith("/health") ? new Response("", { status: 401 }) : fetched(address, options);
        }"""
    )
    ask(page, "anything")
    page.get_by_role("alert").filter(has_text="asks for its password again").wait_for()
    assert page.locator("#chips button").count() == 1
    page.click(".notice button:text-is('Reload')")
    page.wait_for_selector(".tile")


def test_the_focus_goes_to_what_stands_in_the_place_of_a_chip(page):
    ask(page, "two after:1990 camra:canon")
    page.get_by_role("alert").filter(has_text="did you mean camera:?").wait_for()
    ask(page, "two -dogs after:1990")
    page.wait_for_selector("#summary .summary")

    def leave_out(text):
        page.get_by_role("button", name=f"Leave out {text}").focus()
        page.keyboard.press("Enter")
        page.get_by_role("button", name=f"Leave out {text}").wait_for(state="detached")
        return page.evaluate("document.activeElement.ariaLabel || document.activeElement.innerText")

    assert leave_out("-dogs") == "Leave out after:1990"
    assert leave_out("after:1990") == "Leave out two"
    slow_down(page, "0", lost="true")
    assert leave_out("two") == "Try again"
    page.keyboard.press("Enter")
    page.get_by_role("alert").filter(has_text="No answer came").wait_for()
    slow_down(page, "0")
    page.click(".notice button:text-is('Try again')")
    page.wait_for_selector(".notice.home")


def test_chips_that_are_left_out_while_an_answer_is_waited_for_stay_out(page):
    ask(page, "two -dogs -dogs after:1990 width:1+")
    page.wait_for_function("document.querySelectorAll('#chips li').length === 5")
    slow_down(page, "1500")
    for text in ("after:1990", "-dogs", "width:1.."):
        page.get_by_role("button", name=f"Leave out {text}").first.click()
    page.wait_for_function("document.querySelectorAll('#chips li').length === 2")
    page.wait_for_function("window.came === 3")
    assert (page.input_value("#words input"), page.locator("#chips li").count()) == ("two -dogs", 2)

    ask(page, "two -dogs after:1990")
    page.wait_for_function("document.querySelectorAll('#chips li').length === 3")
    slow_down(page, "1500", lost="true")
    for text in ("-dogs", "after:1990"):
        page.get_by_role("button", name=f"Leave out {text}").click()
    page.get_by_role("alert").filter(has_text="No answer came").wait_for()
    assert page.input_value("#words input") == "two after:1990", "the second was of an answer that never came"


def test_back_takes_back_the_chips_that_still_wait_to_be_left_out(page):
    ask(page, "two -dogs after:1990")
    page.wait_for_function("document.querySelectorAll('#chips li').length === 3")
    slow_down(page, "500")
    for text in ("-dogs", "after:1990"):
        page.get_by_role("button", name=f"Leave out {text}").click()
    page.wait_for_function("!location.search.includes('dogs')")
    page.go_back()
    page.wait_for_function("window.came === 2")  # what nobody waits for any more, and the one from before
    assert page.input_value("#words input") == "two -dogs after:1990"
    assert page.locator("#chips li").count() == 3


def test_a_page_that_is_refused_says_so_and_is_there_again_once_it_is_not(page):
    page.evaluate(
        """() => {
            const fetched = window.fetch;
            window.refused = 0;
            window.fetch = async (address, options) => {
                const looks = String(options?.body).includes(`"fn_name":"look"`);
                if (!looks && !String(address).endsWith("/health")) return fetched(address, options);
                if (looks) window.refused += 1;
                if (window.lets) return fetched(address, options);
                return new Response("", { status: 401 });
            };
        }"""
    )
    look_again(page)
    said = page.locator("#now").filter(has_text="asks for its password again")
    said.wait_for()
    refused = page.evaluate("window.refused")
    assert said.locator("button").inner_text() == "Reload"
    search(page, "anything")  # as long as answers come, all is well
    page.evaluate("() => (window.lets = true)")
    look_again(page)
    said.wait_for(state="detached")
    assert page.locator(".tile").count() == 48
    assert page.evaluate("window.refused") > refused


def test_that_a_password_is_asked_for_is_said_once(page):
    """It stood in the line above and in the answer's place."""
    page.evaluate("() => (window.fetch = async () => new Response('', { status: 401 }))")
    look_again(page)
    page.locator("#now").filter(has_text="asks for its password again").wait_for()
    ask(page, "anything")
    page.get_by_role("alert").filter(has_text="asks for its password again").wait_for()
    assert page.inner_text("#now") == ""
    page.evaluate(
        """() => {
            const fetched = window.fetch;
            window.healths = 0;
            window.fetch = async (address) => {
                if (String(address).endsWith("/health")) setTimeout(() => (window.healths += 1), 100); // told by then
                return fetched(address);
            };
        }"""
    )
    look_again(page)
    page.wait_for_function("window.healths === 1")
    assert page.get_by_text("asks for its password again").count() == 1


def test_an_open_page_looks_ever_less_often_for_a_server_that_is_away(page):
    page.evaluate(
        """() => {
            const [fetched, later] = [window.fetch, window.setTimeout];
            window.waits = [];
            window.fetch = async (address, options) => {
                const looks = String(options?.body).includes(`"fn_name":"look"`);
                if (looks) throw new TypeError("away");
                return fetched(address, options);
            };
            window.setTimeout = (act, wait, ...more) => {
                if (act.name !== "look") return later(act, wait, ...more);
                window.waits.push(wait);
                return later(act, window.waits.length < 8 ? 0 : wait);
            };
            document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )
    page.wait_for_function("window.waits.length === 8")
    assert page.evaluate("window.waits") == [6000, 12000, 24000, 48000, *[60000] * 4]
    page.evaluate("window.dispatchEvent(new Event('online'))")
    page.wait_for_function("window.waits.length === 9")


def test_the_address_holds_the_question_and_the_open_photo(page):
    page.click("#panel button")
    page.fill("#after input", "1990")
    search(page, "anything")
    assert urlsplit(page.url).query == "q=anything&after=1990"
    page.locator(".tile [data-id]").nth(1).click()
    page.wait_for_selector(".viewer")
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "document.querySelectorAll('.tile [data-id]')[2].dataset.id"
        " === new URLSearchParams(location.search).get('photo')"
    )
    name = page.locator(".tile img").nth(2).get_attribute("alt")

    page.reload()
    page.wait_for_selector(".viewer")
    assert page.inner_text(".viewer h2") == name
    assert (page.input_value("#words input"), page.input_value("#after input")) == ("anything", "1990")
    assert page.locator(".tile").count() == 48
    page.go_back()  # from the photo to the pictures, though it was stepped to
    page.wait_for_selector(".viewer", state="detached")
    assert urlsplit(page.url).query == "q=anything&after=1990"

    ask(page, "after:2090")
    page.wait_for_selector("text=No photo passes these filters")
    page.go_back()
    page.wait_for_selector(".tile")
    assert page.input_value("#words input") == "anything"
    page.go_back()
    page.wait_for_selector(".notice.home")
    assert (page.input_value("#words input"), page.input_value("#after input")) == ("", "")
    page.go_forward()
    page.wait_for_selector("#summary .summary")
    assert page.input_value("#after input") == "1990"

    page.locator(".tile [data-id]").first.click()
    page.wait_for_selector(".viewer")
    page.evaluate(  # a question in the moment in which a photo closes
        """() => {
            document.querySelector("[data-close]").click();
            document.querySelector("#brand a").click();
        }"""
    )
    page.wait_for_selector(".notice.home")
    page.go_back()
    page.wait_for_selector("#summary .summary")
    assert (urlsplit(page.url).query, page.locator(".viewer").count()) == ("q=anything&after=1990", 0)

    page.locator(".tile [data-id]").first.click()
    page.wait_for_selector(".viewer")
    page.click("text=More like this")
    page.wait_for_selector(".asked")
    assert page.locator(".viewer").count() == 0
    page.go_back()
    page.wait_for_selector(".viewer")
    page.wait_for_selector(".asked", state="detached")


def test_a_link_to_a_photo_opens_it_and_closing_it_leaves_the_page(page, address):
    page.locator(".tile [data-id]").first.click()
    page.wait_for_selector(".viewer")
    page.goto(page.url)  # as a link that was copied
    page.wait_for_selector(".viewer")
    page.keyboard.press("Escape")
    page.wait_for_selector(".viewer", state="detached")
    assert (page.url, page.locator(".tile").count()) == (f"{address}/", 48)
    page.goto(f"{address}/?photo=999999&q=anything")
    page.get_by_role("alert").filter(has_text="no longer in the library").wait_for()
    assert page.locator(".tile").count() == 48
    assert urlsplit(page.url).query == "q=anything"
    page.goto(f"{address}/?picture=gone&q=anything")
    page.get_by_role("alert").filter(has_text="Add it again").wait_for()
    page.get_by_role("button", name="Leave out your picture").click()
    page.wait_for_selector(".tile")
    assert urlsplit(page.url).query == "q=anything"
