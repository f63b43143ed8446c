"""The hash stays where a picture is re-saved and moves where it is another one; sharpness tells blur, not contrast."""

import io

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageEnhance, ImageFilter
from scipy.fft import dctn

from app.duplicates.leaders import LEAST_DETAIL, NEAR
from app.duplicates.perceptual_hash import look_of, sharpness, signs
from tests.app.duplicates.pictures import scene

PHOTOS = ("astronaut", "camera", "chelsea", "coffee", "coins", "rocket")
LOOSE, TIGHT = (most for most, _ in NEAR)


def differing(one, other):
    return (look_of(one).bits ^ look_of(other).bits).bit_count()


def saved_again(image, quality):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file)


def cut(image, share):
    width, height = image.size
    return image.crop((int(width * share), int(height * share), width - int(width * share), height))


@pytest.fixture(scope="module")
def photos():
    return [Image.fromarray(getattr(skimage.data, name)()).convert("RGB") for name in PHOTOS]


def test_it_is_the_transform_of_the_textbook():
    image = scene(1).convert("L")
    amounts = dctn(np.asarray(image.resize((32, 32), Image.Resampling.BOX), np.float64), type=2)[1:9, 1:9] / 4
    look = look_of(image)
    expected = (amounts > np.median(amounts)).ravel()
    assert f"{look.bits:064b}" == "".join("01"[bit] for bit in expected.astype(int))
    assert look.detail == pytest.approx(np.abs(amounts).mean())


@pytest.mark.parametrize(
    ("change", "most"),
    [
        (lambda image: saved_again(image, 30), TIGHT),
        (lambda image: image.resize((image.width // 4, image.height // 4)), LOOSE),
        (lambda image: image.convert("L"), TIGHT),
        (lambda image: ImageEnhance.Brightness(image).enhance(1.25), LOOSE),
        (lambda image: ImageEnhance.Contrast(image).enhance(1.3), LOOSE),
        (lambda image: cut(image, 0.01), LOOSE),
    ],
    ids=["jpeg", "quarter", "grey", "brighter", "contrast", "cut"],
)
def test_a_copy_is_near_its_original(photos, change, most):
    assert max(differing(photo, change(photo)) for photo in photos) <= most


def test_different_photos_are_far_apart(photos):
    pairs = [differing(one, other) for at, one in enumerate(photos) for other in photos[:at]]
    assert min(pairs) > LOOSE + 4


def test_a_blank_picture_has_no_detail_and_a_photo_has(photos):
    assert look_of(Image.new("RGB", (300, 200), "white")).detail < LEAST_DETAIL
    assert look_of(Image.linear_gradient("L")).detail < LEAST_DETAIL
    assert all(look_of(photo).detail > 2 * LEAST_DETAIL for photo in photos)


def test_blur_lowers_the_sharpness_and_contrast_does_not(photos):
    for photo in photos:
        blurred = photo.filter(ImageFilter.GaussianBlur(2))
        assert look_of(blurred).sharpness < look_of(photo).sharpness / 2
        grey = np.asarray(photo.convert("L"), np.float32)
        assert sharpness(grey * 0.5 + 20) == pytest.approx(sharpness(grey), rel=1e-3)


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (5000, 3)])
def test_any_size_has_a_look(size):
    assert look_of(Image.new("RGB", size, "red")).sharpness == 0


def test_products_of_signs_count_the_bits():
    hashes = [0, 1, 2**63, 2**64 - 1, 0x0123456789ABCDEF]
    rows = signs(np.array(hashes, np.uint64))
    counted = [[(one ^ other).bit_count() for other in hashes] for one in hashes]
    assert ((64 - rows @ rows.T) / 2).tolist() == counted
