"""The export dialog in a real browser: nothing is written before it is asked for, and all of it can be put back."""

import pytest

from indexer.catalog.tag_records import Decision
from tests.app.serving import photo_id
from tests.app.web.page.browsers import fits, in_a_browser, shoot

pytestmark = in_a_browser
TAG = ("animal", "<b>cat")


@pytest.fixture
def photos(library):
    """The folder of photos, two of which have a tag."""
    catalog = library.library.catalog
    ids = [photo_id(library, name) for name in ("plain10.png", "plain11.png")]
    catalog.tags.decide([Decision(number, TAG, "accepted") for number in ids])
    folder = catalog.photo(ids[0]).path.parent
    yield folder
    catalog.tags.remove(TAG[:1])
    catalog.tags.forget_changes()
    for sidecar in folder.glob("*.xmp"):
        sidecar.unlink()


def sidecars(folder):
    return sorted(path.name for path in folder.glob("*.xmp"))


def test_what_is_previewed_is_written_and_put_back(page, photos, request):
    page.click("[data-tool=export]")
    page.get_by_role("button", name="Write 2 files").wait_for()
    assert page.inner_text("#export .counts") == "2 new"
    listed = page.locator("#export .files li")
    assert listed.all_inner_texts() == [f"plain{number}.png.xmp\n+ animal/<b>cat" for number in (10, 11)]
    assert fits(page)
    shoot(page, request, "30-export")
    page.select_option("#export [name=naming]", "photo.xmp")
    page.wait_for_selector("#export .files li:has-text('plain10.xmp')")
    page.select_option("#export [name=naming]", "auto")
    page.wait_for_selector("#export .files li:has-text('plain10.png.xmp')")
    assert sidecars(photos) == [], "a preview writes nothing"
    page.get_by_role("button", name="Write 2 files").click()
    page.wait_for_selector("text=Done: 2 files written.")
    assert sidecars(photos) == ["plain10.png.xmp", "plain11.png.xmp"]
    page.get_by_text("2 as they should be").wait_for()
    assert page.is_disabled("#export .go")
    shoot(page, request, "31-exported")
    page.locator("#export .history").get_by_role("button", name="Undo").click()
    page.wait_for_selector("text=Done: 2 files put back.")
    assert sidecars(photos) == []
    page.get_by_role("button", name="Write 2 files").wait_for()
    with page.expect_download() as download:
        page.click("#export .tables a >> nth=0")
    assert "animal/<b>cat" in download.value.path().read_text()
    page.keyboard.press("Escape")
    page.wait_for_selector("#export[open]", state="detached")
    assert page.evaluate("document.activeElement.dataset.tool") == "export"


@pytest.mark.parametrize("size", ["desktop"], indirect=True)
def test_nothing_is_written_that_was_not_shown(page, photos, library):
    page.click("[data-tool=export]")
    page.get_by_role("button", name="Write 2 files").wait_for()
    number = photo_id(library, "plain12.png")
    library.library.catalog.tags.decide([Decision(number, TAG, "accepted")])
    page.get_by_role("button", name="Write 2 files").click()
    page.wait_for_selector("text=Nothing was written: what is to be written changed since it was shown.")
    page.get_by_role("button", name="Write 3 files").wait_for()
    assert sidecars(photos) == []
    page.get_by_role("button", name="Write 3 files").click()
    page.wait_for_selector("text=Done: 3 files written.")
    assert len(sidecars(photos)) == 3
    page.locator("#export .history").get_by_role("button", name="Undo").first.click()
    page.wait_for_selector("text=Done: 3 files put back.")


@pytest.mark.parametrize("size", ["desktop"], indirect=True)
def test_what_is_refused_is_told_and_nothing_is_written(page, photos):
    page.click("[data-tool=export]")
    page.get_by_role("button", name="Write 2 files").wait_for()
    page.evaluate(  # a refusal of the server's would stand in the console as an error
        """() => {
            const fetched = window.fetch;
            window.fetch = async (address, options) => {
                if (options?.method !== "POST") return fetched(address, options);
                const said = JSON.stringify({detail: "another picsift is writing to the library."});
                return new Response(said, {status: 409});
            };
        }"""
    )
    page.get_by_role("button", name="Write 2 files").click()
    page.wait_for_selector("text=Another picsift is writing to the library.")
    assert sidecars(photos) == []
    page.get_by_role("button", name="Write 2 files").wait_for()


@pytest.mark.parametrize("size", ["desktop"], indirect=True)
def test_while_something_runs_nothing_else_is_begun_and_what_was_interrupted_can_be_undone(page, photos):
    page.evaluate(
        """() => {
            const fetched = window.fetch;
            const report = {export: 2, written: 2, unchanged: 0, refused: 0, left_alone: [], changed: false};
            const entry = {id: 1, kind: "sidecars", files: 0, started_at: "2026-01-02T03:04:05Z", undone_at: null};
            const told = (said) => new Response(JSON.stringify(said));
            window.running = true;
            window.fetch = async (address, options) => {
                if (options?.method === "POST") return told({state: "running"});
                if (address.endsWith("exports")) {
                    return told([{...entry, finished_at: null}, {...entry, finished_at: entry.started_at}]);
                }
                if (!address.endsWith("run")) return fetched(address, options);
                if (!window.begun) return told({state: "never"});
                return told(window.running ? {state: "running", done: 1, total: 2} : {state: "done", report});
            };
        }"""
    )
    page.click("[data-tool=export]")
    page.get_by_role("button", name="Write 2 files").wait_for()
    entries = page.locator("#export .history li")
    assert [text.partition(" · ")[2] for text in entries.all_inner_texts()] == ["not finished\nUndo", "0 files"]
    page.evaluate("window.begun = true")
    page.get_by_role("button", name="Write 2 files").click()
    page.wait_for_selector("#export .run:visible")
    assert page.is_disabled("#export [name=naming]")
    assert page.evaluate("document.querySelector('#export .history').inert")
    page.evaluate("window.running = false")
    page.wait_for_selector("text=Done: 2 files written.")
    page.get_by_role("button", name="Write 2 files").wait_for()
    assert page.is_enabled("#export [name=naming]")
    assert not page.evaluate("document.querySelector('#export .history').inert")


@pytest.mark.parametrize("size", ["desktop"], indirect=True)
def test_names_turn_nothing_around(page, photos, library):
    number = photo_id(library, "plain10.png")
    library.library.catalog.tags.decide([Decision(number, (TAG[0], "x\u202egnp.exe"), "accepted")])
    page.click("[data-tool=export]")
    page.get_by_role("button", name="Write 2 files").wait_for()
    first = page.locator("#export .files li >> nth=0")
    assert first.inner_text() == "plain10.png.xmp\n+ animal/<b>cat, + animal/x\\u202egnp.exe"
    assert first.locator("bdi").count() == 3
