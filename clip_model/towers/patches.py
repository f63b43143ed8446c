"""Pictures cut into patches, each of which becomes a position: a convolution whose kernel is as large as its stride.

Legend: b batch, c channels, h w size in pixels, s positions, d channels of a position.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from clip_model.mobile.branches import ConvStem


class PatchProduct(nn.Module):
    """Such a convolution as one product, by a layer that computes that.

    Attributes:
        kernel_size: height and width of a patch in pixels.
    """

    def __init__(self, kernel_size: tuple[int, ...], layer: nn.Module) -> None:
        """`layer` maps (..., c * kernel height * kernel width) to (..., d)."""
        super().__init__()
        self.kernel_size, self.layer = kernel_size, layer

    def forward(self, images: Tensor) -> Tensor:
        """(b, c, h, w) -> (b, s, d), the patches row by row."""
        patches: Tensor = self.layer(_laid_out(images, self.kernel_size[0]))
        return patches


def patch_products(images: Tensor, conv: nn.Conv2d) -> Tensor:
    """Compute a convolution whose patches touch but never overlap as one matrix product.

    The same sums; cuDNN's own way took a quarter of a ViT-B/32's time on an H200.

    Args:
        images: (b, c, h, w); what does not fill a patch at the right and at the bottom is left out, as it is by `conv`.
        conv: of c channels to d, its kernel as large as its stride.

    Returns:
        (b, s, d), the patches row by row.
    """
    return F.linear(_laid_out(images, conv.kernel_size[0]), conv.weight.flatten(1), conv.bias)


def patches_of(images: Tensor, conv: nn.Conv2d | ConvStem | PatchProduct) -> Tensor:
    """(b, c, h, w) -> (b, s, d), the patches row by row, by the way that the device is quicker at."""
    if isinstance(conv, PatchProduct):
        packed: Tensor = conv(images)
        return packed
    if images.is_cuda and isinstance(conv, nn.Conv2d):
        return patch_products(images, conv)
    out: Tensor = conv(images).flatten(2).transpose(1, 2)
    return out


def _laid_out(images: Tensor, side: int) -> Tensor:
    """(b, c, h, w) -> (b, s, c * side * side): the numbers of each patch in a row."""
    b, c, h, w = images.shape
    rows, columns = h // side, w // side
    x = images[:, :, : rows * side, : columns * side].reshape(b, c, rows, side, columns, side)
    return x.permute(0, 2, 4, 1, 3, 5).reshape(b, rows * columns, c * side * side)
