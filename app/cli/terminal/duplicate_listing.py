"""What `picsift duplicates` prints: groups for a terminal, a line for each photo in a pipe, or one JSON document."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING

from app.cli.terminal.documents import Document
from app.cli.terminal.output import field, say, shown_bytes, write_json
from app.clock import day_in_figures
from app.printable import printable
from indexer.counted import counted

if TYPE_CHECKING:
    from app.duplicates.duplicate_service import Duplicates, Group
    from indexer.catalog.records import PhotoRecord

BEST = "best"
SAID = {
    "exact": ("exact copy", "exact copies"),
    "near": ("nearly the same", "nearly the same"),
    "burst": ("of a burst", "of bursts"),
}  # of one and of several


def show_duplicates(found: Duplicates, *, json: bool) -> None:
    """The groups; on standard error what they come to, where a person reads it."""
    if json:
        write_json(document(found))
        return
    if sys.stdout.isatty():
        _write_groups(found)
    else:
        for number, group in enumerate(found.groups, 1):
            for kind, photo in _lines(group):
                print(f"{number}\t{kind}\t{field(photo.path, sys.stdout)}")  # noqa: T201
    say(summary(found))


def document(found: Duplicates) -> Document:
    """What `picsift duplicates --json` prints."""
    groups = [
        {
            "best": _photo(group.best),
            "others": [{"kind": one.kind.value, "of": str(one.of.path), **_photo(one.photo)} for one in group.others],
        }
        for group in found.groups
    ]
    return {
        "photos": found.photos,
        "by_vector": found.by_vector,
        "blank": found.blank,
        "hint": found.hint,
        "groups": groups,
    }


def summary(found: Duplicates) -> str:
    """A sentence or two of what was found."""
    others = [one for group in found.groups for one in group.others]
    if not found.photos:
        return found.hint or "no photo passes these filters."
    alone = ""
    if found.by_vector:
        alone += f" Without a thumbnail, {counted(found.by_vector, 'photo')} went by the vector alone."
    if found.blank:
        alone += f" Showing nearly nothing, {counted(found.blank, 'photo')} could only be exact copies or of a burst."
    if not others:
        return f"no duplicates among {counted(found.photos, 'photo')}.{alone}"
    kinds = Counter(one.kind.value for one in others)
    parts = ", ".join(counted(kinds[kind], *said) for kind, said in SAID.items() if kinds[kind])
    size = shown_bytes(sum(one.photo.size for one in others))
    groups = f"{counted(len(found.groups), 'group')} among {counted(found.photos, 'photo')}"
    return f"{groups}; beside the best ones {parts}: {size}. Nothing was changed.{alone}"


def _lines(group: Group) -> list[tuple[str, PhotoRecord]]:
    return [(BEST, group.best), *((one.kind.value, one.photo) for one in group.others)]


def _write_groups(found: Duplicates) -> None:
    """A block for each group, the path last and unbroken; what differs from the best one stands out."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    for number, group in enumerate(found.groups, 1):
        if number > 1:
            console.print()
        best = _columns(group.best)
        for at, (kind, photo) in enumerate(_lines(group)):
            parts: list[tuple[str, str]] = [
                (f"{number if not at else '':>4}", "dim"),
                (f"  {kind:<5}", "bold" if not at else ""),
            ]
            for wide, text, other in zip((11, 8, 5, 16), _columns(photo), best, strict=True):
                parts.append(
                    (f"  {text:<{wide}}" if wide != 8 else f"  {text:>{wide}}", "dim" if at and text == other else "")
                )
            parts.append((f"  {printable(photo.path)}", ""))
            if photo.missing_since is not None:
                parts.append(("  (not reachable)", "yellow"))
            if at and (of := group.others[at - 1].of).id != group.best.id:
                parts.append((f"  (of {printable(of.path.name)})", "dim"))
            console.print(Text.assemble(*parts))


def _columns(photo: PhotoRecord) -> tuple[str, str, str, str]:
    taken = day_in_figures(photo.taken_at, photo.taken_precision) if photo.taken_at else "–"
    pixels = f"{photo.width}x{photo.height}" if photo.width and photo.height else "–"
    return pixels, shown_bytes(photo.size), photo.format or "–", taken


def _photo(photo: PhotoRecord) -> Document:
    return {
        "path": str(photo.path),
        "width": photo.width,
        "height": photo.height,
        "bytes": photo.size,
        "format": photo.format,
        "taken_at": photo.taken_at.isoformat() if photo.taken_at else None,
        "reachable": photo.missing_since is None,
    }
