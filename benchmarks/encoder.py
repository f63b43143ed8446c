"""How fast models embed: pictures that are decoded already, texts one by one, and the first text after a start.

    python benchmarks/encoder.py [--model builtin] [--pictures 512] [--threads 2]
    python benchmarks/encoder.py --model lite2 lite1 lite0 --size 176      # towers with random weights, in turns

Pictures are noise of 640 x 480 pixels in RGB; cutting the square, scaling it and normalising count. A text is a query
of four to nine words that was not asked before, on one core. Each figure is the best and the median of five rounds;
several models take turns, and each is compared with the first by the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from clip_model.inference import Encoder

ROUNDS = 5
THINGS = ("dog", "cat", "bus", "boat", "church", "bicycle", "horse", "pizza")
PLACES = ("on a beach", "in the snow", "at night", "in front of a house", "under a bridge")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", nargs="+", default=["builtin"], help="names, paths of weights, lite0, lite1, lite2")
    parser.add_argument("--size", type=int, default=176, help="side in pixels of lite0, lite1 and lite2")
    parser.add_argument("--pictures", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--precision", default="auto", help="auto, fp32, bf16 or fp16")
    args = parser.parse_args()
    begun = time.perf_counter()
    import torch

    torch.set_num_threads(args.threads)
    encoders = []
    for number, name in enumerate(args.model):
        encoder = _encoder(name, args.size, args.precision)
        encoder.encode_texts(["a first query"])
        print(f"{name} in {encoder.precision}, {encoder.image_size} pixels, {encoder.dim} dimensions")
        if not number:
            print(f"from the start to the first text: {time.perf_counter() - begun:.2f} s")
        encoders.append(encoder)
    rng = np.random.default_rng(0)
    pictures = [Image.fromarray(rng.integers(0, 255, (480, 640, 3), dtype=np.uint8)) for _ in range(args.pictures)]
    for encoder in encoders:
        encoder.encode_images(pictures[:32])
    speeds = [[_images_per_s(encoder, pictures) for encoder in encoders] for _ in range(args.rounds)]
    took = [[_ms_a_text(encoder, number) for encoder in encoders] for number in range(args.rounds)]
    for at, name in enumerate(args.model):
        of, ms = [row[at] for row in speeds], [row[at] for row in took]
        ratio = statistics.median(row[at] / row[0] for row in speeds)
        print(f"{name}: images/s, {args.threads} threads: best {max(of):.1f}, median {statistics.median(of):.1f}; "
              f"{ratio:.2f} times {args.model[0]}")  # fmt: skip
        print(f"{name}: ms a text, one core: best {min(ms):.1f}, median {statistics.median(ms):.1f}")


def _encoder(name: str, size: int, precision: str) -> Encoder:
    from clip_model import load_encoder
    from clip_model.config import VARIANTS
    from clip_model.inference import Encoder
    from clip_model.pretrained.heads import new_model

    if name not in VARIANTS:
        return load_encoder(name, device="cpu", precision=precision)
    return Encoder(new_model(name, size, pooling="mean", hidden=1024).eval(), device="cpu", precision=precision)


def _images_per_s(encoder: Encoder, pictures: list[Image.Image]) -> float:
    started = time.perf_counter()
    encoder.encode_images(pictures)
    return len(pictures) / (time.perf_counter() - started)


def _ms_a_text(encoder: Encoder, number: int) -> float:
    queries = [f"{'a big' if number % 2 else 'a'} {number} {thing} {place}" for thing in THINGS for place in PLACES]
    started = time.perf_counter()
    for query in queries:
        encoder.encode_texts([query])
    return 1000 * (time.perf_counter() - started) / len(queries)


if __name__ == "__main__":
    main()
