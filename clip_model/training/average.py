"""The mean of several models' weights, tensor by tensor: often better than each, where they share a beginning.

    python -m clip_model.average runs/tune/model.safetensors runs/polish/model.safetensors --out runs/mean.safetensors

Source: model soups (arXiv 2203.05482). It trains nothing and measures nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from clip_model.checkpoint import load_model, save_model
from clip_model.model import CLIP


def average(models: Sequence[CLIP]) -> CLIP:
    """Move the weights of the first model to the mean of all, computed in float64; gives the first.

    Raises:
        ValueError: when there is none, or two differ in architecture.
    """
    if not models:
        raise ValueError("no model to average")
    for model in models[1:]:
        if model.config != models[0].config:
            raise ValueError(f"models of different architecture have no mean: {models[0].config} and {model.config}")
    states = [model.state_dict() for model in models]
    mean = {
        name: torch.stack([state[name].double() for state in states]).mean(dim=0).to(value.dtype)
        for name, value in states[0].items()
    }
    models[0].load_state_dict(mean)
    return models[0]


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line: load, average, save."""
    parser = argparse.ArgumentParser(prog="python -m clip_model.average", description="Average models' weights.")
    parser.add_argument("models", nargs="+", type=Path, help="weights of the same architecture")
    parser.add_argument("--out", required=True, type=Path, help="where the mean is written")
    parser.add_argument("--half", action="store_true", help="write it in float16, half as large, as what ships is")
    args = parser.parse_args(arguments)
    names = ", ".join(path.name for path in args.models)
    dtype = torch.float16 if args.half else torch.float32
    save_model(
        average([load_model(path) for path in args.models]), args.out, {"recipe": f"mean of {names}"}, dtype=dtype
    )


if __name__ == "__main__":
    main()
