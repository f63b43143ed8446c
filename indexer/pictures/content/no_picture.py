"""What a file is that is no picture in any format picsift reads, as far as its first bytes tell. Pure."""


def what_else(source: bytes) -> str:
    """The reason that is kept with such a file."""
    head = source[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not source:
        return "the file is empty"
    if not source.strip(b"\0"):
        return "the file holds nothing but zeros: an interrupted copy or download"
    if head.startswith((b"<!doctype html", b"<html")):
        return "this is a web page (HTML), not a picture"
    if head and all(byte >= 32 or byte in b"\t\r\n\f" for byte in head):
        return "this is text, not a picture"
    return f"not a picture in a format picsift reads (it starts with the bytes {source[:8].hex(' ')})"
