"""Whose turn it is where many send pictures."""

import anyio
import pytest
from fastapi import HTTPException

from app.web import picture_turns
from app.web.picture_turns import BODIES, PictureTurns


class Sender:
    """A request whose body begins with so many bytes; the rest comes when it is told to."""

    def __init__(self, first: int):
        self.first, self.go_on, self.became = bytes(first), anyio.Event(), None

    async def stream(self):
        yield self.first
        await self.go_on.wait()

    async def send(self, turns):
        try:
            async with turns.body():
                self.became = len(await turns.read(self))
        except HTTPException as refusal:
            self.became = refusal.status_code


@pytest.mark.parametrize("slow", [0, 2])
def test_a_picture_that_comes_slowly_gives_way_where_others_wait_and_no_other_does(monkeypatch, slow):
    """Four that send next to nothing would keep all others waiting for an hour."""
    monkeypatch.setattr(picture_turns, "WAITED_S", 0.05)

    async def scenario():
        turns = PictureTurns()
        senders = [Sender(10 if number == slow else 30_000_000) for number in range(BODIES)]
        with anyio.fail_after(60):
            async with anyio.create_task_group() as group:
                for sender in senders:
                    group.start_soon(sender.send, turns)
                while len(turns._arriving) < BODIES:
                    await anyio.sleep(0)
                last = Sender(7)
                last.go_on.set()
                await last.send(turns)
                assert last.became == 7
                assert [sender.became for sender in senders] == [408 if n == slow else None for n in range(BODIES)]
                for sender in senders:
                    sender.go_on.set()
        assert [sender.became for sender in senders] == [408 if n == slow else 30_000_000 for n in range(BODIES)]

    anyio.run(scenario)


def test_whoever_waits_for_a_place_waits_on_where_none_is_slow(monkeypatch):
    monkeypatch.setattr(picture_turns, "WAITED_S", 0.01)
    looked = []

    async def scenario():
        turns = PictureTurns()
        look = turns._end_a_slow_one
        monkeypatch.setattr(turns, "_end_a_slow_one", lambda: (looked.append(1), look()))
        senders, last = [Sender(30_000_000) for _ in range(BODIES)], Sender(7)
        last.go_on.set()
        with anyio.fail_after(60):
            async with anyio.create_task_group() as group:
                for sender in (*senders, last):
                    group.start_soon(sender.send, turns)
                while len(looked) < 3:
                    await anyio.sleep(0.001)
                assert last.became is None
                senders[1].go_on.set()
                while last.became is None:
                    await anyio.sleep(0.001)
                for sender in senders:
                    sender.go_on.set()
        assert [sender.became for sender in (*senders, last)] == [30_000_000] * BODIES + [7]

    anyio.run(scenario)
