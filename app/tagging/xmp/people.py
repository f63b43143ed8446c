"""Who is in a photo by a sidecar's tree, and which program wrote it, where it says that. Pure; it changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from app.tagging.xmp.document import Element
from app.tagging.xmp.properties import DIGIKAM, SLASHES, XMP
from app.tagging.xmp.tag_entries import clean_name

_REGIONS = "{http://www.metadataworkinggroup.com/schemas/regions/}"  # digiKam, Lightroom, Picasa, Apple
_MICROSOFT = "{http://ns.microsoft.com/photo/1.2/t/Region#}PersonDisplayName"  # Windows, digiKam
_IPTC = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}PersonInImage"
_DARKTABLE = "{http://darktable.sf.net/}"
_CREATOR = XMP + "CreatorTool"
_PROGRAMS = {
    **{name: name for name in ("lightroom", "digikam", "darktable", "immich", "photoshop", "bridge", "rawtherapee")},
    **{
        "capture one": "capture one",
        "acdsee": "acdsee",
        "picasa": "picasa",
        "xnview": "xnview",
        "shotwell": "shotwell",
    },
}


def people(root: Element) -> list[str]:
    """The clean names of the people in a photo, each once: of regions that are faces, and of IPTC's list."""
    names = [name for element in _all(root) for name in _named(element)]
    return [name for name in dict.fromkeys(map(clean_name, names)) if name]


def program(root: Element) -> str | None:
    """The program that wrote a sidecar, in lower case; None where it does not say, or says one that nobody knows."""
    elements = list(_all(root))
    tools = [text.casefold() for element in elements for text in _texts(element, _CREATOR)]
    if found := next((name for tool in tools for mark, name in _PROGRAMS.items() if mark in tool), None):
        return found
    names = {name for one in elements for name in (one.name, *(attribute.name for attribute in one.attributes))}
    if any(name.startswith(_DARKTABLE) for name in names):
        return "darktable"
    # Its list of tags alone says nothing: picsift and others write that too.
    return "digikam" if any(name.startswith(DIGIKAM) and name != SLASHES for name in names) else None


def _named(element: Element) -> Iterator[str]:
    if "Face" in _texts(element, _REGIONS + "Type"):
        yield from _texts(element, _REGIONS + "Name")
    yield from _texts(element, _MICROSOFT)
    if element.name == _IPTC:
        yield from (item.text for listed in element.children for item in listed.children)


def _texts(element: Element, name: str) -> list[str]:
    """A field of a structure: an attribute of its element, or an element in it."""
    own = element.get(name)
    return ([own] if own else []) + [child.text for child in element.children if child.name == name]


def _all(root: Element) -> Iterator[Element]:
    waiting = [root]
    while waiting:
        element = waiting.pop()
        yield element
        waiting.extend(reversed(element.children))
