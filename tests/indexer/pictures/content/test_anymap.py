"""Portable anymaps that Pillow reads number by number: the same picture, at once."""

import numpy as np
import pytest
from PIL import PpmImagePlugin

from indexer.errors import ImageError
from indexer.pictures import images

SIZE = (400, 300)


def drawn(channels, top):
    steps = np.linspace(0, top, SIZE[0] * SIZE[1] * channels).round().astype(int)
    return steps.reshape(SIZE[1], SIZE[0], channels)


def anymap(kind, top, numbers, head=b""):
    head = b"P%d\n%b%d %d\n%d\n" % (kind, head, *SIZE, top)
    if kind > 3:
        return head + numbers.astype(">u2" if top > 255 else "u1").tobytes()
    return head + b"\n".join(b"%d" % number for number in numbers.ravel().tolist())


def read(source):
    return np.asarray(images.decode(source, min_side=64).image)


@pytest.fixture
def no_loop(monkeypatch):
    """Without the two decoders of Pillow's that are loops in Python."""
    for decoder in (PpmImagePlugin.PpmDecoder, PpmImagePlugin.PpmPlainDecoder):
        monkeypatch.setattr(decoder, "decode", lambda *_: pytest.fail("number by number"))


@pytest.mark.parametrize("top", [100, 255, 1023, 65535])
@pytest.mark.parametrize(("kind", "channels"), [(2, 1), (3, 3), (5, 1), (6, 3)])
def test_any_depth_is_read_at_once(no_loop, kind, channels, top):
    numbers = drawn(channels, top)
    expected = np.broadcast_to(numbers * 255 / top, (SIZE[1], SIZE[0], 3))
    assert np.abs(read(anymap(kind, top, numbers, b"# by hand\n")) - expected).max() <= 1


def test_numbers_above_the_top_are_cut_as_pillow_does(no_loop):
    numbers = drawn(3, 2000)
    assert read(anymap(6, 1000, numbers)).max() == 255


@pytest.mark.parametrize("damage", [b" 12x4", b" -5", b" 99999"])
def test_what_is_no_number_is_left_to_pillow(damage):
    source = anymap(3, 255, drawn(3, 255)).replace(b"\n100\n", b"\n" + damage + b"\n", 1)
    with pytest.raises(ImageError):
        read(source)


def test_comments_between_the_numbers_are_none(no_loop):
    numbers = drawn(3, 255)
    source = anymap(3, 255, numbers).replace(b"\n100\n", b"\n100 # 7 8 9\n", 1)
    assert np.abs(read(source) - numbers).max() == 0


def test_one_that_ends_too_early_is_told(no_loop, monkeypatch):
    monkeypatch.undo()
    with pytest.raises(ImageError, match="ends before its picture does"):
        read(anymap(6, 1000, drawn(3, 1000))[:-5000])


def test_a_small_one_is_pillows():
    small = b"P2\n2 1\n1000\n0 1000\n"
    assert images.decode(small, min_side=1).image.getpixel((1, 0)) == (255, 255, 255)
