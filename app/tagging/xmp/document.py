"""A sidecar as a tree whose elements and attributes know where they stand in its bytes. Knows no property.

SidecarError (a PicsiftError) is raised for whatever cannot be read or changed without a risk to what is there.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from xml.parsers import expat

from indexer.errors import PicsiftError
from indexer.metadata.xmp import MAX_BYTES

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_STARTS = (
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
_DECLARED = re.compile(r"<\?xml\s[^>]*?\sencoding\s*=\s*[\"']([^\"'>]*)[\"']")
_TAG = re.compile(rb"<([^\s/>]+)")
_ATTRIBUTE = re.compile(rb"""\s+([^\s=]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_TAG_END = re.compile(rb"\s*(/?)>")
_MAX_ELEMENTS = 200_000
_SEPARATOR = "\n"  # can stand in no namespace


class SidecarError(PicsiftError):
    """A sidecar cannot be read, or cannot be changed safely. Nothing was changed."""


@dataclass(slots=True, eq=False)
class Attribute:
    """An attribute; `start` is that of the blanks before it, `value_start` and `value_end` lie between its quotes."""

    name: str  # {namespace}local
    value: str
    start: int = 0
    value_start: int = 0
    value_end: int = 0

    @property
    def end(self) -> int:
        """After its closing quote."""
        return self.value_end + 1


@dataclass(slots=True, eq=False)
class Element:
    """An element; its text is that of its own level, without comments. A tree that is only read has no offsets."""

    name: str  # {namespace}local
    parent: Element | None = field(repr=False, default=None)
    attributes: list[Attribute] = field(default_factory=list)
    scope: dict[str, str] = field(default_factory=dict)  # prefix -> namespace
    tag: str = ""  # as it is written, with its prefix
    start: int = 0
    head_end: int = 0  # after the last attribute
    content: int = 0  # after the start tag
    content_end: int = 0  # before the end tag
    end: int = 0
    closed: bool = False  # <it/>
    children: list[Element] = field(repr=False, default_factory=list)
    text: str = ""

    def get(self, name: str) -> str | None:
        """The value of an attribute."""
        return next((attribute.value for attribute in self.attributes if attribute.name == name), None)


@dataclass(frozen=True)
class Document:
    """A sidecar taken apart: its text as UTF-8, the tree over that, and how to put it together again."""

    source: bytes
    root: Element
    bom: bytes
    codec: str
    tail: bytes  # NULs after the packet, as the packet has them

    def packed(self, source: bytes) -> bytes:
        """Another text in the same encoding."""
        return self.bom + source.decode().encode(self.codec) + self.tail


def open_document(packet: bytes) -> Document:
    """Take a sidecar apart.

    Raises:
        SidecarError: it is too large, has a document type, is in no Unicode encoding, or is no sound XML.
    """
    if len(packet) > MAX_BYTES:
        raise SidecarError(
            f"the sidecar has {len(packet)} bytes, and at most {MAX_BYTES} are read. Move it away and export again."
        )
    bom, codec = _encoding(packet)
    text = _decoded(packet[len(bom) :], codec, marked=bool(bom))
    body = text.rstrip("\0")
    if "<!DOCTYPE" in body:
        raise SidecarError(
            "the sidecar has a document type (DOCTYPE), which no sidecar needs and which may be hostile. Take it out."
        )
    source = body.encode()
    return Document(source, parse(source), bom, codec, text[len(body) :].encode(codec))


def _encoding(packet: bytes) -> tuple[bytes, str]:
    for bom, codec in _BOMS:
        if packet.startswith(bom):
            return bom, codec
    return b"", next((codec for start, codec in _STARTS if packet.startswith(start)), "utf-8")


def _decoded(packet: bytes, codec: str, *, marked: bool) -> str:
    try:
        text = packet.decode(codec)
    except UnicodeDecodeError as error:
        raise SidecarError(
            f"the sidecar is not in {codec.upper()}: byte {error.start} is none of it. Save it as UTF-8."
        ) from error
    declared = _DECLARED.match(text)
    if declared and codec == "utf-8" and not marked and declared[1].lower() not in ("utf-8", "utf8"):
        raise SidecarError(f"the sidecar is in {declared[1]}, which is not written. Save it as UTF-8.")
    return text


def parse(source: bytes) -> Element:
    """The tree over a text in UTF-8.

    Raises:
        SidecarError: it is no sound XML.
    """
    builder = _Builder(source)
    try:
        builder.parser.Parse(source, True)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise SidecarError(
            f"the sidecar is damaged: {reason} in line {error.lineno}. Repair it, or move it away and export again."
        ) from error
    if builder.root is None:
        raise SidecarError("the sidecar is empty. Move it away and export again.")
    return builder.root


def _clark(name: str) -> str:
    namespace, separator, local = name.rpartition(_SEPARATOR)
    return f"{{{namespace}}}{local}" if separator else local


class _Builder:
    """Builds the tree as expat reports its parts."""

    def __init__(self, source: bytes) -> None:
        self.root: Element | None = None
        self._source = source
        self._open: list[Element] = []
        self._text: list[list[str]] = []
        self._declared: dict[str, str] = {}
        self._count = 0
        self.parser = expat.ParserCreate("UTF-8", _SEPARATOR)
        self.parser.buffer_text = True
        self.parser.ordered_attributes = True
        self.parser.StartNamespaceDeclHandler = self._declare
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        handler: Callable[[str], None] = self._characters
        self.parser.CharacterDataHandler = handler

    def _declare(self, prefix: str | None, namespace: str | None) -> None:
        self._declared[prefix or ""] = namespace or ""

    def _characters(self, text: str) -> None:
        if self._text:
            self._text[-1].append(text)

    def _start(self, name: str, values: list[str]) -> None:
        self._count += 1
        if self._count > _MAX_ELEMENTS:
            raise SidecarError(f"the sidecar has more than {_MAX_ELEMENTS} elements. Move it away and export again.")
        parent = self._open[-1] if self._open else None
        scope = parent.scope if parent else {}
        element = Element(_clark(name), parent, scope=scope | self._declared if self._declared else scope)
        self._declared = {}
        element.start = self.parser.CurrentByteIndex
        _place(element, self._source, [_clark(name) for name in values[::2]], values[1::2])
        if parent is None:
            self.root = element
        else:
            parent.children.append(element)
        self._open.append(element)
        self._text.append([])

    def _end(self, _name: str) -> None:
        element = self._open.pop()
        element.text = "".join(self._text.pop())
        if not element.closed:
            element.content_end = self.parser.CurrentByteIndex
            element.end = self._source.index(b">", element.content_end) + 1


def _place(element: Element, source: bytes, names: list[str], values: list[str]) -> None:
    """Find the parts of a start tag that the parser found to be sound, namespace declarations aside."""
    tag = _TAG.match(source, element.start)
    if tag is None:
        raise SidecarError(f"the sidecar cannot be followed at byte {element.start}. Save it with another program.")
    element.tag, position = tag[1].decode(), tag.end()
    places: list[tuple[int, int, int]] = []
    while found := _ATTRIBUTE.match(source, position):
        position = found.end()
        if found[1] != b"xmlns" and not found[1].startswith(b"xmlns:"):
            places.append((found.start(), *found.span(2 if found[2] is not None else 3)))
    end = _TAG_END.match(source, position)
    if end is None or len(places) != len(names):
        raise SidecarError(f"the sidecar cannot be followed at byte {position}. Save it with another program.")
    element.attributes = [Attribute(*parts[:2], *parts[2]) for parts in zip(names, values, places, strict=True)]
    element.head_end, element.content, element.closed = position, end.end(), bool(end[1])
    element.content_end = element.end = element.content
