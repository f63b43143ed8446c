"""A photo with new words in it, made by ExifTool from a copy and proved before the photo itself is touched.

Proved is: the hash of the coded picture, the one that the indexer knows photos by, is what it was; the packet and the
block say, read again, what was written; everything else that ExifTool can tell of the file is as it was; all other
parts of the file, what follows the picture among them, are there to the byte and in order (`structure.py`); and picsift
itself still decodes it.
"""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Mapping
from typing import Any

from app.tagging.exiftool import working_folder
from app.tagging.exiftool.exiftool import ExifTool
from app.tagging.exiftool.kept_process import ExifToolError
from app.tagging.exiftool.questions import Inside, dumped, dumping, inside, reading
from app.tagging.export import byte_delta, iptc_block, structure
from app.tagging.export.file_plan import ELSE_BESIDE, SUFFIXES, FileChange, PlannedFile, change
from app.tagging.export.iptc_block import IptcError
from app.tagging.export.journal_steps import CHANGED, Ready, of_sidecar
from app.tagging.export.plan_token import Outcome
from app.tagging.export.sidecar_plan import Planned, Refused
from app.tagging.export.way_back import ExportReport
from app.tagging.xmp.merge import SidecarError
from indexer.catalog.journal.records import Step
from indexer.errors import ImageError, PicsiftError
from indexer.pictures import images
from indexer.pictures.content.picture_hash import coded_parts, hash_bytes, is_whole

_PACKET, _BLOCK = "packet", "block"
_MAX_PIXELS = 1 << 31  # of files that were photos before
_END = re.compile(rb"<\?xpacket end=.*\Z|\s+\Z", re.DOTALL)  # ExifTool writes a line end and a mark of its own there
_OURS = re.compile(
    r"IPTC:(Keywords|ObjectName|Caption-Abstract|CodedCharacterSet|ApplicationRecordVersion)|Photoshop:IPTCDigest|"
    r"XMP-(dc|lr|digiKam|xmp|mwg-coll|x):(Subject|Title|Description|HierarchicalSubject|TagsList|Rating|Collections|"
    r"XMPToolkit)\b.*"
)
_PLACES = re.compile(
    r"(Offsets?|Start|MediaData|MediaDataSize|WebP_Flags|GIFVersion)$"
)  # where things lie, what is there


class FileRefusedError(PicsiftError):
    """A photo cannot be written into without a doubt; it is as it was."""


def made(outcome: Outcome, tool: ExifTool | None, report: ExportReport) -> Ready | None:
    """What is to be written of a plan; None where that is nothing, which the report says."""
    if isinstance(outcome, Planned):
        return of_sidecar(outcome)
    if isinstance(outcome, PlannedFile) and tool is not None:
        try:
            file = ready(outcome, tool)
        except (FileRefusedError, ExifToolError, SidecarError, IptcError) as error:
            report.refused.append((outcome.path, str(error)))
            return None
        except OSError as error:
            report.refused.append((outcome.path, f"it cannot be written: {error.strerror}."))
            return None
        if file is not None:
            return file
    if isinstance(outcome, Refused):
        report.refused.append((outcome.path, outcome.reason))
    else:
        report.unchanged += 1
    return None


def ready(planned: PlannedFile, tool: ExifTool) -> Ready | None:
    """The photo with what was planned, made anew from what the file is now; None where it says it all by now.

    Raises:
        FileRefusedError: anything about the result is in doubt; the message says what.
        SidecarError: its XMP cannot be changed safely.
        IptcError: its IPTC cannot.
        ExifToolError: ExifTool does not work.
        OSError: the file cannot be read, or the copy not be written.
    """
    photo, path = planned.photo, planned.path
    status, before = path.stat(), path.read_bytes()
    known = photo.content_hash or ""
    if hash_bytes(before, like=[known]) != known:
        raise FileRefusedError("it was changed since it was indexed. It has to be indexed again first.")
    form = photo.format or ""
    staying = _rest(before, form)
    working_folder.emptied(tool.folder)  # of what a photo before, at which ExifTool hung, left
    name = f"photo{SUFFIXES[form]}"
    (tool.folder / name).write_bytes(before)
    *said, told = tool.run([*reading(name), dumping(name)])
    found = inside(*said)
    change_now = change(photo, planned.said, found)
    if not change_now:
        return None
    if change_now != planned.change:
        raise FileRefusedError(CHANGED)
    done, *said, told_after = tool.run([_writing(tool, change_now, name), *reading(name), dumping(name)])
    after = (tool.folder / name).read_bytes()
    if done.trouble.startswith("Error") or after == before:
        raise FileRefusedError(f"ExifTool does not write it: {done.trouble or 'nothing changed'}. {ELSE_BESIDE}")
    _require_same_picture(before, after)
    _require_read(change_now, found, inside(*said))
    _require_rest(dumped(told), dumped(told_after))
    _require_structure(staying, after, form, found.xmp)
    _require_decoded(after, path.suffix.lower())
    delta = byte_delta.delta(before, after, (coded_parts(before) or [])[1:])
    old, new = (hashlib.sha256(content).hexdigest() for content in (before, after))
    if byte_delta.applied(delta, after) != before:
        raise FileRefusedError("the way back cannot be kept.")
    undated = photo.taken_source in (None, "file")  # its time is all that dates it
    step = Step(
        *(photo.id, str(path), delta, new, change_now.added, stat.S_IMODE(status.st_mode), status.st_mtime_ns),
        sha256_before=old,
        removed=change_now.removed,
        content=known,
    )
    mtime_ns = status.st_mtime_ns if undated else None
    return Ready(step, after, old, mtime_ns, like=True, shortened=change_now.shortened)


def _writing(tool: ExifTool, wanted: FileChange, name: str) -> list[str]:
    """The command that writes both into the copy; minor errors are let pass where a bare codestream needs a box."""
    command = ["-q", "-overwrite_original", *(["-m"] if name.endswith(".jxl") else [])]
    if wanted.xmp is not None:
        (tool.folder / _PACKET).write_bytes(wanted.xmp)
        command.append(f"-XMP<={_PACKET}")
    if wanted.iptc is not None:
        (tool.folder / _BLOCK).write_bytes(wanted.iptc)
        command += [f"-IPTC<={_BLOCK}", "-IPTCDigest=new"]
    return [*command, name]


def _require_same_picture(before: bytes, after: bytes) -> None:
    content = hash_bytes(before)
    if is_whole(content) or hash_bytes(after) != content:
        raise FileRefusedError(f"that the picture in it stays as it is cannot be proved. {ELSE_BESIDE}")


def _rest(source: bytes, form: str) -> structure.Rest:
    try:
        return structure.rest(source, form)
    except structure.OddError as error:
        raise FileRefusedError(f"{error} {ELSE_BESIDE}") from error


def _require_structure(staying: structure.Rest, after: bytes, form: str, packet: bytes | None) -> None:
    try:
        structure.require_kept(staying, after, form, packet)
    except structure.OddError as error:
        raise FileRefusedError(f"{error} {ELSE_BESIDE}") from error


def _require_decoded(after: bytes, suffix: str) -> None:
    try:
        images.decode(after, min_side=1, max_pixels=_MAX_PIXELS, suffix=suffix)
    except ImageError as error:
        raise FileRefusedError(f"picsift could not open it any more: {error}. {ELSE_BESIDE}") from error


def _require_read(wanted: FileChange, before: Inside, found: Inside) -> None:
    xmp = wanted.xmp is None or (found.xmp is not None and _END.sub(b"", found.xmp) == _END.sub(b"", wanted.xmp))
    if not xmp or (wanted.iptc is not None and (found.iptc or b"").rstrip(b"\0") != wanted.iptc.rstrip(b"\0")):
        raise FileRefusedError(f"what was written into a copy is read otherwise. {ELSE_BESIDE}")
    if wanted.iptc is not None and iptc_block.foreign(before.iptc) != iptc_block.foreign(found.iptc):
        raise FileRefusedError(f"IPTC of other programs in it would change. {ELSE_BESIDE}")


def _require_rest(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Everything that the file said beside the words that picsift writes, but for where things lie in it."""
    for name, value in before.items():
        if not _OURS.fullmatch(name) and not _PLACES.search(name) and after.get(name) != value:
            raise FileRefusedError(f"ExifTool would change {name} in it. {ELSE_BESIDE}")
