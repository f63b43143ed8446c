"""The export dialog in a real browser: nothing is written before it is asked for, and all of it can be put back."""

import shutil

import pytest

from indexer.catalog.tag_records import Decision
from tests.app.serving import photo_id
from tests.app.web.page.browsers import NONE_FOUND, fits, in_a_browser, shoot

pytestmark = in_a_browser
TAG = ("animal", "<b>cat")


@pytest.fixture
def start():
    """No photo is to be drawn behind the dialog."""
    return NONE_FOUND


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


def stub(page, answers):
    """Have requests about exports answered within the page; all others, its own looks among them, pass.

    Args:
        page: an open page.
        answers: by method and the end of the path JavaScript, an expression of `asked`, the address, and `options`.
    """
    page.evaluate(
        """answers => {
            const fetched = window.fetch;
            window.fetch = async (address, options) => {
                const asked = String(address).split("api/v1/exports")[1];
                const made = asked !== undefined && answers[`${options.method} ${asked.split("?")[0]}`];
                if (!made) return fetched(address, options);
                const said = await new Function("asked", "options", `return ${made}`)(asked, options);
                return new Response(JSON.stringify(said.body ?? said), { status: said.status ?? 200 });
            };
        }""",
        answers,
    )


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
    said = '{status: 409, body: {detail: "another picsift is writing to the library."}}'
    stub(page, {"POST ": said})  # a refusal of the server's would stand in the console as an error
    page.get_by_role("button", name="Write 2 files").click()
    page.wait_for_selector("text=Another picsift is writing to the library.")
    assert sidecars(photos) == []
    page.get_by_role("button", name="Write 2 files").wait_for()


@pytest.mark.parametrize("size", ["desktop"], indirect=True)
def test_while_something_runs_nothing_else_is_begun_and_what_was_interrupted_can_be_undone(page, photos):
    report = "{export: 2, written: 2, unchanged: 0, refused: 0, left_alone: [], changed: false}"
    entry = "{id: 1, kind: 'sidecars', files: 0, started_at: '2026-01-02T03:04:05Z', undone_at: null"
    stub(
        page,
        {
            "POST ": "{state: 'running'}",
            "GET ": f"[{entry}, finished_at: null}}, {entry}, finished_at: '2026-01-02T03:04:05Z'}}]",
            "GET /run": "!window.begun ? {state: 'never'} : window.running "
            f"? {{state: 'running', done: 1, total: 2}} : {{state: 'done', report: {report}}}",
        },
    )
    page.evaluate("window.running = true")
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


@pytest.mark.parametrize("size", ["desktop"], indirect=True)
def test_into_photos_is_previewed_asked_about_written_and_put_back(page, photos, request):
    if shutil.which("exiftool") is None:
        pytest.skip("needs exiftool, which is not installed")
    paths = [photos / "plain10.png", photos / "plain11.png"]
    before = [path.read_bytes() for path in paths]
    page.click("[data-tool=export]")
    page.get_by_text("By ExifTool, each with its original kept").wait_for()
    page.get_by_label("Into the photos").check()
    page.get_by_role("button", name="Write into 2 photos…").wait_for()
    assert page.inner_text("#export .counts") == "2 changed"
    listed = page.locator("#export .files li")
    assert listed.all_inner_texts() == [f"{path.name}\n+ animal/<b>cat" for path in paths]
    assert "stay as they are" not in page.inner_text("#export")
    assert fits(page)
    shoot(page, request, "32-into-photos")
    page.get_by_role("button", name="Write into 2 photos…").click()
    page.get_by_text("Write into 2 photos?").wait_for()
    shoot(page, request, "33-into-photos-sure")
    page.get_by_role("button", name="Not now").click()
    page.get_by_role("button", name="Write into 2 photos…").click()
    assert [path.read_bytes() for path in paths] == before, "nothing is written before that was confirmed"
    page.get_by_role("button", name="Write into 2 photos", exact=True).click()
    page.wait_for_selector("text=Done: 2 photos written.")
    page.get_by_text("2 as they should be").wait_for()
    assert all(b"animal|&lt;b" in path.read_bytes() for path in paths)
    assert sidecars(photos) == []
    assert page.get_by_label("Into the photos").is_checked()
    shoot(page, request, "34-into-photos-done")
    page.locator("#export .history").get_by_role("button", name="Undo").first.click()
    page.wait_for_selector("text=Done: 2 photos put back.")
    assert [path.read_bytes() for path in paths] == before
    page.get_by_role("button", name="Write into 2 photos…").wait_for()


FILE = "{file: '/p/a.jpg', added: [], removed: [], words: [], completed: [], shortened: [], reason: null"
INTO = f"""{{following: null, token: "{"0" * 64}", files: [
    {{...{FILE}}}, outcome: "change", completed: ["XMP", "IPTC"]}},
    {{...{FILE}}}, outcome: "change", words: ["rating"], shortened: ["a long one"]}},
    {{...{FILE}}}, outcome: "leave", reason: "it is a link."}}]}}"""
BESIDE = f"""{{following: null, token: "{"0" * 64}", files: [{{...{FILE}}}, outcome: "new", added: ["dog"]}}]}}"""
WAYS = "[{way: 'beside', works: true}, {way: 'into', works: !window.none, reason: window.none ?? null}]"
ENTRY = "{id: 9, kind: 'files', files: 2, started_at: '2026-01-02T03:04:05Z', finished_at: '2026', undoable: true}"


@pytest.mark.parametrize("size", ["desktop"], indirect=True)
def test_what_is_shown_belongs_to_what_is_chosen_and_nothing_is_begun_before_it_is_known_what_runs(page):
    late = """new Promise((resolve) => {
        options.signal.addEventListener("abort", () => (window.given_up = true));
        window.late = () => resolve(window.now);
    })"""
    into = f"(window.now = {INTO}, window.given_up ? window.now : {late})"
    page.evaluate("() => { window.state = new Promise((resolve) => (window.known = resolve)); }")
    answers = {"GET /run": "window.state", "GET /ways": WAYS, "GET ": f"[{ENTRY}]"}
    stub(page, answers | {"GET /preview": f"asked.includes('into_files') ? {into} : {BESIDE}"})
    page.click("[data-tool=export]")
    undo = page.get_by_role("button", name="Undo the export")
    undo.wait_for()
    assert (undo.is_disabled(), page.get_by_label("Into the photos").is_disabled()) == (True, True)
    assert page.is_disabled("#export .go")
    page.evaluate("window.known({state: 'never'})")
    page.get_by_role("button", name="Write 1 file").wait_for()
    assert undo.is_enabled()
    page.get_by_label("Into the photos").check()
    page.get_by_text("Reading your photos…").wait_for()
    assert page.is_disabled("#export .go")
    page.get_by_label("Sidecars").check()
    page.wait_for_function("window.given_up")
    page.get_by_role("button", name="Write 1 file").wait_for()
    page.evaluate("async () => { window.late(); await new Promise((resolve) => setTimeout(resolve)); }")
    listed = page.locator("#export .files li")
    assert listed.all_inner_texts() == ["a.jpg\n+ dog"]
    page.get_by_label("Into the photos").check()
    page.get_by_role("button", name="Write into 2 photos…").wait_for()
    assert listed.all_inner_texts() == [
        "a.jpg\ncompletes the lists of tags in XMP, completes IPTC",
        "a.jpg\nrating\nIPTC has no room for all of a long one; XMP has it whole",
        "a.jpg\nit is a link.",
    ]
    page.get_by_role("button", name="Write into 2 photos…").click()
    page.get_by_label("Sidecars").check()
    page.get_by_role("button", name="Write 1 file").wait_for()
    assert page.locator("#export .sure").is_hidden(), "what was asked about is not shown any more"


@pytest.mark.parametrize("size", ["desktop"], indirect=True)
def test_a_run_into_photos_that_is_under_way_is_shown_as_that_and_told_whole(page):
    report = """{written: 1, refused: 1, changed: false, shortened: [{file: "/p/b.jpg", texts: ["a long one"]}],
        left_alone: [{file: "/p/a.jpg", reason: "ExifTool would change x in it."}]}"""
    going = "{doing: 'export', way: 'into', state: 'running', done: 1, total: 2}"
    page.evaluate(f"window.job = {going}")
    answers = {"GET /run": "window.job", "GET /ways": WAYS, "GET ": f"[{ENTRY}]", "GET /preview": INTO}
    stub(page, answers | {"DELETE /run": "(window.stopped = true, window.job)"})
    page.evaluate("window.none = 'ExifTool went.'")
    page.click("[data-tool=export]")
    page.wait_for_selector("#export .run:visible")
    page.get_by_text("ExifTool went.").wait_for()
    chosen = page.get_by_label("Into the photos")
    assert (chosen.is_checked(), chosen.is_disabled()) == (True, True)
    assert page.get_by_role("button", name="Undo the export").is_disabled()
    assert "stay as they are" not in page.inner_text("#export")
    page.get_by_role("button", name="Stop").click()
    page.wait_for_function("window.stopped")
    page.evaluate("window.job = {status: 503, body: {detail: 'the server is busy.'}}")
    page.get_by_text("The server is busy.").wait_for()
    assert page.locator("#export .run").is_visible(), "one look that fails ends nothing"
    failed = f"{{...{going}, state: 'failed', problem: 'the library is gone.', report: {report}}}"
    page.evaluate(f"window.job = {failed}")
    alone = "The library is gone. Until then: 1 photo written, 1 left alone."
    page.get_by_text(f"This run was begun in another window, or before this page was loaded. {alone}").wait_for()
    assert page.locator("#export .left li").all_inner_texts() == [
        "a.jpg\nExifTool would change x in it.",
        "b.jpg\nIPTC has no room for all of a long one; XMP has it whole",
    ]
    page.get_by_role("button", name="Write into 2 photos…").wait_for()
    assert chosen.is_checked()
    assert "stay as they are" not in page.inner_text("#export")
    page.get_by_label("Sidecars").check()
    page.evaluate("window.job = {doing: 'undo', way: 'into', state: 'running', done: 0, total: 2}")
    page.keyboard.press("Escape")
    page.click("[data-tool=export]")
    page.wait_for_selector("#export .run:visible")
    assert not chosen.is_checked(), "an undoing chooses no way to write"


@pytest.mark.parametrize("size", ["desktop"], indirect=True)
def test_a_later_run_of_another_window_is_not_told_as_what_this_page_began(page):
    run = "{doing: 'export', way: 'beside', done: 1, total: 2"
    report = "report: {written: 7, refused: 0, changed: false}"
    page.evaluate("window.job = {state: 'never'}")
    answers = {"GET /run": "window.job", "GET /ways": WAYS, "GET ": f"[{ENTRY}]", "GET /preview": BESIDE}
    stub(page, answers | {"POST ": "window.job = {...window.next}"})
    page.click("[data-tool=export]")
    write = page.get_by_role("button", name="Write 1 file")
    other = "What this page began has ended, and is in the list below. This is a later run, begun in another window. "
    for later, told in [
        ("2026-01-02T03:04:05Z", "Done: 7 files written."),
        ("2026-01-02T03:04:09Z", f"{other}Done: 7 files written."),
        (None, "Picsift was started anew meanwhile."),
    ]:
        page.evaluate(f"window.next = {run}, state: 'running', started_at: '2026-01-02T03:04:05Z'}}")
        write.click()
        page.wait_for_selector("#export progress[value]:visible")
        ended = f"{run}, state: 'done', {report}, started_at: '{later}'}}" if later else "{state: 'never'}"
        page.evaluate(f"window.job = {ended}")
        page.get_by_text(told).wait_for()
        assert page.inner_text("#export .note").startswith(told)
        write.wait_for()


@pytest.mark.parametrize("size", ["desktop"], indirect=True)
def test_what_ended_while_the_dialog_was_closed_is_told_once_and_awaited_no_more(page):
    run = "{doing: 'export', way: 'beside', done: 1, total: 2"
    ended = f"{run}, state: 'done', report: {{written: 7, refused: 0, changed: false}}"
    page.evaluate("window.job = {state: 'never'}")
    answers = {"GET /run": "window.job", "GET /ways": WAYS, "GET ": f"[{ENTRY}]", "GET /preview": BESIDE}
    stub(page, answers | {"POST ": f"window.job = {run}, state: 'running', started_at: '2026-01-02T03:04:05Z'}}"})
    write = page.get_by_role("button", name="Write 1 file")
    page.click("[data-tool=export]")
    write.click()
    page.wait_for_selector("#export progress[value]:visible")
    page.keyboard.press("Escape")
    page.evaluate(f"window.job = {ended}, started_at: '2026-01-02T03:04:05Z'}}")
    page.click("[data-tool=export]")
    page.get_by_text("Done: 7 files written.").wait_for()
    page.keyboard.press("Escape")
    page.click("[data-tool=export]")
    write.wait_for()
    assert page.inner_text("#export .note") == ""
    page.keyboard.press("Escape")
    page.evaluate(f"window.job = {run}, state: 'running', started_at: '2026-01-02T03:04:09Z'}}")
    page.click("[data-tool=export]")
    page.wait_for_selector("#export progress[value]:visible")
    page.evaluate(f"window.job = {ended}, started_at: '2026-01-02T03:04:09Z'}}")
    page.get_by_text("This run was begun in another window, or before this page was loaded. Done: 7").wait_for()


@pytest.mark.parametrize("size", ["desktop"], indirect=True)
def test_a_preview_that_is_not_whole_yet_says_of_how_many_photos_it_tells(page):
    second = f"new Promise((resolve) => (window.second = () => resolve({BESIDE})))"
    first = f"{{...{BESIDE}, following: 1, photos: 1500}}"
    answers = {"GET /run": "{state: 'never'}", "GET /ways": WAYS, "GET ": f"[{ENTRY}]"}
    stub(page, answers | {"GET /preview": f"asked.includes('page=1') ? {second} : {first}"})
    page.click("[data-tool=export]")
    page.get_by_text("1 new so far, of 1,500 photos").wait_for()
    assert page.is_disabled("#export .go")
    page.evaluate("window.second()")
    page.get_by_role("button", name="Write 2 files").wait_for()
    assert page.inner_text("#export .counts") == "2 new"


@pytest.mark.parametrize("size", ["desktop"], indirect=True)
def test_a_preview_that_waits_for_another_one_says_so(page):
    busy = "{status: 409, body: {detail: 'another preview of what goes into photos is being made. Ask again.'}}"
    answers = {"GET /run": "{state: 'never'}", "GET /ways": WAYS, "GET ": f"[{ENTRY}]"}
    stub(page, answers | {"GET /preview": f"asked.includes('into_files') ? (window.free ? {INTO} : {busy}) : {BESIDE}"})
    page.click("[data-tool=export]")
    page.get_by_role("button", name="Write 1 file").wait_for()
    page.get_by_label("Into the photos").check()
    page.get_by_text("Waiting: another preview is reading your photos…").wait_for()
    page.evaluate("window.free = true")
    page.get_by_role("button", name="Write into 2 photos…").wait_for()
    assert page.inner_text("#export .counts") == "2 changed, 1 left alone"


@pytest.mark.parametrize("size", ["desktop"], indirect=True)
def test_a_way_back_is_given_up_only_after_a_question_and_not_offered_any_more(page, photos, library, request):
    first = library.exports.run().export
    library.library.catalog.tags.decide([Decision(photo_id(library, "plain10.png"), ("sea",), "accepted")])
    second = library.exports.run().export
    page.click("[data-tool=export]")
    entries = page.locator("#export .history li")
    later, earlier = entries.nth(0), entries.nth(1)
    later.get_by_role("button", name="Forget").click()
    page.get_by_text("Give up the way back from this export and from the 1 export before it?").wait_for()
    shoot(page, request, "35-forget")
    later.get_by_role("button", name="Keep").click()
    later.get_by_role("button", name="Undo").wait_for()
    assert not any(export.forgotten for export in library.exports.history() if export.id in (first, second))
    earlier.get_by_role("button", name="Forget").click()
    page.get_by_text("Give up the way back from this export?").wait_for()
    earlier.get_by_role("button", name="Forget", exact=True).click()
    page.get_by_text("1 export cannot be undone any more.").wait_for()
    page.wait_for_selector("#export .history li:nth-child(2):has-text('cannot be undone any more')")
    assert earlier.get_by_role("button").count() == 0
    library.exports.forget(second)  # in another window
    later.get_by_role("button", name="Undo").click()
    page.get_by_text("was given up; its files cannot be put back.").wait_for()
    page.wait_for_selector("#export .history li:nth-child(1):has-text('cannot be undone any more')")
    assert later.get_by_role("button").count() == 0
    assert len(sidecars(photos)) == 2
    library.library.catalog.tags.remove(("sea",))
