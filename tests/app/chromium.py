"""Where Chromium is, for the tests that look at the page in a browser."""

import shutil

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser")
"""The same browser; the first draws for no window, and takes a fifth less of computing for the same page."""

CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
WANTED = "needs Chromium (Debian: apt-get install chromium-headless-shell)"
