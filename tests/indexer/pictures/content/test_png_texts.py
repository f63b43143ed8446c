"""Texts and profiles in a PNG: however large they are unpacked, the picture is read, within bounds."""

import struct
from io import BytesIO
from zlib import compress, crc32

import pytest
from PIL import Image, ImageCms

from indexer.pictures import images
from indexer.pictures.content import png_texts

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" dc:title="At the lake"/></rdf:RDF></x:xmpmeta>'
)


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc32(kind + body))


def png(*chunks, behind=()):
    target = BytesIO()
    Image.new("RGB", (160, 120), (200, 30, 30)).save(target, "PNG")
    plain = target.getvalue()
    return plain[:33] + b"".join(chunks) + plain[33:-12] + b"".join(behind) + plain[-12:]


def read(source):
    return images.decode(source, min_side=64)


LONG_TEXT = chunk(b"zTXt", b"prompt\0\0" + compress(b"a dog " * 400_000))
ENDLESS = chunk(b"zTXt", b"key\0\0" + compress(bytes(100 << 20), 9))


@pytest.mark.parametrize("text", [LONG_TEXT, ENDLESS, chunk(b"zTXt", b"key\0\0damaged")])
@pytest.mark.parametrize("behind", [False, True])
def test_a_text_that_unpacks_to_megabytes_costs_no_picture(text, behind):
    found = read(png(behind=[text]) if behind else png(text))
    assert found.width == 160 and found.image.getpixel((9, 9)) == (200, 30, 30)


def test_endless_texts_are_unpacked_up_to_a_bound(monkeypatch):
    unpacked = []
    monkeypatch.setattr(
        png_texts.zlib, "decompressobj", lambda real=png_texts.zlib.decompressobj: Counted(real(), unpacked)
    )
    assert read(png(*[ENDLESS] * 100)).width == 160
    assert sum(unpacked) <= png_texts.MOST_TOGETHER


class Counted:
    def __init__(self, real, unpacked):
        self.real, self.unpacked = real, unpacked

    def decompress(self, packed, most):
        assert most > 0  # which would be no bound
        content = self.real.decompress(packed, most)
        self.unpacked.append(len(content))
        return content


def test_all_plain_texts_together_may_be_more_than_pillow_takes():
    assert read(png(*[chunk(b"tEXt", b"key\0" + b"x" * (1 << 20))] * 70)).width == 160


@pytest.mark.parametrize("flags", [b"\0\0", b"\1\0"])
def test_an_xmp_packet_of_megabytes_is_read(flags):
    packet = XMP + b" " * (3 << 20)
    body = b"XML:com.adobe.xmp\0" + flags + b"\0\0" + (compress(packet) if flags[0] else packet)
    assert read(png(chunk(b"iTXt", body))).metadata.title == "At the lake"


@pytest.mark.parametrize("megabytes", [0, 2])
def test_a_profile_of_megabytes_is_applied(megabytes):
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = (profile.index(name) + 4 for name in (b"rXYZ", b"gXYZ"))
    profile[red : red + 8], profile[green : green + 8] = profile[green : green + 8], profile[red : red + 8]
    profile += bytes(megabytes << 20)
    profile[:4] = struct.pack(">I", len(profile))
    found = read(png(chunk(b"iCCP", b"display\0\0" + compress(bytes(profile)))))
    assert found.image.getpixel((9, 9)) != (200, 30, 30)


def test_a_picture_without_such_texts_is_left_as_it_is():
    source = png(chunk(b"tEXt", b"key\0value"))
    assert png_texts.lightened(source)[0] is source
