"""Pictures cut into patches, each of which becomes a position: a convolution whose kernel is as large as its stride.

Legend: b batch, c channels, h w size in pixels, s positions, d channels of a position.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


def patch_products(images: Tensor, conv: nn.Conv2d) -> Tensor:
    """Compute a convolution whose patches touch but never overlap as one matrix product.

    The same sums; cuDNN's own way took a quarter of a ViT-B/32's time on an H200.

    Args:
        images: (b, c, h, w); what does not fill a patch at the right and at the bottom is left out, as it is by `conv`.
        conv: of c channels to d, its kernel as large as its stride.

    Returns:
        (b, s, d), the patches row by row.
    """
    side, (b, c, h, w) = conv.kernel_size[0], images.shape
    rows, columns = h // side, w // side
    x = images[:, :, : rows * side, : columns * side].reshape(b, c, rows, side, columns, side)
    x = x.permute(0, 2, 4, 1, 3, 5).reshape(b, rows * columns, c * side * side)
    return F.linear(x, conv.weight.flatten(1), conv.bias)


def patches_of(images: Tensor, conv: nn.Conv2d) -> Tensor:
    """(b, c, h, w) -> (b, s, d), the patches row by row, by the way that the device is quicker at."""
    out: Tensor = patch_products(images, conv) if images.is_cuda else conv(images).flatten(2).transpose(1, 2)
    return out
