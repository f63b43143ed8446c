"""A text tower as one call of torch's, rather than a call for each of its hundred operators.

Behind each operator the thread that embeds has to get Python's lock back. Where thirty searches compute in Python
meanwhile, 16 texts take twice as long as alone (benchmarks/RESULTS.md); and alone, a short one takes a fifth less
without Python between its operators.

It is the tracer of `torch.jit.trace` that notes down the operators. torch advises against that for new code, and may
drop it: a tower that it cannot follow, or whose numbers are not the same to the bit, is computed as it was before.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

FEW_CALLS = 8
"""Of a process: to note a tower down takes as long as some tens of texts, and who indexes embeds few."""

_SAMPLES = (["a"], ["a photo of a dog", "a"], ["a photo of a dog"] * 3)  # of one length, and of several

_log = logging.getLogger(__name__)

Tower = Callable[[Tensor], Tensor]
"""(b, s) int64 -> (b, e) float, raw features."""


class TwoSteps(Protocol):
    """A tower that looks at the texts first, as Python does, and then computes, as torch does."""

    def prepared(self, tokens: Tensor) -> tuple[Tensor, ...]:
        """(b, s) int64 -> what the second step takes: how many tensors, and of which shapes, the texts decide."""

    def computed(self, *parts: Tensor) -> Tensor:
        """Those -> (b, e) float, raw features: the same operators whatever the shapes and the numbers are."""


class Model(Protocol):
    """A model that embeds texts."""

    @property
    def text_tower(self) -> nn.Module:
        """What it does so with; where that has no `TwoSteps`, it stays as it is."""

    def encode_text(self, tokens: Tensor) -> Tensor:
        """(b, s) int64 -> (b, e) float, raw features."""


class Texts:
    """A model's text tower, on a CPU from its FEW_CALLS-th call on as one call of torch's; for one thread at a time."""

    def __init__(self, model: Model, tokenize: Callable[[Sequence[str]], Tensor], device: torch.device) -> None:
        """Note nothing down yet; the model is on `device`, and `tokenize` gives its tokens (n, s) int64."""
        self._model, self._tokenize, self._device = model, tokenize, device
        self._calls = 0
        self._one_call: Tower | None = None

    def __call__(self, tokens: Tensor) -> Tensor:
        """(b, s) int64 -> (b, e) float, raw features."""
        self._calls += 1
        if self._calls == FEW_CALLS and self._device.type == "cpu":
            self._one_call = in_one_call(self._model.text_tower, [self._tokenize(texts) for texts in _SAMPLES])
        tokens = tokens.to(self._device)
        return self._model.encode_text(tokens) if self._one_call is None else self._one_call(tokens)


def in_one_call(tower: nn.Module, samples: Sequence[Tensor]) -> Tower | None:
    """The same tower, its second step in one call for each number of tensors that the samples have it take.

    Args:
        tower: for inference.
        samples: batches of tokens (b, s) of several shapes, by which it is tried.

    Returns:
        None where the tower has no two steps, cannot be noted down, or would not give the same to the bit.
    """
    if not (hasattr(tower, "prepared") and hasattr(tower, "computed")):
        return None
    steps = cast("TwoSteps", tower)
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")
            found = _Traced(tower, samples)
            same = all(torch.equal(found(tokens), steps.computed(*steps.prepared(tokens))) for tokens in samples)
    except Exception as error:  # whatever torch's tracer meets: it is private to torch what it can follow
        _log.info("texts are computed operator by operator: %s", str(error).partition("\n")[0] or type(error).__name__)
        return None
    if not same:
        _log.info("texts are computed operator by operator: in one call they would have other vectors")
    return found if same else None


class _Traced:
    """A tower with a graph for each number of tensors."""

    def __init__(self, tower: nn.Module, samples: Sequence[Tensor]) -> None:
        """Note down what the tower does with the first sample of each kind."""
        self._tower = cast("TwoSteps", tower)
        self._graphs: dict[int, Callable[..., Tensor]] = {}
        for tokens in samples:
            parts = self._tower.prepared(tokens)
            if len(parts) not in self._graphs:
                self._graphs[len(parts)] = _noted(tower, parts)

    def __call__(self, tokens: Tensor) -> Tensor:
        """(b, s) int64 -> (b, e) float, raw features."""
        parts = self._tower.prepared(tokens)
        return self._graphs.get(len(parts), self._tower.computed)(*parts)


def _noted(tower: nn.Module, parts: tuple[Tensor, ...]) -> Callable[..., Tensor]:
    """The second step in one call; it goes with the tower, where `torch.jit.trace` keeps 5 MB to the process's end."""
    count, weights = len(parts), [*tower.parameters(), *tower.buffers()]

    def step(*given: Tensor) -> Tensor:
        return cast("TwoSteps", tower).computed(*given[:count])

    private: Any = torch._C  # what torch.jit.trace and its exporters are made of
    graph, _ = private._create_graph_by_tracing(step, (*parts, *weights), lambda _value: "", True, False)
    used = [bool(value.uses()) for value in graph.inputs()]
    for number in reversed(range(count, len(used))):
        if not used[number]:
            graph.eraseInput(number)
    made = private._create_function_from_graph("noted", graph)
    kept = [weight for weight, is_used in zip(weights, used[count:], strict=True) if is_used]
    # Whoever uses a tensor that Python alone holds needs Python's lock: held once more, the weights need none.
    return partial(_called, made, kept, private.ScriptList(kept))


def _called(made: Callable[..., Tensor], weights: Sequence[Tensor], _held: object, *given: Tensor) -> Tensor:
    return made(*given, *weights)
