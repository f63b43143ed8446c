r"""Teach a model's text tower the embeddings that a sentence encoder and its learned head give.

    python -m clip_model.distill --image-run runs/image --data 'DATA/train-*.parquet' --val DATA/val.parquet \
        --wordnet /usr/share/wordnet --out runs/text

takes about twenty minutes on two cores, the sentence vectors included, and reads the run that
`clip_model.train --config builtin-image` left. The texts are the captions and labels of the data, clauses of the
captions, and phrases from WordNet (`clip_model.training.corpus`). It writes `model.safetensors`: the run's image tower
and the text tower taught. Run again, it starts over. The image tower does not move.
"""

from __future__ import annotations

import argparse
import glob
import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from clip_model.checkpoint import save_model
from clip_model.evaluation import zero_shot
from clip_model.precision import autocast
from clip_model.preprocessing.tokenizer import Tokenizer
from clip_model.training import corpus
from clip_model.training.data import TEMPLATES, Pairs, read_pairs
from clip_model.training.loss import clip_loss
from clip_model.training.recipes import RECIPES
from clip_model.training.run import Run, encode_by_length, resume, start
from clip_model.training.schedule import adamw, learning_rate, set_learning_rate
from clip_model.training.teacher import SentenceVectors
from clip_model.training.validation import validator

logger = logging.getLogger(__name__)

IMAGE_RECIPE = "builtin-image"
SCALE = 30.0  # inverse temperature of the contrastive part of the loss


@dataclass(frozen=True)
class Texts:
    """What is taught: texts near the data, drawn half of the time, and English at large."""

    near: list[str]
    wide: list[str]

    def draw(self, size: int, seed: int, step: int) -> list[str]:
        """The texts of a step, each once."""
        rng = np.random.default_rng((seed, step))
        near = rng.choice(len(self.near), size // 2)
        wide = rng.choice(len(self.wide), size - size // 2)
        return list(dict.fromkeys([self.near[i] for i in near] + [self.wide[i] for i in wide]))


def gather(pairs: Pairs, wordnet: Path, *, nouns: int, sentences: int, seed: int) -> Texts:
    """The texts to teach from.

    Args:
        pairs: the data set, whose captions and names are taught.
        wordnet: folder of WordNet's files.
        nouns: how many of WordNet's nouns, the most frequent first.
        sentences: how many invented captions.
        seed: of the invention.
    """
    rng = np.random.default_rng(seed)
    captions = list(chain.from_iterable(pairs.captions))
    names = [zero_shot.prompts(name, (*TEMPLATES, *zero_shot.TEMPLATES)) for name in pairs.names]
    near = [*captions, *corpus.caption_parts(captions), *chain.from_iterable(names)]
    known = corpus.read_nouns(wordnet)[:nouns]
    wide = [*corpus.noun_phrases(known, rng), *corpus.scene_sentences(known, sentences, rng)]
    return Texts(list(dict.fromkeys(near)), list(dict.fromkeys(wide)))


def distill_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """One minus the cosine, plus the contrastive loss that asks each text for its own teacher's embedding.

    Args:
        student: (b, d) unit length.
        teacher: (b, d) unit length, row i for the same text.

    Returns:
        () mean loss.
    """
    own = torch.eye(len(student), dtype=torch.bool)
    apart = clip_loss(student, teacher, torch.tensor(SCALE), own)
    return (1 - (student * teacher).sum(dim=1)).mean() + 0.5 * apart


def distill(run: Run, texts: Texts, *, steps: int, batch_size: int, lr: float) -> None:
    """Move the text tower of `run.model` towards `run.encode_texts`, the teacher with its head."""
    tower = [p for name, p in run.model.named_parameters() if not name.startswith("visual.") and name != "logit_scale"]
    module = torch.nn.ParameterList(p.requires_grad_(True) for p in tower)
    optimizer, tokenizer = adamw([module], lr=lr, weight_decay=0.05), Tokenizer(run.model.config.text.context_length)
    begun = time.monotonic()
    for step in range(steps):
        chosen = texts.draw(batch_size, run.seed, step)
        with torch.no_grad():
            target = F.normalize(run.encode_texts(chosen).float(), dim=-1)
        set_learning_rate(optimizer, learning_rate(step, peak=lr, warmup=100, steps=steps))
        with autocast(run.device, run.precision):
            features = encode_by_length(run.model, tokenizer(chosen).to(run.device))
        student = F.normalize(features.float(), dim=-1)
        loss = distill_loss(student, target)
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss.item()} at step {step}; try a smaller learning rate")
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step % 50 == 0 or step == steps - 1:
            cosine = (student * target).sum(dim=1).mean().item()
            speed = (step + 1) * batch_size / (time.monotonic() - begun)
            logger.info("step %d  loss %.3f  cosine %.3f  texts/s %.0f", step, loss.item(), cosine, speed)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m clip_model.distill", description="Teach a text tower.")
    parser.add_argument("--image-run", required=True, type=Path, help="folder of the run that trained the image tower")
    parser.add_argument("--data", required=True, help="Parquet shards, a pattern")
    parser.add_argument("--val", type=Path, help="a Parquet file to evaluate on")
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"), help="folder of WordNet's files")
    parser.add_argument("--out", required=True, type=Path, help="folder to write to")
    parser.add_argument("--steps", type=int, default=1400)
    parser.add_argument("--batch-size", type=int, default=512)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--nouns", type=int, default=22_000)
    parser.add_argument("--sentences", type=int, default=45_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--vectors-only", action="store_true", help="compute and keep the sentence vectors, then stop")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line: gather texts, compute the teacher's vectors, teach, measure, save."""
    args = _arguments(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    pairs = read_pairs([Path(p) for p in sorted(glob.glob(args.data))], side=8)  # noqa: PTH207  texts only
    texts = gather(pairs, args.wordnet, nouns=args.nouns, sentences=args.sentences, seed=args.seed)
    logger.info("%d texts near the data, %d of English at large", len(texts.near), len(texts.wide))
    vectors = SentenceVectors(args.out / "vectors")
    vectors.add(texts.near + texts.wide)
    if args.vectors_only:
        return
    run = start(RECIPES[IMAGE_RECIPE], seed=args.seed, device=torch.device("cpu"), vectors=vectors)
    resume(run, args.image_run / "checkpoint.pt")
    run.model.train()
    distill(run, texts, steps=args.steps, batch_size=args.batch_size, lr=args.lr)
    run.use_text_tower()
    metrics = validator(args.val, None)(run) if args.val else {}
    for name, value in metrics.items():
        logger.info("%6.2f %%  %s", 100 * value, name)
    save_model(run.model, args.out / "model.safetensors", {"metrics": json.dumps(metrics)})


if __name__ == "__main__":
    main()
