"""Any Pillow mode to plain 8-bit sRGB: alpha on white, deep pixels scaled, embedded colour profiles applied.

It works in two steps, so that a large picture can be made smaller between them. Profiles that are damaged, of
another kind than the pixels, of thousands of steps, or sRGB in all but name are left alone.
"""

import hashlib
import itertools
import struct
import threading
from io import BytesIO
from typing import cast

from PIL import Image, ImageChops, ImageCms

_SAME_COLOUR = 2  # of 255: a profile that moves no probe colour further is sRGB
_KEPT_TRANSFORMS = 16  # per thread; a library holds few different profiles
_DEEP, _ANY_RANGE = "I;16", ("I", "F")
_BASES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab ": "LAB"}
_ICC_HEAD, _MOST_TAGS, _MOST_STEPS = 132, 100, 64  # Little CMS reads as many tags
_local = threading.local()


def make_ready(mode: str) -> None:
    """Import what to_base_mode() needs for a mode while there is memory: called before the pixels are there."""
    if mode.startswith(_DEEP) or mode in _ANY_RANGE:
        import numpy  # noqa: F401


def to_base_mode(image: Image.Image, *, bits: int = 16) -> Image.Image:
    """The picture as L, RGB, CMYK or LAB, 8 bits a channel, transparent parts on white.

    Args:
        image: a loaded picture in any mode.
        bits: how many bits of a 16-bit sample are used.
    """
    if image.mode.startswith(_DEEP):
        import numpy as np

        return Image.fromarray((np.asarray(image) >> max(bits - 8, 0)).astype(np.uint8))
    if image.mode in _ANY_RANGE:
        return _stretch(image)
    if image.mode in ("PA", "La", "RGBa") or image.has_transparency_data:
        return _on_white(image.convert("LA" if image.mode in ("L", "1", "LA", "La") else "RGBA"))
    if image.mode in ("L", "RGB", "CMYK", "LAB"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def to_srgb(image: Image.Image, icc_profile: bytes | None) -> Image.Image:
    """A picture of to_base_mode() as sRGB.

    Args:
        image: L, RGB, CMYK or LAB.
        icc_profile: what the file embeds.
    """
    if image.mode == "LAB":
        icc_profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    if icc_profile:
        mode, transform = _transform(icc_profile)
        if transform is not None and (image.mode, mode) in _CONVERTIBLE:
            converted = ImageCms.applyTransform(image.convert(mode), transform)
            return image.convert("RGB") if converted is None else converted
    return image.convert("RGB")


# An L picture with an RGB profile is usual (scanners); a CMYK profile on anything but CMYK means nothing.
_CONVERTIBLE = {("L", "L"), ("L", "RGB"), ("RGB", "RGB"), ("CMYK", "CMYK"), ("LAB", "LAB")}


def _on_white(image: Image.Image) -> Image.Image:
    """LA or RGBA to L or RGB."""
    white = Image.new(image.mode.removesuffix("A"), image.size, "white")
    white.paste(image.convert(white.mode), mask=image.getchannel("A"))
    return white


def _stretch(image: Image.Image) -> Image.Image:
    """Modes I and F have no fixed range: 0..1, 0..255 and 0..65535 are taken as such, anything else by its extremes."""
    import numpy as np

    values = np.asarray(image)
    if image.mode == "F":
        values = np.where(np.isfinite(values), values, 0)
    low, high = float(values.min()), float(values.max())
    tops = (1.0, 255.0, 65535.0) if image.mode == "F" else (65535.0,)
    top = next((top for top in tops if low >= 0 and high <= top), None)
    if top is None:
        low, top = low, max(high, low + 1e-6)
    else:
        low = 0.0
    scaled = (values.astype(np.float32) - low) * np.float32(255 / (top - low))
    return Image.fromarray((scaled + 0.5).clip(0, 255).astype(np.uint8))


def _transform(icc_profile: bytes) -> tuple[str, ImageCms.ImageCmsTransform | None]:
    """The transform of a profile, kept per thread: building one costs milliseconds, and few profiles recur."""
    kept: dict[bytes, tuple[str, ImageCms.ImageCmsTransform | None]] = _local.__dict__.setdefault("kept", {})
    key = hashlib.blake2b(icc_profile, digest_size=16).digest()
    if key not in kept:
        if len(kept) >= _KEPT_TRANSFORMS:
            kept.clear()
        kept[key] = _build(icc_profile)
    return kept[key]


def _build(icc_profile: bytes) -> tuple[str, ImageCms.ImageCmsTransform | None]:
    if _takes_too_long(icc_profile):
        return "RGB", None
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(icc_profile))
        mode = _BASES[profile.profile.xcolor_space]
        transform = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), mode, "RGB")
        probe = _probe(mode)
        moved = ImageCms.applyTransform(probe, transform)
    except (ImageCms.PyCMSError, OSError, KeyError, ValueError, TypeError):
        return "RGB", None
    if moved is None or (mode in ("L", "RGB") and _distance(moved, probe.convert("RGB")) <= _SAME_COLOUR):
        return mode, None
    return mode, transform


def _takes_too_long(icc_profile: bytes) -> bool:
    """Whether it has tables of more steps than any profile needs; Little CMS does each for 36,000 colours."""
    if len(icc_profile) < _ICC_HEAD:
        return False
    (count,) = struct.unpack_from(">I", icc_profile, _ICC_HEAD - 4)
    ends = range(_ICC_HEAD, min(_ICC_HEAD + 12 * min(count, _MOST_TAGS), len(icc_profile) - 11), 12)
    tables = (struct.unpack_from(">I", icc_profile, at + 4)[0] for at in ends)
    return any(
        icc_profile.startswith(b"mpet", at) and int.from_bytes(icc_profile[at + 12 : at + 16], "big") > _MOST_STEPS
        for at in tables
    )


def _probe(mode: str) -> Image.Image:
    """Five levels of each channel in all combinations, as one row of pixels."""
    levels = (0, 64, 128, 192, 255)
    channels = len(Image.new(mode, (1, 1)).getbands())
    colours = bytes(itertools.chain.from_iterable(itertools.product(levels, repeat=channels)))
    return Image.frombytes(mode, (len(levels) ** channels, 1), colours)


def _distance(one: Image.Image, other: Image.Image) -> int:
    """The largest difference of a channel between two RGB pictures."""
    extremes = cast("tuple[tuple[int, int], ...]", ImageChops.difference(one, other).getextrema())
    return max(high for _low, high in extremes)
