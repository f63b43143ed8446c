"""Whether a decoder that gave up may lack memory: some say nothing of that, or that the file is cut short."""

_BYTES = {"JPEG": 6, "WEBP": 8, "AVIF": 8, "HEIF": 8, "JPEG2000": 12, "JXL": 16}
"""What decoders take for a pixel beside the picture itself: coefficients, planes of deep samples, a second canvas."""


def require_room(name: str, width: int, height: int) -> None:
    """Raise a MemoryError where there is not as much as the decoder of a format may take for so many pixels."""
    bytes(_BYTES.get(name, 0) * width * height)  # zeros, which nobody writes: it takes no time
