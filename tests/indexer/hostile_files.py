"""Files that mean harm, or look as if they did: made here byte by byte, for the tests of hostile files."""

import base64
import io
import random
import struct
import zlib

import numpy as np
from PIL import Image, TiffImagePlugin

from tests.indexer.heic_sample import HEIC

SIDE = 65535
WRITTEN = {
    "jpg": "JPEG",
    "png": "PNG",
    "webp": "WEBP",
    "gif": "GIF",
    "bmp": "BMP",
    "tif": "TIFF",
    "avif": "AVIF",
    "jp2": "JPEG2000",
    "ppm": "PPM",
}
JXL = base64.b64decode(
    "/wpPBgF4AwtUEgCACpVRxg1ezvV8+aHDYtrGdYa22rawhLHZXhgkTAAow1iFjVE4wDaqUtco1A8AZNnTwcrQAf9zHPEB//O54BAR"
    "ZNp5MebdBrAvOFbF8HTBCTHIOPVxzA3PcsNA5T1mdURjS4slHuSi0T+MrzwQBjcfzBx+1FiMNzd24ac9YkiIvMZgVgxAF8dAyxkA"
    "uNDKn7RMutWqrl0QK7cuWKeLvCnSATroVkiBA0qd7i5STBQrwF7VtZf2EDRWxh3A9riWAze/Bbb+JGqRqlnUak+K00JIHcpxiUrF"
    "MhxgAA=="
)
SIGNATURES = {
    "jpg": b"\xff\xd8\xff\xe0",
    "png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "webp": b"RIFF\xff\xff\0\0WEBPVP8 ",
    "gif": b"GIF89a",
    "bmp": b"BM",
    "tif": b"II*\0\x08\0\0\0",
    "avif": b"\0\0\0\x1cftypavif\0\0\0\0mif1avif",
    "heic": b"\0\0\0\x1cftypheic\0\0\0\0mif1heic",
    "jxl": b"\xff\x0a",
    "jp2": b"\xff\x4f\xff\x51",
    "ppm": b"P6 ",
}


def encoded(picture, format_, **options):
    target = io.BytesIO()
    picture.save(target, format_, **options)
    return target.getvalue()


def sound(picture):
    """A sound file in each format, by suffix."""
    return {suffix: encoded(picture, name) for suffix, name in WRITTEN.items()} | {"heic": HEIC, "jxl": JXL}


def truncated(picture):
    """Each sound file, cut at every tenth."""
    return {
        f"{suffix}-{tenth}.{suffix}": content[: len(content) * tenth // 10]
        for suffix, content in sound(picture).items()
        for tenth in range(10)
    }


def noise(seed):
    """Random bytes under a picture's name, with and without its first bytes, and in the place of its own."""
    rng = random.Random(seed)
    picture = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (24, 32, 3), dtype=np.uint8))
    files = {}
    for suffix, content in sound(picture).items():
        files[f"noise.{suffix}"] = rng.randbytes(3000)
        files[f"signed.{suffix}"] = SIGNATURES[suffix] + rng.randbytes(3000)
        half = len(content) // 2
        files[f"half.{suffix}"] = content[:half] + rng.randbytes(half)
        spoiled = bytearray(content)
        for at in rng.sample(range(12, len(spoiled)), min(40, len(spoiled) // 4)):
            spoiled[at] = rng.randrange(256)
        files[f"spoiled.{suffix}"] = bytes(spoiled)
    return files


def bombs(picture):
    """Headers that claim 65,535 pixels a side, each before the pixels of a small picture, or before none."""
    files = sound(picture)
    sides = struct.pack(">HH", SIDE, SIDE)
    jpeg, avif, jp2, webp, heic = (bytearray(files[name]) for name in ("jpg", "avif", "jp2", "webp", "heic"))
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = sides
    for iso in (avif, heic):
        at = iso.index(b"ispe") + 8
        iso[at : at + 8] = struct.pack(">II", SIDE, SIDE)
    at = jp2.index(b"ihdr") + 4
    jp2[at : at + 8] = struct.pack(">II", SIDE, SIDE)
    at = jp2.index(b"\xff\x51") + 6
    jp2[at : at + 8] = struct.pack(">II", SIDE, SIDE)
    canvas = b"VP8X" + struct.pack("<I", 10) + bytes(4) + 2 * struct.pack("<I", SIDE - 1)[:3]
    body = b"WEBP" + canvas + bytes(webp[12:])
    return {
        "bomb.jpg": bytes(jpeg),
        "bomb.png": png(SIDE, SIDE, zlib.compress(bytes(1000))),
        "bomb.gif": b"GIF89a" + struct.pack("<HH3B", SIDE, SIDE, 0, 0, 0) + b",\0\0\0\0" + sides + b"\0\x02\0;",
        "bomb.tif": tiff(SIDE, SIDE, next_ifd=0),
        "bomb.webp": b"RIFF" + struct.pack("<I", len(body)) + body,
        "bomb.avif": bytes(avif),
        "bomb.heic": bytes(heic),
        "bomb.jp2": bytes(jp2),
        "bomb.bmp": b"BM" + struct.pack("<IIIIiiHH6I", 66, 0, 54, 40, SIDE, SIDE, 1, 24, *[0] * 6) + bytes(12),
        "bomb.ppm": b"P6 65535 65535 255\n" + bytes(100),
    }


def endless_metadata(picture):
    """Metadata without measure before a sound picture."""
    jpeg = encoded(picture, "JPEG")
    segment = b"\xff\xe1" + struct.pack(">H", SIDE) + b"http://ns.adobe.com/xmp/extension/\0".ljust(SIDE - 2, b"x")
    blank = zeros(200 << 20)
    pixels = zlib.compress(b"".join(b"\0" + row.tobytes() for row in np.asarray(picture)))
    loop = b"Exif\0\0II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 0x8769, 4, 1, 8) + struct.pack("<I", 8)
    return {
        "app1.jpg": jpeg[:2] + segment * 960 + jpeg[2:],  # 60 MB
        "exif-loop.jpg": jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(loop) + 2) + loop + jpeg[2:],
        "ztxt.png": png(*picture.size, pixels, chunk(b"zTXt", b"Comment\0\0" + blank)),
        "itxt.png": png(*picture.size, pixels, chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + blank)),
        "profile.png": png(*picture.size, pixels, chunk(b"iCCP", b"profile\0\0" + blank)),
        "chunks.png": png(*picture.size, pixels, chunk(b"tEXt", b"Comment\0" + b"x" * 100) * 300_000),
        "ifd-loop.tif": tiff(32, 24, next_ifd=8),
    }


def zeros(length):
    """What zlib makes of that many zero bytes, put together from what it makes of a mebibyte of them."""
    packer = zlib.compressobj(9)
    head, block = (packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    rest = zlib.compressobj(9, wbits=-15)
    end = rest.compress(bytes(length % (1 << 20))) + rest.flush()
    checksum = struct.pack(">HH", length % 65521, 1)  # Adler-32 of zeros
    return head + block * ((length >> 20) - 1) + end + checksum


def chunk(kind, content):
    """One chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width, height, pixels, extra=b""):
    """A PNG of RGB, its pixels compressed already."""
    header = chunk(b"IHDR", struct.pack(">II5B", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def tiff(width, height, *, next_ifd):
    """A grey TIFF with its pixels behind one directory, which says where the next one is."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags.update({256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: 0, 277: 1, 278: height, 279: width * 24})
    directory = tags.tobytes(8)
    entries = 2 + 12 * struct.unpack_from("<H", directory)[0]
    directory = directory[:entries] + struct.pack("<I", next_ifd) + directory[entries + 4 :]
    return b"II*\0\x08\0\0\0" + directory + bytes(range(32)) * 24  # where Pillow lets 273 point
