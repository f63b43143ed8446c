"""What a command raises becomes a sentence and an exit status."""

import errno
import io
import os
import signal
import sys
import threading

import pytest

from app.cli.terminal.exits import cleanup_on_sigterm, reported, stop_on_signal, usage
from app.search.language.parsing import parse
from indexer.errors import LibraryError, QueryError


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        (QueryError("the query is empty."), 1, "picsift: the query is empty.\n"),
        (LibraryError("no library."), 1, "picsift: no library.\n"),
        (OSError(errno.ENOSPC, "No space left on device", "/lib/x"), 1, "picsift: /lib/x: No space left on device.\n"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "picsift: No space left on device.\n"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), 1, "picsift: /x: Permission denied.\n"),
        (OSError("odd"), 1, "picsift: odd.\n"),
        (KeyboardInterrupt(), 130, "picsift: interrupted.\n"),
    ],
)
def test_what_is_raised_becomes_a_sentence_and_a_status(raised, status, said, capsys):
    @reported
    def command():
        raise raised

    with pytest.raises(SystemExit) as ended:
        command()
    assert ended.value.code == status
    assert capsys.readouterr() == ("", said)


def test_an_error_about_a_part_of_a_query_shows_the_part(capsys):
    with pytest.raises(SystemExit) as ended:
        reported(parse)("dog after:soon red")
    said, shown, carets = capsys.readouterr().err.splitlines()
    assert (ended.value.code, said.startswith("picsift: after: wants")) == (1, True)
    assert (shown, carets) == ("  dog after:soon red", "            ^^^^")


def test_a_command_that_works_returns():
    done = []
    reported(done.append)(1)
    assert done == [1]


def test_an_error_in_picsift_itself_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        reported(lambda: 1 / 0)()


def test_wrong_usage_is_two(capsys):
    with pytest.raises(SystemExit) as ended:
        usage("name a folder")
    assert ended.value.code == 2
    assert capsys.readouterr().err == "picsift: name a folder\n"


def test_a_command_keeps_its_name_and_help():
    @reported
    def command(option: int = 3) -> None:
        """Help."""

    assert (command.__name__, command.__doc__) == ("command", "Help.")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_to_stop_and_the_second_interrupts(number):
    before = signal.getsignal(number)
    with stop_on_signal() as stop:
        os.kill(os.getpid(), number)
        assert stop.wait(5)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before


def test_outside_the_main_thread_signals_stay_as_they_are():
    seen = []

    def work():
        with stop_on_signal() as stop, cleanup_on_sigterm():
            seen.append(stop.is_set())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_sigterm_and_the_end_of_the_terminal_unwind_the_stack(number):
    cleaned = []
    before = signal.getsignal(number)

    def work():
        try:
            with cleanup_on_sigterm():
                os.kill(os.getpid(), number)
                signal.pause()
        finally:
            cleaned.append(True)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert cleaned == [True]
    assert signal.getsignal(number) == before


def test_a_terminal_that_is_gone_takes_no_message_and_leaves_the_status(monkeypatch):
    """It was 1: what could not be said was an error of its own."""

    class Gone(io.StringIO):
        def write(self, text):
            raise OSError(errno.EIO, "Input/output error")

    @reported
    def command():
        monkeypatch.setattr(sys, "stderr", Gone())
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as ended:
        command()
    assert ended.value.code == 130


def test_under_nohup_the_end_of_the_terminal_ends_nothing():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with cleanup_on_sigterm():
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_end_of_the_terminal_asks_to_stop_where_sigterm_does():
    with cleanup_on_sigterm(), stop_on_signal(quiet=True) as stop:
        os.kill(os.getpid(), signal.SIGHUP)
        assert stop.wait(60)


def test_any_command_is_unwound_by_sigterm_as_by_sigint(capsys):
    cleaned = []

    @reported
    def command():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            cleaned.append(1)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        command()
    assert (ended.value.code, cleaned) == (130, [1])
    assert capsys.readouterr().err == "picsift: interrupted.\n"
    assert signal.getsignal(signal.SIGTERM) == before


class Interrupting(io.RawIOBase):
    """A stream during whose first write the process is asked to stop; what is said past it goes to a file."""

    def __init__(self, file):
        self.file, self.said = file, []

    def writable(self):
        return True

    def fileno(self):
        return self.file.fileno()

    def write(self, data):
        self.said.append(bytes(data))
        if len(self.said) == 1:
            os.kill(os.getpid(), signal.SIGTERM)
            for _ in range(1000):  # the interpreter meets the signal between two of these
                pass
        return len(data)


def test_a_signal_in_the_middle_of_a_line_is_no_error(tmp_path, monkeypatch):
    with (tmp_path / "past").open("wb") as past:
        raw = Interrupting(past)
        with io.TextIOWrapper(io.BufferedWriter(raw), line_buffering=True) as stream:
            monkeypatch.setattr(sys, "stderr", stream)
            with stop_on_signal() as stop:
                print("3 of 5 photos", file=sys.stderr)
            assert stop.is_set()
            monkeypatch.undo()
        assert b"".join(raw.said) == b"3 of 5 photos\n"
    assert (tmp_path / "past").read_text() == "picsift: stopping; what is under way is being saved.\n"
