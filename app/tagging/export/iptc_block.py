"""A photo's IPTC-IIM block changed: keywords that come and go, title and caption, in UTF-8. Bytes in, bytes out.

Every other dataset stays byte for byte. A block has one coding for all its texts: where some are neither UTF-8, named
as that, nor plain ASCII, it is refused, since what their bytes mean would be a guess. Lengths are those of the IIM,
version 4.2: keywords (2:25) have at most 64 bytes, and one that is longer is left out rather than cut, titles (2:05) 64
and captions (2:120) 2,000.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from app.tagging.xmp.tag_entries import clean_name
from indexer.errors import PicsiftError

MAX_KEYWORD = 64
"""Bytes of a keyword in UTF-8, by IIM 2:25."""
MAX_TITLE, MAX_CAPTION = 64, 2_000
UTF8 = b"\x1b%G"
_UTF8_TOO = (UTF8, b"\x1b%/G", b"\x1b%/H", b"\x1b%/I")
_CHARSET, _VERSION, _TITLE, _KEYWORD, _CAPTION = (1, 90), (2, 0), (2, 5), (2, 25), (2, 120)
_WRITTEN = frozenset((_CHARSET, _VERSION, _TITLE, _KEYWORD, _CAPTION))
_SHIFTS = re.compile(rb"[\x0e\x0f\x1b]")  # of codings that are written in ASCII, such as Japanese mail
_MARK = 0x1C
_NO_TEXT = frozenset({0, 125, 200, 201, 202})  # of record 2: a version, a picture, a preview


class IptcError(PicsiftError):
    """A block is damaged, or holds what cannot be changed for sure. Nothing was changed."""


class _DataSet(NamedTuple):
    field: tuple[int, int]
    value: bytes


class Block(NamedTuple):
    """A changed block, and what of the texts is not in it whole."""

    content: bytes
    shortened: tuple[str, ...]


def keywords(block: bytes | None) -> list[str]:
    """The clean keywords of a block, in their order.

    Raises:
        IptcError: it is damaged.
    """
    sets = _sound(block)
    return [word for one in sets if one.field == _KEYWORD and (word := clean_name(one.value.decode()))]


def foreign(block: bytes | None) -> list[tuple[tuple[int, int], bytes]]:
    """Number and bytes of each dataset that an export never changes.

    Raises:
        IptcError: it is damaged.
    """
    return [(one.field, one.value) for one in _parsed(block or b"") if one.field not in _WRITTEN]


def changed(
    block: bytes | None,
    add: Sequence[str],
    drop: Collection[str] = (),
    *,
    title: str | None = None,
    caption: str | None = None,
) -> Block:
    """A block with these keywords and without those; the same where it says all that already.

    Args:
        block: None where the file has none.
        add: clean keywords; one that it has stays where it is.
        drop: clean keywords that go.
        title: and the caption: None leaves them as they are.
        caption: likewise.

    Raises:
        IptcError: it is damaged.
    """
    sets = _sound(block)
    had = set(keywords(block))
    short = {word: len(word.encode()) <= MAX_KEYWORD for word in add}
    new = [word for word in dict.fromkeys(add) if short[word] and word not in had]
    gone = {word for word in had if word in drop and word not in add}
    said = {_TITLE: _fitting(title, MAX_TITLE), _CAPTION: _fitting(caption, MAX_CAPTION)}
    was = {field: next((one.value.decode() for one in sets if one.field == field), None) for field in said}
    told = {field: value for field, value in said.items() if value is not None and value != was[field]}
    shortened = [word for word, fits in short.items() if not fits]
    shortened += [whole for whole, field in ((title, _TITLE), (caption, _CAPTION)) if whole and said[field] != whole]
    if not (new or gone or told):
        return Block(block or b"", tuple(shortened))
    kept = [one for one in _in_utf8(sets) if one.field not in told]
    kept = [one for one in kept if one.field != _KEYWORD or clean_name(one.value.decode()) not in gone]
    for field, value in told.items():
        kept = _inserted(kept, [_DataSet(field, value.encode())])
    kept = _inserted(kept, [_DataSet(_KEYWORD, word.encode()) for word in new])
    return Block(b"".join(map(_written, kept)), tuple(shortened))


def _parsed(block: bytes) -> list[_DataSet]:
    return list(_sets(block))


def _sets(block: bytes) -> Iterator[_DataSet]:
    at = 0
    while at < len(block):
        if not block[at:].strip(b"\0"):  # padding at the end
            return
        if block[at] != _MARK or at + 5 > len(block):
            raise IptcError("its IPTC block is damaged")
        record, number, size = struct.unpack_from(">BBH", block, at + 1)
        at += 5
        if size & 0x8000:  # the length of the length
            wide = size & 0x7FFF
            if wide > 4 or at + wide > len(block):
                raise IptcError("its IPTC block is damaged")
            size, at = int.from_bytes(block[at : at + wide], "big"), at + wide
        if at + size > len(block):
            raise IptcError("its IPTC block is damaged")
        yield _DataSet((record, number), block[at : at + size])
        at += size


def _sound(block: bytes | None) -> list[_DataSet]:
    """The datasets of a block whose texts are known to be UTF-8, as plain ASCII is in any coding."""
    sets = _parsed(block or b"")
    charsets = {one.value for one in sets if one.field == _CHARSET}
    texts = [one.value for one in sets if _is_text(one)]
    if all(value.isascii() and not _SHIFTS.search(value) for value in texts):
        return sets
    try:
        known = (
            len(charsets) == 1 and charsets.issubset(_UTF8_TOO) and all(value.decode() is not None for value in texts)
        )
    except UnicodeDecodeError:
        known = False
    if not known:
        raise IptcError("the IPTC texts in it are in a coding that is not known for sure")
    return sets


def _in_utf8(sets: Sequence[_DataSet]) -> list[_DataSet]:
    """The datasets with the marker of UTF-8, and the version that a block has to name."""
    if not any(one.field == _CHARSET and one.value in _UTF8_TOO for one in sets):
        sets = _inserted([one for one in sets if one.field != _CHARSET], [_DataSet(_CHARSET, UTF8)])
    if not any(one.field == _VERSION for one in sets):
        sets = _inserted(sets, [_DataSet(_VERSION, b"\0\4")])
    return list(sets)


def _is_text(one: _DataSet) -> bool:
    return one.field[0] == 2 and one.field[1] not in _NO_TEXT


def _inserted(sets: Sequence[_DataSet], new: Sequence[_DataSet]) -> list[_DataSet]:
    """The datasets with more of one field, behind the last that has it or a lower one."""
    if not new:
        return list(sets)
    place = max((n for n, one in enumerate(sets, start=1) if one.field <= new[0].field), default=0)
    return [*sets[:place], *new, *sets[place:]]


def _written(one: _DataSet) -> bytes:
    size = len(one.value)
    length = struct.pack(">H", size) if size < 0x8000 else struct.pack(">HI", 0x8004, size)
    return bytes((_MARK, *one.field)) + length + one.value


def _fitting(text: str | None, limit: int) -> str | None:
    """The text, or as many of its characters as fit into so many bytes."""
    return None if text is None else text.encode()[:limit].decode(errors="ignore")
