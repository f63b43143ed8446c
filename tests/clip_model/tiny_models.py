"""Small models of each kind, with weights that a trained model could have."""

import torch

from clip_model.config import CLIPConfig, TextConfig, VisionConfig

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


def randomize(model, seed=0):
    """Give every tensor values that a trained model could have, batch norms' statistics included."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in model.state_dict().items():
        if not value.is_floating_point():
            continue
        noise = torch.randn(value.shape, generator=generator)
        if name.endswith("running_var"):
            value.copy_(0.5 + noise.square())
        elif value.dim() < 2:
            value.add_(0.1 * noise)
        else:
            value.copy_(noise / value[0].numel() ** 0.5)
    return model.eval()
