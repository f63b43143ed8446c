"""Tiny pictures, red on the left and blue on the right, in each format that picsift reads: for `picsift doctor`.

Formats that Pillow surely writes are made when asked for; those that it may not, and a video, are kept here as bytes.
"""

import base64
import io
import zlib

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
    "TGA": "TGA",
    "QOI": "QOI",
    "PCX": "PCX",
    "SGI": "SGI",
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
_PACKED = {
    "RAW": (
        "eNrtl79OwlAUh09v/YNMQEATExOMMSjG5LZiTDqILiS46OxqGPERTMPgpmFyZfFNTPoQPoOjgxN4yr1DFycGjH7fyeH+aA/lft1uv9+W"
        "kojUZSorEogncPkij4VsgnCeK9qhz3mv+byXilT9vDRFaoWZRiFvFp65VZh/GoVi8v/Reh4FuqP5Bkwtc1lHpZ4Z2dA81d7O/G/1Y8fn"
        "tCuym5XnMyW9cJCtSqj5RvNt5vbQ8JqXd8NB8/p+IPLyoFYtkc+32SxfHz/c2np3a6/v7k8Ctx4bt5a+3P2rQ/f9pwYAAAAAAABYJqGE"
        "Y6Onf5G2Huqrmtc1n2vuvBopa+5V3GRs4yixZ4ntNCObRFESxXJk48Raf44+OR0OeaEAAAAAAAAAv5DJ/jhYpJdfixngjz/++OOPP/74"
        "448//vjjjz/++OOPP/7444//X/RPuxRFURRF/bf6BraHkaM="
    ),
}
"""Packed by zlib: a DNG without a preview, so that the sensor's data have to be developed."""

_VIDEO = (
    "eNp9UztLA0EQns3hCwQtUojEEEMEERUTxFKDiqSwEdFCLLxk98jhrXfcbQ4UFEV7BVFsBFttbPwDgpV/wk4EC8VGBeWc3STmEh/DzM7s"
    "zrczczN7ABAzxLpjejYHiIDUKBnujKYBoNVwGUM9wKkuUMf7yeXwY4QEjxd3L7udry9bE++n75tzzUFyvHt/G0Cb4bbtI9LifpFCHWkP"
    "SghIrhGpRzXus/AvRZAd4eqraC+LVZVT+xlN5v4/z695s98FpBgVHuoYszxRu1GJq+6SB05NHY0Ep43fXg60cKM2Q0VquVWPb1IWRi7i"
    "3s7pa9RiEkMOublmoBH1uQoaLjNFy74YdZkR+oz2kmslyjaZ90TeQvvJEx4NYe6KzE//0QpZaxZyqHN/IhqpKwhwLRX9whQhK2geqOP4"
    "M3x8vr0BdGgJjNKVJe0kCCRAkwhNcvzopK0Xnf2ThDR4zhI7TceLZur2flu+LlDLXhLBLdPk2r1KysZG88KtzIR0VsvxhJpXtXhSGWQM"
    "21CoP/+WKPo2Kr5k7axgh/CDKPkSFXLOS5wpLak3PFN8B67uOFa4P0Nm+eH0nQtbBuzBP0qvdnZW942xzHAaeSTzBemQgN8="
)

FORMATS = (*_WRITTEN_BY_PILLOW, *_KEPT, *_PACKED)


def sample_video() -> bytes:
    """A video of one second, coded in HEVC as telephones do."""
    return zlib.decompress(base64.b64decode(_VIDEO))


def sample(name: str) -> bytes:
    """The file of a tiny picture in one of FORMATS.

    Raises:
        OSError: Pillow was built without that format.
    """
    if name in _PACKED:
        return zlib.decompress(base64.b64decode(_PACKED[name]))
    if name in _KEPT:
        return base64.b64decode(_KEPT[name])
    image = Image.new("RGB", SIZE, RED)
    image.paste(BLUE, (SIZE[0] // 2, 0, *SIZE))
    target = io.BytesIO()
    image.save(target, _WRITTEN_BY_PILLOW[name])
    return target.getvalue()
