"""Which picture of a file with several is its photo: the first that is not blank."""

from PIL import Image

_ANIMATED = frozenset(("GIF", "PNG", "WEBP", "AVIF"))
_FRAMES_TRIED = 8
_PIXELS_TRIED = 100_000_000  # with the first: of blank frames a megabyte is minutes of work, and Pillow holds six
_NOISE = 6  # of 255: compression leaves no flat frame quite flat


def first_shown(name: str, image: Image.Image) -> Image.Image:
    """The loaded frame, or where an animation starts blank the first of the next few that is not."""
    may_move = name in _ANIMATED and (name == "GIF" or getattr(image, "is_animated", False))
    tried = min(_FRAMES_TRIED, _PIXELS_TRIED // (image.width * image.height) - 1)
    if not may_move or tried < 1 or not is_blank(image):
        return image
    first = image.copy()
    for number in range(1, tried + 1):
        try:
            image.seek(number)
            image.load()
        except (EOFError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            break
        if not is_blank(image):
            return image
    return first


def is_blank(image: Image.Image) -> bool:
    """Whether it shows nothing but one colour, or nothing at all."""
    extrema = image.getextrema()
    bands = extrema if isinstance(extrema[0], tuple) else (extrema,)
    transparent = image.mode in ("RGBA", "LA") and bands[-1] == (0, 0)
    noise = 0 if image.mode in ("P", "PA", "1") else _NOISE  # neighbours in a palette are other colours
    return transparent or all(high - low <= noise for low, high in bands)
