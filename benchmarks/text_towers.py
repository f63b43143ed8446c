"""Which text tower to teach: one from nothing, the shipped one as it is, taught further, with texts alone, or cut.

    python benchmarks/text_towers.py --data FOLDER --device cuda --workers 16 --out OUT
    python benchmarks/text_towers.py --join OUT/NAME --out FILE
    python benchmarks/text_towers.py --speed --out OUT

FOLDER is what `benchmarks/text_tower_data.py` made. The image tower stays as it is: only embeddings of photos are read.
Every variant sees the same batches: photos with a text each (also with a colour or a number exchanged, which is to
score less), WordNet's nouns with definitions, synonyms and kinds, and sentences that differ in a colour or a number
only. Where `keep` is given, embeddings of texts are pulled to those of the shipped tower. A line of JSON for each says
what `clip_model.evaluate` measures on `val`, and:

- kinds: mAP and P@10 of `val`'s labelled photos for each name of a kind that 20 of them or more have;
- colours, numbers: share of `val`'s captions that score more with their photo than the same with another word;
- definitions, nouns' kinds: share of nouns held out of the teaching whose nearest of 1,000 definitions is their own,
  and whose nearest kind is one of theirs.

`--join` puts what OUT keeps of a variant, in parts of at most 14 MiB, into the shipped file for
`clip_model.evaluate`. `--speed` prints the milliseconds of a query on one core for each shape of tower.

Legend: b batch, m more texts, s positions, e dimension of the shared space.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, safe_open, save_file
from text_tower_batches import Batch, Data, Sizes, batches, measured_texts, read_data
from torch import Tensor
from torch.nn import functional as F

from clip_model.checkpoint import load_model, save_model
from clip_model.config import CLIPConfig
from clip_model.evaluation.evaluate import Towers, evaluate_source
from clip_model.preprocessing.wordpiece import WordPiece
from clip_model.pretrained.twin_towers import Texts
from clip_model.towers.sentence import SentenceTower
from clip_model.training.loss import clip_loss
from clip_model.training.schedule import learning_rate

SHIPPED = Path("clip_model/weights/builtin.safetensors")
WORDS_SCALE = 30.0  # inverse temperature between texts
PART = 14 * 2**20  # bytes of a file that is kept
AT_ONCE = 1024
WARMUP = 30


@dataclass(frozen=True)
class Variant:
    """What is taught and how.

    Attributes:
        name: of the variant.
        steps: share of `--steps`; 0 leaves the tower as it is.
        layers: numbers of the shipped blocks that are kept; none starts from nothing.
        width: of a tower from nothing, with four layers.
        lr: peak rate of the head.
        text_lr: of the blocks, of everything below the head where it starts from nothing.
        photos: weight of the contrastive loss with photos.
        words: of the loss between texts.
        keep: of the distance to the shipped tower's embeddings.
        wide: whether sentences at large are kept likewise.
    """

    name: str
    steps: float = 1.0
    layers: tuple[int, ...] = (0, 1, 2, 3, 4, 5)
    width: int = 384
    lr: float = 3e-4
    text_lr: float = 2e-5
    photos: float = 1.0
    words: float = 0.0
    keep: float = 0.0
    wide: bool = False


VARIANTS = (
    Variant("shipped", steps=0),
    Variant("captions"),
    Variant("captions-keep", keep=2.0),
    Variant("texts", words=0.3, keep=2.0),
    Variant("texts-strong", words=1.0, keep=2.0, text_lr=6e-5),
    Variant("texts-head", words=0.3, keep=2.0, text_lr=0.0),
    Variant("layers-3", steps=1.5, layers=(0, 2, 5), words=0.3, keep=6.0, text_lr=2e-4, wide=True),
    Variant("small", steps=2.0, layers=(), width=256, words=0.3, keep=6.0, lr=1e-3, text_lr=1e-3, wide=True),
)


class Tower(torch.nn.Module):
    """A text tower with its temperature."""

    def __init__(self, config: CLIPConfig) -> None:
        """Random weights."""
        super().__init__()
        self.config, self.text = config, SentenceTower(config)
        self.logit_scale = torch.nn.Parameter(torch.tensor(0.0))

    def forward(self, tokens: Tensor) -> Tensor:
        """(b, s) -> (b, e) float32, unit length; the blocks in bf16 on a GPU."""
        with torch.autocast(tokens.device.type, torch.bfloat16, enabled=tokens.is_cuda):
            vectors = self.text.vectors(tokens)
        return F.normalize(self.text.head(vectors.float()), dim=-1)


def read_tower(path: Path) -> Tower:
    """The shipped text tower, from `text_tower_data`'s file."""
    with safe_open(path, framework="pt") as file:
        config = CLIPConfig.from_dict(json.loads(file.metadata()["config"]))
    tower = Tower(config)
    tower.load_state_dict({name: value.float() for name, value in load_file(path).items()})
    return tower.eval().requires_grad_(False)


def begun(shipped: Tower, variant: Variant) -> Tower:
    """The tower that a variant begins with."""
    if variant.layers == tuple(range(len(shipped.text.blocks))):
        return copy.deepcopy(shipped)
    text = shipped.config.text
    shape = replace(text, layers=len(variant.layers)) if variant.layers else replace(
        text, layers=4, width=variant.width, heads=variant.width // 32)  # fmt: skip
    torch.manual_seed(0)
    tower = Tower(replace(shipped.config, text=shape))
    tower.logit_scale.data.copy_(shipped.logit_scale)
    if variant.layers:
        tower.text = copy.deepcopy(shipped.text)
        tower.text.blocks = torch.nn.ModuleList(tower.text.blocks[i] for i in variant.layers)
    return tower.to(shipped.logit_scale.device)


def teach(tower: Tower, shipped: Tower, variant: Variant, drawn: Sequence[Batch], photos: Tensor) -> float:
    """Move a tower over batches; returns the last loss.

    Raises:
        FloatingPointError: when the loss is not finite, naming the step.
    """
    device, fresh = photos.device, not variant.layers
    frozen = () if fresh else ("text.token_embedding", "text.positional_embedding", "text.ln_embedding")
    groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
    for name, parameter in tower.named_parameters():
        rate = variant.lr if name.startswith(("text.head", "logit_scale")) else variant.text_lr
        parameter.requires_grad_(rate > 0 and not name.startswith(frozen or "-"))
        if parameter.requires_grad:
            groups.setdefault((rate, 0.05 if parameter.ndim > 1 else 0.0), []).append(parameter)
    optimizer = torch.optim.AdamW(
        [{"params": some, "peak": rate, "weight_decay": decay} for (rate, decay), some in groups.items()],
        betas=(0.9, 0.98), eps=1e-6)  # fmt: skip
    moved = [parameter for some in groups.values() for parameter in some]
    tower.eval()
    tower.text.head.train()
    for step, batch in enumerate(drawn):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, peak=group["peak"], warmup=min(WARMUP, len(drawn)), steps=len(drawn))
        loss = _loss(tower, shipped, variant, batch, photos, device)
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss.item()} at step {step}; try smaller rates")
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(moved, 1.0)
        optimizer.step()
    tower.eval()
    return loss.item()


def _loss(tower: Tower, shipped: Tower, variant: Variant, batch: Batch, photos: Tensor,
          device: torch.device) -> Tensor:  # fmt: skip
    """() nats, and the distances beside."""
    taught = [batch.told, batch.altered]
    taught += [batch.left, batch.right] if variant.words else []
    taught += [batch.wide] if variant.wide else []
    tokens = np.zeros((sum(map(len, taught)), max(part.shape[1] for part in taught)), np.int32)
    for part, first in zip(taught, accumulate(map(len, taught), initial=0), strict=False):
        tokens[first : first + len(part), : part.shape[1]] = part
    tokens = torch.from_numpy(tokens).to(device)
    found = tower(tokens)
    told, altered, *more = torch.split(found, [len(part) for part in taught])
    image = F.normalize(photos[torch.from_numpy(batch.views).to(device)].float(), dim=-1)
    scale = tower.logit_scale.exp().clamp(max=100.0)
    loss = variant.photos * photo_loss(image, told, altered, scale, _bits(batch.same, len(told), device))
    if variant.words:
        same = _bits(batch.alike, len(more[0]), device)
        loss = loss + variant.words * clip_loss(more[0], more[1], torch.tensor(WORDS_SCALE, device=device), same)
    if variant.keep:
        with torch.no_grad():
            target = shipped(tokens)
        loss = loss + variant.keep * (1 - (found * target).sum(dim=1)).mean()
    return loss


def photo_loss(image: Tensor, told: Tensor, altered: Tensor, scale: Tensor, same: Tensor) -> Tensor:
    """`clip_loss` where each photo also has texts that are true of none to turn down.

    Args:
        image: (b, e) unit length.
        told: (b, e) likewise.
        altered: (m, e) texts with a wrong word.
        scale: () inverse temperature.
        same: (b, b) float, 1 where text j is true of photo i.
    """
    logits = scale * image @ told.T
    wrong = scale * image @ altered.T
    ways = torch.log_softmax(torch.cat([logits, wrong], dim=1), dim=1)[:, : len(told)]
    to_text = -(same / same.sum(dim=1, keepdim=True) * ways).sum(dim=1).mean()
    to_image = -(same.T / same.T.sum(dim=1, keepdim=True) * torch.log_softmax(logits.T, dim=1)).sum(dim=1).mean()
    return (to_text + to_image) / 2


def _bits(packed: np.ndarray, side: int, device: torch.device) -> Tensor:
    bits = torch.from_numpy(packed).to(device, non_blocking=True)  # [side, bytes]
    shifts = torch.arange(7, -1, -1, device=device, dtype=torch.uint8)
    return ((bits[:, :, None] >> shifts) & 1).flatten(1)[:, :side].float()


def measure(tower: Tower, data: Data, device: torch.device) -> dict[str, float]:
    """The figures, in [0, 1]."""
    texts_of = Texts(tower.config.text.context_length)

    def encode(texts: list[str]) -> np.ndarray:
        order = np.argsort([len(text) for text in texts], kind="stable")  # short ones together
        found = np.empty((len(texts), tower.config.embed_dim), np.float32)
        with torch.inference_mode():
            for rows in np.array_split(order, -(-len(texts) // AT_ONCE)):
                found[rows] = tower(texts_of([texts[row] for row in rows]).to(device)).cpu().numpy()
        return found

    figures: dict[str, float] = {}
    for photos, rows in data.sources:
        measured = evaluate_source(Towers(lambda _: [], encode), data.val[rows], photos)
        figures |= {f"{photos.source}.{name}": value for name, value in measured.items()}
    return figures | measured_texts(data, encode)


def keep(tower: Tower, shipped: Tower, folder: Path) -> None:
    """Write what differs from the shipped tower, float16, in files of at most `PART` bytes."""
    own, before = tower.state_dict(), shipped.state_dict()
    changed = {n: v.half().cpu().contiguous() for n, v in own.items()
               if n not in before or v.shape != before[n].shape or not torch.equal(v, before[n])}  # fmt: skip
    pieces: list[dict[str, Tensor]] = [{}]
    room = PART
    for name, value in changed.items():
        for i, rows in enumerate(torch.split(value, max(1, PART // 2 // max(1, value[:1].numel())))
                                 if value.ndim else [value]):  # fmt: skip
            room -= rows.numel() * 2
            if room < 0:
                pieces.append({})
                room = PART - rows.numel() * 2
            pieces[-1][f"{name}:{i}"] = rows.clone()
    folder.parent.mkdir(parents=True, exist_ok=True)
    for number, piece in enumerate(pieces):
        config = {"config": json.dumps(tower.config.to_dict())}
        save_file(piece, folder.parent / f"{folder.name}.{number}.safetensors", config)


def join(kept: Path, init: Path, out: Path) -> None:
    """Write the whole model: the shipped one with what `keep` wrote."""
    pieces: dict[str, dict[int, Tensor]] = {}
    for path in sorted(kept.parent.glob(f"{kept.name}.*.safetensors")):
        with safe_open(path, framework="pt") as file:
            config = CLIPConfig.from_dict(json.loads(file.metadata()["config"]))
        for name, value in load_file(path).items():
            pieces.setdefault(name.rpartition(":")[0], {})[int(name.rpartition(":")[2])] = value
    if not pieces:
        raise FileNotFoundError(f"nothing is kept at {kept}.*.safetensors")
    model = load_model(init)
    tower = Tower(config)
    state = {name: value for name, value in model.state_dict().items() if not name.startswith("visual.")}
    whole = {name: value for name, value in state.items() if name in tower.state_dict()}
    whole |= {n: torch.cat([p[i] for i in sorted(p)]) if p[0].ndim else p[0] for n, p in pieces.items()}
    tower.load_state_dict({name: value.float() for name, value in whole.items()})
    model.text, model.logit_scale, model.config = tower.text, tower.logit_scale, config
    save_model(model, out, {"text": kept.name}, dtype=torch.float16)


SHOWN = ("tiny-imagenet.top1", "miniplaces.top1", "flickr8k.text_to_image.recall@10", "tiny-imagenet.bare-name.top1",
         "miniplaces.bare-name.top1", "kinds.mAP", "kinds.P@10", "colours", "numbers", "definitions",
         "nouns-kinds")  # fmt: skip
MAIN, SLACK = SHOWN[:3], 0.004  # what must not be worse than shipped, by more than chance


def score(figures: dict[str, float], shipped: dict[str, float]) -> tuple[bool, float]:
    """Whether nothing of `MAIN` is lost, and the mean gain over everything shown: greater is better."""
    sound = all(figures[name] >= shipped[name] - SLACK for name in MAIN)
    return sound, float(np.mean([figures[name] - shipped[name] for name in SHOWN]))


def compare(args: argparse.Namespace) -> None:
    """Teach each variant, measure, print, and keep the best."""
    device, begun_at = torch.device(args.device), time.monotonic()
    data = read_data(args.data)
    chosen = [variant for variant in VARIANTS if not args.variants or variant.name in args.variants]
    most = max(int(args.steps * variant.steps) for variant in chosen)
    sizes = replace(Sizes(), **{name: max(8, int(size * args.size)) for name, size in asdict(Sizes()).items()})
    drawn = batches(data, sizes, most, seed=args.seed, workers=args.workers)
    print(f"{most} batches of {len(data.views)} views after {time.monotonic() - begun_at:.0f} s", flush=True)
    shipped = read_tower(args.data / "tower.safetensors").to(device)
    photos = torch.from_numpy(data.views).to(device)
    first = measure(shipped, data, device)
    best: list[tuple[tuple[bool, float], str]] = []
    args.out.mkdir(parents=True, exist_ok=True)
    print(f"| tower | seconds | loss | {' | '.join(SHOWN)} |\n{'|---' * (3 + len(SHOWN))}|")
    for variant in chosen:
        if variant.steps and time.monotonic() - begun_at > args.seconds:
            print(f"no time is left for {variant.name}")
            continue
        tower, start = begun(shipped, variant), time.monotonic()
        torch.manual_seed(args.seed)
        steps = int(args.steps * variant.steps)
        loss = teach(tower, shipped, variant, drawn[:steps], photos) if steps else float("nan")
        took = time.monotonic() - start
        found = {variant.name: tower}
        if steps and len(tower.text.blocks) == len(shipped.text.blocks) and variant.layers:
            found[f"{variant.name}-half"] = halfway(tower, shipped)
        for name, one in found.items():
            figures = measure(one, data, device) if steps else first
            line = {"tower": name, "seconds": round(took, 1), "loss": loss, **figures, "variant": asdict(variant)}
            with (args.out / "log.jsonl").open("a") as file:
                file.write(json.dumps(line) + "\n")
            shown = " | ".join(f"{100 * figures[key]:.1f}" for key in SHOWN)
            print(f"| {name} | {took:.0f} | {loss:.3f} | {shown} |", flush=True)
            best = sorted([*best, (score(figures, first), name)], reverse=True)[: args.kept] if steps else best
            if any(name == kept for _, kept in best):
                keep(one, shipped, args.out / name)
            for path in args.out.glob("*.safetensors"):
                if path.name.split(".")[0] not in [kept for _, kept in best]:
                    path.unlink()
    print(f"kept: {', '.join(name for _, name in best)}; {time.monotonic() - begun_at:.0f} s in all")


def halfway(tower: Tower, shipped: Tower) -> Tower:
    """The mean of both towers' weights."""
    mean = copy.deepcopy(tower)
    with torch.no_grad():
        for own, other in zip(mean.parameters(), shipped.parameters(), strict=True):
            own.lerp_(other, 0.5)
    return mean


def speed(init: Path) -> None:
    """Milliseconds of a query on one core, for each shape: medians of rounds in turns."""
    torch.set_num_threads(1)
    shipped = Tower(load_model(init).config).eval()
    shapes = {variant.name: begun(shipped, variant).eval() for variant in VARIANTS
              if variant.name in ("shipped", "layers-3", "small")}  # fmt: skip
    tokens = WordPiece(shipped.config.text.context_length)(["a black dog that runs on the beach"])
    times: dict[str, list[float]] = {name: [] for name in shapes}
    with torch.inference_mode():
        for turn in range(60):
            for name, tower in shapes.items():
                start = time.perf_counter()
                tower(tokens)
                if turn >= 10:
                    times[name].append(1000 * (time.perf_counter() - start))
    for name, tower in shapes.items():
        million = sum(p.numel() for p in tower.parameters()) / 1e6
        print(
            f"{name}: {np.median(times[name]):.1f} ms, best {min(times[name]):.1f} ms, {million:.1f} million parameters"
        )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--init", type=Path, default=SHIPPED, help="the shipped model, for --join and --speed")
    parser.add_argument("--data", type=Path, help="what text_tower_data.py made")
    parser.add_argument("--join", type=Path, help="OUT/NAME of a variant that was kept, to make a whole model of")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--variants", nargs="+", help="names; all if not given")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--size", type=float, default=1.0, help="share of the batches' sizes, for a trial")
    parser.add_argument("--seconds", type=float, default=360, help="after which no variant is begun")
    parser.add_argument("--kept", type=int, default=2, help="how many of the best are written")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args()
    if args.speed:
        speed(args.init)
    elif args.out is None or (args.data is None and args.join is None):
        parser.error("--out and one of --data and --join are needed")
    elif args.join is not None:
        join(args.join, args.init, args.out)
    else:
        compare(args)


if __name__ == "__main__":
    main()
