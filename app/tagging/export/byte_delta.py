"""How a file was, told by how it is: a journal of photos holds what is needed to make the old bytes of the new.

A row of pieces, each either bytes or a place in the new file; what makes up a photo, its coded picture, is in both.
Pure. `applied(delta(before, after, parts), after) == before`, for any parts.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

import numpy as np

_HEAD = b"delta1\n"
_COPY, _BYTES = b"c", b"b"
_NUMBERS = struct.Struct(">QQ")
_SIZE = struct.Struct(">Q")
_SHORTEST = 64  # bytes worth a look
_TRIES = 1_000
_PIECE = 1 << 20  # bytes that are compared at a time

_Match = tuple[int, int, int]
"""Where in the old file, where in the new one, how many bytes."""


def delta(before: bytes, after: bytes, parts: Iterable[bytes | memoryview]) -> bytes:
    """What makes `before` of `after`.

    Args:
        before: the old bytes.
        after: the new ones.
        parts: pieces of the old bytes that are likely to be in the new ones, such as the coded picture.
    """
    pieces, at = [_HEAD], 0
    for old, new, length in _matches(before, after, parts):
        skip = max(0, at - old)
        if length - skip < _SHORTEST:
            continue
        pieces += _literal(before[at : old + skip])
        pieces.append(_COPY + _NUMBERS.pack(new + skip, length - skip))
        at = old + length
    return b"".join([*pieces, *_literal(before[at:])])


def applied(delta: bytes, after: bytes) -> bytes:
    """The old bytes; ValueError where that is no delta of this file."""
    if not delta.startswith(_HEAD):
        raise ValueError("no delta")
    pieces, at = [], len(_HEAD)
    while at < len(delta):
        kind, at = delta[at : at + 1], at + 1
        if kind == _COPY:
            start, length = _NUMBERS.unpack_from(delta, at)
            at += _NUMBERS.size
            pieces.append(after[start : start + length])
        else:
            (length,) = _SIZE.unpack_from(delta, at)
            at += _SIZE.size
            pieces.append(delta[at : at + length])
            at += length
    return b"".join(pieces)


def _literal(content: bytes) -> list[bytes]:
    return [_BYTES + _SIZE.pack(len(content)) + content] if content else []


def _matches(before: bytes, after: bytes, parts: Iterable[bytes | memoryview]) -> list[_Match]:
    found = [(0, 0, _common(before, after))]
    old_at = new_at = 0
    for part in parts:
        if len(part) < _SHORTEST:
            continue
        old, new = _where(part, before, old_at), _where(part, after, new_at)
        if old >= 0 and new >= 0:
            found.append((old, new, len(part)))
            old_at, new_at = old + len(part), new + len(part)
    tail = _common_end(before, after)
    return sorted([*found, (len(before) - tail, len(after) - tail, tail)])


def _common(one: bytes, other: bytes) -> int:
    """How many bytes two files have in common at their beginnings."""
    length = min(len(one), len(other))
    for start in range(0, length, _PIECE):
        size = min(_PIECE, length - start)
        differing = np.frombuffer(one, np.uint8, size, start) != np.frombuffer(other, np.uint8, size, start)
        if differing.any():
            return start + int(differing.argmax())
    return length


def _common_end(one: bytes, other: bytes) -> int:
    """How many bytes two files have in common at their ends."""
    length = min(len(one), len(other))
    for end in range(0, length, _PIECE):
        size = min(_PIECE, length - end)
        pieces = [np.frombuffer(file, np.uint8, size, len(file) - end - size)[::-1] for file in (one, other)]
        differing = pieces[0] != pieces[1]
        if differing.any():
            return end + int(differing.argmax())
    return length


def _where(part: bytes | memoryview, source: bytes, at: int) -> int:
    """Where a part stands, from a place on, or else anywhere; -1 where it does not, or is hard to find."""
    head = bytes(part[:_SHORTEST])
    for start in (at, 0):
        for _ in range(_TRIES):
            start = source.find(head, start)
            if start < 0:
                break
            if memoryview(source)[start : start + len(part)] == part:
                return start
            start += 1
        if at == 0:
            break
    return -1
