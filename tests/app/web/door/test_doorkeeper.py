"""Passwords: right answers pass at once, wrong ones wait in a line, and somebody is told."""

import asyncio
import threading
import unicodedata
from functools import partial
from itertools import pairwise

import argon2
import pytest

from app.password_hash import check_hash, is_hash, make_hash, matches
from app.web.door import doorkeeper
from app.web.door.doorkeeper import (
    EVERY_CROWDED_S,
    EVERY_WRONG_S,
    FORGIVEN,
    FORGOTTEN_S,
    LONGEST_PAUSE_S,
    MOST_ADDRESSES,
    MOST_IN_ALL,
    MOST_WAITING,
    Doorkeeper,
    Verdict,
    network_of,
    pause_s,
)

HOME, ELSEWHERE = "192.0.2.1", "198.51.100.1"
HASHED = "$argon2id$v=19$m=8,t=1,p=1$B/tjuN25eyQ$KbNZYrfhgAkXGWJxnOVSVw"
"""Of "right", and quickly asked: by one round over eight kilobytes."""


class Time:
    """A clock that moves on when everybody sleeps, to the first who wakes."""

    def __init__(self):
        self.now, self.sleepers, self.most = 1000.0, [], 0

    async def sleep(self, seconds):
        woken = asyncio.Event()
        self.sleepers.append((self.now + seconds, woken))
        self.most = max(self.most, len(self.sleepers))
        await woken.wait()

    async def run(self, *tasks):
        """Let the tasks come to their end."""
        running = asyncio.gather(*tasks)
        while not running.done():
            for _ in range(20):
                await asyncio.sleep(0)
            if self.sleepers and not running.done():
                self.sleepers.sort(key=lambda sleeper: sleeper[0])
                self.now, woken = self.sleepers.pop(0)
                woken.set()
        return await running


@pytest.fixture
def time():
    return Time()


def keeper_of(password, time):
    return Doorkeeper(password, now_s=lambda: time.now, sleep=time.sleep)


def test_wrong_answers_leave_one_after_the_other_whoever_gives_them(time):
    keeper, left = keeper_of("right", time), []

    async def guess(number):
        verdict = await keeper.check(f"wrong{number}", f"192.0.2.{number}")
        left.append(time.now)
        return verdict

    async def scenario():
        return await time.run(*(guess(number) for number in range(20)))

    assert set(asyncio.run(scenario())) == {Verdict.WRONG}
    assert [later - sooner for sooner, later in pairwise(left)] == [EVERY_WRONG_S] * 19


def test_an_addresss_pauses_grow_and_another_address_does_not_wait_for_them(time):
    keeper, left = keeper_of("right", time), {HOME: [], ELSEWHERE: []}

    async def guess(address):
        await keeper.check("wrong", address)
        left[address].append(time.now)

    async def scenario():
        await time.run(*(guess(HOME) for _ in range(12)), guess(ELSEWHERE))

    asyncio.run(scenario())
    pauses = [later - sooner for sooner, later in pairwise(left[HOME])]
    assert pauses[FORGIVEN:] == sorted(pauses[FORGIVEN:])
    assert pauses[-1] == LONGEST_PAUSE_S
    assert left[ELSEWHERE][0] - 1000 <= EVERY_WRONG_S * (FORGIVEN + 3)


@pytest.mark.parametrize("password", ["right", HASHED], ids=["clear", "hash"])
def test_a_right_answer_never_waits_not_even_behind_wrong_ones_from_its_address(time, password):
    keeper = keeper_of(password, time)

    async def scenario():
        assert await keeper.check("right", HOME) is Verdict.RIGHT
        wrong = [asyncio.ensure_future(keeper.check("wrong", HOME)) for _ in range(100)]
        for _ in range(20):
            await asyncio.sleep(0)
        assert time.sleepers
        assert not any(task.done() for task in wrong)
        assert await asyncio.wait_for(keeper.check("right", HOME), 60) is Verdict.RIGHT
        assert not any(task.done() for task in wrong)
        for task in wrong:
            task.cancel()
        await asyncio.gather(*wrong, return_exceptions=True)

    asyncio.run(scenario())


def test_a_right_answer_does_not_wait_behind_wrong_ones_before_the_first_right_one_either(time, monkeypatch):
    """After a start nobody knows yet that others are wrong: the hash is asked, and their pauses are not waited for."""
    monkeypatch.setattr(doorkeeper, "matches", lambda hashed, given: given == "right")
    keeper = keeper_of(HASHED, time)

    async def scenario():
        wrong = [asyncio.ensure_future(keeper.check("wrong", HOME)) for _ in range(10)]
        async with asyncio.timeout(60):
            while not time.sleepers:  # the first of them has its pause
                await asyncio.sleep(0.001)
            assert await keeper.check("right", HOME) is Verdict.RIGHT
        assert not any(task.done() for task in wrong)
        for task in wrong:
            task.cancel()
        await asyncio.gather(*wrong, return_exceptions=True)

    asyncio.run(scenario())


def test_the_hash_is_asked_until_it_was_right_once_and_by_one_at_a_time(time, monkeypatch):
    asked, inside, lock = [], [], threading.Lock()

    def ask(hashed, given):
        assert lock.acquire(blocking=False), "two at a time"
        asked.append(given)
        inside.append(threading.current_thread() is threading.main_thread())
        lock.release()
        return given == "right"

    monkeypatch.setattr(doorkeeper, "matches", ask)
    keeper = keeper_of(HASHED, time)

    async def scenario():
        addresses = [f"192.0.2.{number}" for number in range(5)]
        wrong = asyncio.ensure_future(time.run(*(keeper.check("wrong", address) for address in addresses)))
        assert set(await wrong) == {Verdict.WRONG}
        for _ in range(3):
            assert await keeper.check("right", HOME) is Verdict.RIGHT
        await time.run(keeper.check("wrong", HOME))

    asyncio.run(scenario())
    assert asked == ["wrong"] * 5 + ["right"]
    assert not any(inside)


def test_addresses_are_forgotten_after_a_while(time):
    keeper = keeper_of("right", time)

    async def took(address):
        before = time.now
        await time.run(keeper.check("wrong", address))
        return time.now - before

    async def scenario():
        for _ in range(8):
            last = await took(HOME)
        assert last > LONGEST_PAUSE_S / 2
        time.now += FORGOTTEN_S + 1
        assert await took(HOME) == EVERY_WRONG_S

    asyncio.run(scenario())


def test_the_table_of_addresses_is_bounded(time):
    keeper = keeper_of("right", time)

    async def scenario():
        for number in range(MOST_ADDRESSES + 50):
            await time.run(keeper.check("wrong", f"10.0.{number // 256}.{number % 256}"))

    asyncio.run(scenario())
    assert len(keeper._guessers) <= MOST_ADDRESSES


@pytest.mark.parametrize("password", ["right", HASHED], ids=["clear", "hash"])
def test_who_hangs_up_on_wrong_answers_learns_nothing_more(time, password, monkeypatch):
    """The line is bounded; beyond, an address with wrong answers in it is not told which others are wrong.

    One is compared now and then: who shares the address is not kept out for as long as the line takes, which is hours.
    """
    monkeypatch.setattr(doorkeeper, "matches", lambda hashed, given: given == "right")
    keeper = keeper_of(password, time)

    async def scenario():
        wrong = [asyncio.ensure_future(keeper.check("wrong", HOME)) for _ in range(MOST_WAITING)]
        await asyncio.sleep(0)
        assert await asyncio.wait_for(keeper.check("wrong", HOME), 60) is Verdict.TOO_MANY
        assert await keeper.check("right", HOME) is Verdict.TOO_MANY
        time.now += EVERY_CROWDED_S
        assert await keeper.check("right", HOME) is Verdict.RIGHT
        assert await keeper.check("right", HOME) is Verdict.TOO_MANY
        assert await keeper.check("right", ELSEWHERE) is Verdict.RIGHT
        for task in wrong:
            task.cancel()
        await asyncio.gather(*wrong, return_exceptions=True)
        assert await keeper.check("right", HOME) is Verdict.RIGHT

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "guessing", [lambda n: f"2001:db8:0:{n:x}::1", lambda n: f"2001:db8:{n:x}::1", lambda n: f"10.0.{n >> 8}.{n & 255}"]
)
def test_whoever_has_a_whole_network_keeps_out_nobody_elsewhere(time, guessing):
    """A provider hands out a /48, or a /32, as easily as an address; all of them wait in the line as one."""
    keeper = keeper_of("right", time)

    async def scenario():
        wrong = [asyncio.ensure_future(keeper.check("wrong", guessing(number))) for number in range(1024)]
        await asyncio.sleep(0)
        assert sum(not task.done() for task in wrong) < MOST_IN_ALL
        for elsewhere in ("192.0.2.7", "198.51.100.7", "2001:470::1", "a pipe"):
            assert await keeper.check("right", elsewhere) is Verdict.RIGHT
        neighbour = guessing(5000)
        time.now += EVERY_CROWDED_S
        assert await keeper.check("right", neighbour) is Verdict.RIGHT  # compared now and then
        assert await keeper.check("right", neighbour) is Verdict.RIGHT  # it was right
        for task in wrong:
            task.cancel()
        await asyncio.gather(*wrong, return_exceptions=True)
        assert not keeper._waiting_in

    asyncio.run(scenario())


def test_whoever_has_any_number_of_addresses_guesses_no_faster_and_keeps_out_nobody_who_was_in(time):
    """Each new address has its first answer compared at once; those that wait for theirs are bounded all the same."""
    keeper = keeper_of("right", time)

    async def scenario():
        assert await keeper.check("right", HOME) is Verdict.RIGHT
        addresses = (f"{10 + number // 250}.{number % 250}.0.1" for number in range(MOST_IN_ALL + 200))
        wrong = [asyncio.ensure_future(keeper.check("wrong", address)) for address in addresses]
        await asyncio.sleep(0)
        assert sum(not task.done() for task in wrong) == MOST_IN_ALL
        assert {task.result() for task in wrong if task.done()} == {Verdict.TOO_MANY}
        assert await keeper.check("right", ELSEWHERE) is Verdict.TOO_MANY
        assert await keeper.check("right", HOME) is Verdict.RIGHT
        for task in wrong:
            task.cancel()
        await asyncio.gather(*wrong, return_exceptions=True)
        assert await keeper.check("right", ELSEWHERE) is Verdict.RIGHT

    asyncio.run(scenario())


def test_it_is_told_now_and_then(time, caplog):
    keeper = keeper_of("right", time)

    async def scenario():
        for _ in range(4):
            await time.run(keeper.check("wrong", HOME))
        assert caplog.records == []
        await time.run(*(keeper.check("wrong", f"10.0.0.{number}") for number in range(100)))

    asyncio.run(scenario())
    assert 1 <= len(caplog.records) <= 3
    assert "5 wrong passwords were given, the last one by 10.0.0." in caplog.text
    assert "wrong0" not in caplog.text


@pytest.mark.parametrize("stored", ["NFC", "NFD"])
@pytest.mark.parametrize("given", ["NFC", "NFD"])
@pytest.mark.parametrize("hashed", [False, True])
def test_both_spellings_of_a_character_are_the_same(time, stored, given, hashed, monkeypatch):
    quick = partial(argon2.PasswordHasher, time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(argon2, "PasswordHasher", quick)
    password = unicodedata.normalize(stored, "Café Ångström")
    keeper = keeper_of(make_hash(password) if hashed else password, time)
    assert asyncio.run(keeper.check(unicodedata.normalize(given, "Café Ångström"), HOME)) is Verdict.RIGHT


def test_what_is_no_text_is_wrong_and_no_crash(time):
    for password in ("right", HASHED):
        keeper = keeper_of(password, time)

        async def scenario(keeper=keeper):
            return await time.run(keeper.check("\udcff", HOME), keeper.check("", HOME))

        assert asyncio.run(scenario()) == [Verdict.WRONG] * 2


def test_a_hash_is_told_from_a_password():
    hashed = make_hash("right")
    assert is_hash(hashed) and matches(hashed, "right") and not matches(hashed, "wrong")
    check_hash(hashed)
    for broken in (hashed[:30], "$argon2id$", "$argon2id$v=19$m=1,t=1$a$b"):
        with pytest.raises(ValueError, match="argon2"):
            check_hash(broken)
        assert not matches(broken, "right")


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("127.0.0.1", "127.0.0.0/8"),
        ("127.200.3.4", "127.0.0.0/8"),
        ("::ffff:127.1.1.1", "127.0.0.0/8"),
    ],
)
def test_what_counts_as_one_address(address, network):
    assert network_of(address) == network


def test_pauses_grow_and_end():
    pauses = [pause_s(wrong) for wrong in range(1, 2000)]
    assert pauses[:FORGIVEN] == [0] * FORGIVEN
    assert pauses[FORGIVEN : FORGIVEN + 3] == [1, 2, 4]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE_S
