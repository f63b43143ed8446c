"""Changes to a sidecar's bytes, and the text of new elements in its own prefixes and indentation. Knows no property."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from app.tagging.xmp.document import Element
from app.tagging.xmp.properties import COLLECTIONS, DC, DIGIKAM, LIGHTROOM, RDF, XMP

USUAL = {RDF: "rdf", DC: "dc", LIGHTROOM: "lr", DIGIKAM: "digiKam", XMP: "xmp", COLLECTIONS: "mwg-coll"}


@dataclass(frozen=True)
class Edit:
    """These bytes in place of those from `start` to `end`."""

    start: int
    end: int
    text: bytes = b""


def applied(source: bytes, edits: Iterable[Edit]) -> bytes:
    """The source with all changes made; none may overlap another."""
    parts, position = [], 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        if edit.start < position:
            raise ValueError(f"two changes overlap at byte {edit.start}")
        parts += [source[position : edit.start], edit.text]
        position = edit.end
    return b"".join([*parts, source[position:]])


@dataclass(frozen=True)
class Layout:
    """How new elements are set: what stands before them, and what is added to it a level deeper."""

    before: str
    step: str

    def deeper(self) -> Layout:
        """That of the level below."""
        return Layout(self.before + self.step if self.before else "", self.step)


def gap(source: bytes, element: Element, place: int) -> str:
    """The blanks before the child number `place` of an element; "" where more than blanks stands there."""
    start = element.children[place - 1].end if place else element.content
    between = source[start : element.children[place].start].decode()
    return "" if between.strip() else between


def layout(source: bytes, element: Element) -> Layout:
    """How the children of an element are set, or would be."""
    own = _indentation(source, element)
    if element.children:
        before = gap(source, element, len(element.children) - 1)
        line, _, indent = before.rpartition("\n")
        step = indent[len(own.rpartition("\n")[2]) :] if before else ""
        end = "\r\n" if line.endswith("\r") else "\n"
        return Layout(f"{end}{indent}" if before else "", step or " ")
    return Layout(own + " " if own else "", " ")


def _indentation(source: bytes, element: Element) -> str:
    """The line end and the blanks before an element; "" where it begins no line."""
    line = source.rfind(b"\n", 0, element.start)
    before = source[line + 1 : element.start]
    if line < 0 or before.strip():
        return ""
    return ("\r\n" if source[line - 1 : line] == b"\r" else "\n") + before.decode()


def prefixed(scope: dict[str, str], name: str, *, attribute: bool = False) -> tuple[str, str]:
    """A name as it is written where these prefixes hold, and the declaration that it needs there, or ""."""
    namespace, _, local = name[1:].partition("}")
    known = [prefix for prefix, bound in scope.items() if bound == namespace and (prefix or not attribute)]
    if known:
        prefix = known[0]
        return (f"{prefix}:{local}" if prefix else local), ""
    prefix = USUAL["{" + namespace + "}"]
    while prefix in scope:
        prefix += "_"
    return f"{prefix}:{local}", f' xmlns:{prefix}="{namespace}"'


def text(value: str) -> str:
    """A text as it stands between two tags."""
    return escape(value)


def quoted(value: str, quote: str) -> str:
    """A text as it stands between two quotes."""
    return escape(value, {quote: "&quot;" if quote == '"' else "&apos;", "\n": "&#10;", "\t": "&#9;"})


def listed(scope: dict[str, str], name: str, kind: str, items: Sequence[str], set_as: Layout) -> str:
    """A property that is a list: its items are written already, each a whole rdf:li."""
    tag, declared = prefixed(scope, name)
    container, more = prefixed(scope, RDF + kind)
    inner, deepest = set_as.deeper(), set_as.deeper().deeper()
    body = "".join(deepest.before + item for item in items)
    opened = f"{set_as.before}<{tag}{declared}{more}>{inner.before}<{container}>"
    return f"{opened}{body}{inner.before}</{container}>{set_as.before}</{tag}>"


def item(tag: str, value: str, attributes: str = "") -> str:
    """One item of a list."""
    return f"<{tag}{attributes}>{text(value)}</{tag}>"


def attribute(name: str, value: str) -> str:
    """An attribute with the blank before it."""
    return f" {name}={quoteattr(value)}"


def filled(source: bytes, element: Element, content: str) -> Edit:
    """An element that holds this instead, whatever it held."""
    if element.closed:
        return Edit(element.head_end, element.end, f">{content}</{element.tag}>".encode())
    return Edit(element.content, element.content_end, content.encode())


def without(source: bytes, element: Element) -> Edit:
    """An element taken out, with the blanks before it."""
    start = element.start
    while start and source[start - 1 : start].isspace():
        start -= 1
    return Edit(start, element.end)
