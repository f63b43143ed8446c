"""What ExifTool is asked about a file, and what its answers mean. Nothing is run here."""

from __future__ import annotations

from json import loads
from typing import Any, NamedTuple

from app.tagging.exiftool.kept_process import ExifToolError, Said

_DUMP = ("-j", "-G1:4", "-a", "-u", "-n", "-struct", "--File:all", "--System:all", "--ExifTool:all", "--Composite:all")


class Inside(NamedTuple):
    """What a file holds: its XMP packet and its IPTC block, None where it has none, and why it cannot be told."""

    xmp: bytes | None = None
    iptc: bytes | None = None
    trouble: str = ""


def reading(name: str) -> list[list[str]]:
    """The two commands that read a file in the folder."""
    return [["-b", "-XMP", name], ["-b", "-IPTC", name]]


def inside(xmp: Said, iptc: Said) -> Inside:
    """What they said."""
    trouble = next((said.trouble for said in (xmp, iptc) if said.trouble.startswith("Error")), "")
    return Inside(xmp.out or None, iptc.out or None, trouble)


def dumping(name: str) -> list[str]:
    """The command that tells everything that a file says, to be compared."""
    return [*_DUMP, name]


def dumped(said: Said) -> dict[str, Any]:
    """What that said.

    Raises:
        ExifToolError: it cannot be read.
    """
    try:
        [found] = loads(said.out)
    except ValueError as error:
        raise ExifToolError(said.trouble or "ExifTool cannot read it") from error
    return {name: value for name, value in found.items() if name != "SourceFile"}
