r"""Photos through a frozen tower once, to disk: training a head on what comes out takes minutes instead of days.

    python -m clip_model.features --variant lite2 --weights FILE --size 192 --data 'DATA/photos-*.parquet' \
        --view 0 --share tiny-imagenet=0.25 --out features

computes some 15 photos a second on two cores that others use too. View 0 is the square that the model sees later, and
higher ones are random crops, flips and changes of light. Each 512 photos are one file: what is there is not computed
again, so an interrupted run goes on where it stopped. What is kept is the output of `EfficientNetLite.trunk`, so that
the last block can learn too.

Legend: n photos, s side in pixels, g side of the grid, c channels.
"""

from __future__ import annotations

import argparse
import glob
import hashlib
import io
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from clip_model.config import VARIANTS, VisionConfig
from clip_model.preprocessing.squares import center_square
from clip_model.preprocessing.transforms import normalize, upright
from clip_model.towers.efficientnet import EfficientNetLite, load_pretrained
from clip_model.towers.folding import fold_batch_norms

logger = logging.getLogger(__name__)

PHOTOS_A_FILE = 512
BATCH = 32
SMALLEST_AREA, MOST_ASPECT = 0.45, 4 / 3  # of a random crop
JITTER = 0.2
# The published weights take (x - 127) / 128.
MEAN = (127 / 255, 127 / 255, 127 / 255)
STD = (128 / 255, 128 / 255, 128 / 255)


def vision_config(variant: str, size: int, *, pooling: str = "mean", hidden: int = 1024) -> VisionConfig:
    """The tower that published weights of a variant fit, at an input size in pixels."""
    return VisionConfig(size, 0, 0, None, 0, variant, pooling, hidden, MEAN, STD)


@dataclass(frozen=True)
class Chunk:
    """Features of some photos of a shard.

    Attributes:
        shard: the shard's name, without folder and suffix.
        rows: (n,) the photos' rows in it.
        grid: (n, c, g, g) float16.
    """

    shard: str
    rows: NDArray[np.int64]
    grid: NDArray[np.float16]


def view(image: Image.Image, size: int, number: int, seed: tuple[int, ...]) -> NDArray[np.uint8]:
    """A square of an upright RGB picture: view 0 is the middle, others are random but equal for equal seeds."""
    if number == 0:
        return np.asarray(center_square(image, size))
    rng = np.random.default_rng((*seed, number))
    width, height = image.size
    area, aspect = width * height * rng.uniform(SMALLEST_AREA, 1), np.exp(rng.uniform(-1, 1) * np.log(MOST_ASPECT))
    across, down = min(width, (area * aspect) ** 0.5), min(height, (area / aspect) ** 0.5)
    left, top = rng.uniform(0, width - across), rng.uniform(0, height - down)
    box = (left, top, left + across, top + down)
    pixels = np.asarray(image.resize((size, size), Image.Resampling.BICUBIC, box=box)).astype(np.float32)
    if rng.random() < 0.5:
        pixels = pixels[:, ::-1]
    contrast, brightness = rng.uniform(1 - JITTER, 1 + JITTER, 2)
    middle = pixels.mean()
    changed: NDArray[np.uint8] = np.clip((pixels - middle) * contrast + middle * brightness, 0, 255).astype(np.uint8)
    return changed


def is_chosen(key: str, share: float) -> bool:
    """Whether a photo is among the share that is taken; a larger share takes the same photos and more."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:6], "big") < share * 2**48


def extract(
    tower: EfficientNetLite, shard: Path, out: Path, *, size: int, number: int, shares: Mapping[str, float]
) -> int:
    """Compute what is missing of a shard's features.

    Args:
        tower: with batch norms folded; channels last.
        shard: a Parquet file with the columns `key`, `source` and `image`.
        out: the folder to fill.
        size: side of the views in pixels.
        number: of the view.
        shares: how much of each source to take; all of those that are not named.

    Returns:
        How many photos were computed.
    """
    from pyarrow import parquet

    table = parquet.read_table(shard, columns=["key", "source", "image"])
    keys, sources, images = table["key"].to_pylist(), table["source"].to_pylist(), table["image"]
    named = enumerate(zip(keys, sources, strict=True))
    rows = [i for i, (key, source) in named if is_chosen(key, shares.get(source, 1.0))]
    taken = hashlib.sha256(repr(sorted(shares.items())).encode()).hexdigest()[:8]
    out.mkdir(parents=True, exist_ok=True)
    computed = 0
    for start in range(0, len(rows), PHOTOS_A_FILE):
        path = out / f"{shard.stem}.{number}.{taken}.{start:06d}.npz"
        if path.exists():
            continue
        part = rows[start : start + PHOTOS_A_FILE]
        squares = [_square(images[row].as_py(), size, number, row) for row in part]
        grid = np.concatenate(list(_grids(tower, squares)))
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            np.savez(file, shard=shard.stem, rows=np.array(part), grid=grid)
        os.replace(partial, path)  # noqa: PTH105  atomic on every system
        computed += len(part)
        logger.info("%s view %d: %d of %d photos", shard.stem, number, start + len(part), len(rows))
    return computed


def _square(data: bytes, size: int, number: int, row: int) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data)) as image:
        return view(upright(image).convert("RGB"), size, number, (row,))


def _grids(tower: EfficientNetLite, squares: Sequence[NDArray[np.uint8]]) -> Iterator[NDArray[np.float16]]:
    def pixels(start: int) -> torch.Tensor:
        return torch.stack([normalize(square, MEAN, STD) for square in squares[start : start + BATCH]])

    with ThreadPoolExecutor(1) as pool, torch.inference_mode():
        for batch in pool.map(pixels, range(0, len(squares), BATCH)):
            grid = tower.trunk(batch.contiguous(memory_format=torch.channels_last))
            yield grid.half().contiguous().numpy()


def read_features(folder: Path) -> list[Chunk]:
    """All chunks of a folder, in the order of their names.

    Raises:
        FileNotFoundError: if there is none.
    """
    paths = sorted(folder.glob("*.npz"))
    if not paths:
        raise FileNotFoundError(f"no features in {folder}; compute them with python -m clip_model.features")
    chunks = []
    for path in paths:
        with np.load(path) as file:
            chunks.append(Chunk(str(file["shard"]), file["rows"], file["grid"]))
    return chunks


def parse_share(text: str) -> tuple[str, float]:
    """`SOURCE=0.25` of a command line."""
    source, _, share = text.partition("=")
    return source, float(share)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line: fill a folder."""
    parser = argparse.ArgumentParser(prog="python -m clip_model.features", description="Features to disk.")
    parser.add_argument("--variant", choices=sorted(VARIANTS), default="lite2")
    parser.add_argument("--weights", required=True, type=Path, help="the published weights of that variant")
    parser.add_argument("--size", type=int, default=192, help="side of the views in pixels")
    parser.add_argument("--data", required=True, help="Parquet shards, a pattern")
    parser.add_argument("--view", type=int, default=0, help="0 is the middle, others are random")
    parser.add_argument(
        "--share", type=parse_share, action="append", default=[], help="SOURCE=0.25 takes a quarter of it"
    )
    parser.add_argument("--out", required=True, type=Path)
    args = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    tower = EfficientNetLite(args.variant, embed_dim=1).eval().requires_grad_(False)
    load_pretrained(tower, args.weights)
    fold_batch_norms(tower)
    tower.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
    for shard in sorted(glob.glob(args.data)):  # noqa: PTH207  a whole pattern
        extract(tower, Path(shard), args.out, size=args.size, number=args.view, shares=dict(args.share))


if __name__ == "__main__":
    main()
