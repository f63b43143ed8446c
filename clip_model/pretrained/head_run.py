r"""Train heads on features on disk, and write the whole model.

    python -m clip_model.head_run --features features --weights FILE --data 'DATA/[pt]*-*.parquet' \
        --val DATA/val.parquet --wordnet /usr/share/wordnet --out runs/heads

It reads what `clip_model.features` wrote of the shards and of the validation file, whose features are never trained
on. It writes `log.jsonl` and `model.safetensors`, and chooses nothing: compare runs by their figures on the validation
file.
"""

from __future__ import annotations

import argparse
import glob
import json
import logging
import shlex
import sys
from collections.abc import Sequence
from dataclasses import fields
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clip_model.checkpoint import save_model
from clip_model.config import POOLINGS, VARIANTS
from clip_model.evaluation.evaluate import read_photos
from clip_model.pretrained.features import Chunk, read_features
from clip_model.pretrained.heads import (
    Settings,
    Shown,
    classify,
    fold,
    measure,
    new_model,
    pooled,
    standardize,
    train,
)
from clip_model.pretrained.imagenet import imagenet_labels
from clip_model.pretrained.telling import with_labels
from clip_model.towers.efficientnet import EfficientNetLite, load_pretrained
from clip_model.towers.sentence import load_sentence_weights
from clip_model.training.data import Pairs, read_texts
from clip_model.training.teacher import SentenceVectors, sentence_weights

logger = logging.getLogger(__name__)

EVALUATE_EVERY = 100
NUMBERS = tuple(field.name for field in fields(Settings) if field.name != "name_weights")
"""Of the settings, those that the command line takes."""


def gather(chunks: Sequence[Chunk], shards: Sequence[Path], sizes: Sequence[int]) -> tuple[Tensor, NDArray[np.int64]]:
    """The features of some shards, and each one's row in the texts of these shards read one after another.

    Raises:
        FileNotFoundError: if there are features of none of them.
    """
    first = dict(zip((shard.stem for shard in shards), [0, *accumulate(sizes)], strict=False))
    mine = [chunk for chunk in chunks if chunk.shard in first]
    if not mine:
        raise FileNotFoundError(f"no features of {', '.join(first)}; compute them with python -m clip_model.features")
    rows = np.concatenate([chunk.rows + first[chunk.shard] for chunk in mine])
    return torch.from_numpy(np.concatenate([chunk.grid for chunk in mine])), rows


def sources_of(path: Path, rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """For each source of a file, by name, where its photos stand among features of these rows.

    Raises:
        ValueError: if a photo of the file has no features.
    """
    from pyarrow import parquet

    names = np.array(parquet.read_table(path, columns=["source"])["source"].to_pylist())
    if not np.array_equal(np.sort(rows), np.arange(len(names))):
        raise ValueError(f"{path} has {len(names)} photos, and there are features of {len(set(rows.tolist()))}")
    place = np.empty(len(rows), dtype=np.int64)
    place[rows] = np.arange(len(rows))
    return [place[names == name] for name in sorted(set(names.tolist()))]


def shown(chunks: Sequence[Chunk], shards: Sequence[Path], wordnet: Path, visual: EfficientNetLite,
          classifier: tuple[Tensor, Tensor], *, once: bool = False) -> Shown:  # fmt: skip
    """Everything that is trained on: features, texts, and what the classifier takes the photos for.

    `once` pools the features at once, which is right as long as nothing below the heads learns.
    """
    parts = [read_texts([shard]) for shard in shards]
    grid, rows = gather(chunks, shards, [len(part) for part in parts])
    pairs: Pairs = with_labels(read_texts(shards), imagenet_labels(wordnet))
    if once:
        grid = pooled(visual, grid)
    return Shown(rows, classify(visual, grid, classifier), pairs, grid)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    defaults = Settings()
    parser = argparse.ArgumentParser(prog="python -m clip_model.head_run", description="Train heads on features.")
    parser.add_argument("--features", required=True, type=Path, help="folder that clip_model.features filled")
    parser.add_argument("--weights", required=True, type=Path, help="the published weights that it used")
    parser.add_argument("--variant", choices=sorted(VARIANTS), default="lite2")
    parser.add_argument("--size", type=int, default=192, help="side of the views in pixels")
    parser.add_argument("--data", required=True, help="Parquet shards, a pattern")
    parser.add_argument("--val", required=True, type=Path, help="the validation file")
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"), help="folder of WordNet's files")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--pooling", choices=POOLINGS, default="mean")
    parser.add_argument("--hidden", type=int, default=1024, help="units inside the heads")
    for name in NUMBERS:
        value = getattr(defaults, name)
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line: read, train, measure, save."""
    args = _arguments(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    settings = Settings(**{name: getattr(args, name) for name in NUMBERS})
    torch.manual_seed(settings.seed)
    model = new_model(args.variant, args.size, pooling=args.pooling, hidden=args.hidden).eval()
    if not isinstance(model.visual, EfficientNetLite) or model.text is None:
        raise ValueError(f"heads go on an EfficientNetLite and a sentence tower, not on {model.config}")
    classifier = load_pretrained(model.visual, args.weights)
    load_sentence_weights(model.text, sentence_weights())
    chunks = read_features(args.features)
    shards = [Path(path) for path in sorted(glob.glob(args.data))]  # noqa: PTH207  a whole pattern
    if args.val.resolve() in [shard.resolve() for shard in shards]:
        raise ValueError(f"--data takes in the validation file {args.val}, which is never trained on")
    once = args.pooling == "mean" and not args.top_lr  # else what is pooled changes by the step
    training = shown(chunks, shards, args.wordnet, model.visual, classifier, once=once)
    sources, (grid, rows) = read_photos(args.val), gather(chunks, [args.val], [0])
    grid = pooled(model.visual, grid) if once else grid
    vectors, places = SentenceVectors(args.out / "vectors"), sources_of(args.val, rows)
    vectors.add(training.pairs.texts() + [text for photos in sources for text in photos.texts()])
    norm = standardize(model, training.grid)
    args.out.mkdir(parents=True, exist_ok=True)
    figures: dict[str, float] = {}
    for step, loss in train(model, training, vectors, settings, norm):
        if step % EVALUATE_EVERY == 0 or step == settings.steps:
            figures = measure(model, grid, sources, places, vectors, norm)
            line = {"step": step, "loss": loss, **figures}
            logger.info("  ".join(f"{key} {value:.4g}" for key, value in line.items()))
            with (args.out / "log.jsonl").open("a") as file:
                file.write(json.dumps(line) + "\n")
    fold(model, *norm)
    command = shlex.join(sys.argv[1:] if arguments is None else arguments)
    notes = {"metrics": json.dumps(figures), "data": args.data, "command": command}
    save_model(model, args.out / "model.safetensors", notes, dtype=torch.float16)


if __name__ == "__main__":
    main()
