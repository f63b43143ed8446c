"""Tags and words merged into a sidecar: every byte stays that belongs to nothing that changes. Bytes in, bytes out.

What comes out is read again before it is given: it says what it should, and everything else says what it said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.tagging.xmp import edits as xmp_edits
from app.tagging.xmp.changes import Changes
from app.tagging.xmp.document import Document, Element, SidecarError, open_document, parse
from app.tagging.xmp.properties import BARS, DESCRIPTION, PROPERTIES, RATING, SLASHES, TITLE, WORDS, Described, resource
from app.tagging.xmp.tag_entries import Path, TagChange, clean_name, sound_text, tag_change

__all__ = ["Described", "SidecarError", "Wanted", "described", "merged"]

FRESH = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
    ' <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n'
    '  <rdf:Description rdf:about=""\n'
    '    xmlns:dc="http://purl.org/dc/elements/1.1/"\n'
    '    xmlns:digiKam="http://www.digikam.org/ns/1.0/"\n'
    '    xmlns:lr="http://ns.adobe.com/lightroom/1.0/"\n'
    '    xmlns:xmp="http://ns.adobe.com/xap/1.0/">\n'
    "  </rdf:Description>\n"
    " </rdf:RDF>\n"
    "</x:xmpmeta>\n"
    '<?xpacket end="w"?>\n'
).encode()


@dataclass(frozen=True)
class Wanted:
    """What a sidecar is to say.

    Attributes:
        add: tags that it is to have, each with its levels.
        remove: tags that it is not to have any more; picsift names those alone that it wrote itself.
        rating: -1 to 5; None leaves it as it is, as for the next two.
        title: in the default language.
        description: the same.
        albums: collections that it is to name, beside those that it does.
    """

    add: tuple[Path, ...] = ()
    remove: tuple[Path, ...] = ()
    rating: int | None = None
    title: str | None = None
    description: str | None = None
    albums: tuple[str, ...] = ()


def described(packet: bytes) -> Described:
    """What a sidecar says of its photo.

    Raises:
        SidecarError: it cannot be read, or not for sure.
    """
    return resource(open_document(packet).root).described()


def merged(packet: bytes | None, wanted: Wanted) -> bytes:
    """A sidecar that says what is wanted beside all that it said; the very same bytes where it does already.

    Args:
        packet: the sidecar, None for a new one.
        wanted: what it is to say.

    Raises:
        SidecarError: it cannot be read or changed safely; the message says why.
    """
    document = open_document(FRESH if packet is None else packet)
    found = resource(document.root)
    before, change = found.described(), tag_change(found.tag_lists(), wanted.add, wanted.remove)
    merge = Changes(document.source, found)
    for name, part in ((WORDS, change.words), (BARS, change.bars), (SLASHES, change.slashes)):
        merge.tags(name, part)
    if wanted.rating is not None and wanted.rating != before.rating:
        merge.single(RATING, str(wanted.rating))
    for name, value in ((TITLE, wanted.title), (DESCRIPTION, wanted.description)):
        if value and (clean := sound_text(value)).strip() and clean != _field(before, name):
            merge.default(name, clean)
    names = [name for name in dict.fromkeys(map(clean_name, wanted.albums)) if name and name not in before.albums]
    merge.albums(names)
    edits = merge.edits()
    if not edits and packet is not None:
        return packet
    source = xmp_edits.applied(document.source, edits)
    _prove(document, source, change, before, wanted, names)
    return document.packed(source)


def _field(said: Described, name: str) -> str | None:
    return said.title if name == TITLE else said.description


def _prove(
    document: Document, source: bytes, change: TagChange, before: Described, wanted: Wanted, albums: Sequence[str]
) -> None:
    """Read what is to be written: it says what it should, and all the rest is as it was.

    Raises:
        SidecarError: else.
    """
    root = parse(source)
    after = resource(root).described()
    expected = Described(
        tags=after.tags,
        rating=before.rating if wanted.rating is None else wanted.rating,
        title=_said(wanted.title, before.title),
        description=_said(wanted.description, before.description),
        albums=(*before.albums, *albums),
    )
    if after != expected or set(after.tags) != set(change.tags) or _rest(root) != _rest(document.root):
        raise SidecarError("the sidecar is written in a way that picsift cannot change safely. Save it with exiftool.")


def _said(value: str | None, before: str | None) -> str | None:
    clean = sound_text(value or "")
    return clean if clean.strip() else before


def _rest(element: Element) -> tuple[Any, ...]:
    """Everything in a tree but the properties that picsift writes."""
    attributes = sorted((one.name, one.value) for one in element.attributes if one.name not in PROPERTIES)
    children = [_rest(child) for child in element.children if child.name not in PROPERTIES]
    return element.name, attributes, element.text.strip(), children
