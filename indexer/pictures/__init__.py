"""One file's pixels: photos, RAWs and videos to upright sRGB, and thumbnails. Each failure has its reason."""
