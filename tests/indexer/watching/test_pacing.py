"""A share of the processors, kept by sleeping; clocks of the test's own."""

import os

import pytest

from indexer.watching.pacing import LONGEST_NAP_S, Pacer, workers_for


class Machine:
    """Clocks that move when photos are made and when somebody sleeps."""

    def __init__(self):
        self.now, self.cpu, self.naps = 0.0, 0.0, []

    def pacer(self, percent):
        return Pacer(percent, cpu_s=lambda: self.cpu, now_s=lambda: self.now, sleep=self.sleep)

    def photo(self, busy):
        """A photo that keeps `busy` processors at work for a second."""
        self.now += 1
        self.cpu += busy

    def sleep(self, seconds):
        self.naps.append(seconds)
        self.now += seconds


@pytest.mark.parametrize("percent", [10, 25, 50, 90])
def test_the_share_holds_over_time(percent):
    machine, cores = Machine(), os.cpu_count()
    pacer = machine.pacer(percent)
    for _ in range(100):
        machine.photo(busy=cores)
        pacer.rest(lambda: False)
    assert machine.cpu / machine.now == pytest.approx(cores * percent / 100, rel=0.05)
    assert max(machine.naps) <= LONGEST_NAP_S


def test_all_of_the_machine_is_no_sleep():
    machine = Machine()
    pacer = machine.pacer(100)
    machine.photo(busy=10_000)
    pacer.rest(lambda: False)
    assert machine.naps == []


def test_stop_is_not_slept_through():
    machine = Machine()
    pacer = machine.pacer(1)
    machine.photo(busy=10_000)
    pacer.rest(lambda: len(machine.naps) >= 2)
    assert len(machine.naps) == 2


def test_idle_hours_are_no_credit():
    machine = Machine()
    pacer = machine.pacer(50)
    machine.now += 3600
    pacer.rest(lambda: False)
    machine.photo(busy=os.cpu_count())
    pacer.rest(lambda: False)
    assert sum(machine.naps) == pytest.approx(1, rel=0.01)


def test_workers_follow_the_share(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert [workers_for(percent, 0) for percent in (1, 25, 50, 99, 100)] == [1, 2, 4, 7, 0]
    assert (workers_for(50, 2), workers_for(25, 6), workers_for(100, 6)) == (2, 2, 6)
