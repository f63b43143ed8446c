"""Who knows the password: right answers come in at once, wrong ones wait in a line. It knows nothing of HTTP.

An argon2 hash is slow to ask, so that the first right answer is remembered by a keyed digest, in memory; from then on
every other answer is known to be wrong without asking the hash again.
"""

import asyncio
import hmac
import ipaddress
import logging
import secrets
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum

from app.password_hash import composed, is_hash, matches

EVERY_WRONG_S = 0.5  # between two wrong answers, whoever gives them
EVERY_CROWDED_S = 5.0  # between two answers that are compared where too many wait, for each of the reasons
FORGIVEN = 3  # wrong answers of an address before its pauses grow: people mistype
LONGEST_PAUSE_S = 30.0
FORGOTTEN_S = 900.0  # after the last wrong answer of an address
MOST_ADDRESSES = 1024
MOST_WAITING = 512  # from where on a place that has one waiting has no more, and a network of places few
MOST_IN_ALL = 1024  # waiting, whatever their addresses, of which somebody may have any number
MOST_OF_NETWORK = {4: {24: 16, 16: 64}, 6: {48: 16, 32: 64}}  # bits of a network that is handed out as one: few
TOLD_FROM = 5  # wrong answers
TOLD_EVERY_S = 60.0

AT_THE_DOOR = "picsift.at-the-door"  # in the scope of a request whose password is being looked at

log = logging.getLogger(__name__)


class Verdict(Enum):
    """What becomes of an answer."""

    RIGHT = "right"
    WRONG = "wrong"
    TOO_MANY = "not looked at, since too many wrong ones are waiting"


class Crowd(Enum):
    """Whose wrong answers wait where too many do."""

    PLACE = "those of the same place"
    NETWORK = "those of a network around it"
    ALL = "everybody's"


@dataclass
class Guesser:
    """What an address answered wrong; its line is what its next wrong answers wait in, once the hash was asked."""

    wrong: int = 0
    last_s: float = 0.0
    waiting: int = 0
    line: asyncio.Lock = field(default_factory=asyncio.Lock)
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)


class Doorkeeper:
    """Says of each answer whether it is the password."""

    def __init__(
        self,
        password: str,
        *,
        now_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Keep a password or its argon2 hash; the clock is exchanged by tests."""
        self._key = secrets.token_bytes(32)
        self._hash = password if is_hash(password) else None
        self._known = None if self._hash else self._digest(password)
        self._guessers: OrderedDict[str, Guesser] = OrderedDict()
        self._welcomed: OrderedDict[str, None] = OrderedDict()
        self._everyone, self._checking = asyncio.Lock(), asyncio.Lock()
        self._waiting = 0
        self._waiting_in = Counter[str]()  # networks around places
        self._looked_s = dict.fromkeys(Crowd, -EVERY_CROWDED_S)
        self._untold, self._told_s = 0, -TOLD_EVERY_S
        self._now_s, self._sleep = now_s, sleep

    async def check(self, given: str, address: str) -> Verdict:
        """Whether `given` is the password; returns at once where it is, after a while where not.

        Args:
            given: the answer.
            address: of whoever gives it.
        """
        place = network_of(address)
        crowded = self._crowd(place)
        if crowded and not self._looks_again(crowded):
            return Verdict.TOO_MANY  # comparing would tell a guesser who hangs up on every wrong answer what it was
        if self._is_known(given) or (crowded and self._hash and await self._ask(given)):
            self._welcome(place)
            return Verdict.RIGHT
        if crowded:
            return Verdict.TOO_MANY
        guesser = self._guesser(place)
        self._count(place, guesser, 1)
        try:
            if self._hash is not None and self._known is None and await self._verify(given, guesser):
                self._welcome(place)
                return Verdict.RIGHT
            await self._wait(guesser, address)
        finally:
            self._count(place, guesser, -1)
        return Verdict.WRONG

    def _crowd(self, place: str) -> Crowd | None:
        """Why an answer from there is not looked at: too many wait, from there, from around it where it is new, or all.

        Networks are told apart so that whoever has a whole one keeps out others of the same one alone.
        """
        if self._waiting < MOST_WAITING:
            return None
        guesser = self._guessers.get(place)
        if guesser is not None and guesser.waiting:
            return Crowd.PLACE
        if place in self._welcomed:
            return None
        if any(self._waiting_in[network] >= most for network, most in networks_around(place).items()):
            return Crowd.NETWORK
        return Crowd.ALL if self._waiting >= MOST_IN_ALL else None

    def _count(self, place: str, guesser: Guesser, more: int) -> None:
        """Count one that waits, or waits no more."""
        guesser.waiting += more
        self._waiting += more
        for network in networks_around(place):
            self._waiting_in[network] += more
            if not self._waiting_in[network]:
                del self._waiting_in[network]

    def _looks_again(self, crowd: Crowd) -> bool:
        """Whether one answer is compared where too many wait: else a moment's guesses keep out everybody for hours."""
        now_s = self._now_s()
        due = now_s - self._looked_s[crowd] >= EVERY_CROWDED_S
        self._looked_s[crowd] = now_s if due else self._looked_s[crowd]
        return due

    def _welcome(self, place: str) -> None:
        """Remember where a right answer came from, of the latest ones."""
        self._welcomed[place] = None
        self._welcomed.move_to_end(place)
        while len(self._welcomed) > MOST_ADDRESSES:
            self._welcomed.popitem(last=False)

    def _digest(self, password: str) -> bytes:
        return hmac.digest(self._key, composed(password).encode("utf-8", "surrogatepass"), "sha256")

    def _is_known(self, given: str) -> bool:
        return self._known is not None and hmac.compare_digest(self._digest(given), self._known)

    async def _verify(self, given: str, guesser: Guesser) -> bool:
        """Ask the hash, in a thread; one answer at a time, and one of each address in the line before it.

        Not in the line of wrong ones, whose pauses a right one would wait for.
        """
        async with guesser.asking:
            return await self._ask(given)

    async def _ask(self, given: str) -> bool:
        async with self._checking:
            if self._known is not None:
                return self._is_known(given)
            if await asyncio.to_thread(matches, self._hash or "", given):
                self._known = self._digest(given)
            return self._known is not None

    async def _wait(self, guesser: Guesser, address: str) -> None:
        """First behind the other wrong answers of the address, then behind everybody's."""
        async with guesser.line:
            guesser.wrong += 1
            guesser.last_s = self._now_s()
            self._tell(address)
            await self._sleep(pause_s(guesser.wrong))
        async with self._everyone:
            await self._sleep(EVERY_WRONG_S)
        guesser.last_s = self._now_s()

    def _guesser(self, place: str) -> Guesser:
        """What is known of an address; the table forgets what is old, and the oldest where it is full."""
        now_s = self._now_s()
        known = self._guessers.get(place)
        if known is None or (not known.waiting and now_s - known.last_s > FORGOTTEN_S):
            known = self._guessers[place] = Guesser(last_s=now_s)
        self._guessers.move_to_end(place)
        for other, guesser in list(self._guessers.items())[: len(self._guessers) - 1]:
            if len(self._guessers) <= MOST_ADDRESSES and now_s - guesser.last_s <= FORGOTTEN_S:
                break
            if not guesser.waiting:
                del self._guessers[other]
        return known

    def _tell(self, address: str) -> None:
        self._untold += 1
        if self._untold >= TOLD_FROM and self._now_s() - self._told_s >= TOLD_EVERY_S:
            log.warning("%d wrong passwords were given, the last one by %s", self._untold, address)
            self._untold, self._told_s = 0, self._now_s()


def pause_s(wrong: int) -> float:
    """How long the answer waits that is an address's `wrong`-th wrong one: none, then 1, 2, 4 seconds and so on."""
    return 0.0 if wrong <= FORGIVEN else min(2.0 ** min(wrong - FORGIVEN - 1, 10), LONGEST_PAUSE_S)


def network_of(address: str) -> str:
    """What counts as one address: IPv6 hands out 64 bits of them to everybody, and 127.0.0.0/8 is one machine."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    mapped = getattr(parsed, "ipv4_mapped", None)
    if isinstance(parsed, ipaddress.IPv6Address) and mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    known = mapped or parsed
    return "127.0.0.0/8" if known.is_loopback else str(known)


def networks_around(place: str) -> dict[str, int]:
    """Networks around a place, as `network_of` names it, with the most that may wait of each where many wait."""
    try:
        network = ipaddress.ip_network(place)
    except ValueError:
        return {}
    bounds = MOST_OF_NETWORK[network.version] if not network.is_loopback else {}
    return {str(network.supernet(new_prefix=bits)): most for bits, most in bounds.items()}
