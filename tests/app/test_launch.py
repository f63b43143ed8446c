"""How a command ends: at once, and never as if all had been printed that was not."""

import errno
import os
import sys
import threading

import pytest

from app import launch


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
