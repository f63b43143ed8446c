"""The browser that the page's tests run in, and what they do in it again and again.

Set PICSIFT_SCREENSHOTS to a folder to look at what the tests saw.
"""

import os
from pathlib import Path

import pytest
from PIL import Image

from app.cli.demo import find_photos
from indexer.pipeline import sync
from tests.app.chromium import CHROMIUM, WANTED

in_a_browser = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason=WANTED),
]
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-quic"]
ARGUMENTS += ["--process-per-site", "--renderer-process-limit=1"]  # a page finds the scripts compiled by the one before
SIZES = {"desktop": (1280, 860), "phone": (390, 844)}
PHOTOS = len(find_photos()) + 43  # the demo's, one of a hostile name, a turned one, forty plain ones, a copy
HITS = PHOTOS - 1  # the copy stands behind its original
NONE_FOUND = "/?q=after:2090"  # where the page shows no photo
HOSTILE = '"><img src=x onerror=alert(1)>{{x}}${y}.jpg'


def shoot(page, request, name):
    """Keep a picture of the page, where that was asked for."""
    if folder := os.environ.get("PICSIFT_SCREENSHOTS"):
        page.wait_for_timeout(700)
        page.screenshot(path=Path(folder, f"{request.node.callspec.params['size']}-{name}.png"))


def search(page, words):
    page.fill("#words input", words)
    page.keyboard.press("Enter")
    page.wait_for_function("words => document.title === `${words} – picsift`", arg=words)
    page.wait_for_selector("#summary .summary")


def in_step(services, photos, numbers):
    """Bring the library in step with a folder that has just these pictures, which any search finds."""
    photos.mkdir(exist_ok=True)
    for gone in photos.iterdir():
        if int(gone.stem) not in numbers:
            gone.unlink()
    for number in numbers:
        if not (photos / f"{number}.png").exists():
            Image.new("RGB", (90, 60 + number), (6 * number, 90, 200)).save(photos / f"{number}.png")
    sync(services.library, services.embedder, [photos], workers=1, batch_size=16, max_pixels=10**7)


def look_again(page):
    """Have the page look at the library at once, as it does when somebody comes back to it."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def fits(page):
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def slow_down(page, lateness, lost="false"):
    """Have what Python answers come later by so many milliseconds, and count what came in `window.came`.

    Args:
        page: an open page.
        lateness: JavaScript, an expression of `name`, the function that was called, and of `sent`, what it was sent.
        lost: the same; whether the answer never comes.
    """
    page.evaluate(
        """([lateness, lost]) => {
            window.fetched ??= window.fetch;
            window.came = 0;
            const [late, none] = [lateness, lost].map((text) => new Function("name", "sent", `return ${text}`));
            window.fetch = async (address, options) => {
                if (!String(address).includes("component_server")) return window.fetched(address, options);
                const { fn_name: name, data: sent } = JSON.parse(options.body);
                if (name === "look") return window.fetched(address, options);
                const answer = await window.fetched(address, options);
                await new Promise((resolve) => setTimeout(resolve, late(name, sent)));
                setTimeout(() => (window.came += 1), 100); // once the page has taken it in
                return none(name, sent) ? new Response("", { status: 503 }) : answer;
            };
        }""",
        [lateness, lost],
    )
