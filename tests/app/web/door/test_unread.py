"""A client that reads slowly is told from one that reads nothing."""

import socket
from types import SimpleNamespace

from app.web.door.unread import Unread, bytes_left


class Loop:
    """A clock that is set, and what is to be called."""

    def __init__(self):
        self.now, self.calls = 0.0, []

    def time(self):
        return self.now

    def call_later(self, seconds, call):
        handle = SimpleNamespace(cancel=lambda: self.calls.remove(entry))
        entry = (self.now + seconds, call)
        self.calls.append(entry)
        return handle

    def run_until(self, end):
        while self.calls and self.calls[0][0] <= end:
            self.now, call = self.calls[0]
            call()
        self.now = end


class Sent:
    """What waits for a client."""

    def __init__(self, least=1):
        self.loop, self.left = Loop(), 1000
        self.unread = Unread(self, self.loop, 5.0, lambda: self.left, least)

    def get_write_buffer_size(self):
        return self.left


def test_a_client_is_silent_from_when_it_last_read_anything():
    sent = Sent()
    sent.unread.watch()
    for sent.left in (900, 899, 500):
        sent.loop.run_until(sent.loop.now + 10)
        assert sent.loop.now - sent.unread.since() <= 5
    last = sent.unread.since()
    sent.loop.run_until(100)
    assert sent.unread.since() == last


def test_a_byte_now_and_then_is_nothing_and_enough_of_them_are_something():
    """A client that reads one from each of a thousand connections, before half a minute is over, kept all of them."""
    sent = Sent(least=100)
    sent.unread.watch()
    for sent.left in (999, 990, 901):
        sent.loop.run_until(sent.loop.now + 10)
        assert sent.unread.since() == 0
    sent.left = 900
    sent.loop.run_until(sent.loop.now + 10)
    assert sent.unread.since() > 0


def test_what_is_written_more_was_not_read():
    sent = Sent()
    sent.unread.watch()
    for sent.left in (1100, 1200):
        sent.loop.run_until(sent.loop.now + 10)
    assert sent.unread.since() == 0


def test_a_buffer_that_was_emptied_and_filled_as_before_was_read():
    sent = Sent()
    sent.unread.watch()
    sent.loop.run_until(12)
    sent.unread.read()
    assert sent.unread.since() == 12


def test_where_nothing_waits_nobody_is_silent_and_no_timer_runs():
    sent = Sent()
    sent.unread.watch()
    sent.left = 0
    sent.loop.run_until(10)
    assert (sent.unread.since(), sent.loop.calls) == (None, [])
    sent.left = 10
    sent.unread.watch()
    sent.unread.watch()
    assert len(sent.loop.calls) == 1
    sent.unread.end()
    assert sent.loop.calls == []


def test_what_the_system_holds_for_a_client_counts_where_it_tells():
    sending, receiving = socket.socketpair()
    with sending, receiving:
        transport = SimpleNamespace(get_write_buffer_size=lambda: 7, get_extra_info=lambda name: sending)
        assert bytes_left(transport) == 7
        sending.sendall(b"x" * 1000)
        assert bytes_left(transport) >= 7
    assert bytes_left(transport) == 7  # closed
