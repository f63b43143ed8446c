"""How fast a model embeds: pictures that are decoded already, texts one by one, and the first text after a start.

    python benchmarks/encoder.py [--model builtin] [--pictures 512] [--threads 2]

Pictures are noise of 640 x 480 pixels in RGB; cutting the square, scaling it and normalising count. A text is a query
of four to nine words that was not asked before, on one core. Each figure is the best and the median of five rounds.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
from PIL import Image

ROUNDS = 5
THINGS = ("dog", "cat", "bus", "boat", "church", "bicycle", "horse", "pizza")
PLACES = ("on a beach", "in the snow", "at night", "in front of a house", "under a bridge")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="builtin", help="a model's name, or the path of its weights")
    parser.add_argument("--pictures", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", default="auto", help="auto, fp32, bf16 or fp16")
    args = parser.parse_args()
    begun = time.perf_counter()
    import torch

    from clip_model import load_encoder

    torch.set_num_threads(args.threads)
    encoder = load_encoder(args.model, device="cpu", precision=args.precision)
    encoder.encode_texts(["a first query"])
    print(f"{encoder.name} in {encoder.precision}, {encoder.image_size} pixels, {encoder.dim} dimensions")
    print(f"from the start to the first text: {time.perf_counter() - begun:.2f} s")
    rng = np.random.default_rng(0)
    pictures = [Image.fromarray(rng.integers(0, 255, (480, 640, 3), dtype=np.uint8)) for _ in range(args.pictures)]
    encoder.encode_images(pictures[:32])

    def images(_: int) -> float:
        started = time.perf_counter()
        encoder.encode_images(pictures)
        return len(pictures) / (time.perf_counter() - started)

    def texts(number: int) -> float:
        queries = [f"{'a big' if number % 2 else 'a'} {number} {thing} {place}" for thing in THINGS for place in PLACES]
        started = time.perf_counter()
        for query in queries:
            encoder.encode_texts([query])
        return 1000 * (time.perf_counter() - started) / len(queries)

    speeds = [images(number) for number in range(ROUNDS)]
    print(f"images/s, {args.threads} threads: best {max(speeds):.1f}, median {statistics.median(speeds):.1f}")
    took = [texts(number) for number in range(ROUNDS)]
    print(f"ms a text, one core: best {min(took):.1f}, median {statistics.median(took):.1f}")


if __name__ == "__main__":
    main()
