"""One file of an export: written only if it is what the journal says, and put back only if it is what was written.

`Ready` is what is about to be written; what the journal keeps of it is a `Step`. A sidecar's old bytes stand there as
they were, a photo's as what makes them of the new ones (`byte_delta.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from app.tagging.export import byte_delta, safe_write
from app.tagging.export.sidecar_plan import Planned
from indexer.catalog.journal.records import GIVEN_UP, UNCLEAR, Step

CHANGED = "it was changed while the export ran. Export again."
UNKNOWN = "it cannot be told whether it was written. The next export or undo looks again."
CHANGED_SINCE = "it was changed since the export, or another file took its place; it is left as it is."
NO_WAY_BACK = "the way back was given up; it is left as it is."
GONE = "it is not there any more: it was moved or deleted since the export, or its drive is away."


@dataclass(frozen=True)
class Ready:
    """A file with its new bytes.

    Attributes:
        step: what the journal holds of it.
        after: the new bytes.
        expected: SHA-256 of what has to be there, hexadecimal; None where nothing has.
        mtime_ns: the time that it gets; None is now.
        like: take over owner and extended attributes of the old file.
        shortened: texts that IPTC in it has no room for.
    """

    step: Step
    after: bytes
    expected: str | None
    mtime_ns: int | None = None
    like: bool = False
    shortened: tuple[str, ...] = ()


def of_sidecar(file: Planned) -> Ready:
    """A sidecar, ready to be written."""
    after = hashlib.sha256(file.after).hexdigest()
    step = Step(
        file.photo.id, str(file.path), file.before, after, file.added, file.mode, file.mtime_ns, removed=file.removed
    )
    return Ready(step, file.after, None if file.before is None else hashlib.sha256(file.before).hexdigest())


def put(file: Ready) -> str | None:
    """Write one file; a sentence where it was left as it is, UNCLEAR where nobody can tell."""
    path = Path(file.step.path)
    try:
        found = safe_write.seen(path)
        if found.digest != file.expected:
            return CHANGED
        safe_write.replace(path, file.after, mode=file.step.mode, mtime_ns=file.mtime_ns, like=file.like, over=found)
    except safe_write.ChangedError:
        return CHANGED
    except OSError as error:
        state = found_as(file.step)  # the error may be of what came after
        known = None if state == "written" else f"it cannot be written: {error.strerror}."
        return known if state in ("written", "back") else UNCLEAR
    return None


def restore(step: Step, photo: Path | None) -> str | None:
    """Put one file back; a sentence where it was left as it is.

    Args:
        step: as the journal has it, at the place where the file is now.
        photo: where the photo is now that the file belongs to; None if the library has it no more.
    """
    path = Path(step.path)
    if step.sha256_after == GIVEN_UP:
        return NO_WAY_BACK
    try:
        found = safe_write.seen(path)
        if found.digest is None and not is_within_reach(step, photo):
            return GONE
        if found.digest == digest_before(step):
            return None  # a kill came between the file and the journal
        if found.digest is None:
            return GONE
        if found.digest != step.sha256_after:
            return CHANGED_SINCE
        if step.before is None:
            safe_write.remove(path, found)
            return None
        before = step.before
        if step.sha256_before is not None:
            before = byte_delta.applied(before, path.read_bytes())
            if hashlib.sha256(before).hexdigest() != step.sha256_before:
                return CHANGED_SINCE
        inside = step.sha256_before is not None
        safe_write.replace(path, before, mode=step.mode, mtime_ns=step.mtime_ns, like=inside, over=found)
    except safe_write.ChangedError:
        return CHANGED_SINCE
    except OSError as error:
        return f"it cannot be put back: {error.strerror}."
    return None


def found_as(step: Step) -> Literal["written", "back", "other"] | None:
    """Whether a file is as it was to become, as it was before, or otherwise; None where it cannot be read now."""
    try:
        digest = safe_write.digest(Path(step.path))
    except OSError:
        return None
    if digest == step.sha256_after:
        return "written"
    return "back" if digest == digest_before(step) else "other"


def is_within_reach(step: Step, photo: Path | None) -> bool:
    """Whether a file that is not there is known to be away for good: its photo lies beside where it was.

    A drive that is not plugged in leaves nothing at the paths of its files, as a deletion does.
    """
    return photo is not None and photo.parent == Path(step.path).parent and photo.exists()


def within_reach(steps: Iterable[Step], photos: Mapping[int, Path]) -> list[Step]:
    """Those of which the file, or the photo that it belongs to, is there to be looked at."""
    return [one for one in steps if Path(one.path).exists() or is_within_reach(one, photos.get(one.photo_id))]


def moved(step: Step, photo: Path | None) -> Step:
    """The step at the photo's present place, or beside it, if what was written is there, and not where it was.

    Else where its old bytes are, if those went with the photo.
    """
    if photo is None or photo == Path(step.path) or found_as(step) == "written":
        return step
    inside = step.sha256_before is not None
    places = (photo,) if inside else (photo.with_name(f"{photo.name}.xmp"), photo.with_suffix(".xmp"))
    there = [one for place in places if (one := replace(step, path=str(place))).path != step.path]
    if (written := next((one for one in there if found_as(one) == "written"), None)) is not None:
        return written
    if Path(step.path).exists() or digest_before(step) is None:
        return step
    return next((one for one in there if found_as(one) == "back"), step)


def digest_before(step: Step) -> str | None:
    """The SHA-256 of the file before the export, hexadecimal; None where there was none."""
    if step.sha256_before is not None or step.before is None:
        return step.sha256_before
    return hashlib.sha256(step.before).hexdigest()
