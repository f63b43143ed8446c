"""What the journal of exports tells: an export, a file of it, and what either says once it is read. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from json import dumps, loads
from typing import Any, Literal, NamedTuple, Self

from indexer.catalog.tag_records import TagPath

StepState = Literal["planned", "done", "failed", "undone"]
UNDOING = "being put back"  # the reason of a step that is done, while its file is being put back, and after a kill
UNCLEAR = "interrupted"  # that of a failed step: nobody knows whether its file was written, and its old bytes are kept
GIVEN_UP = "given up"  # for the new file's SHA-256, without a way back: no file is taken for what was written then


@dataclass(frozen=True)
class Export:
    """One export; `finished_at` is None while it runs and after a kill.

    `files` were written, `put_back` of them are as before again, `unclear` others may be written or not; `kept_bytes`
    is what the way back takes, and with `forgotten` there is none any more.
    """

    id: int
    kind: str
    started_at: datetime
    finished_at: datetime | None
    undone_at: datetime | None
    files: int = 0
    put_back: int = 0
    kept_bytes: int = 0
    forgotten: bool = False
    unclear: int = 0

    @property
    def undoable(self) -> bool:
        """Whether there is something to put back, and the way back is kept."""
        return not self.undone_at and not self.forgotten and (self.files > self.put_back or self.unclear > 0)


@dataclass(frozen=True)
class Step:
    """One file of an export.

    Attributes:
        photo_id: whose tags it holds.
        path: absolute.
        before: its bytes before, None where it was not there; with `sha256_before`, what makes them of those after.
        sha256_after: hexadecimal, of what is to be written; GIVEN_UP where there is no way back any more.
        tags: those that this export added to it.
        mode: its permissions before.
        mtime_ns: its time before.
        state: how far it is.
        reason: why it failed.
        number: its place in the export.
        sha256_before: hexadecimal, of its bytes before, where `before` does not hold them.
        removed: tags that this export took out of it.
        content: the content hash of a photo that was written into, "" of a sidecar.
        export_id: its export.
    """

    photo_id: int
    path: str
    before: bytes | None
    sha256_after: str
    tags: tuple[TagPath, ...]
    mode: int | None = None
    mtime_ns: int | None = None
    state: StepState = "planned"
    reason: str | None = None
    number: int = 0
    sha256_before: str | None = None
    removed: tuple[TagPath, ...] = ()
    content: str = ""
    export_id: int = 0


@dataclass(frozen=True)
class Past:
    """What was let go of an export; it stands in its `plan`, as JSON.

    Attributes:
        files: that it wrote, and whose entries are gone.
        put_back: of these, those that are as before again.
        forgotten: whether there is no way back from it any more.
    """

    files: int = 0
    put_back: int = 0
    forgotten: bool = False

    @classmethod
    def of(cls, plan: str) -> Self:
        """What an export's plan says."""
        known = loads(plan)
        return cls(int(known.get("files", 0)), int(known.get("put_back", 0)), bool(known.get("forgotten", False)))

    def more(self, files: int, put_back: int = 0) -> Self:
        """The same once entries of more files are gone."""
        return replace(self, files=self.files + files, put_back=self.put_back + put_back)

    def text(self) -> str:
        """For the plan; what there is nothing of is left out."""
        return dumps({name: value for name, value in asdict(self).items() if value})


class Written(NamedTuple):
    """What an export wrote beside a photo, or into it, as far as later ones want to know it.

    Attributes:
        path: where it was then.
        digest: SHA-256 of what it became, hexadecimal; GIVEN_UP where its way back was.
        said: what `said_in` gives.
    """

    path: str
    digest: str
    said: dict[str, Any]


def said_in(text: str) -> dict[str, Any]:
    """What an entry says was `added` and `removed`, and the photo's `content`; journals of old have the first alone."""
    said = loads(text)
    return {"added": said, "removed": [], "content": ""} if isinstance(said, list) else said


def net(steps: Sequence[Mapping[str, Any]]) -> set[TagPath]:
    """The tags that entries, in the order in which they were written, added and did not take out again since."""
    tags: set[TagPath] = set()
    for said in steps:
        tags.update(tuple(tag) for tag in said["added"])
        tags.difference_update(tuple(tag) for tag in said["removed"])
    return tags


def ours_at(path: str, steps: Sequence[Written], is_it: Callable[[str], bool]) -> set[TagPath]:
    """The tags that a photo's sidecar has from exports, and that are ours to take out of it.

    Args:
        path: of the sidecar.
        steps: what was written beside the photo, in order.
        is_it: whether what was last written elsewhere, told by its digest, is this sidecar.
    """
    last = {one.path: one.digest for one in steps}
    places = {place for place, digest in last.items() if place == path or is_it(digest)}
    return net([one.said for one in steps if one.path in places])
