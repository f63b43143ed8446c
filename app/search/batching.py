"""Many threads ask at once, one call answers all that wait: a batcher without a thread or a delay of its own.

Whoever comes while nobody is being answered is answered at once, and alone. Who comes meanwhile waits, and one of
those who wait asks for all of them as soon as the call before has ended, or for itself alone where they are few. It
knows neither texts nor vectors.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class _Place(Generic[Asked, Answer]):
    """One caller's place in the line."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.called: threading.Event | None = None  # of one who waits: to lead, or because the outcome is there
        self.taken: list[_Place[Asked, Answer]] = []  # of one who leads: whose outcome it owes
        self.answers: list[Answer] = []  # one, once it is there
        self.error: BaseException | None = None

    def call(self) -> None:
        """Have the caller go on, if it waits."""
        if self.called is not None:
            self.called.set()

    def outcome(self) -> Answer:
        """What came out for this caller."""
        if self.error is not None:
            raise self.error
        return self.answers[0]


class Batcher(Generic[Asked, Answer]):
    """Calls `together` for all that wait, one call at a time; safe to call from many threads.

    A call that fails for several is made again for each of them alone, so that each meets its own error and no other's.
    A thread may be ended between any two steps, as by Ctrl-C: who leads is one attribute, and what it has taken another
    of its place, so that whoever is ended leaves behind what is still owed.
    """

    def __init__(self, together: Callable[[list[Asked]], Sequence[Answer]], few: int = 0) -> None:
        """Wait for callers.

        Args:
            together: what is asked, in the order in which it came -> the answers, in that order.
            few: of so many who wait one is asked for alone, and goes on while the next one's answer is worked out;
                together they would go on at the same time, and wait for one another once more.
        """
        self._together = together
        self._few = few
        self._lock = threading.Lock()
        self._waiting: list[_Place[Asked, Answer]] = []
        self._leader: _Place[Asked, Answer] | None = None

    def __call__(self, asked: Asked) -> Answer:
        """The answer to one question; raises what `together` raises for it."""
        place: _Place[Asked, Answer] = _Place(asked)
        try:
            with self._lock:
                self._waiting.append(place)
                if self._leader is None:
                    self._leader = place
                else:
                    place.called = threading.Event()
            if place.called:
                place.called.wait()
            if self._leader is place:
                self._answer_all(place)
        except BaseException as error:  # Ctrl-C in the thread that waits, or leads
            self._leave(place, error)
            raise
        return place.outcome()

    @property
    def waiting(self) -> int:
        """How many stand in line, those whose answer is being worked out not among them."""
        with self._lock:
            return len(self._waiting)

    def _answer_all(self, leader: _Place[Asked, Answer]) -> None:
        """Answer everybody who waits, of few the leader alone, and let the next one lead."""
        with self._lock:
            taken, left = self._waiting, list[_Place[Asked, Answer]]()
            if len(taken) <= self._few:  # before the leader may stand one who is about to leave
                taken, left = [leader], taken.copy()
                left.remove(leader)  # no loop: ended in one, Python 3.12 and 3.13 may keep the lock
            leader.taken, self._waiting = taken, left
        self._ask(taken)
        self._step_down(leader)

    def _ask(self, batch: Sequence[_Place[Asked, Answer]]) -> None:
        try:
            answers = self._together([place.asked for place in batch])
            for place, answer in zip(batch, answers, strict=True):
                place.answers = [answer]
        except Exception as error:
            if len(batch) == 1:
                batch[0].error = error
                return
            for place in batch:
                place.answers = []
                self._ask([place])

    def _step_down(self, leader: _Place[Asked, Answer]) -> None:
        """Let the first who waits lead, and those whose outcome is there go on; it may be begun anew."""
        with self._lock:
            if self._leader is leader:
                self._leader = self._waiting[0] if self._waiting else None
            if self._leader is not None:
                self._leader.call()
        for place in leader.taken:
            place.call()

    def _leave(self, place: _Place[Asked, Answer], reason: BaseException) -> None:
        """Out of the line, with an outcome for all whose it owes; if it was to lead, another does."""
        for owed in place.taken:
            if not owed.answers and owed.error is None:
                owed.error = RuntimeError(f"the thread that was to answer was ended: {type(reason).__name__}")
        with self._lock:
            if place in self._waiting:
                self._waiting.remove(place)
        self._step_down(place)
