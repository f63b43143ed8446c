import functools
import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

from clip_model.preprocessing.transforms import (
    ImageTransform,
    center_square,
    image_transform,
    normalize,
    normalize_batch,
    stack_pixels,
    stack_squares,
    upright,
)
from tests.clip_model.open_clip_reference import open_clip

MODES = ["RGB", "RGBA", "L", "LA", "P", "PA", "1", "CMYK", "YCbCr", "HSV", "LAB", "I", "F", "I;16"]
SIZES = [(1, 1), (1, 50), (50, 1), (64, 64), (300, 200), (33, 1650), (225, 224), (223, 1000), (63, 65)]


def noise(size, mode="RGB"):
    return _drawn(size, mode).copy()


@functools.cache
def _drawn(size, mode):
    pixels = np.random.default_rng(sum(size)).integers(0, 256, (size[1], size[0], 4), dtype=np.uint8)
    image = Image.fromarray(pixels)
    if mode == "I;16":
        return image.convert("I").convert(mode)
    return image.convert("P").convert(mode) if mode == "PA" else image.convert(mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_pixels_equal_open_clips(size, mode):
    for side in (32, 64, 224):
        ours = ImageTransform(side)(noise(size, mode))
        theirs = open_clip().transform.image_transform(side, is_train=False)(noise(size, mode))
        assert ours.dtype == torch.float32
        assert ours.shape == (3, side, side)
        assert (ours - theirs).abs().max() <= 1e-6


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("resize", "said"),
    [
        ("crop-bilinear", {"interpolation": "bilinear"}),
        ("stretch", {"resize_mode": "squash"}),
        ("stretch-bilinear", {"resize_mode": "squash", "interpolation": "bilinear"}),
    ],
)
def test_pixels_equal_open_clips_where_it_resizes_otherwise(mode, resize, said):
    theirs = open_clip().transform.image_transform(32, is_train=False, **said)
    for size in SIZES:
        ours = ImageTransform(32, resize=resize)(noise(size, mode))
        assert (ours - theirs(noise(size, mode))).abs().max() <= 1e-6, size


@pytest.mark.parametrize("size", [(5, 2000), (2000, 5), (1, 1000), (4, 257), (300, 1)], ids=str)
def test_a_long_strip_is_cut_before_it_is_enlarged(size):
    for resize, by in (("crop", "bicubic"), ("crop-bilinear", "bilinear")):
        theirs = open_clip().transform.image_transform(64, is_train=False, interpolation=by)(noise(size))
        assert (ImageTransform(64, resize=resize)(noise(size)) - theirs).abs().max() <= 1e-6


def test_a_strip_of_a_pixel_by_sixty_thousand_takes_no_gigabytes():
    assert center_square(Image.new("RGB", (1, 60_000), "red"), 224).size == (224, 224)


def test_real_photos_give_open_clips_pixels(shared_photos):
    paths = sorted(shared_photos.glob("nature/*.jpg"))[:3] + sorted(shared_photos.glob("indoors/*.jpg"))[:3]
    assert paths
    for path in paths:
        with Image.open(path) as image:
            assert (
                image_transform(224)(image) - open_clip().transform.image_transform(224, is_train=False)(image)
            ).abs().max() <= 1e-6


def test_eight_threads_share_one_transform():
    pictures = [noise((40 + i, 90)) for i in range(64)]
    transform = ImageTransform(64)
    alone = [transform(picture) for picture in pictures]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(transform, pictures))
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))


def test_a_size_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least 1 pixel, got 0"):
        ImageTransform(0)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_its_exif_says(orientation):
    original = noise((6, 4))
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = original.transpose(undo[orientation]) if orientation > 1 else original
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    stored.save(file, "PNG", exif=exif)
    turned = upright(Image.open(file))
    assert turned.tobytes() == original.tobytes()
    assert upright(turned).tobytes() == original.tobytes(), "turned once, not twice"


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("exif", [b"", b"E", b"Exif\0\0", b"Exif\0\0MM\0*\0\0\0\x08\0\x02\x01\x12\0\x03", b"\xff" * 40])
def test_damaged_exif_leaves_the_picture_as_it_is(exif):
    image = noise((6, 4))
    image.info["exif"] = exif
    assert upright(image).tobytes() == noise((6, 4)).tobytes()


@pytest.mark.parametrize("colors", [{}, {"mean": (0.5, 0.31, 0.07), "std": (0.25, 0.5, 0.113)}])
def test_a_batch_is_normalised_to_the_last_bit_as_its_pictures_are(colors):
    whole = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    squares = [whole, np.ascontiguousarray(whole[::-1]), np.random.default_rng(0).permuted(whole, axis=0)]
    batch = normalize_batch(stack_squares(squares, 16), **colors)
    assert batch.is_contiguous()
    assert torch.equal(batch, torch.stack([normalize(square, **colors) for square in squares]))


@pytest.mark.parametrize(
    "square", [np.zeros((4, 5, 3), np.uint8), np.zeros((3, 4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)]
)
def test_squares_that_are_none_are_refused(square):
    good = np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(ValueError, match=r"expected bytes of shape \(4, 4, 3\), got"):
        stack_squares([good, square], 4)


def test_nothing_stacks_to_nothing():
    assert stack_squares([], 4).shape == (0, 4, 4, 3)
    assert len(stack_pixels([], 4)) == 0
