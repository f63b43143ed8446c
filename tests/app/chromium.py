"""Chromium, for the tests that look at the page in a browser: where it is, and one that stands for many tests."""

import asyncio
import shutil
from asyncio.events import _set_running_loop as set_running_loop
from contextlib import contextmanager

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser")
"""The same browser; the first draws for no window, and takes a fifth less of computing for the same page."""

CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
WANTED = "needs Chromium (Debian: apt-get install chromium-headless-shell)"


@contextmanager
def launched(arguments):
    """A browser, and the loop of events that it is driven by, which stands still until `driving` it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser, loop = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments), asyncio.get_running_loop()
        set_running_loop(None)
        yield browser, loop
        set_running_loop(loop)
        browser.close()
    asyncio.set_event_loop(None)


@contextmanager
def driving(chromium):
    """The browser of such a pair; its loop, which stands still between two calls, counts as running in the block."""
    browser, loop = chromium
    set_running_loop(loop)
    yield browser
    set_running_loop(None)
