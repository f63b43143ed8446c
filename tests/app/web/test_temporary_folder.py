"""The server's temporary folder: gone with the server, however it ends."""

import os
import signal
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from app.web import server
from app.web.temporary_folder import LOCK, PREFIX, sweep, temporary_folder
from tests import forked_code
from tests.app.serving import announced, picture
from tests.app.slow_colours import Held
from tests.app.web.test_server import SERVE
from tests.indexer.processes import wait_until

HOLDING = """
import signal
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from tests.app.colours import ColourEmbedder
from tests.app.slow_colours import Held
from app.bootstrap import build_services
from app.cli.terminal.exits import cleanup_on_sigterm
from app.web.server import serve
from app.settings import Settings
embedder = ColourEmbedder()
embedder.prepare = Held(Path(sys.argv[2]))
settings = Settings(library=Path(sys.argv[1]), decode_timeout_s=3600)
try:
    with cleanup_on_sigterm():
        serve(build_services(settings, new_embedder=lambda *_, **__: embedder), port=0)
except KeyboardInterrupt:
    pass
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Where temporary folders are made, in this process and in those that it starts."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


@pytest.fixture
def served(tmp_path, temporary):
    """A server that answers, as a process; its output is read to the end of its first line."""
    process = forked_code.Started(SERVE, [tmp_path / "library"])
    announced(process)
    yield process
    process.close()


def left(temporary):
    return sorted(path.name for path in temporary.glob("picsift-*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_server_and_its_folder(served, temporary, number):
    assert len(left(temporary)) == 1
    served.send_signal(number)
    assert served.wait(60) == 0
    assert left(temporary) == []


def test_what_a_killed_server_left_goes_at_the_next_start(served, temporary):
    (leftover,) = left(temporary)
    (temporary / leftover / "picture.png").write_bytes(b"somebody's picture")
    sweep()
    assert left(temporary) == [leftover]  # it is in use
    served.kill()
    served.wait(60)
    with temporary_folder() as folder:
        assert left(temporary) == [folder.name]
    assert left(temporary) == []


def test_what_the_server_makes_lies_in_its_folder(services, temporary, monkeypatch):
    class BuiltError(Exception):
        pass

    def build(*_, folder, **__):
        handed.append(folder.name)
        assert left(temporary) == handed
        raise BuiltError

    handed = []
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")  # put back as it was
    monkeypatch.setattr(server, "build_app", build)
    with pytest.raises(BuiltError):
        server.serve(services, port=0)
    assert (len(handed), left(temporary)) == (1, [])


def test_only_folders_of_servers_are_swept(temporary, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / LOCK).touch()
    (temporary / f"{PREFIX}link").symlink_to(tmp_path / "mine")
    for name in (f"{PREFIX}starting", "picsift-demo-abc", "other"):
        (temporary / name).mkdir()
    (temporary / "picsift-demo-abc" / LOCK).touch()
    before = left(temporary)
    sweep()
    assert left(temporary) == before
    assert (tmp_path / "mine" / LOCK).exists()


def test_what_a_server_left_without_a_lock_is_swept_once_none_can_be_starting_there(temporary):
    folder = temporary / f"{PREFIX}left"
    (folder / "made_late").mkdir(parents=True)
    long_ago = folder.stat().st_mtime - 7200
    os.utime(folder, (long_ago, long_ago))
    sweep()
    assert not folder.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_picture_that_is_being_decoded_does_not_hold_up_the_end(world, temporary, tmp_path, number):
    """Its thread is waited for when the server ends, so that its decoding has to end first."""
    folder = tmp_path / "held"
    folder.mkdir()
    world.index()
    process = forked_code.Started(HOLDING, [world.settings.library, folder, Path(__file__).parents[3]])
    try:
        address = announced(process)
        with ThreadPoolExecutor(1) as threads:
            threads.submit(httpx.post, f"{address}/api/v1/pictures", content=picture(), timeout=60)
            wait_until(Held(folder).begun, 60)
            process.send_signal(number)
            assert process.wait(60) == 0  # decoding alone would take longer
        assert left(temporary) == []
    finally:
        process.close()
