r"""Let both towers of a model learn, and write the whole model.

    python -m clip_model.joint_run --init runs/heads/model.safetensors --weights FILE --data 'DATA/[pt]*-*.parquet' \
        --val DATA/val.parquet --wordnet /usr/share/wordnet --share tiny-imagenet=0.2 --device cuda --out runs/joint

It wants a GPU: all photos stay decoded in its memory (150 KB each), and a step of 1,024 crops takes 0.23 s on an H200,
minutes on two cores. With each line of figures it writes `log.jsonl` and `model.safetensors`, the moving average of
the weights, and chooses nothing: compare runs by their figures on the validation file, which is never trained on.
"""

from __future__ import annotations

import argparse
import copy
import glob
import io
import json
import logging
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from clip_model.checkpoint import load_model, save_model
from clip_model.config import VisionConfig
from clip_model.evaluation.evaluate import Photos, read_photos
from clip_model.model import CLIP
from clip_model.preprocessing.squares import center_square
from clip_model.preprocessing.transforms import upright
from clip_model.pretrained.canvas import read_canvas
from clip_model.pretrained.features import parse_share
from clip_model.pretrained.imagenet import imagenet_labels
from clip_model.pretrained.joint import train
from clip_model.pretrained.rates import JointSettings
from clip_model.pretrained.telling import Told, with_labels
from clip_model.pretrained.twin_towers import Published, chances, measure, towers
from clip_model.towers.efficientnet import EfficientNetLite, load_pretrained
from clip_model.training.data import read_texts

logger = logging.getLogger(__name__)

LOG_EVERY = 50
NUMBERS = tuple(field.name for field in fields(JointSettings) if field.name != "name_weights")
"""Of the settings, those that the command line takes."""


def published_tower(vision: VisionConfig, path: Path) -> Published:
    """The tower and classifier of a published weights file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is of another variant.
    """
    tower = EfficientNetLite(str(vision.variant), embed_dim=1).eval().requires_grad_(False)
    return Published(tower, *load_pretrained(tower, path))


def squares_of(photos: Photos, size: int) -> Tensor:
    """(n, 3, t, t) uint8: the photos of a source as the model is shown them."""
    squares = []
    for data in photos.images:
        with Image.open(io.BytesIO(data)) as image:
            squares.append(np.asarray(center_square(upright(image).convert("RGB"), size)))
    return torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2)


def sources_of(shards: Sequence[Path]) -> list[str]:
    """The source of each photo of some shards, one after another."""
    from pyarrow import parquet

    return [name for path in shards for name in parquet.read_table(path, columns=["source"])["source"].to_pylist()]


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    defaults = JointSettings()
    parser = argparse.ArgumentParser(prog="python -m clip_model.joint_run", description="Let both towers learn.")
    parser.add_argument("--init", required=True, type=Path, help="the model to begin with, its heads fitting already")
    parser.add_argument("--weights", required=True, type=Path, help="the published weights of its image tower")
    parser.add_argument("--data", required=True, help="Parquet shards, a pattern")
    parser.add_argument("--val", required=True, type=Path, help="the validation file")
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"), help="folder of WordNet's files")
    parser.add_argument(
        "--share", type=parse_share, action="append", default=[], help="SOURCE=0.25 draws it a fourth as often"
    )
    parser.add_argument("--kept-side", type=int, default=224, help="side in pixels at which photos are kept")
    parser.add_argument("--workers", type=int, default=2, help="decoding threads")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compile", action="store_true", help="use torch.compile")
    parser.add_argument("--eval-every", type=int, default=300, help="steps between figures")
    parser.add_argument("--out", required=True, type=Path)
    for name in NUMBERS:
        value = getattr(defaults, name)
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line: read, train, measure, save."""
    args = _arguments(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    settings = JointSettings(**{name: getattr(args, name) for name in NUMBERS})
    shards = [Path(path) for path in sorted(glob.glob(args.data))]  # noqa: PTH207  a whole pattern
    if args.val.resolve() in [shard.resolve() for shard in shards]:
        raise ValueError(f"--data takes in the validation file {args.val}, which is never trained on")
    torch.manual_seed(settings.seed)
    model = load_model(args.init).float()
    visual, _ = towers(model)
    published = published_tower(model.config.vision, args.weights)
    pairs = with_labels(read_texts(shards), imagenet_labels(args.wordnet))
    shares = dict(args.share)
    drawn = np.array([shares.get(name, 1.0) for name in sources_of(shards)])
    canvas = read_canvas(shards, args.kept_side, device=args.device, workers=args.workers)
    sources = read_photos(args.val)
    squares = [squares_of(photos, model.config.vision.image_size).to(args.device) for photos in sources]
    logger.info("%d photos are kept", int(canvas.decoded.sum()))
    _to(args.device, model, visual, published.tower)
    published = Published(published.tower, published.weight.to(args.device), published.bias.to(args.device))
    told = Told(np.arange(len(drawn)), chances(published, model, canvas), pairs)
    args.out.mkdir(parents=True, exist_ok=True)
    _log(args.out, {"step": 0, **measure(model, sources, squares)})
    command = shlex.join(sys.argv[1:] if arguments is None else arguments)
    origin = {"init": str(args.init), "data": args.data, "command": command, "settings": asdict(settings)}
    begun = time.monotonic()
    for step, loss, averaged in train(model, canvas, told, drawn, published, settings, compiled=args.compile):
        if step % args.eval_every == 0 or step == settings.steps:
            line = {"step": step, "loss": loss, "seconds": round(time.monotonic() - begun, 1)}
            _log(args.out, line | measure(averaged, sources, squares))
            _save(averaged, args.out / "model.safetensors", origin | line)
        elif step % LOG_EVERY == 0:
            logger.info("step %d loss %.4f, %.1f s", step, loss, time.monotonic() - begun)


def _save(model: CLIP, path: Path, notes: Mapping[str, object]) -> None:
    whole = copy.deepcopy(model).cpu()
    save_model(whole, path, {"joint": json.dumps(notes)}, dtype=torch.float16)


def _to(device: str, model: CLIP, *image_towers: EfficientNetLite) -> None:
    model.to(device)
    for tower in image_towers:
        tower.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it


def _log(folder: Path, line: dict[str, float]) -> None:
    logger.info("  ".join(f"{key} {value:.4g}" for key, value in line.items()))
    with (folder / "log.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
