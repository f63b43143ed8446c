"""`picsift search`, and `similar`, beside a running server: the same to the byte, without the imports; else alone."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from app import launch
from app.bootstrap import build_services
from app.cli.answering import Answering
from app.running import asking
from app.running.note import identity_of
from app.running.notice import Notice, Origins
from app.search.search_service import SearchService
from app.settings import Settings, load_settings
from app.web.door.desk import Desk
from app.web.server import serve
from indexer.embedder import Embedder
from indexer.vectors.index import VectorIndex
from indexer.vectors.rows import VectorRows
from tests import forked_code
from tests.app.cli.test_start import ROOT, imported
from tests.app.serving import announced, running
from tests.indexer.processes import wait_until
from tests.indexer.worlds import World

MATRIX = [
    ["a dog"],
    ["a", "dog", "--json"],
    ["a dog", "-n", "2", "--offset", "1", "--json"],
    ["--limit=3", "--all-copies", "--diverse", "a dog"],
    ["dogs + 'red ball' - people", "--json"],
    ["2:dog NOT cat", "--min-relevance", "0.2"],
    ["--sort", "date", "a dog"],
    ["type:png"],
    ["type:png", "--json", "--year", "2001..2031"],
    ["--not", "name:a*", "--json"],
    ["--", "-folder:trip"],
    ["folder:tripp"],
    ["camera:nothing", "--json"],
    ["text:b.png"],
    ["b"],
    ["caf\u00e9 \u6771\u4eac", "--json"],
    ["\udcff\udcfe", "--json"],
    ["kamera:canon"],
    ["dog after:2021-13-40"],
    ["\u6771\u4eac \udcff after:soon", "red"],
    ["dog folder:a", "--folder", "b"],
    ["wine OR"],
    [""],
    ["x" * 10_001],
    ["dog", "--rating", "many"],
    ["a dog", "--offset", "100"],
]
SIMILAR = [  # in the folder of the photos
    ["a.png"],
    ["{photos}/a.png", "--json"],
    ["./a.png", "trip/../b.png", "--json", "-n", "2", "--offset", "1"],
    ["link.png", "--json"],
    ["gone.png", "--json"],
    ["--sort", "date", "--all-copies", "--", "a.png"],
    ["a.png", "--diverse"],
    ["a.png", "--folder", "trip", "--min-relevance", "0.2"],
    ["a.png", "--folder", "tripp"],
    ["a.png", "--after", "soon", "--json"],
    ["a.png", "--not", "kamera:canon"],
]
SIMILAR_OF_THE_COMMAND = [
    ["nowhere.png"],
    ["a.png", "nowhere.png"],
    ["{photos}/../elsewhere.png", "--json"],
    ["a.png", "--diverse", "--sort", "date"],
    ["a.png", "--limit", "0"],
    ["a.png", "--rating", "many", "--nope"],
    ["a.png", "--image-weight", "0.5"],
    [],
    ["a.png", "--right", "b.png"],
    ["a.png", "--wrong", "nowhere.png"],
    ["a.png", "--region", "0,0,50%,50%"],
    ["a.png", "b.png", "--region", "0,0,50%,50%"],
    ["a.png", "--no-server"],
]
OF_THE_COMMAND = [  # which no server answers
    ["--limit", "0", "dog"],
    ["--nope"],
    ["--year", "2001", "dog", "--year", "2002"],
    ["dog", "--sort", "name"],
    ["dog", "--right", "{photos}/a.png"],
    ["dog", "image:{photos}/a.png"],
    ["--image", "{photos}/a.png"],
    ["image:nowhere.png"],
    ["dog", "--no-server"],
]


@pytest.fixture
def world(tmp_path, tiny_model_path, monkeypatch):
    for name in [name for name in os.environ if name.upper().startswith("PICSIFT_")]:
        monkeypatch.delenv(name)
    (tmp_path / "config.toml").write_text("min_relevance = 0\n")
    monkeypatch.setenv("PICSIFT_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("PICSIFT_LIBRARY", str(tmp_path / "library"))
    world = World(tmp_path, tiny_model_path)
    for seed, name in enumerate(["a.png", "b.png", "trip/c.png", "trip/d.jpg"], 1):
        world.write(name, seed)
    world.write("trip/copy of a.png", (world.photos / "a.png").read_bytes())
    world.sync()
    world.library.catalog.close()
    return world


@contextmanager
def serving(monkeypatch, tmp_path, **options):
    """A server of the library that the settings name, in a thread; yields what it was asked and said.

    Without the page, which takes most of the time that a server needs to begin, and no command asks for.
    """
    monkeypatch.setattr("app.web.server.build_ui", lambda services: None)
    monkeypatch.setattr("app.web.server.offered", lambda page: frozenset())
    monkeypatch.setattr("app.web.server.mount", lambda api, page: api)
    origins = Origins.now()
    services = build_services(load_settings())
    notice, talk, answering = Notice(services.library.folder, Settings.model_fields, origins), [], Answering(services)

    def answer(asked):
        talk.append((asked, answering(asked)))
        return talk[-1][1]

    desk = partial(Desk, answer=answer, token=notice.token)
    with running(services, monkeypatch, tmp_path, desk=desk, **options) as address:
        notice.put_up(("127.0.0.1", int(address.rpartition(":")[2])), "127.0.0.1")
        try:
            yield talk
        finally:
            notice.take_down()
            services.close()


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a command from its start, in this process: exit status and both streams, without the time it took."""
    monkeypatch.setattr(asking, "PROVED_WITHIN_S", 60)  # this machine may be busy
    monkeypatch.setattr(asking, "ANSWERED_WITHIN_S", 60)
    for once in ("_look_for_less_garbage", "_end_when_interrupted"):
        monkeypatch.setattr(launch, once, lambda: None)  # this process lives longer

    def run(*arguments):
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["picsift", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            launch.main()
        out, err = capsys.readouterr()
        return ended.value.code or 0, re.sub(r'"took_ms": [\d.]+', "", out), err

    return run


@pytest.fixture
def search(run):
    """Run `picsift search` likewise."""
    return partial(run, "search")


@pytest.fixture
def similar(world, run, monkeypatch):
    """Run `picsift similar` likewise, in the folder of the photos, beside which another picture lies."""
    world.write("../elsewhere.png", 7)
    world.write("gone.png", 8)
    (world.photos / "link.png").symlink_to(world.photos / "b.png")
    world.sync()
    (world.photos / "gone.png").unlink()
    world.library.catalog.close()
    monkeypatch.chdir(world.photos)
    return lambda *arguments: run("similar", *(word.format(photos=world.photos) for word in arguments))


@pytest.mark.skipif(os.name != "posix", reason="a save could not remove the file")
def test_a_command_copies_no_vectors_into_its_memory(world, search, similar, monkeypatch):
    alone = [search("a dog"), similar("a.png")]
    monkeypatch.setattr(VectorRows, "allocate", lambda *_: pytest.fail("memory for a copy"))
    assert [search("a dog"), similar("a.png")] == alone
    assert [status for status, _, _ in alone] == [0, 0]


def test_model_and_index_are_read_while_the_rest_is_imported_where_they_are_asked_for(
    world, search, similar, monkeypatch
):
    """All of the file is read, of the one and of the other; here the rest is imported already, and waits for them."""
    models, indexes, waited_for = [], [], []
    make, read, ask = Embedder.__init__, VectorIndex.open, SearchService.__init__

    def noted(self, *given, **named):
        models.append(threading.current_thread().name)
        make(self, *given, **named)

    def noted_too(*given, **named):
        indexes.append(threading.current_thread().name)
        return read(*given, **named)

    def begun(self, *given, **named):
        ask(self, *given, **named)
        wait_until(lambda: (len(models), len(indexes)) == waited_for[-1])

    monkeypatch.setattr(Embedder, "__init__", noted)
    monkeypatch.setattr(VectorIndex, "open", noted_too)
    monkeypatch.setattr(SearchService, "__init__", begun)
    for run, words, expected in (
        (search, ["a dog"], (1, 1)),
        (search, ["a", "dog", "--json"], (2, 2)),
        (similar, ["a.png"], (2, 3)),
        (search, ["type:png"], (2, 3)),
    ):
        waited_for.append(expected)
        assert run(*words)[0] == 0
        assert (len(models), len(indexes)) == expected
    assert set(models) == {"model"} and set(indexes) == {"index-file"}


def test_photos_like_some_of_the_library_are_the_same_to_the_byte(world, monkeypatch, tmp_path, similar):
    alone = [similar(*arguments) for arguments in SIMILAR]
    with serving(monkeypatch, tmp_path) as talk:
        beside = [similar(*arguments) for arguments in SIMILAR]
    assert beside == alone
    assert [said is not None for _, said in talk] == [True] * len(SIMILAR)
    assert {status for status, _, _ in alone} == {0, 1}


def test_pictures_that_have_to_be_read_are_left_to_the_command(world, monkeypatch, tmp_path, similar):
    alone = [similar(*arguments) for arguments in SIMILAR_OF_THE_COMMAND]
    with serving(monkeypatch, tmp_path) as talk:
        assert [similar(*arguments) for arguments in SIMILAR_OF_THE_COMMAND] == alone
    assert [said for _, said in talk] == [None] * 7
    assert {status for status, _, _ in alone} == {0, 1, 2}


@pytest.mark.relevance
def test_relevance_of_alike_photos_is_the_same_too(world, monkeypatch, tmp_path, similar):
    monkeypatch.setattr("app.bootstrap._plain_names", lambda: ("dog", "cat", "tree", "house"))
    alone = similar("a.png", "--json")
    with serving(monkeypatch, tmp_path) as talk:
        assert similar("a.png", "--json") == alone
        assert talk[0][1] is not None
    assert json.loads(alone[1].replace(",\n  ,", ","))["hits"][0]["relevance"] is not None


@pytest.mark.parametrize("what", ["goes", "becomes another"])
def test_a_photo_that_becomes_another_while_a_server_answers_is_left_to_the_command(
    world, monkeypatch, tmp_path, similar, what
):
    alone, found = similar("a.png"), SearchService.similar

    def changing(self, sources, query):
        if isinstance(sources[0], int):
            monkeypatch.setattr(SearchService, "similar", found)
            if what == "goes":
                return found(self, [999], query)
            monkeypatch.setattr(SearchService, "stored_at", lambda *_: sources[0] + 1)
        return found(self, sources, query)

    with serving(monkeypatch, tmp_path) as talk:
        monkeypatch.setattr(SearchService, "similar", changing)
        assert similar("a.png") == alone
    assert [said for _, said in talk] == [None]


def test_what_a_server_answers_is_the_same_to_the_byte(world, monkeypatch, tmp_path, search):
    alone = [search(*arguments) for arguments in MATRIX]
    with serving(monkeypatch, tmp_path) as talk:
        beside = [search(*arguments) for arguments in MATRIX]
    assert beside == alone
    assert [said is not None for _, said in talk] == [True] * len(MATRIX)
    assert {status for status, _, _ in alone} == {0, 1}


@pytest.mark.relevance
def test_relevance_is_the_same_too(world, monkeypatch, tmp_path, search):
    monkeypatch.setattr("app.bootstrap._plain_names", lambda: ("dog", "cat", "tree", "house"))
    alone = [search("a dog", "--json"), search("tree - dog", "--json", "--min-relevance", "0.3")]
    with serving(monkeypatch, tmp_path) as talk:
        assert [search("a dog", "--json"), search("tree - dog", "--json", "--min-relevance", "0.3")] == alone
        assert len(talk) == 2
    assert json.loads(alone[0][1].replace(",\n  ,", ","))["hits"][0]["relevance"] is not None


def test_what_is_for_the_command_is_left_to_it(world, monkeypatch, tmp_path, search):
    matrix = [[word.format(photos=world.photos) for word in arguments] for arguments in OF_THE_COMMAND]
    alone = [search(*arguments) for arguments in matrix]
    with serving(monkeypatch, tmp_path) as talk:
        assert [search(*arguments) for arguments in matrix] == alone
    assert [said for _, said in talk] == [None] * 4
    assert not any(str(world.photos) in str(asked) for asked, _ in talk)


@pytest.mark.parametrize(
    "arguments", [["image:{}/a.png"], ["--image", "{}/a.png"], ["dog", "--wrong", "{}/a.png"], ["NOT image:{}/a.png"]]
)
def test_a_server_that_is_asked_for_a_file_all_the_same_opens_none(world, monkeypatch, arguments):
    services = build_services(load_settings())
    monkeypatch.setattr(services.decoder, "square", lambda *_: pytest.fail("a file was opened"))
    terminal = {"tty": False, "encoding": "utf-8", "environment": {}}
    folder = [os.path.realpath(world.library_folder), identity_of(world.library_folder)]
    asked = {"arguments": [word.format(world.photos) for word in arguments], "library": None, "terminal": terminal}
    asked |= {"folder": folder, "command": "search"}
    assert Answering(services)(asked) is None
    assert Answering(services)({**asked, "arguments": ["dog"]})["status"] == 0
    assert Answering(services)({**asked, "arguments": ["dog"], "library": "/another"}) is None
    assert Answering(services)({**asked, "arguments": ["dog"], "command": "status"}) is None
    of_another = {**asked, "arguments": [str(Path(__file__))], "command": "similar", "seen_from": "/"}
    assert Answering(services)(of_another) is None
    assert Answering(services)({**asked, "arguments": ["dog"], "terminal": 3}) is None
    assert Answering(services)({**asked, "arguments": ["dog"], "folder": [folder[0], [0, 0]]}) is None
    services.close()


def test_a_password_and_a_root_path_are_no_hindrance(world, monkeypatch, tmp_path, search):
    alone = search("a dog")
    monkeypatch.setenv("PICSIFT_ROOT_PATH", "/photos")
    with serving(monkeypatch, tmp_path, password="secret", hosts=None) as talk:
        monkeypatch.delenv("PICSIFT_ROOT_PATH")
        assert search("a dog") == alone
    assert len(talk) == 1


def test_of_two_servers_either_answers(world, monkeypatch, tmp_path, search):
    alone = search("a dog")
    with serving(monkeypatch, tmp_path) as first:
        with serving(monkeypatch, tmp_path) as second:
            assert search("a dog") == alone
            assert (len(first), len(second)) == (0, 1)
        assert search("a dog") == alone
        assert (len(first), len(second)) == (1, 1)
    assert search("a dog") == alone


def test_a_server_follows_the_library_and_another_library_has_none(world, monkeypatch, tmp_path, search):
    with serving(monkeypatch, tmp_path) as talk:
        search("a dog")
        world.write("new.png", 9)
        world.sync()
        assert search("name:new")[1].endswith("new.png\n")
        assert len(talk) == 2
        assert search("a dog", "--library", tmp_path / "none")[0] == 1
        assert len(talk) == 2


def test_what_goes_wrong_in_a_server_is_no_answer(world, monkeypatch, tmp_path, search):
    alone = search("a dog")
    with serving(monkeypatch, tmp_path) as talk:
        monkeypatch.setattr("app.cli.answering.asked_for", lambda *_: 1 / 0)
        assert search("a dog") == alone
        assert talk[0][1] is None


def test_a_search_beside_a_server_imports_next_to_nothing(world, monkeypatch, tmp_path):
    unwanted = [
        "torch",
        "faiss",
        "sqlalchemy",
        "pydantic",
        "numpy",
        "typer",
        "rich",
        "PIL",
        "http.client",
        "app.settings",
    ]
    with serving(monkeypatch, tmp_path) as talk:
        while not talk:  # a busy machine may take longer than a command waits
            found, lines = imported("search", "a", "dog", unwanted=unwanted)
        assert len(talk) == 1
    assert (found, len(lines)) == ([], 5)


def new_python(*arguments, **surroundings):
    """A command in an interpreter of its own, as people start it."""
    command = [sys.executable, "-m", "app.launch", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **surroundings)


@pytest.mark.parametrize(
    ("start", "end"),
    [(new_python, signal.SIGTERM), (forked_code.picsift, signal.SIGINT), (forked_code.picsift, signal.SIGKILL)],
)
def test_a_server_takes_its_note_away_and_one_that_was_killed_misleads_nobody(world, start, end):
    def searched(words, start=forked_code.picsift):
        process = start("search", words, cwd=ROOT)
        said = process.communicate(timeout=60)
        assert process.returncode == 0, said
        return said

    alone = searched("a dog")
    process = start("serve", "--port", "0", cwd=ROOT)
    try:
        announced(process)
        wait_until(lambda: list(world.library_folder.glob("server-*.json")))
        (note,) = world.library_folder.glob("server-*.json")
        assert note.stat().st_mode & 0o777 == 0o600
        beside = searched("a dog", start)
        process.send_signal(end)
        process.wait(60)
    finally:
        process.kill()
        process.communicate()
    assert note.exists() == (end == signal.SIGKILL)
    after = searched("a dog")
    assert alone == beside == after


def test_a_folder_that_takes_no_note_keeps_no_server_from_answering(world, monkeypatch):
    monkeypatch.setattr("app.running.notice.leave", lambda *_: (_ for _ in ()).throw(PermissionError(13, "no")))
    services = build_services(load_settings())
    heard = []

    def announce(address):
        heard.append(address)
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background a shell has it ignored
    try:
        with pytest.raises(KeyboardInterrupt):
            serve(services, port=0, announce=announce, commands=Answering(services), origins=Origins.now())
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard
    assert not list(world.library_folder.glob("server-*"))
    services.close()


def test_a_note_is_not_put_up_after_the_end(world):
    notice = Notice(world.library_folder, Settings.model_fields, Origins.now())
    notice.put_up(("0.0.0.0", 80), "0.0.0.0")
    (path,) = world.library_folder.glob("server-*")
    assert json.loads(path.read_text())["host"] == "127.0.0.1:80"
    notice.take_down()
    notice.put_up(("127.0.0.1", 80), "127.0.0.1")
    assert not list(world.library_folder.glob("server-*"))
