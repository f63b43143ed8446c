"""What decoders say when they give up, in words that say what is wrong with the file. Pure."""

from indexer.pictures import truncation

_SIGNS_OF_TRUNCATION = ("truncated", "end of file", "broken data stream", "not enough image data", "too early")
_TIFF_TAGS = range(254, 533)


def reason_of(error: Exception, name: str) -> str:
    """The reason that is kept with a photo; `name` is that of its format."""
    if isinstance(error, MemoryError):
        return f"not enough memory to decode this {name}; lower max_pixels or the number of workers"
    message = str(error).strip() or type(error).__name__
    if message == "unknown pixel mode" or "not implemented" in message.lower():
        return f"a kind of {name} that its decoder does not read, such as floating-point colours; save it with 8 bits"
    if name == "TIFF" and message.isdecimal() and int(message) not in _TIFF_TAGS:  # what Pillow looked up
        return f"a TIFF of a compression that Pillow does not read (number {message}); save it with LZW or Deflate"
    if isinstance(error, EOFError) or any(sign in message.lower() for sign in _SIGNS_OF_TRUNCATION):
        return truncation.reason(name)
    return f"damaged {name}: {message[:200]}"
