"""The batcher: one call for all that wait, each with its own outcome, and nobody left behind. No sleeps: events."""

import linecache
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.search.batching import Batcher

LIMIT_S = 60


class Gated:
    """Answers twice what is asked; its first call waits until it is let go on."""

    def __init__(self, *wrong, error=ValueError):
        self.calls = []
        self.entered, self.go_on = threading.Event(), threading.Event()
        self.wrong, self.error = wrong, error

    def __call__(self, asked):
        self.calls.append(list(asked))
        if len(self.calls) == 1:
            self.entered.set()
            assert self.go_on.wait(LIMIT_S)
        for number in asked:
            if number in self.wrong:
                raise self.error(f"{number} is wrong")
        return [2 * number for number in asked]


def until(condition):
    """Wait for a condition of another thread, up to the limit."""
    changed = threading.Event()
    for _ in range(LIMIT_S * 100):
        if condition():
            return
        changed.wait(0.01)
    raise AssertionError("it did not come to pass")


def behind_the_first(batcher, gated, numbers):
    """One call that is held up, the others waiting behind it; their futures, and all let go."""
    pool = ThreadPoolExecutor(len(numbers) + 1)
    with pool:
        first = pool.submit(batcher, 0)
        assert gated.entered.wait(LIMIT_S)
        rest = [pool.submit(batcher, number) for number in numbers]
        until(lambda: batcher.waiting == len(numbers))
        gated.go_on.set()
    return first, rest


def test_one_caller_is_answered_at_once_and_alone():
    gated = Gated()
    gated.go_on.set()
    assert Batcher(gated)(21) == 42
    assert gated.calls == [[21]]


def test_all_who_wait_behind_a_call_share_the_next():
    gated = Gated()
    first, rest = behind_the_first(Batcher(gated), gated, range(1, 33))
    assert first.result() == 0
    assert [future.result() for future in rest] == [2 * number for number in range(1, 33)]
    assert [len(call) for call in gated.calls] == [1, 32]


def test_of_few_who_wait_each_is_asked_for_alone():
    gated = Gated()
    first, rest = behind_the_first(Batcher(gated, few=3), gated, range(1, 6))
    assert [first.result(), *(future.result() for future in rest)] == [0, 2, 4, 6, 8, 10]
    assert [len(call) for call in gated.calls] == [1, 5]
    gated = Gated()
    first, rest = behind_the_first(Batcher(gated, few=3), gated, range(1, 4))
    assert [first.result(), *(future.result() for future in rest)] == [0, 2, 4, 6]
    assert gated.calls == [[0], [1], [2], [3]]


def test_an_error_is_its_own_callers_alone():
    gated = Gated(3)
    first, rest = behind_the_first(Batcher(gated), gated, [1, 2, 3, 4])
    assert first.result() == 0
    assert [future.result() for number, future in enumerate(rest, 1) if number != 3] == [2, 4, 8]
    with pytest.raises(ValueError, match="3 is wrong"):
        rest[2].result()


def test_too_few_answers_are_nobodys():
    with pytest.raises(ValueError, match="zip"):
        Batcher(lambda asked: [])(1)


def test_a_first_caller_who_fails_leaves_nobody_behind():
    gated = Gated(0)
    first, rest = behind_the_first(Batcher(gated), gated, [1, 2])
    with pytest.raises(ValueError, match="0 is wrong"):
        first.result()
    assert [future.result() for future in rest] == [2, 4]


class Ended(BaseException):
    """As Ctrl-C ends a thread."""


def test_a_leader_who_is_ended_is_missed_by_nobody():
    gated = Gated(1, error=Ended)
    batcher = Batcher(gated)
    first, rest = behind_the_first(batcher, gated, [1, 2, 3])
    assert first.result() == 0
    with pytest.raises(Ended):
        rest[0].result()
    for follower in rest[1:]:
        with pytest.raises(RuntimeError, match="Ended"):
            follower.result()
    assert batcher(5) == 10


def test_one_who_leaves_the_line_while_he_waits_is_passed_over(monkeypatch):
    gated = Gated()
    batcher = Batcher(gated)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(batcher, 0)
        assert gated.entered.wait(LIMIT_S)

        def broken_off(event, timeout=None):
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(threading.Event, "wait", broken_off)
            with pytest.raises(KeyboardInterrupt):
                batcher(1)
        assert batcher.waiting == 0
        second = pool.submit(batcher, 2)
        until(lambda: batcher.waiting == 1)
        gated.go_on.set()
    assert (first.result(), second.result()) == (0, 4)
    assert gated.calls == [[0], [2]]


def test_one_who_leaves_when_he_was_to_lead_lets_the_next_lead(monkeypatch):
    gated = Gated()
    batcher = Batcher(gated)
    original = Batcher._answer_all
    led = []

    def ended_the_second_time(self, leader):
        led.append(threading.current_thread())
        if len(led) == 2:
            raise KeyboardInterrupt
        original(self, leader)

    monkeypatch.setattr(Batcher, "_answer_all", ended_the_second_time)
    first, rest = behind_the_first(batcher, gated, [1, 2])
    assert first.result() == 0
    outcomes = {type(future.exception()) for future in rest}
    assert outcomes == {KeyboardInterrupt, type(None)}
    assert len(gated.calls) == 2


def test_who_leads_while_another_is_about_to_leave_is_answered():
    batcher = Batcher(lambda asked: [2 * number for number in asked], few=3)
    lock, outcomes = batcher._lock, []

    class Broken:
        """Ends who lets go of it, once, after another has come."""

        def __enter__(self):
            lock.acquire()

        def __exit__(self, *_):
            lock.release()
            batcher._lock = lock
            batcher._leader = None  # Ctrl-C came before it was said who leads
            with ThreadPoolExecutor(1) as pool:
                outcomes.append(pool.submit(batcher, 2).exception(LIMIT_S))
            raise KeyboardInterrupt

    batcher._lock = Broken()
    with pytest.raises(KeyboardInterrupt):
        batcher(1)
    assert outcomes == [None]
    assert batcher.waiting == 0


class EndedAt:
    """Ends the thread that it traces before its n-th line of the batcher, but not where Python lets go of a lock."""

    def __init__(self, number, batcher):
        self.left, self.batcher = number, batcher
        self.file = Batcher._ask.__code__.co_filename

    def __call__(self, frame, event, _):
        if frame.f_code.co_filename != self.file:
            return None
        lets_go = "with self._lock" in linecache.getline(self.file, frame.f_lineno) and self.batcher._lock.locked()
        if event == "line" and not lets_go:
            self.left -= 1
            if self.left == 0:
                raise Ended
        return self


def led_by_one_who_is_ended(number, few):
    """How the first, who is ended before that line, and the others of a line come out."""
    gated = Gated()
    batcher = Batcher(gated, few=few)

    def ended():
        sys.settrace(EndedAt(number, batcher))
        try:
            return batcher(1)
        finally:
            sys.settrace(None)

    with ThreadPoolExecutor(4) as pool:
        before = pool.submit(batcher, 0)
        assert gated.entered.wait(LIMIT_S)
        first = pool.submit(ended)
        until(lambda: batcher.waiting == 1 or first.done())
        others = [pool.submit(batcher, other) for other in (2, 3)]
        until(lambda: batcher.waiting == 2 + (not first.done()))
        gated.go_on.set()
        assert before.result(LIMIT_S) == 0
        outcomes = [future.exception(LIMIT_S) for future in (first, *others)]
        assert pool.submit(batcher, 5).result(LIMIT_S) == 10
    assert batcher.waiting == 0
    return outcomes


@pytest.mark.parametrize("few", [0, 3])
def test_wherever_a_leader_is_ended_nobody_waits_for_ever(few):
    number, outcomes = 0, [Ended()]
    while outcomes[0] is not None:  # up to a line that it does not come to
        number += 1
        outcomes = led_by_one_who_is_ended(number, few)
        assert {type(one) for one in outcomes[1:]} <= {type(None), RuntimeError}
    assert number > 20
    assert outcomes == [None, None, None]


def test_many_threads_are_all_answered():
    batcher = Batcher(lambda asked: [-number for number in asked])
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(batcher, range(2000))) == [-number for number in range(2000)]
