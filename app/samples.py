"""Tiny pictures, red on the left and blue on the right, in each format that picsift reads: for `picsift doctor`.

Formats that Pillow surely writes are made when asked for; the three that it may not are kept here as bytes.
"""

import base64
import io

from PIL import Image

SIZE = (64, 64)
RED, BLUE = (200, 30, 30), (30, 30, 200)

_WRITTEN_BY_PILLOW = {
    "JPEG": "JPEG",
    "PNG": "PNG",
    "WebP": "WEBP",
    "GIF": "GIF",
    "BMP": "BMP",
    "TIFF": "TIFF",
    "JPEG 2000": "JPEG2000",
}
_KEPT = {
    "AVIF": (
        "AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUIAAADrbWV0YQAAAAAAAAAhaGRscgAAAAAAAAAAcGljdAAAAAAAAAAAAAAA"
        "AAAAAAAOcGl0bQAAAAAAAQAAAB5pbG9jAAAAAEQAAAEAAQAAAAEAAAETAAAANQAAAChpaW5mAAAAAAABAAAAGmluZmUCAAAAAAEA"
        "AGF2MDFDb2xvcgAAAABqaXBycAAAAEtpcGNvAAAAFGlzcGUAAAAAAAAAQAAAAEAAAAAQcGl4aQAAAAADCAgIAAAADGF2MUOBAAwA"
        "AAAAE2NvbHJuY2x4AAEADQAGgAAAABdpcG1hAAAAAAAAAAEAAQQBAoMEAAAAPW1kYXQSAAoJGBV//aICGg0IMiYZR4eGIYeeeeaA"
        "AADPzEUivgjr0ncWUYTbalv3wAoBiDvMo6Qytw=="
    ),
    "HEIC": (
        "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAVZtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAA"
        "ACJpbG9jAAAAAERAAAEAAQAAAAABegABAAAAAAAAACsAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRt"
        "AAAAAAABAAAA1mlwcnAAAAC3aXBjbwAAAHhodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMA"
        "AAMAHroCQGEAAQArQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbqSSmubgIaDAgAAAMAyAAAAwAIQGIAAQAHRAHBcrAiQAAAABNjb2xy"
        "bmNseAABAA0ABoAAAAAUaXNwZQAAAAAAAABAAAAAQAAAABBwaXhpAAAAAAMICAgAAAAXaXBtYQAAAAAAAAABAAEEgQIDBAAAADNt"
        "ZGF0AAAAJygBrxOA5TPAn//wUqP/3Ws8Pwd7Kr/954xH9A1j/8XptykV//U9/A=="
    ),
    "JPEG XL": (
        "/wpPBgF4AwtUEgCACpVRxg1ezvV8+aHDYtrGdYa22rawhLHZXhgkTAAow1iFjVE4wDaqUtco1A8AZNnTwcrQAf9zHPEB//O54BAR"
        "ZNp5MebdBrAvOFbF8HTBCTHIOPVxzA3PcsNA5T1mdURjS4slHuSi0T+MrzwQBjcfzBx+1FiMNzd24ac9YkiIvMZgVgxAF8dAyxkA"
        "uNDKn7RMutWqrl0QK7cuWKeLvCnSATroVkiBA0qd7i5STBQrwF7VtZf2EDRWxh3A9riWAze/Bbb+JGqRqlnUak+K00JIHcpxiUrF"
        "MhxgAA=="
    ),
}
FORMATS = (*_WRITTEN_BY_PILLOW, *_KEPT)


def sample(name: str) -> bytes:
    """The file of a tiny picture in one of FORMATS.

    Raises:
        OSError: Pillow was built without that format.
    """
    if name in _KEPT:
        return base64.b64decode(_KEPT[name])
    image = Image.new("RGB", SIZE, RED)
    image.paste(BLUE, (SIZE[0] // 2, 0, *SIZE))
    target = io.BytesIO()
    image.save(target, _WRITTEN_BY_PILLOW[name])
    return target.getvalue()
