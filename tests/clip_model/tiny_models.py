"""Small models of each kind, with weights that a trained model could have."""

import functools

import torch
from torch.overrides import TorchFunctionMode

from clip_model.config import CLIPConfig, TextConfig, VisionConfig
from clip_model.model import CLIP

TEXT = TextConfig(width=32, heads=4, layers=2)
CONFIGS = {
    "vit": CLIPConfig(24, VisionConfig(image_size=32, layers=2, width=32, patch_size=8, head_width=16), TEXT),
    "vit-gelu": CLIPConfig(
        24, VisionConfig(image_size=48, layers=3, width=64, patch_size=16, head_width=32), TEXT, quick_gelu=False
    ),
    "resnet": CLIPConfig(
        24, VisionConfig(image_size=64, layers=(1, 2, 1, 1), width=8, patch_size=None, head_width=32), TEXT
    ),
}
UNMASKED = TextConfig(width=32, heads=4, layers=2, kind="unmasked")
PLAIN = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0), "resize": "crop-bilinear"}  # as most of MobileCLIP's
MOBILE = {
    "fastvit": CLIPConfig(
        24, VisionConfig(64, (1, 2, 1, 2), 16, None, 32, "fastvit", mlp_width=48, **PLAIN), UNMASKED, quick_gelu=False
    ),
    "fastvit-deep": CLIPConfig(
        24, VisionConfig(96, (1, 1, 2, 1, 1), 16, None, 32, "fastvit-deep"), UNMASKED, quick_gelu=False
    ),
    "vit-stem": CLIPConfig(24, VisionConfig(48, 2, 64, 16, 32, "vit-stem", **PLAIN), TEXT, quick_gelu=False),
    "vit-biased": CLIPConfig(24, VisionConfig(48, 2, 64, 16, 32, "vit-biased"), UNMASKED, quick_gelu=False),
}
# What no reference implementation has.
OURS = {
    "efficientnet": CLIPConfig(
        24,
        VisionConfig(
            image_size=48, layers=0, width=0, patch_size=None, head_width=0, variant="lite0", hidden=16,
            mean=(0.5, 0.5, 0.5), std=(0.25, 0.5, 0.5),
        ),
        TextConfig(16, 30522, 24, 2, 2, kind="sentence", hidden=8),
    ),
}  # fmt: skip


class Undrawn(TorchFunctionMode):
    """For networks whose numbers are all set afterwards: what they would draw stays as it is, a vector is zero.

    To draw a vocabulary's 49,408 rows takes longer than most tests.
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name in ("randn", "rand"):
            return torch.zeros(*args, **kwargs) if len(args) == 1 else torch.empty(*args, **kwargs)
        if name in ("normal_", "uniform_", "kaiming_uniform_", "xavier_uniform_", "trunc_normal_"):
            value = args[0] if args else kwargs["tensor"]
            if value.dim() < 2:
                value.detach().zero_()
            return value
        return func(*args, **kwargs)


class Noise:
    """Normal numbers, a million drawn once and taken in turn: a prime number of them, so that no two rows are equal."""

    def __init__(self, seed):
        self._numbers, self._next = _drawn(seed), 0

    def into(self, value, scale=1.0):
        """Fill a tensor."""
        flat, filled = value.view(-1), 0
        while filled < len(flat):
            part = flat[filled : filled + len(self._numbers) - self._next]
            torch.mul(self._numbers[self._next : self._next + len(part)], scale, out=part)
            filled += len(part)
            self._next = (self._next + len(part)) % len(self._numbers)
        return value


@functools.cache
def _drawn(seed):
    return torch.randn(1_048_573, generator=torch.Generator().manual_seed(seed))


def randomize(model, seed=0):
    """Give every tensor values that a trained model could have, batch norms' statistics included."""
    noise = Noise(seed)
    for name, value in model.state_dict().items():
        if not value.is_floating_point():
            continue
        if name.endswith("running_var"):
            value.copy_(0.5 + noise.into(torch.empty_like(value)).square())
        elif value.dim() < 2:
            value.add_(noise.into(torch.empty_like(value), 0.1))
        else:
            noise.into(value, 1 / value[0].numel() ** 0.5)
    return model.eval()


def random_clip(config, seed=0):
    """A CLIP with such values."""
    with Undrawn():
        model = CLIP(config)
    return randomize(model, seed)
