"""WebDataset: tar archives in which files that share a name up to the first dot are one example.

Members are read where they lie, in their order, and never unpacked. What an honest shard does not have (links, devices,
paths from the root or upwards, huge members, a cut end) ends the reading with one sentence.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from clip_model.evaluation.readers.examples import (
    CAPTION_FIELDS,
    LABEL_FIELDS,
    MAX_PICTURE_BYTES,
    MAX_TEXT_BYTES,
    Example,
    Item,
    Unreadable,
    captions_in,
    first_of,
    label_in,
)

_PICTURES = frozenset(("jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "avif", "heic", "jxl", "ppm"))
_TEXTS = frozenset(("txt", "caption", "cls", "cls.txt", "label", "class", "json"))
_DAMAGES = (tarfile.TarError, ValueError, ArithmeticError, LookupError, EOFError, RecursionError)
_BLOCK = tarfile.BLOCKSIZE
_PIECE = 1 << 20  # bytes
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")

Member = tuple[str, str, bytes]
"""Key, extension in lower case, content; that of members without a meaning here is not read."""


def read_shard(path: Path) -> Iterator[Item]:
    """Read one archive.

    Raises:
        ValueError: it is damaged, cut short, compressed, or holds what no shard does.
    """
    with path.open("rb") as file:
        if file.read(8).startswith(_COMPRESSED):
            raise ValueError(f"{path} is compressed. Shards are plain tar archives: decompress it first")
        start: int | None = 0
        while start is not None:
            for key, members in groupby(_members(path, file, start), lambda member: member[0]):
                yield _example(path, key, members)
            start = _after(path, file)


def _members(path: Path, file: BinaryIO, start: int) -> Iterator[Member]:
    """The members of the archive that begins at a byte of a file; behind them the file stands at its end mark."""
    file.seek(start)
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            while (info := archive.next()) is not None:
                archive.members = []  # type: ignore[attr-defined]  # else it keeps what is known of each for ever
                if not info.isdir():
                    yield from _member(path, archive, info)
            end = archive.offset
    except _Refused as error:
        raise ValueError(str(error)) from None
    except _DAMAGES as error:
        raise ValueError(f"{path} is cut short or damaged: {str(error)[:200]}. Fetch it again") from error
    file.seek(end)  # tarfile takes any block that it cannot read for the end


def _after(path: Path, file: BinaryIO) -> int | None:
    """Pass an end mark: where the next of several joined archives begins, or None."""
    end = file.tell()
    if file.read(_BLOCK) != bytes(_BLOCK):
        raise ValueError(f"{path} is cut short or damaged after {end:,} bytes. Fetch it again")
    while piece := file.read(_PIECE):
        if rest := piece.lstrip(b"\0"):
            return (file.tell() - len(rest)) // _BLOCK * _BLOCK
    return None


class _Refused(Exception):  # noqa: N818 - no error of the archive's
    """What no shard holds; not a ValueError, which tarfile raises too."""


def _member(path: Path, archive: tarfile.TarFile, info: tarfile.TarInfo) -> Iterator[Member]:
    where = f"{path}: the member {info.name[:200]!r}"
    parts = PurePosixPath(info.name).parts
    if not info.isreg():
        raise _Refused(f"{where} is a link or a device. Shards hold files alone")
    if info.issparse():
        raise _Refused(f"{where} is a file with holes (sparse). Shards hold whole files alone")
    if info.name.startswith("/") or ".." in parts or not parts:
        raise _Refused(f"{where} leads out of the archive. Shards hold relative names alone")
    stem, _, extension = parts[-1].partition(".")
    extension = extension.lower()
    key = "/".join((*parts[:-1], stem))
    if parts[-1].startswith("."):
        return
    if extension not in _PICTURES | _TEXTS:
        yield key, extension, b""  # so that an example of such members alone is named as one without a picture
        return
    bound = MAX_PICTURE_BYTES if extension in _PICTURES else MAX_TEXT_BYTES
    if info.size > bound:
        raise _Refused(f"{where} is larger ({info.size:,} bytes) than the bound of {bound:,}")
    content = archive.extractfile(info)
    if content is not None:
        yield key, extension, content.read()


def _example(path: Path, key: str, members: Iterator[Member]) -> Item:
    name = f"{path.name}: {key}"
    held: dict[str, bytes] = {}
    twice = ""
    for _, extension, content in members:  # to the end, also where the first ones are enough to refuse it
        if extension in held:
            twice = extension
        elif extension in _PICTURES | _TEXTS:
            held[extension] = content
        if sum(map(len, held.values())) > MAX_PICTURE_BYTES:
            raise ValueError(f"{path}: the members of {key[:200]!r} are larger than {MAX_PICTURE_BYTES:,} bytes")
    if twice:
        return Unreadable(name, f"several members side by side are called so and end in .{twice}")
    pictures = [extension for extension in held if extension in _PICTURES]
    if len(pictures) != 1:
        return Unreadable(name, f"the example holds {len(pictures) or 'no'} pictures")
    try:
        texts = {extension: content.decode("utf-8-sig") for extension, content in held.items() if extension in _TEXTS}
        document = json.loads(texts.pop("json", "{}"))
    except (ValueError, RecursionError):
        return Unreadable(name, "its text is no UTF-8, or its document no JSON")
    try:
        label, captions = _words(texts, document if isinstance(document, dict) else {})
    except ValueError as error:
        return Unreadable(name, str(error))
    return Example(name, held[pictures[0]], f".{pictures[0]}", label, captions)


def _words(texts: dict[str, str], document: dict[str, object]) -> tuple[str, tuple[str, ...]]:
    """The label and the captions of an example; members of their own go before the document."""
    label = label_in(texts.get("cls", texts.get("cls.txt", texts.get("label", texts.get("class")))))
    captions = captions_in(texts.get("txt", texts.get("caption", "")).splitlines())
    label_key, caption_key = first_of(LABEL_FIELDS, document), first_of(CAPTION_FIELDS, document)
    return (
        label or label_in(document.get(label_key or "")),
        captions or captions_in(document.get(caption_key or "")),
    )
