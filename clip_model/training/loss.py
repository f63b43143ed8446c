"""The contrastive loss, pure: no model, no device, no state.

Legend: b batch, d dimension of the shared space.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def soft_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean over rows of the cross-entropy between targets and softmax(logits).

    Args:
        logits: (b, n) float.
        targets: (b, n) float, each row sums to 1.

    Returns:
        () mean in nats.
    """
    return -(targets * F.log_softmax(logits, dim=1)).sum(dim=1).mean()


def clip_loss(image: Tensor, text: Tensor, scale: Tensor, same: Tensor) -> Tensor:
    """Symmetric cross-entropy over a batch of pairs; a text that is true of several images has them all as positives.

    Args:
        image: (b, d) unit length.
        text: (b, d) unit length, row i belongs to image i.
        scale: () inverse temperature, at most 100.
        same: (b, b) bool, [i, j] True where text j is true of image i; its diagonal is True.

    Returns:
        () mean loss in nats.

    Source: Radford et al. 2021, figure 3; positives as in UniCL (arXiv 2204.03610), equation 3.
    """
    logits = scale * image @ text.T  # [b, b]
    positives = same.to(logits.dtype)
    to_text = positives / positives.sum(dim=1, keepdim=True)
    to_image = positives.T / positives.T.sum(dim=1, keepdim=True)
    return (soft_cross_entropy(logits, to_text) + soft_cross_entropy(logits.T, to_image)) / 2
