"""Photos with metadata as programs write it: EXIF, XMP packets, IPTC blocks."""

import io
import struct

from PIL import Image

NAMESPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "exifEX": "http://cipa.jp/exif/1.0/",
    "aux": "http://ns.adobe.com/exif/1.0/aux/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "lr": "http://ns.adobe.com/lightroom/1.0/",
    "digiKam": "http://www.digikam.org/ns/1.0/",
    "MicrosoftPhoto": "http://ns.microsoft.com/photo/1.0/",
}


def packet(body: str = "", attributes: str = "") -> bytes:
    """An XMP packet with these properties as elements, and these as attributes."""
    spaces = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())
    return (
        '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" {spaces} {attributes}>{body}</rdf:Description>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def listed(name: str, *items: str, kind: str = "Bag") -> str:
    """A property that is a list."""
    return f"<{name}><rdf:{kind}>{''.join(f'<rdf:li>{item}</rdf:li>' for item in items)}</rdf:{kind}></{name}>"


def exif(main=(), photo=(), gps=()) -> Image.Exif:
    written = Image.Exif()
    written.update(dict(main))
    written.get_ifd(0x8769).update(dict(photo))
    written.get_ifd(0x8825).update(dict(gps))
    return written


def iptc(*fields: tuple[int, bytes]) -> bytes:
    """Records of IPTC-IIM's second set, each a number and its bytes."""
    return b"".join(b"\x1c\x02" + struct.pack(">BH", number, len(value)) + value for number, value in fields)


def jpeg(iim: bytes = b"", seed: int = 0, **options: object) -> bytes:
    """A small JPEG that no other seed draws; `options` are Pillow's: exif, xmp."""
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((48 + seed, 40)).convert("RGB").save(buffer, "JPEG", **options)
    source = buffer.getvalue()
    if not iim:
        return source
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(iim)) + iim + b"\0" * (len(iim) % 2)
    segment = b"Photoshop 3.0\0" + resource
    return source[:2] + b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment + source[2:]
