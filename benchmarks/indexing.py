"""Photos a second: picsift's own indexing against the same work done the way rclip does it, in one run.

    .venv/bin/python benchmarks/indexing.py [--photos 192] [--threads 2]

All embed the same 12-megapixel JPEGs with the same ViT-B/32 of random weights. rclip's way, as its published indexing
loop goes: a batch of 8 files is opened, each is decoded in full with Pillow, resized (bicubic) and cropped, one after
the other, then the network computes the batch, here ONNX Runtime in fp32 on all threads; a row in SQLite for each.
picsift's way is `sync()` as people run it, with metadata, thumbnails, catalog and index. So that the ratio does not
only say that threads help, a third way gives rclip's work what its loop lacks: decoding on all threads beside the
network, and batches of 32.

Then the two stages of picsift alone, each with all cores: decoding in its workers, and the network in batches. Where
both run at once on the same cores neither can have them all, so that the bound of the two together is 1 / (1/decode +
1/network); the bound of the slower alone holds where decoding has cores (or a GPU) of its own.
"""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from clip_model import CLIP, PRESETS, save_model
from clip_model.inference import load_encoder
from clip_model.transforms import ImageTransform, normalize
from indexer import Embedder, open_library, sync
from indexer.found import FoundFile
from indexer.isolation import WorkerPool
from indexer.recipe import Recipe

SIDE = (4000, 3000)
BATCH = 32
RCLIP_BATCH = 8  # its --indexing-batch-size

SERIAL = "full decode, ONNX Runtime fp32, batches of 8 (rclip's way)"
OVERLAPPED = "the same, decoding on all threads beside the network, batches of 32"


def write_photos(folder: Path, number: int) -> int:
    """Draw photos of 12 megapixels with the detail of real ones; returns their bytes in all."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    grain = rng.normal(0, 6, (SIDE[1], SIDE[0], 1)).astype(np.float32)
    for i in range(number):
        coarse = Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)).resize(
            SIDE, Image.Resampling.BICUBIC
        )
        pixels = np.clip(np.asarray(coarse, np.float32) + np.roll(grain, i * 37, axis=1), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:04}.jpg", quality=90)
    return sum(path.stat().st_size for path in folder.iterdir())


def export(model: CLIP, path: Path) -> None:
    """Write the image tower as ONNX, as rclip ships it."""
    size = model.config.vision.image_size
    torch.onnx.export(
        model.visual.eval(),
        (torch.zeros(1, 3, size, size),),
        str(path),
        input_names=["pixels"],
        output_names=["features"],
        dynamic_axes={"pixels": {0: "batch"}, "features": {0: "batch"}},
        opset_version=17,
        dynamo=False,
    )


def rclip_way(photos: list[Path], onnx: Path, database: Path, size: int, threads: int, *, overlap: bool) -> float:
    """Seconds to index the photos with a full decode and ONNX Runtime in fp32."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(onnx), options, providers=["CPUExecutionProvider"])
    transform = ImageTransform(size)
    store = sqlite3.connect(database)
    store.execute("CREATE TABLE images (path TEXT PRIMARY KEY, size INTEGER, mtime REAL, vector BLOB)")

    def load(path: Path) -> np.ndarray:
        with Image.open(path) as image:
            return transform(image.convert("RGB")).numpy()

    step = BATCH if overlap else RCLIP_BATCH
    begun = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        loaded = pool.map(load, photos) if overlap else map(load, photos)
        for start in range(0, len(photos), step):
            batch = photos[start : start + step]
            pixels = np.stack([next(loaded) for _ in batch])
            features = session.run(None, {"pixels": pixels})[0]
            features /= np.linalg.norm(features, axis=1, keepdims=True)
            rows = [
                (str(path), path.stat().st_size, path.stat().st_mtime, row.tobytes())
                for path, row in zip(batch, features, strict=True)
            ]
            store.executemany("INSERT INTO images VALUES (?, ?, ?, ?)", rows)
            store.commit()
    return time.perf_counter() - begun


def picsift_way(folder: Path, model: Path, library: Path, threads: int) -> tuple[float, str]:
    """Seconds to index the photos as `picsift index` does, the model loaded beforehand; and the precision used."""
    embedder = Embedder(str(model), device="cpu")
    precision = embedder.precision
    begun = time.perf_counter()
    report = sync(open_library(library, create=True), embedder, [folder], workers=threads, batch_size=BATCH)
    assert (report.added, report.failed) == (len(list(folder.iterdir())), 0), report
    return time.perf_counter() - begun, precision


def stages(photos: list[Path], model: Path, library: Path, threads: int) -> tuple[float, float]:
    """Photos a second that decoding alone, and the network alone, get through with all cores."""
    embedder = Embedder(str(model), device="cpu")
    embedder.load()
    recipe = Recipe(embedder.prepare, open_library(library, create=True).thumbnails, embedder.image_size, 10**9)
    files = [FoundFile(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in photos]
    with WorkerPool() as pool, ThreadPoolExecutor(threads) as callers:
        list(callers.map(lambda _: pool.run(os.getpid), range(threads)))  # the workers are there
        begun = time.perf_counter()
        decoded = list(callers.map(lambda path, file: pool.run(recipe, path, file), photos, files))
        decoding = len(photos) / (time.perf_counter() - begun)
    squares = [square for _, square, _ in decoded]
    encoder = load_encoder(model, device="cpu")
    begun = time.perf_counter()
    for start in range(0, len(squares), BATCH):
        encoder.encode_pixels([normalize(square) for square in squares[start : start + BATCH]])
    return decoding, len(squares) / (time.perf_counter() - begun)


def main() -> None:
    """Measure all, twice in turn, and print the better of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=192)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--runs", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory(prefix="picsift-benchmark-") as name:
        folder = Path(name)
        size = write_photos(folder / "photos", args.photos)
        photos = sorted((folder / "photos").iterdir())
        torch.manual_seed(0)
        model = CLIP(PRESETS["ViT-B-32"])
        save_model(model, folder / "model.safetensors")
        export(model, folder / "model.onnx")
        times: dict[str, list[float]] = {}
        for run in range(args.runs):
            for name, overlap in ((SERIAL, False), (OVERLAPPED, True)):
                database = folder / f"{run}{overlap}.db"
                seconds = rclip_way(photos, folder / "model.onnx", database, 224, args.threads, overlap=overlap)
                times.setdefault(name, []).append(seconds)
            seconds, precision = picsift_way(
                folder / "photos", folder / "model.safetensors", folder / f"lib{run}", args.threads
            )
            times.setdefault(f"picsift index, {precision}", []).append(seconds)
        decoding, network = stages(photos, folder / "model.safetensors", folder / "stages", args.threads)
    print(
        f"{platform.processor() or platform.machine()}, {args.threads} threads; {args.photos} JPEGs of 12 megapixels, "
        f"{size / args.photos / 1e6:.1f} MB each; ViT-B/32, batch {BATCH}; the best of {args.runs} runs\n"
    )
    best = {name: min(seconds) for name, seconds in times.items()}
    print("| way | photos/s | times rclip's | times its work, overlapped |\n|---|---|---|---|")
    for name, seconds in best.items():
        ratios = f"{best[SERIAL] / seconds:.2f} | {best[OVERLAPPED] / seconds:.2f}"
        print(f"| {name} | {args.photos / seconds:.1f} | {ratios} |")
    rate, together = args.photos / list(best.values())[-1], 1 / (1 / decoding + 1 / network)
    print("\n| picsift's stages, each alone with all cores | photos/s | indexing reaches |\n|---|---|---|")
    print(f"| decoding | {decoding:.1f} | {rate / decoding:.0%} |\n| network | {network:.1f} | {rate / network:.0%} |")
    print(f"| both on the same cores, at best | {together:.1f} | {rate / together:.0%} |")


if __name__ == "__main__":
    main()
