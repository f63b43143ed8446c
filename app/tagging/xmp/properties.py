"""The properties of a photo in a sidecar's tree, in every form that XMP writes them in, and what they say.

A form that could be misunderstood is a SidecarError: a property that is there twice, or is neither a text nor a list.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from app.tagging.xmp.document import Attribute, Element, SidecarError
from app.tagging.xmp.tag_entries import BAR, SLASH, Path, TagLists, clean_name, path_of

RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
XML = "{http://www.w3.org/XML/1998/namespace}"
DC = "{http://purl.org/dc/elements/1.1/}"
LIGHTROOM = "{http://ns.adobe.com/lightroom/1.0/}"
DIGIKAM = "{http://www.digikam.org/ns/1.0/}"
XMP = "{http://ns.adobe.com/xap/1.0/}"
COLLECTIONS = "{http://www.metadataworkinggroup.com/schemas/collections/}"

WORDS = DC + "subject"
BARS = LIGHTROOM + "hierarchicalSubject"
SLASHES = DIGIKAM + "TagsList"
RATING = XMP + "Rating"
TITLE = DC + "title"
DESCRIPTION = DC + "description"
ALBUMS = COLLECTIONS + "Collections"
ALBUM_NAME = COLLECTIONS + "CollectionName"
MARKS = {WORDS: "", BARS: BAR, SLASHES: SLASH}
"""What parts the levels in each list of tags."""
PROPERTIES = frozenset({*MARKS, RATING, TITLE, DESCRIPTION, ALBUMS})

_LANGUAGE = XML + "lang"
_PARSE_TYPE = RDF + "parseType"
_CONTAINERS = (RDF + "Bag", RDF + "Seq", RDF + "Alt")
_RATING = re.compile(r"(-1|[0-5])(?:\.0*)?", re.ASCII)


@dataclass(frozen=True)
class Described:
    """What a sidecar says of a photo, as far as picsift writes it. The names of tags and albums are in NFC."""

    tags: tuple[Path, ...] = ()
    rating: int | None = None  # -1 (rejected) to 5
    title: str | None = None
    description: str | None = None
    albums: tuple[str, ...] = ()


@dataclass(frozen=True)
class Property:
    """Where a property stands: an attribute of an element, or else an element."""

    element: Element
    attribute: Attribute | None = None

    @property
    def value(self) -> Element:
        """The element that holds the value: its own, or that of the value beside its qualifiers."""
        return holder(self.element)

    def container(self) -> Element | None:
        """The list that the property is, where it is not a single text."""
        return None if self.attribute else _container(self.value)

    def items(self) -> list[Element]:
        """The items of the list."""
        container = self.container()
        return container.children if container else []

    def texts(self) -> list[str]:
        """The texts of the items, or its own."""
        if self.attribute:
            return [self.attribute.value]
        if container := self.container():
            return [_text(item) for item in container.children]
        return [self.value.text] if self.value.text.strip() else []


@dataclass(frozen=True)
class Resource:
    """The photo in a tree: its RDF, the elements that describe it, and those of its properties that are ours."""

    rdf: Element
    descriptions: list[Element]
    properties: dict[str, Property]

    def texts(self, name: str) -> list[str]:
        """The texts of a property, none where it is not there."""
        found = self.properties.get(name)
        return found.texts() if found else []

    def tag_lists(self) -> TagLists:
        """The three lists of tags."""
        return TagLists(*([path_of(text, mark) for text in self.texts(name)] for name, mark in MARKS.items()))

    def described(self) -> Described:
        """What they all say."""
        return Described(
            tuple(self.tag_lists().tags()), self._rating(), self._default(TITLE), self._default(DESCRIPTION),
            self._albums(),
        )  # fmt: skip

    def _rating(self) -> int | None:
        text = single(self.properties[RATING]) if RATING in self.properties else ""
        match = _RATING.fullmatch(text.strip())
        return int(match[1]) if match else None

    def _default(self, name: str) -> str | None:
        found = self.properties.get(name)
        if found is None:
            return None
        texts, items = found.texts(), found.items()
        default = next((number for number, item in enumerate(items) if is_default(item)), 0)
        return texts[default] or None if texts else None

    def _albums(self) -> tuple[str, ...]:
        found = self.properties.get(ALBUMS)
        if found is None:
            return ()
        if found.attribute or (found.container() is None and found.value.text.strip()):
            raise _odd(ALBUMS)
        return tuple(dict.fromkeys(name for name in map(_album_name, found.items()) if name))


def resource(root: Element) -> Resource:
    """Find the photo in a tree.

    Raises:
        SidecarError: there is no RDF, or something in it cannot be understood for sure.
    """
    found = [element for element in _all(root) if element.name == RDF + "RDF"]
    if len(found) != 1:
        raise SidecarError(
            f"the file is XML with {len(found)} rdf:RDF elements, and a sidecar has one. Move it away and export again."
        )
    descriptions = found[0].children
    if other := next((element for element in descriptions if element.name != RDF + "Description"), None):
        raise SidecarError(f"the sidecar has {other.tag} where rdf:Description is due. Save it with another program.")
    if len({about for about in (element.get(RDF + "about") for element in descriptions) if about}) > 1:
        raise SidecarError("the sidecar describes several files (rdf:about). Move it away and export again.")
    return Resource(found[0], descriptions, _properties(descriptions))


def _all(root: Element) -> list[Element]:
    found = [root]
    for element in found:  # grows while it is walked
        found.extend(element.children)
    return found


def _properties(descriptions: list[Element]) -> dict[str, Property]:
    found: dict[str, Property] = {}
    for description in descriptions:
        places = [(attribute.name, Property(description, attribute)) for attribute in description.attributes]
        places += [(element.name, Property(element)) for element in description.children]
        for name, place in places:
            if name in PROPERTIES and found.setdefault(name, place) is not place:
                raise SidecarError(f"the sidecar has {_short(name)} twice. Take one out, or save it with exiftool.")
    return found


def _short(name: str) -> str:
    return name.rpartition("}")[2]


def _odd(name: str) -> SidecarError:
    return SidecarError(
        f"the sidecar writes {_short(name)} in a form that picsift does not change. Save it with exiftool or digiKam."
    )


def holder(element: Element) -> Element:
    """The element with the value of a property or an item: itself, or the rdf:value beside qualifiers."""
    plain = [attribute.name for attribute in element.attributes if attribute.name != _LANGUAGE]
    inside: Element | None = None
    if plain == [_PARSE_TYPE] and element.get(_PARSE_TYPE) == "Resource":
        inside = element
    elif not plain and [child.name for child in element.children] == [RDF + "Description"]:
        inside = element.children[0]
    elif plain:
        raise _odd(element.name)
    if inside is None:
        return element
    values = [child for child in inside.children if child.name == RDF + "value"]
    if len(values) != 1 or any(attribute.name != _LANGUAGE for attribute in values[0].attributes):
        raise _odd(element.name)
    return values[0]


def _container(value: Element) -> Element | None:
    if not value.children:
        return None
    container = value.children[0]
    sound = len(value.children) == 1 and container.name in _CONTAINERS and not value.text.strip()
    if not sound or container.text.strip() or any(item.name != RDF + "li" for item in container.children):
        raise _odd(value.name)
    return container


def _text(item: Element) -> str:
    value = holder(item)
    if value.children:
        raise _odd(item.name)
    return value.text


def single(found: Property) -> str:
    """The text of a property that may not be a list."""
    if found.container() is not None:
        raise _odd(found.element.name)
    return found.attribute.value if found.attribute else found.value.text


def is_default(item: Element) -> bool:
    """Whether an item is the one in the default language."""
    return (item.get(_LANGUAGE) or "").lower() == "x-default"


def default_item(items: list[Element]) -> Element | None:
    """The item in the default language; the first, where that names no language."""
    found = next((item for item in items if is_default(item)), None)
    return found or (items[0] if items and items[0].get(_LANGUAGE) is None else None)


def _album_name(item: Element) -> str:
    """The name of a collection, "" where it has none: its fields stand in the item, or in a description in it."""
    places = [item, *(child for child in item.children if child.name == RDF + "Description")]
    texts = [place.get(ALBUM_NAME) for place in places]
    texts += [child.text for place in places for child in place.children if child.name == ALBUM_NAME]
    return clean_name(next((text for text in texts if text), ""))
