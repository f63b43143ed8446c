"""What a command makes of whoever answers at the address of a note: only the server that wrote it is believed."""

import json
import os
import socket
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from app.running import asking
from app.running.asking import Reply, ask, may_be_asked
from app.running.note import leave
from app.running.proof import ANSWERED, ASKED, HELLO, nonce, opened, sealed
from app.running.sources import digests
from tests.app.running.test_note import a_note

TOKEN = "ab" * 32
SAID = {"out": "found\n", "err": "", "status": 0}


@pytest.fixture
def library(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.upper().startswith("PICSIFT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PICSIFT_CONFIG", str(tmp_path / "config.toml"))
    folder = tmp_path / "library"
    folder.mkdir()
    monkeypatch.setenv("PICSIFT_LIBRARY", str(folder))
    monkeypatch.setattr(asking, "PROVED_WITHIN_S", 60)  # this machine may be busy
    monkeypatch.setattr(asking, "ANSWERED_WITHIN_S", 60)
    return folder


def http(body, status="200 OK", length=None):
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body) if length is None else length}\r\n\r\n".encode() + body


def heard_on(connection):
    received = connection.recv(65536)
    if not received:
        raise ConnectionError
    return received


def body_of(connection):
    received = b""
    while b"\r\n\r\n" not in received:
        received += heard_on(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += heard_on(connection)
    return body


class Server:
    """Speaks as a server does, but for what a test has changed; keeps what was said to it."""

    def __init__(self, token=TOKEN, greet=http, answer=http, said=SAID):
        self.token, self.greet, self.answer, self.said = token, greet, answer, said
        self.heard, self.asked = [], []

    def converse(self, connection):
        with connection:
            hello = body_of(connection)
            self.heard.append(hello)
            theirs, own = hello.decode().removeprefix(f"{HELLO} "), nonce()
            greeting = self.greet(sealed(self.token, HELLO, theirs, own.encode()))
            connection.sendall(greeting)
            if not greeting:
                return  # else each would wait for the other, as long as may be
            message = body_of(connection)
            self.heard.append(message)
            numbers, _, rest = message.partition(b"\n")
            assert numbers.decode() == f"{theirs} {own}"
            self.asked.append(json.loads(opened(self.token, ASKED, numbers.decode(), rest)))
            said = json.dumps(self.said).encode()
            connection.sendall(self.answer(sealed(self.token, ANSWERED, numbers.decode(), said)))

    @contextmanager
    def running(self, library):
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
            leave(a_note(library, token=TOKEN, port=port, sources=digests(TOKEN)), library)
            thread = threading.Thread(target=self._serve, args=(listening,), daemon=True)
            thread.start()
            yield self
            listening.shutdown(socket.SHUT_RDWR)  # which ends the wait for the next one
            thread.join(30)

    def _serve(self, listening):
        while True:
            try:
                connection = listening.accept()[0]
            except OSError:
                return
            with suppress(OSError):
                self.converse(connection)


def test_a_server_that_proves_itself_is_believed(library):
    with Server().running(library) as server:
        assert ask("search", ["two dogs"]) == Reply("found\n", "", 0)
        assert ask("similar", ["a.png"]) == Reply("found\n", "", 0)
    assert [asked["arguments"] for asked in server.asked] == [["two dogs"], ["a.png"]]
    assert [asked["command"] for asked in server.asked] == ["search", "similar"]
    assert [asked.get("seen_from") for asked in server.asked] == [None, str(Path.cwd())]
    assert server.asked[0]["library"] is None
    assert TOKEN.encode() not in b"".join(server.heard)


def test_one_that_does_not_know_the_token_hears_no_question(library):
    with Server(token="cd" * 32).running(library) as server:
        assert ask("search", ["two dogs"]) is None
    assert len(server.heard) == 1
    assert b"dogs" not in server.heard[0]


@pytest.mark.parametrize(
    "changed",
    [
        {"greet": lambda body: http(body, "500 Internal Server Error")},
        {"greet": lambda body: http(body, "404 Not Found")},
        {"greet": lambda body: b"SSH-2.0-OpenSSH\r\n\r\n"},
        {"greet": lambda body: b""},
        {"answer": lambda body: http(body, "503 Service Unavailable")},
        {"answer": lambda body: http(body[:-5], length=len(body))},
        {"answer": lambda body: http(body, length=len(body) - 5)},
        {"answer": lambda body: http(body, length=-1)},
        {"answer": lambda body: http(body, length=10**12)},
        {"answer": lambda body: http(body.replace(b"found", b"other"))},
        {"answer": lambda body: b"HTTP/1.1 200 OK\r\n\r\n" + body},
        {"answer": lambda body: b""},
        {"said": None},
        {"said": {"out": 1, "err": "", "status": 0}},
        {"said": {"out": "", "status": 0}},
        {"said": []},
    ],
)
def test_whatever_else_is_said_is_no_answer(library, changed):
    with Server(**changed).running(library):
        assert ask("search", ["dogs"]) is None


@pytest.mark.parametrize("late", ["greet", "answer"])
def test_one_that_is_silent_is_not_waited_for(library, monkeypatch, late):
    monkeypatch.setattr(asking, "PROVED_WITHIN_S", 0.2 if late == "greet" else 30)
    monkeypatch.setattr(asking, "ANSWERED_WITHIN_S", 0.2)
    goes_on = threading.Event()

    def silent(body):
        goes_on.wait(60)
        return http(body)

    with Server(**{late: silent}).running(library):
        assert ask("search", ["dogs"]) is None
        goes_on.set()


def test_one_that_trickles_is_not_waited_for_either(library, monkeypatch):
    monkeypatch.setattr(asking, "PROVED_WITHIN_S", 0.3)
    steps = []

    class Trickling(Server):
        def converse(self, connection):
            with connection:
                body_of(connection)
                while True:
                    connection.sendall(b"x")
                    steps.append(1)
                    time.sleep(0.02)

    with Trickling().running(library):
        assert ask("search", ["dogs"]) is None
    assert steps


def test_nobody_there_and_no_note_are_no_answer(library):
    assert ask("search", ["dogs"]) is None
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    leave(a_note(library, token=TOKEN, port=port, sources=digests(TOKEN)), library)
    assert ask("search", ["dogs"]) is None
    assert ask("search", ["dogs", "--library", str(library / "none")]) is None


def test_in_a_folder_that_is_gone_words_are_asked_for_and_names_of_files_are_not(library, monkeypatch, tmp_path):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with Server().running(library):
        assert ask("search", ["dogs"]) == Reply("found\n", "", 0)
        assert ask("similar", ["a.png"]) is None


def test_of_two_servers_the_one_that_still_runs_is_asked(library):
    with Server().running(library):
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
        dead = leave(a_note(library, token=TOKEN, port=port, sources=digests(TOKEN)), library)
        os.utime(dead, (2**33, 2**33))
        assert ask("search", ["dogs"]) == Reply("found\n", "", 0)


def test_another_environment_is_not_answered_for(library, monkeypatch):
    with Server().running(library) as server:
        monkeypatch.setenv("PICSIFT_MIN_RELEVANCE", "0.1")
        assert ask("search", ["dogs"]) is None
        monkeypatch.delenv("PICSIFT_MIN_RELEVANCE")
        monkeypatch.setenv("PICSIFT_ASK_SERVER", "no")
        assert ask("search", ["dogs"]) is None
        assert server.heard == []


@pytest.mark.parametrize("how", [["--library", "{}"], ["--library={}"], ["--library", "/none", "--library", "{}"]])
def test_the_library_may_be_an_option(library, monkeypatch, how):
    monkeypatch.setenv("PICSIFT_LIBRARY", "/none")
    with Server().running(library):
        assert ask("search", ["dogs", *(word.format(library) for word in how)]) == Reply("found\n", "", 0)
        assert ask("search", ["dogs", "--", *(word.format(library) for word in how)]) is None
    assert ask("search", ["dogs", "--library"]) is None


@pytest.mark.parametrize(
    "arguments",
    [
        ["--image", "a.png"],
        ["--image=a.png"],
        ["dog", "image:a.png"],
        ['IMAGE:"a b.png"'],
        ["dog", "-2:image:/a.png"],
        ["dog", "--right", "a.png"],
        ["dog", "--wrong=a.png"],
        ["a.png", "--region", "0,0,1,1"],
        ["a.png", "--region=0,0,1,1"],
        ["dog", "-v"],
        ["dog", "--verbose"],
        ["dog", "--no-server"],
        ["--help"],
        ["-h"],
    ],
)
def test_what_names_a_file_or_is_for_the_command_is_not_asked(arguments):
    assert not may_be_asked(arguments)
    assert may_be_asked(["a dog", "--limit", "3", "after:2021"])
