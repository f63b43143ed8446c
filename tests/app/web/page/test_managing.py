"""Tags in a real browser: found, renamed, merged, deleted once that was said twice, suggested again."""

from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from indexer.catalog.tag_records import Decision
from tests.app.serving import photo_id
from tests.app.web.page.browsers import NONE_FOUND, fits, in_a_browser, shoot

pytestmark = in_a_browser
DOG, CAT, SEA = ("animal", "<b>dog/s"), ("animal", "cat"), ("sea",)


@pytest.fixture
def start():
    """No photo is to be drawn behind the dialog."""
    return NONE_FOUND


@pytest.fixture
def tags(library):
    """Three tags on two photos; gives what has been accepted."""
    catalog = library.library.catalog.tags
    first, second = (photo_id(library, name) for name in ("plain10.png", "plain11.png"))
    pairs = ((first, DOG), (first, CAT), (second, CAT), (second, SEA))
    catalog.decide([Decision(number, path, "accepted") for number, path in pairs])
    yield lambda: {tag.path for one in catalog.of([first, second]).values() for tag in one}
    for path in {path[:1] for path in catalog.paths().values()}:
        catalog.remove(path)
    catalog.forget_changes()


def row(page, name):
    return page.locator("#tags .tags li").filter(has=page.locator("bdi", has_text=name))


def says(page, text):
    page.wait_for_function(
        "text => document.querySelector('#tags .note').textContent.replace(/[\u2068\u2069]/g, '').startsWith(text)",
        arg=text,
    )


def test_tags_are_renamed_merged_deleted_and_suggested_again(page, tags, request):
    page.click("[data-tool=tags]")
    page.wait_for_function("document.querySelectorAll('#tags .tags li').length === 3")
    rows = page.locator("#tags .tags li").all_inner_texts()
    assert [text.split("\n")[-1] for text in rows] == ["1 accepted", "2 accepted", "1 accepted"]
    assert fits(page)
    page.fill("#tags [name=find]", "ANIMAL dog")
    assert page.inner_text("#tags .counts") == "1 tag"
    row(page, "<b>dog/s").locator(".head").click()
    rename = page.get_by_role("textbox", name="Rename to")
    assert (rename.input_value(), page.get_by_role("button", name="Rename", exact=True).is_disabled()) == (
        "animal/<b>dog\\/s",
        True,
    )
    shoot(page, request, "40-tags")
    page.evaluate(  # a refusal of the server's would stand in the console as an error
        """() => {
            const fetched = window.fetch;
            window.fetch = async (address, options) => {
                if (!String(address).includes("tags/rename")) return fetched(address, options);  // the page's own looks
                window.fetch = fetched;
                return new Response(JSON.stringify({detail: "there is a tag animal/cat already."}), {status: 400});
            };
        }"""
    )
    rename.fill("animal/cat")
    rename.press("Enter")
    says(page, "There is a tag animal/cat already.")
    assert tags() == {DOG, CAT, SEA}
    rename.fill("pet/dog")
    rename.press("Enter")
    says(page, "animal › <b>dog/s is pet › dog now; 1 tag with a new path.")
    assert tags() == {("pet", "dog"), CAT, SEA}
    page.fill("#tags [name=find]", "dog")
    row(page, "pet › dog").locator(".head").click()
    page.get_by_role("combobox", name="Merge into").fill("animal/cat")
    page.get_by_role("button", name="Merge…").click()
    question = page.inner_text("#tags .editor").replace("\u2068", "").replace("\u2069", "")
    assert "Merge pet › dog and what lies under it into animal › cat?" in question
    page.get_by_role("button", name="Keep").click()
    assert tags() == {("pet", "dog"), CAT, SEA}
    page.get_by_role("combobox", name="Merge into").fill("cat")
    page.get_by_role("button", name="Merge…").click()
    assert "into animal › cat?" in page.inner_text("#tags .editor").replace("\u2068", "").replace("\u2069", "")
    page.get_by_role("button", name="Merge", exact=True).click()
    says(page, "pet › dog is animal › cat now")
    page.fill("#tags [name=find]", "")
    row(page, "sea").locator(".head").click()
    page.get_by_role("button", name="Delete…").click()
    assert "Delete sea and what lies under it" in page.inner_text("#tags .editor").replace("\u2068", "").replace(
        "\u2069", ""
    )
    shoot(page, request, "41-tags-delete")
    page.get_by_role("button", name="Keep").click()
    assert tags() == {CAT, SEA}
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    says(page, "sea is deleted; 1 photo had it.")
    assert tags() == {CAT}
    shoot(page, request, "42-tags-changes")
    assert fits(page)
    page.get_by_role("button", name="Suggest sea again").click()
    says(page, "sea is suggested again from the next run on.")
    page.get_by_role("button", name="Suggest all of them again").click()
    says(page, "All of them are suggested again")
    page.wait_for_selector("#tags .was", state="hidden")
    page.keyboard.press("Escape")
    page.wait_for_selector("#tags[open]", state="detached")


def test_what_a_second_tab_deleted_is_no_other_tag_of_that_name(page, tags, library):
    catalog = library.library.catalog.tags
    catalog.decide([Decision(photo_id(library, "plain10.png"), ("cat",), "accepted")])
    page.click("[data-tool=tags]")
    page.wait_for_function("document.querySelectorAll('#tags .tags li').length === 4")
    page.evaluate(  # what it asks is asked below: a refusal of the server's would stand in the console as an error
        """() => {
            const fetched = window.fetch;
            window.asked = [];
            window.fetch = async (address, options) => {
                const method = options?.method || "GET";
                if (method === "GET" || !String(address).includes("api/v1/tags")) return fetched(address, options);
                window.asked.push([new URL(address, location).href, method, options?.body || null]);
                return new Response(JSON.stringify({detail: "it is gone."}), {status: 400});
            };
        }"""
    )
    page.locator("#tags .tags li[data-tag=cat] .head").click()
    page.get_by_role("textbox", name="Rename to").fill("tiger")
    page.get_by_role("button", name="Rename", exact=True).click()
    says(page, "It is gone.")
    page.get_by_role("combobox", name="Merge into").fill("sea")
    page.get_by_role("button", name="Merge…").click()
    page.get_by_role("button", name="Merge", exact=True).click()
    page.wait_for_function("window.asked.length === 2")
    says(page, "It is gone.")
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    page.wait_for_function("window.asked.length === 3")
    catalog.remove(("cat",))  # as another tab does
    for asked, method, body in page.evaluate("window.asked"):
        request = Request(asked, body and body.encode(), {"Content-Type": "application/json"}, method=method)
        with pytest.raises(HTTPError) as refused:
            urlopen(request)
        refused.value.close()
        assert refused.value.code == 400
    assert tags() == {DOG, CAT, SEA}
