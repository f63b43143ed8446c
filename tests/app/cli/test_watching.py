"""`picsift watch` as people, scripts and service managers meet it; and the daemon beside the server."""

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from app.activities import document, sentence
from app.cli import commands as cli
from app.cli import watching
from app.cli.live_status import NOTHING, lines
from app.search.query import Query
from app.settings import Settings
from app.status import read_status
from indexer.errors import ModelError, NewerLibraryError
from indexer.pipeline import Progress, SyncReport
from indexer.watching.activity import Activity, ActivityLog, read_activity
from tests import forked_code
from tests.app.colours import World, names
from tests.indexer.processes import NewThreads

LONG_S = 60


def wait_until(condition, what):
    deadline = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.02)


def new_python(*args, **surroundings):
    """A command in an interpreter of its own, as people start it."""
    command = [sys.executable, "-m", "app.cli", *map(str, args)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **surroundings)


def read_line(process):
    ready, _, _ = select.select([process.stdout], [], [], LONG_S)
    assert ready, "no line came"
    return process.stdout.readline()


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    world.write("red.png", "red")
    return world


@pytest.fixture
def started(tmp_path, tiny_model_path):
    processes = []
    settings = {"PICSIFT_LIBRARY": str(tmp_path / "library"), "PICSIFT_MODEL": str(tiny_model_path)}
    settings |= {"PICSIFT_SETTLE_MS": "100", "OMP_NUM_THREADS": "1"}

    def begin(*args, start=forked_code.picsift):
        processes.append(start(*args, cwd=Path(cli.__file__).parents[2], env=os.environ | settings))
        return processes[-1]

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


def test_it_indexes_follows_and_ends_on_sigterm(world, started, tmp_path):
    process = started("watch", world.photos, "--json", start=new_python)
    first = json.loads(read_line(process))
    assert (first["added"], first["failed"], first["time"][:2]) == (1, 0, "20")
    world.write("blue.png", "blue")
    (world.photos / "red.png").rename(world.photos / "rouge.png")
    second = json.loads(read_line(process))
    assert (second["added"], second["moved"]) == (1, 1)
    status = started("status", "--follow", "--json")
    assert json.loads(read_line(status))["pid"] == process.pid
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=LONG_S)  # how soon is measured in benchmarks/stopping.py
    assert (process.returncode, out) == (0, "")
    assert "Traceback" not in err
    assert json.loads(read_line(status)) == {"state": "none"}
    assert list((tmp_path / "library/activity").iterdir()) == []


def test_the_log_is_json_on_request(world, started):
    process = started("watch", world.photos, "--log-json", "-v")
    assert "1 added" in read_line(process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=LONG_S)
    logged = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
    assert {"time", "level", "logger", "message"} == set(logged[0])
    assert any(record["message"] == f"following {world.photos}" for record in logged)


def test_folders_are_added_when_no_other_process_writes_any_more(world, monkeypatch):
    monkeypatch.setattr(watching, "LOCKED_S", 0.01)
    world.index()
    more = world.photos.parent / "more"
    more.mkdir()
    services, asked = world.services(), []
    lock = services.library.writer_lock
    adding = threading.Thread(target=watching.add_folders, args=(services, [more], threading.Event()), daemon=True)
    monkeypatch.setattr(type(services.library), "writer_lock", lambda self: asked.append(1) or lock())
    with lock():
        adding.start()
        wait_until(lambda: len(asked) > 2, "it asks for the lock again and again")
        assert more not in [root.path for root in services.library.catalog.root_paths()]
    adding.join(LONG_S)
    assert more in [root.path for root in services.library.catalog.root_paths()]


def test_told_to_stop_it_waits_for_no_other_process(world, monkeypatch):
    world.index()
    services, stop = world.services(), threading.Event()
    monkeypatch.setattr(stop, "wait", lambda seconds: stop.set())
    with services.library.writer_lock():
        watching.add_folders(services, [world.photos.parent], stop)
        assert [root.path for root in services.library.catalog.root_paths()] == [world.photos]


@pytest.mark.parametrize("args", [["watch"], ["watch", "--print"]])
def test_without_any_folder_it_says_how_to_name_one(started, args):
    process = started(*args)
    _, err = process.communicate(timeout=LONG_S)
    assert process.returncode == 2
    assert "FOLDER" in err or "--install-service" in err


def test_beside_the_server_searches_see_new_photos_and_it_ends_with_it(world):
    world.settings = Settings(library=world.settings.library, settle_ms=50)
    world.index()
    services, threads = world.services(), NewThreads("watch")
    with watching.alongside(services, wanted=True):
        assert threads()
        world.write("green.png", "green")
        query = Query(text="green")
        wait_until(lambda: names(services.search.search(query).hits)[0] == "green.png", "the search sees it")
        activity = read_activity(services.library.folder)
        assert (activity.command, activity.pid) == ("serve", os.getpid())
    assert threads() == []
    assert read_activity(services.library.folder) is None


@pytest.mark.parametrize("error", [KeyError("a defect"), ModelError("it is gone."), OSError(5, "Input/output error")])
def test_beside_the_server_folders_are_followed_again_after_any_error(world, monkeypatch, caplog, error):
    begun = []

    def follow(services, stop, **_):
        begun.append(1)
        if len(begun) < 3:
            raise error
        stop.wait()

    monkeypatch.setattr(watching, "follow", follow)
    monkeypatch.setattr(watching, "AGAIN_S", 0.01)
    with watching.alongside(world.services(), wanted=True):
        wait_until(lambda: len(begun) == 3, "the third start")
    assert caplog.text.count("the folders are not followed for") == 2


def test_a_newer_library_is_not_followed_again(world, monkeypatch, caplog):
    def follow(*_, **__):
        raise NewerLibraryError("a newer picsift wrote it.")

    monkeypatch.setattr(watching, "follow", follow)
    watching._follow_quietly(world.services(), threading.Event())
    assert "not followed any more" in caplog.text


def test_it_is_not_started_where_it_is_not_wanted(world):
    threads = NewThreads("watch")
    with watching.alongside(world.services(), wanted=False):
        assert threads() == []


def test_the_status_carries_what_is_being_done(world):
    world.index()
    services = world.services()
    assert read_status(services).activity is None
    log = ActivityLog(services.library.folder, "index")
    log.progress(Progress("embed", 20, 100, 0, 10.0))
    assert read_status(services).activity.remaining_s == 40.0
    log.close()


@pytest.mark.parametrize(
    ("activity", "told"),
    [
        ({"state": "idle"}, "in step"),
        ({"state": "idle", "queue": 3}, "in step, 3 changes settling"),
        ({"state": "waiting", "detail": "the disk is full"}, "the disk is full"),
        ({"state": "indexing", "done": 5, "total": 1200, "failed": 1}, "indexing 5 of 1,200 photos, 1 failed"),
        (
            {"state": "indexing", "done": 50, "total": 1200, "photos_per_s": 12.34, "remaining_s": 3700},
            "indexing 50 of 1,200 photos, 12.3 photos/s, 1 h 01 min left",
        ),
    ],
)
def test_an_activity_as_a_sentence(activity, told):
    assert sentence(Activity(1, "2", "watch", **activity)) == told


def test_nobody_working_is_told_too():
    assert lines(None) == [NOTHING]
    assert document(None) == {"state": "none"}


def test_the_errors_follow_the_latest_first():
    activity = Activity(1, "2", "watch", "idle", errors=(("/a\n.jpg", "one"), ("/b.jpg", "two")))
    assert lines(activity) == ["watch: in step", "failed /b.jpg: two", "failed /a\\n.jpg: one"]


def test_a_batch_as_a_line():
    assert watching.line(SyncReport(added=1200, failed=2, seconds=1.26)) == "1,200 added, 2 failed; 1.3 s"
    assert watching.line(SyncReport()) == "everything is in step; 0.0 s"
