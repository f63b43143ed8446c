"""XMP in formats of which Pillow reads none: what is said there is what the photo says."""

import io
import struct

import pytest
from PIL import Image

from indexer.pictures import images

PACKET = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" dc:title="Lake"/></rdf:RDF></x:xmpmeta>'
)
TAIL = b"\x01" + bytes(range(255, -1, -1)) + b"\0"


def encoded(format_):
    target = io.BytesIO()
    Image.effect_noise((160, 120), 90).save(target, format_)
    return target.getvalue()


def gif(packet):
    source = encoded("GIF")
    return source[:-1] + b"!\xff\x0bXMP DataXMP" + packet + TAIL + b";"


def jp2(packet):
    body = bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + packet
    return encoded("JPEG2000") + struct.pack(">I4s", 8 + len(body), b"uuid") + body


def psd(packet):
    resource = b"8BIM" + struct.pack(">HHI", 1060, 0, len(packet)) + packet + bytes(len(packet) % 2)
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 120, 160, 8, 3)
    return head + struct.pack(">2I", 0, len(resource)) + resource + struct.pack(">IH", 0, 0) + bytes(3 * 120 * 160)


@pytest.mark.parametrize("write", [gif, jp2, psd])
def test_a_packet_is_read(write):
    found = images.decode(write(PACKET), min_side=64)
    assert (found.width, found.metadata.title) == (160, "Lake")


@pytest.mark.parametrize("write", [gif, jp2, psd])
@pytest.mark.parametrize("packet", [b"", b"<x", b"no packet"])
def test_a_damaged_one_costs_nothing_else(write, packet):
    found = images.decode(write(packet), min_side=64)
    assert (found.width, found.metadata.title) == (160, None)


@pytest.mark.parametrize(
    "source", [encoded("GIF"), encoded("JPEG2000"), encoded("GIF")[:-1] + b"!\xff\x0bXMP DataXMP;"]
)
def test_without_one_nothing_is_said(source):
    assert images.decode(source, min_side=64).metadata.title is None
