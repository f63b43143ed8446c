"""Whose turn it is where many send pictures. The clock, and the looks at how much came, are the tests'."""

from types import SimpleNamespace

import anyio
import pytest
from fastapi import HTTPException

from app.web import picture_turns
from app.web.picture_turns import BODIES, LOOKS, WAITED_S, PictureTurns

BETWEEN_S = WAITED_S / LOOKS


async def everybody():
    """Let all tasks go on until they wait for the test."""
    for _ in range(10):
        await anyio.sleep(0)


class Sender:
    """A request with a body of `size` bytes, which comes as it is told to."""

    def __init__(self, turns, size=50_000_000, says=True):
        self.turns, self.size, self.became = turns, size, None
        self.headers = {"content-length": str(size)} if says else {}
        self.more, self.parts = anyio.create_memory_object_stream(100)

    async def stream(self):
        sent = 0
        while sent < self.size:
            part = bytes(min(await self.parts.receive(), self.size - sent))
            sent += len(part)
            yield part

    async def send(self, *, task_status=anyio.TASK_STATUS_IGNORED):
        task_status.started()
        with self.more, self.parts:
            try:
                async with self.turns.body():
                    self.became = len(await self.turns.read(self))
            except HTTPException as refusal:
                self.became = refusal


class World:
    """Turns, their senders, and a time that passes when it is told to."""

    def __init__(self, monkeypatch, group):
        self.now, self.group, self.turns = 1000.0, group, PictureTurns()
        monkeypatch.setattr(picture_turns, "time", SimpleNamespace(monotonic=lambda: self.now))

    async def begin(self, *sizes, says=True):
        senders = [Sender(self.turns, size, says) for size in sizes]
        for sender in senders:
            await self.group.start(sender.send)
        await everybody()
        return senders

    async def pass_s(self, seconds, rates):
        """Let bytes come of each sender in `rates`, per second, and have the looks that are due."""
        for _ in range(round(seconds / BETWEEN_S)):
            for sender, rate in rates.items():
                if sender.became is None and rate:
                    sender.more.send_nowait(round(rate * BETWEEN_S))
            await everybody()
            self.now += BETWEEN_S
            if self.turns._line:
                self.turns._look()
            await everybody()


def in_a_world(monkeypatch, scenario):
    async def run():
        with anyio.fail_after(60):
            async with anyio.create_task_group() as group:
                await scenario(World(monkeypatch, group))
                group.cancel_scope.cancel()

    anyio.run(run)


@pytest.mark.parametrize("slow", [0, 2])
@pytest.mark.parametrize("burst", [0, 30_000_000])
def test_one_that_comes_to_a_halt_gives_way_where_others_wait_and_no_other_does(monkeypatch, slow, burst):
    """Four that send next to nothing would keep all others waiting for an hour, also after a burst."""

    async def scenario(world):
        senders = await world.begin(*[50_000_000] * BODIES)
        rates = {sender: 1 if number == slow else 25_000 for number, sender in enumerate(senders)}
        await world.pass_s(300, rates)
        if burst:
            await world.pass_s(BETWEEN_S, {senders[slow]: burst / BETWEEN_S})
        assert [sender.became for sender in senders] == [None] * BODIES  # since nobody waits
        (last,) = await world.begin(70)
        await world.pass_s(WAITED_S - BETWEEN_S, rates)
        assert [sender.became for sender in senders] == [None] * BODIES
        await world.pass_s(BETWEEN_S, rates)
        refusal = senders[slow].became
        assert (refusal.status_code, refusal.headers["Connection"]) == (503, "close")
        assert int(refusal.headers["Retry-After"]) >= WAITED_S
        await world.pass_s(WAITED_S, {last: 70})
        assert last.became == 70
        await world.pass_s(200, rates)
        assert [sender.became for sender in senders if sender is not senders[slow]] == [None] * (BODIES - 1)

    in_a_world(monkeypatch, scenario)


def test_where_all_come_alike_on_a_poor_line_none_is_ended(monkeypatch):
    """Eight phones with pictures of 4 MB, which share 100 kB a second: each one ended would have to begin anew."""

    async def scenario(world):
        senders = await world.begin(*[4_000_000] * 2 * BODIES)
        await world.pass_s(160, dict.fromkeys(senders[:BODIES], 25_000))
        assert [sender.became for sender in senders] == [4_000_000] * BODIES + [None] * BODIES
        await world.pass_s(160, dict.fromkeys(senders[BODIES:], 25_000))
        assert [sender.became for sender in senders] == [4_000_000] * 2 * BODIES

    in_a_world(monkeypatch, scenario)


def test_however_many_wait_one_is_ended_at_a_time(monkeypatch):
    async def scenario(world):
        slow = await world.begin(*[50_000_000] * BODIES)
        waiting = await world.begin(*[50_000_000] * 10)
        rates = dict.fromkeys(slow, 9_000) | dict.fromkeys(waiting, 100_000)
        ended = []
        for _ in range(6):
            await world.pass_s(WAITED_S, rates)
            ended.append(sum(sender.became is not None for sender in slow))
        assert ended == [1, 2, 3, 4, 4, 4]
        assert [sender.became for sender in waiting] == [None] * 10

    in_a_world(monkeypatch, scenario)


def test_what_came_earlier_counts_for_nothing(monkeypatch):
    """Neither a burst makes up for a halt, nor is a sender ended for a halt that is over."""

    async def scenario(world):
        async def wait():
            with scope:
                async with world.turns.body():
                    pytest.fail("there is no place")

        senders = await world.begin(*[50_000_000] * BODIES)
        rates = dict.fromkeys(senders, 25_000)
        scope = anyio.CancelScope()
        world.group.start_soon(wait)
        await everybody()
        await world.pass_s(3 * WAITED_S, rates)
        scope.cancel()
        await everybody()
        await world.pass_s(1000, {})
        await world.begin(1000)
        for sender in senders:
            sender.more.send_nowait(2_000_000)
        await everybody()
        world.now += WAITED_S  # in which the server came to no look
        world.turns._look()
        await everybody()
        assert [sender.became for sender in senders] == [None] * BODIES
        await world.pass_s(WAITED_S + BETWEEN_S, rates | {senders[0]: 0})
        assert [sender.became is None for sender in senders] == [False] + [True] * (BODIES - 1)

    in_a_world(monkeypatch, scenario)


@pytest.mark.parametrize(("rate", "says", "spared"), [(3_000, True, True), (3_000, False, False), (0, True, False)])
def test_one_that_is_nearly_there_is_spared_if_it_comes_at_all(monkeypatch, rate, says, spared):
    async def scenario(world):
        (nearly,) = await world.begin(4_000_000, says=says)
        rates = dict.fromkeys(await world.begin(*[50_000_000] * (BODIES - 1)), 20_000) | {nearly: rate}
        nearly.more.send_nowait(3_900_000)
        await world.pass_s(BETWEEN_S, rates)
        await world.begin(1000)
        await world.pass_s(2 * WAITED_S, rates)
        assert (nearly.became == 4_000_000) == spared
        assert spared or nearly.became.status_code == 503

    in_a_world(monkeypatch, scenario)


def test_whoever_waits_longest_is_first_however_long(monkeypatch):
    async def scenario(world):
        senders = await world.begin(*[2_000_000] * BODIES)
        rates = dict.fromkeys(senders, 25_000)
        (first,) = await world.begin(2_000_000)
        await world.pass_s(WAITED_S - BETWEEN_S, rates)
        (second,) = await world.begin(2_000_000)
        await world.pass_s(BETWEEN_S, rates)
        assert world.turns._arriving and world.turns._line == [1000.0, 1000.0 + WAITED_S - BETWEEN_S]
        senders[1].more.send_nowait(2_000_000)
        await everybody()
        first.more.send_nowait(2_000_000)
        await everybody()
        assert (first.became, second.became) == (2_000_000, None)

    in_a_world(monkeypatch, scenario)


def test_nobody_looks_where_nobody_waits(monkeypatch):
    async def scenario(world):
        await world.begin(*[1000] * BODIES)
        assert world.turns._timer is None
        with anyio.move_on_after(0):
            async with world.turns.body():
                pytest.fail("there is no place")
        assert (world.turns._timer, world.turns._line) == (None, [])

    in_a_world(monkeypatch, scenario)
