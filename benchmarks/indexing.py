"""Photos a second: picsift's own indexing against rclip's own, in one run.

    .venv/bin/python -m pip install --no-deps rclip==3.3.0 requests tqdm
    .venv/bin/python benchmarks/indexing.py [--photos 192] [--threads 2]

Both index the same 12-megapixel JPEGs, from files to rows in SQLite, with the same ViT-B/32 at 256 pixels (rclip's
shape) of random weights. rclip's row is its package's `ensure_index`: a full decode in threads that load ahead of the
network, ONNX Runtime in fp32 in batches of 8. picsift's is `sync()` as people run it, with metadata, thumbnails,
catalog and index, once in fp32 and once in the precision that it chooses here. Models are loaded before the clock
starts. rclip pins older versions of NumPy and others than picsift takes, so that it is installed without them.

Then the two stages of picsift alone, each with all cores: decoding in its workers, and the network in batches. Where
both run at once on the same cores neither can have them all, so that the bound of the two together is 1 / (1/decode +
1/network); the bound of the slower alone holds where decoding has cores (or a GPU) of its own.
"""

from __future__ import annotations

import argparse
import functools
import importlib.metadata
import io
import os
import platform
import sqlite3
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, redirect_stderr
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from PIL import Image

from clip_model import CLIP, PRESETS, save_model
from clip_model.inference import load_encoder
from clip_model.preprocessing.transforms import normalize
from indexer import Embedder, open_library, sync
from indexer.catalog.records import FoundFile
from indexer.workers.isolation import WorkerPool
from indexer.workers.recipe import Recipe

SIDE = (4000, 3000)
BATCH = 32
RCLIP_BATCH = 8  # its --indexing-batch-size


@functools.cache
def rclip_parts() -> SimpleNamespace:
    """Import what is used of rclip; ends the script, saying why, where it is not installed."""
    try:
        from rclip import db, main, model, model_download
    except ImportError as error:
        raise SystemExit(f"{error}; see how to install rclip in this script's first lines") from None
    return SimpleNamespace(
        RClip=main.RClip,
        Model=model.Model,
        DB=db.DB,
        load_session=model_download._load_onnx_session,
        version=importlib.metadata.version("rclip"),
    )


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
        input_names=["input"],
        output_names=["output"],
        dynamic_axes={"input": {0: "batch"}, "output": {0: "batch"}},
        opset_version=17,
        dynamo=False,
    )


def rclip_way(folder: Path, onnx: Path, database: Path, threads: int) -> float:
    """Seconds that rclip's own `ensure_index` takes for the photos, with its own batches, threads and database.

    Only the network is ours: a session as rclip opens it, of random weights in place of those that it downloads.
    """
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])  # rclip counts its threads by this
    model = rclip_parts().Model()
    model._session_visual_var = rclip_parts().load_session(str(onnx))
    store = rclip_parts().DB(database)
    rclip = rclip_parts().RClip(model, store, RCLIP_BATCH, None)
    begun = time.perf_counter()
    with redirect_stderr(io.StringIO()):
        rclip.ensure_index(str(folder))
    seconds = time.perf_counter() - begun
    rclip.close()
    store.close()
    with closing(sqlite3.connect(database)) as written:
        rows = written.execute("SELECT count(*), count(DISTINCT vector) FROM images").fetchone()
    assert rows == (len(list(folder.iterdir())),) * 2, rows
    return seconds


def picsift_way(folder: Path, model: Path, library: Path, threads: int, precision: str) -> tuple[float, str]:
    """Seconds to index the photos as `picsift index` does, the model loaded beforehand; and the precision used."""
    embedder = Embedder(str(model), device="cpu", precision=precision)
    embedder.load()
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
    squares = [made.pixels[0] for made in decoded]
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
        shape = PRESETS["ViT-B-32"]
        model = CLIP(replace(shape, vision=replace(shape.vision, image_size=256)))
        save_model(model, folder / "model.safetensors")
        export(model, folder / "model.onnx")
        times: dict[str, list[float]] = {}
        for run in range(args.runs):
            seconds = rclip_way(folder / "photos", folder / "model.onnx", folder / f"{run}.db", args.threads)
            times.setdefault(f"rclip {rclip_parts().version}, fp32", []).append(seconds)
            for wanted in ("fp32", "auto"):
                library = folder / f"lib{run}{wanted}"
                seconds, precision = picsift_way(
                    folder / "photos", folder / "model.safetensors", library, args.threads, wanted
                )
                times.setdefault(f"picsift index, {precision}", []).append(seconds)
        decoding, network = stages(photos, folder / "model.safetensors", folder / "stages", args.threads)
    print(
        f"{platform.processor() or platform.machine()}, {args.threads} threads; {args.photos} JPEGs of 12 megapixels, "
        f"{size / args.photos / 1e6:.1f} MB each; ViT-B/32, batch {BATCH}; the best of {args.runs} runs\n"
    )
    best = {name: min(seconds) for name, seconds in times.items()}
    print("| way | photos/s (every run) | times rclip |\n|---|---|---|")
    for name, seconds in best.items():
        each = ", ".join(f"{args.photos / one:.1f}" for one in times[name])
        print(f"| {name} | {args.photos / seconds:.1f} ({each}) | {next(iter(best.values())) / seconds:.2f} |")
    rate, together = args.photos / list(best.values())[-1], 1 / (1 / decoding + 1 / network)
    print("\n| picsift's stages, each alone with all cores | photos/s | indexing reaches |\n|---|---|---|")
    print(f"| decoding | {decoding:.1f} | {rate / decoding:.0%} |\n| network | {network:.1f} | {rate / network:.0%} |")
    print(f"| both on the same cores, at best | {together:.1f} | {rate / together:.0%} |")


if __name__ == "__main__":
    main()
