"""Which image tower to teach: variants of EfficientNet-Lite and ways of pooling, taught alike for a few minutes.

    python benchmarks/towers.py --published lite0=FILE lite1=FILE lite2=FILE \
        --data 'DATA/[pt]*-*.parquet' --val DATA/val.parquet --device cuda

Each tower begins as it was published, with a new head, beside the text tower of `--init`. Heads learn alone for
`--head-steps`, then all of it for `--steps`, as `clip_model.joint_run` does. What is printed for each is what
`clip_model.evaluate` measures, at some sizes of the picture. Speed is `benchmarks/encoder.py`'s, on a CPU, where the
model runs (`--write FOLDER` keeps what was taught). It wants a GPU: all photos stay decoded in its memory.
"""

from __future__ import annotations

import argparse
import copy
import glob
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from clip_model.checkpoint import load_model, save_model
from clip_model.evaluation.evaluate import read_photos
from clip_model.model import CLIP
from clip_model.pretrained.canvas import Canvas, middles, read_canvas
from clip_model.pretrained.features import parse_share
from clip_model.pretrained.heads import fold
from clip_model.pretrained.imagenet import imagenet_labels
from clip_model.pretrained.joint import train
from clip_model.pretrained.joint_run import published_tower, sources_of, squares_of
from clip_model.pretrained.rates import JointSettings
from clip_model.pretrained.telling import Told, with_labels
from clip_model.pretrained.twin_towers import Published, chances, features_of, measure, normalized, towers
from clip_model.towers.efficientnet import load_pretrained
from clip_model.training.data import read_texts

SHIPPED = Path("clip_model/weights/builtin.safetensors")
TRIALS = (("lite2", "mean"), ("lite2", "attention"), ("lite1", "mean"), ("lite0", "mean"))
SIZES = (176, 208, 240)
SHOWN = ("tiny-imagenet.top1", "miniplaces.top1", "flickr8k.text_to_image.recall@10")
HEAD_RATE = 3e-3
LOOKED_AT = 4096  # photos, for the mean and the deviation of each feature


def main() -> None:
    """Teach each, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--init", type=Path, default=SHIPPED, help="the model of which the text tower is taken")
    parser.add_argument("--published", nargs="+", required=True, help="VARIANT=FILE, as PyPI's packages hold them")
    parser.add_argument("--data", required=True, help="Parquet shards, a pattern")
    parser.add_argument("--val", required=True, type=Path)
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"))
    parser.add_argument("--share", type=parse_share, action="append", default=[])
    parser.add_argument("--head-steps", type=int, default=150)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--size", type=int, default=144, help="side of the crops in pixels")
    parser.add_argument("--batch-size", type=int, default=1024)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--trials", nargs="+", default=[f"{variant}-{pooling}" for variant, pooling in TRIALS])
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES)
    parser.add_argument("--write", type=Path)
    args = parser.parse_args()
    files = {name: Path(file) for name, _, file in (given.partition("=") for given in args.published)}
    base = load_model(args.init).float()
    shards = [Path(path) for path in sorted(glob.glob(args.data))]  # noqa: PTH207  a whole pattern
    pairs = with_labels(read_texts(shards), imagenet_labels(args.wordnet))
    shares = dict(args.share)
    drawn = np.array([shares.get(name, 1.0) for name in sources_of(shards)])
    begun = time.monotonic()
    canvas = read_canvas(shards, 224, device=args.device, workers=args.workers)
    print(f"{int(canvas.decoded.sum())} photos decoded in {time.monotonic() - begun:.0f} s", flush=True)
    sources = read_photos(args.val)
    squares = {size: [squares_of(photos, size).to(args.device) for photos in sources] for size in args.sizes}
    told: Told | None = None
    print(f"| tower | pooling | seconds | loss | pixels | {' | '.join(SHOWN)} |")
    print("|" + "---|" * (5 + len(SHOWN)))
    for trial in args.trials:
        variant, pooling = trial.split("-")
        model, published = _begun(base, variant, pooling, files[variant], args.device)
        if told is None:  # alike for all: what the first one's classifier says of the photos
            told = Told(np.arange(len(drawn)), chances(published, model, canvas), pairs)
        begun = time.monotonic()
        _standardized(model, canvas)
        settings = JointSettings(batch_size=args.batch_size, size=args.size, late_share=0.0)
        heads = replace(settings, steps=args.head_steps, lr=HEAD_RATE, tower_lr=0.0, text_lr=0.0)
        loss, averaged = float("nan"), model
        for stage in (heads, replace(settings, steps=args.steps)):
            for _, loss, averaged in train(model, canvas, told, drawn, published, stage):  # noqa: B007
                pass
        took = time.monotonic() - begun
        for size in args.sizes:
            figures = measure(averaged, sources, squares[size])
            shown = " | ".join(f"{100 * figures[name]:.1f} %" for name in SHOWN)
            print(f"| {variant} | {pooling} | {took:.0f} | {loss:.3f} | {size} | {shown} |", flush=True)
        if args.write is not None:
            args.write.mkdir(parents=True, exist_ok=True)
            save_model(copy.deepcopy(averaged).cpu(), args.write / f"{trial}.safetensors", {}, dtype=torch.float16)


def _begun(base: CLIP, variant: str, pooling: str, file: Path, device: str) -> tuple[CLIP, Published]:
    """A model with a published tower, a new head on it, and the text tower of `base`; and the tower itself."""
    config = replace(base.config, vision=replace(base.config.vision, variant=variant, pooling=pooling))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = CLIP(config).float()
    kept = {name: value for name, value in base.state_dict().items() if not name.startswith("visual.")}
    model.load_state_dict(kept, strict=False)
    load_pretrained(model.visual, file)
    published = published_tower(config.vision, file)
    model.to(device)
    for tower in (model.visual, published.tower):
        tower.to(device=device, memory_format=torch.channels_last)
    return model, Published(published.tower, published.weight.to(device), published.bias.to(device))


def _standardized(model: CLIP, canvas: Canvas) -> None:
    """Let the new head begin as if each feature had mean 0 and deviation 1."""
    visual, _ = towers(model)
    photos = np.flatnonzero(canvas.decoded)[:LOOKED_AT]
    with torch.no_grad():
        parts = [
            features_of(visual, normalized(middles(canvas, part, model.config.vision.image_size), model))
            for part in np.array_split(photos, -(-len(photos) // 512))
        ]
    seen = torch.cat(parts)
    fold(model, seen.mean(dim=0), seen.std(dim=0).clamp(min=1e-3))


if __name__ == "__main__":
    main()
