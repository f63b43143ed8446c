"""In a real browser: pictures that are dropped where they cannot be seen to, several at once, and over a photo."""

import base64

import pytest

from tests.app.serving import picture
from tests.app.web.page.browsers import fits, in_a_browser, search, shoot

pytestmark = in_a_browser


@pytest.fixture
def page(kept_page):
    return kept_page


def drop(page, *pictures, kinds=("dragenter", "dragover", "drop")):
    """Drop files, and have `window.dropped` tell whether the browser would show them in place of the page."""
    page.evaluate(
        """([files, kinds]) => {
            const carried = new DataTransfer();
            for (const [name, text] of files) {
                const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
                carried.items.add(new File([bytes], name, {type: "image/png"}));
            }
            const at = document.querySelector("dialog[open]") || document.body;
            for (const kind of kinds)
                at.dispatchEvent(new DragEvent(kind, {dataTransfer: carried, bubbles: true, cancelable: true}));
        }""",
        [[[f"{at}.png", base64.b64encode(one).decode()] for at, one in enumerate(pictures)], kinds],
    )


@pytest.mark.parametrize("tool", ["review", "tags", "export"])
def test_a_picture_that_is_dropped_on_a_dialog_is_left_alone(new_page, tool):
    page = new_page
    sent = []
    page.on("request", lambda request: sent.append(request.url) if request.url.endswith("/pictures") else None)
    page.click(f"[data-tool={tool}]")
    page.wait_for_selector(f"#{tool}[open]")
    address = page.url
    drop(page, picture(), kinds=("dragenter", "dragover"))
    assert not page.evaluate("document.body.classList.contains('dropping')"), "nothing is to be dropped here"
    drop(page, picture())
    page.keyboard.press("Escape")
    page.wait_for_selector(f"#{tool}[open]", state="detached")
    assert not page.evaluate("document.body.classList.contains('dropping')")
    drop(page, picture())
    page.wait_for_selector(".asked")
    assert (len(sent), address == page.url) == (1, False)


def test_of_several_pictures_the_first_is_searched_by_and_that_is_said(page, request):
    drop(page, picture("green"), picture("red"), picture("blue"))
    told = page.get_by_role("alert").filter(has_text="Only one picture is searched by: the first of these 3.")
    told.wait_for()
    assert page.inner_text(".asked figcaption") == "Photos like your picture"
    assert fits(page)
    shoot(page, request, "16-several")
    drop(page, picture("red"))
    told.wait_for(state="detached")
    page.wait_for_selector(".asked")


def test_a_picture_that_is_dropped_on_a_photo_closes_it(page):
    search(page, "anything")
    page.locator(".tile [data-id]").first.click()
    page.wait_for_selector(".viewer")
    drop(page, picture())
    page.wait_for_selector(".asked")
    assert (page.locator(".viewer").count(), "photo=" in page.url) == (0, False)
    page.go_back()
    page.wait_for_selector(".viewer")
    page.keyboard.press("Escape")
    page.wait_for_selector(".viewer", state="detached")
