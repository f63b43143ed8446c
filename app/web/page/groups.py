"""Photos that are one picture as HTML: a row for each group, the best one first. Pure."""

from collections.abc import Iterable

from app.duplicates.duplicate_service import Duplicates, Group
from app.duplicates.kinds import Kind
from app.search.search_service import Hit
from app.web.page.gallery import none_passes, tile
from app.web.page.markup import safe
from app.web.page.viewer import amount
from indexer.catalog.records import PhotoRecord
from indexer.counted import counted

SAID = {Kind.exact: "exact copy", Kind.near: "nearly the same", Kind.burst: "of a burst"}


def page(found: Duplicates, groups: Iterable[Group]) -> str:
    """Some groups; why there is none where there is none."""
    if not found.photos:
        return none_passes(found.hint, "No photo to compare")  # filters are one reason for it
    if not found.groups:
        told = f"No two of {_photos(found.photos)} are one picture."
        if found.photos == 1:
            told = "There is only one photo, and none to compare it with."
        return f'<section class="notice"><h2>No duplicates</h2><p>{told}</p></section>'
    return "".join(map(_group, groups))


def summary(found: Duplicates) -> str:
    """How many groups there are, and what they would free."""
    size = sum(one.photo.size for group in found.groups for one in group.others)
    beside = f"; beside the best ones {amount(size)}" if found.groups else ""
    told = f"{counted(len(found.groups), 'group')} among {_photos(found.photos)}{beside}"
    return f'<p class="summary">{told} · nothing is deleted here</p>'


def _group(group: Group) -> str:
    rest = "".join(_member(one.photo, SAID[one.kind]) for one in group.others)
    return f'<section class="group"><ul class="tiles">{_member(group.best, "best")}{rest}</ul></section>'


def _member(photo: PhotoRecord, kind: str) -> str:
    pixels = f"{photo.width:,} × {photo.height:,}" if photo.width and photo.height else ""
    told = " · ".join(part for part in (kind, pixels, amount(photo.size)) if part)
    return tile(Hit(photo, None, moment_s=photo.poster_s), note=f'<p class="note">{safe(told)}</p>')


def _photos(count: int) -> str:
    return counted(count, "photo")
