"""What a file says of itself: EXIF, IPTC, XMP, sidecars, dates, and names for places. No pixels."""
