"""A token of what an export would write, in order: two plans with the same token write the same. Pure.

A preview gives it, and an export that is asked for with it writes nothing once the library, the files or the choices
say something else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from json import dumps

from app.tagging.export.file_plan import PlannedFile
from app.tagging.export.sidecar_plan import Planned, Refused, Unchanged

Outcome = Planned | PlannedFile | Refused | Unchanged

START = hashlib.sha256(b"picsift export 1").hexdigest()
"""The token of a plan in which nothing is written."""


def extended(token: str, outcomes: Iterable[Outcome]) -> str:
    """The token of a plan, hexadecimal, once more of it is known; where its pages end makes no difference.

    Args:
        token: of what comes before; START where nothing does.
        outcomes: what follows. Only what would be written counts.
    """
    for one in outcomes:
        if isinstance(one, Planned | PlannedFile):
            parts = [one.photo.id, str(one.path), one.added, one.removed, one.words, *_bytes(one)]
            token = hashlib.sha256(dumps([token, *parts]).encode()).hexdigest()
    return token


def _bytes(one: Planned | PlannedFile) -> list[str | None]:
    """What is there, and what is written, told by digests."""
    if isinstance(one, Planned):
        return ["beside", _digest(one.before), _digest(one.after)]
    return ["into", one.photo.content_hash, _digest(one.change.xmp), _digest(one.change.iptc)]


def _digest(content: bytes | None) -> str | None:
    return None if content is None else hashlib.sha256(content).hexdigest()
