"""The encoder on a CPU beside the other ways to run the same ViT-B/32, in one run: images/s, text queries, int8.

    python benchmarks/encode.py [--photos DIR] [--rounds 7]       # about 5 minutes on two quiet cores
    python benchmarks/encode.py --cpu-time                        # one thread, by its CPU time: on a busy machine

Random weights, the same in all: our `Encoder` as it would be chosen here, in fp32, and in int8 (by ONNX Runtime);
open_clip in fp32, transformers (SDPA) in fp32, ONNX Runtime in fp32, and int8 by torch (dynamic, linear layers).
All get the same normalised pixels, 32 pictures, and give unit vectors. The contenders take turns, each after a run
that does not count, so that another program's load meets all; a figure is the median of the rounds, and a ratio the
median of the rounds' ratios. The machine's own rate is a product of two 3072 x 3072 matrices in the same rounds.
`--photos` compares embeddings on real photos; without it, on drawn ones. The first query after a start is timed in
processes of their own, after the model is there.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from encode_gpu import operations
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from clip_model import CLIP, PRESETS, save_model
from clip_model.checkpoints.exporting import export
from clip_model.inference import Encoder
from clip_model.int8.graph import export_graph
from clip_model.int8.session import GraphTower

sys.path.insert(0, str(Path(__file__).parents[1]))  # the references that the tests compare with

BATCH = 32
SIDE = 3072  # of the matrices
THINGS = ("dog", "cat", "bus", "boat", "church", "bicycle", "horse", "pizza", "bridge", "child")
LONG = (
    "a photograph of {} taken on a rainy afternoon in late autumn, with wet leaves on the ground, two people under a "
    "large umbrella in the background, a row of old brick houses with lit windows, and warm light falling on the street"
)
STARTS = 5
Run = Callable[[], object]


@dataclass
class Contender:
    """One way to do the same work, and what it took in each round, in seconds."""

    clock: ClassVar[Callable[[], float]] = time.perf_counter

    name: str
    run: Run
    took: list[float] = field(default_factory=list)

    def once(self) -> None:
        """Run it, and run it again with the clock."""
        self.run()
        begun = Contender.clock()
        self.run()
        self.took.append(Contender.clock() - begun)

    @property
    def seconds(self) -> float:
        """The median."""
        return statistics.median(self.took)

    def over(self, other: Contender) -> float:
        """How many times as long it takes as another one: the median of the rounds."""
        return statistics.median(mine / theirs for mine, theirs in zip(self.took, other.took, strict=True))


def main() -> int:
    """Measure and print."""
    options = _options()
    torch.manual_seed(0)
    if options.first:
        return _first_query()
    if options.cpu_time:
        Contender.clock = time.process_time
        torch.set_num_threads(1)
    model = CLIP(PRESETS["ViT-B-32"]).eval()
    encoder = Encoder(model, device="cpu")
    exact = Encoder(model, device="cpu", precision="fp32")
    machine = f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, torch {torch.__version__}"
    print(f"ViT-B/32, random weights; {machine}; {'CPU time' if options.cpu_time else 'wall time'}")
    print(f"load before: {_load()}\n", flush=True)
    photos = list(_photos(options.photos, encoder)) or list(_drawn(encoder))
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ways = _ways(model, Path(folder))
        short = Encoder(model, device="cpu", precision="int8", models=Path(folder))
        _images([encoder, exact, short], ways, photos, options)
        _texts(encoder, exact, ways["open_clip fp32, eager"].encode_text, options.rounds)
    _starts()
    print(f"load after: {_load()}")
    return 0


@dataclass(frozen=True)
class Way:
    """Another program's towers: pixels (b, 3, 224, 224) -> (b, d), texts -> (n, d); of any length."""

    encode_image: Callable[[Tensor], Tensor]
    encode_text: Callable[[list[str]], Tensor] | None = None


def _ways(model: CLIP, folder: Path) -> dict[str, Way]:
    from tests.clip_model.open_clip_models import reference_of
    from tests.clip_model.open_clip_reference import open_clip, transformers

    reference, tokenize = reference_of(model), open_clip().get_tokenizer("ViT-B-32")
    save_model(model, folder / "model.safetensors")
    export(folder / "model.safetensors", folder / "huggingface", "huggingface")
    theirs = transformers().CLIPModel.from_pretrained(folder / "huggingface", attn_implementation="sdpa").eval()
    export_graph(model.visual, PRESETS["ViT-B-32"].vision.image_size, folder / "fp32.onnx")
    int8 = _quantized(model.visual)
    return {
        "open_clip fp32, eager": Way(reference.encode_image, lambda texts: reference.encode_text(tokenize(texts))),
        "transformers fp32, SDPA": Way(
            lambda pixels: theirs.visual_projection(theirs.vision_model(pixel_values=pixels).pooler_output)
        ),
        "ONNX Runtime fp32": Way(GraphTower((folder / "fp32.onnx").read_bytes())),
        "int8: torch, dynamic, linear layers": Way(int8),
    }


def _quantized(tower: nn.Module) -> nn.Module:
    tower = copy.deepcopy(tower).requires_grad_(False)
    for block in tower.transformer.resblocks:  # of layers torch turns linear ones alone into int8
        attention = block.attn
        attention.in_proj = nn.Linear(attention.in_proj_weight.shape[1], len(attention.in_proj_weight))
        attention.in_proj.weight, attention.in_proj.bias = attention.in_proj_weight, attention.in_proj_bias
    return torch.ao.quantization.quantize_dynamic(tower, {nn.Linear}, dtype=torch.qint8)


def _images(encoders: list[Encoder], ways: dict[str, Way], photos: list[Tensor], options: argparse.Namespace) -> None:
    """Compare encoders, of which the first is what others are compared with and the second exact, and other ways."""
    pixels = torch.stack([photos[at % len(photos)] for at in range(BATCH)])
    embed = {f"picsift's Encoder, {encoder.precision}": encoder.encode_pixels for encoder in encoders}
    contenders = [Contender(name, lambda way=way: way(pixels)) for name, way in embed.items()]
    contenders += [Contender(name, lambda way=way: _unit(way.encode_image(pixels))) for name, way in ways.items()]
    ours = contenders[0]
    products = {kind: Contender(str(kind), _product(kind)) for kind in (torch.bfloat16, torch.float32)}
    for _ in range(options.rounds):
        for contender in (*contenders, *products.values()):
            contender.once()
    expected = torch.from_numpy(encoders[1].encode_pixels(torch.stack(photos)))
    work = operations(PRESETS["ViT-B-32"]) * BATCH
    print(f"| images, batch {BATCH} | images/s | GFLOP/s | time against ours | least cosine to fp32 |")
    print("|---|---|---|---|---|")
    for contender in contenders:
        if contender.name in embed:
            got = torch.from_numpy(embed[contender.name](torch.stack(photos)))
        else:
            got = _in_batches(ways[contender.name].encode_image, photos)
        print(
            f"| {contender.name} | {BATCH / contender.seconds:.1f} | {work / contender.seconds / 1e9:,.0f} "
            f"| {contender.over(ours):.2f} | {(got * expected).sum(dim=1).min():.5f} |"
        )
    print(f"\ncosines over {len(photos)} {'photos' if options.photos else 'drawn pictures'}\n")
    print(f"| product of two {SIDE} x {SIDE} matrices | GFLOP/s | ours reaches |\n|---|---|---|")
    for kind, product in products.items():
        rates = [2 * SIDE**3 / took for took in product.took]
        shares = [work / mine / rate for mine, rate in zip(ours.took, rates, strict=True)]
        print(f"| {kind} | {statistics.median(rates) / 1e9:,.0f} | {statistics.median(shares):.0%} |")
    print(flush=True)


def _in_batches(encode: Callable[[Tensor], Tensor], photos: list[Tensor]) -> Tensor:
    """(n, d) unit vectors."""
    with torch.inference_mode():
        return torch.cat([_unit(encode(torch.stack(photos[at : at + BATCH]))) for at in range(0, len(photos), BATCH)])


def _unit(features: Tensor) -> Tensor:
    return F.normalize(features.float(), dim=-1)


def _product(kind: torch.dtype) -> Run:
    left, right = (torch.randn(SIDE, SIDE).to(kind) for _ in range(2))
    return lambda: left @ right


def _texts(encoder: Encoder, exact: Encoder, theirs: Callable[[list[str]], Tensor], rounds: int) -> None:
    print("| one text query, as tokenizer and tower | ms | open_clip's time against it |\n|---|---|---|")
    numbers = iter(range(10**9))
    for what, make in (("short", lambda n: f"a {THINGS[n % 10]} number {n} on a beach"),
                       ("long", lambda n: LONG.format(f"a {THINGS[n % 10]} and {n} others"))):  # fmt: skip

        def each(encode: Callable[[list[str]], object], make: Callable[[int], str] = make) -> Run:
            return lambda: [encode([make(next(numbers))]) for _ in range(10)]

        ways = {f"picsift's Encoder, {encoder.precision}": encoder.encode_texts}
        if encoder.precision != "fp32":
            ways["picsift's Encoder, fp32"] = exact.encode_texts
        contenders = [Contender(name, each(encode)) for name, encode in ways.items()]
        reference = Contender("open_clip fp32, eager", each(lambda texts: _unit(theirs(texts))))
        for _ in range(rounds):
            for contender in (*contenders, reference):
                contender.once()
        for contender in (*contenders, reference):
            took = f"{contender.seconds * 100:.2f} | {reference.over(contender):.2f}"
            print(f"| {what}, {contender.name} | {took} |", flush=True)
    print(flush=True)


def _starts() -> None:
    """Time the first query of fresh processes, and those after it."""
    found = []
    for _ in range(STARTS):
        done = subprocess.run([sys.executable, __file__, "--first"], capture_output=True, text=True, check=True)
        found.append(json.loads(done.stdout))
    first, warm = (statistics.median(one[name] for one in found) for name in ("first", "warm"))
    ratio = statistics.median(one["first"] / one["warm"] for one in found)
    print(f"first query of a process, the model being there: {first * 1000:.1f} ms, later ones {warm * 1000:.1f} ms: ")
    each = ", ".join(f"{1000 * one['first']:.1f}" for one in found)
    print(f"{ratio:.2f} times (median of {STARTS} processes, whose first took {each} ms)\n")


def _first_query() -> int:
    encoder = Encoder(CLIP(PRESETS["ViT-B-32"]), device="cpu")

    def seconds(number: int) -> float:
        begun = time.perf_counter()
        encoder.encode_texts([f"a {THINGS[number % 10]} number {number} on a beach"])
        return time.perf_counter() - begun

    first = seconds(0)
    print(json.dumps({"first": first, "warm": statistics.median(seconds(number) for number in range(1, 31))}))
    return 0


def _photos(folder: Path | None, encoder: Encoder) -> Iterator[Tensor]:
    found = (
        []
        if folder is None
        else sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp"))
    )
    for path in found[:64]:
        with Image.open(path) as image:
            image.draft("RGB", (448, 448))
            yield encoder.preprocess(image.convert("RGB"))


def _drawn(encoder: Encoder) -> Iterator[Tensor]:
    rng = np.random.default_rng(0)
    for _ in range(64):
        coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        yield encoder.preprocess(coarse.resize((256, 256), Image.Resampling.BICUBIC))


def _load() -> str:
    return ", ".join(f"{one:.1f}" for one in os.getloadavg())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, help="a folder of real photos to compare embeddings on")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cpu-time", action="store_true", help="one thread, measured by the CPU time that it takes")
    parser.add_argument("--first", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    with torch.inference_mode():
        sys.exit(main())
