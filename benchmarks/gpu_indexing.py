"""Indexing 12-megapixel JPEGs on an NVIDIA GPU: its JPEG decoder against CPU workers, and which stage is the limit.

    python benchmarks/gpu_indexing.py [--photos 2048] [--workers 16]     # about 5 minutes
    python benchmarks/gpu_indexing.py --self-test                        # the same steps, few photos, on the CPU

Four rates in photos/s, on the same files: JPEG decode on the GPU (nvJPEG through torchvision, or nvImageCodec,
whichever is there) with the resize on the GPU; decode in picsift's CPU workers; the network alone on the GPU; and
`sync()` end to end with a ViT-B/32 of random weights. The slowest of workers and network is the limit. Writes to a
temporary folder only. Exit status 1, and a sentence, where no GPU answers; a GPU decoder that is not installed is
named in its row.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from indexing import BATCH, write_photos

from clip_model import CLIP, PRESETS, save_model
from clip_model.inference import load_encoder
from clip_model.preprocessing.transforms import normalize
from indexer import Embedder, open_library, sync
from indexer.catalog.records import FoundFile
from indexer.workers.isolation import WorkerPool
from indexer.workers.recipe import Recipe

DISTINCT = 64  # drawn photos; the others are copies under other names, told apart by bytes behind the picture
SIZE = 224
GPU_BATCH = 256

Decode = Callable[[list[bytes]], torch.Tensor]


def main() -> int:
    """Measure, and print a table."""
    options = _options()
    device = "cpu" if options.self_test else "cuda"
    if not options.self_test and not torch.cuda.is_available():
        print("No GPU answers: torch sees none. Try the script itself with --self-test.", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="picsift-gpu-") as name:
        folder = Path(name)
        photos = _photos(folder / "photos", options.photos)
        torch.manual_seed(0)
        save_model(CLIP(PRESETS["ViT-B-32"]), folder / "model.safetensors")
        rows = [(f"JPEG decode and resize, {label}", rate) for label, rate in _gpu_decoders(photos, device)]
        squares, workers = _workers(photos, folder, options.workers)
        rows.append(
            (f"JPEG decode in {options.workers} CPU workers, with hash, metadata and thumbnail", f"{workers:.0f}")
        )
        network = _network(folder / "model.safetensors", squares, device)
        rows.append((f"ViT-B/32 on {device}, batches of {GPU_BATCH}", f"{network:.0f}"))
        whole = _whole(folder, options.workers, device)
        rows.append((f"sync() end to end, {options.workers} workers", f"{whole:.0f}"))
    print(f"{_machine(device)}; {options.photos} JPEGs of 12 megapixels\n\n| stage | photos/s |\n|---|---|")
    print("\n".join(f"| {name} | {rate} |" for name, rate in rows))
    limit, bound = ("the CPU workers", workers) if workers < network else ("the network", network)
    print(f"\nThe limit is {limit}; end to end reaches {whole / bound:.0%} of it.")
    return 0


def _photos(folder: Path, number: int) -> list[Path]:
    write_photos(folder, min(number, DISTINCT))
    drawn = sorted(folder.iterdir())
    for i in range(len(drawn), number):
        source = bytearray(drawn[i % len(drawn)].read_bytes())
        end = 2  # a quantisation table that nothing uses, behind SOI: another picture to the content hash
        table = b"\xff\xdb\x00\x43\x03" + i.to_bytes(4, "big") + bytes([1]) * 60
        (folder / f"{i:06}.jpg").write_bytes(bytes(source[:end]) + table + bytes(source[end:]))
    return sorted(folder.iterdir())


def _gpu_decoders(photos: list[Path], device: str) -> list[tuple[str, str]]:
    sources = [path.read_bytes() for path in photos[: 4 * GPU_BATCH]]
    rows = []
    for label, find in (("nvJPEG through torchvision", _torchvision), ("nvImageCodec", _nvimagecodec)):
        try:
            decode = find(device)
            decode(sources[:8])
        except (ImportError, RuntimeError, OSError, AttributeError, NotImplementedError) as error:
            rows.append((label, f"not here: {str(error).splitlines()[0][:80]}"))
            continue
        begun = time.perf_counter()
        for start in range(0, len(sources), 32):
            decode(sources[start : start + 32])
        if device == "cuda":
            torch.cuda.synchronize()
        rows.append((label, f"{len(sources) / (time.perf_counter() - begun):.0f}"))
    return rows


def _torchvision(device: str) -> Decode:
    from torchvision.io import ImageReadMode, decode_jpeg  # type: ignore[import-not-found, unused-ignore]

    def decode(sources: list[bytes]) -> torch.Tensor:
        coded = [torch.frombuffer(bytearray(source), dtype=torch.uint8) for source in sources]
        return _squares(decode_jpeg(coded, mode=ImageReadMode.RGB, device=device))

    return decode


def _nvimagecodec(device: str) -> Decode:
    from nvidia import nvimgcodec  # type: ignore[import-not-found, unused-ignore]

    decoder = nvimgcodec.Decoder()

    def decode(sources: list[bytes]) -> torch.Tensor:
        images = decoder.decode(sources)
        return _squares([torch.as_tensor(image, device=device).permute(2, 0, 1) for image in images])

    return decode


def _squares(images: list[torch.Tensor]) -> torch.Tensor:
    """Scale the shorter side to SIZE and cut the middle out, on the device."""
    squares = []
    for image in images:
        short = min(image.shape[1:])
        size = [side * SIZE // short for side in image.shape[1:]]
        scaled = torch.nn.functional.interpolate(image[None].float(), size=size, mode="bicubic", antialias=True)
        top, left = ((side - SIZE) // 2 for side in size)
        squares.append(scaled[0, :, top : top + SIZE, left : left + SIZE])
    return torch.stack(squares)


def _workers(photos: list[Path], folder: Path, workers: int) -> tuple[list[torch.Tensor], float]:
    embedder = Embedder(str(folder / "model.safetensors"), device="cpu")
    recipe = Recipe(embedder.prepare, open_library(folder / "alone", create=True).thumbnails, SIZE, 10**9)
    files = [FoundFile(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in photos]
    with WorkerPool() as pool, ThreadPoolExecutor(workers) as callers:
        list(callers.map(lambda _: pool.run(os.getpid), range(workers)))
        begun = time.perf_counter()
        decoded = list(callers.map(lambda path, file: pool.run(recipe, path, file), photos, files))
        rate = len(photos) / (time.perf_counter() - begun)
    return [normalize(made.pixels[0]) for made in decoded[:GPU_BATCH]], rate


def _network(model: Path, squares: list[torch.Tensor], device: str) -> float:
    encoder = load_encoder(model, device=device)
    encoder.encode_pixels(squares)
    begun, rounds = time.perf_counter(), 1 if device == "cpu" else 40
    for _ in range(rounds):
        encoder.encode_pixels(squares)  # the embeddings come back to the CPU, so that it is done when this returns
    return rounds * len(squares) / (time.perf_counter() - begun)


def _whole(folder: Path, workers: int, device: str) -> float:
    embedder = Embedder(str(folder / "model.safetensors"), device=device)
    embedder.load()
    library = open_library(folder / "library", create=True)
    begun = time.perf_counter()
    report = sync(library, embedder, [folder / "photos"], workers=workers, batch_size=GPU_BATCH)
    assert report.failed == 0, report
    return report.added / (time.perf_counter() - begun)


def _machine(device: str) -> str:
    cores = f"{os.cpu_count()} cores"
    return f"{torch.cuda.get_device_name()}, {cores}" if device == "cuda" else f"{cores}, no GPU (self-test)"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=2048)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--self-test", action="store_true", help="few photos, on the CPU; measures nothing of worth")
    options = parser.parse_args()
    if options.self_test:
        options.photos = min(options.photos, 2 * BATCH)
    return options


if __name__ == "__main__":
    sys.exit(main())
