"""A browser, and the page over a library of sample photos, served from this process."""

import shutil

import pytest
from PIL import Image

from app.bootstrap import build_services
from app.cli.demo import copy_photos
from app.settings import Settings
from indexer.pipeline import sync
from tests.app.chromium import driving, launched
from tests.app.serving import running
from tests.app.web.page.browsers import ARGUMENTS, HOSTILE, SIZES
from tests.app.web.page.watched import Watched


@pytest.fixture(scope="session")
def library(tmp_path_factory, tiny_model_path):
    """Services over sample photos, troubles among them: a hostile name, a turned TIFF."""
    folder = tmp_path_factory.mktemp("browser")
    assert copy_photos(folder / "photos") >= 15
    Image.new("RGB", (300, 200), "teal").save(folder / "photos" / HOSTILE)
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.new("RGB", (900, 600), "orange").save(folder / "photos" / "turned.tif", exif=turned)
    for number in range(40):
        Image.new("RGB", (90, 60 + number), (6 * number, 90, 200)).save(folder / "photos" / f"plain{number:02}.png")
    shutil.copyfile(folder / "photos" / "plain07.png", folder / "photos" / "another.png")
    settings = Settings(library=folder / "library", model=str(tiny_model_path), device="cpu")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.bootstrap._plain_names", tuple)  # random weights know no relevance
        services = build_services(settings, create=True)
    sync(services.library, services.embedder, [folder / "photos"], workers=1, batch_size=16, max_pixels=50_000_000)
    yield services
    services.close()


@pytest.fixture(scope="package")
def address(library, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch, running(library, patch, tmp_path_factory.mktemp("run")) as address:
        yield address


@pytest.fixture(scope="package")
def chromium():
    with launched(ARGUMENTS) as chromium:
        yield chromium


@pytest.fixture(scope="module")
def browser(chromium):
    """One for all modules, driven in those that use it."""
    with driving(chromium) as browser:
        yield browser


@pytest.fixture(scope="package")
def windows():
    """The kinds of window that are open already."""
    return {}


@pytest.fixture(scope="module", params=list(SIZES))
def size(request, browser, windows, address):
    """A browser window of a kind, whose cache and whose process hold the page's scripts after the first test."""
    if request.param not in windows:
        width, height = SIZES[request.param]
        windows[request.param] = window = browser.new_context(
            viewport={"width": width, "height": height}, has_touch=request.param == "phone", color_scheme="light"
        )
        window.new_page().goto(f"{address}/api/v1/health")  # keeps the process, whichever page of a test is closed
    return windows[request.param]


@pytest.fixture
def start():
    """What a new page asks from its address on: nothing, and the newest photos are there."""
    return ""


@pytest.fixture
def new_page(size, address, start):
    """A page that was just loaded."""
    watched = Watched(size.new_page(), address)
    watched.load(address + start)
    yield watched.page
    watched.forget()
    watched.page.close()
    watched.check()


@pytest.fixture
def page(new_page):
    """The page, which is a new one where a file of tests does not say otherwise."""
    return new_page


@pytest.fixture(scope="module")
def kept(size):
    """The page that stands for the tests of a file, if there is one."""
    pages = []
    yield pages
    for watched in pages:
        watched.page.close()


@pytest.fixture
def kept_page(size, address, kept):
    """One that tests of searching leave to one another: led back to its start, it is as one that was just loaded.

    One that is not goes, and the next test loads its own, which takes the computing of half a dozen searches.
    """
    if not kept:
        kept.append(Watched(size.new_page(), address))
        kept[0].load(address)
    watched = kept.pop()
    yield watched.page
    as_loaded = False
    try:
        watched.forget()
        as_loaded = watched.is_as_loaded()
    finally:
        if as_loaded:
            kept.append(watched)
        else:
            watched.page.close()
        watched.check()
