"""Files as OpenAI publishes them, of small models: half weights, a TorchScript archive, sizes saved like weights."""

import copy
import warnings
from functools import cache

import torch

from tests.clip_model.open_clip_reference import open_clip

SIZES = ("input_resolution", "context_length", "vocab_size")
METHODS = ("forward", "encode_image", "encode_text")


@cache
def halved(model):
    """The model with OpenAI's mixture of half and float weights: one for all callers, to change a copy of."""
    low = copy.deepcopy(model)
    open_clip().model.convert_weights_to_fp16(low)
    return low


def sizes_of(model):
    side = model.visual.image_size
    side = side[0] if isinstance(side, tuple) else side
    return dict(zip(SIZES, (side, model.context_length, model.vocab_size), strict=True))


def plain(model):
    """Its state dict as OpenAI's archives give it, sizes among the half and float weights."""
    sizes = {name: torch.tensor(number) for name, number in sizes_of(model).items()}
    return {**{name: value.clone() for name, value in halved(model).state_dict().items()}, **sizes}


def save_archive(model, path, *, half=True, sizes=None, methods=METHODS):
    """Trace a model as OpenAI did, with its sizes as buffers, and save the archive.

    One method is enough, and faster, where what the archive computes does not matter: all weights are in it.
    """
    numbers = sizes_of(model) if sizes is None else sizes
    model = copy.deepcopy(model)
    side = sizes_of(model)["input_resolution"]
    pixels, tokens = torch.ones(1, 3, side, side), torch.ones(1, model.context_length, dtype=torch.long)
    for name, number in numbers.items():
        if hasattr(model, name):
            delattr(model, name)
        model.register_buffer(name, torch.tensor(number))
    inputs = dict(zip(METHODS, ((pixels, tokens), (pixels,), (tokens,)), strict=True))
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # tracing is deprecated; OpenAI did it in 2021
        traced = torch.jit.trace_module(model, {name: inputs[name] for name in methods}, check_trace=False)
        if half:
            low = dict(halved(model).named_parameters())
            for name, parameter in traced.named_parameters():
                parameter.data = low[name].data
        torch.jit.save(traced, path)
    return path
