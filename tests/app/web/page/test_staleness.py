"""In a real browser, while the library changes: pages stay whole, and what is shown is said to be out of date."""

import pytest

from app.bootstrap import build_services
from app.settings import Settings
from tests.app.serving import running
from tests.app.web.page.browsers import in_a_browser, in_step, look_again, search, slow_down

pytestmark = in_a_browser
CHANGED = "#since:has-text('{} since') button"


@pytest.fixture
def services(tmp_path, monkeypatch, tiny_model_path):
    monkeypatch.setattr("app.web.page.browsing.PAGE_SIZE", 5)
    monkeypatch.setattr("app.bootstrap._plain_names", tuple)  # random weights know no relevance
    settings = Settings(library=tmp_path / "library", model=str(tiny_model_path), device="cpu")
    return build_services(settings, create=True)


@pytest.fixture
def page(browser, services, tmp_path, monkeypatch):
    in_step(services, tmp_path / "photos", range(12))
    with running(services, monkeypatch, tmp_path) as address:
        page = browser.new_page()
        page.set_default_timeout(60_000)
        page.goto(address)
        page.wait_for_selector(".notice.home")
        yield page
        page.close()


def shown(page):
    return page.eval_on_selector_all(".tile img", "all => all.map(one => Number(one.alt.split('.')[0]))")


def to_the_second(page):
    page.click("#more")
    page.wait_for_function("document.querySelectorAll('.tile').length === 10")
    return shown(page)[9]


def test_a_photo_that_was_replaced_on_a_later_page_is_noticed(page, services, tmp_path):
    search(page, "anything")
    gone = to_the_second(page)
    kept = len(services.cursors)
    in_step(services, tmp_path / "photos", {*range(12), 20} - {gone})
    page.click(CHANGED.format("The photos have changed"))
    page.wait_for_function("document.querySelectorAll('.tile').length === 5")
    assert page.inner_text("#since") == ""
    assert gone not in [shown(page), to_the_second(page)]
    assert gone not in shown(page)
    assert len(services.cursors) <= kept, "what was compared is let go of"


def test_a_change_that_leaves_the_later_pages_as_they_are_is_not_told(page, services):
    search(page, "anything")
    to_the_second(page)
    slow_down(page, "0")
    services.library.catalog.set_setting("something", "else")
    look_again(page)
    page.wait_for_function("window.came === 2")  # both pages were compared
    assert page.inner_text("#since") == ""


def test_the_newest_photos_do_not_change_under_who_looks_at_a_later_page_and_say_so(page, services, tmp_path):
    to_the_second(page)
    in_step(services, tmp_path / "photos", range(14))
    page.click(CHANGED.format("2 more photos"))
    page.wait_for_function("document.querySelectorAll('.tile').length === 5")
    assert page.inner_text("[data-ready]").startswith("14 photos")


def test_that_fewer_can_be_searched_is_no_change_of_the_photos_that_are_shown(page, services):
    to_the_second(page)
    slow_down(page, "0")
    with services.library.catalog.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM embeddings WHERE photo_id = 1")  # as damaged ones go
    for _ in range(2):
        look_again(page)
    page.wait_for_function("window.came >= 2")  # both pages
    assert page.inner_text("[data-ready]").startswith("11 of 12 photos")
    assert page.inner_text("#since") == ""


def test_duplicates_say_that_the_library_has_changed(page, services, tmp_path):
    page.click("#brand nav a")
    page.wait_for_selector("#summary .summary")
    in_step(services, tmp_path / "photos", {*range(11), 20})
    page.click(CHANGED.format("The library has changed"))
    page.wait_for_function("document.querySelector('#since').innerText === ''")


def test_more_results_repeat_nothing_and_leave_nothing_out_while_the_library_changes(page, services, tmp_path):
    def more(count):
        page.click("#more")
        page.wait_for_function(f"document.querySelectorAll('.tile').length === {count}")

    def goes_through(words, there, come):
        search(page, words)
        first = shown(page)
        assert len(first) == 5
        gone = first[:3]
        in_step(services, tmp_path / "photos", [*(there - set(gone)), *come])
        more(10)
        more(14)
        assert not page.is_visible("#more")
        assert sorted(shown(page)) == sorted({*there, *come})
        return (there - set(gone)) | come

    there = goes_through("name:*", set(range(12)), {20, 21})
    there = goes_through("anything", there, {22, 23, 24})
    search(page, "something")  # not what is shown already: the answer is waited for
    page.wait_for_selector("#more")
    services.cursors.let_go(next(reversed(services.cursors._kept)))  # as a server that was started anew knows none
    page.click("#more")
    page.click("#beyond:has-text('What follows is not known any more') button:has-text('Search again')")
    page.wait_for_selector("#more")
    more(10)
    assert (page.inner_text("#beyond"), len(set(shown(page)))) == ("", 10)
    search(page, "anything else")
    assert len(services.cursors) == 1, "what was left is let go of"


def opens(page, tile):
    page.locator(".tile [data-id]").nth(tile).click()
    page.wait_for_selector(".viewer")
    return page.inner_text(".viewer h2")


def is_open(page, number):
    page.wait_for_function("name => document.querySelector('.viewer h2')?.innerText === name", arg=f"{number}.png")


def told_gone(page):
    told = page.get_by_role("alert").filter(has_text="no longer in the library")
    told.wait_for()
    told.click()
    told.wait_for(state="detached")


def test_arrows_lead_past_photos_that_are_gone_and_stop_at_the_last_that_is_there(page, services, tmp_path):
    search(page, "anything")
    to_the_second(page)
    page.click("#more")
    page.wait_for_function("document.querySelectorAll('.tile').length === 12")
    ids = shown(page)
    opens(page, 3)
    in_step(services, tmp_path / "photos", set(range(12)) - {ids[at] for at in (0, 1, 4, 5, 10, 11)})
    for _ in range(2):
        page.keyboard.press("ArrowRight")
        told_gone(page)
        is_open(page, ids[3])  # it stays until there is another one
    page.keyboard.press("ArrowRight")
    is_open(page, ids[6])
    page.keyboard.press("ArrowLeft")
    is_open(page, ids[3])
    page.keyboard.press("ArrowLeft")
    is_open(page, ids[2])
    for _ in range(2):
        page.click("[data-step='-1']")
        told_gone(page)
    assert page.is_disabled("[data-step='-1']")
    page.keyboard.press("Escape")
    page.wait_for_selector(".viewer", state="detached")
    assert page.evaluate("document.activeElement.title") == f"{ids[2]}.png"
    opens(page, 9)
    for _ in range(2):
        page.keyboard.press("ArrowRight")
        told_gone(page)
    assert page.is_disabled("[data-step='1']")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    is_open(page, ids[8])


def test_a_photo_that_went_while_it_is_open_is_left_by_the_arrows(page, services, tmp_path):
    search(page, "anything")
    ids = shown(page)
    opens(page, 1)
    in_step(services, tmp_path / "photos", set(range(12)) - {ids[1]})
    page.wait_for_selector("#since:has-text('Photos have gone since')", state="attached")
    page.keyboard.press("ArrowRight")
    is_open(page, ids[2])
    page.keyboard.press("ArrowLeft")
    told_gone(page)
    is_open(page, ids[2])
    page.keyboard.press("ArrowLeft")
    is_open(page, ids[0])
    page.reload()
    is_open(page, ids[0])
