"""A PNG without the texts and the profile that unpack to more than Pillow takes, which refuses the picture for them.

It is read that way since a display's profile of 2 MB, or a long text, is no damage. Nothing of the pixels is touched.
"""

import struct
import zlib

MOST_EACH = 1 << 20
"""Bytes, unpacked, of one text or profile: PngImagePlugin.MAX_TEXT_CHUNK."""
MOST_TOGETHER = 32 << 20
"""Bytes, unpacked, of all of them; half of PngImagePlugin.MAX_TEXT_MEMORY. Whatever comes behind is left out."""
_TEXTS = frozenset((b"tEXt", b"zTXt", b"iTXt", b"iCCP"))
_XMP = b"XML:com.adobe.xmp"


def lightened(source: bytes) -> tuple[bytes, dict[str, bytes]]:
    """The file as Pillow takes it, and the large profile and XMP packet that it lacks, by their names in Image.info."""
    kept: list[bytes] = []
    large: dict[str, bytes] = {}
    at = begin = 8
    left = MOST_TOGETHER
    while at + 12 <= len(source):
        size, kind = struct.unpack_from(">I4s", source, at)
        end = at + 12 + size
        if kind in _TEXTS and end <= len(source):
            body = source[at + 8 : end - 4]
            name, content = _unpacked(kind, body, left) if left else ("", b"")
            left -= min(left, len(content))
            if left == 0 or (len(content) > MOST_EACH and _is_packed(kind, body)):
                kept.append(source[begin:at])
                begin = end
                if left and name:
                    large.setdefault(name, content)
        at = end
    return (b"".join((source[:8], *kept, source[begin:])), large) if begin > 8 else (source, {})


def _is_packed(kind: bytes, body: bytes) -> bool:
    return kind in (b"zTXt", b"iCCP") or (kind == b"iTXt" and body[body.find(b"\0") + 1 :][:1] == b"\1")


def _unpacked(kind: bytes, body: bytes, most: int) -> tuple[str, bytes]:
    """Where Image.info has it, "" for nowhere; and what is in it, up to a size: nothing where it is damaged."""
    key, _, rest = body.partition(b"\0")
    name = "icc_profile" if kind == b"iCCP" else "xmp" if kind == b"iTXt" and key == _XMP else ""
    if not _is_packed(kind, body):
        return name, rest[:most]
    packed = rest[2:].split(b"\0", 2)[-1] if kind == b"iTXt" else rest[1:]
    try:
        return name, zlib.decompressobj().decompress(packed, most)
    except zlib.error:
        return name, b""
