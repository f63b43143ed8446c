"""Formats by their bytes: motion photos, the rarer formats, deep TIFFs, sequences."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from indexer.pictures import formats, frames, images
from tests.indexer.heic_sample import HEIC
from tests.indexer.pictures.test_images import corners, drawn, encoded, is_near, reason_of, wide_profile

NAMES = ("red", "green", "blue", "yellow")


def box(kind, body):
    return struct.pack(">I4s", len(body) + 8, kind) + body


VIDEO = box(b"ftyp", b"mp42\0\0\0\0mp42isom") + box(b"mdat", bytes(4088)) + box(b"moov", b"")
SAMSUNG_MARK = b"\0\0\x30\x0a\x10\0\0\0MotionPhoto_Data"
SAMSUNG_END = b"SEFH\x6b\0\0\0\1\0\0\0\0\0\x30\x0a" + bytes(8) + b"\x18\0\0\0SEFT"
TRAILERS = {
    "google": VIDEO,
    "google in a box": box(b"mpvd", VIDEO),
    "samsung": SAMSUNG_MARK + VIDEO + SAMSUNG_END,
    "samsung without a video": b"\0\0\1\x0a\x0e\0\0\0Image_UTC_Data1625400672000" + SAMSUNG_END,
    "a video cut short": VIDEO[:2000],
    "a copy's padding": bytes(5000),
}


@pytest.mark.parametrize("trailer", TRAILERS)
@pytest.mark.parametrize("name", ["JPEG", "HEIF", "AVIF"])
def test_of_a_motion_photo_the_still_is_read(name, trailer):
    still = HEIC if name == "HEIF" else encoded(drawn(), name)
    found = images.decode(still + TRAILERS[trailer], min_side=64)
    assert found.format == name
    assert found.image.tobytes() == images.decode(still, min_side=64).image.tobytes()


@pytest.mark.parametrize("name", ["HEIF", "AVIF"])
def test_a_still_that_is_cut_short_is_refused_whatever_follows(name):
    still = HEIC if name == "HEIF" else encoded(drawn(), name)
    assert "truncated" in reason_of(still[: len(still) - 20])
    assert reason_of(still[: len(still) // 2] + VIDEO)


def test_a_heif_with_a_still_and_a_sequence_is_its_still():
    at = HEIC.index(b"ftyp") - 4
    head = HEIC[at : at + int.from_bytes(HEIC[at : at + 4], "big")]
    assert head == HEIC[: len(head)]
    source = HEIC.replace(b"mif1", b"msf1", 1) + box(b"moov", box(b"mvhd", bytes(100)))
    assert images.decode(source, min_side=64).image.size == (64, 96)


def test_a_sequence_without_a_still_is_called_a_video():
    source = box(b"ftyp", b"msf1\0\0\0\0msf1hevc") + box(b"mdat", bytes(100)) + box(b"moov", box(b"mvhd", bytes(100)))
    assert "video" in reason_of(source)


# animation


@pytest.mark.parametrize("format_", ["GIF", "WEBP", "PNG", "AVIF"])
def test_a_first_frame_with_nothing_but_noise_is_blank(format_):
    noise = np.random.default_rng(1).integers(250, 254, (120, 160, 3), dtype=np.uint8)
    first = Image.new("L", (160, 120), 252).convert("RGB") if format_ == "GIF" else Image.fromarray(noise)
    source = encoded(first, format_, save_all=True, append_images=[drawn()], duration=100)
    assert is_near(corners(images.decode(source, min_side=64).image)[0], "red")


@pytest.mark.parametrize("format_", ["GIF", "WEBP", "PNG", "AVIF"])
def test_of_an_animation_of_huge_blank_frames_few_are_decoded(format_, monkeypatch):
    blank = [Image.new("RGB", (160, 120), colour) for colour in ("white", "black", "gray")]
    source = encoded(blank[0], format_, save_all=True, append_images=[*blank[1:], drawn()], duration=100)
    assert is_near(corners(images.decode(source, min_side=64).image)[0], "red")
    monkeypatch.setattr(frames, "_PIXELS_TRIED", 3 * 160 * 120 - 1)
    assert is_near(corners(images.decode(source, min_side=64).image)[0], "white")


def test_two_neighbours_in_a_palette_are_a_picture():
    picture = Image.new("P", (64, 64), 0)
    picture.putpalette([255, 0, 0, 0, 0, 255])
    picture.paste(1, (32, 0, 64, 64))
    source = encoded(picture, "GIF", save_all=True, append_images=[Image.new("RGB", (64, 64), "green")], duration=100)
    assert images.decode(source, min_side=32).image.getpixel((5, 5)) == (255, 0, 0)


# the rarer formats


def psd(image):
    """A Photoshop file with nothing but its flattened picture."""
    mode = {"RGB": 3, "CMYK": 4, "L": 1}[image.mode]
    bands = [Image.eval(band, lambda value: 255 - value) if mode == 4 else band for band in image.split()]
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, len(bands), image.height, image.width, 8, mode)
    return head + bytes(12) + b"\0\0" + b"".join(band.tobytes() for band in bands)


def photo_cd(luma):
    """A Kodak Photo CD image pack of one grey, whose chroma is 156 and 137: two lines of luma, one of each chroma."""
    lines = bytes([luma]) * 1536 + b"\x9c" * 384 + b"\x89" * 384
    return (bytes(2048) + b"PCD_").ljust(96 * 2048, b"\0") + lines * 256


@pytest.mark.parametrize("mode", ["RGB", "CMYK"])
def test_a_flattened_photoshop_file_is_read(mode):
    found = images.decode(psd(drawn(mode=mode)), min_side=64)
    assert (found.format, found.width, found.height) == ("PSD", 160, 120)
    assert all(is_near(pixel, name) for pixel, name in zip(corners(found.image), NAMES, strict=True))
    assert reason_of(psd(drawn())[:-5000])


def test_a_photo_cd_is_read():
    found = images.decode(photo_cd(120), min_side=64)
    assert (found.format, found.width, found.height) == ("PCD", 768, 512)
    middle = found.image.getpixel((100, 100))
    assert max(middle) - min(middle) < 12 and 80 < middle[1] < 200
    assert reason_of(photo_cd(120)[:-5000])


def test_an_old_targa_is_known_by_its_name_alone(tmp_path):
    old = encoded(drawn(), "TGA")[: 18 + 160 * 120 * 3]
    assert formats.sniff(old) is None
    (tmp_path / "a.TGA").write_bytes(old)
    assert images.load(tmp_path / "a.TGA", min_side=64).decoded.format == "TGA"
    for other in (
        b"Dear diary, no photo today.",
        b"\0\0\1\0\1\0\x10\x10\0\0\1\0\x04\0\x28\1\0\0",
        bytes(100),
        b"\0\0\2",
    ):
        assert formats.sniff(other, ".tga") is None


def test_suffixes_of_the_rarer_formats_are_looked_for():
    assert {".tga", ".psd", ".qoi", ".pcx", ".sgi", ".pcd"} <= formats.SUFFIXES


# deep and rare TIFFs

RAMP = np.linspace(0, 65535, 64).astype(np.uint16)[None].repeat(16, axis=0)
DEEP = np.stack([RAMP, RAMP[:, ::-1], np.full_like(RAMP, 32768)], axis=-1)


def tiff(pixels, **options):
    tifffile = pytest.importorskip("tifffile")
    target = io.BytesIO()
    tifffile.imwrite(target, pixels, **options)
    return target.getvalue()


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_sixteen_bit_colours_are_scaled(byteorder, compression):
    source = tiff(DEEP.astype(f"{byteorder}u2"), photometric="rgb", byteorder=byteorder, compression=compression)
    found = np.asarray(images.decode(source, min_side=4).image)[1].astype(int)
    assert np.abs(found - DEEP[1] / 257).max() <= 1


def test_sixteen_bit_png_colours_are_scaled():
    imageio = pytest.importorskip("imageio.v3")
    assert (
        images.decode(imageio.imwrite("<bytes>", RAMP, extension=".png"), min_side=4).image.getpixel((63, 0))[0] == 255
    )


def test_deep_colours_in_separate_planes_are_refused_rather_than_mixed_up():
    assert "separate planes" in reason_of(
        tiff(DEEP.transpose(2, 0, 1).copy(), photometric="rgb", planarconfig="separate")
    )
    shallow = (DEEP // 257).astype(np.uint8)
    source = tiff(shallow.transpose(2, 0, 1).copy(), photometric="rgb", planarconfig="separate")
    assert np.array_equal(np.asarray(images.decode(source, min_side=4).image), shallow)


@pytest.mark.parametrize("kind", ["f2", "f8"])
def test_floating_point_colours_are_refused_in_words(kind):
    assert "floating-point" in reason_of(tiff((DEEP / 65535).astype(kind), photometric="rgb"))


def test_a_grey_tiff_with_alpha_is_put_on_white():
    pixels = np.stack([np.zeros((16, 64), np.uint8), np.zeros((16, 64), np.uint8)], axis=-1)
    source = tiff(pixels, photometric="minisblack", extrasamples=["unassalpha"])
    assert images.decode(source, min_side=4).image.getpixel((5, 5)) == (255, 255, 255)


@pytest.mark.parametrize("format_", ["JPEG", "TIFF", "PSD"])
def test_cmyk_is_read_with_and_without_a_profile_of_another_kind(format_):
    picture = drawn(mode="CMYK")
    profile = wide_profile()  # an RGB profile means nothing here
    source = psd(picture) if format_ == "PSD" else encoded(picture, format_, icc_profile=profile)
    assert all(is_near(p, n, 70) for p, n in zip(corners(images.decode(source, min_side=64).image), NAMES, strict=True))


def test_a_lab_tiff_takes_no_profile():
    lab = ImageCms.profileToProfile(
        drawn(), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    found = images.decode(encoded(lab, "TIFF", icc_profile=wide_profile()), min_side=64).image
    assert all(is_near(p, n, 70) for p, n in zip(corners(found), NAMES, strict=True))
