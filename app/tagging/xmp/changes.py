"""What has to change in a sidecar for tags, words and albums to come and go, as changes to its bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from app.tagging.xmp import edits as xmp_edits
from app.tagging.xmp.document import Element, SidecarError
from app.tagging.xmp.edits import Edit, Layout
from app.tagging.xmp.properties import ALBUM_NAME, ALBUMS, MARKS, RDF, Property, Resource, default_item, holder
from app.tagging.xmp.tag_entries import ListChange, entry, path_of


class Changes:
    """Gathers the changes to one document."""

    def __init__(self, source: bytes, found: Resource) -> None:
        self._source, self._found = source, found
        self._edits: list[Edit] = []
        self._new: list[Callable[[dict[str, str], Layout], str]] = []

    def tags(self, name: str, change: ListChange) -> None:
        """Let entries of a list of tags go and come."""
        mark, found = MARKS[name], self._found.properties.get(name)
        texts = [entry(path, mark) if mark else path[0] for path in change.append]
        if found is None:
            if texts:
                self._add_list(name, "Bag", texts)
            return
        dropped = [number for number, said in enumerate(found.texts()) if path_of(said, mark) in change.drop]
        if dropped or texts:
            self._change_list(name, found, dropped, texts)

    def single(self, name: str, value: str) -> None:
        """Set a property that is one text."""
        found = self._found.properties.get(name)
        if found is None:
            self._new.append(lambda scope, layout: layout.before + _element(scope, name, value))
        else:
            self._set(found, value)

    def default(self, name: str, value: str) -> None:
        """Set a text in the default language."""
        found = self._found.properties.get(name)
        if found is None:
            self._add_list(name, "Alt", [value], ' xml:lang="x-default"')
            return
        container = found.container()
        if container is None:
            self._set(found, value)
        elif (item := default_item(container.children)) is not None:
            self._edits.append(xmp_edits.filled(self._source, holder(item), xmp_edits.text(value)))
        else:
            self._insert(container, [xmp_edits.item(_li(container), value, ' xml:lang="x-default"')], first=True)

    def albums(self, names: Sequence[str]) -> None:
        """Name more collections."""
        found = self._found.properties.get(ALBUMS)
        if not names:
            return
        container = found.container() if found else None
        if found is not None and container is None:
            raise SidecarError("the sidecar has Collections that are no list. Save it with exiftool or digiKam.")
        if container is not None:
            self._insert(container, [_album(container.scope, name) for name in names])
            return
        self._new.append(
            lambda scope, layout: xmp_edits.listed(
                scope, ALBUMS, "Bag", [_album(scope, name) for name in names], layout
            )
        )

    def edits(self) -> list[Edit]:
        """All changes, new properties among them."""
        return self._edits + list(self._added())

    def _set(self, found: Property, value: str) -> None:
        if found.attribute is None:
            if found.container() is not None:
                raise SidecarError(f"the sidecar has {found.element.tag} as a list. Save it with exiftool or digiKam.")
            self._edits.append(xmp_edits.filled(self._source, found.value, xmp_edits.text(value)))
            return
        start, end = found.attribute.value_start, found.attribute.value_end
        quote = self._source[start - 1 : start].decode()
        self._edits.append(Edit(start, end, xmp_edits.quoted(value, quote).encode()))

    def _add_list(self, name: str, kind: str, texts: Sequence[str], attributes: str = "") -> None:
        def written(scope: dict[str, str], layout: Layout) -> str:
            tag = xmp_edits.prefixed(scope, RDF + "li")[0]
            return xmp_edits.listed(scope, name, kind, [xmp_edits.item(tag, t, attributes) for t in texts], layout)

        self._new.append(written)

    def _change_list(self, name: str, found: Property, dropped: Sequence[int], texts: Sequence[str]) -> None:
        container = found.container()
        if container is None:  # one text, or none: written anew as a list
            kept = [said for number, said in enumerate(found.texts()) if number not in dropped]
            start, end = (found.attribute.start, found.attribute.end) if found.attribute else (0, 0)
            self._edits.append(Edit(start, end) if found.attribute else xmp_edits.without(self._source, found.element))
            if kept or texts:
                self._add_list(name, "Bag", [*kept, *texts])
            return
        items = container.children
        if len(dropped) == len(items) and not texts:
            self._edits.append(xmp_edits.without(self._source, found.element))
            return
        self._edits += [xmp_edits.without(self._source, items[number]) for number in dropped]
        if texts:
            self._insert(container, [xmp_edits.item(_li(container), said) for said in texts])

    def _insert(self, container: Element, items: Sequence[str], *, first: bool = False) -> None:
        layout = xmp_edits.layout(self._source, container)
        written = "".join(layout.before + item for item in items)
        if container.closed:
            outer = layout.before[: -len(layout.step)] if layout.before else ""
            self._edits.append(xmp_edits.filled(self._source, container, written + outer))
            return
        place = container.content if first or not container.children else container.children[-1].end
        self._edits.append(Edit(place, place, written.encode()))

    def _added(self) -> Iterator[Edit]:
        if not self._new:
            return
        if not self._found.descriptions:
            raise SidecarError("the sidecar describes nothing (rdf:Description). Move it away and export again.")
        target = next((one for one in self._found.descriptions if one.children), self._found.descriptions[0])
        layout = xmp_edits.layout(self._source, target)
        written = "".join(new(target.scope, layout) for new in self._new)
        if target.closed:
            outer = layout.before[: -len(layout.step)] if layout.before else ""
            yield xmp_edits.filled(self._source, target, written + outer)
        else:
            place = target.children[-1].end if target.children else target.content
            yield Edit(place, place, written.encode())


def _li(container: Element) -> str:
    """How the items of a list are written."""
    return container.children[0].tag if container.children else xmp_edits.prefixed(container.scope, RDF + "li")[0]


def _element(scope: dict[str, str], name: str, value: str) -> str:
    tag, declared = xmp_edits.prefixed(scope, name)
    return f"<{tag}{declared}>{xmp_edits.text(value)}</{tag}>"


def _album(scope: dict[str, str], name: str) -> str:
    tag, declared = xmp_edits.prefixed(scope, RDF + "li")
    kind, more = xmp_edits.prefixed(scope, RDF + "parseType", attribute=True)
    return f'<{tag}{declared}{more} {kind}="Resource">{_element(scope, ALBUM_NAME, name)}</{tag}>'
