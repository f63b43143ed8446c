"""The content hash: the same whatever metadata is written, another one as soon as the picture that is seen changes."""

import io
import os
import random
import shutil
import struct
import subprocess
import zlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from indexer.pictures import images
from indexer.pictures.content import chunks as content_chunks
from indexer.pictures.content import picture_hash as content
from tests.fuzzing import examples
from tests.indexer.heic_sample import HEIC
from tests.indexer.worlds import draw

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
FORMATS = {
    "jpg": {},
    "png": {},
    "webp": {"lossless": True},
    "gif": {},
    "tif": {"compression": "tiff_lzw"},
    "avif": {},
    "jxl": {},
}


def encoded(suffix, image=None, **options):
    """A picture in a format, as bytes."""
    if suffix == "heic":
        return HEIC
    if suffix == "jxl":
        import pillow_jxl  # noqa: F401  (its import registers it)
    buffer = io.BytesIO()
    names = {"jpg": "JPEG", "tif": "TIFF"}
    (image or draw(1)).save(buffer, names.get(suffix, suffix.upper()), **FORMATS[suffix], **options)
    return buffer.getvalue()


def exif_of(orientation=None, text="a camera"):
    exif = Image.Exif()
    exif[0x010F] = text
    if orientation:
        exif[0x0112] = orientation
    return exif.tobytes()


def segment(kind, body):
    return struct.pack(">BBH", 0xFF, kind, len(body) + 2) + body


def with_segments(jpeg, *segments):
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def with_chunks(png, *chunks):
    return png[:33] + b"".join(chunks) + png[33:]


def box(kind, body):
    return struct.pack(">I4s", len(body) + 8, kind) + body


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description rdf:about="" xmp:Rating="5"/></x:xmpmeta>'


def tagged_jpeg(jpeg):
    return (
        with_segments(
            jpeg,
            segment(0xE1, b"Exif\0\0" + exif_of().removeprefix(b"Exif\0\0")),
            segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP),
            segment(0xED, b"Photoshop 3.0\0" + b"8BIM" * 3),
            segment(0xFE, b"a comment with \xff\xd9 in it"),
        )
        + b"a trailer \xff\xd8\xff\xd9"
    )


def tagged_png(png):
    texts = chunk(b"tEXt", b"Title\0a picture"), chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)
    return with_chunks(png, *texts, chunk(b"eXIf", exif_of().removeprefix(b"Exif\0\0"))) + b"a trailer"


def tagged_webp(webp):
    body = webp[12:]
    canvas = struct.pack("<B3x", 0x0C) + (95).to_bytes(3, "little") + (71).to_bytes(3, "little")
    chunks = [(b"VP8X", canvas), (b"EXIF", exif_of()), (b"XMP ", XMP)]
    riff = [kind + struct.pack("<I", len(part)) + part + b"\0" * (len(part) % 2) for kind, part in chunks]
    whole = b"WEBP" + riff[0] + body + riff[1] + riff[2]
    return b"RIFF" + struct.pack("<I", len(whole)) + whole


def tagged_gif(gif):
    at = 13 + (3 << ((gif[10] & 7) + 1)) * (gif[10] >> 7)
    xmp = b"\x21\xff\x0bXMP DataXMP" + XMP.replace(b"\0", b" ") + b"\x01" + bytes(range(255, -1, -1)) + b"\0"
    return gif[:at] + b"\x21\xfe\x05hello\0" + xmp + gif[at:]


def tagged_jxl(jxl):
    """Bare or boxed, then with EXIF and XMP beside the codestream."""
    if jxl[:2] == b"\xff\x0a":
        jxl = box(b"JXL ", b"\r\n\x87\n") + box(b"ftyp", b"jxl \0\0\0\0jxl ") + box(b"jxlc", jxl)
    return jxl + box(b"Exif", b"\0\0\0\0" + exif_of().removeprefix(b"Exif\0\0")) + box(b"xml ", XMP)


def tagged_tiff(tiff):
    """Rewritten by Pillow with other texts: every offset is another one."""
    image = Image.open(io.BytesIO(tiff))
    buffer = io.BytesIO()
    image.save(buffer, "TIFF", compression="tiff_lzw", tiffinfo={270: "a title " * 40, 315: "somebody", 700: XMP})
    return buffer.getvalue()


TAGGED = {
    "jpg": tagged_jpeg,
    "png": tagged_png,
    "webp": tagged_webp,
    "gif": tagged_gif,
    "jxl": tagged_jxl,
    "tif": tagged_tiff,
    "avif": lambda source: encoded("avif", exif=exif_of(), xmp=XMP),
}


@pytest.mark.parametrize("suffix", TAGGED)
def test_metadata_does_not_change_the_hash(suffix):
    plain = encoded(suffix)
    tagged = TAGGED[suffix](plain)
    assert tagged != plain
    assert content.coded_parts(plain) is not None
    assert content.hash_bytes(tagged) == content.hash_bytes(plain)
    assert images.decode(tagged, min_side=32).image.tobytes() == images.decode(plain, min_side=32).image.tobytes()


@pytest.mark.parametrize("suffix", TAGGED)
def test_another_picture_has_another_hash(suffix):
    assert content.hash_bytes(encoded(suffix)) != content.hash_bytes(encoded(suffix, draw(2)))


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "jxl", "avif"])
def test_an_orientation_is_part_of_the_picture_and_upright_is_none(suffix):
    plain, upright, turned = (
        encoded(suffix, **options) for options in ({}, {"exif": exif_of(1)}, {"exif": exif_of(6)})
    )
    assert content.hash_bytes(upright) == content.hash_bytes(plain)
    assert content.hash_bytes(turned) != content.hash_bytes(plain)


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_an_orientation_in_xmp_counts_where_exif_has_none(suffix):
    xmp = XMP.replace(b"xmp:Rating", b"tiff:Orientation").replace(b'"5"', b'"6"')
    if suffix == "jpg":
        turned = with_segments(encoded(suffix), segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp))
    else:
        turned = with_chunks(encoded(suffix), chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp))
    assert images.decode(turned, min_side=32).metadata.orientation == 6
    assert content.hash_bytes(turned) != content.hash_bytes(encoded(suffix))


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_a_colour_profile_is_part_of_the_picture(suffix):
    assert content.hash_bytes(encoded(suffix, icc_profile=SRGB)) != content.hash_bytes(encoded(suffix))


def test_adobes_colour_transform_is_part_of_a_jpeg():
    cmyk = encoded("jpg", draw(1).convert("CMYK"))
    at = cmyk.index(b"Adobe") - 4
    changed = bytearray(cmyk)
    changed[at + 15] ^= 2
    assert content.hash_bytes(bytes(changed)) != content.hash_bytes(cmyk)


def test_a_progressive_jpeg_is_taken_to_its_last_scan():
    progressive = encoded("jpg", progressive=True)
    assert content.hash_bytes(tagged_jpeg(progressive)) == content.hash_bytes(progressive)
    last = progressive.rindex(b"\xff\xda") + 14
    assert content.hash_bytes(progressive[:last] + b"\x11" + progressive[last + 1 :]) != content.hash_bytes(progressive)


def test_animations_keep_all_their_frames():
    frames = [draw(seed) for seed in (1, 2, 3)]
    for suffix in ("gif", "webp", "png"):
        long, short = (encoded(suffix, frames[0], save_all=True, append_images=frames[1:end]) for end in (3, 2))
        assert content.coded_parts(long) is not None
        assert content.hash_bytes(long) != content.hash_bytes(short)


def test_a_format_without_parts_and_a_large_file_are_hashed_as_a_whole(tmp_path, monkeypatch):
    buffer = io.BytesIO()
    draw(1).save(buffer, "BMP")
    assert content.is_whole(content.hash_bytes(buffer.getvalue()))
    jpeg = encoded("jpg")
    assert not content.is_whole(content.hash_bytes(jpeg))
    (tmp_path / "a.jpg").write_bytes(jpeg)
    assert content.hash_file(tmp_path / "a.jpg") == content.hash_bytes(jpeg)
    monkeypatch.setattr(content, "LARGEST", len(jpeg) - 1)
    monkeypatch.setattr(content, "_PIECE", 7)
    assert content.is_whole(content.hash_bytes(jpeg))
    assert content.hash_file(tmp_path / "a.jpg") == content.hash_bytes(jpeg)


def test_an_old_hash_that_is_still_true_is_given_back():
    jpeg = encoded("jpg")
    old = content._whole(jpeg)
    assert content.hash_bytes(jpeg, like=[old]) == old
    assert content.hash_bytes(jpeg + b"more", like=[old]) == content.hash_bytes(jpeg)
    assert content.hash_bytes(jpeg, like=[content.hash_bytes(jpeg)]) == content.hash_bytes(jpeg)


@pytest.mark.parametrize("suffix", TAGGED)
def test_damage_falls_back_to_the_whole_file_and_raises_nothing(suffix):
    source, rng = encoded(suffix), random.Random(3)
    tagged = TAGGED[suffix](source)
    for tenth in range(10):
        cut = tagged[: len(tagged) * tenth // 10]
        assert content.hash_bytes(cut) != content.hash_bytes(tagged) or suffix in ("jpg", "png", "jxl", "webp")
    for _ in range(300):
        damaged = bytearray(tagged)
        for _ in range(rng.randrange(1, 8)):
            damaged[rng.randrange(min(len(damaged), 400))] = rng.randrange(256)
        assert len(content.hash_bytes(bytes(damaged))) in (32, 34)


def test_every_real_photo_is_taken_apart(shared_photos):
    for path in sorted(shared_photos.rglob("*")):
        if path.suffix.lower() in {".jpg", ".jpeg", ".png", ".webp", ".heic", ".avif"}:
            assert content.coded_parts(path.read_bytes()) is not None, path


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif", "tif", "jxl", "heic", "avif"])
def test_a_tag_written_by_exiftool_keeps_the_hash(tmp_path, suffix):
    if shutil.which("exiftool") is None:
        pytest.skip("needs exiftool")
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(encoded(suffix))
    before, size = content.hash_file(path), path.stat().st_size
    tags = ["-XMP:Subject=holiday", "-XMP:Rating=4"] + ([] if suffix == "gif" else ["-EXIF:Artist=somebody"])
    command = ["exiftool", "-q", "-overwrite_original", *tags, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ, check=False)
    if done.returncode:
        pytest.skip(f"this exiftool does not write {suffix}: {done.stderr.strip()}")
    assert path.stat().st_size != size
    assert not content.is_whole(before)
    assert content.hash_file(path) == before


HEADS = (
    *(
        b"FUJIFILMCCD-RAW",
        b"\0\0\0\x18ftypcrx \0\0\0\1",
        b"FOVb",
        b"IIU\0",
        b"IIRO",
        b"\0MRM",
        b"II*\0\x08\0\0\0CR\2\0",
    ),
    *(b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x40\0\0\0WEBP", b"GIF89a", b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0"),
    *(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", b"\0\0\0\x18ftypavif\0\0\0\0mif1avif", b"\xff\x0a"),
    b"\0\0\0\x0cJXL \r\n\x87\n",
)


@settings(max_examples=examples(750))
@given(st.sampled_from(HEADS), st.binary(max_size=400))
@example(HEADS[0], bytes(200))
@example(HEADS[1], bytes(200))
def test_whatever_follows_a_head_there_is_a_hash_of_it(head, rest):
    source = head + rest
    digits = len(content.hash_bytes(source))
    assert digits == 34 if content.coded_parts(source) else digits == 32


def test_a_file_of_very_many_parts_is_hashed_as_a_whole(monkeypatch):
    monkeypatch.setattr(content_chunks, "MOST_PARTS", 1000)
    quantisation = b"\xff\xdb\0\x02"
    body = encoded("jpg")
    assert content.coded_parts(body[:2] + quantisation * 900 + body[2:])
    assert content.coded_parts(body[:2] + quantisation * 1100 + body[2:]) is None


def test_a_file_whose_parts_are_the_same_bytes_over_and_over_is_hashed_as_a_whole(monkeypatch):
    strips, data = 5_000, bytes(64)
    source = struct.pack("<2sHI", b"II", 42, 8 + len(data) + 8 * strips) + data
    source += struct.pack(f"<{strips}I", *[8] * strips) + struct.pack(f"<{strips}I", *[64] * strips)
    tags = [(256, 3, 1, 64), (257, 4, 1, strips), (273, 4, strips, 72), (279, 4, strips, 72 + 4 * strips)]
    source += struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
    assert not content.is_whole(content.hash_bytes(source))
    monkeypatch.setattr(content, "MOST_READ", 4 * len(source))
    assert content.is_whole(content.hash_bytes(source))
