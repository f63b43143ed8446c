"""How a command ends: at once, and never as if all had been printed that was not."""

import _thread
import errno
import io
import os
import signal
import sqlite3
import sys
import threading
import weakref
from contextlib import closing
from functools import partial

import pytest

from app import launch
from app.cli.commands import app as commands
from app.cli.terminal.exits import cleanup_on_sigterm
from app.cli.terminal.interrupts import interrupt, usual_interrupts
from indexer.catalog.files.file_connection import GATHER, FileConnection

USUALLY = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
SIGNALS = tuple(USUALLY)


class Stream:
    def __init__(self, error=None):
        self.error, self.flushed = error, 0

    def flush(self):
        self.flushed += 1
        if self.error is not None:
            raise self.error


FULL, UNREAD = OSError(errno.ENOSPC, "No space left on device"), BrokenPipeError(errno.EPIPE, "Broken pipe")


@pytest.fixture
def ended(monkeypatch):
    """The statuses that a process would have ended with."""
    statuses = []
    monkeypatch.setattr(os, "_exit", statuses.append)
    return lambda *args, **kwargs: (statuses.clear(), launch._end(*args, **kwargs), statuses[:1])[-1]


@pytest.fixture
def printed(monkeypatch):
    """Has standard output fail as a test says."""

    def fails(error):
        out, err = Stream(error), Stream()
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        return out, err

    return fails


@pytest.fixture(params=[False, True])
def busy(request, monkeypatch):
    """Whether a thread still imports or loads."""
    threads = [threading.Thread(daemon=True)] if request.param else []
    monkeypatch.setattr(threading, "enumerate", lambda: threads)
    return request.param


@pytest.mark.parametrize("status", [0, 2])
def test_a_search_ends_at_once_with_its_status(ended, printed, busy, status):
    out, err = printed(None)
    assert ended([status], nothing_is_open=True) == [status]
    assert out.flushed == err.flushed == 1
    assert ended([status], nothing_is_open=False) == ([status] if busy else [])


def test_what_could_not_be_written_is_no_success(ended, printed, busy):
    _, err = printed(FULL)
    assert ended([0], nothing_is_open=True) == ([120] if busy else [])  # else Python says so, with the same status
    assert ended([3], nothing_is_open=True) == ([3] if busy else [])
    assert err.flushed == 2  # whatever became of the other


def test_a_reader_that_left_is_no_failure(ended, printed, busy):
    printed(UNREAD)
    assert ended([0], nothing_is_open=True) == ([0] if busy else [])


@pytest.fixture(autouse=True)
def handlers():
    """Python's own to begin with, where a shell may have had them passed over, and afterwards those there were."""
    before = {number: signal.signal(number, handler) for number, handler in USUALLY.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_search_ends_though_an_interrupt_comes_where_errors_are_passed_over(monkeypatch, capfd, number):
    """As while something is imported, which calls weak references back: a search went on, or waited for ever."""
    statuses = []
    monkeypatch.setattr(os, "_exit", statuses.append)
    monkeypatch.setattr(sys, "stderr", sys.__stderr__)
    launch._end_when_interrupted()
    with cleanup_on_sigterm():  # as each command does
        gone = Stream()
        kept = weakref.ref(gone, lambda _: signal.raise_signal(number))
        del gone
    assert kept() is None
    assert statuses == [130]
    assert capfd.readouterr().err == "picsift: interrupted.\n"


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("file", ["<frozen importlib._bootstrap>", weakref.__file__])
def test_another_command_is_interrupted_though_the_signal_comes_where_errors_are_passed_over(number, file):
    """It went on as if nothing had come: `picsift index` to its end, and a server for as long as it was let."""
    called_back = {"send": lambda: signal.raise_signal(number)}
    name = "cb" if file.startswith("<") else "remove"
    exec(compile(f"def {name}(_): send()", file, "exec"), called_back)
    launch._hear_every_interrupt()
    with cleanup_on_sigterm(), pytest.raises(KeyboardInterrupt):
        gone = Stream()
        kept = weakref.ref(gone, called_back[name])
        del gone
        assert kept() is None
        threading.Event().wait(60)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_command_is_interrupted_though_the_signal_comes_where_sqlite_calls_it(number):
    """As while photos are read: SQLite made of it that a function had raised, and so did the traceback."""
    launch._hear_every_interrupt()
    with cleanup_on_sigterm(), closing(sqlite3.connect(":memory:", factory=FileConnection)) as connection:
        connection.create_function("signalled", 0, partial(_thread.interrupt_main, number))
        with pytest.raises(KeyboardInterrupt):
            assert connection.gathered(f"SELECT count({GATHER}(signalled(), 1))", ()) == [(None, 1)]
            threading.Event().wait(60)


def test_asyncio_takes_over_the_interrupts_of_a_server():
    """It does so where Python's own handler is in place alone; another one would tear its loop apart."""
    launch._hear_every_interrupt()
    heard = signal.getsignal(signal.SIGINT)
    with usual_interrupts():
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGINT) is heard is interrupt


@pytest.mark.parametrize("begin", [launch._end_when_interrupted, launch._hear_every_interrupt])
def test_signals_that_are_to_be_passed_over_are(begin):
    """As those of a command that a shell has sent to the background."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    begin()
    assert [signal.getsignal(number) for number in SIGNALS] == [signal.SIG_IGN] * 2


def test_a_stream_that_was_closed_takes_what_is_printed(monkeypatch):
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    launch._have_streams()
    with sys.stdin, sys.stdout, sys.stderr:
        print("nobody reads it")
        assert sys.stdin.read() == ""
        assert not sys.stdout.isatty()
        assert sys.stderr.fileno() > 2


def test_a_version_on_a_full_disk_is_one_sentence(monkeypatch, capsys):
    out = io.StringIO()
    out.flush = Stream(FULL).flush
    monkeypatch.setattr(sys, "stdout", out)
    with pytest.raises(SystemExit) as ended:
        commands(["--version"])
    assert ended.value.code == 1
    assert capsys.readouterr().err == "picsift: No space left on device.\n"
