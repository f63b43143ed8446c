"""Decoding: every format, every mode, and every way in which a file can be wrong."""

import builtins
import io
import os
import struct
import threading
import tracemalloc
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import brotli
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageCms
from PIL.TiffImagePlugin import ImageFileDirectory_v2, TiffImageFile

from indexer.errors import ImageError, TooLargeError
from indexer.pictures import colour, formats, frames, images, jpegxl
from indexer.pictures.content import picture_hash as content
from indexer.workers.isolation import WorkerPool
from tests.counting import calls_of
from tests.fuzzing import examples
from tests.indexer.heic_sample import HEIC

PHOTOS = Path(__file__).resolve().parents[3].parent / "shared" / "photos"
needs_photos = pytest.mark.skipif(not PHOTOS.is_dir(), reason=f"the real photos are not at {PHOTOS}")


def drawn(size=(160, 120), mode="RGB"):
    """Four quarters, red, green, blue and yellow, under noise that keeps every encoder busy."""
    width, height = size
    picture = Image.new("RGB", size, "red")
    picture.paste("green", (width // 2, 0, width, height // 2))
    picture.paste("blue", (0, height // 2, width // 2, height))
    picture.paste("yellow", (width // 2, height // 2, width, height))
    noise = np.random.default_rng(7).integers(0, 24, (height, width, 3), dtype=np.uint8)
    return ImageChops.subtract(picture, Image.fromarray(noise)).convert(mode)


def encoded(image, format_, **options):
    if format_ == "JXL":
        import pillow_jxl  # noqa: F401  # registers the writer
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


WRITTEN = {
    "jpg": ("JPEG", {}),
    "progressive": ("JPEG", {"progressive": True}),
    "png": ("PNG", {}),
    "webp": ("WEBP", {}),
    "lossless-webp": ("WEBP", {"lossless": True}),
    "gif": ("GIF", {}),
    "bmp": ("BMP", {}),
    "tif": ("TIFF", {}),
    "tif-lzw": ("TIFF", {"compression": "tiff_lzw"}),
    "tif-deflate": ("TIFF", {"compression": "tiff_deflate"}),
    "tif-jpeg": ("TIFF", {"compression": "jpeg"}),
    "avif": ("AVIF", {}),
    "jxl": ("JXL", {}),
    "jxl-container": ("JXL", {"use_container": True, "lossless": True}),
    "jp2": ("JPEG2000", {}),
    "j2k": ("JPEG2000", {"no_jp2": True}),
    "ppm": ("PPM", {}),
    "tga": ("TGA", {}),
    "tga-rle": ("TGA", {"compression": "tga_rle"}),
    "qoi": ("QOI", {}),
    "pcx": ("PCX", {}),
    "sgi": ("SGI", {}),
}


@pytest.fixture(scope="module")
def files():
    made = {name: (format_, encoded(drawn(), format_, **options)) for name, (format_, options) in WRITTEN.items()}
    return made | {"heic": ("HEIF", HEIC)}


def corners(image):
    width, height = image.size
    return [image.getpixel(at) for at in ((8, 8), (width - 9, 8), (8, height - 9), (width - 9, height - 9))]


def is_near(pixel, name, tolerance=60):
    return all(
        abs(a - b) <= tolerance for a, b in zip(pixel, Image.new("RGB", (1, 1), name).getpixel((0, 0)), strict=True)
    )


def reason_of(source, **limits):
    with pytest.raises(ImageError) as caught:
        images.decode(source, min_side=64, **limits)
    assert str(caught.value)
    return str(caught.value)


# formats


@pytest.mark.parametrize("name", WRITTEN)
def test_every_format_is_read(files, name):
    format_, source = files[name]
    found = images.decode(source, min_side=64)
    assert (found.format, found.width, found.height, found.image.mode) == (format_, 160, 120, "RGB")
    for pixel, expected in zip(corners(found.image), ("red", "green", "blue", "yellow"), strict=True):
        assert is_near(pixel, expected), (pixel, expected)


def test_heic_is_read_upright_with_its_metadata():
    found = images.decode(HEIC, min_side=64)
    assert (found.format, found.image.size, found.width, found.height) == ("HEIF", (64, 96), 64, 96)
    assert [is_near(p, n) for p, n in zip(corners(found.image), ("lime", "red", "blue", "blue"), strict=True)] == [
        True
    ] * 4
    assert (found.metadata.camera_make, found.metadata.orientation) == ("Acme", 6)


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_the_portable_anymaps_are_read_in_text_and_binary(mode):
    picture = drawn(mode="L").convert(mode) if mode == "1" else drawn(mode=mode)
    assert images.decode(encoded(picture, "PPM"), min_side=64).width == 160
    assert images.decode(b"P2\n# by hand\n2 1\n255\n0 255\n", min_side=64).image.getpixel((1, 0)) == (255, 255, 255)


def test_suffixes_are_lower_case_and_cover_the_formats():
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in formats.SUFFIXES)
    wanted = {
        ".jpg",
        ".jpeg",
        ".png",
        ".webp",
        ".gif",
        ".bmp",
        ".tif",
        ".tiff",
        ".avif",
        ".heic",
        ".jxl",
        ".jp2",
        ".ppm",
    }
    assert wanted <= formats.SUFFIXES


def test_every_decoder_is_there_and_a_missing_one_is_named(monkeypatch):
    assert set(formats.check_formats().values()) == {None}
    monkeypatch.setitem(formats._FORMATS, "HEIF", ("pi_heif.no_such_module:X", "heic"))
    assert "pip install pi-heif" in reason_of(HEIC)
    assert "pi-heif" in (formats.check_formats()["HEIF"] or "")


def test_a_multi_picture_jpeg_is_its_first_picture():
    source = encoded(drawn(), "MPO", save_all=True, append_images=[Image.new("RGB", (160, 120))])
    assert images.decode(source, min_side=64).format == "JPEG"


# scale


@pytest.mark.parametrize(
    ("size", "min_side", "expected"),
    [
        ((1600, 1200), 64, (400, 300)),
        ((1600, 1200), 224, (800, 600)),
        ((1600, 1200), 700, (1600, 1200)),
        ((4000, 3000), 224, (1000, 750)),
        ((4000, 3000), 64, (500, 375)),
    ],
)
def test_a_large_jpeg_is_decoded_at_reduced_scale(size, min_side, expected):
    found = images.decode(encoded(drawn(size), "JPEG"), min_side=min_side)
    assert (found.image.size, (found.width, found.height)) == (expected, size)


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 512))
@settings(max_examples=examples(60))
def test_what_is_kept_is_twice_the_side_and_enough_for_a_thumbnail(width, height, min_side):
    source = encoded(Image.new("L", (width, height)), "JPEG")
    found = images.decode(source, min_side=min_side)
    assert min(found.image.size) >= min(2 * min_side, width, height) or max(width, height) > 32 * min(width, height)
    assert max(found.image.size) >= min(images.THUMBNAIL_SIDE, width, height)


def test_reduced_scale_changes_next_to_nothing():
    smooth = Image.radial_gradient("L").resize((2000, 1500), Image.Resampling.BICUBIC)
    source = encoded(
        Image.merge("RGB", (smooth, smooth.transpose(Image.Transpose.ROTATE_180), smooth)), "JPEG", quality=92
    )
    found = images.decode(source, min_side=224).image.resize((298, 224), Image.Resampling.BICUBIC)
    whole = Image.open(io.BytesIO(source)).resize((298, 224), Image.Resampling.BICUBIC)
    assert np.abs(np.asarray(found, dtype=int) - np.asarray(whole, dtype=int)).mean() < 1


def test_a_strip_is_cut_to_its_middle_so_that_scaling_it_stays_possible():
    strip = Image.new("RGB", (65535, 2), "red")
    strip.paste("blue", (32000, 0, 33500, 2))
    found = images.decode(encoded(strip, "PNG"), min_side=224)
    assert (found.width, found.height, found.image.size) == (65535, 2, (64, 2))
    assert found.image.getpixel((32, 1)) == (0, 0, 255)


# orientation


def turned(orientation):
    """A picture that stands 160 x 120 when its EXIF orientation is applied."""
    inverse = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]
    upright = drawn()
    return upright if inverse is None else upright.transpose(Image.Transpose(inverse))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "JXL"])
def test_orientation_is_applied(format_, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    source = encoded(turned(orientation), format_, exif=exif.tobytes() if format_ in ("JXL", "PNG") else exif)
    found = images.decode(source, min_side=64)
    assert (found.width, found.height, found.image.size) == (160, 120, (160, 120))
    assert found.metadata.orientation == orientation
    for pixel, expected in zip(corners(found.image), ("red", "green", "blue", "yellow"), strict=True):
        assert is_near(pixel, expected)


def test_orientation_and_reduced_scale_go_together():
    exif = Image.Exif()
    exif[0x0112] = 6
    found = images.decode(encoded(drawn((1600, 1200)), "JPEG", exif=exif), min_side=64)
    assert (found.width, found.height, found.image.size) == (1200, 1600, (300, 400))


def test_a_jpeg_inside_a_jpeg_xl_is_turned_once_and_reduced(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "a.jpg").write_bytes(encoded(drawn((1600, 1200)), "JPEG", exif=exif))
    with warnings.catch_warnings(), Image.open(tmp_path / "a.jpg") as original:
        warnings.simplefilter("ignore")
        source = encoded(original, "JXL", lossless_jpeg=True)
    assert jpegxl.read_header(source) == (1600, 1200, 6)
    found = images.decode(source, min_side=64)
    assert (found.format, found.width, found.height, found.image.size) == ("JXL", 1200, 1600, (300, 400))
    assert is_near(found.image.getpixel((20, 20)), "blue")


@pytest.mark.parametrize(
    "size", [(1, 1), (8, 8), (64, 256), (300, 200), (1920, 1080), (1000, 1), (4000, 3000), (9000, 40)]
)
def test_the_jpeg_xl_header_holds_the_size(size):
    source = encoded(Image.new("L", size), "JXL", effort=1)
    assert jpegxl.read_header(source)[:2] == size


# modes


def boxed(kind, body):
    """A JPEG XL in boxes, with one of words in front of its codestream."""
    source = encoded(drawn(), "JXL", lossless=True)
    source = source[source.index(b"\xff\x0a") :] if source[:1] == b"\0" else source
    boxes = ((b"ftyp", b"jxl \0\0\0\0jxl "), (kind, body), (b"jxlc", source))
    whole = b"".join(struct.pack(">I4s", 8 + len(body), kind) + body for kind, body in boxes)
    return images.decode(b"\0\0\0\x0cJXL \r\n\x87\n" + whole, min_side=64)


@pytest.mark.parametrize("packed", [b"xml " + b"\xff" * 50, b"Exif" + b"\xff" * 50])
def test_damaged_words_in_a_jpeg_xl_cost_no_picture(packed):
    found = boxed(b"brob", packed)
    assert (found.width, found.format) == (160, "JXL")


def test_words_in_a_jpeg_xl_are_read_packed_as_cjxl_does_and_not():
    exif = Image.Exif()
    exif[271], exif[274] = "Acme", 6
    kept = bytes(4) + exif.tobytes().removeprefix(b"Exif\0\0")
    for found in (boxed(b"Exif", kept), boxed(b"brob", b"Exif" + brotli.compress(kept))):
        assert (found.metadata.camera_make, found.width) == ("Acme", 120)
    packet = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" dc:title="Lake"/></rdf:RDF></x:xmpmeta>'
    )
    for found in (boxed(b"xml ", packet), boxed(b"brob", b"xml " + brotli.compress(packet))):
        assert found.metadata.title == "Lake"


def test_transparency_is_composited_on_white():
    picture = Image.new("RGBA", (100, 100), (255, 0, 0, 0))
    picture.paste((0, 0, 255, 255), (50, 0, 100, 100))
    half = Image.new("LA", (100, 100), (0, 128))
    for source in (encoded(picture, "PNG"), encoded(picture, "WEBP", lossless=True), encoded(picture, "TIFF")):
        image = images.decode(source, min_side=64).image
        assert (image.getpixel((10, 50)), image.getpixel((90, 50))) == ((255, 255, 255), (0, 0, 255))
    assert images.decode(encoded(half, "PNG"), min_side=64).image.getpixel((5, 5)) == (127, 127, 127)


def test_a_palette_with_transparency_is_composited_on_white():
    picture = Image.new("P", (100, 100), 0)
    picture.putpalette([255, 0, 0, 0, 0, 255])
    picture.paste(1, (50, 0, 100, 100))
    for source in (
        encoded(picture, "PNG", transparency=0),
        encoded(picture, "PNG", transparency=b"\0\xff"),
        encoded(picture, "GIF", transparency=0),
    ):
        image = images.decode(source, min_side=64).image
        assert (image.getpixel((10, 50)), image.getpixel((90, 50))) == ((255, 255, 255), (0, 0, 255))
    opaque = images.decode(encoded(picture, "PNG"), min_side=64).image
    assert opaque.getpixel((10, 50)) == (255, 0, 0)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_transparent_colour_is_white(mode):
    picture = Image.new(mode, (100, 100), 0)
    key = 0 if mode == "L" else (0, 0, 0)
    assert images.decode(encoded(picture, "PNG", transparency=key), min_side=64).image.getpixel((5, 5)) == (
        255,
        255,
        255,
    )


def test_sixteen_bits_are_scaled_and_not_clipped():
    ramp = (np.arange(256, dtype=np.uint16) * 256 + 77)[None].repeat(64, axis=0)
    expected = list(range(256))
    for source in (
        encoded(Image.fromarray(ramp), "PNG"),
        encoded(Image.fromarray(ramp), "TIFF"),
        encoded(Image.fromarray(ramp), "PPM"),
    ):
        found = np.asarray(images.decode(source, min_side=4).image)[0, :, 0]
        assert np.abs(found.astype(int) - expected).max() <= 1


def test_big_endian_sixteen_bits_are_scaled_too():
    ramp = (np.arange(256) * 256 + 77).astype(">u2")[None].repeat(64, axis=0)
    picture = Image.frombytes("I;16B", (256, 64), ramp.tobytes())
    found = np.asarray(images.decode(encoded(picture, "TIFF"), min_side=4).image)[0, :, 0]
    assert np.abs(found.astype(int) - range(256)).max() <= 1


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),
        ([0.0, 128.0, 255.0], [0, 128, 255]),
        ([-10.0, 0.0, 10.0], [0, 128, 255]),
        ([float("nan"), 0.5, 1.0], [0, 128, 255]),
        ([0.0, 0.0, float("inf")], [0, 0, 0]),
    ],
)
def test_floating_point_pixels_become_sane(values, expected):
    picture = Image.fromarray(np.array([values], dtype=np.float32))
    assert np.asarray(images.decode(encoded(picture, "TIFF"), min_side=1).image)[0, :, 0].tolist() == expected


def test_thirty_two_bit_integers_become_sane():
    picture = Image.fromarray(np.array([[-100000, 0, 100000]], dtype=np.int32))
    assert np.asarray(images.decode(encoded(picture, "TIFF"), min_side=1).image)[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize(("mode", "format_"), [("CMYK", "JPEG"), ("CMYK", "TIFF"), ("YCbCr", "TIFF"), ("LAB", "TIFF")])
def test_other_colour_spaces_become_rgb(mode, format_):
    picture = drawn()
    if mode == "LAB":
        picture = ImageCms.profileToProfile(
            picture, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
        )
    found = images.decode(
        encoded(picture.convert(mode), format_, **({"compression": "jpeg"} if mode == "YCbCr" else {})), min_side=64
    ).image
    assert [is_near(p, n, 70) for p, n in zip(corners(found), ("red", "green", "blue", "yellow"), strict=True)] == [
        True
    ] * 4


def test_black_and_white_is_read():
    picture = Image.new("1", (64, 64), 1)
    picture.paste(0, (0, 0, 32, 64))
    for format_ in ("PNG", "TIFF", "BMP", "GIF", "PPM"):
        image = images.decode(encoded(picture, format_), min_side=64).image
        assert (image.getpixel((1, 1)), image.getpixel((60, 1))) == ((0, 0, 0), (255, 255, 255))


# colour profiles


def wide_profile():
    """An RGB profile whose channels are swapped: its effect cannot be overlooked."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for at in range(132, 132 + 12 * struct.unpack_from(">I", profile, 128)[0], 12):
        if profile[at : at + 4] in (b"rXYZ", b"bXYZ"):
            profile[at : at + 1] = b"b" if profile[at] == ord("r") else b"r"
    return bytes(profile)


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_an_embedded_profile_is_converted_to_srgb(format_):
    found = images.decode(
        encoded(Image.new("RGB", (64, 64), "red"), format_, icc_profile=wide_profile()), min_side=64
    ).image
    assert is_near(found.getpixel((5, 5)), "blue")


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_what_deep_pixels_need_is_imported_before_they_fill_the_memory(mode, monkeypatch):
    target, order = io.BytesIO(), []
    Image.new("F", (8, 8), 7).convert("I" if mode == "I;16" else mode).convert(mode).save(target, "TIFF")
    imports, loads = builtins.__import__, TiffImageFile.load
    monkeypatch.setattr(
        builtins, "__import__", lambda name, *rest: (name == "numpy" and order.append(name), imports(name, *rest))[1]
    )
    monkeypatch.setattr(TiffImageFile, "load", lambda image: (order.append("pixels"), loads(image))[1])
    images.decode(target.getvalue(), min_side=8)
    assert order[:2] == ["numpy", "pixels"]


def test_a_grey_picture_takes_an_rgb_profile():
    found = images.decode(encoded(Image.new("L", (64, 64), 100), "PNG", icc_profile=wide_profile()), min_side=64).image
    assert found.getpixel((5, 5)) == pytest.approx((100, 100, 100), abs=2)


def test_srgb_itself_and_broken_profiles_change_nothing():
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (srgb, srgb[:200], b"nonsense", wide_profile()[:140], b"\0" * 4000):
        found = images.decode(encoded(drawn(), "PNG", icc_profile=profile), min_side=64).image
        assert ImageChops.difference(found, drawn()).getbbox() is None, profile[:8]


def stepwise(steps):
    """A colour profile that darkens, in a table of so many steps."""
    half = b"curf" + bytes(4) + struct.pack(">HH", 1, 0) + b"parf" + bytes(4) + struct.pack(">HH4f", 0, 0, 1, 0.5, 0, 0)
    step = b"cvst" + bytes(4) + struct.pack(">HH", 3, 3) + struct.pack(">II", 36, len(half)) * 3 + half
    table = b"mpet" + bytes(4) + struct.pack(">HHI", 3, 3, steps)
    table += struct.pack(">II", 16 + 8 * steps, len(step)) * steps + step
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    tags = struct.pack(">I", 2) + b"wtpt" + struct.pack(">II", 156, len(white))
    tags += b"D2B0" + struct.pack(">II", 156 + len(white), len(table)) + white + table
    return struct.pack(">I", 128 + len(tags)) + srgb[4:12] + b"prtrRGB XYZ " + srgb[24:128] + tags


def test_a_profile_of_very_many_steps_is_left_alone():
    """Little CMS would be busy with it for hours."""
    picture = drawn()
    plain = images.decode(encoded(picture, "PNG"), min_side=64).image
    for steps, same in ((1, False), (100_000, True)):
        found = images.decode(encoded(picture, "PNG", icc_profile=stepwise(steps)), min_side=64).image
        assert (found.tobytes() == plain.tobytes()) is same


def test_profiles_are_kept_within_bounds():
    for number in range(40):
        colour.to_srgb(Image.new("RGB", (1, 1)), b"profile %d" % number)
    assert len(colour._local.kept) <= colour._KEPT_TRANSFORMS


# animation


@pytest.mark.parametrize("format_", ["GIF", "WEBP", "PNG"])
def test_an_animation_is_its_first_frame_that_shows_something(format_):
    blank, blue = Image.new("RGB", (160, 120), "white"), Image.new("RGB", (160, 120), "blue")
    lossless = {"lossless": True} if format_ == "WEBP" else {}
    first = encoded(drawn(), format_, save_all=True, append_images=[blue], duration=100, **lossless)
    assert is_near(corners(images.decode(first, min_side=64).image)[0], "red")
    later = encoded(blank, format_, save_all=True, append_images=[drawn()], duration=100, **lossless)
    assert is_near(corners(images.decode(later, min_side=64).image)[0], "red")
    never = encoded(blank, format_, save_all=True, append_images=[blue], duration=100, **lossless)
    assert images.decode(never, min_side=64).image.getpixel((5, 5)) == (255, 255, 255)


@pytest.mark.parametrize("format_", ["GIF", "WEBP", "PNG"])
def test_of_a_blank_animation_no_more_frames_are_decoded_than_there_is_room_for(format_, monkeypatch):
    still, moving = Image.new("RGB", (160, 120), "white"), drawn()
    source = encoded(still, format_, save_all=True, append_images=[moving], duration=100)
    for pixels, colour_ in ((2 * 160 * 120 - 1, "white"), (2 * 160 * 120, "red")):
        monkeypatch.setattr(frames, "_PIXELS_TRIED", pixels)
        assert is_near(corners(images.decode(source, min_side=64).image)[0], colour_)


@pytest.mark.parametrize("format_", ["GIF", "PNG"])
def test_an_animation_that_pillow_takes_for_a_bomb_says_what_can_be_done(format_, monkeypatch):
    source = encoded(
        drawn(), format_, save_all=True, append_images=[drawn()], duration=100, disposal=2 - (format_ == "PNG")
    )
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert "animation of so many pixels" in reason_of(source)


def without_room(format_):
    """A sound picture whose decoder has no room for it in 40 MB, and some of which do not say so."""
    if format_ == "WEBP":
        source = bytearray(encoded(drawn(), format_, lossless=True))
        source[21:25] = struct.pack("<I", 15_799 | 15_799 << 14)  # two canvases of a gigabyte, before it is decoded
        return bytes(source)
    flat = Image.new("RGB", (3000, 3000), "red")
    if format_ == "JXL":
        pytest.importorskip("pillow_jxl")  # it registers itself
    options = {"JPEG": {"progressive": True, "subsampling": 0}, "AVIF": {"speed": 10}, "JXL": {"lossless": True}}
    return encoded(flat, format_, **options.get(format_, {}))


@pytest.mark.parametrize("format_", ["JPEG", "JPEG2000", "AVIF", "JXL", "WEBP"])
def test_a_picture_that_there_is_no_memory_for_is_not_called_damaged(format_):
    source = without_room(format_)
    with WorkerPool(memory_mb=40) as pool, pytest.raises(TooLargeError, match="more than 40 MB"):
        pool.run(partial(images.decode, min_side=64), source)


# the bound on pixels


@pytest.mark.parametrize("name", [*WRITTEN, "heic"])
def test_too_many_pixels_are_refused_by_name(files, name):
    format_, source = files[name]
    size = "64 x 96" if format_ == "HEIF" else "160 x 120"
    reason = reason_of(source, max_pixels=6_000)
    assert size in reason and "max_pixels" in reason and "0.006 million" in reason


def test_a_jpeg_is_held_against_the_bound_in_full_and_not_at_reduced_scale():
    assert "1600 x 1200" in reason_of(encoded(drawn((1600, 1200)), "JPEG"), max_pixels=1_919_999)
    assert images.decode(encoded(drawn((1600, 1200)), "JPEG"), min_side=64, max_pixels=1_920_000).width == 1600


def huge_headers():
    """Pictures of up to 65,535 pixels a side in a few bytes."""
    png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II5B", 65535, 65535, 8, 2, 0, 0, 0)
    png += struct.pack(">I", zlib.crc32(png[12:])) + b"\0\0\0\0IDAT\x35\xaf\x06\x1e"
    jpeg = bytearray(encoded(Image.new("RGB", (16, 16)), "JPEG"))
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = b"\xff\xff\xff\xff"
    bmp = (
        b"BM"
        + struct.pack("<IHHI", 100, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, 65535, 65535, 1, 24, 0, 0, 0, 0, 0, 0)
    )
    gif = (
        b"GIF89a"
        + struct.pack("<HH3B", 65535, 65535, 0, 0, 0)
        + b","
        + struct.pack("<4HB", 0, 0, 65535, 65535, 0)
        + b"\x08\x01\0\0;"
    )
    moving = b"\0\0\0\x08acTL\0\0\0\2\0\0\0\0" + struct.pack(">I", zlib.crc32(b"acTL\0\0\0\2\0\0\0\0"))
    frame = b"fcTL" + struct.pack(
        ">5I2H2B", 0, 65535, 65535, 0, 0, 1, 1, 1, 0
    )  # what it leaves is a picture of its own
    moving += struct.pack(">I", 26) + frame + struct.pack(">I", zlib.crc32(frame))
    webp = b"WEBPVP8X\x0a\0\0\0\x12\0\0\0" + 2 * b"\xfe\xff\0" + b"ANIM\6\0\0\0" + bytes(6)
    tiff = ImageFileDirectory_v2()
    tiff.update({256: 65535, 257: 65535, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 65535, 279: 10})
    body = io.BytesIO()
    tiff.save(body)
    return {
        "png": png,
        "jpeg": bytes(jpeg),
        "bmp": bmp,
        "gif": gif,
        "moving gif": gif[:13] + b"\x21\xf9\4\x08\0\0\0\0" + gif[13:],
        "moving png": png[:33] + moving + png[33:],
        "moving webp": b"RIFF" + struct.pack("<I", len(webp)) + webp,
        "tiff": body.getvalue(),
        "ppm": b"P6 65535 65535 255\n",
    }


@pytest.mark.parametrize("name", huge_headers())
def test_sides_of_65535_pixels_are_refused_before_anything_is_decoded(name):
    source = huge_headers()[name]
    tracemalloc.start()
    reason = reason_of(source)
    assert "65535 x 65535 pixels (4,295 million)" in reason and "250 million" in reason
    assert tracemalloc.get_traced_memory()[1] < 20 << 20
    tracemalloc.stop()


def test_a_picture_above_pillows_own_limit_is_neither_warned_about_nor_refused(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    for format_ in ("JPEG", "PNG", "WEBP", "GIF", "TIFF"):
        assert images.decode(encoded(drawn(), format_), min_side=64).width == 160
    assert Image.MAX_IMAGE_PIXELS == 1000


# damage


@pytest.mark.parametrize("name", [*WRITTEN, "heic"])
def test_a_truncated_file_is_refused_with_a_reason(files, name):
    source = files[name][1]
    whole = images.decode(source, min_side=64).image
    for tenth in (*range(1, 10), 9.7):
        try:
            found = images.decode(source[: int(len(source) * tenth / 10)], min_side=64).image
        except ImageError as error:
            assert any(sign in str(error) for sign in ("truncated", "damaged", "not a picture")), str(error)
            assert "<" not in str(error)  # no repr of an object
        else:
            assert ImageChops.difference(found, whole).getbbox() is None, f"half a picture at {tenth}"


@pytest.mark.parametrize("name", ["jpg", "progressive", "webp", "lossless-webp", "avif", "jxl", "png", "gif", "jp2"])
def test_a_file_whose_second_half_is_zeros_is_refused(name):
    format_, options = WRITTEN[name]
    noise = Image.fromarray(np.random.default_rng(3).integers(0, 256, (120, 160, 3), dtype=np.uint8))
    source = encoded(noise, format_, **options)
    assert images.decode(source, min_side=64).width == 160
    assert reason_of(source[: len(source) // 2] + bytes(len(source) - len(source) // 2))


def longer_item(start, size):
    """The HEIC with an item that is 4,000 bytes longer."""
    place = ">IHII"  # where it starts, of one piece
    return HEIC.replace(struct.pack(place, start, 1, 0, size), struct.pack(place, start, 1, 0, size + 4000))


def test_a_heic_that_goes_on_in_zeros_is_refused():
    at = HEIC.rindex(b"mdat") - 4
    size = int.from_bytes(HEIC[at : at + 4], "big")
    assert at + size == len(HEIC)
    longer = longer_item(0x1C5, 0xF3)
    padded = longer[:at] + (size + 4000).to_bytes(4, "big") + HEIC[at + 4 :] + bytes(4000)
    assert longer != HEIC and "truncated or overwritten" in reason_of(padded)


def test_exif_that_ends_in_its_padding_may_stand_last_in_a_heic():
    """Windows leaves 2 KB of zeros in EXIF for what it may write later."""
    at = HEIC.rindex(b"mdat") - 4
    size = int.from_bytes(HEIC[at : at + 4], "big")
    longer = longer_item(0x2B8, 0x68)
    padded = longer[:at] + (size + 4000).to_bytes(4, "big") + HEIC[at + 4 :] + bytes(4000)
    assert longer != HEIC and images.decode(padded, min_side=64).metadata.camera_make == "Acme"


@pytest.mark.parametrize("colour_name", ["white", "black", "gray"])
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "AVIF", "JXL"])
def test_a_flat_picture_is_not_taken_for_a_truncated_one(format_, colour_name):
    # A WEBP of this size ends in a thousand zeros, as a cut one may; other formats' files do at no size.
    width, height = (4000, 3000) if format_ == "WEBP" else (2200, 800)
    options = {"JXL": {"effort": 1}, "AVIF": {"speed": 10}}.get(format_, {})
    source = encoded(Image.new("RGB", (width, height), colour_name), format_, **options)
    assert images.decode(source, min_side=64).width == width


def test_a_png_whose_pixels_fail_their_checksum_is_refused(files):
    source = bytearray(files["png"][1])
    source[len(source) // 2] ^= 1
    assert "truncated or overwritten" in reason_of(bytes(source))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["tif-lzw", "tif-deflate", "tif-jpeg", "png"])
def test_truncation_is_found_where_warnings_are_only_printed_too(files, name):
    source = files[name][1]
    for tenth in range(1, 10):
        assert reason_of(source[: len(source) * tenth // 10])


def test_zeros_behind_a_whole_jpeg_are_fine(files):
    assert images.decode(files["jpg"][1] + bytes(5000), min_side=64).width == 160


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (b"", "empty"),
        (bytes(5000), "zeros"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "web page"),
        (b"\xef\xbb\xbf  <html>", "web page"),
        (b"Dear diary,\nno photo today.\n", "text"),
        (b"\x7fELF\x02\x01\x01\0\0\0", "7f 45 4c 46"),
        (b"P7\nWIDTH 2\n", "text"),
        (b"\xff\xd8\xff", "JPEG"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"\0\0\0\x18ftypheic", "HEIF"),
        (b"\xff\x0a", "JXL"),
    ],
)
def test_what_is_no_picture_is_told_apart(source, expected):
    assert expected in reason_of(source)


HEADS = [source for _, source in formats._SIGNATURES[:0]] + [head for head, _ in formats._SIGNATURES]
HEADS += [b"RIFF\x40\0\0\0WEBPVP8 ", b"\0\0\0\x18ftypheic", b"\0\0\0\x18ftypavif", b"P6 4 4 255\n", b""]


@given(st.sampled_from(HEADS), st.binary(max_size=400))
@settings(max_examples=examples(400))
def test_random_bytes_are_an_image_error_or_a_picture(apart, head, tail):
    try:
        assert apart(head + tail).image.mode == "RGB"
    except ImageError as error:
        assert str(error)


@given(
    st.sampled_from([*WRITTEN, "heic"]),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=12),
)
@settings(max_examples=examples(400))
def test_flipped_bytes_are_an_image_error_or_a_picture(files, apart, name, flips):
    source = bytearray(files[name][1])
    for at, value in flips:
        source[at % min(len(source), 2000)] = value
    try:
        assert apart(bytes(source)).image.mode == "RGB"
    except ImageError as error:
        assert str(error)


def test_endless_metadata_does_not_hold_up_a_photo(files):
    source = files["jpg"][1]
    segment = b"\xff\xe1" + struct.pack(">H", 65535) + b"http://ns.adobe.com/xmp/extension/\0".ljust(65533, b"x")
    comment = b"\xff\xfe\0\x04ab"
    for part, number in ((segment, 150), (comment, 50_000)):

        def decode(times, part=part):
            assert images.decode(source[:2] + part * times + source[2:], min_side=64).width == 160

        assert calls_of(decode, 2 * number) < 2.2 * calls_of(decode, number)


@pytest.mark.parametrize("said", ["unknown pixel mode", "Failed to decode image: Not implemented"])
def test_what_a_decoder_cannot_do_is_not_called_damage(monkeypatch, files, said):
    def give_up(*_):
        raise ValueError(said)

    monkeypatch.setattr(formats, "load", give_up)
    assert "that its decoder does not read" in reason_of(files["avif"][1])


@pytest.mark.parametrize("number", [34712, 50002])  # JPEG 2000, JPEG XL
def test_a_compression_that_is_not_read_is_not_called_damage(number):
    source = encoded(drawn(), "TIFF")
    raw = struct.pack("<HHIHH", 259, 3, 1, 1, 0)
    assert raw in source
    said = reason_of(source.replace(raw, struct.pack("<HHIHH", 259, 3, 1, number, 0)))
    assert f"a compression that Pillow does not read (number {number})" in said


def test_want_of_memory_is_a_reason(monkeypatch, files):
    monkeypatch.setattr(colour, "to_base_mode", lambda *_, **__: (_ for _ in ()).throw(MemoryError()))
    assert "memory" in reason_of(files["jpg"][1])


def test_a_panic_of_the_rust_plugin_is_a_reason(monkeypatch, files):
    class PanicError(BaseException):
        pass

    def panic(num_threads):
        raise PanicError("called unwrap on a None value")

    monkeypatch.setattr("pillow_jxl.Decoder", panic)
    assert "JXL" in reason_of(files["jxl"][1])


def test_threads_decode_side_by_side(files):
    expected = {name: images.decode(source, min_side=64).image.tobytes() for name, (_, source) in files.items()}
    barrier = threading.Barrier(8)

    def all_of_them(_):
        barrier.wait()
        return {name: images.decode(source, min_side=64).image.tobytes() for name, (_, source) in files.items()}

    with ThreadPoolExecutor(8) as pool:
        assert all(found == expected for found in pool.map(all_of_them, range(8)))


# files


def test_a_file_is_read_once_with_its_hash_size_and_time(tmp_path, files):
    path = tmp_path / "a.jpg"
    path.write_bytes(files["jpg"][1])
    found = images.load(path, min_side=64)
    assert (found.status.st_size, found.status.st_mtime_ns) == (path.stat().st_size, path.stat().st_mtime_ns)
    assert found.content_hash == images.hash_file(path) == content.hash_bytes(files["jpg"][1])
    assert len(found.content_hash) == 34
    assert found.decoded.format == "JPEG"


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, files, monkeypatch):
    path = tmp_path / "a.jpg"
    path.write_bytes(files["jpg"][1])
    open_ = Path.open

    def touched(self, *arguments):
        os.utime(self, ns=(1, 1))
        return open_(self, *arguments)

    monkeypatch.setattr(Path, "open", touched)
    with pytest.raises(ImageError, match="changed while it was read"):
        images.load(path, min_side=64)


@pytest.mark.parametrize("function", [lambda path: images.load(path, min_side=64), images.hash_file])
def test_what_cannot_be_read_is_an_image_error(tmp_path, function):
    os.mkfifo(tmp_path / "pipe.jpg")
    for path, expected in (
        (tmp_path / "none.jpg", "No such file"),
        (tmp_path, "not a regular file"),
        (tmp_path / "pipe.jpg", "not a regular file"),
        (tmp_path / "nul\0.jpg", "cannot be read"),
    ):
        with pytest.raises(ImageError, match=expected):
            function(path)


def test_a_file_above_the_bound_on_bytes_is_not_read(tmp_path):
    with (tmp_path / "a.jpg").open("wb") as sparse:
        sparse.truncate(3 << 30)
    with pytest.raises(ImageError, match="3,221,225,472 bytes"):
        images.load(tmp_path / "a.jpg", min_side=64, max_pixels=1)


# real photos


@needs_photos
@pytest.mark.parametrize(
    "path", sorted(path for path in PHOTOS.rglob("*") if path.suffix in formats.SUFFIXES), ids=lambda p: p.name
)
def test_real_photos_are_read(path):
    found = images.load(path, min_side=64).decoded
    assert found.image.mode == "RGB"
    assert min(found.image.size) >= min(128, found.width, found.height)
    assert abs(found.width / found.height - found.image.width / found.image.height) < 0.02


@needs_photos
def test_a_real_heic_that_is_cut_is_refused_and_not_greyed():
    source = (PHOTOS / "formats" / "IMG_2682.heic").read_bytes()
    assert "truncated" in reason_of(source[: len(source) // 2])
    assert "truncated" in reason_of(source[: len(source) // 2] + bytes(len(source) // 2))


@needs_photos
def test_a_photo_on_its_side_stands_up():
    upright = images.load(PHOTOS / "metadata" / "portrait.jpg", min_side=64).decoded
    turned_ = images.load(PHOTOS / "metadata" / "portrait-orientation-6.jpg", min_side=64).decoded
    assert upright.image.size == turned_.image.size
    difference = np.asarray(upright.image, dtype=int) - np.asarray(turned_.image, dtype=int)
    assert np.abs(difference).mean() < 20


def test_damaged_metadata_costs_no_photo_and_no_warning(files):
    exif = Image.Exif()
    exif.update({271: "Acme", 272: "Camera of a very long name"})
    source = encoded(drawn(), "JPEG", exif=exif.tobytes()[:-10])
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: images.decode(source, min_side=64), range(20)))
    assert {item.metadata.camera_make for item in found} == {"Acme"}
