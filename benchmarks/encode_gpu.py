"""The encoder on an NVIDIA GPU: images/s, and which share of the GPU's matrix-product rate they are.

    python benchmarks/encode_gpu.py                    # ViT-B/32 and ViT-L/14, random weights; about 2 minutes
    python benchmarks/encode_gpu.py --self-test        # the same steps on the CPU with a small model

The measure is a product of two 8192 x 8192 matrices in bf16 in the same run. From GPU memory: the image tower alone,
pixels in the GPU's memory, features left there. From main memory: `Encoder.encode_squares`, bytes in, unit vectors
out. From files: JPEGs of 12 megapixels read and decoded by threads as picsift's workers decode them, while the GPU
embeds the batch before; beside it each stage alone, so that the slowest one shows. Operations are counted from the
shape: two for each multiply-add of the linear layers and the attention, nothing for norms and activations.
Exit status 1 where no GPU answers, or where bf16 is further than 0.999 (cosine) from float32.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import torch
from PIL import Image

from clip_model import CLIP, PRESETS
from clip_model.config import CLIPConfig
from clip_model.inference import Encoder
from clip_model.preprocessing.squares import CenterSquare

_BATCHES = {"ViT-B-32": (32, 256, 1024), "ViT-L-14": (32, 256, 512)}
_SIDE = (4000, 3000)
_LEAST_COSINE = 0.999


def main() -> int:
    """Measure both models, print the tables, give the exit status."""
    options = _options()
    if not options.self_test and not torch.cuda.is_available():
        print("No GPU answers: torch sees none. Try the script itself with --self-test.", file=sys.stderr)
        return 1
    device = "cpu" if options.self_test else "cuda"
    rate = _product_rate(device, 512 if options.self_test else 8192)
    machine = "CPU (self-test)" if options.self_test else torch.cuda.get_device_name()
    print(f"{machine}, {os.cpu_count()} cores, torch {torch.__version__}")
    print(f"a product of two large matrices in bf16: {rate / 1e12:,.1f} TFLOP/s\n", flush=True)
    sources = _jpegs(4 if options.self_test else 64)
    least = 1.0
    for name, batches in _BATCHES.items():
        config = PRESETS[name]
        if options.self_test:
            config = replace(config, vision=replace(config.vision, layers=2, image_size=56, patch_size=14))
            batches = (2, 4)
        torch.manual_seed(0)
        model = CLIP(config)
        encoder = Encoder(model, name=name, device=device, precision="bf16")
        print(f"## {name}, {encoder.precision}\n")
        _from_gpu_memory(encoder, config, batches, rate)
        least = min(least, _parity(model, encoder))
        _from_elsewhere(encoder, sources, options.threads)
        _texts(encoder, 64 if options.self_test else 8192)
    if least < _LEAST_COSINE:
        print(f"bf16 is too far from float32: a cosine of {least:.5f}", file=sys.stderr)
        return 1
    return 0


def operations(config: CLIPConfig) -> int:
    """Count the floating-point operations of a ViT's image tower for one picture."""
    vision = config.vision
    assert vision.patch_size is not None and isinstance(vision.layers, int)
    patches, width = (vision.image_size // vision.patch_size) ** 2, vision.width
    positions = patches + 1
    layer = 12 * positions * width**2 + 2 * positions**2 * width  # multiply-adds
    return 2 * (vision.layers * layer + patches * 3 * vision.patch_size**2 * width + width * config.embed_dim)


def _from_gpu_memory(encoder: Encoder, config: CLIPConfig, batches: tuple[int, ...], rate: float) -> None:
    print("| from GPU memory, batch | ms | images/s | TFLOP/s | of the matrix-product rate | peak memory |")
    print("|---|---|---|---|---|---|")
    tower, side, device = encoder._model, encoder.image_size, encoder.device
    for batch in batches:
        pixels = torch.randn(batch, 3, side, side, device=device, dtype=torch.bfloat16)
        if device != "cpu":
            torch.cuda.reset_peak_memory_stats()
        with torch.inference_mode():
            seconds = _device_seconds(lambda pixels=pixels: tower.encode_image(pixels), device)
        peak = "" if device == "cpu" else f"{torch.cuda.max_memory_allocated() / 2**30:.2f} GiB"
        done = operations(config) * batch / seconds
        print(
            f"| {batch} | {seconds * 1000:.2f} | {batch / seconds:,.0f} | {done / 1e12:,.1f} "
            f"| {done / rate:.0%} | {peak} |",
            flush=True,
        )
    print()


def _parity(model: CLIP, encoder: Encoder) -> float:
    """Compare bf16 with float32 on the same device, on noise and on smooth pictures; return the least cosine."""
    exact = Encoder(model, device=encoder.device, precision="fp32")
    rng, side = np.random.default_rng(0), encoder.image_size
    coarse = [rng.integers(0, 256, (6, 6, 3), dtype=np.uint8) for _ in range(32)]
    squares = [np.asarray(Image.fromarray(one).resize((side, side), Image.Resampling.BICUBIC)) for one in coarse]
    squares += [rng.integers(0, 256, (side, side, 3), dtype=np.uint8) for _ in range(32)]
    texts = [f"a photo of {number} things" for number in range(64)]
    image = (encoder.encode_squares(squares) * exact.encode_squares(squares)).sum(axis=1)
    text = (encoder.encode_texts(texts) * exact.encode_texts(texts)).sum(axis=1)
    print(f"bf16 against float32, least cosine: images {image.min():.5f}, texts {text.min():.5f}\n")
    return float(min(image.min(), text.min()))


def _from_elsewhere(encoder: Encoder, sources: list[bytes], threads: int) -> None:
    square = CenterSquare(encoder.image_size)
    batch = encoder.batch_size
    with ThreadPoolExecutor(threads) as pool:

        def decoded(count: int) -> list[np.ndarray]:
            return list(pool.map(lambda at: _decode(sources[at % len(sources)], square), range(count)))

        few = decoded(len(sources))
        squares = (few * (batch // len(few) + 1))[:batch]
        decode = _wall_seconds(lambda: decoded(len(sources))) / len(sources)
        memory = _wall_seconds(lambda: encoder.encode_squares(squares)) / batch
        one_by_one = [torch.tensor(one).permute(2, 0, 1).float() for one in squares]
        floats = _wall_seconds(lambda: encoder.encode_pixels(one_by_one)) / batch
        rounds = 2 if encoder.device == "cpu" else 8
        begun, total = time.perf_counter(), 0
        for ready in _ahead(pool, sources, square, rounds * len(sources), min(batch, 2 * len(sources))):
            total += len(encoder.encode_squares(ready))
        whole = (time.perf_counter() - begun) / total
    size = sum(map(len, sources)) / len(sources) / 1e6
    print(f"| stage, {size:.1f} MB JPEGs of 12 megapixels | images/s |\n|---|---|")
    print(f"| read and decode in {threads} threads | {1 / decode:,.0f} |")
    print(f"| bytes in main memory to unit vectors | {1 / memory:,.0f} |")
    print(f"| float32 pixels in main memory to unit vectors, as before | {1 / floats:,.0f} |")
    print(f"| files to unit vectors, decoding ahead | {1 / whole:,.0f} |")
    print(f"\nof a file's time decoding is {decode / (decode + memory):.1%}, copy and network the rest\n", flush=True)


def _ahead(
    pool: ThreadPoolExecutor, sources: list[bytes], square: CenterSquare, count: int, batch: int
) -> Iterator[list[np.ndarray]]:
    """Yield batches, while the next ones are being decoded."""
    jobs = [pool.submit(_decode, sources[at % len(sources)], square) for at in range(count)]
    for start in range(0, count, batch):
        yield [job.result() for job in jobs[start : start + batch]]


def _decode(source: bytes, square: CenterSquare) -> np.ndarray:
    with Image.open(io.BytesIO(source)) as image:
        image.draft("RGB", (2 * square.size, 2 * square.size))  # as the workers do: libjpeg scales while it decodes
        return square(image)


def _jpegs(count: int) -> list[bytes]:
    """Draw photos of 12 megapixels with the detail of real ones."""
    rng = np.random.default_rng(0)
    grain = rng.normal(0, 6, (_SIDE[1], _SIDE[0], 1)).astype(np.float32)

    def one(number: int) -> bytes:
        coarse = Image.fromarray(np.random.default_rng(number).integers(0, 256, (24, 32, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize(_SIDE, Image.Resampling.BICUBIC), np.float32)
        pixels = np.clip(smooth + np.roll(grain, number * 37, axis=1), 0, 255).astype(np.uint8)
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, "JPEG", quality=90)
        return out.getvalue()

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(one, range(count)))


def _texts(encoder: Encoder, count: int) -> None:
    many = [f"a photo of thing {number} beside thing {number * 7 % 1009}" for number in range(count)]
    one = iter(f"a dog number {number} on a beach" for number in range(10**9))
    single = _wall_seconds(lambda: encoder.encode_texts([next(one)]))
    together = _wall_seconds(lambda: encoder.encode_texts(many)) / count
    tokens = _wall_seconds(lambda: encoder._tokenizer(many)) / count
    print("| texts | |\n|---|---|")
    print(f"| one query | {single * 1000:.2f} ms, {1 / single:,.0f} queries/s |")
    print(f"| {count:,} at once | {1 / together:,.0f} texts/s |")
    print(f"| of which the tokenizer, on one core of the CPU | {1 / tokens:,.0f} texts/s |\n", flush=True)


def _product_rate(device: str, side: int) -> float:
    """Return the operations/s of a large matrix product in bf16, random numbers in it."""
    left, right = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    return 2 * side**3 / _device_seconds(lambda: left @ right, device)


def _device_seconds(step: Callable[[], object], device: str) -> float:
    """Return the median time of a step on the device."""
    if device == "cpu":
        return _wall_seconds(step)
    took = []
    for turn in range(13):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        step()
        end.record()
        end.synchronize()
        if turn > 2:
            took.append(begin.elapsed_time(end) / 1000)
    return float(np.median(took))


def _wall_seconds(step: Callable[[], object]) -> float:
    """Return the median time of a step that ends in main memory."""
    step()
    took: list[float] = []
    while len(took) < 5 or (sum(took) < 0.5 and len(took) < 100):
        begun = time.perf_counter()
        step()
        took.append(time.perf_counter() - begun)
    return float(np.median(took))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="that decode (%(default)s)")
    parser.add_argument("--self-test", action="store_true", help="small models on the CPU; measures nothing of worth")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
