"""Train a CLIP on captioned and labelled photos.

    python -m clip_model.train --config tiny --data 'DATA/train-*.parquet' --val DATA/val.parquet --out runs/tiny

takes about two minutes on two cores; the recipes and what to expect of each are in `clip_model.training.recipes`. Run
the same command again and it goes on where it stopped. It writes `log.jsonl`, `checkpoint.pt` (weights, optimizer,
step, recipe, metrics: resuming needs no other file) and at the end `model.safetensors`. It neither downloads nor
shuffles files: a batch is drawn at random from all pictures, which are held in memory, small.
"""

from __future__ import annotations

import argparse
import glob
import json
import logging
import math
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import torch
from torch.nn import functional as F

from clip_model.checkpoint import save_model
from clip_model.precision import autocast
from clip_model.training.data import Batch, Pairs, draw_batch, read_pairs
from clip_model.training.loss import clip_loss
from clip_model.training.recipes import RECIPES
from clip_model.training.run import Run, resume, save_checkpoint, start
from clip_model.training.schedule import learning_rate, set_learning_rate
from clip_model.training.teacher import SentenceVectors
from clip_model.training.validation import validator

logger = logging.getLogger(__name__)

MAX_SCALE = 100.0  # section 2.5: clipped so that logits are not scaled by more than 100
# Pictures are kept a little larger than the network's input, for random crops.
MARGIN = 9 / 8

Validate = Callable[[Run], dict[str, float]]


def train_step(run: Run, batch: Batch) -> float:
    """One optimizer step; the loss in nats.

    Raises:
        FloatingPointError: when the loss is not finite, naming the step; the weights are as they were.
    """
    r = run.recipe
    set_learning_rate(run.optimizer, learning_rate(run.step, peak=r.lr, warmup=r.warmup, steps=r.steps))
    # ---------------------------------------------------------------- the step
    with autocast(run.device, run.precision):
        image = run.model.encode_image(batch.pixels.to(run.device))
        text = run.encode_texts(batch.texts)
    image, text = F.normalize(image.float(), dim=-1), F.normalize(text.float(), dim=-1)
    loss = clip_loss(image, text, run.model.logit_scale.exp(), batch.same.to(run.device))
    if not torch.isfinite(loss):
        raise FloatingPointError(f"the loss is {loss.item()} at step {run.step}; try a smaller learning rate")
    run.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
    run.scaler.step(run.optimizer)
    run.scaler.update()
    run.optimizer.zero_grad(set_to_none=True)
    with torch.no_grad():
        run.model.logit_scale.clamp_(max=math.log(MAX_SCALE))
    # -------------------------------------------------------------------------
    run.step += 1
    return loss.item()


def train(run: Run, pairs: Pairs, out: Path, validate: Validate | None = None) -> dict[str, float]:
    """Train to the recipe's last step, with log and checkpoints in `out`; the last evaluation's figures."""
    recipe, metrics = run.recipe, dict[str, float]()
    out.mkdir(parents=True, exist_ok=True)
    begun, first = time.monotonic(), run.step
    for batch in _batches(run, pairs):
        run.model.train()
        loss = train_step(run, batch)
        last = run.step == recipe.steps
        if run.step % recipe.log_every == 0 or last:
            speed = (run.step - first) * recipe.batch_size / (time.monotonic() - begun)
            scale = run.model.logit_scale.exp().item()
            _log(out, {"step": run.step, "loss": loss, "scale": scale, "images_per_s": round(speed, 1)})
        if validate and (run.step % recipe.eval_every == 0 or last):
            metrics = validate(run)
            _log(out, {"step": run.step, **metrics})
        if run.step % recipe.save_every == 0 or last:
            save_checkpoint(run, out / "checkpoint.pt", metrics)
    return metrics


def _batches(run: Run, pairs: Pairs) -> Iterator[Batch]:
    """The batches that are left, the next one drawn while this one is trained on."""
    r = run.recipe

    def draw(step: int) -> Batch:
        return draw_batch(
            pairs,
            size=r.batch_size,
            image_size=r.model.vision.image_size,
            seed=run.seed,
            step=step,
            caption_weight=r.caption_weight,
            jitter=r.jitter,
            smallest_crop=r.smallest_crop,
            name_weights=r.name_weights,
            mean=r.model.vision.mean,
            std=r.model.vision.std,
        )

    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(draw, run.step)
        for step in range(run.step, r.steps):
            batch = coming.result()
            coming = pool.submit(draw, step + 1)
            yield batch


def _log(out: Path, values: dict[str, float]) -> None:
    logger.info("  ".join(f"{key} {value:.4g}" for key, value in values.items()))
    with (out / "log.jsonl").open("a") as file:
        file.write(json.dumps({"time": round(time.time()), **values}) + "\n")


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m clip_model.train", description="Train a CLIP.")
    parser.add_argument(
        "--config", required=True, choices=sorted(RECIPES), help="a recipe of clip_model.training.recipes"
    )
    parser.add_argument("--data", required=True, help="Parquet shards, a pattern such as 'DATA/train-*.parquet'")
    parser.add_argument("--val", type=Path, help="a Parquet file to evaluate on")
    parser.add_argument("--out", required=True, type=Path, help="the run's folder; an interrupted run goes on there")
    parser.add_argument("--init", type=Path, help="start from the weights of this model instead of random ones")
    parser.add_argument("--steps", type=int, help="instead of the recipe's")
    parser.add_argument("--batch-size", type=int, help="instead of the recipe's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line: read the data, go on where the last run stopped, train, save."""
    args = _arguments(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    changes = {k: v for k, v in (("steps", args.steps), ("batch_size", args.batch_size)) if v}
    recipe = replace(RECIPES[args.config], **changes)
    side = round(recipe.model.vision.image_size * MARGIN)
    pairs = read_pairs([Path(p) for p in sorted(glob.glob(args.data))], side)  # noqa: PTH207  a whole pattern
    logger.info("%d photos, %d labels", len(pairs), len(pairs.labels))
    vectors = SentenceVectors(args.out / "vectors") if recipe.text == "teacher" else None
    if vectors:
        vectors.add(pairs.texts())
    run = start(recipe, seed=args.seed, device=torch.device(args.device), vectors=vectors, init=args.init)
    given = sys.argv[1:] if arguments is None else arguments
    run.origin = {"init": str(args.init or ""), "data": args.data, "command": shlex.join(given)}
    checkpoint = args.out / "checkpoint.pt"
    metrics = resume(run, checkpoint) if checkpoint.exists() else {}
    metrics = train(run, pairs, args.out, validator(args.val, vectors) if args.val else None) or metrics
    save_model(run.model, args.out / "model.safetensors", {"recipe": args.config, "metrics": json.dumps(metrics)})


if __name__ == "__main__":
    main()
