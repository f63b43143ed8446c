"""What tests of the page and the API share: pictures to send, ids to ask for, and a server in a thread."""

import asyncio
import io
import re
import threading
from contextlib import contextmanager

from PIL import Image

from app.web import server as server_module
from app.web.server import build_app
from tests.app.colours import NAMES


def picture(colour="green", format="PNG"):
    """The bytes of a picture of one colour."""
    target = io.BytesIO()
    Image.new("RGB", (40, 30), NAMES[colour]).save(target, format)
    return target.getvalue()


def photo_id(services, name):
    """The id of the photo with that file name."""
    catalog = services.library.catalog
    for number in range(1, 1000):
        photo = catalog.photo(number)
        if photo is not None and photo.path.name == name:
            return photo.id
    raise AssertionError(f"no photo is called {name}")


def announced(process):
    """The address that a server, started as a process, writes to its standard error."""
    said = []
    for line in process.stderr:
        said.append(line)
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            return found[0]
    raise AssertionError(f"the server ended with {process.wait(60)} and said: {''.join(said)}")


@contextmanager
def running(services, monkeypatch, tmp_path, **options):
    """The page served on a free port of this machine, with `options` of `build_app`; yields its address."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    answers = threading.Event()
    servers = []

    def started(server):
        servers.append(server)
        answers.set()

    with server_module.listen("127.0.0.1", 0) as listening:
        run = server_module.answer(lambda: build_app(services, **options), listening, started)
        thread = threading.Thread(target=asyncio.run, args=(run,), daemon=True)
        thread.start()
        assert answers.wait(60), "the server did not come up"
        try:
            yield server_module.address_of("127.0.0.1", listening)
        finally:
            servers[0].should_exit = True
            thread.join(60)


def in_loop(function, *args, **kwargs):
    """Call what builds a page as the server does: inside a running loop, without which Gradio leaves one open."""

    async def call():
        return function(*args, **kwargs)

    return asyncio.run(call())
