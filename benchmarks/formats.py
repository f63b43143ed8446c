"""Photos a second of RAW, HEIC, AVIF and JPEG: as picsift reads them for indexing, against a full decode.

    .venv/bin/python benchmarks/formats.py [FILE...] [--runs 5]

AVIF, JPEG and two DNGs of 12 megapixels (with and without a preview) are drawn; files that are named are measured
too, HEIC and cameras' own RAWs among them, which nothing here can write. A full decode is what a program does that
asks the format's library for the whole picture: LibRaw's development in full size, libheif, libavif, libjpeg; then it
is scaled to 224 pixels. picsift's way includes the metadata, the hash and the thumbnail. One thread.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rawpy
from PIL import Image

from clip_model.preprocessing.squares import CenterSquare
from indexer.catalog.records import FoundFile
from indexer.pictures import formats
from indexer.pictures.thumbnails import ThumbnailStore
from indexer.workers.recipe import Recipe

SIDE = (4000, 3000)
SIZE = 224

sys.path.append(str(Path(__file__).parents[1]))
from tests.indexer.dng_sample import dng  # noqa: E402


def draw() -> Image.Image:
    """A picture with the detail of a photo."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)).resize(SIDE, Image.Resampling.BICUBIC)
    noise = rng.normal(0, 6, (SIDE[1], SIDE[0], 1))
    return Image.fromarray(np.clip(np.asarray(coarse, np.float32) + noise, 0, 255).astype(np.uint8))


def write(folder: Path) -> list[Path]:
    """The drawn files."""
    image = draw()
    image.save(folder / "drawn.jpg", quality=90)
    image.save(folder / "drawn.avif", quality=70)
    (folder / "without preview.dng").write_bytes(dng(image))
    (folder / "with preview.dng").write_bytes(dng(image, preview=(folder / "drawn.jpg").read_bytes()))
    return sorted(folder.iterdir())


def full(path: Path) -> None:
    """Decode all of it, and scale it to what a network sees."""
    if formats.sniff(path.read_bytes(), path.suffix.lower()) == "RAW":
        with rawpy.imread(str(path)) as raw:
            image = Image.fromarray(raw.postprocess())
    else:
        _, image = formats.open_picture(path.read_bytes(), max_pixels=10**9)
        image.load()
    CenterSquare(SIZE)(image.convert("RGB"))


def rate(work: Callable[[], object], runs: int) -> float:
    """Photos a second: of the fastest of several runs."""
    best = float("inf")
    for _ in range(runs):
        begun = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begun)
    return 1 / best


def main() -> None:
    """Measure each file both ways."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    print("| file | picsift, photos/s | full decode, photos/s | ratio |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="picsift-benchmark-") as name:
        (Path(name) / "drawn").mkdir()
        recipe = Recipe(CenterSquare(SIZE), ThumbnailStore(Path(name) / "thumbnails"), SIZE, 10**9)
        for path in [*write(Path(name) / "drawn"), *args.files]:
            status = path.stat()
            file = FoundFile(path.name, status.st_size, status.st_mtime_ns)
            ours = rate(lambda path=path, file=file: recipe(path, file), args.runs)  # type: ignore[misc]
            theirs = rate(lambda path=path: full(path), args.runs)  # type: ignore[misc]
            print(f"| {path.name}, {status.st_size / 1e6:.1f} MB | {ours:.1f} | {theirs:.1f} | {ours / theirs:.1f} |")


if __name__ == "__main__":
    main()
