"""How the weights move: AdamW without decay on gains and biases, linear warm-up, then a cosine to zero.

Source: Radford et al. 2021, section 2.5.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn


def adamw(modules: Iterable[nn.Module], *, lr: float, weight_decay: float) -> torch.optim.AdamW:
    """AdamW over the trainable parameters; decay falls on matrices only, not on gains, biases or the temperature."""
    parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.98), eps=1e-6)


def learning_rate(step: int, *, peak: float, warmup: int, steps: int) -> float:
    """The rate of a step: linear from 0 to `peak` over `warmup` steps, then half a cosine down to 0 at `steps`."""
    if step < warmup:
        return peak * (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return peak * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every parameter group the rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate
