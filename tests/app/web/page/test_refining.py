"""In a real browser: marks on hits, copies behind a count, alike photos apart; all of it in the address."""

from urllib.parse import parse_qs, urlsplit

import pytest

from tests.app.web.page.browsers import fits, in_a_browser, search, shoot

pytestmark = in_a_browser


@pytest.fixture
def page(kept_page):
    return kept_page


def asked(page, name):
    return parse_qs(urlsplit(page.url).query).get(name, [""])[0]


def shown(page):
    return page.eval_on_selector_all("#grid [data-id]", "all => all.map(one => one.dataset.id)")


def mark(page, kind, tile, touch):
    """By the buttons on a tile, or where nothing hovers by those of the large view."""
    if touch:
        tile.locator("[data-id]").tap()
        page.wait_for_selector(".viewer .marks:not([hidden])")
        page.locator(f".viewer [data-mark={kind}]").tap()
    else:
        tile.hover()
        tile.locator(f"[data-mark={kind}]").click()


def tile_of(page, number):
    return page.locator(".tile").filter(has=page.locator(f'[data-id="{number}"]'))


def test_marks_refine_the_answer_stand_above_it_and_are_undone(page, request):
    touch = page.evaluate("navigator.maxTouchPoints > 0") and page.evaluate("matchMedia('(hover: none)').matches")
    search(page, "a wild cat")
    right = shown(page)[3]
    mark(page, "right", tile_of(page, right), touch)
    page.wait_for_selector("#chips .mark.right")
    wrong = next(one for one in shown(page) if one != right)
    mark(page, "wrong", tile_of(page, wrong), touch)  # what is marked right stays a match, whatever goes with this one
    page.wait_for_selector("#chips .mark.wrong")
    assert wrong not in shown(page)
    assert (asked(page, "right"), asked(page, "wrong"), asked(page, "q")) == (right, wrong, "a wild cat")
    assert page.locator(f'#grid [data-of="{right}"][aria-pressed=true]').count() == 1
    assert fits(page)
    shoot(page, request, "12-marks")
    refined = shown(page)
    page.reload()
    page.wait_for_selector("#chips .mark.right")
    assert shown(page) == refined

    page.click("#chips button:has(.mark.right)")
    page.wait_for_selector("#chips .mark.right", state="detached")
    assert (asked(page, "right"), asked(page, "wrong")) == ("", wrong)
    page.go_back()
    page.wait_for_selector("#chips .mark.right")
    assert shown(page) == refined
    search(page, "something else")
    assert (asked(page, "right"), asked(page, "wrong")) == ("", ""), "marks are of what was looked for"


def test_what_was_not_looked_for_cannot_be_marked(page):
    page.locator(".tile [data-id]").first.click()
    page.wait_for_selector(".viewer")
    assert not page.is_visible(".viewer .marks")
    assert page.locator("#grid [data-mark]").count() == 0


def test_copies_open_beside_the_first_of_them(page, request):
    search(page, "folder:photos name:*")
    while page.is_visible("#more"):
        before = page.locator(".tile").count()
        page.click("#more")
        page.wait_for_function(f"document.querySelectorAll('.tile').length > {before}")
    count = page.locator(".tile").count()
    opens = page.locator(".behind")
    assert (opens.count(), opens.inner_text()) == (1, "+1")
    opens.click()
    assert page.locator(".tile").count() == count + 1
    pair = page.locator(".tile:has(.behind), .tile.copy").locator("img").evaluate_all("all => all.map(one => one.alt)")
    assert sorted(pair) == ["another.png", "plain07.png"]
    shoot(page, request, "13-copies")
    page.locator(".tile.copy [data-id]").click()
    page.wait_for_selector(f'.viewer[aria-label="{pair[1]}"]')
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector(f'.viewer[aria-label="{pair[0]}"]')
    page.keyboard.press("Escape")
    opens.click()
    assert page.locator(".tile").count() == count


def test_how_answers_are_listed_stands_in_the_address_and_holds_for_the_next_question(page):
    search(page, "something blue")
    page.click("#panel button")
    page.check("[data-how=copies]")
    page.wait_for_url("**copies=all**")
    page.check("[data-how=diverse]")
    page.wait_for_url("**diverse=yes**")
    page.wait_for_selector("#summary .summary")
    page.reload()
    page.wait_for_selector("#summary .summary")
    page.click("#panel button")
    assert page.is_checked("[data-how=copies]")
    assert page.is_checked("[data-how=diverse]")
    assert page.locator(".behind").count() == 0
    page.uncheck("[data-how=diverse]")
    page.wait_for_function("!location.search.includes('diverse')")
    assert asked(page, "copies") == "all"


def test_duplicates_stand_in_groups_with_the_best_named(page, request):
    page.click("#brand nav a")
    page.wait_for_selector(".group")
    assert (page.title(), asked(page, "show")) == ("Duplicates – picsift", "duplicates")
    row = page.locator(".group", has=page.locator('[alt="another.png"]'))
    assert row.locator(".note").first.inner_text().startswith("best · 90 × 67")
    assert row.locator(".note").nth(1).inner_text().startswith("exact copy · 90 × 67")
    assert "nothing is deleted here" in page.inner_text("#summary")
    assert page.locator("#grid [data-mark]").count() == 0
    assert fits(page)
    shoot(page, request, "14-duplicates")
    row.locator("[data-id]").first.click()
    page.wait_for_selector(".viewer")
    page.keyboard.press("Escape")
    page.fill("#words input", "name:coffee*")
    page.keyboard.press("Enter")
    page.wait_for_selector(".group", state="detached")
    assert asked(page, "show") == ""
    page.go_back()
    page.wait_for_selector(".group")


def test_why_a_photo_matched_is_laid_over_it(new_page, request):
    page = new_page
    search(page, "a wild cat")
    page.locator(".tile [data-id]").first.click()
    page.wait_for_function("document.querySelector('.viewer figure img')?.naturalWidth > 0")
    page.click("[data-why]")
    page.wait_for_selector(".viewer .heat")
    photo, heat = (page.locator(f".viewer figure {one}").bounding_box() for one in ("img", "canvas"))
    side = min(photo["width"], photo["height"])
    assert abs(heat["width"] - side) < 2
    assert abs(heat["height"] - side) < 2
    assert abs(heat["x"] + heat["width"] / 2 - photo["x"] - photo["width"] / 2) < 2
    shoot(page, request, "15-why")
    page.click("[data-why]")
    page.wait_for_selector(".viewer .heat", state="detached")
    assert not page.is_visible(".told"), "a wild cat is what it shows"
    page.route("**/heat?*", lambda route: route.fulfill(json={**route.fetch().json(), "relevance": 0.1}))
    page.click("[data-why]")
    page.wait_for_selector(".told:has-text('the words are not in this picture')")
    page.keyboard.press("Escape")
    search(page, "folder:photos")
    page.locator(".tile [data-id]").first.click()
    page.wait_for_selector(".viewer")
    assert not page.is_visible("[data-why]"), "nothing was looked for"
